//! News while somebody types: above the line that is being typed where the terminal can do that, else before the next
//! one. Never in the middle of what a command shows.

use super::news::News;
use crate::render::{Announcement, Output};
use rustyline::ExternalPrinter;
use std::collections::VecDeque;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wire::{AreaId, Article};

/// News that wait to be announced; of more only the number is told. They come while a long command runs.
const WAITING_MAX: usize = 100;
/// Lines at once: more would push away what somebody is reading.
const LINES_MAX: usize = 5;
/// A line that is being printed takes less. The editor may also keep it until the next line (in the middle of a search
/// through the history): then it is not waited for.
const PRINT_WAIT: Duration = Duration::from_millis(50);
/// Of a body, in characters: more than any terminal is wide.
const BODY_CHARS_MAX: usize = 500;

#[derive(Clone)]
pub struct Announcer(Arc<Shared>);

struct Shared {
    news: News,
    output: Output,
    state: Mutex<State>,
    printed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(AreaId, Announcement)>,
    /// What came when too many waited.
    left_out: usize,
    /// A line is being edited.
    typing: bool,
    printing: bool,
    /// Tells the thread that prints. `None` where the terminal cannot.
    bell: Option<SyncSender<()>>,
}

impl Announcer {
    /// `printer` prints above a line that is being edited.
    pub fn start(
        news: News,
        output: Output,
        printer: Option<impl ExternalPrinter + Send + 'static>,
    ) -> std::io::Result<Self> {
        let shared = Shared { news, output, state: Mutex::default(), printed: Condvar::new() };
        let announcer = Self(Arc::new(shared));
        if let Some(mut printer) = printer {
            // Printing may wait for the editor. One ring that waits is as good as many.
            let (bell, rings) = mpsc::sync_channel(1);
            announcer.state().bell = Some(bell);
            let printing = announcer.clone();
            let print = move || {
                for () in rings {
                    if let Some(text) = printing.begin_print() {
                        let _ = printer.print(text); // a terminal that is gone ends the prompt elsewhere
                        printing.end_print();
                    }
                }
            };
            std::thread::Builder::new().name("announcements".into()).spawn(print)?;
        }
        Ok(announcer)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner) // every change of it is one assignment
    }

    pub fn add(&self, area_id: AreaId, area: &str, article: &Article) {
        let mut state = self.state();
        if state.waiting.len() == WAITING_MAX {
            state.left_out += 1;
            return;
        }
        let announcement = Announcement {
            area: area.to_owned(),
            seq: article.seq,
            author: article.author.clone(),
            body: article.body.chars().take(BODY_CHARS_MAX).collect(),
        };
        state.waiting.push_back((area_id, announcement));
    }

    /// Announces what waits, if somebody is typing now.
    pub fn ring(&self) {
        if let Some(bell) = &self.state().bell {
            let _ = bell.try_send(());
        }
    }

    /// What waits, as text to be shown now.
    pub fn take(&self) -> Option<String> {
        self.taken(&mut self.state())
    }

    fn taken(&self, state: &mut State) -> Option<String> {
        let waiting = std::mem::take(&mut state.waiting).into_iter();
        let left_out = std::mem::take(&mut state.left_out);
        let is_news = |(area_id, one): &(AreaId, Announcement)| self.0.news.is_news(*area_id, one.seq);
        let mut news: Vec<Announcement> = waiting.filter(is_news).map(|(_, one)| one).collect();
        let more = news.split_off(news.len().min(LINES_MAX));
        let text = self.0.output.announcements(&news, &more, left_out);
        Some(text).filter(|text| !text.is_empty())
    }

    /// A line is being edited from now on.
    pub fn typing_begins(&self) {
        self.state().typing = true;
        self.ring();
    }

    /// The line is complete: nothing is printed any more when this returns.
    pub fn typing_ends(&self) {
        let mut state = self.state();
        state.typing = false;
        let waited = self.0.printed.wait_timeout_while(state, PRINT_WAIT, |state| state.printing);
        drop(waited);
    }

    fn begin_print(&self) -> Option<String> {
        let mut state = self.state();
        let text = if state.typing { self.taken(&mut state) } else { None };
        state.printing = text.is_some();
        text
    }

    fn end_print(&self) {
        self.state().printing = false;
        self.0.printed.notify_all();
    }
}
