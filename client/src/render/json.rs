//! JSON: one compact line for each command (a line for each item with `follow`, for each area with `read` without an
//! area). Times are UTC, RFC 3339, with microseconds; names as they were written at creation; texts raw, escaped.
//!
//! | command | form |
//! | --- | --- |
//! | `register`, `login` | `{user, role, context, registered}` |
//! | `logout` | `{user, logged_out}` |
//! | `whoami` | `{user, role, context, agents}` |
//! | `passwd` | `{changed}` |
//! | `sessions`, `admin user sessions` | `[{id, label, created_at, last_used_at, expires_at, current}]` |
//! | `sessions end`, `sessions --all` | `{ended}` |
//! | `areas` | `[{name, description, subscribed, unread, last_seq, replicas}]` |
//! | `subscriptions` | `[{area, unread, cursor}]` |
//! | `subscribe` | `{area, cursor, already}` |
//! | `unsubscribe` | `{area, already}` |
//! | `read` | `{area, from, upto, deleted, expired_through, articles: [{seq, id, author, posted_at, body}], more}` |
//! | `follow` | `{area, seq, id, author, posted_at, body}` or `{area, seq, deleted: true}` or `{area, seq, expired}`: so many, up to `seq`, have expired unread |
//! | `catchup`, `undo` | `{area, cursor, unread}`; an array without an area |
//! | `post` | `{area, seq, id, duplicate}`; an array with `--lines` and `--resume` |
//! | `outbox` | `[{id, area, created_at, body}]` |
//! | `delete`, `admin article rm` | `{area, seq, already}` |
//! | `verify` | `{area, last_seq, kept, deleted, expired, missing: [seq…], damaged: [seq…], unknown: [{seq, state}…]}` |
//! | `admin area add`, `set`, `restore` | `{area, already}`, `area` as in the list |
//! | `admin area rm` | `{area, already}`, `area` the name |
//! | `admin area list` | `[{id, name, description, replicas, keep_for_s, keep_count, created_at, removed_at, last_seq, expired_through, subscribers}]` |
//! | `admin user list` | `[{name, role, created_at, disabled_at, sessions}]` |
//! | `admin user add`, `passwd`, `role`, `disable`, `enable` | `{user, already}` |
//! | `admin audit` | `[{id, at, actor, action, target, detail}]`, `detail` an object |
//! | `admin node list` | `{nodes: [{id, address, state, since, started_at, drained_at, areas, version, settings_version, load, load_at}], events}`; `state` announced, live, out or left; `load` `{posts_s, reads_s, follows_s, deletes_s, others_s, deliveries_s, followers, connections, queued_posts, memory_bytes}` or null |
//! | `admin node drain`, `resume` | `{node, already}`, `node` as in the list |
//! | `admin agent list` | `{leader: {id, epoch, since, expires_at}, agents: [{id, address, live, leads, started_at, seen_at, version, settings_version}], events: [{id, at, epoch, kind, subject, detail}]}`; `leader` null while nobody leads |
//! | `admin load` | `{samples: [{at, epoch, nodes, sum, mean}], nodes}`, oldest first, `sum` and `mean` like `load` above |
//! | `admin settings list` | `{version, settings: [{name, value, default, set_at, allowed, help}]}`; values as people write them, `set_at` null for defaults |
//! | `admin settings get` | one of them |
//! | `admin settings set`, `unset` | `{name, value, set, version, already}` |
//! | `admin settings import` | `{version, already, changes: [{name, from, to, set}]}` |
//! | `admin settings export` | `{version, settings: {NAME: VALUE}}`, those that are set |
//! | `admin settings status` | `{version, servers: [{kind, id, address, version}]}`, `kind` agent or node |
//! | `admin settings watch` | `{version, changes: [{name, from, to, set}]}`, a line for each version that was seen |
//! | `status` | `{context, user, agents: [{address, error, elapsed_ms, version, uptime_s, database_ms, clock_ms, nodes_live, nodes}], nodes: [{…, draining}]}`; `error` null for a server that is well, `clock_ms` how far its clock is ahead of ours |
//! | `context list` | `[{name, agents, user, current}]` |
//! | `context add` | `{name, agents, already}` |
//! | `context use` | `{name, already}` |
//! | `context remove` | `{name, user}`, `user` whose session was forgotten |
//! | `completions`, `man`, `exit-codes`, `environment` | `{text}` |
//! | `man --dir` | `{files: [path…]}` |
//! | errors | `{error: {code, message}}`, with `pending`, `id`, `resume` when posts wait, `draft` when a text was refused |
//!
//! `docs/json-schema.json` says the same for programs, and `e2e/tests/commands/json_schema.rs` holds every command against it.
//!
//! Codes besides the service's: `usage`, `local` (files, terminal), `interrupted`.

