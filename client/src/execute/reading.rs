//! Reading, catching up, and taking either back.
//!
//! The cursor moves only for what was shown (I3): a page is written and flushed before the next request, or the last
//! mark, says so.

mod paged;
pub mod steps;

use super::areas::{has_news, subscriptions};
use crate::command::ReadArgs;
use crate::exit::Failure;
use crate::outcome::{Outcome, Reading};
use crate::pager::Pager;
use crate::render::Progress;
use crate::service::session::Located;
use crate::session::Session;
use crate::stop::Stop;
use crate::walk::walk;
use steps::{extended, is_over, mark_area, move_cursor, note_over, page, place, reading};
use uuid::Uuid;
use wire::{AreaRef, ErrorCode, Page, ReadFrom, Shown};

/// One reading as JSON is one object and stands in memory until it is printed; beyond this it says `more`.
const MERGED_BYTES_MAX: usize = 64 * 1024 * 1024;

pub async fn read(session: &Session, args: ReadArgs, stop: &Stop) -> Result<Outcome, Failure> {
    if let Some(area) = &args.area
        && let Some(pager) = Pager::of(session, area)
    {
        return paged::read(session, &args, area, pager, stop).await;
    }
    // Who wants a certain number, or leaves no trace, wants no walk.
    let walks = args.area.is_none() && !args.keep && args.limit == ReadArgs::LIMIT_DEFAULT;
    if walks && session.output.has_person() && !session.settings.no_input {
        return Box::pin(walk(session, stop)).await;
    }
    tokio::select! {
        read = read_on(session, args) => read,
        failure = stop.raised() => Err(failure),
    }
}

async fn read_on(session: &Session, args: ReadArgs) -> Result<Outcome, Failure> {
    let mut reader = Reader {
        session,
        reading_id: Uuid::now_v7(),
        left: args.limit,
        left_bytes: MERGED_BYTES_MAX,
        keep: args.keep,
    };
    if let Some(area) = &args.area {
        let located = session.locate(area).await?;
        reader.read_area(&located, place(&args)).await?;
        return Ok(Outcome::Nothing);
    }
    let subscribed = subscriptions(session).await?;
    let count = subscribed.len();
    let unread: Vec<_> = subscribed.into_iter().filter(has_news).collect();
    if unread.is_empty() {
        return Ok(Outcome::NothingUnread { subscriptions: count });
    }
    let nodes = session.any_nodes().await?;
    for subscription in unread {
        if reader.left == 0 {
            let note =
                format!("more is unread in {}: `gaceta read` again, or a larger --limit", subscription.name);
            session.output.note(&note);
            break;
        }
        let area = AreaRef { area_id: subscription.area_id, name: subscription.name };
        let located = Located { area, nodes: nodes.clone() };
        match reader.read_area(&located, ReadFrom::Unread).await {
            Err(failure) if is_over(&failure) => note_over(session, &located.area, &failure),
            read => read?,
        }
    }
    Ok(Outcome::Nothing)
}

/// One `read` command: what it may still show, and the name under which it marks (undo takes back all of it).
struct Reader<'a> {
    session: &'a Session,
    reading_id: Uuid,
    left: u32,
    left_bytes: usize,
    keep: bool,
}

impl Reader<'_> {
    async fn read_area(&mut self, located: &Located, mut from: ReadFrom) -> Result<(), Failure> {
        let merges = self.session.output.merges_pages();
        let mut merged: Option<Reading> = None;
        let mut shown: Option<Shown> = None;
        // What was read and, with JSON, not yet printed must not be marked by the next request.
        let mut read: Option<Shown> = None;
        // Pages that come out one by one tell by themselves; and whoever pages through them wants the screen alone.
        let progress = || Progress::new(&self.session.output, format!("reading {}", located.area.name), None);
        let mut progress = merges.then(progress);
        loop {
            let page = self.page(located, from, shown).await?;
            if let Some(progress) = &mut progress {
                progress.advance(page.articles.len() as u64);
            }
            if page.upto >= page.from {
                read = Some(extended(read, &page, self.reading_id));
            }
            self.left = self.left.saturating_sub(page.articles.len() as u32);
            self.left_bytes =
                self.left_bytes.saturating_sub(page.articles.iter().map(|article| article.body.len()).sum());
            let goes_on =
                page.more && page.upto >= page.from && self.left > 0 && (!merges || self.left_bytes > 0);
            from = ReadFrom::After(page.upto);
            let reading = joined(merged.take(), reading(&located.area.name, page));
            if merges && goes_on {
                merged = Some(reading);
            } else {
                let told = Reading { more: reading.more && !goes_on, ..reading };
                self.session.output.show(Outcome::Reading(told)).await?;
                shown = read;
            }
            if !goes_on {
                break;
            }
            self.session.progressed();
        }
        match shown {
            Some(shown) if !self.keep => self.mark(located, shown).await,
            _ => Ok(()),
        }
    }

    async fn page(&self, located: &Located, from: ReadFrom, shown: Option<Shown>) -> Result<Page, Failure> {
        page(self.session, located, from, self.left, shown.filter(|_| !self.keep)).await
    }

    async fn mark(&self, located: &Located, shown: Shown) -> Result<(), Failure> {
        mark_area(self.session, located, shown).await
    }
}

fn joined(before: Option<Reading>, mut next: Reading) -> Reading {
    let Some(mut joined) = before else { return next };
    joined.articles.append(&mut next.articles);
    joined.deleted.append(&mut next.deleted);
    Reading { articles: joined.articles, deleted: joined.deleted, from: joined.from, ..next }
}

pub async fn catch_up(session: &Session, area: Option<String>) -> Result<Outcome, Failure> {
    move_cursors(session, area, false).await
}

pub async fn undo(session: &Session, area: Option<String>) -> Result<Outcome, Failure> {
    move_cursors(session, area, true).await
}

async fn move_cursors(session: &Session, area: Option<String>, undone: bool) -> Result<Outcome, Failure> {
    if let Some(area) = area {
        let located = session.locate(&area).await?;
        let moved = vec![move_cursor(session, &located.area, &located.nodes, undone).await?];
        return Ok(Outcome::Moved { moved, one: true, undone });
    }
    let subscribed = subscriptions(session).await?;
    let nodes = session.any_nodes().await?;
    let what = if undone { "taking back, areas" } else { "catching up, areas" };
    let mut progress = Progress::new(&session.output, what.into(), Some(subscribed.len() as u64));
    let mut moved = Vec::new();
    let mut nothing_to_undo = None;
    for subscription in subscribed {
        let area = AreaRef { area_id: subscription.area_id, name: subscription.name };
        match move_cursor(session, &area, &nodes, undone).await {
            Ok(one) => moved.push(one),
            // Of many areas only some were read last.
            Err(failure) if undone && failure.code() == Some(ErrorCode::Conflict) => {
                nothing_to_undo = Some(failure)
            }
            Err(failure) if is_over(&failure) => note_over(session, &area, &failure),
            Err(failure) => return Err(failure),
        }
        progress.advance(1);
        session.progressed();
    }
    match nothing_to_undo {
        Some(failure) if moved.is_empty() => Err(failure),
        _ => Ok(Outcome::Moved { moved, one: false, undone }),
    }
}
