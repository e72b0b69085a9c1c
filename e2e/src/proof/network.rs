//! What only root can do: a node in a network namespace of its own, cut off by a firewall, and servers whose clocks are
//! wrong. Nothing outside the namespace changes but one pair of interfaces, which goes with it.

use super::scenarios::{row, worst};
use super::table::Row;
use crate::chaos::{Plan, run_with};
use crate::faults::during;
use crate::fleet::{Fleet, Seat};
use crate::load::Crowd;
use rustix::process::geteuid;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tokio::time::sleep;

pub const NAMES: [&str; 2] = ["firewall", "clocks"];

const CALM: Duration = Duration::from_secs(4);
/// Longer than three missed checks.
const CUT: Duration = Duration::from_secs(8);
/// A network that nobody else uses: RFC 2544 keeps 198.18/15 for measuring.
const HOST: Ipv4Addr = Ipv4Addr::new(198, 18, 77, 1);
const INSIDE: Ipv4Addr = Ipv4Addr::new(198, 18, 77, 2);
/// Where distributions put it.
const FAKETIME: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// What the firewall of the namespace is told: name, and the rules, each put in (`-A`) and taken out (`-D`).
const RULES: [(&str, &[&str]); 4] = [
    ("DROP both ways", &["INPUT -j DROP", "OUTPUT -j DROP"]),
    (
        "REJECT",
        &[
            "INPUT -p tcp -j REJECT --reject-with tcp-reset",
            "OUTPUT -p tcp -j REJECT --reject-with tcp-reset",
        ],
    ),
    ("DROP to the node", &["INPUT -j DROP"]),
    ("DROP from the node", &["OUTPUT -j DROP"]),
];

pub async fn run(name: &str, seed: u64) -> Vec<Row> {
    match name {
        "clocks" => vec![clocks(seed).await],
        _ => firewall(seed).await,
    }
}

/// A namespace with one pair of interfaces to here. Gone with this value.
struct Namespace(String);

impl Namespace {
    fn make() -> Result<Self, String> {
        if !geteuid().is_root() {
            return Err("not root".into());
        }
        let id = std::process::id();
        let namespace = Self(format!("gaceta-proof-{id}"));
        let (name, outer, inner) = (&namespace.0, format!("gap{id}a"), format!("gap{id}b"));
        for line in [
            format!("ip netns add {name}"),
            format!("ip link add {outer} type veth peer name {inner}"),
            format!("ip link set {inner} netns {name}"),
            format!("ip addr add {HOST}/30 dev {outer}"),
            format!("ip link set {outer} up"),
            format!("ip netns exec {name} ip addr add {INSIDE}/30 dev {inner}"),
            format!("ip netns exec {name} ip link set {inner} up"),
            format!("ip netns exec {name} ip link set lo up"),
            format!("ip netns exec {name} iptables -L -n"),
        ] {
            command(&line)?;
        }
        Ok(namespace)
    }

    fn seat(&self) -> Seat {
        Seat {
            host: IpAddr::V4(INSIDE),
            others: IpAddr::V4(HOST),
            is_bare: true,
            before: ["ip", "netns", "exec", &self.0].map(String::from).to_vec(),
            variables: vec![],
        }
    }

    fn firewall(&self, change: &str, rules: &[&str]) {
        for rule in rules {
            command(&format!("ip netns exec {} iptables {change} {rule}", self.0)).unwrap();
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = command(&format!("ip netns del {}", self.0)); // its interface goes with it, and with that the other end
    }
}

fn command(line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split(' ').collect();
    let ran = Command::new(words[0]).args(&words[1..]).output();
    let ran = ran.map_err(|error| format!("no {}: {error}", words[0]))?;
    let said = String::from_utf8_lossy(&ran.stderr);
    if ran.status.success() { Ok(()) } else { Err(format!("`{line}` fails: {}", said.trim())) }
}

fn plan(name: &str, seed: u64) -> Plan {
    let (name, crowd) = (name.replace(' ', "-"), Crowd::steady());
    Plan { name, seed, agents: 3, nodes: 4, time: Duration::ZERO, crowd }
}

async fn firewall(seed: u64) -> Vec<Row> {
    const TARGET: &str = "operations move within 5 s, nothing lost or missed";
    let namespace = match Namespace::make() {
        Ok(namespace) => namespace,
        Err(why) => {
            let skipped =
                |(name, _): &(&str, _)| Row::skipped(&format!("firewall: {name}"), TARGET, &why, seed);
            return RULES.iter().map(skipped).collect();
        }
    };
    let plan = plan("firewall", seed);
    let seat = |name: &str| if name == "node 1" { namespace.seat() } else { Seat::default() };
    let fleet = Fleet::start_seated(plan.agents, plan.nodes, seat).await;
    let client = fleet.database.client().await;
    let mut states: Vec<String> = vec![];
    let of = run_with(&plan, &fleet, async |recorder, _| {
        for (name, rules) in RULES {
            sleep(CALM).await;
            during(recorder, format!("node 1: {name}"), async {
                namespace.firewall("-A", rules);
                sleep(CUT).await;
                let state = "select state from nodes where address = $1 order by started_at desc limit 1";
                let address = fleet.nodes[0].advertised.to_string();
                states.push(client.query_one(state, &[&address]).await.unwrap().get(0));
                namespace.firewall("-D", rules);
            })
            .await;
        }
        sleep(CALM).await;
    })
    .await;
    let rows = RULES.iter().zip(&of.figures.faults).zip(&states).map(|(((name, _), fault), state)| {
        let measured = format!(
            "the node was {state}; slowest operation {} ms; no post for {} ms, nothing shown for {} ms",
            fault.slowest_ms, fault.without_post_ms, fault.without_read_ms
        );
        row(&plan, &format!("firewall: {name}"), &of, TARGET, measured, fault.slowest_ms <= 5_000)
    });
    rows.collect()
}

/// One agent and one node an hour late, another node an hour early: the database's clock counts.
async fn clocks(seed: u64) -> Row {
    const TARGET: &str = "nothing lost, doubled, out of order or missed";
    let Some(library) = FAKETIME.iter().find(|path| Path::new(path).exists()) else {
        return Row::skipped("clocks", TARGET, "no libfaketime", seed);
    };
    let shifted = |seconds: &str| {
        let variables =
            [("LD_PRELOAD", *library), ("FAKETIME", seconds), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Seat { variables, ..Seat::default() }
    };
    let plan = plan("clocks", seed);
    let seat = |name: &str| match name {
        "agent 1" | "node 1" => shifted("-3600"),
        "node 2" => shifted("+3600"),
        _ => Seat::default(),
    };
    let fleet = Fleet::start_seated(plan.agents, plan.nodes, seat).await;
    let of = run_with(&plan, &fleet, async |recorder, _| {
        during(recorder, "clocks an hour apart".into(), sleep(CUT)).await;
        during(recorder, "an agent that is right rolled".into(), async {
            fleet.agents[1].terminate().await;
            fleet.agents[1].begin().await;
        })
        .await;
        sleep(CALM).await;
    })
    .await;
    let measured = format!(
        "an agent and a node an hour late, a node an hour early: {} operations, {} violations; slowest {} ms",
        of.figures.succeeded,
        of.violations.len(),
        worst(&of.figures.faults, |fault| fault.slowest_ms)
    );
    let is_met = of.figures.failed.is_empty();
    row(&plan, "clocks", &of, TARGET, measured, is_met)
}
