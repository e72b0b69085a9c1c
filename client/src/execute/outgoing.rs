//! The text of a post: from the command line, a pipe, the editor or the terminal, and whether it can be one.

use super::delivery::refuses;
use super::lines::{self, Form};
use crate::child::detached;
use crate::command::PostArgs;
use crate::drafts::{self, Draft};
use crate::editor::Editor;
use crate::exit::{Failure, Kept, Kind};
use crate::service::files;
use crate::session::Session;
use crate::stop::Stop;
use crate::terminal;
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;
use wire::ErrorCode;
use wire::limits::BODY_BYTES_MAX;

/// What `--lines` reads at once: all of it is looked at before the first line is sent.
const LINES_BYTES_MAX: usize = 64 * 1024 * 1024;
/// A text that is longer than an article may be is read all the same, up to this, so that all of it is kept as a draft.
const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Whether the area exists is asked before somebody writes for it; a service that is slow is no reason to wait.
const AREA_WAIT: Duration = Duration::from_secs(2);

/// What is to be posted.
#[derive(Default)]
pub struct Texts {
    /// One for each article, all of them fit to be sent.
    pub bodies: Vec<String>,
    /// Where they were written.
    pub draft: Option<Draft>,
}

/// The texts for `area`; or an error, and nothing is sent: then what was read is kept.
pub async fn texts(session: &Session, area: &str, args: &PostArgs, stop: &Stop) -> Result<Texts, Failure> {
    let words = args.words();
    let reads_stdin = matches!(words.as_slice(), [] | [_]) && words.first().is_none_or(|word| *word == "-");
    if let ["-", "<", file] = words.as_slice() {
        // The prompt has no shell that would do it, and this is the line that the error with a draft gives.
        let bytes_max = if args.lines { LINES_BYTES_MAX } else { TEXT_BYTES_MAX };
        return Ok(Texts { bodies: split(&read_file(file, bytes_max).await?, args.lines)?, draft: None });
    }
    if !reads_stdin {
        let bodies = split(words.join(" ").as_bytes(), args.lines)?;
        return Ok(Texts { bodies, draft: None });
    }
    let bytes_max = if args.lines { LINES_BYTES_MAX } else { TEXT_BYTES_MAX };
    let is_typed = std::io::stdin().is_terminal();
    if is_typed && session.settings.no_input {
        return Err(Failure::usage("no text: give it as words, or `-` and a pipe"));
    }
    if is_typed
        && !args.lines
        && words.is_empty()
        && let Some(editor) = Editor::find()?
    {
        return written(session, area, &editor, stop).await;
    }
    let bytes = tokio::select! {
        bytes = stdin(session, is_typed, bytes_max) => bytes?,
        failure = stop.raised() => return Err(failure),
    };
    let bodies =
        split(&bytes, args.lines).map_err(|failure| kept(session, area, failure, &bytes, Form::of(args)))?;
    Ok(Texts { bodies, draft: None })
}

async fn stdin(session: &Session, is_typed: bool, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    if !is_typed {
        return terminal::read_stdin(bytes_max).await;
    }
    session
        .output
        .note("Type the text, and Ctrl-D on a line of its own when it is complete (Ctrl-C to leave it).");
    terminal::read_text(bytes_max).await
}

async fn read_file(path: &str, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let file = path.to_owned();
    let read = detached(move || {
        let mut bytes = Vec::new();
        File::open(file)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map(|_| bytes)
    });
    let failure = |error| Failure::new(Kind::Local, format!("cannot read {path}: {error}"));
    terminal::check_size(read.await.map_err(failure)?, bytes_max)
}

/// With an editor, on the area's draft: whatever happens it is there the next time, unless it was posted or is empty.
async fn written(session: &Session, area: &str, editor: &Editor, stop: &Stop) -> Result<Texts, Failure> {
    let located = tokio::select! {
        located = timeout(AREA_WAIT, session.locate(area)) => located,
        failure = stop.raised() => return Err(failure),
    };
    if let Ok(Err(failure)) = located
        && refuses(&failure)
    {
        return Err(failure);
    }
    let draft = Draft::open(&session.settings, area, BODY_BYTES_MAX + 1)?;
    if !draft.before.is_empty() {
        session.output.note(&format!("Going on with the text that was kept in {}", draft.path.display()));
    }
    let edited = editor.edit(&draft.path, stop).await;
    let text = files::read_if_there(&draft.path)?.unwrap_or_default();
    if edited.is_err() && text.is_empty() && !draft.before.is_empty() {
        files::replace(&draft.path, &draft.before)?; // an editor that broke off while it wrote
    } else if text.trim_ascii().is_empty() {
        draft.remove();
        edited?;
        return Err(Failure::invalid("the text is empty: nothing was posted"));
    }
    let path = draft.path.clone();
    let bodies = edited.and_then(|()| match text == draft.before {
        true => Err(Failure::invalid("the text is as it was: nothing was posted")),
        false => split(&text, false),
    });
    bodies.map(|bodies| Texts { bodies, draft: Some(draft) }).map_err(|failure| Failure {
        draft: Some(to_post(session, path, area, &failure, Form::OneText)),
        ..failure
    })
}

