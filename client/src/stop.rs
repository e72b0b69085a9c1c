//! "Stop now", from Ctrl-C or SIGTERM or from the host of a prompt, told to whatever command is running.

use crate::exit::{Failure, Kind};
use std::sync::{Arc, OnceLock};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C, SIGINT
    Interrupt,
    /// SIGTERM
    Terminate,
}

/// A flag that can be raised once and awaited by many.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    token: CancellationToken,
    signal: Arc<OnceLock<Signal>>,
}

impl Stop {
    /// Raised by SIGTERM and Ctrl-C. They no longer kill this process from here on: whoever runs must listen.
    pub fn on_signals() -> std::io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = Self::on_terminate()?;
        let raised = stop.clone();
        tokio::spawn(async move {
            interrupt.recv().await;
            raised.raise(Signal::Interrupt);
        });
        Ok(stop)
    }

    /// Raised by SIGTERM only: at the prompt Ctrl-C is not the end.
    pub fn on_terminate() -> std::io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let stop = Self::default();
        let raised = stop.clone();
        tokio::spawn(async move {
            terminate.recv().await;
            raised.raise(Signal::Terminate);
        });
        Ok(stop)
    }

    /// Cancelled when it is raised.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    pub fn raise(&self, signal: Signal) {
        let _ = self.signal.set(signal); // the first one counts
        self.token.cancel();
    }

    /// Waits until it is raised, and says so as a failure.
    pub async fn raised(&self) -> Failure {
        self.token.cancelled().await;
        let signal = self.signal.get().copied().unwrap_or(Signal::Interrupt);
        Failure::new(Kind::Interrupted(signal), "interrupted")
    }
}
