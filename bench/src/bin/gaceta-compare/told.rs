//! The figures of one run, as `gaceta-bench --json` tells them. A build from before they were there told µs an operation
//! only while it ran: those lines of its log are read in their place.

use anyhow::Context;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// Processor time of an operation, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Costs {
    pub load: f64,
    pub nodes: f64,
    pub postgres: f64,
}

impl Costs {
    /// What limits are about: the load's part is the clients'.
    pub fn servers(self) -> f64 {
        self.nodes + self.postgres
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// `B1`.
    pub id: String,
    /// Among the lines of its row.
    pub place: usize,
    pub name: String,
    /// What the row tells, and in what: a rate, or a time in `ms`.
    pub value: f64,
    pub unit: String,
    /// `None`: the build does not tell.
    pub operations_s: Option<f64>,
    pub us: Option<Costs>,
}

impl Figures {
    /// The value as something of which more is better.
    pub fn speed(&self) -> f64 {
        if self.unit == "ms" { 1.0 / self.value } else { self.value }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, unit, us, .. } = self;
        write!(f, "{value:.2} {unit}")?;
        match us {
            Some(us) => {
                write!(f, ", nodes {:.1}, PostgreSQL {:.1}, load {:.1} µs", us.nodes, us.postgres, us.load)
            }
            None => write!(f, ", µs not told"),
        }
    }
}

#[derive(Deserialize)]
struct Report {
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    name: String,
    value: Option<f64>,
    unit: String,
    note: Option<String>,
    #[serde(default)]
    operations_s: Option<f64>,
    #[serde(default)]
    us: Option<Costs>,
}

/// A line for each of a row's measurements.
pub fn figures(json: &[u8], log: &str) -> anyhow::Result<Vec<Figures>> {
    let report: Report = serde_json::from_slice(json)?;
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut logged = logged(log);
    report
        .rows
        .into_iter()
        .map(|row| {
            let place = places.entry(row.id.clone()).or_default();
            *place += 1;
            let why =
                || format!("{} was not measured: {}", row.name, row.note.as_deref().unwrap_or("no reason"));
            let value = row.value.with_context(why)?;
            let of_log = logged.get_mut(&row.id).and_then(|lines| lines.get(*place - 1)).copied();
            let Row { id, name, unit, operations_s, us, .. } = row;
            Ok(Figures { id, place: *place, name, value, unit, operations_s, us: us.or(of_log) })
        })
        .collect()
}

/// From lines like `12 s  round 1  B1 posts, 64 clients, processor time per post {"load": 69, "nodes": 46, "postgres": 60} µs: …`:
/// for each row and each of its lines, in the order in which they came, the medians of the rounds.
fn logged(log: &str) -> BTreeMap<String, Vec<Costs>> {
    let mut rows: BTreeMap<String, Vec<(String, Vec<Costs>)>> = BTreeMap::new();
    for line in log.lines() {
        let Some((_, told)) = line.split_once("  round ") else { continue };
        let Some((what, costs)) = told.split_once(", processor time per ") else { continue };
        let what = what.split_once("  ").map_or(what, |(_round, what)| what);
        let Some(costs) = costs.find('{').zip(costs.find('}')).map(|(from, to)| &costs[from..=to]) else {
            continue;
        };
        let Ok(costs) = serde_json::from_str(costs) else { continue };
        let lines = rows.entry(what.split(' ').next().unwrap_or_default().into()).or_default();
        match lines.iter_mut().find(|(of, _)| of == what) {
            Some((_, rounds)) => rounds.push(costs),
            None => lines.push((what.into(), vec![costs])),
        }
    }
    rows.into_iter()
        .map(|(id, lines)| (id, lines.iter().map(|(_, rounds)| median(rounds)).collect()))
        .collect()
}

fn median(rounds: &[Costs]) -> Costs {
    let of = |part: fn(&Costs) -> f64| crate::ratio::median(rounds.iter().map(part).collect());
    Costs { load: of(|one| one.load), nodes: of(|one| one.nodes), postgres: of(|one| one.postgres) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"{"rows":[{"id":"B1","name":"64","value":9000.0,"unit":"posts/s","note":"p50"},
        {"id":"B1","name":"256","value":12000.0,"unit":"posts/s","note":null}]}"#;

    #[test]
    fn what_an_older_build_told_only_while_it_ran_is_read_from_its_log() {
        let mut log = String::from("   0 s  round 1  E 64 clients: 20000/s, p50 1.00 ms, p99 2.00 ms\n");
        for (round, postgres) in [(1, 60), (2, 90), (3, 61)] {
            for (clients, nodes) in [(64, 46), (256, 36)] {
                log += &format!(
                    "  12 s  round {round}  B1 posts, {clients} clients, processor time per post \
                     {{\"load\": 69, \"nodes\": {nodes}, \"postgres\": {postgres}}} µs: 9232/s, p50 6.70 ms, p99 12.40 ms\n"
                );
            }
        }
        let told = figures(OLD.as_bytes(), &log).unwrap();
        assert_eq!((told[0].place, told[1].place), (1, 2));
        assert_eq!(
            told[0].us,
            Some(Costs { load: 69.0, nodes: 46.0, postgres: 61.0 }),
            "the median of the rounds"
        );
        assert_eq!(told[1].us, Some(Costs { load: 69.0, nodes: 36.0, postgres: 61.0 }));
        assert_eq!(told[0].operations_s, None);
    }

    #[test]
    fn what_is_told_nowhere_is_missing_and_no_failure() {
        let told = figures(OLD.as_bytes(), "   9 s  round 1  B5 followers: p50 60.0 ms\n").unwrap();
        assert_eq!((told[0].us, told[0].operations_s), (None, None));
    }

    #[test]
    fn the_report_comes_first() {
        let new = r#"{"rows":[{"id":"B7","name":"one","value":0.5,"unit":"ms","note":null,"operations_s":1900.5,
            "us":{"load":1.5,"nodes":2.5,"postgres":3.5},"met":null,"later":[1]}]}"#;
        let told = figures(new.as_bytes(), "").unwrap();
        assert_eq!(told[0].us.unwrap().servers(), 6.0);
        assert_eq!((told[0].operations_s, told[0].speed()), (Some(1900.5), 2.0));
    }

    #[test]
    fn a_row_that_could_not_be_measured_says_why() {
        let none =
            r#"{"rows":[{"id":"B6","name":"memory","value":null,"unit":"KiB","note":"too few files"}]}"#;
        assert_eq!(
            figures(none.as_bytes(), "").unwrap_err().to_string(),
            "memory was not measured: too few files"
        );
    }
}
