//! A line of the prompt as words, quoted as a shell would have it; `#` is a character like others, since articles are
//! named `news#12` and texts may have one.

/// What stands before the cursor.
#[derive(Debug, PartialEq, Eq)]
pub struct Typed {
    /// The words that are complete.
    pub words: Vec<String>,
    /// Where the word begins that is being typed, in bytes: the cursor itself after a blank.
    pub start: usize,
    /// That word, without its quotes.
    pub last: String,
    /// The quote that it has open.
    pub quote: Option<char>,
    /// It ends in a backslash that waits for its character.
    escapes: bool,
}

/// `None` when a quote is not closed.
pub fn split(line: &str) -> Option<Vec<String>> {
    let mut typed = typed(line);
    if typed.quote.is_some() || typed.escapes {
        return None;
    }
    if typed.start < line.len() {
        typed.words.push(typed.last);
    }
    Some(typed.words)
}

pub fn typed(line: &str) -> Typed {
    let mut typed =
        Typed { words: Vec::new(), start: line.len(), last: String::new(), quote: None, escapes: false };
    let mut in_word = false;
    for (at, c) in line.char_indices() {
        if !in_word && !c.is_whitespace() {
            (in_word, typed.start) = (true, at);
        }
        match (typed.quote, c) {
            _ if typed.escapes => {
                typed.escapes = false;
                if typed.quote == Some('"') && !matches!(c, '"' | '\\' | '$' | '`') {
                    typed.last.push('\\');
                }
                typed.last.push(c);
            }
            (Some('"') | None, '\\') => typed.escapes = true,
            (Some(open), c) if c == open => typed.quote = None,
            (None, '\'' | '"') => typed.quote = Some(c),
            (None, c) if c.is_whitespace() => {
                if in_word {
                    typed.words.push(std::mem::take(&mut typed.last));
                }
                (in_word, typed.start) = (false, line.len());
            }
            (_, c) => typed.last.push(c),
        }
    }
    typed
}

/// As [`split`] reads it back.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_.,:#/=+@%".contains(c);
    match word {
        _ if !word.is_empty() && word.chars().all(plain) => word.to_owned(),
        _ if !word.contains('\'') => format!("'{word}'"),
        _ => {
            let escaped =
                word.replace('\\', r"\\").replace('"', "\\\"").replace('$', r"\$").replace('`', r"\`");
            format!("\"{escaped}\"")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does_but_nothing_is_a_comment() {
        let words = |line| split(line).unwrap();
        assert_eq!(words("post news  Hello, world "), ["post", "news", "Hello,", "world"]);
        assert_eq!(words("delete #12"), ["delete", "#12"]);
        assert_eq!(words("post news see #12 there"), ["post", "news", "see", "#12", "there"]);
        assert_eq!(
            words(r#"read 'city news' "a \"b\" \c" d\ e ''"#),
            ["read", "city news", r#"a "b" \c"#, "d e", ""]
        );
        assert!(words("  ").is_empty());
        for open in ["post it's", "read \"x", "read x\\"] {
            assert_eq!(split(open), None, "{open}");
        }
    }

    #[test]
    fn the_word_that_is_being_typed() {
        let last = |line| {
            let typed = typed(line);
            (typed.words, typed.start, typed.last, typed.quote)
        };
        assert_eq!(last("read ne"), (vec!["read".into()], 5, "ne".into(), None));
        assert_eq!(last("read "), (vec!["read".into()], 5, "".into(), None));
        assert_eq!(last("read 'city n"), (vec!["read".into()], 5, "city n".into(), Some('\'')));
    }

    #[test]
    fn what_is_quoted_is_read_back() {
        for word in ["news", "city news", "it's", "a'b\"c$`\\", "", "news#12", "日本 語"] {
            assert_eq!(split(&quoted(word)).unwrap(), [word]);
        }
    }
}
