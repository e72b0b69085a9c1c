//! Text that others wrote, made harmless where it is shown: it cannot move the cursor, colour the screen, set the
//! title, reorder the line or hide what stands behind it.
//!
//! What stays is what a reader can see, and of the invisible only what writing needs: a few marks on a letter, one
//! variation of a character, and the joiners that Indic and Arabic writing and emoji are made of. LRM, RLM and ALM go
//! with the overrides: one of them turns the digits and signs next to it around, which is all that an attacker needs and
//! what bidirectional text is readable without. `--json` carries the raw text.

use unicode_width::UnicodeWidthChar;

/// Marks on one letter: the heaviest writing (Tibetan, Hebrew with cantillation) has up to four. More are a flood that
/// grows over the lines above and below.
const MARKS_MAX: usize = 5;
/// Columns that a tab takes in a body, since nobody knows where it would go.
const TAB: &str = "    ";

/// For one line: names, descriptions, messages. Line breaks and tabs become blanks.
pub fn line(text: &str) -> String {
    clean(text, ' ', " ")
}

/// For a body: keeps line breaks.
pub fn block(text: &str) -> String {
    clean(text, '\n', TAB)
}

/// The columns that harmless text takes at most: terminals do not agree on what is joined or varied, so each character
/// counts for itself.
pub fn columns(text: &str) -> usize {
    text.chars().map(char_columns).sum()
}

/// An emoji variation makes a narrow character wide, on some terminals.
pub fn char_columns(c: char) -> usize {
    if c == EMOJI_VARIATION { 1 } else { c.width().unwrap_or(0) }
}

const EMOJI_VARIATION: char = '\u{FE0F}';

fn clean(text: &str, line_break: char, tab: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Of the last visible character: whether invisible ones may follow it, and how many did.
    let (mut joins, mut marks) = (false, 0);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            // A line of its own, as its writer saw it, instead of one line over another.
            '\n' | '\r' | '\u{0B}' | '\u{0C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                out.push(line_break);
                (joins, marks) = (false, 0);
            }
            '\t' => {
                out.push_str(tab);
                (joins, marks) = (false, 0);
            }
            c if is_dangerous(c) => {}
            c if is_meaningless(c) => {
                out.push(char::REPLACEMENT_CHARACTER);
                (joins, marks) = (false, 0);
            }
            c if is_joiner(c) => {
                if joins {
                    out.push(c);
                    joins = false; // one between two
                }
            }
            c if c.width().unwrap_or(0) == 0 => {
                marks += 1;
                // A variation of ASCII is no writing; a mark on nothing would stand on what is before the text.
                let has_base = !out.is_empty() && !out.ends_with(['\n', ' ']);
                if has_base
                    && marks <= MARKS_MAX
                    && !(is_variation(c) && out.ends_with(|c: char| c.is_ascii()))
                {
                    out.push(c);
                }
            }
            c => {
                (joins, marks) = (!c.is_ascii() && !c.is_whitespace(), 0);
                out.push(c);
            }
        }
    }
    out
}

/// Controls (with ESC and the one-byte CSI and OSC among them), what changes the direction of the characters beside it,
/// and everything that is invisible and no part of writing.
pub fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}' // soft hyphen: a terminal shows it or not
            | '\u{34F}' // combining grapheme joiner
            | '\u{61C}' | '\u{200E}' | '\u{200F}' // direction marks
            | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' // fillers of Hangul
            | '\u{17B4}' | '\u{17B5}' // vowels that are not written
            | '\u{180E}' | '\u{200B}' | '\u{2060}'..='\u{2065}' // blanks and signs without width
            | '\u{2028}' | '\u{2029}' // line and paragraph separators
            | '\u{202A}'..='\u{202E}' // direction embeddings and overrides
            | '\u{2066}'..='\u{206F}' // direction isolates; shaping that nobody uses
            | '\u{FEFF}' // byte order mark
            | '\u{FFF0}'..='\u{FFFB}' // reserved; interlinear annotations
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' // formats of shorthand and music
            | '\u{E0000}'..='\u{E00FF}' // tags: whole hidden texts
            | '\u{E01F0}'..='\u{E0FFF}')
}

/// What it looks like, and how wide it is, only its writer's font knows: private use and noncharacters.
fn is_meaningless(c: char) -> bool {
    matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{FDD0}'..='\u{FDEF}' | '\u{F0000}'..)
        || (c as u32) & 0xFFFE == 0xFFFE
}

/// ZWNJ and ZWJ.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}')
}

fn is_variation(c: char) -> bool {
    matches!(c, '\u{180B}'..='\u{180D}' | '\u{180F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_steer_a_terminal_is_gone() {
        assert_eq!(line("\x1b[31mred\x1b[0m"), "[31mred[0m");
        assert_eq!(line("\x1b]0;title\x07x"), "]0;titlex");
        assert_eq!(line("\u{9b}2Ja\u{9d}b\x7f\x08"), "2Jab");
        assert_eq!(line("a\u{202E}b\u{2066}c\u{2069}d\u{200F}e\u{61C}"), "abcde");
        assert_eq!(line("two\nlines\tand a tab"), "two lines and a tab");
        assert_eq!(block("two\r\nlines\u{2028}three\x0cfour"), "two\nlines\nthree\nfour");
        assert_eq!(block("over\rwritten"), "over\nwritten");
    }

    #[test]
    fn writing_stays_as_it_is() {
        for text in [
            "Grüße",
            "日本語",
            "עברית",
            "हिन्दी क्\u{200D}ष",
            "می\u{200C}خواهم",
            "👨\u{200D}👩\u{200D}👧",
            "❤\u{FE0F}\u{200D}🔥",
            "e\u{301}",
            "བརྒྱུད",
            "葛\u{E0100}",
        ] {
            assert_eq!(line(text), text);
        }
    }

    #[test]
    fn what_is_invisible_cannot_hide_anything_and_a_flood_is_cut() {
        let tags: String = "hidden".chars().filter_map(|c| char::from_u32(0xE0000 + c as u32)).collect();
        assert_eq!(line(&format!("a{tags}b\u{AD}c\u{3164}d")), "abcd");
        assert_eq!(line(&format!("a{}b", "\u{200B}".repeat(1_000))), "ab");
        assert_eq!(line(&format!("a{}b", "\u{200D}".repeat(1_000))), "ab");
        assert_eq!(line(&format!("日{}本", "\u{200D}".repeat(1_000))).chars().count(), 3);
        assert_eq!(line(&format!("a{}", "\u{301}".repeat(1_000))).chars().count(), 1 + MARKS_MAX);
        assert_eq!(line("\u{301}\u{301}a \u{301}b\u{FE0F}"), "a b", "on nothing, and of ASCII");
        assert_eq!(line("\u{E000}\u{10FFFF}\u{FDD0}"), "\u{FFFD}\u{FFFD}\u{FFFD}");
    }

    #[test]
    fn columns_are_never_too_few() {
        assert_eq!(columns("日本 ab"), 7);
        assert_eq!(columns("❤\u{FE0F}"), 2);
        assert_eq!(columns("e\u{301}"), 1);
    }
}