mod detail;
mod servers;
mod settings;

use super::layout::rfc3339;
use super::sanitise;
use super::style::Shown;
use crate::exit::Failure;
use crate::outcome::{Item, Outcome, Reading};
use detail::object;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};
use serde_json::{Serializer, Value, json};
use std::io;
use wire::{AreaDetails, AreaSummary, Article, AuditEntry, SessionSummary, SubscriptionSummary, UserSummary};

pub fn outcome(outcome: &Outcome) -> Shown {
    Shown::data(match outcome {
        Outcome::Nothing | Outcome::NothingUnread { .. } => String::new(),
        Outcome::Followed { area, expired, items } => {
            let expired = expired.map(|e| json!({"area": area, "seq": e.through, "expired": e.count}));
            expired
                .into_iter()
                .chain(items.iter().map(|item| item_value(area, item)))
                .map(|value| line(&value))
                .collect()
        }
        other => line(&value(other)),
    })
}

pub fn failure(failure: &Failure) -> String {
    let mut error = json!({"code": failure.name(), "message": failure.message});
    if let Some(pending) = &failure.pending {
        error["pending"] = json!(pending.count);
        error["id"] = json!(pending.id);
        error["resume"] = json!(pending.resume);
    }
    if let Some(draft) = &failure.draft {
        error["draft"] = json!(draft.path.to_string_lossy());
    }
    line(&json!({"error": error}))
}

fn value(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Nothing | Outcome::NothingUnread { .. } | Outcome::Followed { .. } => Value::Null,
        Outcome::Text(text) => json!({"text": text}),
        Outcome::Written { files } => {
            json!({"files": files.iter().map(|file| file.to_string_lossy()).collect::<Vec<_>>()})
        }
        Outcome::LoggedIn { user, role, context, registered } => {
            json!({"user": user, "role": role.name(), "context": context, "registered": registered})
        }
        Outcome::LoggedOut { user } => json!({"user": user, "logged_out": true}),
        Outcome::Whoami { user, role, context, agents } => {
            json!({"user": user, "role": role.name(), "context": context, "agents": agents})
        }
        Outcome::Contexts(contexts) => json!(contexts),
        Outcome::ContextAdded { name, agents, already } => {
            json!({"name": name, "agents": agents, "already": already})
        }
        Outcome::ContextUsed { name, already } => json!({"name": name, "already": already}),
        Outcome::ContextRemoved { name, user } => json!({"name": name, "user": user}),
        Outcome::PasswordChanged => json!({"changed": true}),
        Outcome::Sessions(sessions) => sessions.iter().map(session).collect(),
        Outcome::SessionsEnded { sessions } => json!({"ended": sessions}),
        Outcome::Areas(areas) => areas.iter().map(area).collect(),
        Outcome::Subscriptions(subscriptions) => subscriptions.iter().map(subscription).collect(),
        Outcome::Subscribed { area, cursor, already } => json!({"area": area, "cursor": cursor, "already": already}),
        Outcome::Unsubscribed { area, already } | Outcome::AreaRemoved { area, already } => {
            json!({"area": area, "already": already})
        }
        Outcome::Reading(reading) => reading_value(reading),
        Outcome::Moved { moved, one, .. } => list_or_one(
            moved.iter().map(|m| json!({"area": m.area, "cursor": m.cursor.cursor, "unread": m.cursor.unread})),
            *one,
        ),
        Outcome::Posted { posted, one } => list_or_one(posted.iter().map(|posted| json!(posted)), *one),
        Outcome::Outbox { posts, .. } => posts
            .iter()
            .map(|p| json!({"id": p.id, "area": p.area, "created_at": rfc3339(p.created_at_us), "body": p.body}))
            .collect(),
        Outcome::Deleted { area, seq, already } => json!({"area": area, "seq": seq, "already": already}),
        Outcome::Verified(v) => json!({
            "area": v.area, "last_seq": v.last_seq, "kept": v.kept, "deleted": v.deleted, "expired": v.expired,
            "missing": v.missing, "damaged": v.damaged,
            "unknown": v.unknown.iter().map(|(seq, state)| json!({"seq": seq, "state": state.name()})).collect::<Value>(),
        }),
        Outcome::Status(status) => json!(status),
        Outcome::AreaChanged { area, already, .. } => json!({"area": details(area), "already": already}),
        Outcome::AreaList(areas) => areas.iter().map(details).collect(),
        Outcome::UserList(users) => users.iter().map(user).collect(),
        Outcome::UserChanged { user, already, .. } => json!({"user": user, "already": already}),
        Outcome::Settings { version, settings } => settings::list(*version, settings),
        Outcome::Setting(setting) => settings::setting(setting),
        Outcome::SettingChanged { name, value, is_set, version, already } => {
            json!({"name": name, "value": value, "set": is_set, "version": version, "already": already})
        }
        Outcome::SettingsImported { moved, version, already, .. } => {
            json!({"version": version, "already": already, "changes": moved})
        }
        Outcome::SettingsExport { version, settings } => settings::export(*version, settings),
        Outcome::SettingsStatus { version, servers } => settings::status(*version, servers),
        Outcome::SettingsMoved { version, moved } => settings::changes(*version, moved),
        Outcome::Audit(entries) => entries.iter().map(audit).collect(),
        Outcome::NodeList { nodes, events } => servers::node_list(nodes, events),
        Outcome::NodeChanged { node, already, .. } => servers::node_changed(node, *already),
        Outcome::AgentList { agents, leader, events } => servers::agent_list(agents, leader.as_ref(), events),
        Outcome::Load { samples, nodes, .. } => servers::load(samples, nodes),
    }
}

