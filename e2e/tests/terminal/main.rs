//! `gaceta` at a terminal: the prompt, the pager, the editor, and what is to be seen on the screen.

mod announcements;
mod completion;
mod editor;
mod hostile;
mod pager;
mod prompt;
mod screen;
mod walk;
