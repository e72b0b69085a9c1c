//! The page of `help` at the prompt: what somebody may do, a line each.

use super::layout::cut;
use super::sanitise;
use super::style::Style;
use crate::guide::{ADMINISTRATION, Entry};

/// The widest of each column on 80, with a blank between them: the test of the page holds it.
const COLUMNS_MAX: usize = 79;

const LAST_LINE: &str = "`help COMMAND` tells more, Tab completes, Ctrl-C cancels, Ctrl-D leaves.";

/// `area` stands in the examples.
pub fn page<'a>(entries: impl Iterator<Item = &'a Entry>, area: Option<&str>, style: Style) -> String {
    let rows: Vec<[String; 4]> = entries
        .map(|entry| {
            let example = sanitise::line(&entry.example(area));
            [entry.group.to_owned(), entry.usage(), entry.what.to_owned(), example]
        })
        .collect();
    // What only administrators do by itself: these commands are long, and have long examples.
    let width = |like: &str, column: usize| {
        let cells = rows.iter().filter(|row| (row[0] == ADMINISTRATION) == (like == ADMINISTRATION));
        cells.map(|row| sanitise::columns(&row[column])).max().unwrap_or(0)
    };
    let groups = rows.iter().map(|row| sanitise::columns(&row[0])).max().unwrap_or(0);
    let columns_max = style.terminal.unwrap_or(COLUMNS_MAX).saturating_sub(1);
    let mut page = String::new();
    let mut group = "";
    for row in &rows {
        let widths = [groups, width(&row[0], 1), width(&row[0], 2)];
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let cell = if column == 0 && cell == group { "" } else { cell };
            let padding = widths.get(column).map_or(0, |width| width + 1 - sanitise::columns(cell));
            line.extend([cell, &" ".repeat(padding)]);
        }
        group = &row[0];
        page += &(cut(line.trim_end(), columns_max, style) + "\n");
    }
    page + &cut(LAST_LINE, columns_max, style) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guide::entries;
    use wire::Role;

    #[test]
    fn every_page_fits_into_80_columns() {
        for role in [None, Some(Role::User), Some(Role::Admin)] {
            let page =
                page(entries(role), Some("ten-chars!"), Style { terminal: Some(200), ..Style::default() });
            for line in page.lines() {
                assert!(sanitise::columns(line) <= COLUMNS_MAX, "{line}");
            }
        }
    }
}
