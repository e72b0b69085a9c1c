//! Our own pager: prints on as a terminal does, a screenful at a time, with one line at the bottom that says which keys
//! there are. What was read stays above, also after leaving.

use super::piece::{Going, Piece};
use crate::exit::Failure;
use crate::render::{self, Output, bold, cut};
use crate::terminal::{Key, Keys, Typing};
use std::collections::VecDeque;

/// Where the terminal does not say how high it is.
const HEIGHT_DEFAULT: usize = 24;
/// Rows that one can go back; what is before is in the terminal's own memory.
const BACK_ROWS_MAX: usize = 20_000;

pub struct Screenful {
    output: Output,
    what: String,
    keys: Option<Keys>,
    /// What can still be drawn, oldest first, laid out for `columns`.
    laid: VecDeque<Laid>,
    /// How many were forgotten before those.
    forgotten: usize,
    /// The row that is printed next: of the piece in `laid`, and in it.
    next: (usize, usize),
    /// Rows that may be printed before a key is waited for.
    free: usize,
    /// Pieces that were on the screen to their last row, all that came before them too.
    shown: usize,
    columns: usize,
    height: usize,
}

struct Laid {
    piece: Piece,
    rows: Vec<String>,
}

impl Screenful {
    pub fn new(output: &Output, what: &str) -> Self {
        let (height, columns) = window(output);
        Self {
            output: output.clone(),
            what: render::line(what),
            keys: None,
            laid: VecDeque::new(),
            forgotten: 0,
            next: (0, 0),
            free: height - 1,
            shown: 0,
            columns,
            height,
        }
    }

    pub fn shown(&self) -> usize {
        self.shown
    }

    pub async fn show(&mut self, pieces: Vec<Piece>, total: usize) -> Result<Going, Failure> {
        for piece in pieces {
            let laid = self.lay(piece);
            self.laid.push_back(laid);
        }
        self.forget();
        loop {
            self.print().await?;
            if self.next.0 == self.laid.len() {
                return Ok(Going::On);
            }
            let page = self.height - 1;
            match self.ask(total).await? {
                Key::Char(' ' | 'f') | Key::PageDown => self.free = page,
                Key::Enter => self.free = 1,
                Key::Char('b') | Key::PageUp => {
                    self.go_back(2 * page);
                    self.redraw().await?;
                }
                Key::Redraw => {
                    self.lay_anew();
                    self.go_back(page);
                    self.redraw().await?;
                }
                Key::Char('q') | Key::Closed => return Ok(Going::Enough),
                Key::Char(_) | Key::Other => {}
            }
        }
    }

    /// What there is, as far as there is room.
    async fn print(&mut self) -> Result<(), Failure> {
        let mut text = String::new();
        let (mut piece, mut row) = self.next;
        while let Some(laid) = self.laid.get(piece) {
            if row < laid.rows.len() {
                if self.free == 0 {
                    break;
                }
                text += &laid.rows[row];
                text.push('\n');
                row += 1;
                self.free -= 1;
            }
            // The last row with it: a piece that ends with the screen is wholly shown.
            if row == laid.rows.len() {
                (piece, row) = (piece + 1, 0);
            }
        }
        if !text.is_empty() {
            self.output.write(text).await?;
        }
        self.next = (piece, row);
        self.shown = self.shown.max(self.forgotten + piece);
        Ok(())
    }

    /// Draws the bottom line and waits for a key.
    async fn ask(&mut self, total: usize) -> Result<Key, Failure> {
        let position = match self.laid.get(self.next.0).map(|laid| &laid.piece) {
            Some(Piece::Text(_)) => format!("{} of {total} lines", self.shown),
            _ => format!("{} of {total}", self.shown),
        };
        let where_ = format!("{} {position}", self.what);
        let typing = typing();
        let keys = match typing {
            Typing::Keys => "space: more, b: back, q: leave",
            Typing::Lines => "Enter: more, b: back, q: leave",
        };
        if self.keys.is_none() {
            self.keys = Some(Keys::open(typing)?);
        }
        let Some(pressed) = &mut self.keys else { return Ok(Key::Closed) };
        let bottom = Bottom::draw(&self.output, &[where_.trim_start(), keys]);
        let key = pressed.next().await?;
        drop(bottom);
        // A line that is typed is a screenful, as is a blank.
        Ok(if typing == Typing::Lines && key == Key::Enter { Key::PageDown } else { key })
    }

