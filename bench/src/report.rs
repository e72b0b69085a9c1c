//! The table: each row with what it must reach and what it should.

use crate::machine::Machine;
use crate::rows::nodes;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug, Serialize)]
pub struct Report {
    pub machine: Machine,
    /// What Gaceta is held against, of the same run; `null` with the reason in `absent`.
    pub references: BTreeMap<String, Option<f64>>,
    pub absent: BTreeMap<String, String>,
    pub rows: Vec<Row>,
    /// All of B9; empty when it was not asked for.
    pub nodes_table: Vec<nodes::Point>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Met {
    No,
    Must,
    Goal,
}

#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub id: &'static str,
    pub name: String,
    /// `null`: it could not be measured, `note` says why.
    pub value: Option<f64>,
    pub unit: &'static str,
    /// The value as a multiple of what it is held against.
    pub ratios: BTreeMap<&'static str, f64>,
    pub must: String,
    pub goal: String,
    /// `null`: nothing was asked of it, or it could not be measured.
    pub met: Option<Met>,
    pub note: Option<String>,
}

/// What a figure must reach, and what it should.
#[derive(Debug, Clone, Copy)]
pub enum Bar {
    AtLeast { must: Option<f64>, goal: Option<f64> },
    AtMost { must: Option<f64>, goal: Option<f64> },
    Below { must: Option<f64>, goal: Option<f64> },
}

type Reaches = fn(f64, f64) -> bool;

impl Bar {
    pub const fn at_least(must: f64, goal: f64) -> Self {
        Self::AtLeast { must: Some(must), goal: Some(goal) }
    }

    pub const fn at_most(must: f64, goal: f64) -> Self {
        Self::AtMost { must: Some(must), goal: Some(goal) }
    }

    pub const fn below(must: f64, goal: f64) -> Self {
        Self::Below { must: Some(must), goal: Some(goal) }
    }

    fn parts(self) -> (&'static str, Reaches, Option<f64>, Option<f64>) {
        match self {
            Self::AtLeast { must, goal } => ("≥", |value, bar| value >= bar, must, goal),
            Self::AtMost { must, goal } => ("≤", |value, bar| value <= bar, must, goal),
            Self::Below { must, goal } => ("<", |value, bar| value < bar, must, goal),
        }
    }
}

impl Row {
    pub fn new(id: &'static str, name: impl Into<String>, value: Option<f64>, unit: &'static str) -> Self {
        Self {
            id,
            name: name.into(),
            value,
            unit,
            ratios: BTreeMap::new(),
            must: String::new(),
            goal: String::new(),
            met: None,
            note: None,
        }
    }

    /// Shows a ratio that nothing is asked of.
    pub fn compared(mut self, of: &'static str, ratio: Option<f64>) -> Self {
        if let Some(ratio) = ratio {
            self.ratios.insert(of, ratio);
        }
        self
    }

    /// Holds a ratio against its bar. A peer that is not there asks nothing.
    pub fn ratio(self, of: &'static str, ratio: Option<f64>, bar: Bar) -> Self {
        self.compared(of, ratio).held(ratio, bar, &format!(" × {of}"))
    }

    /// Holds the value itself against its bar.
    pub fn bar(self, bar: Bar) -> Self {
        let (value, unit) = (self.value, self.unit);
        self.held(value, bar, &format!(" {unit}"))
    }

