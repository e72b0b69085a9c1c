//! How far a long command is: one line on standard error, written over again and again, and gone before anything else
//! is said. Only where a person looks at it.

use super::output::Output;
use std::time::{Duration, Instant};

/// What is done by then needs no word.
const SILENCE_MAX: Duration = Duration::from_secs(1);
/// Faster nobody can read.
const INTERVAL: Duration = Duration::from_millis(100);
/// Where lines cannot be written over, each of them stays.
const INTERVAL_DUMB: Duration = Duration::from_secs(5);

/// Of one command. The line is gone when this is dropped.
pub struct Progress {
    output: Output,
    /// Like `verifying news`.
    what: String,
    done: u64,
    total: Option<u64>,
    /// When the line may be written next.
    next_at: Instant,
    rewrites: bool,
}

impl Progress {
    pub fn new(output: &Output, what: String, total: Option<u64>) -> Self {
        let next_at = Instant::now() + SILENCE_MAX;
        Self { output: output.clone(), what, done: 0, total, next_at, rewrites: !Output::is_dumb() }
    }

    /// The work turned out to be so much.
    pub fn set_total(&mut self, total: u64) {
        self.total = Some(total);
    }

    pub fn advance(&mut self, by: u64) {
        self.done += by;
        if !self.output.style.stderr_terminal || Instant::now() < self.next_at {
            return;
        }
        self.next_at = Instant::now() + if self.rewrites { INTERVAL } else { INTERVAL_DUMB };
        let of = self.total.map_or(String::new(), |total| format!(" of {total}"));
        let line = format!("… {}: {}{of}", self.what, self.done);
        self.output.write_progress(&line, self.rewrites);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.output.clear_progress();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::style::Style;
    use std::sync::{Arc, Mutex};

    fn shown(style: Style, rewrites: bool, work: impl FnOnce(&Output, &mut Progress)) -> String {
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let output = Output::to(style, Arc::new(Mutex::new(Vec::new())), stderr.clone());
        let mut progress = Progress::new(&output, "verifying a\x1b[31m".into(), Some(9));
        progress.rewrites = rewrites;
        progress.advance(1); // too early for a word
        progress.next_at = Instant::now();
        work(&output, &mut progress);
        drop(progress);
        let shown = stderr.lock().unwrap().clone();
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn the_line_is_written_over_and_gone_before_anything_else() {
        let person = Style { stderr_terminal: true, ..Style::default() };
        let told = shown(person, true, |output, progress| {
            progress.advance(2);
            output.note("a word");
            progress.next_at = Instant::now();
            progress.advance(1);
            progress.advance(1); // too soon
        });
        assert_eq!(
            told,
            "\r\x1b[K… verifying a[31m: 3 of 9\r\x1b[Ka word\n\r\x1b[K… verifying a[31m: 4 of 9\r\x1b[K"
        );
        let json = Style { json: true, ..person };
        let failure = crate::exit::Failure::invalid("no");
        let told = shown(json, true, |output, progress| {
            progress.advance(1);
            output.failure(&failure);
        });
        assert!(
            told.ends_with("\r\x1b[K{\"error\":{\"code\":\"invalid\",\"message\":\"no\"}}\n"),
            "{told:?}"
        );
    }

    #[test]
    fn a_plain_terminal_gets_whole_lines_and_a_file_gets_nothing() {
        let person = Style { stderr_terminal: true, ..Style::default() };
        assert_eq!(shown(person, false, |_, progress| progress.advance(1)), "… verifying a[31m: 2 of 9\n");
        assert_eq!(shown(Style::default(), true, |_, progress| progress.advance(1)), "");
    }
}
