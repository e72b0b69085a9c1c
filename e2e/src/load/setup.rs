//! What must be there before people begin, and whether they have begun.

use super::place::surely;
use super::{Area, Crowd};
use crate::caller::Caller;
use crate::history::{By, Entry, Why};
use crate::person::Person;
use client::exit::Failure;
use std::collections::HashSet;
use uuid::Uuid;
use wire::{AdminRequest, AgentReply, AreaSettings, ErrorCode, Keep, NodeRequest};

pub(super) async fn area_add(admin: &Caller, name: String) -> Result<Area, Failure> {
    let (creation_id, settings) = (Uuid::now_v7(), AreaSettings::default());
    let request = AdminRequest::AreaAdd(wire::AreaAdd { creation_id, name: name.clone(), settings });
    match surely(async || admin.administrate(request.clone()).await).await? {
        AgentReply::AreaChanged(wire::AreaChanged { area, .. }) => Ok(Area { id: area.area_id, name }),
        other => panic!("{other:?}"),
    }
}

pub(super) async fn keep(admin: &Caller, area: &Area, count: Keep) -> Result<(), Failure> {
    let settings = AreaSettings { keep_count: Some(count), ..AreaSettings::default() };
    let request = AdminRequest::AreaSet(wire::AreaSet { name: area.name.clone(), settings });
    surely(async || admin.administrate(request.clone()).await).await.map(drop)
}

pub(super) async fn subscribe(caller: &Caller, areas: &[Area]) -> Result<(), Failure> {
    for area in areas {
        let request = NodeRequest::Subscribe(wire::Subscribe { area_id: area.id, from_start: false });
        surely(async || caller.node(&area.name, request.clone()).await).await?;
    }
    Ok(())
}

/// At least one node: without any there is nobody to serve.
pub(super) fn some(nodes: Vec<String>) -> Result<Vec<String>, Failure> {
    if nodes.is_empty() {
        Err(Failure::service(ErrorCode::Unavailable, "no node is live"))
    } else {
        Ok(nodes)
    }
}

pub(super) fn are_at_work(entries: &[Entry], people: &[Person], crowd: &Crowd) -> bool {
    let mut idle: HashSet<&str> = people.iter().map(|person| person.name.as_str()).collect();
    let mut is_shown = crowd.follow_processes == 0;
    for entry in entries {
        match entry {
            Entry::Operation(one) if one.ended_us.is_some() => drop(idle.remove(one.who.as_str())),
            Entry::Reading(one) if one.why != Why::Silent => drop(idle.remove(one.reader.as_str())),
            Entry::Delivery(one) => is_shown |= one.by == By::Client,
            _ => {}
        }
    }
    is_shown && idle.is_empty()
}
