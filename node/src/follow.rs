//! Following: a long poll. Look, and if there is nothing, wait in the hub; notifications and polling wake it.

use crate::Node;
use crate::articles::{article_of, checked_seq, page_of, shown_of};
use crate::hub::Delivery;
use crate::subscriptions::check_distinct;
use db::TokenHash;
use db::articles::Page;
use db::follow::{Look, Place};
use db::reading::{Answer, From, Read};
use server::{Caller, Failure};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use wire::limits::{PAGE_ARTICLES_MAX, PAGE_BYTES_MAX};
use wire::{AreaId, ErrorCode, ErrorReply, FollowArea, FollowEnded, NodeReply};

pub async fn follow(node: &Node, caller: &Caller, request: wire::Follow) -> Result<NodeReply, Failure> {
    let wire::Follow { areas, wait_ms } = request;
    let token = caller.token_hash()?;
    check_distinct(areas.iter().map(|area| area.area_id))?;
    let wait_ms_max = node.live.settings().follow_wait_ms_max.unsigned_abs();
    let deadline = Instant::now() + Duration::from_millis(u64::from(wait_ms).min(wait_ms_max));
    let mut places = areas.into_iter().map(place_of).collect::<Result<Vec<Place>, ErrorReply>>()?;
    loop {
        // The moment comes before the look, or what is posted between look and wait would be missed until the next poll.
        let moment = node.hub.moment();
        // Boxed: its state is larger than all that a follower holds while it waits.
        let (session_id, user_id) = match Box::pin(look(node, token, &places)).await? {
            Looked::News(reply) => return Ok(reply),
            Looked::Nothing { session_id, user_id } => (session_id, user_id),
        };
        // Looking again and again because others come and go does not make the wait longer.
        if Instant::now() >= deadline {
            return Ok(nothing());
        }
        let waited: Vec<(i64, i64)> = places.iter().map(|place| (place.area_id, place.after)).collect();
        for place in &mut places {
            place.shown = None; // applied by the look
        }
        let Some(mut seat) = node.hub.wait(session_id, user_id, &waited, moment)? else { continue };
        match timeout_at(deadline, &mut seat.delivery).await {
            Err(_) => return Ok(nothing()),
            Ok(Ok(Delivery::News { page, after, cursor, generation })) => {
                let pages = vec![cut(&page, after, cursor, generation)];
                return Ok(NodeReply::Followed(wire::Followed { pages, ended: vec![] }));
            }
            Ok(Ok(Delivery::Ended { area_id, error })) => {
                let ended = vec![FollowEnded { area_id: AreaId(area_id), error }];
                return Ok(NodeReply::Followed(wire::Followed { pages: vec![], ended }));
            }
            Ok(Ok(Delivery::Refused(error))) => return Err(error.into()),
            Ok(Ok(Delivery::LookAgain) | Err(_)) => {}
        }
    }
}

enum Looked {
    News(NodeReply),
    Nothing { session_id: i64, user_id: i64 },
}

async fn look(node: &Node, token: TokenHash, places: &[Place]) -> Result<Looked, Failure> {
    if let [place] = places {
        return look_at_one(node, token, place).await;
    }
    let look = db::follow::look(&node.db, &token, places, PAGE_ARTICLES_MAX.into(), PAGE_BYTES_MAX as i64);
    let Look { session_id, user_id, pages, ended } = look.await?;
    if pages.is_empty() && ended.is_empty() {
        return Ok(Looked::Nothing { session_id, user_id });
    }
    let ended = ended
        .into_iter()
        .map(|(area_id, error)| FollowEnded { area_id: AreaId(area_id), error: Failure::from(error).0 });
    let pages = pages.into_iter().map(page_of).collect();
    Ok(Looked::News(NodeReply::Followed(wire::Followed { pages, ended: ended.collect() })))
}

/// Most follow one area: they are looked for in groups, with each other and with readers.
async fn look_at_one(node: &Node, token: TokenHash, place: &Place) -> Result<Looked, Failure> {
    let Place { area_id, after, shown } = *place;
    let rows_max = PAGE_ARTICLES_MAX.into();
    let read = Read { token, area_id, from: From::After(after), shown, rows_max, notes_use: true };
    match node.readers.read(read).await {
        Ok(Answer { session_id, user_id, page }) if page.upto < page.from => {
            Ok(Looked::Nothing { session_id, user_id })
        }
        Ok(Answer { page, .. }) => Ok(Looked::News(NodeReply::Followed(wire::Followed {
            pages: vec![page_of(page)],
            ended: vec![],
        }))),
        Err(Failure(error)) if matches!(error.code, ErrorCode::NotFound | ErrorCode::Denied) => {
            let ended = vec![FollowEnded { area_id: AreaId(area_id), error }];
            Ok(Looked::News(NodeReply::Followed(wire::Followed { pages: vec![], ended })))
        }
        Err(failure) => Err(failure),
    }
}

fn place_of(area: FollowArea) -> Result<Place, ErrorReply> {
    let FollowArea { area_id, after, shown } = area;
    let (after, shown) = (checked_seq(after)?, shown.map(shown_of).transpose()?);
    Ok(Place { area_id: area_id.0, after, shown })
}

fn nothing() -> NodeReply {
    NodeReply::Followed(wire::Followed { pages: vec![], ended: vec![] })
}

/// What of a shared page comes after this follower's place.
fn cut(page: &Page, after: i64, cursor: i64, generation: i64) -> wire::Page {
    wire::Page {
        area_id: AreaId(page.area_id),
        from: after + 1,
        upto: page.upto,
        generation,
        cursor,
        last_seq: page.last_seq,
        expired_through: page.expired_through,
        articles: page.articles.iter().filter(|a| a.seq > after).cloned().map(article_of).collect(),
        deleted: page.deleted.iter().copied().filter(|seq| *seq > after).collect(),
        more: page.upto < page.last_seq,
    }
}
