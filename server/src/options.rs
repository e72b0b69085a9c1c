//! The flags that every server has. Each has a `GACETA_…` variable; secrets also come from files, so that they need not
//! stand in a process list or an environment.

use anyhow::Context;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// PostgreSQL, as postgres://user:password@host:port/database
    #[arg(long, env = "GACETA_DATABASE_URL", hide_env_values = true, global = true)]
    pub database_url: Option<String>,

    /// A file that holds the database URL
    #[arg(long, env = "GACETA_DATABASE_URL_FILE", conflicts_with = "database_url", global = true)]
    pub database_url_file: Option<PathBuf>,

    /// Serve /healthz and /readyz here
    #[arg(long, env = "GACETA_HTTP", value_name = "HOST:PORT")]
    pub http: Option<SocketAddr>,

    /// What to log: error, warn, info, debug, or a filter like info,gaceta_node=debug
    #[arg(long, env = "GACETA_LOG", default_value = "info", global = true)]
    pub log: String,
}

impl Options {
    pub fn database_url(&self) -> anyhow::Result<String> {
        match (&self.database_url, &self.database_url_file) {
            (Some(url), _) => Ok(url.clone()),
            (None, Some(file)) => secret(file),
            (None, None) => anyhow::bail!("which database? Give --database-url or --database-url-file"),
        }
    }
}

/// A secret from a file: all of it but one final newline.
pub fn secret(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    anyhow::ensure!(!text.is_empty(), "{} is empty", file.display());
    Ok(text.to_string())
}
