//! What a pager is given, and what it says of the person.

use crate::outcome::Item;
use crate::render::{self, Style};

/// Something that is shown as a whole or not.
#[derive(Debug, Clone)]
pub enum Piece {
    Item { area: String, item: Item, unread: bool },
    Text(String),
}

/// Whether the person wants to see more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Going {
    On,
    Enough,
}

impl Piece {
    pub fn text(&self, style: Style) -> String {
        match self {
            Self::Item { area, item, unread } => render::item_text(area, item, *unread, style),
            Self::Text(text) => text.clone(),
        }
    }
}