fn list_or_one(mut values: impl Iterator<Item = Value>, one: bool) -> Value {
    if one { values.next().unwrap_or(Value::Null) } else { values.collect() }
}

fn reading_value(reading: &Reading) -> Value {
    json!({
        "area": reading.area, "from": reading.from, "upto": reading.upto, "deleted": reading.deleted,
        "expired_through": reading.expired_through,
        "articles": reading.articles.iter().map(article).collect::<Value>(),
        "more": reading.more,
    })
}

// Each record is taken apart, so that a new field is shown, or left out on purpose.

fn area(area: &AreaSummary) -> Value {
    let AreaSummary { area_id: _, name, description, unread, last_seq, replicas } = area;
    json!({
        "name": name, "description": description, "subscribed": unread.is_some(), "unread": unread,
        "last_seq": last_seq, "replicas": replicas,
    })
}

fn subscription(subscription: &SubscriptionSummary) -> Value {
    let SubscriptionSummary {
        area_id: _,
        name,
        unread,
        cursor,
        generation: _,
        last_seq: _,
        expired_through: _,
    } = subscription;
    json!({"area": name, "unread": unread, "cursor": cursor})
}

fn user(user: &UserSummary) -> Value {
    let UserSummary { name, role, created_at_us, disabled_at_us, sessions } = user;
    json!({
        "name": name, "role": role.name(), "created_at": rfc3339(*created_at_us),
        "disabled_at": disabled_at_us.map(rfc3339), "sessions": sessions,
    })
}

fn article(article: &Article) -> Value {
    let Article { seq, id, author, posted_at_us, body } = article;
    json!({"seq": seq, "id": id, "author": author, "posted_at": rfc3339(*posted_at_us), "body": body})
}

fn item_value(area: &str, item: &Item) -> Value {
    let mut value = match item {
        Item::Article(a) => article(a),
        Item::Deleted(seq) => json!({"seq": seq, "deleted": true}),
    };
    value["area"] = json!(area);
    value
}

fn session(session: &SessionSummary) -> Value {
    let SessionSummary { session_id, label, created_at_us, last_used_at_us, expires_at_us, current } =
        session;
    json!({
        "id": session_id, "label": label, "created_at": rfc3339(*created_at_us),
        "last_used_at": rfc3339(*last_used_at_us), "expires_at": rfc3339(*expires_at_us), "current": current,
    })
}

