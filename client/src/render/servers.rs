//! Agents and nodes for administrators: tables, and how much they did over time as lines of small bars.

use super::layout::{moment, table};
use super::style::{Shown, Style};
use crate::values::duration_text;
use serde_json::Value;
use std::time::Duration;
use wire::{AgentDetails, Leader, Load, LoadSample, NodeDetails, NodeState, ServiceEvent};

/// Bars of a line where nobody's terminal says how wide it is, and the most on any: wider ones are not read better.
const BARS_DEFAULT: usize = 60;
const BARS_MAX: usize = 120;
/// What stands beside the bars.
const BESIDE_BARS_COLUMNS: usize = 42;

pub fn node_list(nodes: &[NodeDetails], events: &[ServiceEvent], style: Style) -> Shown {
    if nodes.is_empty() {
        return Shown::note("No node is registered: nobody can read or post until one is started.");
    }
    let row = |node: &NodeDetails| {
        // What one that is gone did last is nobody's load any more.
        let load = node.load.filter(|_| node.state == NodeState::Live);
        [
            node.address.clone(),
            state_of(node),
            moment(node.state_at_us, style),
            node.areas.to_string(),
            load.map_or("-".into(), |load| rate(requests_s(&load))),
            load.map_or("-".into(), |load| rate(load.followers)),
            node.version.clone(),
        ]
    };
    let head = ["!ADDRESS", "!STATE", "!SINCE", ">AREAS", ">REQ/S", ">FOLLOWERS", "!VERSION"];
    Shown::data(table(head, nodes.iter().map(row).collect(), style) + &events_table(events, style))
}

fn state_of(node: &NodeDetails) -> String {
    let state = node.state.name();
    if node.drained_at_us.is_some() { format!("{state}, drained") } else { state.into() }
}

pub fn agent_list(
    agents: &[AgentDetails],
    leader: Option<&Leader>,
    events: &[ServiceEvent],
    style: Style,
) -> Shown {
    let leads = |agent: &AgentDetails| leader.filter(|leader| leader.agent_id == agent.agent_id);
    let row = |agent: &AgentDetails| {
        let state = match leads(agent) {
            Some(leader) => format!("leads (epoch {})", leader.epoch),
            None if agent.live => "live".into(),
            None => "silent".into(),
        };
        let since = leads(agent).map_or(agent.started_at_us, |leader| leader.taken_at_us);
        [
            agent.address.clone(),
            state,
            moment(since, style),
            moment(agent.seen_at_us, style),
            agent.settings_version.map_or("-".into(), |version| version.to_string()),
            agent.version.clone(),
        ]
    };
    let head = ["!ADDRESS", "!STATE", "!SINCE", "!SEEN", ">SETTINGS", "!VERSION"];
    let mut shown =
        Shown::data(table(head, agents.iter().map(row).collect(), style) + &events_table(events, style));
    if leader.is_none() {
        shown.notes.push("Nobody leads at this moment: the next one takes over within seconds.".into());
    }
    shown
}

/// What happened last, under the table that it belongs to.
fn events_table(events: &[ServiceEvent], style: Style) -> String {
    let row = |event: &ServiceEvent| {
        [moment(event.at_us, style), event.kind.clone(), event.subject.clone(), detail_text(event)]
    };
    if events.is_empty() {
        return String::new();
    }
    "\n".to_owned() + &table(["!WHEN", "!WHAT", "WHOM", "DETAIL"], events.iter().map(row).collect(), style)
}

/// `3 areas`, `was live`: without ids, which are for programs and have their address beside them.
fn detail_text(event: &ServiceEvent) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str(&event.detail) else { return event.detail.clone() };
    let field = |(name, value): (&String, &Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match (name.as_str(), value.as_str()) {
            ("areas", "1") => "1 area".into(),
            ("areas", areas) => format!("{areas} areas"),
            ("quarters", quarters) => format!("share {quarters}/4"),
            (name, value) => format!("{} {value}", name.replace('_', " ")),
        }
    };
    // Which one it is that leads is told by its epoch, as in the table above.
    let epoch =
        event.epoch.filter(|_| event.kind.starts_with("leader.")).map(|epoch| format!("epoch {epoch}"));
    let told = fields.iter().filter(|(name, _)| !name.ends_with("_id")).map(field);
    epoch.into_iter().chain(told).collect::<Vec<String>>().join(", ")
}

