//! How things are shown, and what comes of it.

#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    pub json: bool,
    /// Columns, when a person reads standard output.
    pub terminal: Option<usize>,
    pub colour: bool,
    /// The terminal shows more than ASCII. Only our own signs depend on it: texts are shown as they are.
    pub unicode: bool,
    /// A person reads standard error.
    pub stderr_terminal: bool,
}

/// Data for standard output, and remarks for standard error.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub data: String,
    pub notes: Vec<String>,
}

impl Shown {
    pub fn data(data: String) -> Self {
        Self { data, notes: Vec::new() }
    }

    pub fn note(note: impl Into<String>) -> Self {
        Self { data: String::new(), notes: vec![note.into()] }
    }
}

pub fn bold(text: &str, style: Style) -> String {
    if style.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

pub fn dim(text: &str, style: Style) -> String {
    if style.colour { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
}
