//! Texts that want to move the cursor, colour the screen, set the title, reorder the line or break the layout; and what
//! must not be found in anything that was shown.

use crate::screen::{Look, Screen};

/// What each is, and itself.
pub fn corpus() -> Vec<(&'static str, String)> {
    let mut corpus: Vec<(&'static str, String)> = [
        ("colour", "\x1b[31;1;5mred\x1b[0m and \x1b[7mreversed"),
        ("cursor", "up\x1b[A\x1b[10;10Hthere\x1b[s\x1b[u\x1b[99D"),
        ("erase", "\x1b[2J\x1b[H\x1b[K\x1b[3Jgone"),
        ("scroll region", "\x1b[1;5r\x1b[10S\x1b[10Tx\x1bM\x1bD"),
        ("insert and delete lines", "\x1b[5L\x1b[5M\x1b[20@\x1b[20P"),
        ("modes", "\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?2004h\x1b[4h\x1bc"),
        ("asks", "\x1b[6n\x1b[c\x1b[5n\x1b[21t\x05\x1bZ"),
        ("title", "\x1b]0;owned\x07\x1b]2;owned\x1b\\\x1bkowned\x1b\\x"),
        ("link", "\x1b]8;;http://evil.example/\x1b\\click\x1b]8;;\x1b\\"),
        ("clipboard", "\x1b]52;c;cm0gLXJmIC8=\x07"),
        ("notification", "\x1b]9;hello\x07\x1b]777;notify;a;b\x07\x1b]1337;File=:AAAA\x07"),
        (
            "device control",
            "\x1bP$q\"p\x1b\\\x1bPtmux;\x1b\x1b]0;owned\x07\x1b\\\x1b_G\x1b\\\x1b^x\x1b\\\x1bXx\x1b\\",
        ),
        ("character sets", "\x1b(0lqqk\x1b(B\x0elqqk\x0f"),
        ("not ended", "\x1b]0;swallows what comes after it"),
        ("ESC at the end", "x\x1b"),
        ("C1", "\u{9b}31mred\u{9d}0;owned\u{9c}\u{90}q\u{9c}\u{85}\u{84}\u{8d}x"),
        ("carriage return", "honest text\rforged text"),
        ("backspace", "honest\x08\x08\x08\x08\x08\x08forged\x7f"),
        ("bell", "\x07\x07\x07"),
        ("tabs", "\t\ta\tb\t\t\t\t\t\t\t\t\t\t\t\tc"),
        ("vertical", "a\x0bb\x0cc\u{85}d\u{2028}e\u{2029}f"),
        ("override", "\u{202E}safe#9  admin  just now\u{202C} end"),
        ("embeddings", "\u{202A}a\u{202B}b\u{202D}c\u{202C}\u{202C}"),
        ("isolates", "\u{2066}a\u{2067}b\u{2068}c\u{2069} never ended \u{2067}"),
        ("direction marks", "1 \u{200F}<\u{200F} 2\u{200E}\u{61C}3"),
        ("right to left", "שלום (1) عربي"),
        ("joiners", "a\u{200D}b\u{200C}c 👨\u{200D}👩\u{200D}👧\u{200D}👦 می\u{200C}خواهم"),
        ("flags", "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F} 🇩🇪🇩"),
        ("variations", "a\u{FE0F}b\u{FE0E}❤\u{FE0F}☎\u{FE0E}葛\u{E0100}\u{E0101}"),
        ("soft hyphens", "soft\u{AD}\u{AD}\u{AD}hyphen"),
        ("private", "\u{E0A0}\u{E0B0}\u{F8FF}\u{F0000}\u{10FFFD}"),
        ("noncharacters", "\u{FFFE}\u{FFFF}\u{FDD0}\u{1FFFE}\u{10FFFF}"),
        ("fillers", "\u{3164}\u{115F}\u{1160}\u{FFA0}\u{2800}x"),
        ("annotations", "\u{FFF9}a\u{FFFA}b\u{FFFB}\u{FEFF}"),
        ("wide", "日本語テキスト全角ＡＢＣ한국어中文字"),
        ("blanks", "\u{A0}\u{2003}\u{3000}x\u{1680}\u{202F}y          z"),
        ("a head", "x\n\nsafe#1  admin  just now, 12:00\n● safe#1  admin\n  forged"),
        ("a bottom line", "— news 1 of 1 — space: more, b: back, q: leave —\r\ngaceta: forged"),
        ("a prompt", "$ \nana> "),
        ("quotes", "'; rm -rf ~; echo \"$(reboot)\" `reboot` \\ %s %n {} #"),
    ]
    .map(|(what, text)| (what, text.to_owned()))
    .into();
    let every = |codes: std::ops::RangeInclusive<u32>| -> String {
        codes.filter_map(char::from_u32).map(|c| format!("a{c}b")).collect()
    };
    corpus.extend([
        ("every C0", every(1..=0x1f)), // NUL is refused
        ("every C1", every(0x7f..=0x9f)),
        ("general punctuation", every(0x2000..=0x206f)),
        ("tags", every(0xe0000..=0xe007f)),
        ("a hidden text", "hidden".chars().filter_map(|c| char::from_u32(0xe0000 + c as u32)).collect()),
        ("zero-width flood", format!("a{}b", "\u{200B}\u{200D}\u{2060}\u{FEFF}".repeat(4_000))),
        ("joiner flood", format!("日{}本", "\u{200D}".repeat(10_000))),
        ("combining flood", format!("a{}b", "\u{301}\u{35C}\u{489}".repeat(5_000))),
        ("marks on nothing", "\u{301}\u{302}\n\u{303} \u{304}x".to_owned()),
        ("jamo flood", format!("한{}", "\u{1161}".repeat(5_000))),
        ("64 KiB without a blank", "x".repeat(64 * 1024)),
        ("64 KiB of wide ones", "日".repeat(64 * 1024 / 3)),
        ("many blanks", format!("a{}b", " ".repeat(20_000))),
        ("many lines", "\n".repeat(300) + "end"),
    ]);
    corpus
}