    fn lay(&self, piece: Piece) -> Laid {
        let style = render::Style { terminal: Some(self.columns), ..self.output.style() };
        let rows = render::rows(&piece.text(style), self.columns);
        Laid { piece, rows }
    }

    fn lay_anew(&mut self) {
        (self.height, self.columns) = window(&self.output);
        let laid = std::mem::take(&mut self.laid);
        let before = laid.get(self.next.0).map(|laid| laid.rows.clone()).unwrap_or_default();
        self.laid = laid.into_iter().map(|laid| self.lay(laid.piece)).collect();
        let after = self.laid.get(self.next.0).map_or([].as_slice(), |laid| &laid.rows);
        self.next.1 = same_place(&before, self.next.1, after);
    }

    fn go_back(&mut self, mut rows: usize) {
        while rows > 0 && self.next != (0, 0) {
            let step = self.next.1.min(rows);
            self.next.1 -= step;
            rows -= step;
            if rows > 0 && self.next.0 > 0 {
                self.next.0 -= 1;
                self.next.1 = self.laid[self.next.0].rows.len();
            }
        }
    }

    async fn redraw(&mut self) -> Result<(), Failure> {
        self.free = self.height - 1;
        if !Output::is_dumb() {
            self.output.write("\x1b[H\x1b[2J".into()).await?;
        }
        Ok(())
    }

    fn forget(&mut self) {
        let mut rows: usize = self.laid.iter().take(self.next.0).map(|laid| laid.rows.len()).sum();
        while rows > BACK_ROWS_MAX
            && let Some(first) = self.laid.pop_front()
        {
            rows -= first.rows.len();
            self.next.0 -= 1;
            self.forgotten += 1;
        }
    }
}

/// The row of a piece that is laid out anew from which nothing was on the screen yet, or an earlier one: what nobody saw must
/// not be passed over (I3).
fn same_place(before: &[String], next: usize, after: &[String]) -> usize {
    let ink = |row: &String| row.chars().filter(|c| !c.is_whitespace()).count();
    let unseen: usize = before.iter().skip(next).map(ink).sum();
    let mut from = after.len();
    let mut held = 0;
    while from > 0 && held < unseen {
        from -= 1;
        held += ink(&after[from]);
    }
    from.min(next)
}

/// Rows and columns, at least as many as a line of text and the bottom line need.
pub fn window(output: &Output) -> (usize, usize) {
    let columns = output.style().terminal.unwrap_or(1);
    let (height, columns) = render::window().unwrap_or((HEIGHT_DEFAULT, columns));
    (height.max(2), columns.max(1))
}

/// How this terminal gives keys.
pub fn typing() -> Typing {
    if Output::is_dumb() { Typing::Lines } else { Typing::Keys }
}

/// The line at the bottom that waits for a key; gone when dropped, however that comes.
pub struct Bottom;

impl Bottom {
    /// What it draws around two parts, and the last column, which would move the cursor on.
    pub const FRAME_COLUMNS: usize = 8;

    /// At once and not on a thread of its own as all the rest: it must not come after the one who takes it away.
    pub fn draw(output: &Output, parts: &[&str]) -> Self {
        let style = output.style();
        let dash = if style.unicode { "—" } else { "--" };
        let text = format!("{dash} {} {dash}", parts.join(&format!(" {dash} ")));
        let columns = style.terminal.unwrap_or(1).saturating_sub(1); // the last column would move the cursor on
        Output::on_terminal(&bold(&cut(&text, columns, style), style));
        Self
    }
}

impl Drop for Bottom {
    fn drop(&mut self) {
        let typed_newline = typing() == Typing::Lines;
        if !typed_newline {
            Output::on_terminal("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i3_a_piece_in_another_width_goes_on_with_what_nobody_saw() {
        let words: Vec<String> = (0..100).map(|number| format!("word{number:03}")).collect();
        let rows = |each: usize| words.chunks(each).map(|words| words.join(" ")).collect::<Vec<_>>();
        let (narrow, wide) = (rows(2), rows(8));
        let next = same_place(&narrow, 20, &wide);
        assert_eq!((next, &wide[next][..7]), (5, "word040"));
        assert_eq!(same_place(&narrow, 21, &wide), 5, "in the middle of a row: all of it again");
        assert_eq!(same_place(&wide, 5, &narrow), 5, "more rows: what was seen may be seen again");
        assert_eq!(same_place(&narrow, 0, &wide), 0);
    }
}
