//! Areas: the lists that readers see, and their administration.

use crate::Agent;
use db::areas::{Area, Change, Details};
use db::names::Name;
use db::retention::FOREVER;
use db::settings::values::Unit;
use server::{Failure, token_hash};
use uuid::Uuid;
use wire::limits::{DESCRIPTION_BYTES_MAX, LIST_ROWS_MAX};
use wire::{
    AgentReply, AreaDetails, AreaId, AreaSettings, AreaSummary, ErrorCode, ErrorReply, Keep, Seq,
    SubscriptionSummary, Token,
};

/// The most nodes that one area is assigned to: beyond, more nodes help no reader.
const REPLICAS_MAX: u32 = 16;
/// The most articles that an area may be told to keep; who wants more wants all.
const KEEP_COUNT_MAX: i64 = FOREVER - 1;

pub async fn areas(
    agent: &Agent,
    token: Option<Token>,
    after: Option<String>,
) -> Result<AgentReply, Failure> {
    let token = token_hash(token)?;
    let rows = db::areas::list(&agent.db, &token, after.as_deref(), LIST_ROWS_MAX.into()).await?;
    let more = rows.len() == LIST_ROWS_MAX as usize;
    Ok(AgentReply::Areas { areas: rows.into_iter().map(summary).collect(), more })
}

fn summary(area: Area) -> AreaSummary {
    AreaSummary {
        area_id: AreaId(area.area_id),
        name: area.name,
        description: area.description,
        unread: area.unread,
        last_seq: area.last_seq,
        replicas: area.replicas.unsigned_abs(),
    }
}

pub async fn subscriptions(
    agent: &Agent,
    token: Option<Token>,
    after: Option<String>,
) -> Result<AgentReply, Failure> {
    let token = token_hash(token)?;
    let rows = db::subscriptions::list(&agent.db, &token, after.as_deref(), LIST_ROWS_MAX.into()).await?;
    let more = rows.len() == LIST_ROWS_MAX as usize;
    let subscriptions = rows
        .into_iter()
        .map(|row| SubscriptionSummary {
            area_id: AreaId(row.area_id),
            name: row.name,
            unread: row.unread,
            cursor: row.cursor,
            generation: row.generation,
            last_seq: row.last_seq,
            expired_through: row.expired_through,
        })
        .collect();
    Ok(AgentReply::Subscriptions { subscriptions, more })
}

pub async fn add(
    agent: &Agent,
    token: Option<Token>,
    creation_id: Uuid,
    name: String,
    settings: AreaSettings,
) -> Result<AgentReply, Failure> {
    let token = token_hash(token)?;
    let name = Name::parse(&name)?;
    let (area, already) =
        db::areas::add(&agent.db, &token, creation_id, &name, &checked(agent, settings).await?).await?;
    Ok(AgentReply::AreaChanged { area: details(agent, area), already })
}

pub async fn set(
    agent: &Agent,
    token: Option<Token>,
    name: String,
    settings: AreaSettings,
) -> Result<AgentReply, Failure> {
    let token = token_hash(token)?;
    let (area, already) = db::areas::set(&agent.db, &token, &name, &checked(agent, settings).await?).await?;
    Ok(AgentReply::AreaChanged { area: details(agent, area), already })
}

async fn checked(agent: &Agent, settings: AreaSettings) -> Result<Change, Failure> {
    if let Some(description) = &settings.description {
        if description.len() > DESCRIPTION_BYTES_MAX {
            let text = format!("a description has at most {DESCRIPTION_BYTES_MAX} bytes");
            return Err(ErrorReply::new(ErrorCode::TooLarge, text).into());
        }
        if description.chars().any(char::is_control) {
            return Err(ErrorReply::invalid("a description is one line without control characters").into());
        }
    }
    let replicas = match settings.replicas {
        None => None,
        Some(replicas @ 1..=REPLICAS_MAX) => Some(replicas as i32),
        Some(other) => {
            let text = format!("an area has 1 to {REPLICAS_MAX} replicas, not {other}");
            return Err(ErrorReply::invalid(text).into());
        }
    };
    // Asked anew: whoever has just changed the setting must not be judged by the old one.
    let keep_for_s_max = match settings.keep_for_s {
        Some(Keep::Limit(_)) => db::settings::load(&agent.db).await?.settings.keep_unread_s_max,
        Some(Keep::Default | Keep::Forever) | None => i64::MAX,
    };
    Ok(Change {
        description: settings.description,
        replicas,
        keep_for_s: own_limit(settings.keep_for_s, keep_for_s_max, |max_s| {
            let max = Unit::Seconds.show(max_s);
            format!("articles are kept for 1s to {max} (the setting keep_unread_s_max), or forever")
        })?,
        keep_count: own_limit(settings.keep_count, KEEP_COUNT_MAX, |max| {
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

pub async fn remove(agent: &Agent, token: Option<Token>, area_id: AreaId) -> Result<AgentReply, Failure> {
    let already = db::areas::remove(&agent.db, &token_hash(token)?, area_id.0).await?;
    Ok(AgentReply::Done { already })
}

pub async fn restore(agent: &Agent, token: Option<Token>, name: String) -> Result<AgentReply, Failure> {
    let (area, already) = db::areas::restore(&agent.db, &token_hash(token)?, &name).await?;
    Ok(AgentReply::AreaChanged { area: details(agent, area), already })
}

pub async fn list(agent: &Agent, token: Option<Token>, after: Option<AreaId>) -> Result<AgentReply, Failure> {
    let after = after.map_or(0, |area_id| area_id.0);
    let rows = db::areas::list_all(&agent.db, &token_hash(token)?, after, LIST_ROWS_MAX.into()).await?;
    let more = rows.len() == LIST_ROWS_MAX as usize;
    Ok(AgentReply::AreaList { areas: rows.into_iter().map(|area| details(agent, area)).collect(), more })
}

fn details(agent: &Agent, area: Details) -> AreaDetails {
    let settings = agent.live.settings();
    AreaDetails {
        area_id: AreaId(area.area_id),
        name: area.name,
        description: area.description,
        replicas: area.replicas.unsigned_abs(),
        keep_for_s: limit_in_force(area.keep_for_s, settings.keep_for_s),
        keep_count: limit_in_force(area.keep_count, settings.keep_count),
        created_at_us: area.created_at_us,
        removed_at_us: area.removed_at_us,
        last_seq: area.last_seq,
        expired_through: area.expired_through,
        subscribers: area.subscribers,
    }
}

pub async fn remove_article(
    agent: &Agent,
    token: Option<Token>,
    area: String,
    seq: Seq,
) -> Result<AgentReply, Failure> {
    let already = db::articles::remove(&agent.db, &token_hash(token)?, &area, seq).await?;
    Ok(AgentReply::Done { already })
}
