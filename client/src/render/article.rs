//! Articles as people read them: a head with its place, author and times, and the body indented under it.
//!
//! Only bold, dim and the terminal's own colours: nothing that vanishes on a light or on a dark screen, and nothing that
//! says anything by colour alone.

use super::layout::{body, cut, when};
use super::sanitise::{self, columns};
use super::style::{Style, bold, dim};
use crate::outcome::Item;
use wire::Article;

/// However narrow the terminal is, so much of an area's and of an author's name is shown.
const NAME_COLUMNS_MIN: usize = 6;

/// One article, or one quiet line for a deleted one. `unread` ones carry a mark on a terminal.
pub fn item_text(area: &str, item: &Item, unread: bool, style: Style) -> String {
    let area = sanitise::line(area);
    match item {
        Item::Article(article) => article_text(&area, article, unread, style),
        Item::Deleted(seq) => dim(&format!("{area}#{seq} deleted"), style) + "\n",
    }
}

fn article_text(area: &str, article: &Article, unread: bool, style: Style) -> String {
    let author = sanitise::line(&article.author);
    let when = when(article.posted_at_us, style.terminal.is_some());
    let Some(terminal) = style.terminal else {
        return format!("{area}#{} {when} {author}\n{}", article.seq, body(&article.body, None));
    };
    // The mark stands where no line of a body can: it is what tells a head from a text that looks like one.
    let mark = match (unread, style.unicode) {
        (false, _) => "",
        (true, true) => "● ",
        (true, false) => "* ",
    };
    let number = format!("#{}", article.seq);
    let taken = columns(mark) + number.len() + columns(&when) + 2 * GAP.len();
    let (area, author) = fitted(area, &author, terminal.saturating_sub(taken), style);
    let place = bold(&format!("{area}{number}"), style);
    format!("{mark}{place}{GAP}{author}{GAP}{}\n{}\n", dim(&when, style), body(&article.body, Some(terminal)))
}

/// Between the parts of a head.
const GAP: &str = "  ";

/// Both names, cut so that together they have at most `room`: the shorter one keeps what it needs.
fn fitted(area: &str, author: &str, room: usize, style: Style) -> (String, String) {
    let half = (room / 2).max(NAME_COLUMNS_MIN);
    let rest = |other: &str| room.saturating_sub(columns(other)).max(half);
    (cut(area, rest(author), style), cut(author, rest(area), style))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCREEN: Style =
        Style { json: false, terminal: Some(80), colour: false, unicode: true, stderr_terminal: true };

    fn article(author: &str, body: &str) -> Item {
        let (id, body) = (uuid::Uuid::nil(), body.to_owned());
        Item::Article(Article {
            seq: 7,
            id,
            author: author.into(),
            posted_at_us: 1_700_000_000_000_000,
            body,
        })
    }

    #[test]
    fn an_unread_article_has_a_mark_that_needs_no_colour() {
        let item = article("ana", "Hello");
        let text = item_text("news", &item, true, SCREEN);
        assert!(text.starts_with("● news#7  ana  ") && text.ends_with("\n  Hello\n\n"), "{text}");
        assert!(text.contains("years ago, 2023-11-14 "), "{text}");
        assert!(item_text("news", &item, true, Style { unicode: false, ..SCREEN }).starts_with("* news#7"));
        assert!(item_text("news", &item, false, SCREEN).starts_with("news#7"));
        assert_eq!(item_text("news", &Item::Deleted(8), true, SCREEN), "news#8 deleted\n");
    }

    #[test]
    fn a_head_fits_whatever_the_names_are() {
        let item = article(&"日".repeat(64), "");
        for terminal in [60, 80, 200] {
            let text = item_text(&"x".repeat(64), &item, true, Style { terminal: Some(terminal), ..SCREEN });
            let head = text.lines().next().unwrap();
            assert!(columns(head) <= terminal, "{head}");
            assert!(head.contains("#7") && head.contains("日") && head.contains("years ago"), "{head}");
        }
        let text = item_text("news", &article(&"a".repeat(30), ""), false, SCREEN);
        assert!(text.contains(&"a".repeat(30)), "there is room: {text}");
    }
}
