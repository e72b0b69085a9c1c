//! Names of areas and users: what is allowed, and when two are the same.
//!
//! The key is NFC and full lower-casing done here, because what `lower()` does depends on the database's locale.

use crate::Error;
use unicode_normalization::UnicodeNormalization;

/// Characters of a name.
pub const NAME_CHARS_MAX: usize = 64;

/// Marks on one letter: the heaviest writing has up to four; more grow over the lines above and below.
const MARKS_MAX: usize = 5;

/// A checked name: as written (in NFC), and the key by which it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    pub text: String,
    pub key: String,
}

impl Name {
    /// Letters and digits of any script, a blank inside, and `- _ .`; no leading `-`, which would read as a flag.
    pub fn parse(given: &str) -> Result<Self, Error> {
        let text: String = given.nfc().collect();
        let count = text.chars().count();
        if count == 0 {
            return Err(Error::Invalid("a name cannot be empty".into()));
        }
        if count > NAME_CHARS_MAX {
            return Err(Error::Invalid(format!(
                "a name has at most {NAME_CHARS_MAX} characters, this one has {count}"
            )));
        }
        if text.starts_with(['-', ' ']) || text.ends_with(' ') {
            return Err(Error::Invalid(
                "a name cannot begin with `-` or a blank, nor end with a blank".into(),
            ));
        }
        if text.contains("  ") {
            return Err(Error::Invalid("a name has one blank at a time".into()));
        }
        if let Some(bad) = text.chars().find(|c| !is_allowed(*c)) {
            return Err(Error::Invalid(format!(
                "a name has letters, digits, blanks inside, `-`, `_` and `.`; not {}",
                bad.escape_default()
            )));
        }
        let mut marks = 0;
        for (at, c) in text.chars().enumerate() {
            let is_mark = joins_letter(c);
            marks = if is_mark { marks + 1 } else { 0 };
            if is_mark && (at == 0 || marks > MARKS_MAX) {
                return Err(Error::Invalid(format!(
                    "a name has marks only on letters, at most {MARKS_MAX} on each"
                )));
            }
        }
        Ok(Self { key: key(&text), text })
    }
}

/// The key of a name that is looked up: whatever cannot be a name is simply not found.
pub fn key(given: &str) -> String {
    let lower = given.nfc().collect::<String>().to_lowercase();
    // PostgreSQL stores no NUL; its stand-in is no letter either, so such a name is found nowhere.
    lower.nfc().map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn is_allowed(c: char) -> bool {
    // Combining marks belong to letters of many scripts; NFC leaves those that have no composed form.
    let is_writing = c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c);
    is_writing && !is_invisible(c) || matches!(c, ' ' | '-' | '_' | '.')
}

/// Marks, and the vowels and endings of Hangul that join the consonant before them.
fn joins_letter(c: char) -> bool {
    matches!(c, '\u{1160}'..='\u{11FF}' | '\u{D7B0}'..='\u{D7FF}')
        || unicode_normalization::char::is_combining_mark(c)
}

/// Letters and marks that cannot be seen: two names that differ in them only look the same.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{34F}' // grapheme joiner
        | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' // fillers of Hangul
        | '\u{17B4}' | '\u{17B5}' // vowels that are not written
        | '\u{180B}'..='\u{180F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}') // variations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_composition_do_not_make_another_name() {
        let key_of = |text: &str| Name::parse(text).map(|name| name.key).unwrap();
        assert_eq!(key_of("Café"), key_of("CAFE\u{301}"));
        assert_eq!(key_of("ΑΘΗΝΑ"), key_of("αθηνα"));
        assert_eq!(Name::parse("Ω news_1.b-c").unwrap().text, "Ω news_1.b-c");
        assert_ne!(key_of("news"), key_of("news."));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "x".repeat(65);
        for bad in
            ["", " a", "a  b", "a ", "-a", "a#1", "a/b", "a\nb", "a\u{202e}b", "a\0", "a\tb", long.as_str()]
        {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
        for invisible in [
            "a\u{34F}b",
            "\u{3164}",
            "a\u{FE0F}",
            "a\u{E0101}",
            "a\u{200B}b",
            "a\u{200D}b",
            "a\u{AD}b",
            "a\u{E0041}",
        ] {
            assert!(Name::parse(invisible).is_err(), "{invisible:?}");
        }
        for marks in [
            "\u{301}a".to_owned(),
            format!("한{}", "\u{1161}".repeat(6)),
            format!("x{}", "\u{302}\u{33F}\u{489}".repeat(2)),
        ] {
            assert!(Name::parse(&marks).is_err(), "{marks:?}");
        }
        for name in ["हिन्दी", "བརྒྱུད", "ngữ", "שָׁלוֹם"] {
            assert!(Name::parse(name).is_ok(), "{name}");
        }
        assert!(Name::parse(&"ñ".repeat(64)).is_ok());
    }
}
