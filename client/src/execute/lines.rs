//! Lines for a person to copy, in errors: for the service, the session and the area of the command that failed.

use crate::command::PostArgs;
use crate::exit::Kept;
use crate::settings::{CONTEXT_DEFAULT, Settings};
use std::path::PathBuf;

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    OneText,
    /// A text in each line.
    Lines,
}

impl Form {
    /// What these arguments take from a file.
    pub fn of(args: &PostArgs) -> Self {
        if args.lines { Self::Lines } else { Self::OneText }
    }
}

/// Sends what waits in the outbox.
pub fn resume(settings: &Settings) -> String {
    format!("{} post --resume", gaceta_there(settings))
}

/// Takes the last reading of `area` back.
pub fn undo(settings: &Settings, area: &str) -> String {
    in_context(settings, &format!("undo {}", quoted(area)))
}

/// A command of this context's session, which knows its agents by itself.
pub fn in_context(settings: &Settings, command: &str) -> String {
    format!("{} {command}", gaceta(settings))
}

/// A text that was kept, with the line that posts it to `area`; without one the person has to say where it belongs.
pub fn kept(settings: &Settings, path: PathBuf, area: Option<&str>, form: Form) -> Box<Kept> {
    let gaceta = gaceta_there(settings);
    let area = area.map_or_else(|| "AREA".into(), quoted);
    let lines = match form {
        Form::OneText => "",
        Form::Lines => " --lines",
    };
    let post = format!("{gaceta} post{lines} {area} - < {}", quoted(&path.to_string_lossy()));
    Box::new(Kept { path, post })
}

fn gaceta(settings: &Settings) -> String {
    match settings.context.as_str() {
        CONTEXT_DEFAULT => "gaceta".to_owned(),
        context => format!("gaceta --context {context}"),
    }
}

/// The same for this service, whatever the session knows.
fn gaceta_there(settings: &Settings) -> String {
    let agents = settings.agents.as_ref().map(|agents| format!(" --agents {}", agents.join(",")));
    gaceta(settings) + &agents.unwrap_or_default()
}

fn quoted(word: &str) -> String {
    shlex::try_quote(word).unwrap_or_default().into_owned() // a NUL is in no name and in no path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_means_the_same_service_and_area_again() {
        let mut settings = Settings::new("/state".into());
        let line = |settings: &Settings, area, form| kept(settings, "/a b/x.txt".into(), area, form).post;
        assert_eq!(line(&settings, Some("news"), Form::OneText), "gaceta post news - < '/a b/x.txt'");
        assert_eq!(line(&settings, None, Form::Lines), "gaceta post --lines AREA - < '/a b/x.txt'");
        assert_eq!(undo(&settings, "City News"), "gaceta undo 'City News'");
        settings.context = "work".into();
        assert_eq!(undo(&settings, "news"), "gaceta --context work undo news");
        settings.agents = Some(vec!["a:1".into(), "b:2".into()]);
        assert_eq!(resume(&settings), "gaceta --context work --agents a:1,b:2 post --resume");
        assert_eq!(
            line(&settings, Some("City News"), Form::OneText),
            "gaceta --context work --agents a:1,b:2 post 'City News' - < '/a b/x.txt'"
        );
    }
}
