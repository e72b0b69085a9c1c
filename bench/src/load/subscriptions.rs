//! Asking an agent what one is subscribed to, with what is unread: each request as another person.

use super::closed_loop::{self, Trouble};
use super::exchange::ask_agent;
use super::{Load, Measured};
use crate::people::{Crowd, TEN_AREAS};
use std::net::SocketAddr;
use wire::{AgentReply, AgentRequest};

pub fn run(load: &Load, agent: SocketAddr, crowd: &Crowd) -> anyhow::Result<Measured> {
    closed_loop::run(load, |client| {
        let (crowd, step) = (*crowd, load.clients);
        let mut person = client;
        async move || {
            let request = AgentRequest::Subscriptions(wire::Subscriptions { after: None });
            let reply = ask_agent(agent, crowd.token(person), request).await?;
            person += step;
            match reply {
                AgentReply::SubscriptionsListed(wire::SubscriptionsListed { subscriptions, more: false })
                    if subscriptions.len() == TEN_AREAS =>
                {
                    Ok(1)
                }
                other => Err(Trouble::Failed(format!("not {TEN_AREAS} subscriptions: {other:?}"))),
            }
        }
    })
}
