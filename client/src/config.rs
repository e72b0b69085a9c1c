//! What a person has written down about where services are: `config.toml`. Read by every command, changed by `context`
//! alone, which leaves comments and everything else as they are.
//!
//! ```toml
//! context = "work"                          # the one that is used when nothing else is said
//!
//! [contexts.work]
//! agents = ["agents.example:8000"]
//! ```

use crate::exit::Failure;
use crate::service::files;
use crate::values::{parse_address, parse_context};
use anyhow::Context as _;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, value};

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)] // a misspelt `agent` would be a service that is silently not found
pub struct Config {
    /// The current context.
    pub context: Option<String>,
    #[serde(default)]
    pub contexts: BTreeMap<String, ContextConfig>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextConfig {
    /// `HOST:PORT`. Empty: those that the context's session was made through.
    #[serde(default)]
    pub agents: Vec<String>,
}

impl Config {
    /// An empty one when there is no file.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        match text(path)? {
            Some(text) => parse(&text, path),
            None => Ok(Self::default()),
        }
    }

    /// What is written about a context.
    pub fn agents(&self, context: &str) -> &[String] {
        self.contexts.get(context).map_or(&[], |context| &context.agents)
    }
}

/// Changes the file under `lock_path`, so that two commands do not undo each other's change. Nothing is written unless
/// what comes of it can be read again.
pub fn edit(path: &Path, lock_path: &Path, change: impl FnOnce(&mut DocumentMut)) -> Result<(), Failure> {
    let _lock = files::lock(lock_path)?;
    let before = text(path)?.unwrap_or_default();
    parse(&before, path)?;
    let mut document: DocumentMut = before.parse().map_err(|error| damaged(path, &error))?;
    change(&mut document);
    let after = document.to_string();
    parse(&after, path)?;
    if after != before {
        // Whoever keeps the file elsewhere and links it here finds it changed there.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        files::replace(&target, after.as_bytes())?;
    }
    Ok(())
}

pub fn set_current(document: &mut DocumentMut, name: Option<&str>) {
    match name {
        Some(name) => match document.get_mut("context") {
            // The comment behind the old value stays behind the new one.
            Some(Item::Value(old)) => {
                let decor = old.decor().clone();
                *old = name.into();
                *old.decor_mut() = decor;
            }
            _ => drop(document.insert("context", value(name))),
        },
        None => drop(document.remove("context")),
    }
}

pub fn set_agents(document: &mut DocumentMut, name: &str, agents: &[String]) {
    let contexts = document.entry("contexts").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true); // no `[contexts]` line above `[contexts.work]`
        Item::Table(table)
    });
    let empty = match contexts.is_inline_table() {
        true => value(InlineTable::new()),
        false => Item::Table(Table::new()),
    };
    let context = contexts.as_table_like_mut().map(|contexts| contexts.entry(name).or_insert(empty));
    if let Some(context) = context.and_then(Item::as_table_like_mut) {
        context.insert("agents", value(agents.iter().collect::<Array>()));
    }
}

pub fn remove(document: &mut DocumentMut, name: &str) {
    if let Some(contexts) = document.get_mut("contexts").and_then(Item::as_table_like_mut) {
        contexts.remove(name);
    }
}

fn text(path: &Path) -> anyhow::Result<Option<String>> {
    let Some(bytes) = files::read_if_there(path)? else { return Ok(None) };
    let text = String::from_utf8(bytes);
    text.map(Some).with_context(|| format!("{} is damaged: it is not UTF-8", path.display()))
}

fn parse(text: &str, path: &Path) -> Result<Config, Failure> {
    let config: Config = toml_edit::de::from_str(text).map_err(|error| damaged(path, &error))?;
    let wrong = |why: String| Failure::invalid(format!("{} is damaged: {why}", path.display()));
    if let Some(current) = &config.context {
        parse_context(current).map_err(|why| wrong(format!("context = {current:?}: {why}")))?;
    }
    for (name, context) in &config.contexts {
        parse_context(name).map_err(|why| wrong(format!("[contexts.{name:?}]: {why}")))?;
        for agent in &context.agents {
            parse_address(agent).map_err(|why| wrong(format!("agents of [contexts.{name}]: {why}")))?;
        }
    }
    Ok(config)
}

/// The parser's words, on one line: where (line and column) and what.
fn damaged(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    let told = error.to_string();
    let is_picture = |line: &&str| !line.trim_start().starts_with(|c: char| c == '|' || c.is_ascii_digit());
    let words: Vec<&str> = told.lines().filter(is_picture).collect();
    Failure::invalid(format!("{} is damaged: {}", path.display(), words.join(": ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(before: &str, change: impl FnOnce(&mut DocumentMut)) -> String {
        let dir = tempfile::tempdir().unwrap();
        let (path, lock) = (dir.path().join("config.toml"), dir.path().join("lock"));
        fs::write(&path, before).unwrap();
        edit(&path, &lock, change).unwrap();
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn what_a_person_wrote_survives_every_change() {
        let before = "# mine\ncontext = \"home\" # for now\n\n# the office\n[contexts.work]\nagents = [\"a:1\"] # old\n";
        let used = changed(before, |document| set_current(document, Some("work")));
        assert_eq!(used, before.replace("\"home\"", "\"work\""));
        let added = changed(before, |document| set_agents(document, "new", &["b:2".into(), "c:3".into()]));
        assert_eq!(added, format!("{before}\n[contexts.new]\nagents = [\"b:2\", \"c:3\"]\n"));
        let removed = changed(&added, |document| remove(document, "new"));
        assert_eq!(removed, before);
    }

    #[test]
    fn a_file_is_made_of_nothing() {
        let made = changed("", |document| {
            set_agents(document, "work", &["a:1".into()]);
            set_current(document, Some("work"));
        });
        assert_eq!(made, "context = \"work\"\n\n[contexts.work]\nagents = [\"a:1\"]\n");
    }

    #[test]
    fn a_damaged_file_is_told_with_its_line() {
        let told = |text: &str| parse(text, Path::new("config.toml")).unwrap_err().message;
        for (text, line) in [
            ("context = \"work\"\n[contexts.work\n", "line 2"),
            ("\n\nagent = 7\n", "line 3"),
            ("context = 7\n", "line 1"),
            ("[contexts.work]\nagents = \"a:1\"\n", "line 2"),
        ] {
            let told = told(text);
            assert!(told.starts_with("config.toml is damaged: "), "{told}");
            assert!(told.contains(line) && !told.contains('\n'), "{told}");
        }
        assert!(told("[contexts.work]\nagents = [\"nowhere\"]\n").contains("[contexts.work]"));
        assert!(told("context = \"../x\"\n").contains("../x"));
    }
}
