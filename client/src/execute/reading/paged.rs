//! `read AREA` for a person at a terminal: page by page, and only what was wholly on the screen is marked as read.

use super::steps::{joined_to, mark_area, page, place, reading};
use crate::command::ReadArgs;
use crate::execute::lines;
use crate::exit::{Failure, Kind};
use crate::outcome::{Item, Outcome, Reading};
use crate::pager::{Going, Pager, Piece};
use crate::service::session::Located;
use crate::session::Session;
use crate::stop::Stop;
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;
use wire::{Page, ReadFrom, Seq, Shown};

/// The last mark must not keep anybody from leaving who was told to. What it loses is shown again, nothing else.
const LEAVE_WAIT: Duration = Duration::from_secs(2);

pub async fn read(
    session: &Session,
    args: &ReadArgs,
    area: &str,
    pager: Pager,
    stop: &Stop,
) -> Result<Outcome, Failure> {
    let located = tokio::select! {
        located = session.locate(area) => located?,
        failure = stop.raised() => return Err(failure),
    };
    let stopped = pager.stopped(stop);
    let mut reader = PagedReader { session, located, pager, given: Given::default(), whole: None };
    let read = tokio::select! {
        read = reader.read(args) => read,
        failure = stopped => Err(failure),
    };
    reader.leave(args.keep, read, stop).await
}

struct PagedReader<'a> {
    session: &'a Session,
    located: Located,
    pager: Pager,
    given: Given,
    /// All that was fetched, without its articles: what is to be said of it in the end.
    whole: Option<Reading>,
}

impl PagedReader<'_> {
    async fn read(&mut self, args: &ReadArgs) -> Result<(), Failure> {
        let (mut from, mut left) = (place(args), args.limit);
        loop {
            let shown = self.given.shown(self.pager.shown()).filter(|_| !args.keep);
            let page = page(self.session, &self.located, from, left, shown).await?;
            from = ReadFrom::After(page.upto);
            left = left.saturating_sub(page.articles.len() as u32);
            let goes_on = page.more && page.upto >= page.from && left > 0;
            let area = &self.located.area.name;
            let page_of = reading(area, Page { articles: Vec::new(), ..page.clone() });
            let items = reading(area, page.clone()).items();
            self.given.add(&page, &items);
            let before = self.whole.take();
            self.whole = Some(match before {
                Some(before) => Reading { from: before.from, cursor: before.cursor, ..page_of },
                None => page_of,
            });
            let piece = |item: Item| {
                let unread = item.seq() > page.cursor;
                Piece::Item { area: area.clone(), item, unread }
            };
            let coming =
                if goes_on { left.min((page.last_seq - page.upto).max(0) as u32) as usize } else { 0 };
            let total = self.given.pieces + coming;
            if self.pager.show(items.into_iter().map(piece).collect(), total).await? == Going::Enough
                || !goes_on
            {
                return Ok(());
            }
            self.session.progressed();
        }
    }

    /// Marks what was seen, and says what there is to say.
    async fn leave(
        mut self,
        keep: bool,
        mut read: Result<(), Failure>,
        stop: &Stop,
    ) -> Result<Outcome, Failure> {
        let is_stopped = |read: &Result<(), Failure>| matches!(read, Err(failure) if matches!(failure.kind, Kind::Interrupted(_)));
        let mut ended = None;
        if !is_stopped(&read) {
            // A person may stay in another pager for as long as he likes.
            let stopping = self.pager.stopped(stop);
            tokio::select! {
                biased;
                left = self.pager.end() => ended = left?,
                failure = stopping => read = Err(failure),
            }
        }
        let stopped = is_stopped(&read);
        let shown = self.given.shown(self.pager.shown());
        let marked = match shown.filter(|_| !keep) {
            Some(shown) if stopped => {
                self.session.progressed();
                timeout(LEAVE_WAIT, mark_area(self.session, &self.located, shown)).await.unwrap_or(Ok(()))
            }
            Some(shown) => mark_area(self.session, &self.located, shown).await,
            None => Ok(()),
        };
        read?;
        marked?;
        let area = &self.located.area.name;
        if let Some(ended) = ended {
            let note = match shown.filter(|_| ended.well) {
                Some(_) if keep => String::new(),
                Some(shown) => format!(
                    "Read: {area}#{} to #{}, all that {} was given. To take it back: {}",
                    shown.from,
                    shown.upto,
                    ended.name,
                    lines::undo(&self.session.settings, area)
                ),
                None => format!("{} ended badly: nothing is marked as read.", ended.name),
            };
            if !note.is_empty() {
                self.session.output.note(&note);
            }
        }
        if let Some(whole) = self.whole {
            let upto = shown.map_or(whole.from - 1, |shown| shown.upto).min(whole.upto);
            let nothing_seen = upto < whole.from && whole.upto >= whole.from;
            let said = Reading { upto, deleted: Vec::new(), more: whole.more || upto < whole.upto, ..whole };
            if !nothing_seen {
                self.session.output.show(Outcome::Reading(said)).await?;
            }
        }
        Ok(Outcome::Nothing)
    }
}

/// What the pager was given, and which numbers that accounts for.
#[derive(Default)]
struct Given {
    pieces: usize,
    steps: Vec<Step>,
}

/// Once so many pieces are shown, all numbers `from..=upto` are.
struct Step {
    pieces: usize,
    shown: Shown,
}

impl Given {
    fn add(&mut self, page: &Page, items: &[Item]) {
        if page.upto < page.from {
            return;
        }
        let reading_id = self.steps.first().map_or_else(Uuid::now_v7, |step| step.shown.reading_id);
        let mut from = page.from;
        let mut step = |pieces: usize, upto: Seq| {
            self.steps
                .push(Step { pieces, shown: Shown { from, upto, generation: page.generation, reading_id } });
            from = upto + 1;
        };
        for (index, item) in items.iter().enumerate() {
            let last = index + 1 == items.len();
            step(self.pieces + index + 1, if last { page.upto } else { item.seq() });
        }
        if items.is_empty() {
            step(self.pieces, page.upto); // all of it had expired
        }
        self.pieces += items.len();
    }

    /// What may be marked when so many pieces were wholly shown.
    fn shown(&self, pieces: usize) -> Option<Shown> {
        let shown = self.steps.iter().take_while(|step| step.pieces <= pieces);
        shown.fold(None, |before, step| Some(joined_to(before, step.shown)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::steps::tests::page;
    use super::*;

    #[test]
    fn i3_only_whole_pieces_without_a_gap_are_marked() {
        let mut given = Given::default();
        assert!(given.shown(0).is_none());
        given.add(&page(1, 2, 1), &[]); // expired
        given.add(&page(3, 7, 1), &[Item::Deleted(4), Item::Deleted(6)]);
        let span = |given: &Given, pieces| given.shown(pieces).map(|shown| (shown.from, shown.upto));
        assert_eq!(span(&given, 0), Some((1, 2)));
        assert_eq!(span(&given, 1), Some((1, 4)));
        assert_eq!(span(&given, 2), Some((1, 7)), "what expired at the end of a page belongs to it");
        given.add(&page(8, 9, 2), &[Item::Deleted(8), Item::Deleted(9)]);
        assert_eq!(span(&given, 3), Some((8, 8)), "another generation");
        assert_eq!(span(&given, 9), Some((8, 9)));
    }
}
