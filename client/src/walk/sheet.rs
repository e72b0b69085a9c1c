//! What the walk draws: lines and articles one under the other, as a terminal prints them, and at the bottom the keys.

use crate::exit::Failure;
use crate::outcome::Item;
use crate::pager::{Bottom, typing, window};
use crate::render::{self, Output, bold};
use crate::terminal::{Key, Keys, Typing};

const KEYS: &str = "s skip  c catch up  u undo  r reply  ? keys  q quit";

const HELP: [&str; 7] = [
    "  space, n, Enter  the next article, or more of this one",
    "  v, p             the article before",
    "  s, N             skip the rest of this area: it stays unread",
    "  c                catch up: the rest of this area counts as read",
    "  u                undo: what was read of this area just now is unread again",
    "  r                reply: post to this area",
    "  q                quit: what was shown is read, the rest stays unread",
];

pub struct Sheet {
    output: Output,
    keys: Option<Keys>,
    /// Rows that may be printed before a key is waited for: more would scroll away unseen.
    free: usize,
}

/// Where one is: for the bottom line.
#[derive(Debug, Clone)]
pub struct Position {
    pub area: String,
    pub article: usize,
    pub articles: usize,
}

/// How much of an article was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    Whole,
    /// A key came before its end.
    Part(Key),
}

impl Sheet {
    pub fn new(output: &Output) -> Self {
        let (height, _) = window(output);
        Self { output: output.clone(), keys: None, free: height - 1 }
    }

    /// `news · 3 unread · area 1 of 4`
    pub async fn header(
        &mut self,
        area: &str,
        unread: i64,
        index: usize,
        areas: usize,
    ) -> Result<(), Failure> {
        let style = self.output.style();
        let dot = if style.unicode { "·" } else { "-" };
        let rest = format!(" {dot} {unread} unread {dot} area {index} of {areas}");
        let room = style.terminal.unwrap_or(0).saturating_sub(render::columns(&rest));
        let area = render::cut(&render::line(area), room.max(1), style);
        self.print(&format!("{}\n\n", bold(&format!("{area}{rest}"), style))).await
    }

    pub async fn help(&mut self) -> Result<(), Failure> {
        self.print(&(HELP.join("\n") + "\n\n")).await
    }

    /// Something about the articles, apart from the one after it.
    pub async fn note(&mut self, note: &str) -> Result<(), Failure> {
        self.print(&format!("{}\n\n", render::line(note))).await
    }

    /// The last word.
    pub async fn end(&mut self, word: &str) -> Result<(), Failure> {
        self.print(&format!("{}\n", render::line(word))).await
    }

    /// An article or a deleted one, as far as no key stops it.
    pub async fn item(&mut self, item: &Item, unread: bool, position: &Position) -> Result<Seen, Failure> {
        let style = self.output.style();
        let text = render::item_text(&position.area, item, unread, style);
        let rows = render::rows(&text, style.terminal.unwrap_or(usize::MAX));
        let mut rows = rows.as_slice();
        loop {
            let (now, later) = rows.split_at(self.free.min(rows.len()));
            self.free -= now.len();
            if !now.is_empty() {
                self.output.write(now.join("\n") + "\n").await?;
            }
            if later.is_empty() {
                return Ok(Seen::Whole);
            }
            match self.ask(position, "more").await? {
                Key::Char(' ' | 'n') | Key::PageDown => {}
                Key::Enter => self.free = 1,
                Key::Char('?') => {
                    self.help().await?;
                    self.free = 0;
                }
                key @ (Key::Char('v' | 'p' | 's' | 'N' | 'c' | 'u' | 'r' | 'q')
                | Key::PageUp
                | Key::Closed) => {
                    return Ok(Seen::Part(key));
                }
                Key::Char(_) | Key::Redraw | Key::Other => self.free = 0,
            }
            rows = later;
        }
    }

    /// Draws the bottom line and waits for a key; what comes then has the whole screen.
    pub async fn ask(&mut self, position: &Position, space: &str) -> Result<Key, Failure> {
        let style = self.output.style();
        let first = if typing() == Typing::Keys { "space" } else { "Enter" };
        let keys = format!("{first} {space}  {KEYS}");
        let Position { area, article, articles } = position;
        let long = format!("{} {article} of {articles}", render::line(area));
        let room = style.terminal.unwrap_or(0).saturating_sub(Bottom::FRAME_COLUMNS + keys.len());
        let short = format!("{article}/{articles}");
        let place = if render::columns(&long) <= room { long } else { short };
        if self.keys.is_none() {
            self.keys = Some(Keys::open(typing())?);
        }
        let Some(pressed) = &mut self.keys else { return Ok(Key::Closed) };
        let bottom = Bottom::draw(&self.output, &[&place, &keys]);
        let key = pressed.next().await?;
        drop(bottom);
        self.free = window(&self.output).0 - 1;
        // A line that is typed is as good as a blank.
        Ok(if typing() == Typing::Lines && key == Key::Enter { Key::Char(' ') } else { key })
    }

    /// Lends the terminal to something else.
    pub fn put_away(&mut self) {
        self.keys = None;
    }

    async fn print(&mut self, text: &str) -> Result<(), Failure> {
        let columns = self.output.style().terminal.unwrap_or(usize::MAX);
        self.free = self.free.saturating_sub(render::rows(text, columns).len());
        self.output.write(text.to_owned()).await
    }
}
