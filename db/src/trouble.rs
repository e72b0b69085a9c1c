//! Trouble that many meet at once, as the log tells it: when it begins, now and then while it lasts, and when it is over. A line
//! for each request that met it would be thousands a second, in which all else is lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One kind of trouble. A failure is told when none was for `remind`, and once in that time while it lasts.
#[derive(Debug)]
pub struct Trouble {
    remind: Duration,
    /// Over when there was none for so long: with each success it would end and begin again, where only some statements fail.
    quiet: Duration,
    /// Whether there is a bout: asked after each statement, by everybody, without a lock.
    is_on: AtomicBool,
    bout: Mutex<Option<Bout>>,
}

#[derive(Debug)]
struct Bout {
    began: Instant,
    failed_last: Instant,
    told: Instant,
    failures: u64,
}

/// What a line says of it: failures since it began, and how long ago that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub failures: u64,
    pub elapsed_ms: u64,
}

impl Bout {
    fn tally(&self, now: Instant) -> Tally {
        let elapsed_ms = now.saturating_duration_since(self.began).as_millis() as u64;
        Tally { failures: self.failures, elapsed_ms }
    }
}

impl Trouble {
    pub const fn new(remind_ms: u64, quiet_ms: u64) -> Self {
        Self {
            remind: Duration::from_millis(remind_ms),
            quiet: Duration::from_millis(quiet_ms),
            is_on: AtomicBool::new(false),
            bout: Mutex::new(None),
        }
    }

    /// Counts a failure. `Some`: it is to be told now.
    pub fn failed(&self, now: Instant) -> Option<Tally> {
        let mut bout = self.lock();
        let is_new =
            bout.as_ref().is_none_or(|bout| now.saturating_duration_since(bout.failed_last) >= self.remind);
        if is_new {
            *bout = Some(Bout { began: now, failed_last: now, told: now, failures: 0 });
            self.is_on.store(true, Ordering::Relaxed);
        }
        let bout = bout.as_mut()?;
        bout.failures += 1;
        bout.failed_last = now;
        let is_due = is_new || now.saturating_duration_since(bout.told) >= self.remind;
        is_due.then(|| {
            bout.told = now;
            bout.tally(now)
        })
    }

    /// After something that did not fail. `Some`: the trouble is over, which is to be told.
    pub fn worked(&self, now: impl FnOnce() -> Instant) -> Option<Tally> {
        if !self.is_on.load(Ordering::Relaxed) {
            return None;
        }
        let now = now();
        let mut bout = self.lock();
        bout.as_ref().filter(|bout| now.saturating_duration_since(bout.failed_last) >= self.quiet)?;
        self.is_on.store(false, Ordering::Relaxed);
        bout.take().map(|bout| bout.tally(now))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Bout>> {
        self.bout.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_when_it_begins_once_in_a_while_and_when_it_is_over() {
        let trouble = Trouble::new(60_000, 1_000);
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(trouble.worked(|| at(0)), None, "there was none");
        let told: Vec<(u64, Tally)> =
            (0..=90_000).filter_map(|ms| Some((ms, trouble.failed(at(ms))?))).collect();
        let tally = |failures, elapsed_ms| Tally { failures, elapsed_ms };
        assert_eq!(told, [(0, tally(1, 0)), (60_000, tally(60_001, 60_000))]);

        assert_eq!(trouble.worked(|| at(90_999)), None, "others may still fail");
        assert_eq!(trouble.worked(|| at(91_000)), Some(tally(90_001, 91_000)));
        assert_eq!(trouble.worked(|| at(91_001)), None, "said once");
        assert_eq!(trouble.failed(at(92_000)), Some(tally(1, 0)), "the next one is another");
    }

    #[test]
    fn what_comes_rarely_is_told_each_time() {
        let trouble = Trouble::new(1_000, 1_000);
        let start = Instant::now();
        for second in 0..3 {
            let tally = Tally { failures: 1, elapsed_ms: 0 };
            assert_eq!(trouble.failed(start + Duration::from_secs(second)), Some(tally));
        }
    }
}
