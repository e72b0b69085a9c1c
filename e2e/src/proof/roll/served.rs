//! Who made or served how much. What nobody used proves nothing: each process of either release must come to [`ENOUGH`].

use super::Release;
use crate::fleet::Member;
use anyhow::Context;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use tokio::time::Instant;

/// Operations that each process makes or serves, at the least.
pub const ENOUGH: usize = 100;
/// Of what a node answers so many a second are the leader's checks, at the most: it asks once a second, and two agents may each think
/// that they lead.
const CHECKS_A_SECOND: usize = 2;

/// What one process did in its life.
#[derive(Debug, Clone, PartialEq)]
pub struct Served {
    pub process: String,
    pub release: String,
    pub amount: usize,
    /// `requests answered`, `articles shown`.
    pub of: &'static str,
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { process, release, amount, of } = self;
        write!(f, "{process} of {release}, {amount} {of}")
    }
}

/// The life of a server's process: counted by the breaker in front of it, whatever its release tells of itself.
pub struct Life {
    pub name: String,
    pub release: String,
    begun: Instant,
    before: usize,
}

impl Life {
    pub fn begin(member: &Member, release: &Release) -> Self {
        let (name, release) = (member.name.clone(), release.name.clone());
        Self { name, release, begun: Instant::now(), before: member.front.answered() }
    }

    /// Requests that it answered to clients so far: nodes reach agents another way, and checks are taken off.
    pub fn served(&self, member: &Member) -> usize {
        let is_checked = member.inner.is_none();
        let checks = if is_checked { self.begun.elapsed().as_secs() as usize * CHECKS_A_SECOND } else { 0 };
        (member.front.answered() - self.before).saturating_sub(checks)
    }

    pub fn end(&self, member: &Member) -> Served {
        let (process, release) = (self.name.clone(), self.release.clone());
        Served { process, release, amount: self.served(member), of: "requests answered" }
    }
}

/// What a load and its clients did, by the history that it wrote. Read as another release may have written it: what is not known is
/// nothing to count.
pub fn of_history(release: &str, path: &Path) -> anyhow::Result<Vec<Served>> {
    let file = File::open(path).with_context(|| format!("no history in {}", path.display()))?;
    let mut entries = vec![];
    for line in BufReader::new(file).lines() {
        entries.push(serde_json::from_str(&line?)?);
    }
    Ok(of_entries(release, &entries))
}

fn of_entries(release: &str, entries: &[Value]) -> Vec<Served> {
    let (mut operations, mut posts) = (0, 0);
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in entries {
        let operation = &entry["operation"];
        let is_done = ["posted", "unread"].iter().any(|outcome| operation["outcome"].get(outcome).is_some());
        if operation["is_attempt"] == false && (is_done || operation["outcome"] == "done") {
            let is_process = own_name(&operation["who"]).is_some_and(|who| who.starts_with("poster "));
            *(if is_process { &mut posts } else { &mut operations }) += 1;
        }
        let delivery = &entry["delivery"];
        if delivery["by"] == "client"
            && let Some(reader) = own_name(&delivery["reader"])
        {
            *shown.entry(reader).or_default() += delivery["articles"].as_array().map_or(0, Vec::len);
        }
    }
    let one = |process: String, amount, of| Served { process, release: release.into(), amount, of };
    let mut served = vec![
        one("the load's own process".into(), operations, "operations"),
        one("`gaceta post`, a process each".into(), posts, "posts"),
    ];
    let of_watcher = |(reader, amount): (&str, usize)| {
        one(format!("`gaceta follow` of {reader}"), amount, "articles shown")
    };
    served.extend(shown.into_iter().map(of_watcher));
    served
}

/// `watcher 3` of `proof 7 6af3 watcher 3`.
fn own_name(name: &Value) -> Option<&str> {
    let name = name.as_str()?;
    let start = name.rmatch_indices(' ').nth(1).map_or(0, |(at, _)| at + 1);
    Some(&name[start..])
}

pub fn table(served: &[Served]) -> String {
    let mut text = String::from("| process | release | made or served |\n| --- | --- | --- |\n");
    for Served { process, release, amount, of } in served {
        text += &format!("| {process} | {release} | {amount} {of} |\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_history_is_counted_by_whom_made_it() {
        let operation = |who: &str, is_attempt: bool, outcome: Value| json!({"operation": {"who": format!("proof 7 6af3 {who}"), "is_attempt": is_attempt, "outcome": outcome}});
        let shown = |by: &str, articles: Value| json!({"delivery": {"by": by, "reader": "proof 7 6af3 watcher 3", "articles": articles}});
        let entries = [
            json!({"run": {"name": "against", "seed": 7}}),
            operation("writer 1", false, json!({"posted": {"seq": 1, "duplicate": false}})),
            operation("reader 1", false, json!("done")),
            operation("writer 1", true, json!("done")),
            operation("writer 1", false, json!({"failed": "denied"})),
            operation("poster 0", false, json!({"posted": {"seq": 2, "duplicate": false}})),
            shown("client", json!([{}, {}])),
            shown("client", json!([{}])),
            shown("follow", json!([{}])),
            json!({"of a later release": {}}),
        ];
        let amounts: Vec<(String, usize)> =
            of_entries("old 0.1.0", &entries).into_iter().map(|one| (one.process, one.amount)).collect();
        let expected = [
            ("the load's own process", 2),
            ("`gaceta post`, a process each", 1),
            ("`gaceta follow` of watcher 3", 3),
        ];
        assert_eq!(amounts, expected.map(|(process, amount)| (process.to_owned(), amount)));
    }
}
