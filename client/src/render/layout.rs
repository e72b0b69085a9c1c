//! Columns, lines that fit, and times that people read.

use super::sanitise;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Between two columns.
const GAP: &str = "  ";
/// Wider lines are hard to read, however wide the terminal is.
const TEXT_COLUMNS_MAX: usize = 100;

/// Rows under a head, each column as wide as its widest cell; numbers (`>` before the head) to the right. Cells may
/// hold what others wrote.
pub fn table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> String {
    let rows: Vec<[String; N]> = rows.into_iter().map(|row| row.map(|cell| sanitise::line(&cell))).collect();
    let right = head.map(|title| title.starts_with('>'));
    let head = head.map(|title| title.trim_start_matches('>').to_owned());
    let mut widths = [0; N];
    for row in std::iter::once(&head).chain(&rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let mut out = String::new();
    for row in std::iter::once(&head).chain(&rows) {
        let mut line = String::new();
        for ((cell, width), right) in row.iter().zip(widths).zip(right) {
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            match right {
                true => line.extend([padding.as_str(), cell, GAP]),
                false => line.extend([cell, padding.as_str(), GAP]),
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A body under its head, indented so that no line of it can pass for a head; wrapped for a terminal.
pub fn body(text: &str, terminal: Option<usize>) -> String {
    const INDENT: &str = "  ";
    let text = sanitise::block(text);
    let mut out = String::with_capacity(text.len() + 16);
    for line in text.split('\n') {
        let lines = match terminal {
            Some(columns) => wrap(line, columns.saturating_sub(INDENT.len()).clamp(10, TEXT_COLUMNS_MAX)),
            None => vec![line.to_owned()],
        };
        for line in lines {
            if !line.is_empty() {
                out.push_str(INDENT);
                out.push_str(&line);
            }
            out.push('\n');
        }
    }
    out
}

/// At blanks where there are some, in the middle of a word where it is longer than a line.
fn wrap(line: &str, columns: usize) -> Vec<String> {
    if line.width() <= columns {
        return vec![line.trim_end().to_owned()];
    }
    let mut lines = Vec::new();
    let (mut current, mut used) = (String::new(), 0);
    for word in line.split_inclusive(' ') {
        let width = word.trim_end().width();
        if used > 0 && used + width > columns {
            lines.push(std::mem::take(&mut current).trim_end().to_owned());
            used = 0;
        }
        for c in word.chars() {
            let width = c.width().unwrap_or(0);
            if c != ' ' && used + width > columns {
                lines.push(std::mem::take(&mut current));
                used = 0;
            }
            current.push(c);
            used += width;
        }
    }
    lines.push(current.trim_end().to_owned());
    lines
}

/// For programs: UTC with microseconds.
pub fn rfc3339(at_us: i64) -> String {
    Timestamp::from_microsecond(at_us).map_or_else(|_| at_us.to_string(), |at| format!("{at:.6}"))
}

/// For a person: `5 min ago, 14:05`, or with the date when it is not today. For a pipe: UTC, to the second.
pub fn when(at_us: i64, terminal: bool) -> String {
    let Ok(at) = Timestamp::from_microsecond(at_us) else { return at_us.to_string() };
    if !terminal {
        return format!("{at:.0}");
    }
    let now = Timestamp::now();
    let zone = TimeZone::system();
    let (local, today) = (at.to_zoned(zone.clone()), now.to_zoned(zone));
    let format = if local.date() == today.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    format!("{}, {}", ago(now.as_second() - at.as_second()), local.strftime(format))
}

fn ago(seconds: i64) -> String {
    let (distance, ending, beginning) =
        if seconds < 0 { (-seconds, "", "in ") } else { (seconds, " ago", "") };
    let (number, unit) = match distance {
        0..5 => return "just now".into(),
        5..60 => (distance, "s"),
        60..3_600 => (distance / 60, "min"),
        3_600..86_400 => (distance / 3_600, "h"),
        86_400..172_800 => (1, "day"),
        172_800..31_536_000 => (distance / 86_400, "days"),
        31_536_000..63_072_000 => (1, "year"),
        _ => (distance / 31_536_000, "years"),
    };
    format!("{beginning}{number} {unit}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_also_with_wide_characters() {
        let rows = vec![["news".to_owned(), "7".to_owned()], ["日本".to_owned(), "1234".to_owned()]];
        assert_eq!(table(["AREA", ">UNREAD"], rows), "AREA  UNREAD\nnews       7\n日本    1234\n");
    }

    #[test]
    fn a_hostile_cell_stays_in_its_cell() {
        let rows = vec![["a\nb\x1b[2J".to_owned()]];
        assert_eq!(table(["X"], rows), "X\na b[2J\n");
    }

    #[test]
    fn bodies_are_indented_and_wrapped_only_on_a_terminal() {
        assert_eq!(body("one two three", Some(12)), "  one two\n  three\n");
        assert_eq!(body("one two three", None), "  one two three\n");
        assert_eq!(body("a\n\nb", None), "  a\n\n  b\n");
        assert_eq!(body(&"x".repeat(25), Some(12)), "  xxxxxxxxxx\n  xxxxxxxxxx\n  xxxxx\n");
        assert!(body(&"日".repeat(6_000), Some(80)).lines().all(|line| line.width() <= 80));
    }

    #[test]
    fn times() {
        assert_eq!(rfc3339(1_700_000_000_000_001), "2023-11-14T22:13:20.000001Z");
        assert_eq!(when(1_700_000_000_000_001, false), "2023-11-14T22:13:20Z");
        assert_eq!(ago(3), "just now");
        assert_eq!(ago(300), "5 min ago");
        assert_eq!(ago(-7_200), "in 2 h");
        assert_eq!(ago(90_000), "1 day ago");
    }
}