fn details(area: &AreaDetails) -> Value {
    let AreaDetails {
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
    json!({
        "id": area_id.0, "name": name, "description": description, "replicas": replicas,
        "keep_for_s": keep_for_s, "keep_count": keep_count, "created_at": rfc3339(*created_at_us),
        "removed_at": removed_at_us.map(rfc3339), "last_seq": last_seq, "expired_through": expired_through,
        "subscribers": subscribers,
    })
}

fn audit(entry: &AuditEntry) -> Value {
    let AuditEntry { audit_id, at_us, actor, action, target, detail } = entry;
    json!({
        "id": audit_id, "at": rfc3339(*at_us), "actor": actor, "action": action, "target": target,
        "detail": object(detail),
    })
}

/// Compact, with a newline, and harmless on a terminal: what could steer one is escaped, and is the same to a parser.
fn line(value: &Value) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, Escaping(CompactFormatter));
    // Writing a `Value` into memory cannot fail.
    let _ = value.serialize(&mut serializer);
    bytes.push(b'\n');
    String::from_utf8_lossy(&bytes).into_owned()
}

struct Escaping(CompactFormatter);

impl Formatter for Escaping {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(sanitise::is_dangerous) {
            let (before, from) = rest.split_at(at);
            self.0.write_string_fragment(writer, before)?;
            let mut chars = from.chars();
            let mut units = [0; 2];
            for unit in chars.next().map_or(&mut [] as &mut [u16], |c| c.encode_utf16(&mut units)) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = chars.as_str();
        }
        self.0.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Pending;
    use crate::outcome::Expired;
    use uuid::Uuid;
    use wire::ErrorCode;

    fn one(seq: i64, body: &str) -> Article {
        Article {
            seq,
            id: Uuid::nil(),
            author: "Ana".into(),
            posted_at_us: 1_700_000_000_000_001,
            body: body.into(),
        }
    }

    fn shown(value: Outcome) -> Value {
        serde_json::from_str(&outcome(&value).data).unwrap()
    }

    #[test]
    fn a_reading_has_the_promised_form() {
        let reading = Reading {
            area: "news".into(),
            from: 3,
            upto: 5,
            last_seq: 9,
            cursor: 0,
            deleted: vec![4],
            expired_through: 3,
            articles: vec![one(5, "x")],
            more: true,
        };
        assert_eq!(
            shown(Outcome::Reading(reading)),
            json!({
                "area": "news", "from": 3, "upto": 5, "deleted": [4], "expired_through": 3,
                "articles": [{
                    "seq": 5, "id": "00000000-0000-0000-0000-000000000000", "author": "Ana",
                    "posted_at": "2023-11-14T22:13:20.000001Z", "body": "x",
                }],
                "more": true,
            })
        );
    }

    #[test]
    fn areas_that_are_not_subscribed_have_no_unread() {
        let area = AreaSummary {
            area_id: wire::AreaId(1),
            name: "news".into(),
            description: String::new(),
            unread: None,
            last_seq: 7,
            replicas: 1,
        };
        let expected = json!([{
            "name": "news", "description": "", "subscribed": false, "unread": null, "last_seq": 7, "replicas": 1,
        }]);
        assert_eq!(shown(Outcome::Areas(vec![area])), expected);
    }

    #[test]
    fn followed_items_are_lines() {
        let items = vec![Item::Article(one(1, "a\nb")), Item::Deleted(2)];
        let lines = |expired| {
            let lines =
                outcome(&Outcome::Followed { area: "news".into(), items: items.clone(), expired }).data;
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
        };
        let found = lines(None);
        assert_eq!(found[0]["body"], "a\nb");
        assert_eq!(found[1], json!({"area": "news", "seq": 2, "deleted": true}));
        let gap = lines(Some(Expired { through: 0, count: 3, unread: 3 }));
        assert_eq!(gap[0], json!({"area": "news", "seq": 0, "expired": 3}));
        assert_eq!(gap[1..], found);
    }

    #[test]
    fn a_failure_says_how_to_resume() {
        let mut unavailable = Failure::service(ErrorCode::Unavailable, "no node");
        let resume = "gaceta post --resume".to_owned();
        unavailable.pending = Some(Pending { id: Uuid::nil(), count: 1, resume });
        let error: Value = serde_json::from_str(&failure(&unavailable)).unwrap();
        assert_eq!(error["error"]["code"], "unavailable");
        assert_eq!(error["error"]["id"], "00000000-0000-0000-0000-000000000000");
        assert_eq!(error["error"]["resume"], "gaceta post --resume");
    }

    #[test]
    fn raw_text_is_escaped_so_that_a_terminal_is_safe() {
        let hostile = "\x1b[2J\u{9b}1m\u{202E}\x7f\u{FEFF}ok";
        let line = line(&json!(hostile));
        assert_eq!(line, "\"\\u001b[2J\\u009b1m\\u202e\\u007f\\ufeffok\"\n");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), hostile);
    }
}
