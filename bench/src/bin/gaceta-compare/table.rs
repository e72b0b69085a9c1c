//! The answer: Markdown, so that it can be kept as it is printed.

use crate::ratio::{Interval, Ratio, median};
use crate::told::{Costs, Figures};

/// One line of a row, with all its pairs.
pub struct Line {
    pub id: String,
    pub place: usize,
    name: String,
    /// Of the old build and of the new one.
    pub pairs: Vec<(Figures, Figures)>,
}

impl Line {
    pub fn of(figures: &Figures) -> Self {
        let Figures { id, place, name, .. } = figures.clone();
        Self { id, place, name, pairs: vec![] }
    }

    /// Of something that both builds tell in every pair.
    fn ratio(&self, of: impl Fn(&Figures) -> Option<f64>) -> Option<Ratio> {
        let ratios: Option<Vec<f64>> =
            self.pairs.iter().map(|(old, new)| Some(of(new)? / of(old)?)).collect();
        ratios.map(Ratio::of)
    }

    /// Of operations in a second. Where a build does not count them, of what the row tells.
    fn throughput(&self) -> Option<Ratio> {
        self.ratio(|figures| figures.operations_s).or_else(|| self.ratio(|figures| Some(figures.speed())))
    }

    fn cost(&self, part: fn(Costs) -> f64) -> Option<Ratio> {
        self.ratio(|figures| figures.us.map(part))
    }

    /// Whether its cost is known, and not above the limit.
    pub fn keeps(&self, limit: f64) -> bool {
        self.cost(Costs::servers).is_some_and(|cost| cost.median <= limit)
    }

    /// Medians of both builds, in µs.
    fn told_us(&self) -> String {
        let of = |build: fn(&(Figures, Figures)) -> &Figures| {
            let all: Option<Vec<f64>> =
                self.pairs.iter().map(|pair| build(pair).us.map(Costs::servers)).collect();
            all.map_or("not told".into(), |all| format!("{:.1}", median(all)))
        };
        format!("{} → {}", of(|(old, _)| old), of(|(_, new)| new))
    }

    fn text(&self, limit: Option<f64>) -> String {
        let cells = [
            told(self.throughput()),
            told(self.cost(Costs::servers)),
            self.told_us(),
            told(self.cost(|us| us.nodes)),
            told(self.cost(|us| us.postgres)),
            told(self.cost(|us| us.load)),
        ];
        let verdict = limit.map_or(String::new(), |limit| {
            let is_known = self.cost(Costs::servers).is_some();
            let verdict = match (is_known, self.keeps(limit)) {
                (false, _) => "NOT TOLD",
                (true, true) => "kept",
                (true, false) => "OVER",
            };
            format!(" {verdict} |")
        });
        format!("| {} | {} | {} |{verdict}\n", self.id, self.name, cells.join(" | "))
    }
}

fn told(ratio: Option<Ratio>) -> String {
    let Some(Ratio { median, interval }) = ratio else { return "not told".into() };
    match interval {
        Some(Interval { low, high }) => format!("{median:.3} [{low:.3}, {high:.3}]"),
        None => format!("{median:.3}"),
    }
}

pub fn text(lines: &[Line], pairs: usize, limit: Option<f64>) -> String {
    let mut text = format!(
        "Ratios, new to old, of {pairs} pairs: the median [90 % interval of it]; µs are processor time of the servers for an \
         operation\n\n"
    );
    let limit_head = limit.map_or(String::new(), |limit| format!(" µs ≤ {limit} |"));
    let limit_rule = limit.map_or("", |_| " --- |");
    text +=
        &format!("| | what | throughput | µs | µs, old → new | nodes | PostgreSQL | load |{limit_head}\n");
    text += &format!("|{}{limit_rule}\n", " --- |".repeat(8));
    lines.iter().for_each(|line| text += &line.text(limit));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(value: f64, us: Option<f64>) -> Figures {
        Figures {
            id: "B5".into(),
            place: 1,
            name: "followers".into(),
            value,
            unit: "ms".into(),
            operations_s: us.map(|_| 1_000.0),
            us: us.map(|us| Costs { load: 10.0, nodes: us / 2.0, postgres: us / 2.0 }),
        }
    }

    fn line(pairs: Vec<(Figures, Figures)>) -> Line {
        Line { pairs, ..Line::of(&figures(1.0, None)) }
    }

    #[test]
    fn a_cost_is_kept_where_its_median_is_not_above_the_limit() {
        let of =
            |ratio: f64| line(vec![(figures(50.0, Some(100.0)), figures(50.0, Some(100.0 * ratio))); 12]);
        assert!(of(1.02).keeps(1.03) && !of(1.04).keeps(1.03));
        let text = text(&[of(1.04)], 12, Some(1.03));
        let row = "| B5 | followers | 1.000 [1.000, 1.000] | 1.040 [1.040, 1.040] | 100.0 → 104.0 | 1.040 [1.040, 1.040] | \
                   1.040 [1.040, 1.040] | 1.000 [1.000, 1.000] | OVER |";
        assert!(text.lines().any(|line| line == row), "{text}");
    }

    #[test]
    fn a_cost_that_one_build_does_not_tell_is_said_to_be_missing_and_keeps_no_limit() {
        let line = line(vec![(figures(50.0, None), figures(40.0, Some(100.0))); 12]);
        assert!(!line.keeps(10.0));
        let told = line.text(Some(1.03));
        assert!(
            told.starts_with("| B5 | followers | 1.250 [1.250, 1.250] | not told | not told → 100.0 |"),
            "{told}"
        );
        assert!(told.ends_with("| NOT TOLD |\n"), "{told}");
    }
}
