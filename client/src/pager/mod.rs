//! What is longer than the screen, a screenful at a time: our own pager, which knows exactly what a person has seen, or
//! `$GACETA_PAGER` or `$PAGER`.
//!
//! Only what was wholly shown may be marked as read (I3). Of another pager nobody knows what it showed: all that it was
//! given counts, when it ends well, and not before.

mod built_in;
mod external;
mod piece;

pub use built_in::{Bottom, Screenful, typing, window};
pub use piece::{Going, Piece};

use external::External;

use crate::exit::Failure;
use crate::outcome::Outcome;
use crate::render::{self, Output, Style};
use crate::session::Session;
use crate::stop::Stop;
use std::time::Duration;
use tokio::time::timeout;

/// What has just been written is as good as shown: whoever read it and then stops us must not see it again. A pipe that
/// nobody reads must not keep anybody from leaving.
const SHOWN_WAIT: Duration = Duration::from_millis(200);

pub enum Pager {
    BuiltIn(Box<Screenful>),
    External(Box<External>),
}

/// Which one is wanted.
#[derive(Debug, PartialEq, Eq)]
enum Choice {
    None,
    BuiltIn,
    External(Vec<String>),
}

impl Pager {
    /// `None` where nobody presses keys, and where a person wants none. `what` is named at the bottom of the screen.
    pub fn of(session: &Session, what: &str) -> Option<Self> {
        Self::at(&session.output, session.settings.no_input, what)
    }

    fn at(output: &Output, no_input: bool, what: &str) -> Option<Self> {
        if no_input || !output.has_person() {
            return None;
        }
        let variable = |name| std::env::var(name).ok();
        match choice(variable("GACETA_PAGER").as_deref(), variable("PAGER").as_deref()) {
            Choice::None => None,
            Choice::BuiltIn => Some(Self::BuiltIn(Box::new(Screenful::new(output, what)))),
            Choice::External(command) => Some(Self::External(Box::new(External::new(output, command)))),
        }
    }

    /// Shows these after those before. `total`: how many there will be, as far as is known.
    pub async fn show(&mut self, pieces: Vec<Piece>, total: usize) -> Result<Going, Failure> {
        match self {
            Self::BuiltIn(screenful) => screenful.show(pieces, total).await,
            Self::External(external) => external.show(pieces).await,
        }
    }

    /// How many of the pieces so far were wholly shown.
    pub fn shown(&self) -> usize {
        match self {
            Self::BuiltIn(screenful) => screenful.shown(),
            Self::External(external) => external.shown(),
        }
    }

    /// Ctrl-C is another pager's own business.
    pub fn stopped(&self, stop: &Stop) -> impl Future<Output = Failure> + use<> {
        let (stop, is_ours) = (stop.clone(), matches!(self, Self::BuiltIn(_)));
        async move { if is_ours { stop.raised().await } else { stop.terminated().await } }
    }

    /// There is no more to show. Another pager is waited for: its name, if one ran.
    pub async fn end(&mut self) -> Result<Option<external::Ended>, Failure> {
        match self {
            Self::BuiltIn(_) => Ok(None),
            Self::External(external) => external.end().await,
        }
    }
}

/// `cat` and nothing are no pager.
fn choice(gaceta: Option<&str>, common: Option<&str>) -> Choice {
    let Some(wanted) = gaceta.or(common).map(str::trim) else { return Choice::BuiltIn };
    if wanted.is_empty() || wanted == "cat" {
        return Choice::None;
    }
    // What cannot be split is no program either: starting it fails, and says so.
    Choice::External(shlex::split(wanted).unwrap_or_else(|| vec![wanted.to_owned()]))
}

/// Shows what a command found out, page by page where it is longer than the screen.
pub async fn outcome(output: &Output, no_input: bool, outcome: Outcome, stop: &Stop) -> Result<(), Failure> {
    if !output.has_person() || !is_taller(&output.text(&outcome), output.style()) {
        return show_at_once(output, outcome, stop).await.map(drop);
    }
    let Some(mut pager) = Pager::at(output, no_input, "") else {
        return show_at_once(output, outcome, stop).await.map(drop);
    };
    let text = output.text(&outcome);
    let lines: Vec<Piece> = text.lines().map(|line| Piece::Text(format!("{line}\n"))).collect();
    let total = lines.len();
    let stopped = pager.stopped(stop);
    let shown = async {
        pager.show(lines, total).await?;
        pager.end().await.map(drop)
    };
    tokio::select! {
        shown = shown => shown,
        failure = stopped => Err(failure),
    }
}

/// Shows it without a pager. `Some` when it was shown and then it is time to stop; `Err` when it was not.
pub async fn show_at_once(output: &Output, told: Outcome, stop: &Stop) -> Result<Option<Failure>, Failure> {
    let show = output.show(told);
    tokio::pin!(show);
    tokio::select! {
        biased;
        shown = &mut show => shown.map(|()| None),
        failure = stop.raised() => match timeout(SHOWN_WAIT, show).await {
            Ok(shown) => shown.map(|()| Some(failure)),
            Err(_) => Err(failure),
        },
    }
}

/// With the last row for the prompt that comes after it.
fn is_taller(text: &str, style: Style) -> bool {
    let Some((height, columns)) = render::window() else { return false };
    render::rows(text, style.terminal.unwrap_or(columns)).len() >= height
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_unless_another_is_named_and_cat_is_none() {
        let external = |words: &[&str]| Choice::External(words.iter().map(|word| (*word).into()).collect());
        assert_eq!(choice(None, None), Choice::BuiltIn);
        assert_eq!(choice(None, Some("less -R")), external(&["less", "-R"]));
        assert_eq!(choice(Some("more"), Some("less")), external(&["more"]));
        assert_eq!(choice(Some(""), Some("less")), Choice::None);
        assert_eq!(choice(None, Some("cat")), Choice::None);
        assert_eq!(choice(Some("sh -c 'x y'"), None), external(&["sh", "-c", "x y"]));
        assert_eq!(choice(Some("it's"), None), external(&["it's"]));
    }
}
