//! The text of a post: from the command line, a pipe or the terminal, and whether it can be one.

use crate::command::PostArgs;
use crate::exit::Failure;
use crate::session::Session;
use crate::terminal;
use std::io::IsTerminal;
use wire::ErrorCode;
use wire::limits::BODY_BYTES_MAX;

/// What `--lines` reads at once: all of it is looked at before the first line is sent.
const LINES_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One text for each article, all of them fit to be sent; or an error, and nothing is.
pub async fn bodies(session: &Session, args: &PostArgs) -> Result<Vec<String>, Failure> {
    let bytes_max = if args.lines { LINES_BYTES_MAX } else { BODY_BYTES_MAX + 1 };
    let bytes = text(session, &args.text, bytes_max).await?;
    split(bytes, args.lines)
}

async fn text(session: &Session, words: &[String], bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let reads_stdin = matches!(words, [] | [_]) && words.first().is_none_or(|word| word == "-");
    if !reads_stdin {
        return Ok(words.join(" ").into_bytes());
    }
    if !std::io::stdin().is_terminal() {
        return terminal::read_stdin(bytes_max).await;
    }
    if session.settings.no_input {
        return Err(Failure::usage("no text: give it as words, or `-` and a pipe"));
    }
    session
        .output
        .note("Type the text, and Ctrl-D on a line of its own when it is complete (Ctrl-C to leave it).");
    terminal::read_text(bytes_max).await
}

fn split(mut bytes: Vec<u8>, lines: bool) -> Result<Vec<String>, Failure> {
    if !lines {
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        return body(bytes, "the text").map(|body| vec![body]);
    }
    let mut bodies = Vec::new();
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() {
            bodies.push(body(line.to_vec(), &format!("line {}", index + 1))?);
        }
    }
    if bodies.is_empty() {
        return Err(Failure::invalid("every line is empty: nothing was sent"));
    }
    Ok(bodies)
}

fn body(bytes: Vec<u8>, what: &str) -> Result<String, Failure> {
    if bytes.len() > BODY_BYTES_MAX {
        let why = format!("{what} is longer than {} KiB: nothing was sent", BODY_BYTES_MAX / 1024);
        return Err(Failure::service(ErrorCode::TooLarge, why));
    }
    if bytes.is_empty() {
        return Err(Failure::invalid(format!("{what} is empty: nothing was sent")));
    }
    if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
        return Err(Failure::invalid(format!("{what} has a NUL at byte {}: nothing was sent", at + 1)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to() + 1;
        Failure::invalid(format!(
            "{what} is not UTF-8 at byte {at}: convert it first (iconv); nothing was sent"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_final_newline_is_not_part_of_the_text() {
        assert_eq!(split(b"a\nb\n".to_vec(), false).unwrap(), ["a\nb"]);
        assert_eq!(split(b"a\n\n".to_vec(), false).unwrap(), ["a\n"]);
        assert_eq!(split(b"a".to_vec(), false).unwrap(), ["a"]);
    }

    #[test]
    fn lines_are_articles_and_empty_ones_are_none() {
        assert_eq!(split(b"a\r\n\n b \nc".to_vec(), true).unwrap(), ["a", " b ", "c"]);
        assert_eq!(split(b"\n\n".to_vec(), true).unwrap_err().name(), "invalid");
        let error = split(b"fine\n\nbad\0\n".to_vec(), true).unwrap_err();
        assert!(error.message.starts_with("line 3 has a NUL"), "{error}");
    }

    #[test]
    fn what_cannot_be_a_text_is_told_by_its_kind() {
        for (bytes, name) in [
            (b"".to_vec(), "invalid"),
            (b"\n".to_vec(), "invalid"),
            (b"a\0b".to_vec(), "invalid"),
            (b"\xff".to_vec(), "invalid"),
            (vec![b'x'; BODY_BYTES_MAX + 1], "too_large"),
        ] {
            assert_eq!(split(bytes, false).unwrap_err().name(), name);
        }
        assert!(split(vec![b'x'; BODY_BYTES_MAX], false).is_ok());
    }
}
