//! The commands for the settings of the service.

use super::completes::Completes;
use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub enum AdminSettings {
    /// List every setting
    List,
    /// Print a setting's value
    Get {
        #[arg(add = Completes::Settings)]
        name: String,
    },
    /// Set a setting: agents and nodes apply it within two seconds
    Set {
        #[arg(add = Completes::Settings)]
        name: String,
        /// A word, a number, or a duration like 1500ms, 6s, 12h or 90d; `admin settings export` says what is allowed
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Put a setting back to its default
    Unset {
        #[arg(add = Completes::Settings)]
        name: String,
    },
    /// Set all settings of a file, or none of them if one is wrong; those that are not in it stay as they are
    Import {
        /// Lines like `registration = "closed"`, as `admin settings export` prints them; - reads standard input
        #[arg(value_hint = clap::ValueHint::FilePath)]
        file: String,
    },
    /// Print the settings as a file to edit and import: those that are set, and the others with their defaults as comments
    Export,
    /// Show which version of the settings each agent and node runs
    Status,
    /// Print changes as they are made, until Ctrl-C
    Watch,
}
