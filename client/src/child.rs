//! What runs beside a command: programs that it starts, and how they are ended; threads that nobody waits for.

use rustix::process::{Pid, Signal, kill_process};
use std::io;
use std::time::Duration;
use tokio::process::Child;

/// A program that is told to end may tidy up.
const END_WAIT: Duration = Duration::from_secs(2);

/// SIGTERM, and after a while SIGKILL.
pub async fn end(child: &mut Child) {
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        let _ = kill_process(pid, Signal::TERM);
    }
    if tokio::time::timeout(END_WAIT, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

/// Runs what may block for ever on a thread that nobody waits for: neither a cancelled command nor the end of the
/// process.
pub async fn detached<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, result) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("terminal".into()).spawn(move || {
        let _ = done.send(work());
    })?;
    result.await.unwrap_or_else(|_| Err(io::Error::other("the thread that did this has failed")))
}
