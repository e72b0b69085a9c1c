//! Text that others wrote, made harmless where it is shown: it cannot move the cursor, colour the screen, set the
//! title, reorder the line or hide what stands behind it.

use unicode_width::UnicodeWidthChar;

/// Characters of no width after each other: an emoji of a flag has six, no writing needs more.
const ZERO_WIDTH_RUN_MAX: usize = 8;

/// For one line: names, descriptions, messages. Line breaks and tabs become blanks.
pub fn line(text: &str) -> String {
    clean(text, false)
}

/// For a body: keeps line breaks; tabs become blanks, since nobody knows where they would go.
pub fn block(text: &str) -> String {
    clean(text, true)
}

fn clean(text: &str, breaks: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut zero_width_run = 0;
    for c in text.chars() {
        match c {
            '\n' | '\u{2028}' | '\u{2029}' => {
                out.push(if breaks { '\n' } else { ' ' });
                zero_width_run = 0;
            }
            '\t' => out.push_str(if breaks { "    " } else { " " }),
            c if is_dangerous(c) => {}
            c if c.width().unwrap_or(0) == 0 => {
                zero_width_run += 1;
                if zero_width_run <= ZERO_WIDTH_RUN_MAX {
                    out.push(c);
                }
            }
            c => {
                zero_width_run = 0;
                out.push(c);
            }
        }
    }
    out
}

/// Controls (with ESC and the one-byte CSI and OSC among them), what changes the direction of the characters after
/// it, and what is only there to be confused with others.
pub fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{202A}'..='\u{202E}' // bidi embeddings and overrides
            | '\u{2066}'..='\u{2069}' // bidi isolates
            | '\u{FFF9}'..='\u{FFFB}' // interlinear annotations
            | '\u{FEFF}') // byte order mark
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_steer_a_terminal_is_gone() {
        assert_eq!(line("\x1b[31mred\x1b[0m"), "[31mred[0m");
        assert_eq!(line("\x1b]0;title\x07x"), "]0;titlex");
        assert_eq!(line("\u{9b}2Ja\u{9d}b\x7f\r\x08"), "2Jab");
        assert_eq!(line("a\u{202E}b\u{2066}c\u{2069}"), "abc");
        assert_eq!(line("two\nlines\tand a tab"), "two lines and a tab");
        assert_eq!(block("two\r\nlines\u{2028}three"), "two\nlines\nthree");
    }

    #[test]
    fn writing_stays_as_it_is() {
        for text in ["Grüße", "日本語", "עברית", "हिन्दी", "👨\u{200D}👩\u{200D}👧", "e\u{301}"]
        {
            assert_eq!(line(text), text);
        }
    }

    #[test]
    fn a_flood_without_width_is_cut() {
        let flood = format!("a{}b", "\u{200B}".repeat(1_000));
        assert_eq!(line(&flood).chars().count(), 2 + ZERO_WIDTH_RUN_MAX);
        let zalgo = format!("a{}", "\u{301}".repeat(1_000));
        assert_eq!(line(&zalgo).chars().count(), 1 + ZERO_WIDTH_RUN_MAX);
    }
}
