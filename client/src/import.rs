//! A file of settings: `name = "value"`, a line each, in TOML; what `admin settings export` prints and `import` reads.

use crate::child::detached;
use std::fs::File;
use std::io::{self, Read};
use toml_edit::{Document, Item, Value};

/// All settings with all their comments are a tenth of this; a longer file is another one.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// One setting of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: usize,
    pub name: String,
    /// As it was written, without quotes.
    pub value: String,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Wrong {
    Unreadable(String),
    /// It was read, and is not what it should be.
    Written(String),
}

/// `-` is standard input.
pub async fn read(file: &str) -> Result<Vec<Line>, Wrong> {
    let path = file.to_owned();
    let bytes = detached(move || {
        let source: Box<dyn Read> =
            if path == "-" { Box::new(io::stdin()) } else { Box::new(File::open(&path)?) };
        let mut bytes = Vec::new();
        source.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    let name = if file == "-" { "standard input" } else { file };
    let bytes = bytes.await.map_err(|error| Wrong::Unreadable(format!("cannot read {name}: {error}")))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let text = format!("{name} is longer than {FILE_BYTES_MAX} bytes: it is no file of settings");
        return Err(Wrong::Written(text));
    }
    let text = String::from_utf8(bytes).map_err(|_| Wrong::Written(format!("{name} is not UTF-8")))?;
    parse(&text, name)
}

/// Everything that is wrong is told, each with its line.
fn parse(text: &str, file: &str) -> Result<Vec<Line>, Wrong> {
    let number_at = |at: usize| text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
    let told = |at: usize, what: &str| format!("{file}, line {}: {what}", number_at(at));
    let document = Document::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let what = error.message().lines().collect::<Vec<_>>().join(", ");
        Wrong::Written(told(at, &format!("{what}; write lines like name = \"value\"")))
    })?;
    let (mut lines, mut wrong) = (Vec::new(), Vec::new());
    for (name, item) in document.iter() {
        let key_at = document.as_table().key(name).and_then(|key| key.span());
        let at = key_at.or_else(|| item.span()).map_or(0, |span| span.start);
        let value = match item {
            Item::Value(Value::String(text)) => Some(text.value().clone()),
            Item::Value(Value::Integer(number)) => Some(number.value().to_string()),
            _ => None,
        };
        match value {
            Some(value) => lines.push(Line { number: number_at(at), name: name.into(), value }),
            None => wrong.push(told(at, &format!("write {name} = \"value\", with a text or a whole number"))),
        }
    }
    if wrong.is_empty() { Ok(lines) } else { Err(Wrong::Written(wrong.join("\n"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: usize, name: &str, value: &str) -> Line {
        Line { number, name: name.into(), value: value.into() }
    }

    #[test]
    fn lines_are_read_with_their_numbers() {
        let text = "# comment\nregistration = \"closed\"\n\nlease_ttl_ms = 6000 # ms\n'keep_for_s' = '90d'\n";
        let expected = [
            line(2, "registration", "closed"),
            line(4, "lease_ttl_ms", "6000"),
            line(5, "keep_for_s", "90d"),
        ];
        assert_eq!(parse(text, "f").unwrap(), expected);
        assert_eq!(parse("# nothing\n", "f"), Ok(vec![]));
    }

    #[test]
    fn what_is_no_such_line_is_told_with_its_number() {
        let told = |text: &str| match parse(text, "f") {
            Err(Wrong::Written(text)) => text,
            other => panic!("{other:?}"),
        };
        assert!(
            told("a = \"1\"\nb = soon\n").starts_with("f, line 2: "),
            "{}",
            told("a = \"1\"\nb = soon\n")
        );
        assert!(told("a = \"1\"\na = \"2\"\n").starts_with("f, line 2: "));
        let both = told("a = true\n\n[section]\nb = 1\n");
        assert_eq!(
            both.lines().collect::<Vec<_>>(),
            [
                "f, line 1: write a = \"value\", with a text or a whole number",
                "f, line 3: write section = \"value\", with a text or a whole number",
            ]
        );
    }
}
