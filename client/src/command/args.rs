//! The arguments that are longer than a line, or stand at several commands.

use super::completes::Completes;
use crate::values::{parse_address, parse_after, parse_context, parse_timeout};
use clap::Args;
use std::time::Duration;
use uuid::Uuid;
use wire::Seq;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct GlobalArgs {
    /// Where the service is; only these are tried
    #[arg(long, global = true, value_name = "HOST:PORT,…", value_delimiter = ',', value_parser = parse_address)]
    pub agents: Vec<String>,
    /// Which session, when there are several [default: the one of `gaceta context use`]
    #[arg(long, global = true, value_name = "NAME", value_parser = parse_context, add = Completes::Contexts)]
    pub context: Option<String>,
    /// How long the service may take [default: 10s]
    #[arg(long, global = true, value_name = "TIME", value_parser = parse_timeout)]
    pub timeout: Option<Duration>,
    /// One compact line of JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Never ask anything
    #[arg(long, global = true)]
    pub no_input: bool,
}

#[derive(Debug, Clone, Args)]
pub struct PasswordArgs {
    /// Take the password from standard input, without its final newline
    #[arg(long)]
    pub password_stdin: bool,
}

#[derive(Debug, Clone, Args)]
pub struct ReadArgs {
    #[arg(add = Completes::SubscribedAreas)]
    pub area: Option<String>,
    /// What you have not read yet (the default)
    #[arg(long, group = "place")]
    pub unread: bool,
    /// From the first kept article
    #[arg(long, group = "place", requires = "area")]
    pub all: bool,
    /// From the article after this number
    #[arg(long, group = "place", requires = "area", value_name = "SEQ", value_parser = parse_after,
        allow_negative_numbers = true)]
    pub after: Option<Seq>,
    /// How many articles at most
    #[arg(long, default_value_t = Self::LIMIT_DEFAULT, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Leave them unread
    #[arg(long)]
    pub keep: bool,
}

impl ReadArgs {
    pub const LIMIT_DEFAULT: u32 = 100;
}

#[derive(Debug, Clone, Args)]
pub struct PostArgs {
    #[arg(required_unless_present_any = ["resume", "in_area"], add = Completes::SubscribedAreas)]
    pub area: Option<String>,
    /// Words are joined by blanks; - reads standard input, - < FILE a file; without any, on a terminal: your editor
    pub text: Vec<String>,
    /// One article for each line
    #[arg(long)]
    pub lines: bool,
    /// The identity of this post: a repeat with the same one posts nothing twice
    #[arg(long, value_name = "UUID", conflicts_with = "lines")]
    pub id: Option<Uuid>,
    /// The area: then every word is text
    #[arg(long = "in", value_name = "AREA", add = Completes::SubscribedAreas)]
    pub in_area: Option<String>,
    /// Send what waits in the outbox
    #[arg(long, conflicts_with_all = ["area", "text", "lines", "id", "in_area"])]
    pub resume: bool,
}

impl PostArgs {
    /// Where to. `None` with `--resume`.
    pub fn area(&self) -> Option<&str> {
        self.in_area.as_deref().or(self.area.as_deref())
    }

    /// The words of the text.
    pub fn words(&self) -> Vec<&str> {
        let first = self.area.as_deref().filter(|_| self.in_area.is_some());
        first.into_iter().chain(self.text.iter().map(String::as_str)).collect()
    }
}
