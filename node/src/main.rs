//! `gaceta-node`: reads its flags, waits for the schema, announces itself, and serves until SIGTERM.

use anyhow::Context;
use clap::Parser;
use db::Db;
use std::net::SocketAddr;
use std::process::ExitCode;
use tokio::signal::unix::SignalKind;

/// The data plane of Gaceta: posts, reads and follows
#[derive(Parser)]
#[command(name = "gaceta-node", version)]
struct Args {
    /// Where clients and agents connect; port 0 picks a free one
    #[arg(long, env = "GACETA_LISTEN", default_value = "127.0.0.1:8005", value_name = "HOST:PORT")]
    listen: SocketAddr,

    /// What clients connect to; auto is the address that this host has towards the agent
    #[arg(long, env = "GACETA_ADVERTISE", default_value = "auto", value_name = "HOST:PORT|auto")]
    advertise: String,

    /// The agents that are told of this node
    #[arg(long, env = "GACETA_AGENTS", value_delimiter = ',', required = true, value_name = "HOST:PORT,…")]
    agents: Vec<String>,

    #[command(flatten)]
    options: server::options::Options,
}

fn main() -> ExitCode {
    server::run(serve(Args::parse()))
}

async fn serve(args: Args) -> anyhow::Result<()> {
    server::logging::init(&args.options.log)?;
    let database_url = args.options.database_url()?;
    let listener =
        wire::serve::bind(args.listen).with_context(|| format!("cannot listen on {}", args.listen))?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        schema = db::migrate::SCHEMA_VERSION,
        listen = %listener.local_addr()?,
        advertise = args.advertise,
        agents = args.agents.join(","),
        log = args.options.log,
        "node starts"
    );
    let http = server::http::bind(args.options.http).await?;
    let shutdown = server::shutdown_on(&[SignalKind::terminate(), SignalKind::interrupt()])?;

    let db = Db::new(&database_url)?;
    let mut config = gaceta_node::Config::new(&database_url, args.agents);
    config.advertise = (args.advertise != "auto").then_some(args.advertise);
    let http = http.map(|listener| tokio::spawn(server::http::serve(listener, db.clone(), shutdown.clone())));
    gaceta_node::run(listener, db, config, shutdown, |address| server::ready(&format!("node={address}")))
        .await?;
    server::joined(http).await;
    Ok(())
}