pub fn load(span: Duration, samples: &[LoadSample], nodes: &[NodeDetails], style: Style) -> Shown {
    let Some(last) = samples.last() else {
        return Shown::note(format!(
            "Nothing was measured in the last {}: is a node live, and does an agent lead?",
            duration_text(span.as_secs())
        ));
    };
    let live = nodes.iter().filter(|node| node.state == NodeState::Live);
    let mut rows: Vec<[String; 9]> =
        live.filter_map(|node| node.load.map(|load| load_row(&node.address, &load))).collect();
    rows.push(load_row("mean", &last.mean));
    rows.push(load_row("sum", &last.sum));
    let head =
        ["NODE", ">POST/S", ">READ/S", ">FOLLOW/S", ">GIVEN/S", ">FOLLOWERS", ">OPEN", ">QUEUE", ">MIB"];
    let mut data = table(head, rows, style);
    let columns = style.terminal.map_or(BARS_DEFAULT, |columns| columns.saturating_sub(BESIDE_BARS_COLUMNS));
    let bars_max = columns.clamp(8, BARS_MAX);
    data += &format!("\nAll nodes together, {}:\n", measured(span, samples, style));
    let lines: [(&str, OfLoad); 5] = [
        ("posts/s", |load| load.posts_s),
        ("requests/s", requests_s),
        ("given/s", |load| load.deliveries_s),
        ("followers", |load| load.followers),
        ("memory MiB", mebibytes),
    ];
    for (name, of) in lines {
        let values: Vec<f64> = samples.iter().map(|sample| of(&sample.sum)).collect();
        let highest = values.iter().copied().fold(0.0, f64::max);
        let bars = bars(&thinned(&values, bars_max), highest, style.unicode);
        let now = rate(of(&last.sum));
        data += &format!("{name:<10}  {bars}  now {now}, highest {}\n", rate(highest));
    }
    let epochs: Vec<i64> = samples.iter().map(|sample| sample.epoch).collect();
    let mut shown = Shown::data(data);
    if let (Some(first), Some(last)) = (epochs.first(), epochs.last())
        && first != last
    {
        shown.notes.push(format!("Leaders changed meanwhile: epochs {first} to {last}."));
    }
    shown
}

/// How far back the lines of bars go: less than was asked for where nobody measured then, or it was forgotten.
fn measured(span: Duration, samples: &[LoadSample], style: Style) -> String {
    let [first, .., last] = samples else { return "measured once".into() };
    let measured_us = u128::from(last.at_us.saturating_sub(first.at_us).unsigned_abs());
    // The first and the last are not at the very ends of what was asked for.
    let slack_us = (span.as_micros() / 10).max(2 * measured_us / (samples.len() as u128 - 1));
    if measured_us + slack_us >= span.as_micros() {
        return format!("the last {}", duration_text(span.as_secs()));
    }
    format!("since {}", moment(first.at_us, style))
}

/// One figure of a load.
type OfLoad = fn(&Load) -> f64;

fn load_row(name: &str, load: &Load) -> [String; 9] {
    [
        name.into(),
        rate(load.posts_s),
        rate(load.reads_s),
        rate(load.follows_s),
        rate(load.deliveries_s),
        rate(load.followers),
        rate(load.connections),
        rate(load.queued_posts),
        rate(mebibytes(load)),
    ]
}

fn requests_s(load: &Load) -> f64 {
    load.posts_s + load.reads_s + load.follows_s + load.deletes_s + load.others_s
}

fn mebibytes(load: &Load) -> f64 {
    load.memory_bytes / (1024.0 * 1024.0)
}

