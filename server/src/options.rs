//! The flags that every server has. Each has a `GACETA_…` variable; secrets also come from files, so that they need not
//! stand in a process list or an environment.

use anyhow::Context;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// PostgreSQL, as postgres://user:password@host:port/database
    #[arg(long, env = "GACETA_DATABASE_URL", hide_env_values = true, global = true)]
    pub database_url: Option<String>,

    /// A file that holds the database URL
    #[arg(long, env = "GACETA_DATABASE_URL_FILE", conflicts_with = "database_url", global = true)]
    pub database_url_file: Option<PathBuf>,

    /// A file that holds the database's password, where the URL has none
    #[arg(long, env = "GACETA_DATABASE_PASSWORD_FILE", value_name = "FILE", global = true)]
    pub database_password_file: Option<PathBuf>,

    /// How long to wait at the start for a database that cannot be reached yet
    #[arg(long, env = "GACETA_DATABASE_WAIT_S", default_value_t = 0, value_name = "SECONDS", global = true)]
    pub database_wait_s: u32,

    /// Serve /healthz and /readyz here
    #[arg(long, env = "GACETA_HTTP", value_name = "HOST:PORT", global = true)]
    pub http: Option<SocketAddr>,

    /// What to log: error, warn, info, debug, or a filter like info,gaceta_node=debug
    #[arg(long, env = "GACETA_LOG", default_value = "info", global = true)]
    pub log: String,
}

impl Options {
    /// With the password in it.
    pub fn database_url(&self) -> anyhow::Result<String> {
        let url = match (&self.database_url, &self.database_url_file) {
            (Some(url), _) => url.clone(),
            (None, Some(file)) => secret(file)?,
            (None, None) => anyhow::bail!("which database? Give --database-url or --database-url-file"),
        };
        match &self.database_password_file {
            Some(file) => Ok(with_password(&url, &secret(file)?)),
            None => Ok(url),
        }
    }

    pub fn database_wait(&self) -> Duration {
        Duration::from_secs(self.database_wait_s.into())
    }
}

/// In both forms that PostgreSQL's clients know: `postgres://user@host/database` and `host=… user=…`. What is said last counts.
fn with_password(url: &str, password: &str) -> String {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        let encoded: String = password.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}password={encoded}")
    } else {
        let quoted = password.replace('\\', "\\\\").replace('\'', "\\'");
        format!("{url} password='{quoted}'")
    }
}

/// A secret from a file: all of it but one final newline.
pub fn secret(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    anyhow::ensure!(!text.is_empty(), "{} is empty", file.display());
    Ok(text.to_string())
}

#[cfg(test)]
mod tests {
    use super::with_password;

    fn password_in(url: &str) -> Vec<u8> {
        let config: tokio_postgres::Config = url.parse().unwrap();
        config.get_password().unwrap().to_vec()
    }

    #[test]
    fn any_password_comes_through_both_forms_of_a_url() {
        for password in ["plain", "wi th 'quotes' \\ and % & ? = / @ : #", "über日本"] {
            for url in [
                "postgres://gaceta_1@db/gaceta",
                "postgresql://gaceta_1:old@db:5432/gaceta?connect_timeout=3",
                "host=db user=gaceta_1 dbname=gaceta",
            ] {
                assert_eq!(password_in(&with_password(url, password)), password.as_bytes(), "{url}");
            }
        }
    }
}
