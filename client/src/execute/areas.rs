//! Areas and subscriptions.

use crate::exit::Failure;
use crate::outcome::Outcome;
use crate::session::Session;
use wire::{AgentReply, AgentRequest, AreaSummary, NodeReply, NodeRequest, SubscriptionSummary};

pub async fn areas(session: &Session) -> Result<Vec<AreaSummary>, Failure> {
    let mut all: Vec<AreaSummary> = Vec::new();
    loop {
        let after = all.last().map(|area| area.name.clone());
        match session.agent(AgentRequest::Areas { after }).await? {
            AgentReply::Areas { areas, more } => {
                let goes_on = more && !areas.is_empty();
                all.extend(areas);
                if !goes_on {
                    return Ok(all);
                }
            }
            _ => return Err(Failure::unexpected_reply()),
        }
        session.progressed();
    }
}

/// The subscribed areas in the order of their names.
pub async fn subscriptions(session: &Session) -> Result<Vec<SubscriptionSummary>, Failure> {
    let mut all: Vec<SubscriptionSummary> = Vec::new();
    loop {
        let after = all.last().map(|subscription| subscription.name.clone());
        match session.agent(AgentRequest::Subscriptions { after }).await? {
            AgentReply::Subscriptions { subscriptions, more } => {
                let goes_on = more && !subscriptions.is_empty();
                all.extend(subscriptions);
                if !goes_on {
                    return Ok(all);
                }
            }
            _ => return Err(Failure::unexpected_reply()),
        }
        session.progressed();
    }
}

pub async fn subscribe(session: &Session, area: &str, from_start: bool) -> Result<Outcome, Failure> {
    let located = session.locate(area).await?;
    let request = NodeRequest::Subscribe { area_id: located.area.area_id, from_start };
    match session.node(&located.nodes, request).await? {
        NodeReply::Subscribed { cursor, already } => {
            Ok(Outcome::Subscribed { area: located.area.name, cursor, already })
        }
        _ => Err(Failure::unexpected_reply()),
    }
}

pub async fn unsubscribe(session: &Session, area: &str) -> Result<Outcome, Failure> {
    let located = session.locate(area).await?;
    match session.node(&located.nodes, NodeRequest::Unsubscribe { area_id: located.area.area_id }).await? {
        NodeReply::Unsubscribed { already } => Ok(Outcome::Unsubscribed { area: located.area.name, already }),
        _ => Err(Failure::unexpected_reply()),
    }
}
