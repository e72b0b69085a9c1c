//! Every command, once: for the command line, for the prompt, for help and for the shells' completion. What each of them is, says
//! `facts`.

mod admin;
mod args;
pub mod completes;
pub mod facts;
mod settings;

pub use admin::{AdminAgent, AdminArea, AdminArticle, AdminCommand, AdminNode, AdminUser, AreaArgs, RoleArg};
pub use args::{GlobalArgs, PasswordArgs, PostArgs, ReadArgs};
pub use settings::AdminSettings;

use crate::topics;
use crate::values::{ArticleRef, parse_article, parse_context};
use clap::{Parser, Subcommand};
use completes::Completes;
use std::ffi::OsString;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
At the prompt: Ctrl-C cancels a command, `exit` or Ctrl-D leaves.

More help: `gaceta help COMMAND`, `gaceta help exit-codes`, `gaceta help environment`";

/// Read and post news in areas, from a terminal. Without a command: the prompt.
#[derive(Debug, Parser)]
#[command(name = "gaceta", version, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Make an account and log in
    Register {
        name: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Log in
    Login {
        name: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// End this session
    Logout,
    /// Show who is logged in, and where
    Whoami,
    /// Change your password; your other sessions end
    Passwd {
        /// Take the old and the new password from standard input, one a line
        #[arg(long)]
        password_stdin: bool,
    },
    /// List your sessions, or end some
    Sessions {
        /// End all of them, this one included
        #[arg(long)]
        all: bool,
        #[command(subcommand)]
        action: Option<SessionsAction>,
    },
    /// List every area
    Areas,
    /// List the areas that you are subscribed to
    Subscriptions,
    /// Subscribe to an area
    Subscribe {
        #[arg(add = Completes::Areas)]
        area: String,
        /// Count what is already there as unread
        #[arg(long)]
        from_start: bool,
    },
    /// End a subscription
    Unsubscribe {
        #[arg(add = Completes::SubscribedAreas)]
        area: String,
    },
    /// Stay in an area at the prompt, so that commands need not name it
    Use {
        /// Without it: leave the area
        #[arg(add = Completes::SubscribedAreas)]
        area: Option<String>,
    },
    /// Read articles; without an area, whatever is unread anywhere
    Read(ReadArgs),
    /// Mark everything as read
    Catchup {
        /// Without it: every subscribed area
        #[arg(add = Completes::SubscribedAreas)]
        area: Option<String>,
    },
    /// Take back the last read or catch-up, once
    Undo {
        /// Without it: every subscribed area
        #[arg(add = Completes::SubscribedAreas)]
        area: Option<String>,
    },
    /// Show articles as they come, unread ones first
    Follow {
        /// Without them: every subscribed area
        #[arg(add = Completes::SubscribedAreas)]
        areas: Vec<String>,
        /// Only what comes from now on
        #[arg(long)]
        new: bool,
        /// For each article a program, the rest of the line, without a shell: the text is its standard input, GACETA_AREA,
        /// GACETA_SEQ, GACETA_ID, GACETA_AUTHOR and GACETA_POSTED_AT say the rest (GACETA_DELETED=1 and no text: it was
        /// deleted). The article is read when the program ends with 0; at anything else `follow` ends with 1, and begins
        /// with the same article the next time
        #[arg(long, value_name = "CMD ARG…", num_args = 1.., allow_hyphen_values = true)]
        exec: Vec<OsString>,
    },
    /// Post an article
    Post(PostArgs),
    /// List the posts that wait to be sent
    Outbox,
    /// Delete your own article
    Delete {
        #[arg(value_name = "AREA#SEQ", value_parser = parse_article, add = Completes::OwnArticles)]
        article: ArticleRef,
    },
    /// Check that every number of an area is accounted for
    Verify {
        #[arg(add = Completes::SubscribedAreas)]
        area: String,
    },
    /// Manage areas, articles, users, servers and settings
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Show how every agent and node is, and who you are to them
    Status,
    /// Manage contexts: names for services, each with a session of its own
    #[command(subcommand)]
    Context(ContextCommand),
    /// Print the manual, or write a page for each command
    Man {
        /// Where the pages go: gaceta.1, gaceta-post.1 …
        #[arg(long, value_hint = clap::ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
    /// What the exit codes mean
    #[command(hide = true, long_about = topics::EXIT_CODES, help_template = "{about-with-newline}")]
    ExitCodes,
    /// What the environment says
    #[command(hide = true, long_about = topics::ENVIRONMENT, help_template = "{about-with-newline}")]
    Environment,
    /// Print the completion script of a shell
    Completions { shell: clap_complete::Shell },
}

#[derive(Debug, Clone, Subcommand)]
pub enum SessionsAction {
    /// End one session, or all of them
    End {
        #[arg(value_name = "ID", required_unless_present = "all")]
        session_id: Option<i64>,
        /// All of them, this one included
        #[arg(long, conflicts_with = "session_id")]
        all: bool,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub enum ContextCommand {
    /// Name a service: --agents says where it is
    Add {
        #[arg(value_parser = parse_context)]
        name: String,
    },
    /// List the contexts, and who is logged in where
    List,
    /// Make a context the current one
    Use {
        #[arg(value_parser = parse_context, add = Completes::Contexts)]
        name: String,
    },
    /// Forget a context and its session; posts in the outbox stay
    Remove {
        #[arg(value_parser = parse_context, add = Completes::Contexts)]
        name: String,
        /// Also when it is the current one
        #[arg(long)]
        force: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use std::time::Duration;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        let words = shlex::split(&format!("gaceta {line}")).unwrap();
        Cli::try_parse_from(words).map(|cli| cli.command.unwrap())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_anywhere() {
        for line in ["gaceta --json --timeout 5s areas", "gaceta areas --timeout 5s --json"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert!(cli.global.json);
            assert_eq!(cli.global.timeout, Some(Duration::from_secs(5)));
        }
        let cli = Cli::try_parse_from("gaceta whoami --agents a:1,b:2".split(' ')).unwrap();
        assert_eq!(cli.global.agents, ["a:1", "b:2"]);
    }

    #[test]
    fn post_takes_words_standard_input_or_nothing() {
        let post = |line| match parse(line) {
            Ok(Command::Post(args)) => args,
            other => panic!("{other:?}"),
        };
        assert_eq!(post("post news Hello, world").text, ["Hello,", "world"]);
        assert_eq!(post("post news -").text, ["-"]);
        assert_eq!(post("post news -- --lines").text, ["--lines"]);
        assert!(post("post 'city news' --lines").lines);
        assert!(post("post --resume").resume);
        let inside = post("post --in 'city news' Hello, world");
        assert_eq!((inside.area(), inside.words()), (Some("city news"), vec!["Hello,", "world"]));
        assert_eq!(post("post --in news").words(), Vec::<&str>::new());
        assert_eq!(post("post news Hello").words(), ["Hello"]);
        assert!(parse("post").is_err());
        assert!(parse("post news --resume").is_err());
    }

    #[test]
    fn a_program_takes_the_rest_of_the_line() {
        let Ok(Command::Follow { areas, exec, new }) =
            parse("follow news --new --exec sh -c 'x y' --json --exec - -- z")
        else {
            panic!()
        };
        assert_eq!((areas, new), (vec!["news".to_owned()], true));
        assert_eq!(exec, ["sh", "-c", "x y", "--json", "--exec", "-", "--", "z"].map(OsString::from));
        assert!(parse("follow --exec").is_err());
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "read news --all --unread",
            "read --all",
            "read news --after -1",
            "read news --limit 0",
            "sessions end",
            "sessions end 1 --all",
            "admin area add news --replicas 17",
            "delete news",
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
        for line in [
            "sessions",
            "sessions --all",
            "sessions end --all",
            "sessions end 3",
            "read",
            "read news --after 0",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }
}
