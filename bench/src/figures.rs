//! What was measured, by name, once for each round; what is told is the median of the rounds.

use crate::costs::Costs;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Figures {
    taken: BTreeMap<String, Vec<f64>>,
    /// What could not be measured, and why.
    absent: BTreeMap<String, String>,
}

impl Figures {
    pub fn take(&mut self, name: impl Into<String>, value: f64) {
        self.taken.entry(name.into()).or_default().push(value);
    }

    /// Operations of a row in a second, and what each of them cost.
    pub fn take_work(&mut self, name: &str, operations_s: f64, costs: Costs) {
        self.take(format!("{name}.operations_s"), operations_s);
        costs.take(name, self);
    }

    /// Whether it was measured in this round already.
    pub fn has_round(&self, name: &str, round: usize) -> bool {
        self.taken.get(name).is_some_and(|values| values.len() > round)
    }

    /// The median of the rounds; the lower one of two in the middle. `None`: never measured.
    pub fn median(&self, name: &str) -> Option<f64> {
        let mut values = self.taken.get(name)?.clone();
        values.sort_by(f64::total_cmp);
        values.get((values.len().checked_sub(1)?) / 2).copied()
    }

    /// One as a multiple of the other.
    pub fn ratio(&self, name: &str, of: &str) -> Option<f64> {
        Some(self.median(name)? / self.median(of)?)
    }

    pub fn missing(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.absent.insert(what.into(), why.into());
    }

    pub fn why_missing(&self, what: &str) -> Option<&str> {
        self.absent.get(what).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::Figures;

    #[test]
    fn medians_and_ratios_are_of_what_was_taken() {
        let mut figures = Figures::default();
        for value in [3.0, 1.0, 2.0] {
            figures.take("a", value);
            figures.take("b.x", value * 2.0);
        }
        figures.take("c", 1.0);
        figures.take("c", 9.0);
        assert_eq!(figures.median("a"), Some(2.0));
        assert_eq!(figures.median("c"), Some(1.0), "of two, the lower");
        assert_eq!(figures.median("nothing"), None);
        assert_eq!(figures.ratio("a", "b.x"), Some(0.5));
    }
}
