//! What a person is told: where the data is, how somebody else joins, what to try.

use crate::administrator::Password;
use crate::service::Service;
use std::net::SocketAddr;
use std::path::Path;

/// The words that start the client here: from a checkout through cargo, elsewhere as installed.
fn client_program() -> &'static str {
    if std::env::var_os("CARGO_MANIFEST_DIR").is_some() { "cargo run -q --bin gaceta --" } else { "gaceta" }
}

/// The line with which a second terminal joins as somebody else, in a context of its own.
fn join_line(agent: SocketAddr) -> String {
    format!("{} --context ana --agents {agent} register ana", client_program())
}

/// What a second start on the same data is told.
pub fn in_use(agent: SocketAddr, password: &Password) -> String {
    let file = password.file.display();
    format!(
        "a Gaceta runs here already. Connect to it with\n  {} --agents {agent} login admin\n(the password is in {file}), or as \
         somebody else:\n  {}",
        client_program(),
        join_line(agent)
    )
}

/// Above the first prompt.
pub fn welcome(
    data: &Path,
    service: &Service,
    password: &Password,
    log: Option<&Path>,
    not_logged_in: Option<&String>,
) -> String {
    let mut text = format!(
        "Gaceta {}: one agent on {}, {} nodes.\n",
        env!("CARGO_PKG_VERSION"),
        service.agent,
        service.nodes
    );
    text.push_str(&format!("Data       {}\n", data.display()));
    if let Some(log) = log {
        text.push_str(&format!("Log        {}\n", log.display()));
    }
    if password.is_new {
        text.push_str(&format!("Password   of `admin`, made at random: {}\n", password.file.display()));
    }
    text.push_str(&format!(
        "Join       from a second terminal, as somebody else:\n  {}\n",
        join_line(service.agent)
    ));
    match not_logged_in {
        Some(reason) => {
            text.push_str(&format!("You are not logged in ({reason}): `login admin`.\n"));
        }
        None if password.is_new => {
            text.push_str("You are `admin`. Try:  admin area add news,  subscribe news,  post news Hello.\n");
        }
        None => text.push_str("You are `admin`.\n"),
    }
    text.push_str("`help` lists all commands; Ctrl-D stops everything.\n");
    text
}

/// Without a prompt: the same, as log lines.
pub fn serving(data: &Path, agent: SocketAddr, password: &Password) {
    tracing::info!(data = %data.display(), admin_password = %password.file.display(), "serving");
    tracing::info!("join with: {}", join_line(agent));
}
