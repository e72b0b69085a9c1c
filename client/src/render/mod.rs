//! The only place that prints: what commands found out, and failures, to text (`text`) or JSON (`json`), data to standard
//! output, everything else to standard error (`output`). What others wrote is made harmless in `sanitise`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod article;
mod guide;
mod json;
mod layout;
mod output;
mod progress;
mod prompt;
mod sanitise;
mod servers;
mod settings;
mod status;
mod style;
mod text;

pub use article::item_text;
pub use layout::{cut, rfc3339, rows};
pub use output::{Output, window};
pub use progress::Progress;
pub use prompt::{Announcement, PromptLine};
pub use sanitise::{block, columns, line};
pub use style::{Style, bold, dim};
