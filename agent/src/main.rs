//! `gaceta-agent`: reads its flags, brings the schema up, and serves until SIGTERM.

use anyhow::Context;
use clap::{Parser, Subcommand};
use db::{Db, Release};
use server::http::Started;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::SignalKind;

/// The control plane of Gaceta: accounts, areas, and which node serves what
#[derive(Parser)]
#[command(name = "gaceta-agent", version)]
struct Args {
    /// Where clients and nodes connect; port 0 picks a free one
    #[arg(long, env = "GACETA_LISTEN", default_value = "127.0.0.1:8000", value_name = "HOST:PORT")]
    listen: SocketAddr,

    /// Makes the first administrator, `admin`, with the password in this file, where there is none
    #[arg(long, env = "GACETA_ADMIN_PASSWORD_FILE", value_name = "FILE", global = true)]
    admin_password_file: Option<PathBuf>,

    #[command(flatten)]
    options: server::options::Options,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Give access back: `admin` becomes an enabled administrator with the password in --admin-password-file
    AdminReset,
    /// Ask the agent that serves --http on this machine for its health; exit code 0 if it is well
    Healthcheck,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let result = match args.command {
        None => serve(args).await,
        Some(Command::AdminReset) => admin_reset(args).await,
        Some(Command::Healthcheck) => server::http::check(args.options.http).await,
    };
    server::exit(result)
}

async fn serve(args: Args) -> anyhow::Result<()> {
    server::logging::init(&args.options.log)?;
    let database_url = args.options.database_url()?;
    let admin_password = args.admin_password_file.as_deref().map(server::options::secret).transpose()?;
    let listener =
        wire::serve::bind(args.listen).with_context(|| format!("cannot listen on {}", args.listen))?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        schema = db::migrate::SCHEMA_VERSION,
        sql_set = db::sql_set::SQL_SET,
        listen = %listener.local_addr()?,
        log = args.options.log,
        "agent starts"
    );
    let http = server::http::bind(args.options.http).await?;
    let shutdown = server::shutdown_on(&[SignalKind::terminate(), SignalKind::interrupt()])?;

    let db = Db::new(&database_url)?;
    let started = Started::default();
    let http = http.map(|listener| {
        tokio::spawn(server::http::serve(listener, db.clone(), started.clone(), shutdown.clone()))
    });
    let migrated = db::migrate::migrate_within(&database_url, args.options.database_wait());
    tokio::select! {
        migrated = migrated => migrated.context("the database is not ready")?,
        () = shutdown.cancelled() => return Ok(()),
    }
    db::release::require(&db, Release::THIS).await?; // before anything is written
    if let Some(password) = admin_password {
        let made = gaceta_agent::ensure_admin(&db, &password)
            .await
            .context("cannot make the first administrator")?;
        if made {
            tracing::info!("the first administrator, `admin`, was made");
        }
    }
    gaceta_agent::run(listener, db, gaceta_agent::Config::default(), shutdown, |address| {
        started.now();
        server::ready(&format!("agent={address}"));
    })
    .await?;
    server::joined(http).await;
    Ok(())
}

async fn admin_reset(args: Args) -> anyhow::Result<()> {
    server::logging::init(&args.options.log)?;
    let file = args.admin_password_file.context("give the new password with --admin-password-file FILE")?;
    let password = server::options::secret(&file)?;
    let database_url = args.options.database_url()?;
    db::migrate::migrate(&database_url).await.context("the database is not ready")?;
    let db = Db::new(&database_url)?;
    db::release::require(&db, Release::THIS).await?;
    gaceta_agent::reset_admin(&db, &password).await?;
    server::say("`admin` is an administrator with the new password; its sessions have ended");
    Ok(())
}
