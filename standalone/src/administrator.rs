//! The first administrator: a random password, kept in the data directory where only its owner reads it, and the session
//! that the prompt begins with.

use anyhow::Context;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;
use wire::{AgentRequest, ErrorCode, Request, RequestBody};

/// 24 characters of 32: 120 bits.
const PASSWORD_CHARS: usize = 24;
/// No letters that look like digits: somebody may have to type it.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// The agent is in this process.
const ASK_WAIT_MS: u32 = 5_000;

pub struct Password {
    pub text: String,
    pub file: PathBuf,
    /// Made just now: this is the first start.
    pub is_new: bool,
}

/// The password of the first administrator: from the file that was given, else the one in the data directory, which is
/// made when there is none.
pub fn password(data: &Path, given: Option<&Path>) -> anyhow::Result<Password> {
    if let Some(file) = given {
        let text = server::options::secret(file)?;
        return Ok(Password { text, file: file.to_path_buf(), is_new: false });
    }
    let file = data.join("admin-password");
    match server::options::secret(&file) {
        Ok(text) => Ok(Password { text, file, is_new: false }),
        Err(_) if !file.exists() => {
            let text = random()?;
            write_new(&file, &text).with_context(|| format!("cannot write {}", file.display()))?;
            Ok(Password { text, file, is_new: true })
        }
        Err(error) => Err(error),
    }
}

fn random() -> anyhow::Result<String> {
    let mut bytes = [0; PASSWORD_CHARS];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

/// Written aside and renamed: a start that is killed here leaves no half a password that nobody can use.
fn write_new(file: &Path, text: &str) -> std::io::Result<()> {
    let aside = file.with_extension("new");
    let _ = std::fs::remove_file(&aside);
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    writeln!(opened, "{text}")?;
    opened.sync_all()?;
    std::fs::rename(&aside, file)
}

/// The session of the last start, if it still holds; else a new one. The error says why there is none.
pub async fn log_in(settings: &client::Settings, password: &Password) -> Result<(), String> {
    if session_holds(settings).await {
        return Ok(());
    }
    let logged_in = client::login_with_password(settings, agent::FIRST_ADMIN, &password.text).await;
    logged_in.map(drop).map_err(|error| format!("{error:#}"))
}

async fn session_holds(settings: &client::Settings) -> bool {
    let context = client::context::Context::load(settings).unwrap_or_default();
    let (Some(token), Some([agent])) = (context.token(), settings.agents.as_deref()) else { return false };
    let request = Request {
        request_id: Uuid::now_v7(),
        token: Some(token),
        remaining_ms: ASK_WAIT_MS,
        body: RequestBody::Agent(AgentRequest::Whoami(wire::Whoami {})),
    };
    let reply = wire::call(agent.as_str(), &request, Duration::from_millis(ASK_WAIT_MS.into())).await;
    // Whatever else is wrong, the session itself is not known to be over.
    !matches!(reply.map(|reply| reply.result), Ok(Err(error)) if error.code == ErrorCode::Unauthenticated)
}
