//! Areas: the lists that readers see, and their administration.

use crate::agent::Agent;
use db::areas::{Area, Change, Details};
use db::names::Name;
use db::retention::FOREVER;
use db::settings::values::Unit;
use db::subscriptions::Subscription;
use server::{Caller, Failure};
use wire::limits::{DESCRIPTION_BYTES_MAX, LIST_ROWS_MAX};
use wire::{
    AgentReply, AreaDetails, AreaId, AreaSettings, AreaSummary, ErrorCode, ErrorReply, Keep,
    SubscriptionSummary,
};

/// The most nodes that one area is assigned to: beyond, more nodes help no reader.
const REPLICAS_MAX: u32 = 16;
/// The most articles that an area may be told to keep; who wants more wants all.
const KEEP_COUNT_MAX: i64 = FOREVER - 1;

pub async fn areas(agent: &Agent, caller: &Caller, request: wire::Areas) -> Result<AgentReply, Failure> {
    let wire::Areas { after } = request;
    let token = caller.token_hash()?;
    let rows = db::areas::list(&agent.db, &token, after.as_deref(), LIST_ROWS_MAX.into()).await?;
    let more = rows.len() == LIST_ROWS_MAX as usize;
    Ok(AgentReply::AreasListed(wire::AreasListed { areas: rows.into_iter().map(summary).collect(), more }))
}

fn summary(area: Area) -> AreaSummary {
    let Area { area_id, name, description, unread, last_seq, replicas } = area;
    let (area_id, replicas) = (AreaId(area_id), replicas.unsigned_abs());
    AreaSummary { area_id, name, description, unread, last_seq, replicas }
}

pub async fn subscriptions(
    agent: &Agent,
    caller: &Caller,
    request: wire::Subscriptions,
) -> Result<AgentReply, Failure> {
    let wire::Subscriptions { after } = request;
    let token = caller.token_hash()?;
    let rows = db::subscriptions::list(&agent.db, &token, after.as_deref(), LIST_ROWS_MAX.into()).await?;
    let more = rows.len() == LIST_ROWS_MAX as usize;
    let subscriptions = rows.into_iter().map(subscription).collect();
    Ok(AgentReply::SubscriptionsListed(wire::SubscriptionsListed { subscriptions, more }))
}

fn subscription(row: Subscription) -> SubscriptionSummary {
    let Subscription { area_id, name, unread, cursor, generation, last_seq, expired_through } = row;
    let area_id = AreaId(area_id);
    SubscriptionSummary { area_id, name, unread, cursor, generation, last_seq, expired_through }
}

pub async fn add(agent: &Agent, caller: &Caller, request: wire::AreaAdd) -> Result<AgentReply, Failure> {
    let wire::AreaAdd { creation_id, name, settings } = request;
    let token = caller.token_hash()?;
    let name = Name::parse(&name)?;
    let (area, already) =
        db::areas::add(&agent.db, &token, creation_id, &name, &checked(agent, settings).await?).await?;
    Ok(AgentReply::AreaChanged(wire::AreaChanged { area: details(agent, area), already }))
}

pub async fn set(agent: &Agent, caller: &Caller, request: wire::AreaSet) -> Result<AgentReply, Failure> {
    let wire::AreaSet { name, settings } = request;
    let token = caller.token_hash()?;
    let (area, already) = db::areas::set(&agent.db, &token, &name, &checked(agent, settings).await?).await?;
    Ok(AgentReply::AreaChanged(wire::AreaChanged { area: details(agent, area), already }))
}

