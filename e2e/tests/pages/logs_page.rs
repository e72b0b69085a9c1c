//! `docs/logs.md` explains each line that a server can log at `warn` and above: each message in the sources has its row, with its
//! level and fields, and no row is of a line that is not there. And what it says of an outage is tried.
#![allow(clippy::unwrap_used)]

use db::private::Shutdown;
use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::programs;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// What can log in production.
const CRATES: [&str; 5] = ["agent", "node", "server", "wire", "db"];
/// The section of what a server prints before it exits, and the one of what others log: the rest is ours.
const EXITS: &str = "## Before a server exits";
const LIBRARIES: &str = "## What libraries log";

/// Level and fields of a message.
type Line = (String, BTreeSet<String>);

/// The sources below `directory`, without their tests.
fn sources(directory: &Path) -> Vec<String> {
    let mut found = vec![];
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            found.push(source.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned());
        }
    }
    found
}

fn all_sources() -> Vec<String> {
    CRATES.iter().flat_map(|name| sources(&Path::new(ROOT).join(name).join("src"))).collect()
}

/// The arguments of a macro's call that begins at its parenthesis, apart from each other.
fn arguments(call: &str) -> Vec<String> {
    let mut arguments = vec![String::new()];
    let (mut depth, mut is_text) = (0, false);
    let mut characters = call.chars();
    while let Some(character) = characters.next() {
        let argument = arguments.last_mut().unwrap();
        match character {
            '"' => is_text = !is_text,
            '\\' if is_text => {
                argument.push(character);
                argument.extend(characters.next());
                continue;
            }
            '(' | '[' | '{' if !is_text => depth += 1,
            ')' | ']' | '}' if !is_text => depth -= 1,
            ',' if !is_text && depth == 1 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth > 1 || character != '(' {
            argument.push(character);
        }
    }
    arguments.iter().map(|argument| argument.trim().to_owned()).filter(|one| !one.is_empty()).collect()
}

/// What the sources log at these levels: by message.
fn logged() -> BTreeMap<String, Line> {
    let mut lines = BTreeMap::new();
    for source in all_sources() {
        for level in ["warn", "error"] {
            for (at, call) in source.match_indices(&format!("{level}!(")) {
                let mut arguments = arguments(&source[at + level.len() + 1..]);
                let message = arguments.pop().unwrap();
                let text = message.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
                let text = text.unwrap_or_else(|| panic!("{call} without a message: {message}"));
                assert!(!text.contains('{'), "what varies belongs into a field: {text}");
                let field = |argument: &String| {
                    argument.split('=').next().unwrap().trim().trim_start_matches(['%', '?']).to_owned()
                };
                let line = (level.to_owned(), arguments.iter().map(field).collect());
                assert_eq!(lines.insert(text.to_owned(), line), None, "two lines say the same: {text}");
            }
        }
    }
    lines
}

/// The page's sections with these headings, and all others.
fn page() -> (String, String) {
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/logs.md")).unwrap();
    let (ours, rest) = page.split_once(EXITS).unwrap();
    let (exits, _) = rest.split_once(LIBRARIES).unwrap();
    (ours.to_owned(), exits.to_owned())
}

/// The cells of each row.
fn rows(section: &str) -> Vec<Vec<&str>> {
    let is_row = |line: &&str| line.starts_with("| `");
    section
        .lines()
        .filter(is_row)
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_line_at_warn_and_above_is_explained_and_no_other() {
    let (ours, _) = page();
    let mut explained = BTreeMap::new();
    for row in rows(&ours) {
        let [message, level, by, happened, what_to_do] = row[..] else { panic!("five cells: {row:?}") };
        let [message] = quoted(message)[..] else { panic!("one message: {message}") };
        assert!(!happened.is_empty() && !what_to_do.is_empty(), "{message}");
        let fields = quoted(by).into_iter().map(str::to_owned).collect();
        let line = (level.to_owned(), fields);
        assert_eq!(explained.insert(message.to_owned(), line), None, "twice: {message}");
    }
    let logged = logged();
    assert!(logged.len() > 20, "the lines were not found");
    for (message, line) in &logged {
        assert_eq!(explained.get(message), Some(line), "docs/logs.md, of `{message}`");
    }
    for message in explained.keys() {
        assert!(logged.contains_key(message), "nothing logs `{message}`");
    }
}

#[test]
fn what_a_server_says_before_it_exits_is_in_the_sources() {
    let (_, exits) = page();
    let sources = all_sources();
    let rows = rows(&exits);
    assert!(rows.len() > 5, "the table was not found");
    for row in rows {
        for words in quoted(row[0]) {
            assert!(sources.iter().any(|source| source.contains(words)), "nothing says `{words}`");
        }
    }
}

#[tokio::test]
async fn an_outage_is_told_when_it_begins_and_when_it_is_over_however_many_ask() {
    const REQUESTS: usize = 8;
    programs::directory();
    let cluster = db::testing::own_cluster().await;
    let deployment = Deployment::start_on(cluster.database().await, 1).await;
    let ana = deployment.reader("ana", "news").await;
    let servers = [&deployment.agent.process, &deployment.nodes[0].process];
    for (server, settings) in servers.iter().zip(["agent starts", "node starts"]) {
        let told = server.logged(settings).await;
        assert!(told.contains("version=") && told.contains("listen="), "{told}");
        assert!(!server.log().contains(&deployment.database.dsn), "the database's URL is a secret");
    }

    cluster.halt(Shutdown::Fast).await.unwrap();
    for _ in 0..REQUESTS {
        ana.fails("--timeout 500ms areas", 6).await;
    }
    for server in servers {
        server.logged("database unavailable").await;
    }
    cluster.resume().await.unwrap();
    for server in servers {
        let over = server.logged("database available again").await;
        let failures = over.split("failures=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        assert!(failures.parse::<u64>().unwrap() > 1, "{over}");
        let told = server.log().matches("database unavailable").count();
        assert_eq!(told, 1, "{}", server.log());
    }
}
