//! What must hold between settings, whatever each of them allows by itself. Judged on the whole set that would result.

use super::definitions::{Definition, Settings, find};
use super::values::Value;

/// `high_times × high ≥ low_times × low`.
struct Ratio {
    high: &'static str,
    high_times: i64,
    low: &'static str,
    low_times: i64,
}

const RATIOS: &[Ratio] = &[
    // Two renewals may be lost before the lease is.
    Ratio { high: "lease_ttl_ms", high_times: 1, low: "lease_renewal_ms", low_times: 3 },
    // What is read must not be kept longer than what is not.
    Ratio { high: "keep_unread_s_max", high_times: 1, low: "keep_for_s", low_times: 1 },
    // Who waits must not be forgotten meanwhile.
    Ratio { high: "password_forget_s", high_times: 1, low: "password_wait_ms_max", low_times: 1 },
    // The series of each node stays a table that is read in a moment.
    Ratio { high: "sample_interval_ms", high_times: 20_000, low: "sample_keep_s", low_times: 1 },
];

/// How long a node may be silent before it is out, `check_interval_ms × check_misses_max`: a pause shorter than this happens to
/// healthy nodes, and longer than that clients are sent to dead ones.
const SILENCE_MS_MIN: i64 = 1_000;
const SILENCE_MS_MAX: i64 = 30_000;
const CHECKS: [&str; 2] = ["check_interval_ms", "check_misses_max"];

/// A rule that does not hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken {
    pub names: [&'static str; 2],
    /// The one of them that was changed.
    pub name: &'static str,
    /// A sentence that begins with the name of the setting that was changed, and says what it may be.
    pub text: String,
}

/// `is_changed` says which settings somebody wants to have otherwise: he is told of those.
pub fn broken(settings: &Settings, is_changed: impl Fn(&str) -> bool) -> Vec<Broken> {
    let ratios = RATIOS.iter().filter_map(|ratio| ratio.broken(settings, &is_changed));
    ratios.chain(checks_broken(settings, &is_changed)).collect()
}

impl Ratio {
    fn broken(&self, settings: &Settings, is_changed: &impl Fn(&str) -> bool) -> Option<Broken> {
        let (high, high_base) = number(self.high, settings)?;
        let (low, low_base) = number(self.low, settings)?;
        let (high_side, low_side) = (self.high_times * high_base, self.low_times * low_base);
        if high_side >= low_side {
            return None;
        }
        let is_low_told = is_changed(self.low) && !is_changed(self.high);
        let text = if is_low_told {
            let bound = high_side / self.low_times / low.unit().base();
            told(low, "most", "less", bound, (self.high_times, self.low_times), high, settings)
        } else {
            let bound = div_ceil(low_side, self.high_times * high.unit().base());
            told(high, "least", "more", bound, (self.low_times, self.high_times), low, settings)
        };
        let name = if is_low_told { self.low } else { self.high };
        Some(Broken { names: [self.high, self.low], name, text })
    }
}

fn told(
    one: &Definition,
    most: &str,
    less: &str,
    bound: i64,
    times: (i64, i64),
    other: &Definition,
    settings: &Settings,
) -> String {
    let ratio = match times {
        (1, 1) => String::new(),
        (times, 1) => format!("{times} × "),
        (times, parts) => format!("{times}/{parts} of "),
    };
    let (bound, is) = (one.unit().show(bound), one.text(one.get(settings)));
    let (other_name, other_is) = (other.name, other.text(other.get(settings)));
    format!("{} must be at {most} {ratio}{other_name} ({other_is}): {bound} or {less}, not {is}", one.name)
}

fn checks_broken(settings: &Settings, is_changed: &impl Fn(&str) -> bool) -> Option<Broken> {
    let (interval_ms, misses) = (settings.check_interval_ms, settings.check_misses_max);
    let silence_ms = interval_ms * misses;
    if (SILENCE_MS_MIN..=SILENCE_MS_MAX).contains(&silence_ms) {
        return None;
    }
    let [interval, count] = CHECKS;
    let changed = if is_changed(count) && !is_changed(interval) { count } else { interval };
    let other = if changed == interval { count } else { interval };
    let shown = |ms| super::values::Unit::Milliseconds.show(ms);
    let text = format!(
        "{changed} times {other} must be {} to {}, not {misses} × {} = {}",
        shown(SILENCE_MS_MIN),
        shown(SILENCE_MS_MAX),
        shown(interval_ms),
        shown(silence_ms),
    );
    Some(Broken { names: CHECKS, name: changed, text })
}

/// In the smallest unit, so that seconds and milliseconds compare. `None` where there is no limit.
fn number(name: &str, settings: &Settings) -> Option<(&'static Definition, i64)> {
    let definition = find(name)?;
    match definition.get(settings) {
        Value::Number(number) => Some((definition, number * definition.unit().base())),
        Value::Forever | Value::Switch(_) => None,
    }
}

fn div_ceil(number: i64, by: i64) -> i64 {
    (number + by - 1) / by
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(change: impl Fn(&mut Settings), changed: &[&str]) -> Vec<String> {
        let mut settings = Settings::default();
        change(&mut settings);
        broken(&settings, |name| changed.contains(&name)).into_iter().map(|broken| broken.text).collect()
    }

    #[test]
    fn the_defaults_break_no_rule_and_the_rules_name_settings() {
        assert_eq!(told(|_| {}, &[]), Vec::<String>::new());
        let names = RATIOS.iter().flat_map(|ratio| [ratio.high, ratio.low]).chain(CHECKS);
        for name in names {
            assert!(find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn who_breaks_a_rule_is_told_what_is_allowed_for_what_he_changes() {
        assert_eq!(
            told(|s| s.lease_ttl_ms = 3_000, &["lease_ttl_ms"]),
            ["lease_ttl_ms must be at least 3 × lease_renewal_ms (1500ms): 4500ms or more, not 3s"]
        );
        assert_eq!(
            told(|s| s.lease_renewal_ms = 3_000, &["lease_renewal_ms"]),
            ["lease_renewal_ms must be at most 1/3 of lease_ttl_ms (6s): 2s or less, not 3s"]
        );
        assert_eq!(
            told(|s| s.keep_for_s = Some(2 * 365 * 86_400), &["keep_for_s"]),
            ["keep_for_s must be at most keep_unread_s_max (365d): 365d or less, not 730d"]
        );
        assert_eq!(
            told(|s| s.sample_interval_ms = 1_000, &["sample_interval_ms"]),
            ["sample_interval_ms must be at least 1/20000 of sample_keep_s (1d): 4320ms or more, not 1s"]
        );
        assert_eq!(
            told(|s| s.check_misses_max = 60, &["check_misses_max"]),
            ["check_misses_max times check_interval_ms must be 1s to 30s, not 60 × 1s = 1m"]
        );
        let both = |s: &mut Settings| (s.password_wait_ms_max, s.password_forget_s) = (90_500, 60);
        assert_eq!(
            told(both, &["password_wait_ms_max", "password_forget_s"]),
            ["password_forget_s must be at least password_wait_ms_max (90500ms): 91s or more, not 1m"]
        );
    }
}
