//! Programs that this one starts, and how they are ended.

use rustix::process::{Pid, Signal, kill_process};
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