    /// Holds another figure of the same row against its bar.
    pub fn held(mut self, value: Option<f64>, bar: Bar, unit: &str) -> Self {
        let (sign, reaches, must, goal) = bar.parts();
        for (text, bar) in [(&mut self.must, must), (&mut self.goal, goal)] {
            if let Some(bar) = bar {
                let comma = if text.is_empty() { "" } else { ", " };
                text.push_str(&format!("{comma}{sign} {bar}{unit}"));
            }
        }
        let Some(value) = value else { return self };
        let met = match (must, goal) {
            (Some(must), _) if !reaches(value, must) => Met::No,
            (_, Some(goal)) if !reaches(value, goal) => Met::Must,
            _ => Met::Goal,
        };
        self.met = Some(self.met.map_or(met, |before| before.min(met)));
        self
    }

    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// Markdown, so that it can be kept as it is printed.
pub fn text(report: &Report) -> String {
    let mut text = format!("{}\n\nReferences: ", report.machine);
    let references = report.references.iter().map(|(name, value)| match value {
        Some(value) => format!("{name} {}", number(*value)),
        None => format!("{name} absent ({})", report.absent.get(name).map_or("not measured", String::as_str)),
    });
    text += &references.collect::<Vec<_>>().join(" · ");
    text +=
        "\n\n| | what | measured | ratios | must | goal | |\n| --- | --- | --- | --- | --- | --- | --- |\n";
    for row in &report.rows {
        let Row { id, name, unit, must, goal, .. } = row;
        let value = row.value.map_or("not measured".into(), |value| format!("{} {unit}", number(value)));
        let ratios =
            row.ratios.iter().map(|(of, ratio)| format!("{ratio:.2} × {of}")).collect::<Vec<_>>().join(", ");
        let note = row.note.as_ref().map_or(String::new(), |note| format!(" ({note})"));
        let met = match row.met {
            None => "",
            Some(Met::No) => "NOT MET",
            Some(Met::Must) => "must",
            Some(Met::Goal) => "goal",
        };
        text += &format!("| {id} | {name}{note} | {value} | {ratios} | {must} | {goal} | {met} |\n");
    }
    text + &nodes_text(&report.nodes_table)
}

/// A line for each number of nodes, a column for each number of clients.
fn nodes_text(points: &[nodes::Point]) -> String {
    if points.is_empty() {
        return String::new();
    }
    let mut text = String::from("\nB9, requests/s (and the median time of one, in ms):\n\n| clients |");
    for clients in nodes::CLIENTS {
        text += &format!(" {clients} |");
    }
    text += &format!("\n| --- |{}\n", " --- |".repeat(nodes::CLIENTS.len()));
    for of_nodes in points.chunk_by(|a, b| a.nodes == b.nodes) {
        text += &format!("| nodes: {} |", of_nodes[0].nodes);
        for point in of_nodes {
            text += &format!(" {} ({}) |", number(point.ops_s), number(point.p50_ms));
        }
        text.push('\n');
    }
    text
}

/// Three digits or so, as people read them.
fn number(value: f64) -> String {
    match value {
        value if value >= 1_000.0 => {
            let whole = format!("{value:.0}");
            let mut grouped = String::new();
            for (place, digit) in whole.chars().enumerate() {
                if place > 0 && (whole.len() - place).is_multiple_of(3) {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            grouped
        }
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_met_the_least_of_its_bars() {
        let row = |e: f64, p: Option<f64>| {
            Row::new("B1", "posts", Some(9_000.0), "posts/s")
                .ratio("E", Some(e), Bar::at_least(0.35, 0.5))
                .ratio("P", p, Bar::AtLeast { must: None, goal: Some(1.2) })
        };
        assert_eq!(row(0.6, Some(1.3)).met, Some(Met::Goal));
        assert_eq!(row(0.6, Some(1.1)).met, Some(Met::Must));
        assert_eq!(row(0.34, Some(1.3)).met, Some(Met::No));
        assert_eq!(row(0.6, None).met, Some(Met::Goal), "a peer that is not there asks nothing");
        assert_eq!(
            (row(0.6, None).must, row(0.6, None).goal),
            ("≥ 0.35 × E".into(), "≥ 0.5 × E, ≥ 1.2 × P".into())
        );
        let late = Row::new("B5", "followers", Some(150.0), "ms").bar(Bar::below(150.0, 50.0));
        assert_eq!(late.met, Some(Met::No), "below is not at most");
    }

    #[test]
    fn numbers_are_read_by_people() {
        let told = [12_345.6, 999.9, 42.123, 0.456].map(number);
        assert_eq!(told, ["12,346", "1000", "42.1", "0.46"]);
    }
}
