//! No circle of imports: where one file names what stands in another, that one names nothing, on no way, of the first. So each
//! can be read, and moved, without those above it. Read from the sources of the client and the agent.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A module, by its path from the crate: the crate itself is empty.
type Module = Vec<String>;
/// Which module names what of which.
type Arrows = BTreeMap<Module, BTreeMap<Module, BTreeSet<String>>>;

/// What is read of a module: without comments and unit tests.
fn sources(directory: &Path, module: &Module, found: &mut BTreeMap<Module, String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let inner: Module = module.iter().cloned().chain([name.clone()]).collect();
        if path.is_dir() {
            sources(&path, &inner, found);
        } else if !["main", "tests"].contains(&name.as_str()) {
            let is_root = ["lib", "mod"].contains(&name.as_str());
            let text = std::fs::read_to_string(&path).unwrap();
            found.insert(if is_root { module.clone() } else { inner }, code(&text));
        }
    }
}

fn code(text: &str) -> String {
    let end = text.match_indices("#[cfg(test)]\n").find(|(at, _)| {
        text[*at..]
            .lines()
            .nth(1)
            .is_some_and(|line| line.ends_with("mod tests {") || line.ends_with("mod tests;"))
    });
    let text = &text[..end.map_or(text.len(), |(at, _)| at)];
    text.lines().map(|line| line.split("//").next().unwrap().to_owned() + "\n").collect()
}

/// A path as it is written, with the paths of a `{…}` one by one; and what follows it.
fn paths(text: &str) -> (Vec<Vec<String>>, &str) {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        let mut found = Vec::new();
        loop {
            let (some, after) = paths(rest);
            found.extend(some);
            rest = after.trim_start();
            match rest.strip_prefix(',') {
                Some(after) => rest = after,
                None => return (found, rest.strip_prefix('}').unwrap_or(rest)),
            }
        }
    }
    let end = text.find(|c: char| !is_of_name(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        let is_glob = rest.starts_with('*');
        return (if is_glob { vec![vec!["*".to_owned()]] } else { vec![] }, rest.trim_start_matches('*'));
    }
    let (inner, rest) = match rest.strip_prefix("::") {
        Some(after) => paths(after),
        None => (
            vec![],
            rest.split_once(" as ")
                .filter(|(before, _)| before.is_empty())
                .map_or(rest, |(_, after)| after.trim_start_matches(is_of_name)),
        ),
    };
    let of_name = |inner: Vec<String>| std::iter::once(name.to_owned()).chain(inner).collect();
    (
        if inner.is_empty() { vec![vec![name.to_owned()]] } else { inner.into_iter().map(of_name).collect() },
        rest,
    )
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Every path in `text` that begins with `first`.
fn beginning(text: &str, first: &str) -> Vec<Vec<String>> {
    let first = format!("{first}::");
    let begins = text
        .match_indices(&first)
        .filter(|(at, _)| !text[..*at].ends_with(|c: char| is_of_name(c) || c == ':' || c == '.'));
    begins.flat_map(|(at, _)| paths(&text[at..]).0).collect()
}

fn arrows(sources: &BTreeMap<Module, String>) -> Arrows {
    let mut arrows = Arrows::new();
    for (module, text) in sources {
        // What a path may begin with, and where it leads.
        let mut firsts: BTreeMap<String, Module> =
            BTreeMap::from([("crate".into(), vec![]), ("self".into(), module.clone())]);
        if let Some((_, above)) = module.split_last() {
            firsts.insert("super".into(), above.to_vec());
        }
        let children =
            sources.keys().filter(|inner| inner.split_last().is_some_and(|(_, above)| above == module));
        firsts.extend(children.map(|inner| (inner.last().unwrap().clone(), inner.clone())));
        let mut done = BTreeSet::new();
        while let Some(first) = firsts.keys().find(|first| !done.contains(*first)).cloned() {
            for path in beginning(text, &first) {
                let mut at = firsts[&first].clone();
                let mut rest = &path[1..];
                while let Some((name, after)) = rest.split_first() {
                    let inner: Module = at.iter().cloned().chain([name.clone()]).collect();
                    match name.as_str() {
                        "super" => drop(at.pop()),
                        "self" => {}
                        _ if sources.contains_key(&inner) => at = inner,
                        _ => break,
                    }
                    rest = after;
                }
                match rest.first() {
                    Some(item) if at != *module => {
                        arrows.entry(module.clone()).or_default().entry(at).or_default().insert(item.clone());
                    }
                    Some(_) => {}
                    // A module itself: what is named of it counts.
                    None => drop(at.last().cloned().map(|name| firsts.entry(name).or_insert(at))),
                }
            }
            done.insert(first);
        }
    }
    arrows
}

fn reached<'a>(arrows: &'a Arrows, from: &'a Module) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(module) = next.pop() {
        next.extend(arrows.get(module).into_iter().flat_map(BTreeMap::keys).filter(|to| reached.insert(*to)));
    }
    reached
}

/// Each arrow of each circle, as a line.
fn circles(sources: &BTreeMap<Module, String>) -> Vec<String> {
    let arrows = arrows(sources);
    let mut told = Vec::new();
    for (from, named) in &arrows {
        for (to, names) in named {
            if reached(&arrows, to).contains(from) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                told.push(format!("{} -> {}: {}", from.join("::"), to.join("::"), names.join(", ")));
            }
        }
    }
    told
}

fn circles_of(crate_name: &str) -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(crate_name).join("src");
    let mut found = BTreeMap::new();
    sources(&directory, &vec![], &mut found);
    assert!(found.len() > 10, "{}", directory.display());
    circles(&found)
}

#[test]
fn the_client_has_no_circle_of_imports() {
    let circles = circles_of("client");
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn the_agent_has_no_circle_of_imports() {
    let circles = circles_of("agent");
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn a_circle_is_found_in_every_spelling() {
    let found = |files: &[(&str, &str)]| {
        let module =
            |path: &str| path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let sources = files.iter().map(|(path, text)| (module(path), code(text))).collect();
        circles(&sources)
    };
    assert_eq!(
        found(&[("a", "use crate::b::B;"), ("b", "fn f() { crate::a::f() }")]),
        ["a -> b: B", "b -> a: f"]
    );
    assert_eq!(
        found(&[
            ("a", "use crate::b::{self, c::{C, D as E}};"),
            ("b", ""),
            ("b::c", "use super::super::a;\nfn f() { a::f() }")
        ]),
        ["a -> b::c: C, D", "b::c -> a: f"]
    );
    // What a module hands on stands in it, and what it hands on it names.
    assert_eq!(found(&[("", "pub use a::A;"), ("a", "use crate::A;")]), [" -> a: A", "a -> : A"]);
    assert_eq!(
        found(&[("m", "mod a;\nfn f() { a::f() }"), ("m::a", "use super::*;")]),
        ["m -> m::a: f", "m::a -> m: *"]
    );
    let three = found(&[("a", "use crate::b::B;"), ("b", "use crate::c::C;"), ("c", "use crate::a::A;")]);
    assert_eq!(three.len(), 3, "{three:?}");
    let none = [
        ("a", "use crate::b::B;\n// crate::c::f\n"),
        ("b", "#[cfg(test)]\npub(super) mod tests {\nuse crate::a::f; }"),
        ("c", "use crate::a;"),
    ];
    assert_eq!(found(&none), Vec::<String>::new());
}
