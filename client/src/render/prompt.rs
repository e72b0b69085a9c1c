//! What stands before a line that is being typed, and news above it.

use super::layout::cut;
use super::sanitise;
use super::style::Style;
use wire::Seq;

/// Columns of a name in the prompt: with two of them there is still room to type on 80.
const NAME_COLUMNS_MAX: usize = 24;

/// What the prompt line tells.
#[derive(Debug, Clone, Copy, Default)]
pub struct PromptLine<'a> {
    /// `None` when nobody is logged in.
    pub user: Option<&'a str>,
    /// When it is another one than usual.
    pub context: Option<&'a str>,
    /// The area in use.
    pub area: Option<&'a str>,
    /// Nothing is said when it is not known.
    pub unread: Option<i64>,
}

impl PromptLine<'_> {
    /// `ana@work news 2 unread> `
    pub fn text(&self, style: Style) -> String {
        let name = |text: &str| cut(&sanitise::line(text), NAME_COLUMNS_MAX, style);
        let mut text = self.user.map_or("not logged in".into(), name);
        if let Some(context) = self.context {
            text += &format!("@{}", name(context));
        }
        if let Some(area) = self.area {
            text += &format!(" {}", name(area));
        }
        if let Some(unread @ 1..) = self.unread {
            text += &format!(" {unread} unread");
        }
        text + "> "
    }
}

/// An article that somebody else has just posted.
#[derive(Debug, Clone)]
pub struct Announcement {
    pub area: String,
    pub seq: Seq,
    pub author: String,
    /// The beginning of it.
    pub body: String,
}

/// `news#12 bob: first words…`, each on a line that fits into `columns`, and how many there are besides.
pub fn announcements(
    news: &[Announcement],
    more: &[Announcement],
    left_out: usize,
    columns: usize,
    style: Style,
) -> String {
    let mut lines: Vec<String> = news.iter().map(first_words).collect();
    if more.len() + left_out > 0 {
        let mut areas: Vec<&str> = more.iter().map(|one| one.area.as_str()).collect();
        areas.sort_unstable();
        areas.dedup();
        let sign = if style.unicode { "…" } else { "..." };
        lines.push(format!("{sign} and {} more in {}", more.len() + left_out, areas.join(", ")));
    }
    let (dim, plain) = if style.colour { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
    // A line of all columns would wrap on some terminals.
    let fits = |line: String| cut(&sanitise::line(&line), columns.saturating_sub(1), style);
    lines.into_iter().map(|line| format!("{dim}{}{plain}\n", fits(line))).collect()
}

fn first_words(one: &Announcement) -> String {
    let body = one.body.trim_start();
    let first = body.lines().next().unwrap_or_default();
    let dots = if first.len() < body.trim_end().len() { " …" } else { "" };
    format!("{}#{} {}: {first}{dots}", one.area, one.seq, one.author)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_who_where_and_how_much() {
        let style = Style { unicode: true, ..Style::default() };
        let ana = PromptLine { user: Some("ana"), ..PromptLine::default() };
        assert_eq!(PromptLine::default().text(style), "not logged in> ");
        assert_eq!(PromptLine { unread: Some(0), ..ana }.text(style), "ana> ");
        assert_eq!(PromptLine { unread: Some(5), ..ana }.text(style), "ana 5 unread> ");
        let news = PromptLine { area: Some("news"), unread: Some(2), ..ana };
        assert_eq!(PromptLine { unread: None, ..news }.text(style), "ana news> ");
        assert_eq!(PromptLine { context: Some("work"), ..news }.text(style), "ana@work news 2 unread> ");
    }

    #[test]
    fn news_are_one_harmless_line_each() {
        let one = |seq, body: &str| Announcement {
            area: "news".into(),
            seq,
            author: "bob".into(),
            body: body.into(),
        };
        let shown =
            |news: &[Announcement], more: &[Announcement], style| announcements(news, more, 2, 20, style);
        let plain = Style { unicode: true, ..Style::default() };
        let news = [one(1, "Hello"), one(2, "\nfirst\nsecond\x1b[2J"), one(3, "a long line of words")];
        let lines = "news#1 bob: Hello\nnews#2 bob: first …\nnews#3 bob: a long…\n… and 3 more in ne…\n";
        assert_eq!(shown(&news, &[one(4, "")], plain), lines);
        let dim = Style { colour: true, ..plain };
        assert!(shown(&news[..1], &[], dim).starts_with("\x1b[2mnews#1 bob: Hello\x1b[0m\n"));
    }

    #[test]
    fn names_are_harmless_and_short() {
        let style = Style { unicode: true, ..Style::default() };
        let long =
            PromptLine { user: Some("a\x1b[2Jb\n"), area: Some(&"日".repeat(64)), ..PromptLine::default() };
        assert_eq!(long.text(style), format!("a[2Jb  {}…> ", "日".repeat(11)));
    }
}
