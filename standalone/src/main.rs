//! `gaceta-standalone`: the whole service in one process on a private PostgreSQL, and the prompt. What `cargo run`
//! starts.
//!
//! - [`database`]: finds (or installs) PostgreSQL's programs and starts them on the data directory.
//! - [`service`]: the agent and the nodes, the same code as in their own processes.
//! - [`administrator`]: the first administrator's password, and the session that the prompt begins with.
//! - [`greeting`]: what a person is told.

mod administrator;
mod database;
mod greeting;
mod service;

use anyhow::Context;
use clap::Parser;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::signal::unix::SignalKind;
use tokio_util::sync::CancellationToken;

/// The whole of Gaceta in one process, with its data in one directory, and the prompt of its administrator
#[derive(Parser)]
#[command(name = "gaceta-standalone", version)]
struct Args {
    /// Where everything is kept [default: ~/.local/share/gaceta, as root /var/lib/gaceta]
    #[arg(long, env = "GACETA_DATA", value_name = "DIR")]
    data: Option<PathBuf>,

    /// Where clients connect; port 0 picks a free one
    #[arg(long, env = "GACETA_LISTEN", default_value = "127.0.0.1:8000", value_name = "HOST:PORT")]
    listen: SocketAddr,

    /// How many nodes
    #[arg(long, env = "GACETA_NODES", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    nodes: u8,

    /// Only serve, until SIGTERM
    #[arg(long, env = "GACETA_NO_PROMPT")]
    no_prompt: bool,

    /// Never install PostgreSQL's programs, where there are none [env: GACETA_NO_INSTALL]
    #[arg(long)]
    no_install: bool,

    /// The first administrator's password, instead of a random one
    #[arg(long, env = "GACETA_ADMIN_PASSWORD_FILE", value_name = "FILE")]
    admin_password_file: Option<PathBuf>,

    /// Serve /healthz and /readyz here
    #[arg(long, env = "GACETA_HTTP", value_name = "HOST:PORT")]
    http: Option<SocketAddr>,

    /// What to log: error, warn, info, debug, or a filter like info,gaceta_node=debug
    #[arg(long, env = "GACETA_LOG", default_value = "info")]
    log: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(code) => code,
        Err(error) => server::exit(Err(error)),
    }
}

async fn run(args: Args) -> anyhow::Result<ExitCode> {
    // At the prompt Ctrl-C belongs to the command that runs; a closed terminal ends everything.
    let signals: &[SignalKind] = if args.no_prompt {
        &[SignalKind::terminate(), SignalKind::interrupt()]
    } else {
        &[SignalKind::terminate(), SignalKind::hangup()]
    };
    let shutdown = server::shutdown_on(signals)?;
    let data = match args.data {
        Some(data) => data,
        None => default_data()?,
    };
    let postgres = database::start(&data, args.no_install).await?;
    let data = postgres.directory().to_path_buf();
    let log = init_log(&data, &args.log, args.no_prompt)?;
    let result = async {
        let password = administrator::password(&data, args.admin_password_file.as_deref())?;
        let service =
            service::start(&postgres, args.listen, args.nodes, args.http, &password.text, &shutdown).await?;
        postgres.set_owner_note(&greeting::in_use(service.agent, &password))?;
        server::ready(&format!("agent={}", service.agent));
        let code = if args.no_prompt {
            greeting::serving(&data, service.agent, &password);
            shutdown.cancelled().await;
            Ok(ExitCode::SUCCESS)
        } else {
            prompt(&data, &service, &password, log.as_deref(), shutdown).await
        };
        service.stop().await?;
        code
    }
    .await;
    postgres.stop().await.context("PostgreSQL did not stop by itself")?;
    result
}

/// The prompt of the administrator, until Ctrl-D or SIGTERM.
async fn prompt(
    data: &Path,
    service: &service::Service,
    password: &administrator::Password,
    log: Option<&Path>,
    shutdown: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let mut settings = client::Settings::new(data.join("client"));
    settings.agents = Some(vec![service.agent.to_string()]);
    let logged_in = administrator::log_in(&settings, password).await;
    let text = greeting::welcome(data, service, password, log, logged_in.as_ref().err());
    client::prompt(settings, &text, shutdown).await
}

fn default_data() -> anyhow::Result<PathBuf> {
    if rustix::process::geteuid().is_root() {
        // PostgreSQL refuses to run as root, and its own user cannot enter /root.
        return Ok("/var/lib/gaceta".into());
    }
    let base =
        std::env::var_os("XDG_DATA_HOME").filter(|base| Path::new(base).is_absolute()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").filter(|home| !home.is_empty());
    base.or_else(|| home().map(|home| Path::new(&home).join(".local/share")))
        .map(|base| base.join("gaceta"))
        .context("where to keep the data? Neither HOME nor XDG_DATA_HOME is set: give --data DIR")
}

/// Beside a prompt there is no room for logs: they go to a file in the data directory.
fn init_log(data: &Path, filter: &str, no_prompt: bool) -> anyhow::Result<Option<PathBuf>> {
    if no_prompt || !std::io::stderr().is_terminal() {
        server::logging::init(filter)?;
        return Ok(None);
    }
    let path = data.join("gaceta.log");
    server::logging::init_file(filter, &path)?;
    Ok(Some(path))
}
