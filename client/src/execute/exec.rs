//! `follow --exec`: a program for each article, without a shell.
//!
//! The text is its standard input, everything else is in `GACETA_…` variables, as it was written: whoever puts them on
//! a screen or into a shell must take care.

use crate::child;
use crate::exit::{Failure, Kind};
use crate::outcome::Item;
use crate::render::rfc3339;
use crate::stop::Stop;
use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Whoever stops `follow` lets the running program finish, for so long: then its article counts as read.
const FINISH_WAIT: Duration = Duration::from_secs(5);

/// What only articles have.
const OF_ARTICLES: [&str; 3] = ["GACETA_ID", "GACETA_AUTHOR", "GACETA_POSTED_AT"];

pub struct Exec {
    program: OsString,
    args: Vec<OsString>,
}

impl Exec {
    pub fn new(words: Vec<OsString>) -> Option<Self> {
        let mut words = words.into_iter();
        let program = words.next()?;
        Some(Self { program, args: words.collect() })
    }

    /// Returns when it has ended well. When it is stopped meanwhile: whether it ended well all the same.
    pub async fn run(&self, area: &str, item: &Item, stop: &Stop) -> Result<Ran, Failure> {
        let program = self.program.to_string_lossy();
        let name = format!("{area}#{}", item.seq());
        let local = |why: String| Failure::new(Kind::Local, why);
        let mut child = self.command(area, item).spawn().map_err(|error| {
            local(format!("cannot start {program:?} for {name}, which stays unread: {error}"))
        })?;
        let text = if let Item::Article(article) = item { article.body.as_bytes() } else { &[] };
        let (ended, stopped) = {
            let ended = wait(&mut child, text);
            tokio::pin!(ended);
            tokio::select! {
                ended = &mut ended => (Ok(ended), None),
                // It goes on being given the text: half of one must not pass for all of it.
                failure = stop.raised() => (timeout(FINISH_WAIT, &mut ended).await, Some(failure)),
            }
        };
        if let Some(failure) = stopped {
            let is_done = matches!(&ended, Ok(Ok(status)) if status.success());
            child::end(&mut child).await;
            return Ok(Ran::Stopped { is_done, failure });
        }
        match ended.unwrap_or_else(|late| Err(late.into())) {
            Ok(status) if status.success() => Ok(Ran::Done),
            Ok(status) => Err(local(format!(
                "{program:?} ended with {status} for {name}, which stays unread: `gaceta follow` begins with it again"
            ))),
            Err(error) => Err(local(format!("cannot wait for {program:?}, {name} stays unread: {error}"))),
        }
    }

    fn command(&self, area: &str, item: &Item) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(Stdio::piped()).kill_on_drop(true);
        command.env("GACETA_AREA", area).env("GACETA_SEQ", item.seq().to_string());
        match item {
            Item::Article(article) => {
                let values = [article.id.to_string(), article.author.clone(), rfc3339(article.posted_at_us)];
                command.env_remove("GACETA_DELETED").envs(OF_ARTICLES.into_iter().zip(values));
            }
            Item::Deleted(_) => {
                for name in OF_ARTICLES {
                    command.env_remove(name);
                }
                command.env("GACETA_DELETED", "1");
            }
        }
        command
    }
}

pub enum Ran {
    Done,
    /// `is_done` when it ended well while `follow` was leaving.
    Stopped {
        is_done: bool,
        failure: Failure,
    },
}

/// Gives it the text, for as long as it lives: it need not read it.
async fn wait(child: &mut Child, text: &[u8]) -> std::io::Result<ExitStatus> {
    let stdin = child.stdin.take();
    let give = async {
        if let Some(mut stdin) = stdin {
            let _ = stdin.write_all(text).await;
        } // closed: the text ends here
        std::future::pending::<()>().await;
    };
    tokio::select! {
        status = child.wait() => status,
        () = give => unreachable!("it waits for ever"),
    }
}
