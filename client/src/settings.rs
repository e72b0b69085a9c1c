//! What the command line and the environment say about every command.

use crate::command::GlobalArgs;
use crate::config::Config;
use crate::exit::Failure;
use crate::values::{parse_address, parse_context};
use anyhow::Context as _;
use etcetera::BaseStrategy;
use std::path::PathBuf;
use std::time::Duration;
use wire::Token;

/// Long enough for a service that is just losing a server, short enough for a person.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// Where standalone listens.
pub const AGENT_DEFAULT: &str = "127.0.0.1:8000";
pub const CONTEXT_DEFAULT: &str = "default";
#[derive(Debug, Clone)]
pub struct Settings {
    /// The only agents that are tried. `None`: those of the config's context, else those that the session was made
    /// through, else [`AGENT_DEFAULT`].
    pub agents: Option<Vec<String>>,
    /// Which session: `default` when nothing else was said.
    pub context: String,
    /// By `--context` or `GACETA_CONTEXT`: then what the config says does not count.
    pub context_is_given: bool,
    /// `config.toml`. `None` for a prompt that belongs to one service.
    pub config_path: Option<PathBuf>,
    /// Contexts, outbox, drafts and history: `$XDG_STATE_HOME/gaceta`.
    pub state_dir: PathBuf,
    pub timeout: Duration,
    /// A session from outside, instead of the context's.
    pub token: Option<Token>,
    pub json: bool,
    /// Never ask a person.
    pub no_input: bool,
}

impl Settings {
    /// The defaults, with their files in `state_dir`.
    pub fn new(state_dir: PathBuf) -> Self {
        Self {
            agents: None,
            context: CONTEXT_DEFAULT.into(),
            context_is_given: false,
            config_path: None,
            state_dir,
            timeout: TIMEOUT_DEFAULT,
            token: None,
            json: false,
            no_input: false,
        }
    }

    /// The defaults, what the config says, and what `GACETA_…` variables say. Empty variables say nothing.
    pub fn from_environment() -> Result<Self, Failure> {
        let strategy = etcetera::choose_base_strategy()
            .context("no home directory: set HOME or XDG_STATE_HOME")
            .map_err(Failure::from)?;
        let state_dir = strategy.state_dir().unwrap_or_else(|| strategy.data_dir()).join("gaceta");
        let mut settings = Self::new(state_dir);
        let config_path = variable("GACETA_CONFIG").map(PathBuf::from);
        settings.config_path =
            Some(config_path.unwrap_or_else(|| strategy.config_dir().join("gaceta/config.toml")));
        if let Some(agents) = variable("GACETA_AGENTS") {
            let agents: Result<Vec<_>, _> = agents.split(',').map(parse_address).collect();
            settings.agents = Some(agents.map_err(|e| Failure::usage(format!("GACETA_AGENTS: {e}")))?);
        }
        if let Some(context) = variable("GACETA_CONTEXT") {
            settings.context =
                parse_context(&context).map_err(|e| Failure::usage(format!("GACETA_CONTEXT: {e}")))?;
            settings.context_is_given = true;
        }
        if let Some(token) = variable("GACETA_TOKEN") {
            let token = Token::from_text(&token)
                .ok_or_else(|| Failure::usage("GACETA_TOKEN: a token is 64 hexadecimal digits"))?;
            settings.token = Some(token);
        }
        settings.follow_config()?;
        Ok(settings)
    }

    /// What the config says now. It is read each time: another process may have changed it.
    pub fn config(&self) -> Result<Config, Failure> {
        self.config_path.as_deref().map_or(Ok(Config::default()), Config::load)
    }

    /// Goes to the config's current context, unless another was given: at the start, and after `context use`.
    pub fn follow_config(&mut self) -> Result<(), Failure> {
        let config = self.config()?;
        if !self.context_is_given && self.config_path.is_some() {
            self.context = config.context.unwrap_or_else(|| CONTEXT_DEFAULT.into());
        }
        Ok(())
    }

    /// The same, for another context.
    #[must_use]
    pub fn with_context(&self, name: &str) -> Self {
        Self { context: name.to_owned(), context_is_given: true, ..self.clone() }
    }

    /// What the command line says goes before what was known.
    #[must_use]
    pub fn with(mut self, args: &GlobalArgs) -> Self {
        if !args.agents.is_empty() {
            self.agents = Some(args.agents.clone());
        }
        if let Some(context) = &args.context {
            self.context = context.clone();
            self.context_is_given = true;
        }
        self.timeout = args.timeout.unwrap_or(self.timeout);
        self.json |= args.json;
        self.no_input |= args.no_input;
        self
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
