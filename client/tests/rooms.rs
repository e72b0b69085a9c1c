//! `client/src/service/` speaks to the service without a person, so that other programs can use it: it names no other room of
//! the client, and nothing that needs a terminal.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use std::path::{Path, PathBuf};

const SERVICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/service");
/// Rooms of the client that its files may name: itself. A room that it needs moves in, or is told through `Tell`.
const ROOMS: [&str; 1] = ["service"];
/// What shows things to a person, or asks one.
const PERSON: [&str; 11] = [
    "clap",
    "rustyline",
    "termios",
    "anstream",
    "terminal_size",
    "stdin",
    "stdout",
    "stderr",
    "print!(",
    "println!(",
    "env::args",
];

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(sources(&path)) } else { found.push(path) }
    }
    found
}

/// The rooms that a line of code names, and what of a person.
fn named(line: &str) -> Vec<String> {
    let line = line.split("//").next().unwrap_or_default();
    let rooms = line.split("crate::").skip(1);
    let rooms = rooms.map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        rest[..end.unwrap_or(rest.len())].to_owned()
    });
    // What stands above the room is the client.
    let above = line.match_indices("super::super::").map(|(_, text)| text.to_owned());
    let person = PERSON.iter().filter(|word| line.contains(**word)).map(|word| (*word).to_owned());
    rooms.filter(|room| !ROOMS.contains(&room.as_str())).chain(above).chain(person).collect()
}

#[test]
fn what_speaks_to_the_service_names_no_other_room_and_no_person() {
    let files = sources(Path::new(SERVICE));
    assert!(files.len() >= 8, "{files:?}");
    let mut wrong = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        for (at, line) in text.lines().enumerate() {
            let names = named(line);
            if !names.is_empty() {
                wrong.push(format!("{}:{}: {names:?}", path.display(), at + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_looked_for_is_found() {
    assert_eq!(named("use crate::render::Output;"), ["render"]);
    assert_eq!(named("use crate::{exit, service};"), [""]); // write one line for each
    assert_eq!(named("let rows = super::super::window();"), ["super::super::"]);
    assert_eq!(named("    println!(\"{text}\");"), ["println!("]);
    assert_eq!(named("use crate::service::files; // and crate::render"), Vec::<String>::new());
}
