//! `docs/errors.md` says what is wrong and which test holds it: every row names one, and each is there.
#![allow(clippy::unwrap_used)]

use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// What is wrong, what one is told, code, exit code, what is kept, test.
const CELLS: usize = 6;

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Whether a file of the repository has this test.
fn has_test(path: &str, name: &str) -> bool {
    let source = std::fs::read_to_string(Path::new(ROOT).join(path));
    let source = source.unwrap_or_else(|error| panic!("{path}: {error}"));
    let lines: Vec<&str> = source.lines().collect();
    let declared = lines.iter().position(|line| line.contains(&format!("fn {name}(")));
    declared.is_some_and(|at| lines[..at].iter().rev().take(3).any(|line| line.contains("test]")))
}

#[test]
fn every_row_names_a_test_that_is_there() {
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/errors.md")).unwrap();
    let is_row =
        |line: &&str| line.starts_with("| ") && !line.starts_with("| what is") && !line.starts_with("| ---");
    let rows: Vec<&str> = page.lines().filter(is_row).collect();
    assert!(rows.len() > 30, "the table was not found");
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), CELLS, "{row}");
        assert!(matches!(cells[3].parse(), Ok(0..=7)), "an exit code: {row}");
        let [path, name] = quoted(cells[CELLS - 1])[..] else { panic!("a file and a test: {row}") };
        assert!(has_test(path, name), "{path} has no test {name}");
        for named in quoted(cells[CELLS - 2]).chunks(2) {
            assert!(has_test(named[0], named[1]), "{} has no test {}", named[0], named[1]);
        }
    }
}
