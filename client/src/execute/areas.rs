//! Areas and subscriptions.

use crate::exit::Failure;
use crate::names;
use crate::outcome::Outcome;
use crate::session::Session;
use wire::{
    AgentReply, AgentRequest, AreaRef, AreaSummary, ErrorCode, NodeReply, NodeRequest, SubscriptionSummary,
};

/// Of the areas that there are, in an error: more is what `areas` is for.
const AREAS_NAMED_MAX: usize = 10;

pub async fn areas(session: &Session) -> Result<Vec<AreaSummary>, Failure> {
    let ask = |last: Option<&AreaSummary>| {
        AgentRequest::Areas(wire::Areas { after: last.map(|area| area.name.clone()) })
    };
    let page_of = |reply| match reply {
        AgentReply::AreasListed(wire::AreasListed { areas, more }) => Some((areas, more)),
        _ => None,
    };
    let areas = all_pages(session, ask, page_of).await?;
    names::note_areas(&session.settings, &areas);
    Ok(areas)
}

/// The subscribed areas in the order of their names.
pub async fn subscriptions(session: &Session) -> Result<Vec<SubscriptionSummary>, Failure> {
    let ask = |last: Option<&SubscriptionSummary>| {
        AgentRequest::Subscriptions(wire::Subscriptions {
            after: last.map(|subscription| subscription.name.clone()),
        })
    };
    let page_of = |reply| match reply {
        AgentReply::SubscriptionsListed(wire::SubscriptionsListed { subscriptions, more }) => {
            Some((subscriptions, more))
        }
        _ => None,
    };
    all_pages(session, ask, page_of).await
}

/// A list that an agent tells page by page: `ask` for what comes after the last row, until `page_of` says that it is all.
pub async fn all_pages<T>(
    session: &Session,
    ask: impl Fn(Option<&T>) -> AgentRequest,
    page_of: impl Fn(AgentReply) -> Option<(Vec<T>, bool)>,
) -> Result<Vec<T>, Failure> {
    let mut all = Vec::new();
    loop {
        let reply = session.agent(ask(all.last())).await?;
        let (rows, more) = page_of(reply).ok_or_else(Failure::unexpected_reply)?;
        let goes_on = more && !rows.is_empty();
        all.extend(rows);
        if !goes_on {
            return Ok(all);
        }
        session.progressed();
    }
}

/// An area to stay in, and whether it is subscribed; when there is none of this name, the error says which there are.
pub async fn find(session: &Session, name: &str) -> Result<(AreaRef, bool), Failure> {
    session.require_login()?;
    let located = session.locate(name).await;
    let areas = areas(session).await;
    match (located, areas) {
        (Ok(located), areas) => {
            let found = areas?.into_iter().find(|area| area.area_id == located.area.area_id);
            Ok((located.area, found.is_some_and(|area| area.unread.is_some())))
        }
        (Err(failure), Ok(areas)) if failure.code() == Some(ErrorCode::NotFound) && !areas.is_empty() => {
            let mut names: Vec<&str> = areas.iter().map(|area| area.name.as_str()).collect();
            if names.len() > AREAS_NAMED_MAX {
                names.truncate(AREAS_NAMED_MAX);
                names.push("…");
            }
            let message = format!("{failure}; there are: {}", names.join(", "));
            Err(Failure { message, ..failure })
        }
        (Err(failure), _) => Err(failure),
    }
}

pub async fn subscribe(session: &Session, area: &str, from_start: bool) -> Result<Outcome, Failure> {
    let located = session.locate(area).await?;
    let request = NodeRequest::Subscribe(wire::Subscribe { area_id: located.area.area_id, from_start });
    match session.node(&located.nodes, request).await? {
        NodeReply::Subscribed(wire::Subscribed { cursor, already }) => {
            Ok(Outcome::Subscribed { area: located.area.name, cursor, already })
        }
        _ => Err(Failure::unexpected_reply()),
    }
}

pub async fn unsubscribe(session: &Session, area: &str) -> Result<Outcome, Failure> {
    let located = session.locate(area).await?;
    match session
        .node(&located.nodes, NodeRequest::Unsubscribe(wire::Unsubscribe { area_id: located.area.area_id }))
        .await?
    {
        NodeReply::Unsubscribed(wire::Unsubscribed { already }) => {
            Ok(Outcome::Unsubscribed { area: located.area.name, already })
        }
        _ => Err(Failure::unexpected_reply()),
    }
}

/// Whether there is something for its reader: to read, or to be told that it has expired unread.
pub fn has_news(subscription: &SubscriptionSummary) -> bool {
    subscription.unread > 0 || subscription.cursor < subscription.expired_through
}
