//! Columns, lines that fit, and times that people read.

use super::sanitise::{self, char_columns, columns};
use super::style::Style;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Between two columns.
const GAP: &str = "  ";
/// Wider lines are hard to read, however wide the terminal is.
const TEXT_COLUMNS_MAX: usize = 100;
/// A column of a table is not cut below this, however narrow the terminal is.
const CELL_COLUMNS_MIN: usize = 6;
/// Tables have up to three times a row, of up to 28 columns each: below this they show them short.
const WHOLE_TIMES_COLUMNS_MIN: usize = 120;
/// A clock may be off by this much before an article is told to come from the future.
const CLOCK_SKEW_MAX_S: i64 = 15 * 60;

/// Rows under a head, each column as wide as its widest cell; before the head of a column `>` sets it to the right
/// (numbers), `!` keeps it whole (times, ids). On a terminal the other columns are cut until the lines fit, the widest
/// first. Cells may hold what others wrote.
pub fn table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>, style: Style) -> String {
    let mut rows: Vec<[String; N]> =
        rows.into_iter().map(|row| row.map(|cell| sanitise::line(&cell))).collect();
    let right = head.map(|title| title.starts_with('>'));
    let whole = head.map(|title| title.starts_with(['>', '!']));
    rows.insert(0, head.map(|title| title.trim_start_matches(['>', '!']).to_owned()));
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(columns(cell));
        }
    }
    if let Some(terminal) = style.terminal {
        let gaps = GAP.len() * N.saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > terminal {
            let can_shrink = |&column: &usize| !whole[column] && widths[column] > CELL_COLUMNS_MIN;
            let Some(widest) = (0..N).filter(can_shrink).max_by_key(|&column| widths[column]) else { break };
            widths[widest] -= 1;
        }
    }
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for ((cell, width), right) in row.iter().zip(widths).zip(right) {
            let cell = cut(cell, width, style);
            let padding = " ".repeat(width.saturating_sub(columns(&cell)));
            match right {
                true => line.extend([padding.as_str(), &cell, GAP]),
                false => line.extend([&cell, padding.as_str(), GAP]),
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The beginning of harmless text that fits, with a sign that there was more.
pub fn cut(text: &str, columns_max: usize, style: Style) -> String {
    if columns(text) <= columns_max {
        return text.to_owned();
    }
    let sign = if style.unicode { "…" } else { "~" };
    let mut out = String::new();
    let mut used = columns(sign);
    for c in text.chars() {
        used += char_columns(c);
        if used > columns_max {
            break;
        }
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    out + sign
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
fn wrap(line: &str, columns_max: usize) -> Vec<String> {
    if columns(line) <= columns_max {
        return vec![line.trim_end().to_owned()];
    }
    let mut lines = Vec::new();
    let (mut current, mut used) = (String::new(), 0);
    for word in line.split_inclusive(' ') {
        let width = columns(word.trim_end());
        if used > 0 && used + width > columns_max {
            lines.push(std::mem::take(&mut current).trim_end().to_owned());
            used = 0;
        }
        for c in word.chars() {
            let width = char_columns(c);
            if c != ' ' && used + width > columns_max {
                lines.push(std::mem::take(&mut current));
                used = 0;
            }
            // Blanks at the end of a line are not shown: a flood of them must not be carried along.
            if c != ' ' || used < columns_max {
                current.push(c);
                used += width;
            }
        }
    }
    lines.push(current.trim_end().to_owned());
    lines
}

/// One line as several, broken at blanks only, and not inside backquotes: what stands there is there to be copied.
pub fn filled(line: &str, columns_max: usize) -> String {
    let (mut out, mut used, mut is_quoted) = (String::with_capacity(line.len()), 0, false);
    let mut word = String::new();
    for part in line.split_inclusive(' ') {
        word.push_str(part);
        is_quoted ^= part.matches('`').count() % 2 == 1;
        if is_quoted {
            continue;
        }
        let width = columns(word.trim_end());
        if used > 0 && used + width > columns_max {
            out.truncate(out.trim_end().len());
            out.push('\n');
            used = 0;
        }
        used += columns(&word);
        out.push_str(&word);
        word.clear();
    }
    out + &word
}

/// Text with our own colours, as the rows that a terminal makes of it: no row is wider than the terminal.
pub fn rows(text: &str, columns_max: usize) -> Vec<String> {
    let mut rows = Vec::new();
    for line in text.lines() {
        let (mut row, mut used) = (String::new(), 0);
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            if c == '\x1b' {
                row.push(c);
                row.extend(chars.by_ref().take_while(|c| *c != 'm'));
                row.push('m');
                continue;
            }
            let width = char_columns(c);
            if used + width > columns_max {
                rows.push(std::mem::take(&mut row));
                used = 0;
            }
            row.push(c);
            used += width;
        }
        rows.push(row);
    }
    rows
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

/// A time in a table: on a narrow terminal only how long ago.
pub fn moment(at_us: i64, style: Style) -> String {
    match style.terminal {
        Some(columns) if columns < WHOLE_TIMES_COLUMNS_MIN => {
            ago(Timestamp::now().as_second() - at_us.div_euclid(1_000_000))
        }
        terminal => when(at_us, terminal.is_some()),
    }
}

fn ago(seconds: i64) -> String {
    if (-CLOCK_SKEW_MAX_S..5).contains(&seconds) {
        return "just now".into();
    }
    let (distance, ending, beginning) =
        if seconds < 0 { (-seconds, "", "in ") } else { (seconds, " ago", "") };
    let (number, unit) = match distance {
        ..60 => (distance, "s"),
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

    const PIPE: Style =
        Style { json: false, terminal: None, colour: false, unicode: true, stderr_terminal: false };

    #[test]
    fn columns_line_up_also_with_wide_characters() {
        let rows = vec![["news".to_owned(), "7".to_owned()], ["日本".to_owned(), "1234".to_owned()]];
        assert_eq!(table(["AREA", ">UNREAD"], rows, PIPE), "AREA  UNREAD\nnews       7\n日本    1234\n");
    }

    #[test]
    fn a_hostile_cell_stays_in_its_cell() {
        let rows = vec![["a\nb\x1b[2J".to_owned()]];
        assert_eq!(table(["X"], rows, PIPE), "X\na b[2J\n");
    }

    #[test]
    fn a_table_fits_a_terminal_and_is_whole_in_a_pipe() {
        let row =
            ["日".repeat(20), "2026-11-21".to_owned(), "words and more words".to_owned(), "12".to_owned()];
        let at = |terminal, unicode| {
            table(["AREA", "!WHEN", "TEXT", ">N"], vec![row.clone()], Style { terminal, unicode, ..PIPE })
        };
        let cut = at(Some(40), true);
        assert!(cut.lines().all(|line| columns(line) <= 40), "{cut}");
        assert!(
            cut.contains("日…")
                && cut.contains("2026-11-21")
                && cut.contains("words a")
                && cut.contains("12")
        );
        assert!(at(Some(40), false).contains('~') && !at(Some(40), false).contains('…'));
        assert!(at(None, true).contains(&row[0]) && at(None, true).contains(&row[2]));
        assert!(at(Some(200), true).contains(&row[2]), "there is room");
    }

    #[test]
    fn rows_are_what_a_terminal_makes_of_lines() {
        assert_eq!(rows("abcdef\n\ngh\n", 4), ["abcd", "ef", "", "gh"]);
        assert_eq!(rows("\x1b[1mab\x1b[0mcd", 4), ["\x1b[1mab\x1b[0mcd"]);
        assert_eq!(rows("日日日", 5), ["日日", "日"]);
    }

    #[test]
    fn bodies_are_indented_and_wrapped_only_on_a_terminal() {
        assert_eq!(body("one two three", Some(12)), "  one two\n  three\n");
        assert_eq!(body("one two three", None), "  one two three\n");
        assert_eq!(body("a\n\nb", None), "  a\n\n  b\n");
        assert_eq!(body(&"x".repeat(25), Some(12)), "  xxxxxxxxxx\n  xxxxxxxxxx\n  xxxxx\n");
        assert!(body(&"日".repeat(6_000), Some(80)).lines().all(|line| columns(line) <= 80));
        assert!(body(&" ".repeat(60_000), Some(80)).len() < 100);
    }

    #[test]
    fn sentences_break_between_words_and_not_inside_what_is_copied() {
        assert_eq!(filled("one two three", 9), "one two\nthree");
        assert_eq!(filled("type `a b c d` now", 9), "type\n`a b c d`\nnow");
        assert_eq!(filled("kept in /a/very/long/path", 9), "kept in\n/a/very/long/path");
        assert_eq!(filled("an open ` stays whole", 9), "an open ` stays whole");
    }

    #[test]
    fn times() {
        assert_eq!(rfc3339(1_700_000_000_000_001), "2023-11-14T22:13:20.000001Z");
        assert_eq!(when(1_700_000_000_000_001, false), "2023-11-14T22:13:20Z");
        assert_eq!(ago(3), "just now");
        assert_eq!(ago(300), "5 min ago");
        assert_eq!(ago(40), "40 s ago");
        assert_eq!(ago(-600), "just now", "a clock that is off");
        assert_eq!(ago(-7_200), "in 2 h");
        assert_eq!(ago(90_000), "1 day ago");
    }
}
