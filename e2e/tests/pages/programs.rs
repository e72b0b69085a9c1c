//! The programs of `e2e/tests/` are few, since each is linked with everything, and each runs all that lies in its directory.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
/// A program is 50 to 90 MB, and seconds of linking after each change.
const PROGRAMS_MAX: usize = 8;

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_programs_are_few_and_name_each_of_their_files() {
    let programs = entries(Path::new(TESTS));
    assert!(programs.len() <= PROGRAMS_MAX, "make it a module of another program: {programs:?}");
    for directory in programs.iter().filter(|program| program.is_dir()) {
        let main = fs::read_to_string(directory.join("main.rs")).unwrap();
        for file in entries(directory) {
            let name = file.file_stem().unwrap().to_str().unwrap();
            let is_named = name == "main" || main.lines().any(|line| line == format!("mod {name};"));
            assert!(is_named, "main.rs does not name {}: its tests do not run", file.display());
        }
    }
}
