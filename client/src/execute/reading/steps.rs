//! The steps of every reading: a page, word of what was shown, and a cursor that is moved.

use crate::command::ReadArgs;
use crate::exit::Failure;
use crate::outcome::{Moved, Reading};
use crate::service::session::{Located, Nodes};
use crate::session::Session;
use uuid::Uuid;
use wire::limits::PAGE_ARTICLES_MAX;
use wire::{AreaRef, ErrorCode, Mark, NodeReply, NodeRequest, Page, ReadFrom, Shown};

/// Where a reading begins.
pub fn place(args: &ReadArgs) -> ReadFrom {
    match args.after {
        Some(seq) => ReadFrom::After(seq),
        None if args.all => ReadFrom::Start,
        None => ReadFrom::Unread,
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
pub(super) mod tests {
    use super::*;

    pub fn page(from: i64, upto: i64, generation: i64) -> Page {
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