async fn checked(agent: &Agent, settings: AreaSettings) -> Result<Change, Failure> {
    let AreaSettings { description, replicas, keep_for_s, keep_count } = settings;
    if let Some(description) = &description {
        if description.len() > DESCRIPTION_BYTES_MAX {
            let text = format!("a description has at most {DESCRIPTION_BYTES_MAX} bytes");
            return Err(ErrorReply::new(ErrorCode::TooLarge, text).into());
        }
        if description.chars().any(char::is_control) {
            return Err(ErrorReply::invalid("a description is one line without control characters").into());
        }
    }
    let replicas = match replicas {
        None => None,
        Some(replicas @ 1..=REPLICAS_MAX) => Some(replicas as i32),
        Some(other) => {
            let text = format!("an area has 1 to {REPLICAS_MAX} replicas, not {other}");
            return Err(ErrorReply::invalid(text).into());
        }
    };
    // Asked anew: whoever has just changed the setting must not be judged by the old one.
    let keep_for_s_max = match keep_for_s {
        Some(Keep::Limit(_)) => db::settings::load(&agent.db).await?.settings.keep_unread_s_max,
        Some(Keep::Default | Keep::Forever | Keep::Other(_)) | None => i64::MAX,
    };
    Ok(Change {
        description,
        replicas,
        keep_for_s: own_limit(keep_for_s, keep_for_s_max, |max_s| {
            let max = Unit::Seconds.show(max_s);
            format!("articles are kept for 1s to {max} (the setting keep_unread_s_max), or forever")
        })?,
        keep_count: own_limit(keep_count, KEEP_COUNT_MAX, |max| {
            format!("1 to {max} articles are kept, or forever")
        })?,
    })
}

/// `told` says what is allowed.
fn own_limit(
    keep: Option<Keep>,
    max: i64,
    told: impl Fn(i64) -> String,
) -> Result<Option<Option<i64>>, Failure> {
    match keep {
        None => Ok(None),
        Some(Keep::Default) => Ok(Some(None)),
        Some(Keep::Forever) => Ok(Some(Some(FOREVER))),
        Some(Keep::Other(number)) => Err(ErrorReply::unknown_value("limit of retention", number).into()),
        Some(Keep::Limit(limit)) => match i64::try_from(limit) {
            Ok(limit) if (1..=max).contains(&limit) => Ok(Some(Some(limit))),
            _ => Err(ErrorReply::invalid(told(max)).into()),
        },
    }
}

/// What holds: an area's own limit, or else the service's. `None`: no limit.
fn limit_in_force(own: Option<i64>, default: Option<i64>) -> Option<u64> {
    own.or(default).filter(|limit| *limit < FOREVER).map(i64::unsigned_abs)
}

pub async fn remove(
    agent: &Agent,
    caller: &Caller,
    request: wire::AreaRemove,
) -> Result<AgentReply, Failure> {
    let wire::AreaRemove { area_id } = request;
    let already = db::areas::remove(&agent.db, &caller.token_hash()?, area_id.0).await?;
    Ok(AgentReply::Done(wire::Done { already }))
}

pub async fn restore(
    agent: &Agent,
    caller: &Caller,
    request: wire::AreaRestore,
) -> Result<AgentReply, Failure> {
    let wire::AreaRestore { name } = request;
    let (area, already) = db::areas::restore(&agent.db, &caller.token_hash()?, &name).await?;
    Ok(AgentReply::AreaChanged(wire::AreaChanged { area: details(agent, area), already }))
}

pub async fn list(agent: &Agent, caller: &Caller, request: wire::AreaList) -> Result<AgentReply, Failure> {
    let wire::AreaList { after } = request;
    let after = after.map_or(0, |area_id| area_id.0);
    let rows = db::areas::list_all(&agent.db, &caller.token_hash()?, after, LIST_ROWS_MAX.into()).await?;
    let more = rows.len() == LIST_ROWS_MAX as usize;
    Ok(AgentReply::AreaDetailsListed(wire::AreaDetailsListed {
        areas: rows.into_iter().map(|area| details(agent, area)).collect(),
        more,
    }))
}

fn details(agent: &Agent, area: Details) -> AreaDetails {
    let Details {
        area_id,
        name,
        description,
        replicas,
        keep_for_s,
        keep_count,
        created_at_us,
        removed_at_us,
        last_seq,
        expired_through,
        subscribers,
    } = area;
    let settings = agent.live.settings();
    AreaDetails {
        area_id: AreaId(area_id),
        name,
        description,
        replicas: replicas.unsigned_abs(),
        keep_for_s: limit_in_force(keep_for_s, settings.keep_for_s),
        keep_count: limit_in_force(keep_count, settings.keep_count),
        created_at_us,
        removed_at_us,
        last_seq,
        expired_through,
        subscribers,
    }
}

pub async fn remove_article(
    agent: &Agent,
    caller: &Caller,
    request: wire::ArticleRemove,
) -> Result<AgentReply, Failure> {
    let wire::ArticleRemove { area, seq } = request;
    let already = db::articles::remove(&agent.db, &caller.token_hash()?, &area, seq).await?;
    Ok(AgentReply::Done(wire::Done { already }))
}