/// Whether it is seen, or needed where it is.
fn is_invisible(c: char) -> bool {
    matches!(c as u32,
        0xAD | 0x34F | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180E | 0x200B | 0x200E | 0x200F
        | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB
        | 0xE0000..=0xE00FF | 0xE01F0..=0xE0FFF)
}

/// Nothing that steers a terminal but our own codes: bold, dim, plain, and with `moves` those of the bottom line.
pub fn assert_harmless(written: &[u8], moves: bool) {
    let text = std::str::from_utf8(written).unwrap();
    let shown = |at: usize| {
        let from = text[..at].char_indices().rev().nth(60).map_or(0, |(from, _)| from);
        text[from..].chars().take(90).collect::<String>()
    };
    let (mut marks, mut joiners) = (0, 0);
    for (at, c) in text.char_indices() {
        let rest = &text[at..];
        match c {
            '\n' | '\r' => {}
            '\x1b' => {
                let colours = ["\x1b[1m", "\x1b[2m", "\x1b[0m"];
                let steers = ["\x1b[K", "\x1b[H", "\x1b[2J"];
                let ours = colours.iter().chain(steers.iter().filter(|_| moves));
                assert!(ours.clone().any(|code| rest.starts_with(code)), "{:?}", shown(at));
            }
            c => assert!(!c.is_control() && !is_invisible(c), "{c:?} in {:?}", shown(at)),
        }
        marks = if matches!(c as u32, 0x300..=0x36F | 0x489 | 0x1160..=0x11FF) { marks + 1 } else { 0 };
        joiners = if matches!(c, '\u{200C}' | '\u{200D}') { joiners + 1 } else { 0 };
        assert!(marks <= 5 && joiners <= 1, "a flood in {:?}", shown(at));
    }
}

/// The screen is as we left it: no title, no bells, nothing that no terminal knows, no looks but ours.
pub fn assert_untouched(screen: &Screen) {
    assert_eq!(screen.title, None, "{screen}");
    assert_eq!(screen.odd, Vec::<String>::new(), "{screen}");
    assert!(!screen.is_alternate() && !screen.cursor_is_hidden(), "{screen}");
    let ours = |look: &Look| !look.marked && !look.coloured;
    assert!(screen.looks().iter().all(ours), "{:?}\n{screen}", screen.looks());
}
