//! The table of the long command, in Markdown, so that it can be kept as it is printed.

use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Met,
    Missed,
    /// It cannot be done here; the row says why.
    Skipped,
}

#[derive(Debug, Clone)]
pub struct Row {
    pub name: String,
    pub target: String,
    pub measured: String,
    pub verdict: Verdict,
    pub seed: u64,
    /// What does not fit a table: violations, and where the history is.
    pub detail: Option<String>,
}

impl Row {
    pub fn skipped(name: &str, target: &str, why: &str, seed: u64) -> Self {
        Self {
            name: name.into(),
            target: target.into(),
            measured: format!("skipped: {why}"),
            verdict: Verdict::Skipped,
            seed,
            detail: None,
        }
    }

    /// While the others still run.
    pub fn line(&self) -> String {
        let detail = self.detail.as_ref().map_or(String::new(), |detail| format!("\n{detail}"));
        match self.verdict {
            Verdict::Skipped => format!("  {} ({}){detail}", self.measured, self.target), // it says so itself
            _ => format!("  {}: {} ({}){detail}", self.verdict(), self.measured, self.target),
        }
    }

    fn verdict(&self) -> &'static str {
        match self.verdict {
            Verdict::Met => "met",
            Verdict::Missed => "NOT MET",
            Verdict::Skipped => "skipped",
        }
    }
}

pub fn table(rows: &[Row]) -> String {
    let mut text =
        String::from("| what | target | measured | | seed | date |\n| --- | --- | --- | --- | --- | --- |\n");
    for row in rows {
        let Row { name, target, measured, seed, .. } = row;
        let verdict = row.verdict();
        text += &format!("| {name} | {target} | {measured} | {verdict} | {seed} | {} |\n", today());
    }
    text
}

/// Like 2026-11-21, UTC.
fn today() -> String {
    let days = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 86_400;
    let (year, month, day) = civil(days as i64);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The Gregorian date of a day since 1970-01-01: years begin in March, so that a leap day is the last one.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    #[test]
    fn days_have_their_dates() {
        assert_eq!(super::civil(0), (1970, 1, 1));
        assert_eq!(super::civil(11_016), (2000, 2, 29));
        assert_eq!(super::civil(20_778), (2026, 11, 21));
    }
}
