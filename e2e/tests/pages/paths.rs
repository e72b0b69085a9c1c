//! Paths that pages and comments name are there. What counts as a path:
//!
//! - a word that begins with a directory of the repository's root (`docs/errors.md`, `wire/src/`, `db/migrations/V*`): it is there;
//! - any other word that ends like a file or a directory of ours (`hub.rs`, `execute/follow.rs`, `pager/`): some path ends so;
//! - the target of a link of a page, seen from that page.
//!
//! Pages are read whole; of sources, only comments are.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// What is made here, and not kept.
const MADE: [&str; 2] = ["target", ".git"];
/// It tells of what was, also when that is gone.
const HISTORY: &str = "CHANGELOG.md";
/// What begins a comment in a source of this kind. Scripts have no ending.
const COMMENTS: [(&str, &str); 6] =
    [("rs", "//"), ("sql", "--"), ("toml", "#"), ("yml", "#"), ("sh", "#"), ("", "#")];
/// How a word ends that names a file.
const ENDINGS: [&str; 7] = [".rs", ".sql", ".md", ".toml", ".yml", ".sh", ".json"];
/// What people have in directories of their own.
const THEIRS: [&str; 5] = ["config.toml", "settings.toml", "contexts/", "drafts/", "outbox/"];

/// All files, as paths from the root.
fn files(below: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !MADE.iter().any(|made| path.ends_with(made)) {
            files(&path, found);
        } else if path.is_file() {
            found.insert(path.strip_prefix(ROOT).unwrap().to_str().unwrap().to_owned());
        }
    }
}

struct Repository {
    files: BTreeSet<String>,
    /// With all directories above the files.
    directories: BTreeSet<String>,
}

impl Repository {
    fn read() -> Self {
        let mut found = BTreeSet::new();
        files(Path::new(ROOT), &mut found);
        let above = |file: &String| {
            let above = Path::new(file).ancestors().skip(1).map(|path| path.to_str().unwrap().to_owned());
            above.filter(|path| !path.is_empty()).collect::<Vec<_>>()
        };
        Self { directories: found.iter().flat_map(above).collect(), files: found }
    }

    fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let Some((start, end)) = path.split_once('*') else {
            return self.files.contains(path) || self.directories.contains(path);
        };
        let end = end.trim_matches('*');
        self.files.iter().any(|file| file.starts_with(start) && file[start.len()..].contains(end))
    }

    /// Whether this word of a page or comment is a path, and is not there.
    fn misses(&self, word: &str) -> bool {
        let first = word.split_once('/').map(|(first, _)| first);
        if first.is_some_and(|first| self.directories.contains(first)) {
            return !self.has(word);
        }
        if word.starts_with('/') || THEIRS.contains(&word) {
            return false;
        }
        let ours =
            |paths: &BTreeSet<String>, end: &str| paths.iter().any(|path| Path::new(path).ends_with(end));
        let stem = ENDINGS.iter().find_map(|ending| word.strip_suffix(ending));
        word.ends_with('/') && !ours(&self.directories, word)
            || stem.is_some_and(|stem| !stem.is_empty()) && !ours(&self.files, word)
    }
}

/// What of this file is for people: each line with its number from 1.
fn told<'a>(path: &str, text: &'a str) -> Vec<(usize, &'a str)> {
    let lines = text.lines().zip(1..).map(|(line, number)| (number, line));
    let ending = Path::new(path).extension().map_or("", |ending| ending.to_str().unwrap());
    if ending == "md" {
        return lines.collect();
    }
    let Some((_, mark)) = COMMENTS.iter().find(|(of, _)| *of == ending) else { return vec![] };
    let comment = |line: &'a str| match line.trim_start().starts_with(mark) {
        true => Some(line),
        false => line.rsplit_once(&format!(" {mark} ")).map(|(_, comment)| comment),
    };
    lines.filter_map(|(number, line)| comment(line).map(|comment| (number, comment))).collect()
}

/// The words of a line that could be paths.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let apart = |character: char| character.is_whitespace() || "`'\"()[]<>{},;|=".contains(character);
    let words = line.split(apart).filter(|word| !word.contains("://"));
    words.map(|word| word.trim_end_matches(['.', ':', '!', '?', '…']))
}

/// Each path of this file that is not there, with its place.
fn broken(repository: &Repository, path: &str) -> Vec<String> {
    // What is no text has no words.
    let Ok(text) = fs::read_to_string(Path::new(ROOT).join(path)) else { return vec![] };
    let directory = Path::new(ROOT).join(Path::new(path).parent().unwrap());
    let mut broken = vec![];
    for (number, line) in told(path, &text) {
        let is_page = path.ends_with(".md");
        // A target is seen from the page, whatever else it looks like.
        let parts = line.split("](").enumerate();
        for (index, part) in parts {
            let (target, rest) = part.split_once(')').filter(|_| is_page && index > 0).unwrap_or(("", part));
            let target = target.split('#').next().unwrap();
            let is_lost = !target.contains("://") && !directory.join(target).exists();
            let missed = words(rest).filter(|word| repository.misses(word));
            broken.extend(
                missed.chain(is_lost.then_some(target)).map(|word| format!("{path}:{number}: {word}")),
            );
        }
    }
    broken
}

#[test]
fn paths_that_pages_and_comments_name_are_there() {
    let repository = Repository::read();
    let paths = repository.files.iter().filter(|path| *path != HISTORY);
    let broken: Vec<String> = paths.flat_map(|path| broken(&repository, path)).collect();
    assert!(broken.is_empty(), "these are not there:\n{}", broken.join("\n"));
}
