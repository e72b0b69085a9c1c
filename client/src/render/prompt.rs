//! What stands before a line that is being typed.

use super::layout::cut;
use super::{Style, sanitise};

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
    fn names_are_harmless_and_short() {
        let style = Style { unicode: true, ..Style::default() };
        let long =
            PromptLine { user: Some("a\x1b[2Jb\n"), area: Some(&"日".repeat(64)), ..PromptLine::default() };
        assert_eq!(long.text(style), format!("a[2Jb  {}…> ", "日".repeat(11)));
    }
}
