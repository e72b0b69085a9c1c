//! A time without the service, seen by who does not give up: how long to pause between two tries, and what is told.

use super::tell::Tell;
use super::transport::jittered;
use std::fmt::Display;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// Between two tries, doubling. Short at first: mostly one server is leaving, and the next one answers at once. And never longer
/// than a person notices: a thousand who wait so are 500 small connections a second, as many as their pings are when all is
/// well (`vigil.rs`).
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// A break that is over by then is nobody's business; of a longer one a person is told what is waited for.
const SILENCE_MAX: Duration = Duration::from_millis(300);

/// Either well, or in an outage.
pub struct Outage {
    tell: Tell,
    pause: Duration,
    now: Option<Now>,
}

struct Now {
    since: Instant,
    why: String,
    told: bool,
}

impl Outage {
    /// All is well; `tell` hears of every longer outage, once, and of its end.
    pub fn new(tell: Tell) -> Self {
        Self { tell, pause: PAUSE_MIN, now: None }
    }

    pub fn is_now(&self) -> bool {
        self.now.is_some()
    }

    /// A try that began at `began` has failed. The outage, if it begins with this, is as old.
    pub fn goes_on(&mut self, why: &impl Display, began: Instant) {
        let why = why.to_string();
        let now = self.now.get_or_insert_with(|| Now { since: began, why: String::new(), told: false });
        now.why = why;
        if !now.told && now.since.elapsed() > SILENCE_MAX {
            now.told = true;
            self.tell.away(&now.why);
        }
    }

    /// Until `work` is done, which may be what ends the outage; tells in time that it lasts.
    pub async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let Some(now) = self.now.as_mut().filter(|now| !now.told) else { return work.await };
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => done,
            () = sleep_until(now.since + SILENCE_MAX) => {
                now.told = true;
                self.tell.away(&now.why);
                work.await
            }
        }
    }

    /// Before the next try.
    pub async fn pause(&mut self) {
        let pause = jittered(self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        self.during(sleep(pause)).await;
    }

    /// The service has answered.
    pub fn is_over(&mut self) {
        self.pause = PAUSE_MIN;
        if self.now.take().is_some_and(|now| now.told) {
            self.tell.back();
        }
    }
}

/// Tries until `work` succeeds, or fails for a reason that waiting does not cure.
pub async fn insist<T, E: Display>(
    tell: Tell,
    is_retryable: impl Fn(&E) -> bool,
    mut work: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, E> {
    let mut outage = Outage::new(tell);
    loop {
        let began = Instant::now();
        match outage.during(work()).await {
            Err(error) if is_retryable(&error) => {
                outage.goes_on(&error, began);
                outage.pause().await;
            }
            Err(error) => return Err(error),
            Ok(done) => {
                outage.is_over();
                return Ok(done);
            }
        }
    }
}
