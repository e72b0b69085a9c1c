//! "Stop now", from Ctrl-C, SIGTERM, a closed terminal, or from the host of a prompt, told to whatever command is running.

use crate::exit::{Failure, Kind, Signal};
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A flag that can be raised once and awaited by many.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    token: CancellationToken,
    signal: Arc<OnceLock<Signal>>,
    /// How many want Ctrl-C not to count at present.
    deaf: Arc<AtomicUsize>,
}

/// While it lives Ctrl-C is somebody else's.
pub struct IgnoringInterrupts(Arc<AtomicUsize>);

impl Drop for IgnoringInterrupts {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Stop {
    /// Raised by SIGTERM, a closed terminal and Ctrl-C. They no longer kill this process from here on: whoever runs must listen.
    pub fn on_signals() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = Self::on_terminate()?;
        let raised = stop.clone();
        tokio::spawn(async move {
            while interrupt.recv().await.is_some() {
                raised.raise(Signal::Interrupt);
            }
        });
        Ok(stop)
    }

    /// Raised by SIGTERM, and by SIGHUP where we write to a terminal: what was shown before it was closed is still marked, and
    /// nothing goes on unseen. Not by Ctrl-C, which at the prompt is not the end.
    pub fn on_terminate() -> io::Result<Self> {
        let stop = Self::default();
        let mut kinds = vec![SignalKind::terminate()];
        // Elsewhere it stays as it was: `nohup` has it ignored.
        kinds.extend(io::stdout().is_terminal().then(SignalKind::hangup));
        for kind in kinds {
            let (mut raising, raised) = (signal(kind)?, stop.clone());
            tokio::spawn(async move {
                raising.recv().await;
                raised.raise(Signal::Terminate);
            });
        }
        Ok(stop)
    }

    /// Cancelled when it is raised.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// For a program on the same terminal: Ctrl-C goes to both.
    pub fn ignoring_interrupts(&self) -> IgnoringInterrupts {
        self.deaf.fetch_add(1, Ordering::Relaxed);
        IgnoringInterrupts(self.deaf.clone())
    }

    pub fn raise(&self, signal: Signal) {
        if signal == Signal::Interrupt && self.deaf.load(Ordering::Relaxed) > 0 {
            return;
        }
        let _ = self.signal.set(signal); // the first one counts
        self.token.cancel();
    }

    /// Waits until it is raised, and says so as a failure.
    pub async fn raised(&self) -> Failure {
        self.token.cancelled().await;
        self.failure()
    }

    /// Whether it was raised already, for who is about to begin something that is not broken off again.
    pub fn check(&self) -> Result<(), Failure> {
        if self.token.is_cancelled() { Err(self.failure()) } else { Ok(()) }
    }

    fn failure(&self) -> Failure {
        let signal = self.signal.get().copied().unwrap_or(Signal::Interrupt);
        Failure::new(Kind::Interrupted(signal), "interrupted")
    }

    /// The same for who leaves Ctrl-C to another program.
    pub async fn terminated(&self) -> Failure {
        let failure = self.raised().await;
        if failure.kind == Kind::Interrupted(Signal::Interrupt) {
            std::future::pending::<()>().await;
        }
        failure
    }
}
