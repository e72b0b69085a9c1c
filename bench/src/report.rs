//! The report: each row with what it must reach and what it should. [`table`] is what people read.

mod table;

pub use table::text;

use crate::costs::Costs;
use crate::figures::Figures;
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
    /// Operations in a second: requests that were answered; deliveries to followers. `null`: it does not count them.
    pub operations_s: Option<f64>,
    /// Processor time of each of them, in microseconds.
    pub us: Option<Costs>,
    /// The value as a multiple of what it is held against.
    pub ratios: BTreeMap<&'static str, f64>,
    pub must: String,
    pub goal: String,
    /// Each of them by itself.
    pub bars: Vec<Held>,
    /// The least that one of them has met. `null`: nothing was asked of it, or it could not be measured.
    pub met: Option<Met>,
    pub note: Option<String>,
}

/// One figure of a row, and what it must reach and should.
#[derive(Debug, Clone, Serialize)]
pub struct Held {
    /// With what it is; empty: the row's value.
    pub figure: String,
    pub must: String,
    pub goal: String,
    pub met: Option<Met>,
}

/// What a figure must reach, and what it should.
#[derive(Debug, Clone, Copy)]
pub enum Bar {
    AtLeast { must: Option<f64>, goal: Option<f64> },
    AtMost { must: Option<f64>, goal: Option<f64> },
    Below { must: Option<f64>, goal: Option<f64> },
}

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

    fn sign(self) -> &'static str {
        match self {
            Self::AtLeast { .. } => "≥",
            Self::AtMost { .. } => "≤",
            Self::Below { .. } => "<",
        }
    }

    fn limits(self) -> (Option<f64>, Option<f64>) {
        let (Self::AtLeast { must, goal } | Self::AtMost { must, goal } | Self::Below { must, goal }) = self;
        (must, goal)
    }

    fn reaches(self, value: f64, limit: f64) -> bool {
        match self {
            Self::AtLeast { .. } => value >= limit,
            Self::AtMost { .. } => value <= limit,
            Self::Below { .. } => value < limit,
        }
    }

    fn met(self, value: f64) -> Met {
        match self.limits() {
            (Some(must), _) if !self.reaches(value, must) => Met::No,
            (_, Some(goal)) if !self.reaches(value, goal) => Met::Must,
            _ => Met::Goal,
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
            operations_s: None,
            us: None,
            ratios: BTreeMap::new(),
            must: String::new(),
            goal: String::new(),
            bars: vec![],
            met: None,
            note: None,
        }
    }

    /// With the operations that were measured under this name, and what each of them cost.
    pub fn work(mut self, name: &str, figures: &Figures) -> Self {
        self.operations_s = figures.median(&format!("{name}.operations_s"));
        self.us = Costs::median(name, figures);
        self
    }

    /// Shows a ratio that nothing is asked of.
    pub fn compared(mut self, of: &'static str, ratio: Option<f64>) -> Self {
        if let Some(ratio) = ratio {
            self.ratios.insert(of, ratio);
            let (must, goal) = (String::new(), String::new());
            self.bars.push(Held { figure: format!("{ratio:.2} × {of}"), must, goal, met: None });
        }
        self
    }

    /// Holds a ratio against its bar. A peer that is not there asks nothing.
    pub fn ratio(mut self, of: &'static str, ratio: Option<f64>, bar: Bar) -> Self {
        if let Some(ratio) = ratio {
            self.ratios.insert(of, ratio);
        }
        let figure = ratio.map_or("?".into(), |ratio| format!("{ratio:.2}"));
        self.hold(format!("{figure} × {of}"), ratio, bar, &format!(" × {of}"))
    }

    /// Holds the value itself against its bar.
    pub fn bar(self, bar: Bar) -> Self {
        let (value, unit) = (self.value, self.unit);
        self.hold(String::new(), value, bar, &format!(" {unit}"))
    }

    /// Holds another figure of the same row against its bar.
    pub fn held(self, value: Option<f64>, bar: Bar, unit: &str) -> Self {
        let figure = value.map_or("?".into(), table::number);
        self.hold(format!("{figure}{unit}"), value, bar, unit)
    }

    fn hold(mut self, figure: String, value: Option<f64>, bar: Bar, unit: &str) -> Self {
        let (must, goal) = bar.limits();
        let limit =
            |limit: Option<f64>| limit.map_or(String::new(), |limit| format!("{} {limit}", bar.sign()));
        let (must, goal) = (limit(must), limit(goal));
        for (all, one) in [(&mut self.must, &must), (&mut self.goal, &goal)] {
            if !one.is_empty() {
                let comma = if all.is_empty() { "" } else { ", " };
                all.push_str(&format!("{comma}{one}{unit}"));
            }
        }
        let met = value.map(|value| bar.met(value));
        self.met = [self.met, met].into_iter().flatten().min();
        self.bars.push(Held { figure, must, goal, met });
        self
    }

    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

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
    fn the_json_has_what_others_read() {
        let mut figures = Figures::default();
        figures.take_work("B1.64", 9_100.0, Costs { load: 60.5, nodes: 36.0, postgres: 34.25 });
        let row = Row::new("B1", "posts", Some(9_000.0), "posts/s")
            .work("B1.64", &figures)
            .ratio("E", Some(0.4), Bar::at_least(0.35, 0.5))
            .compared("Redis", Some(0.8))
            .note("a note");
        let overload =
            Row::new("B12", "overload", None, "posts/s").held(None, Bar::below(100.0, 50.0), " ms busy");
        let report = Report {
            machine: Machine { cores: 2, ..Machine::default() },
            references: BTreeMap::from([("E_ops_s".into(), Some(22_500.0)), ("P_ops_s".into(), None)]),
            absent: BTreeMap::from([("P_ops_s".into(), "no pgbench".into())]),
            rows: vec![row, overload],
            nodes_table: vec![],
        };
        let json = serde_json::to_value(&report).unwrap_or_default();
        assert_eq!(json["machine"]["cores"], 2);
        assert_eq!(json["references"], serde_json::json!({ "E_ops_s": 22_500.0, "P_ops_s": null }));
        assert_eq!(json["absent"]["P_ops_s"], "no pgbench");
        let row = &json["rows"][0];
        assert_eq!(
            (&row["id"], &row["name"], &row["unit"]),
            (&"B1".into(), &"posts".into(), &"posts/s".into())
        );
        assert_eq!((&row["value"], &row["note"]), (&9_000.0.into(), &"a note".into()));
        assert_eq!(row["operations_s"], 9_100.0);
        assert_eq!(row["us"], serde_json::json!({ "load": 60.5, "nodes": 36.0, "postgres": 34.25 }));
        assert_eq!(row["ratios"], serde_json::json!({ "E": 0.4, "Redis": 0.8 }));
        assert_eq!((&row["must"], &row["goal"]), (&"≥ 0.35 × E".into(), &"≥ 0.5 × E".into()));
        assert_eq!(row["met"], "must");
        let overload = &json["rows"][1];
        assert_eq!((&overload["value"], &overload["met"]), (&Value::Null, &Value::Null));
        assert_eq!(overload["must"], "< 100 ms busy");
        assert_eq!((&overload["operations_s"], &overload["us"]), (&Value::Null, &Value::Null));
        let text = text(&report);
        assert!(text.contains("- P_ops_s absent: no pgbench (P: pgbench"), "{text}");
        assert!(text.contains("- B1: a note"), "{text}");
        assert!(text.contains("| B1 | posts | 60.5 | 36.0 | 34.2 |"), "{text}");
    }
}
