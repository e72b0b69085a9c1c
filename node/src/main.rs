//! `gaceta-node`: reads its flags, waits for the schema, announces itself, and serves until SIGTERM.

use anyhow::Context;
use clap::{Parser, Subcommand};
use db::Db;
use server::http::Started;
use std::net::SocketAddr;
use std::process::ExitCode;
use tokio::signal::unix::SignalKind;

/// The data plane of Gaceta: posts, reads and follows
#[derive(Parser)]
#[command(name = "gaceta-node", version, subcommand_negates_reqs = true)]
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

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Ask the node that serves --http on this machine for its health; exit code 0 if it is well
    Healthcheck,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match args.command {
        None => server::run(serve(args)),
        Some(Command::Healthcheck) => server::run(server::http::check(args.options.http)),
    }
}

async fn serve(args: Args) -> anyhow::Result<()> {
    server::logging::init(&args.options.log)?;
    let database_url = args.options.database_url()?;
    let listener =
        wire::serve::bind(args.listen).with_context(|| format!("cannot listen on {}", args.listen))?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        schema = db::migrate::SCHEMA_VERSION,
        sql_set = db::sql_set::SQL_SET,
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
    config.schema_wait = config.schema_wait.max(args.options.database_wait());
    let started = Started::default();
    let http = http.map(|listener| {
        tokio::spawn(server::http::serve(listener, db.clone(), started.clone(), shutdown.clone()))
    });
    gaceta_node::run(listener, db, config, shutdown, move |address| {
        started.now();
        server::ready(&format!("node={address}"));
    })
    .await?;
    server::joined(http).await;
    Ok(())
}
