//! What a person sees: the rows of a terminal after everything that was written to it, by a model of a terminal.
//!
//! Tests that look at the screen hold what tests of the output cannot: that nothing is overwritten, moved or hidden.

use std::fmt;
use std::num::NonZeroU16;

/// A terminal that is written to.
pub(crate) struct Model {
    parser: vt100::Parser<Steered>,
}

/// The screen at one moment.
#[derive(Clone)]
pub struct Screen {
    /// From the top, without the blanks at their ends.
    pub rows: Vec<String>,
    /// Row and column, from 0.
    pub cursor: (u16, u16),
    /// The window's title, if somebody set it.
    pub title: Option<String>,
    /// Everything else that was written and neither text nor cursor nor colour: bells, the clipboard, what no terminal
    /// of today knows. Nothing of ours does that.
    pub odd: Vec<String>,
    model: vt100::Screen,
}

/// How one character looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    pub bold: bool,
    pub dim: bool,
    /// Underlined, italic or reversed.
    pub marked: bool,
    /// Other than the terminal's own colours.
    pub coloured: bool,
}

impl Model {
    pub(crate) fn new(rows: u16, columns: u16) -> Self {
        let (rows, columns) = (size(rows), size(columns));
        Self { parser: vt100::Parser::new_with_callbacks(rows, columns, 0, Steered::default()) }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
    }

    pub(crate) fn resize(&mut self, rows: u16, columns: u16) {
        self.parser.set_size(size(rows), size(columns));
    }

    pub(crate) fn screen(&self) -> Screen {
        let model = self.parser.screen().clone();
        let (_, columns) = model.size();
        let rows = model.rows(0, columns.get()).map(|row| row.trim_end().to_owned()).collect();
        let Steered { title, odd } = self.parser.callbacks().clone();
        Screen { rows, cursor: model.cursor_position(), title, odd, model }
    }
}

fn size(size: u16) -> NonZeroU16 {
    NonZeroU16::new(size).unwrap()
}

impl Screen {
    /// All rows, without the empty ones at the end.
    pub fn text(&self) -> String {
        self.rows.join("\n").trim_end().to_owned()
    }

    pub fn has(&self, text: &str) -> bool {
        self.rows.iter().any(|row| row.contains(text))
    }

    /// The last row that is not empty.
    pub fn last(&self) -> &str {
        self.rows.iter().rfind(|row| !row.is_empty()).map_or("", String::as_str)
    }

    /// The row where this stands first.
    pub fn row_of(&self, text: &str) -> usize {
        let row = self.rows.iter().position(|row| row.contains(text));
        row.unwrap_or_else(|| panic!("no row has {text:?}:\n{self}"))
    }

    /// The row and column where this stands first.
    pub fn place_of(&self, text: &str) -> (u16, u16) {
        let row = self.row_of(text) as u16;
        let (_, columns) = self.model.size();
        let from = |column| self.model.contents_between(row, column, row, columns.get());
        let column = (0..columns.get()).rfind(|column| from(*column).starts_with(text));
        (row, column.unwrap())
    }

    pub fn look(&self, row: u16, column: u16) -> Look {
        let Some(cell) = self.model.cell(row, column) else { panic!("no cell {row}, {column}:\n{self}") };
        let default = vt100::Color::Default;
        Look {
            bold: cell.bold(),
            dim: cell.dim(),
            marked: cell.underline() || cell.italic() || cell.inverse(),
            coloured: cell.fgcolor() != default || cell.bgcolor() != default,
        }
    }

    /// How the first character of this looks.
    pub fn look_of(&self, text: &str) -> Look {
        let (row, column) = self.place_of(text);
        self.look(row, column)
    }

    /// Every look on the screen, each once.
    pub fn looks(&self) -> Vec<Look> {
        let (rows, columns) = self.model.size();
        let mut looks = vec![];
        for row in 0..rows.get() {
            for column in 0..columns.get() {
                let look = self.look(row, column);
                if !looks.contains(&look) {
                    looks.push(look);
                }
            }
        }
        looks
    }

    /// On the second screen that full-screen programs use.
    pub fn is_alternate(&self) -> bool {
        self.model.alternate_screen()
    }

    pub fn cursor_is_hidden(&self) -> bool {
        self.model.hide_cursor()
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What reaches a terminal besides text.
#[derive(Debug, Clone, Default)]
struct Steered {
    title: Option<String>,
    odd: Vec<String>,
}

impl Steered {
    fn odd(&mut self, what: &str, detail: impl fmt::Debug) {
        self.odd.push(format!("{what} {detail:?}"));
    }
}

impl vt100::Callbacks for Steered {
    fn audible_bell(&mut self, _: &mut vt100::Screen) {
        self.odd("bell", ());
    }

    fn visual_bell(&mut self, _: &mut vt100::Screen) {
        self.odd("visual bell", ());
    }

    fn resize(&mut self, _: &mut vt100::Screen, request: (u16, u16)) {
        self.odd("resize", request);
    }

    fn set_window_icon_name(&mut self, _: &mut vt100::Screen, name: &[u8]) {
        self.odd("icon name", String::from_utf8_lossy(name));
    }

    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.title = Some(String::from_utf8_lossy(title).into_owned());
    }

    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8], data: &[u8]) {
        self.odd("copy", String::from_utf8_lossy(data));
    }

    fn paste_from_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8]) {
        self.odd("paste", ());
    }

    fn unhandled_char(&mut self, _: &mut vt100::Screen, c: char) {
        // The model takes it for bytes that are no UTF-8; it is what we write for what nobody can read.
        if c != char::REPLACEMENT_CHARACTER {
            self.odd("char", c);
        }
    }

    fn unhandled_control(&mut self, _: &mut vt100::Screen, byte: u8) {
        self.odd("control", byte);
    }

    fn unhandled_escape(&mut self, _: &mut vt100::Screen, i1: Option<u8>, i2: Option<u8>, byte: u8) {
        self.odd("escape", (i1, i2, byte));
    }

    fn unhandled_csi(
        &mut self,
        _: &mut vt100::Screen,
        i1: Option<u8>,
        i2: Option<u8>,
        parameters: &[&[u16]],
        c: char,
    ) {
        self.odd("csi", (i1, i2, parameters, c));
    }

    fn unhandled_osc(&mut self, _: &mut vt100::Screen, parameters: &[&[u8]]) {
        let parameters: Vec<_> = parameters.iter().map(|p| String::from_utf8_lossy(p)).collect();
        self.odd("osc", parameters);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_shows_what_a_terminal_would() {
        let mut model = Model::new(3, 10);
        model.write(b"one\r\n\x1b[1mtwo\x1b[0m three\x1b]0;title\x07\x07\x1b[31mred\x1b[0m");
        let screen = model.screen();
        assert_eq!(screen.rows, ["one", "two threer", "ed"]);
        assert_eq!((screen.cursor, screen.title.as_deref()), ((2, 2), Some("title")));
        assert_eq!(screen.odd, ["icon name \"title\"", "bell ()"]);
        assert!(screen.look_of("two").bold && !screen.look_of("three").bold && screen.look_of("ed").coloured);
        assert_eq!(screen.place_of("three"), (1, 4));
        assert_eq!(screen.looks().len(), 3);
        model.write(b"\x1b[Hover");
        assert_eq!(model.screen().rows[0], "over");
    }
}
