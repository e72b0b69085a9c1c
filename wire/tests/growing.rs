//! I14: whatever travels can grow. Holds the sources of the messages to it; what no macro makes is exempt by name, with a reason.

use std::collections::BTreeSet;
use std::path::Path;

/// Types that are written down as they are, for ever.
const EXEMPT: &[(&str, &str)] = &[
    ("AreaId", "a number: another kind of id would be another type"),
    ("Token", "32 bytes: what is not that is no token of ours"),
    ("Password", "text that a person typed: there is nothing to add to it"),
];

#[test]
fn i14_only_what_can_grow_travels() {
    let exempt: BTreeSet<&str> = EXEMPT.iter().map(|(name, _)| *name).collect();
    let mut seen = BTreeSet::new();
    let mut rigid = Vec::new();
    for (file, text) in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.contains("Serialize")) {
            let derived = line.trim_start().starts_with("#[derive(");
            let by_hand = line.contains("Serialize for ") || line.contains("Deserialize<'de> for ");
            // The macros themselves stand in this file, and so does the tail.
            if file.ends_with("growing.rs") || !(derived || by_hand) {
                continue;
            }
            let named = lines[at..].iter().find_map(|line| declared(line)).unwrap_or("");
            match exempt.contains(named) {
                true => seen.extend(exempt.get(named)),
                false => rigid.push(format!("{}:{}: {named}", file, at + 1)),
            }
        }
    }
    assert!(rigid.is_empty(), "these cannot grow, use record!, value!, choice! or closed!: {rigid:?}");
    assert_eq!(seen, exempt, "exempt, but gone");
}

/// The name in `pub struct Name` or `pub enum Name`.
fn declared(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("pub ")?;
    let rest = rest.strip_prefix("struct ").or_else(|| rest.strip_prefix("enum "))?;
    rest.split(|c: char| !c.is_alphanumeric()).next()
}

fn sources(directory: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("the sources can be listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read_to_string(&path).expect("a source")));
        }
    }
    found
}