/// With one decimal while that tells something.
fn rate(value: f64) -> String {
    if value == 0.0 || value >= 10.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

/// As many values as there is room for, each the highest of those that it stands for: a peak must not be averaged away.
fn thinned(values: &[f64], values_max: usize) -> Vec<f64> {
    if values.len() <= values_max {
        return values.to_vec();
    }
    let bounds = |bar: usize| bar * values.len() / values_max..(bar + 1) * values.len() / values_max;
    (0..values_max).map(|bar| values[bounds(bar)].iter().copied().fold(0.0, f64::max)).collect()
}

/// One character for each value, from nothing to the highest.
fn bars(values: &[f64], highest: f64, unicode: bool) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const ASCII: [char; 8] = ['_', '.', ':', '-', '=', '+', '*', '#'];
    let signs = if unicode { BLOCKS } else { ASCII };
    let sign = |value: &f64| {
        let part = if highest > 0.0 { value / highest } else { 0.0 };
        signs[((part * 7.0).round() as usize).min(7)]
    };
    values.iter().map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sanitise;

    const SCREEN: Style =
        Style { json: false, terminal: Some(80), colour: false, unicode: true, stderr_terminal: true };

    fn sample(nth: i64, posts_s: f64) -> LoadSample {
        let sum = Load { posts_s, memory_bytes: 50.0 * 1024.0 * 1024.0, ..Load::default() };
        let mean = Load { posts_s: posts_s / 2.0, memory_bytes: sum.memory_bytes / 2.0, ..sum };
        LoadSample { at_us: nth * 5_000_000, epoch: 3, nodes: 2, sum, mean }
    }

    fn node(address: &str) -> NodeDetails {
        NodeDetails {
            node_id: uuid::Uuid::nil(),
            address: address.into(),
            version: "0.1.0".into(),
            state: NodeState::Live,
            state_at_us: 0,
            started_at_us: 0,
            drained_at_us: None,
            areas: 1,
            settings_version: None,
            load: None,
            load_at_us: None,
        }
    }

    #[test]
    fn a_peak_is_seen_however_long_one_looks_back() {
        let mut values = vec![1.0; 1_000];
        values[777] = 70.0;
        let thin = thinned(&values, 40);
        assert_eq!((thin.len(), thin.iter().filter(|value| **value == 70.0).count()), (40, 1));
        let line = bars(&thin, 70.0, true);
        assert_eq!((line.chars().count(), line.matches('█').count(), line.matches('▁').count()), (40, 1, 39));
        assert_eq!(bars(&[0.0, 0.0], 0.0, false), "__");
        assert_eq!(thinned(&[1.0, 2.0], 40), [1.0, 2.0]);
    }

    #[test]
    fn much_load_fits_a_screen() {
        let samples: Vec<LoadSample> = (0..720).map(|nth| sample(nth, nth as f64 * 100.0)).collect();
        let shown = load(Duration::from_secs(3_600), &samples, &[], SCREEN).data;
        assert!(shown.lines().all(|line| sanitise::columns(line) <= 80), "{shown}");
        assert!(shown.contains("now 71900, highest 71900") && shown.contains("the last 1h"), "{shown}");
        let mean = shown.lines().find(|line| line.starts_with("mean")).unwrap();
        assert!(mean.ends_with(" 25"), "{mean}");
        assert!(load(Duration::from_secs(600), &[], &[], SCREEN).data.is_empty());
    }

    #[test]
    fn what_happened_is_told_without_ids() {
        let told = |kind: &str, detail: &str| {
            let (kind, detail) = (kind.to_owned(), detail.to_owned());
            let event =
                ServiceEvent { event_id: 1, at_us: 0, epoch: Some(7), kind, subject: "a:1".into(), detail };
            detail_text(&event)
        };
        assert_eq!(told("node.out", r#"{"node_id": "0199", "was": "live"}"#), "was live");
        assert_eq!(told("assignment.moved", r#"{"areas": 3}"#), "3 areas");
        assert_eq!(told("assignment.moved", r#"{"areas": 1}"#), "1 area");
        assert_eq!(told("node.weighed", r#"{"node_id": "0199", "quarters": 3}"#), "share 3/4");
        assert_eq!(told("leader.elected", r#"{"agent_id": "0199"}"#), "epoch 7");
        assert_eq!(told("node.live", "{}"), "");
        assert_eq!(told("node.live", "not JSON"), "not JSON");
    }

    #[test]
    fn a_span_that_nobody_measured_is_not_claimed() {
        let samples: Vec<LoadSample> = (0..120).map(|nth| sample(nth, 1.0)).collect();
        let piped = Style { terminal: None, ..SCREEN };
        assert_eq!(measured(Duration::from_secs(600), &samples, piped), "the last 10m");
        assert_eq!(measured(Duration::from_secs(3_600), &samples, piped), "since 1970-01-01T00:00:00Z");
        assert_eq!(measured(Duration::from_secs(60), &samples[..6], piped), "since 1970-01-01T00:00:00Z");
        assert_eq!(measured(Duration::from_secs(60), &samples[..12], piped), "the last 1m");
        assert_eq!(measured(Duration::from_secs(60), &samples[..1], piped), "measured once");
    }

    #[test]
    fn the_load_of_a_node_that_is_out_is_no_longer_told() {
        let busy = Load { posts_s: 77.0, followers: 9.0, ..Load::default() };
        let shown = |state| {
            let shown = node_list(&[NodeDetails { state, load: Some(busy), ..node("a:1") }], &[], SCREEN);
            shown.data
        };
        assert!(shown(NodeState::Live).contains("77") && shown(NodeState::Live).contains(" 9 "));
        let out = shown(NodeState::Out);
        assert!(!out.contains("77") && out.matches(" - ").count() == 2, "{out}");
    }

    #[test]
    fn a_row_of_every_figure_fits_80_columns() {
        let big = Load { posts_s: 12345.0, reads_s: 9999.0, memory_bytes: 9.9e8, ..Load::default() };
        let node = NodeDetails { load: Some(big), ..node("192.168.100.100:8005") };
        let shown = load(Duration::from_secs(600), &[sample(1, 1.0)], &[node], SCREEN).data;
        assert!(shown.lines().all(|line| sanitise::columns(line) <= 80), "{shown}");
    }

    #[test]
    fn numbers_are_as_exact_as_they_are_read() {
        assert_eq!([0.0, 0.25, 3.0, 9.96, 10.4, 1234.5].map(rate), ["0", "0.2", "3", "10.0", "10", "1234"]);
    }
}