/// A text that is neither on its way nor kept yet. The reason counts; that it could not be kept either comes after it.
pub fn kept(session: &Session, area: &str, failure: Failure, text: &[u8], form: Form) -> Failure {
    if failure.draft.is_some() || failure.pending.is_some() || text.trim_ascii().is_empty() {
        return failure;
    }
    match drafts::keep(&session.settings, area, text) {
        Ok(path) => Failure { draft: Some(to_post(session, path, area, &failure, form)), ..failure },
        Err(error) => Failure { message: format!("{failure}; and {error:#}"), ..failure },
    }
}

/// What is kept, with the line that posts it; but not to an area that there is not.
pub fn to_post(session: &Session, path: PathBuf, area: &str, failure: &Failure, form: Form) -> Box<Kept> {
    let area = Some(area).filter(|_| failure.code() != Some(ErrorCode::NotFound));
    lines::kept(&session.settings, path, area, form)
}

fn split(bytes: &[u8], lines: bool) -> Result<Vec<String>, Failure> {
    if !lines {
        return body(bytes.strip_suffix(b"\n").unwrap_or(bytes), "the text").map(|body| vec![body]);
    }
    let mut bodies = Vec::new();
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.trim_ascii().is_empty() {
            bodies.push(body(line, &format!("line {}", index + 1))?);
        }
    }
    if bodies.is_empty() {
        return Err(Failure::invalid("every line is empty: nothing was sent"));
    }
    Ok(bodies)
}

fn body(bytes: &[u8], what: &str) -> Result<String, Failure> {
    if bytes.len() > BODY_BYTES_MAX {
        let why = format!("{what} is longer than {} KiB: nothing was sent", BODY_BYTES_MAX / 1024);
        return Err(Failure::service(ErrorCode::TooLarge, why));
    }
    if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
        return Err(Failure::invalid(format!("{what} has a NUL at byte {}: nothing was sent", at + 1)));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to() + 1;
        Failure::invalid(format!(
            "{what} is not UTF-8 at byte {at}: convert it first (iconv); nothing was sent"
        ))
    })?;
    match text.trim().is_empty() {
        true => Err(Failure::invalid(format!("{what} is empty: nothing was sent"))),
        false => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_final_newline_is_not_part_of_the_text() {
        assert_eq!(split(b"a\nb\n", false).unwrap(), ["a\nb"]);
        assert_eq!(split(b"a\n\n", false).unwrap(), ["a\n"]);
        assert_eq!(split(b"a", false).unwrap(), ["a"]);
    }

    #[test]
    fn lines_are_articles_and_empty_ones_are_none() {
        assert_eq!(split(b"a\r\n\n b \nc", true).unwrap(), ["a", " b ", "c"]);
        assert_eq!(split(b"\n \n", true).unwrap_err().name(), "invalid");
        let error = split(b"fine\n\nbad\0\n", true).unwrap_err();
        assert!(error.message.starts_with("line 3 has a NUL"), "{error}");
    }

    #[test]
    fn what_cannot_be_a_text_is_told_by_its_kind() {
        for (bytes, name) in [
            (b"".to_vec(), "invalid"),
            (b"\n".to_vec(), "invalid"),
            (" \t\n\u{a0}\u{3000}".into(), "invalid"),
            (b"a\0b".to_vec(), "invalid"),
            (b"\xff".to_vec(), "invalid"),
            (vec![b'x'; BODY_BYTES_MAX + 1], "too_large"),
        ] {
            assert_eq!(split(&bytes, false).unwrap_err().name(), name);
        }
        assert!(split(&[b'x'; BODY_BYTES_MAX], false).is_ok());
    }
}
