//! Reading, catching up, and taking either back.
//!
//! The cursor moves only for what was shown (I3): a page is written and flushed before the next request, or the last
//! mark, says so.

mod paged;

use super::areas::{has_news, subscriptions};
use crate::command::ReadArgs;
use crate::exit::Failure;
use crate::outcome::{Moved, Outcome, Reading};
use crate::pager::Pager;
use crate::render::Progress;
use crate::service::session::{Located, Nodes};
use crate::session::Session;
use crate::stop::Stop;
use crate::walk::walk;
use uuid::Uuid;
use wire::limits::PAGE_ARTICLES_MAX;
use wire::{AreaRef, ErrorCode, Mark, NodeReply, NodeRequest, Page, ReadFrom, Shown};

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

/// Where a reading begins.
fn place(args: &ReadArgs) -> ReadFrom {
    match args.after {
        Some(seq) => ReadFrom::After(seq),
        None if args.all => ReadFrom::Start,
        None => ReadFrom::Unread,
    }
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

/// One page, and word of what was shown before it.
pub async fn page(
    session: &Session,
    located: &Located,
    from: ReadFrom,
    limit: u32,
    shown: Option<Shown>,
) -> Result<Page, Failure> {
    let limit = limit.clamp(1, PAGE_ARTICLES_MAX);
    let request = NodeRequest::Read(wire::Read { area_id: located.area.area_id, from, limit, shown });
    match session.node(&located.nodes, request).await? {
        NodeReply::Page(page) => Ok(page),
        _ => Err(Failure::unexpected_reply()),
    }
}

/// Of an area that may be gone meanwhile.
pub async fn mark_area(session: &Session, located: &Located, shown: Shown) -> Result<(), Failure> {
    let area = &located.area.name;
    match mark(session, &located.nodes, vec![Mark { area_id: located.area.area_id, shown }]).await {
        // Unsubscribed or removed while it was being read: there is no cursor to move any more.
        Err(failure) if is_over(&failure) => Ok(()),
        Err(failure) => {
            let message = format!("{area} was shown, but stays unread: {failure}");
            Err(Failure { message, ..failure })
        }
        Ok(()) => Ok(()),
    }
}

/// Tells the service what was shown; the first refusal counts.
pub async fn mark(session: &Session, nodes: &Nodes, marks: Vec<Mark>) -> Result<(), Failure> {
    match session.node(nodes, NodeRequest::MarkRead(wire::MarkRead { marks })).await? {
        NodeReply::Marked(wire::Marked { cursors }) => {
            cursors.into_iter().try_for_each(|cursor| Ok(cursor.map(drop)?))
        }
        _ => Err(Failure::unexpected_reply()),
    }
}

/// What was shown up to and with `page`.
pub fn extended(before: Option<Shown>, page: &Page, reading_id: Uuid) -> Shown {
    joined_to(before, Shown { from: page.from, upto: page.upto, generation: page.generation, reading_id })
}

/// What was shown before and `next`, if there is no gap. Another device may have caught up or undone in between (a new
/// generation): then what was shown before no longer counts.
pub fn joined_to(before: Option<Shown>, next: Shown) -> Shown {
    match before {
        Some(before) if before.generation == next.generation && before.upto + 1 == next.from => {
            Shown { from: before.from, ..next }
        }
        _ => next,
    }
}

pub fn reading(area: &str, page: Page) -> Reading {
    Reading {
        area: area.to_owned(),
        from: page.from,
        upto: page.upto,
        last_seq: page.last_seq,
        cursor: page.cursor,
        deleted: page.deleted,
        expired_through: page.expired_through,
        articles: page.articles,
        more: page.more,
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

/// Removed, or unsubscribed from elsewhere, since the subscriptions were listed: the other areas go on.
pub fn is_over(failure: &Failure) -> bool {
    matches!(failure.code(), Some(ErrorCode::NotFound | ErrorCode::Denied))
}

pub fn note_over(session: &Session, area: &AreaRef, failure: &Failure) {
    session.output.note(&format!("{}: {failure}", area.name));
}

pub async fn move_cursor(
    session: &Session,
    area: &AreaRef,
    nodes: &Nodes,
    undone: bool,
) -> Result<Moved, Failure> {
    let (area_id, operation_id) = (area.area_id, Uuid::now_v7());
    let request = match undone {
        true => NodeRequest::Undo(wire::Undo { area_id, operation_id }),
        false => NodeRequest::CatchUp(wire::CatchUp { area_id, operation_id }),
    };
    match session.node(nodes, request).await? {
        NodeReply::CursorMoved(wire::CursorMoved { cursor, already }) => {
            Ok(Moved { area: area.name.clone(), cursor, already })
        }
        _ => Err(Failure::unexpected_reply()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn page(from: i64, upto: i64, generation: i64) -> Page {
        Page {
            area_id: wire::AreaId(1),
            from,
            upto,
            generation,
            cursor: 0,
            last_seq: 9,
            expired_through: 0,
            articles: Vec::new(),
            deleted: Vec::new(),
            more: false,
        }
    }

    #[test]
    fn i3_only_what_was_shown_without_a_gap_and_in_one_generation_is_marked() {
        let id = Uuid::nil();
        let first = extended(None, &page(3, 5, 1), id);
        assert_eq!((first.from, first.upto), (3, 5));
        let second = extended(Some(first), &page(6, 7, 1), id);
        assert_eq!((second.from, second.upto), (3, 7));
        let after_undo = extended(Some(second), &page(8, 9, 2), id);
        assert_eq!((after_undo.from, after_undo.upto, after_undo.generation), (8, 9, 2));
        let gap = extended(Some(first), &page(8, 9, 1), id);
        assert_eq!(gap.from, 8);
    }
}
