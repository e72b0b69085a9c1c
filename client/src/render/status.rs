//! How the service is, a line for each server.

use super::layout::table;
use super::sanitise;
use super::style::{Shown, Style};
use crate::outcome::{Probe, Status};

/// Clocks that differ by less are nobody's business.
const CLOCK_MS_MAX: u64 = 2_000;

pub fn status(status: &Status, style: Style) -> Shown {
    let user = status.user.as_deref().unwrap_or("-");
    let line = |(name, value): (&str, &str)| format!("{name:<8}{}\n", sanitise::line(value));
    let mut data = [("context", status.context.as_str()), ("user", user)].map(line).concat();
    let agents = status.agents.iter().map(|agent| {
        let nodes =
            agent.nodes_live.zip(agent.nodes).map(|(live, all)| format!("{live} of {all} nodes live"));
        server_row("agent", &agent.probe, nodes)
    });
    let nodes = status.nodes.iter().map(|node| {
        let draining = node.draining.filter(|draining| *draining).map(|_| "draining".to_owned());
        server_row("node", &node.probe, draining)
    });
    let head = ["", "!ADDRESS", ">MS", ">DATABASE MS", "!VERSION", "!STATE"];
    data += &table(head, agents.chain(nodes).collect(), style);
    let mut shown = Shown::data(data);
    if status.nodes.is_empty() {
        let none_answers = status.agents.iter().all(|agent| agent.probe.error.is_some());
        shown.notes.push(match none_answers {
            true => "No agent answers, so where nodes are is not known.".into(),
            false => "No node is live.".into(),
        });
    }
    shown
}

fn server_row(kind: &str, probe: &Probe, state: Option<String>) -> [String; 6] {
    let number = |value: Option<u64>| value.map_or("-".into(), |value| value.to_string());
    let clock = probe.clock_ms.filter(|ms| ms.unsigned_abs() > CLOCK_MS_MAX).map(|ms| {
        let side = if ms > 0 { "ahead of" } else { "behind" };
        format!("its clock is {} s {side} this one", ms.unsigned_abs() / 1_000)
    });
    let well = probe.error.is_none().then(|| "ok".to_owned());
    let states: Vec<String> = probe.error.clone().into_iter().chain(well).chain(state).chain(clock).collect();
    [
        kind.into(),
        probe.address.clone(),
        probe.elapsed_ms.to_string(),
        number(probe.database_ms),
        probe.version.clone().unwrap_or_else(|| "-".into()),
        states.join(", "),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_told_of_when_it_is_off() {
        let probe = |clock_ms| Probe {
            address: "a:1".into(),
            error: None,
            elapsed_ms: 1,
            version: None,
            uptime_s: None,
            database_ms: None,
            clock_ms: Some(clock_ms),
        };
        let state = |clock_ms| server_row("node", &probe(clock_ms), None)[5].clone();
        assert_eq!(state(1_999), "ok");
        assert_eq!(state(600_400), "ok, its clock is 600 s ahead of this one");
        assert_eq!(state(-2_001), "ok, its clock is 2 s behind this one");
    }
}
