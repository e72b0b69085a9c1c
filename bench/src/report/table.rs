//! What people read: Markdown, so that it can be kept as it is printed, and narrow enough for a terminal. What is held against a
//! bar has a line of its own; a long name goes on in them.

use super::{Held, Met, Report, Row};
use crate::costs::Costs;
use crate::references;
use crate::rows::nodes;

/// Of the table: a terminal beside another one.
const WIDTH: usize = 110;
const HEAD: [&str; 7] = ["", "what", "measured", "held against", "must", "goal", "met"];
const NAME: usize = 1;
/// For names, however wide everything else is.
const NAME_WIDTH_MIN: usize = 24;

type Line = [String; HEAD.len()];

pub fn text(report: &Report) -> String {
    let mut text = format!("{}\n", report.machine);
    if !report.references.is_empty() {
        text += "\nReferences of the same run:\n\n";
    }
    for (name, value) in &report.references {
        let why = || report.absent.get(name).map_or("not measured", String::as_str);
        let value = value.map_or_else(|| format!("absent: {}", why()), number);
        text += &format!("- {name} {value} ({})\n", references::meaning(name));
    }
    if report.rows.is_empty() {
        return text;
    }
    text += "\n";
    text += &table(&report.rows);
    let notes = report.rows.iter().filter_map(|row| Some(format!("- {}: {}\n", row.id, row.note.as_ref()?)));
    let notes: String = notes.collect();
    if !notes.is_empty() {
        text += &format!("\n{notes}");
    }
    text + &costs_text(&report.rows) + &nodes_text(&report.nodes_table)
}

/// What an operation costs, of the rows that count theirs.
fn costs_text(rows: &[Row]) -> String {
    let cost = |row: &Row| {
        let Costs { load, nodes, postgres } = row.us?;
        let [load, nodes, postgres] = [load, nodes, postgres].map(number);
        Some(format!("| {} | {} | {load} | {nodes} | {postgres} |\n", row.id, row.name))
    };
    let lines: String = rows.iter().filter_map(cost).collect();
    if lines.is_empty() {
        return lines;
    }
    let head = "| | what | load | nodes | PostgreSQL |\n| --- | --- | --- | --- | --- |";
    format!("\nProcessor time of an operation, in µs:\n\n{head}\n{lines}")
}

/// A line for each number of nodes, a column for each number of clients.
fn nodes_text(points: &[nodes::Point]) -> String {
    if points.is_empty() {
        return String::new();
    }
    let mut text = String::from("\nB9, requests/s (and the median time of one, in ms):\n\n| clients |");
    for clients in nodes::CLIENTS {
        text += &format!(" {clients} |");
    }
    text += &format!("\n| --- |{}\n", " --- |".repeat(nodes::CLIENTS.len()));
    for of_nodes in points.chunk_by(|a, b| a.nodes == b.nodes) {
        text += &format!("| nodes: {} |", of_nodes[0].nodes);
        for point in of_nodes {
            text += &format!(" {} ({}) |", number(point.ops_s), number(point.p50_ms));
        }
        text.push('\n');
    }
    text
}

fn table(rows: &[Row]) -> String {
    let mut widths = HEAD.map(|head| width(head).max(3)); // Markdown's rule has three dashes at the least
    let short: Vec<Vec<Line>> = rows.iter().map(|row| lines(row, usize::MAX)).collect();
    for line in short.iter().flatten() {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(self::width(cell));
        }
    }
    let others: usize = widths.iter().enumerate().filter(|(column, _)| *column != NAME).map(|(_, w)| w).sum();
    let between = HEAD.len() * 3 + 1;
    widths[NAME] = widths[NAME].min(WIDTH.saturating_sub(others + between).max(NAME_WIDTH_MIN));
    let print = |line: &Line| {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!(" {cell:width$} |"));
        format!("|{}\n", cells.collect::<String>())
    };
    let rule = format!("|{}\n", widths.map(|width| format!(" {} |", "-".repeat(width))).concat());
    let lines = rows.iter().flat_map(|row| lines(row, widths[NAME]));
    print(&HEAD.map(String::from)) + &rule + &lines.map(|line| print(&line)).collect::<String>()
}

/// As many as its name or its bars need.
fn lines(row: &Row, name_width: usize) -> Vec<Line> {
    let value = row.value.map_or("not measured".into(), |value| format!("{} {}", number(value), row.unit));
    let names = wrapped(&row.name, name_width);
    let count = names.len().max(row.bars.len());
    let mut lines = vec![Line::default(); count];
    (lines[0][0], lines[0][2]) = (row.id.into(), value);
    for (line, name) in lines.iter_mut().zip(names) {
        line[NAME] = name;
    }
    for (line, Held { figure, must, goal, met }) in lines.iter_mut().zip(&row.bars) {
        let met = met.map_or("", |met| match met {
            Met::No => "NO",
            Met::Must => "must",
            Met::Goal => "goal",
        });
        [line[3], line[4], line[5], line[6]] = [figure.clone(), must.clone(), goal.clone(), met.into()];
    }
    lines
}

/// At blanks; always at least one line.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        if lines[last].is_empty() {
            lines[last] = word.into();
        } else if self::width(&lines[last]) + 1 + self::width(word) <= width {
            lines[last] += &format!(" {word}");
        } else {
            lines.push(word.into());
        }
    }
    lines
}

/// Everything in this table takes one column for each character.
fn width(text: &str) -> usize {
    text.chars().count()
}

/// Three digits or so, as people read them.
pub fn number(value: f64) -> String {
    match value {
        value if value >= 1_000.0 => {
            let whole = format!("{value:.0}");
            let mut grouped = String::new();
            for (place, digit) in whole.chars().enumerate() {
                if place > 0 && (whole.len() - place).is_multiple_of(3) {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            grouped
        }
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Bar;

    #[test]
    fn numbers_are_read_by_people() {
        let told = [12_345.6, 999.9, 42.123, 0.456].map(number);
        assert_eq!(told, ["12,346", "1000", "42.1", "0.46"]);
    }

    #[test]
    fn a_table_has_a_line_for_each_bar_and_fits_a_terminal() {
        let name = "durable posts, a connection each, with a name that is longer than any line of a terminal could be";
        let posts = Row::new("B1", name, Some(12_345.0), "posts/s")
            .ratio("E", Some(0.4), Bar::at_least(0.35, 0.5))
            .ratio("JetStream", None, Bar::at_least(2.0, 3.0));
        let memory = Row::new("B10", "memory", None, "MiB").bar(Bar::at_most(25.0, 12.0));
        let table = table(&[posts, memory]);
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines.iter().all(|line| width(line) == WIDTH), "{table}");
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
        assert_eq!(cells(lines[2])[3..8], ["12,345 posts/s", "0.40 × E", "≥ 0.35", "≥ 0.5", "must"]);
        assert_eq!(cells(lines[3])[3..8], ["", "? × JetStream", "≥ 2", "≥ 3", ""]);
        let last = cells(lines[lines.len() - 1]);
        assert_eq!(last[1..8], ["B10", "memory", "not measured", "", "≤ 25", "≤ 12", ""]);
        let shown: Vec<String> =
            lines[2..lines.len() - 1].iter().map(|line| cells(line)[2].clone()).collect();
        assert_eq!(shown.join(" ").trim_end(), name, "nothing of it is lost");
    }
}
