//! Gaceta's client: every command, as a program for the terminal and as the prompt of `gaceta-standalone`.
//!
//! Read in this order:
//! - [`command`]: ONE definition of every command, for the command line and for the prompt.
//! - [`run`]: from arguments, or a line of the prompt, to an exit code.
//! - [`execute`]: what each command does, a file for each noun; it returns data and prints nothing.
//! - [`session`]: what each command gets. [`service`]: what speaks to the service, and knows no command, no screen and no
//!   terminal: agents, then nodes, retries, long polls, and posts that are saved before they are sent.
//! - [`config`]: what a person has written down; [`context`]: what is remembered between commands.
//! - [`drafts`]: texts that are being written, with a person's own [`editor`].
//! - [`render`]: data to text or JSON. The only place that prints, and that makes what others wrote safe to show.
//! - [`pager`]: what is longer than the screen, and what of it was seen.
//! - [`guide`]: what somebody may do, on one screen. [`import`]: a file of the service's settings.
//! - [`complete`]: what Tab offers, in shells and at the prompt; [`names`]: names for it, kept for a moment.
//! - [`walk`]: through all that is unread, article by article.
//! - [`repl`]: the prompt. [`terminal`]: questions to a person. [`exit`]: failures and their exit codes; [`topics`]: help on
//!   them, and on the environment.
//! - [`settings`], [`values`], [`stop`], [`suggest`], [`child`]: small things under all of them.
//!
//! This crate knows the protocol and nothing of the database.

pub mod child;
pub mod command;
pub mod complete;
pub mod config;
pub mod context;
pub mod drafts;
pub mod editor;
pub mod execute;
pub mod exit;
pub mod guide;
pub mod import;
pub mod names;
pub mod outcome;
pub mod pager;
pub mod render;
pub mod repl;
pub mod run;
pub mod service;
pub mod session;
pub mod settings;
pub mod stop;
pub mod suggest;
pub mod terminal;
pub mod topics;
pub mod values;
pub mod walk;

pub use execute::accounts::login_with_password;
pub use repl::prompt;
pub use service::session::Identity;
pub use settings::Settings;
