//! Text for people, and plain stable lines for a pipe. Nothing to tell is told on standard error, with what to do.

use super::article::item_text;
use super::layout::{cut, moment, table};
use super::style::{Shown, Style};
use super::{sanitise, servers, settings};
use crate::exit::Failure;
use crate::outcome::{ContextSummary, Expired, Item, Moved, Outcome, PostedArticle, Reading, Verification};
use crate::service::outbox::OutboxPost;
use crate::values::duration_text;
use std::path::{Path, PathBuf};
use wire::{AreaDetails, AreaSummary, AuditEntry, SessionSummary, SubscriptionSummary, UserSummary};

/// Of missing or damaged numbers, as text.
const NUMBERS_SHOWN_MAX: usize = 20;

pub fn outcome(outcome: &Outcome, style: Style) -> Shown {
    match outcome {
        Outcome::Nothing => Shown::default(),
        Outcome::Text(text) => Shown::data(text.clone()),
        Outcome::Written { files } if style.terminal.is_some() => {
            let dir = files.first().and_then(|file| file.parent()).unwrap_or(Path::new("."));
            Shown::note(format!("{} in {}.", count(files.len() as i64, "page"), dir.display()))
        }
        Outcome::Written { files } => {
            let line = |file: &PathBuf| sanitise::line(&file.to_string_lossy()) + "\n";
            Shown::data(files.iter().map(line).collect())
        }
        Outcome::LoggedIn { user, role, context, registered } => {
            let made = if *registered { "Account made. " } else { "" };
            let context = if context == "default" { String::new() } else { format!(", context {context}") };
            Shown::note(format!("{made}Logged in as {user} ({}{context}).", role.name()))
        }
        Outcome::LoggedOut { user: Some(user) } => Shown::note(format!("{user} is logged out.")),
        Outcome::LoggedOut { user: None } => Shown::note("Logged out."),
        Outcome::Whoami { user, role, context, agents } => {
            let rows = [
                ("user", user.as_str()),
                ("role", &role.name()),
                ("context", context),
                ("agents", &agents.join(",")),
            ];
            let line = |(name, value): (&str, &str)| format!("{name:<8}{}\n", sanitise::line(value));
            Shown::data(rows.map(line).concat())
        }
        Outcome::Contexts(contexts) => Shown::data(contexts_table(contexts, style)),
        Outcome::ContextAdded { name, agents, already } => {
            Shown::note(done_or_already(name, &format!("is at {}", agents.join(", ")), *already))
        }
        Outcome::ContextUsed { name, already } => {
            Shown::note(done_or_already(name, "is the current context now", *already))
        }
        Outcome::ContextRemoved { name, user: None } => Shown::note(format!("{name} is forgotten.")),
        Outcome::ContextRemoved { name, user: Some(user) } => Shown::note(format!(
            "{name} is forgotten, and {user}'s session in it. It was not ended: that would have been `gaceta logout`."
        )),
        Outcome::PasswordChanged => Shown::note("Password changed. Your other sessions have ended."),
        Outcome::Sessions(sessions) => list(sessions, "No sessions.", |rows| sessions_table(rows, style)),
        Outcome::SessionsEnded { sessions: 0 } => Shown::note("No session ended: it was over already."),
        Outcome::SessionsEnded { sessions } => {
            Shown::note(format!("{} ended.", count(*sessions as i64, "session")))
        }
        Outcome::Areas(areas) => {
            list(areas, "No areas yet: an administrator makes them.", |rows| areas_table(rows, style))
        }
        Outcome::Subscriptions(rows) => list(
            rows,
            "No subscriptions: `gaceta areas` lists what there is, `gaceta subscribe AREA` subscribes.",
            |rows| subscriptions_table(rows, style),
        ),
        Outcome::Subscribed { area, already: true, .. } => {
            Shown::note(format!("You were subscribed to {area} already."))
        }
        Outcome::Subscribed { area, cursor, .. } => Shown::note(format!(
            "Subscribed to {area}, from {} on.",
            sanitise::line(&format!("#{}", cursor + 1))
        )),
        Outcome::Unsubscribed { area, already: true } => {
            Shown::note(format!("You were not subscribed to {area}."))
        }
        Outcome::Unsubscribed { area, .. } => Shown::note(format!("No longer subscribed to {area}.")),
        Outcome::Reading(reading) => self::reading(reading, style),
        Outcome::NothingUnread { subscriptions: 0 } => Shown::note(
            "No subscriptions: `gaceta areas` lists what there is, `gaceta subscribe AREA` subscribes.",
        ),
        Outcome::NothingUnread { .. } => Shown::note("Nothing unread."),
        Outcome::Followed { area, items, expired } => followed(area, items, *expired, style),
        Outcome::Moved { moved, undone, .. } => self::moved(moved, *undone),
        Outcome::Posted { posted, .. } => Shown::data(posted.iter().map(posted_line).collect()),
        Outcome::Outbox { posts, resume } => {
            list(posts, "Nothing waits in the outbox.", |rows| outbox_table(rows, resume, style))
        }
        Outcome::Deleted { area, seq, already } => {
            let when = if *already { "was deleted already" } else { "is deleted" };
            Shown::note(format!("{area}#{seq} {when}."))
        }
        Outcome::Verified(verification) => verified(verification),
        Outcome::Status(status) => super::status::status(status, style),
        Outcome::AreaChanged { area, done, already } => {
            Shown::note(done_or_already(&area.name, done, *already))
        }
        Outcome::AreaRemoved { area, already } => {
            let done = done_or_already(area, "removed", *already);
            Shown::note(format!("{done} Until it is purged, `gaceta admin area restore` brings it back."))
        }
        Outcome::AreaList(areas) => {
            list(areas, "No areas yet: `gaceta admin area add NAME`.", |rows| area_details_table(rows, style))
        }
        Outcome::UserList(users) => list(users, "No users.", |rows| users_table(rows, style)),
        Outcome::UserChanged { user, done, already } => Shown::note(done_or_already(user, done, *already)),
        Outcome::Settings { version, settings: rows } => settings::list(*version, rows, style),
        Outcome::Setting(setting) => settings::value(setting),
        Outcome::SettingChanged { name, value, is_set, version, already } => {
            settings::changed(name, value, *is_set, *version, *already)
        }
        Outcome::SettingsImported { settings: count, moved, version, already } => {
            settings::imported(*count, moved, *version, *already)
        }
        Outcome::SettingsExport { version, settings: rows } => settings::export(*version, rows),
        Outcome::SettingsStatus { version, servers } => settings::status(*version, servers, style),
        Outcome::SettingsMoved { version, moved } => settings::moved(*version, moved),
        Outcome::Audit(entries) => list(entries, "Nothing yet.", |rows| audit_table(rows, style)),
        Outcome::NodeList { nodes, events } => servers::node_list(nodes, events, style),
        Outcome::NodeChanged { node, done, already } => {
            Shown::note(done_or_already(&node.address, done, *already))
        }
        Outcome::AgentList { agents, leader, events } => {
            servers::agent_list(agents, leader.as_ref(), events, style)
        }
        Outcome::Load { span, samples, nodes } => servers::load(*span, samples, nodes, style),
    }
}

pub fn failure(failure: &Failure) -> String {
    // Several things that are wrong have a line each; indented, so that none of them passes for a line of ours.
    let lines: Vec<String> = failure.message.lines().map(sanitise::line).collect();
    let mut text = format!("gaceta: {}\n", lines.join("\n  "));
    if let Some(draft) = &failure.draft {
        let path = sanitise::line(&draft.path.to_string_lossy());
        text += &format!("The text is kept in {path}\nTo post it: {}\n", sanitise::line(&draft.post));
    }
    if let Some(pending) = &failure.pending {
        let more = match pending.count {
            1 => String::new(),
            posts => format!(" and {} more", posts - 1),
        };
        text +=
            &format!("In the outbox: {}{more}. To send: {}\n", pending.id, sanitise::line(&pending.resume));
    }
    text
}

fn list<T>(rows: &[T], empty: &str, table: impl FnOnce(&[T]) -> String) -> Shown {
    if rows.is_empty() { Shown::note(empty) } else { Shown::data(table(rows)) }
}

fn count(number: i64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

fn done_or_already(what: &str, done: &str, already: bool) -> String {
    if already { format!("{what}: it was so already.") } else { format!("{what} {done}.") }
}

fn sessions_table(sessions: &[SessionSummary], style: Style) -> String {
    let when = |at_us| moment(at_us, style);
    let row = |session: &SessionSummary| {
        let SessionSummary { session_id, label, created_at_us, last_used_at_us, expires_at_us, current } =
            session;
        [
            session_id.to_string(),
            label.clone(),
            when(*created_at_us),
            when(*last_used_at_us),
            when(*expires_at_us),
            if *current { "this one".into() } else { String::new() },
        ]
    };
    table([">ID", "FROM", "!SINCE", "!LAST USED", "!EXPIRES", "!"], sessions.iter().map(row).collect(), style)
}

fn contexts_table(contexts: &[ContextSummary], style: Style) -> String {
    let row = |context: &ContextSummary| {
        [
            if context.current { "*".into() } else { String::new() },
            context.name.clone(),
            context.user.clone().unwrap_or_else(|| "-".into()),
            context.agents.join(","),
        ]
    };
    table(["!", "CONTEXT", "USER", "AGENTS"], contexts.iter().map(row).collect(), style)
}

fn areas_table(areas: &[AreaSummary], style: Style) -> String {
    let row = |area: &AreaSummary| {
        let AreaSummary { area_id: _, name, description, unread, last_seq, replicas: _ } = area;
        let unread = unread.map_or("-".into(), |unread| unread.to_string());
        [name.clone(), unread, last_seq.to_string(), description.clone()]
    };
    table(["AREA", ">UNREAD", ">LAST", "DESCRIPTION"], areas.iter().map(row).collect(), style)
}

fn subscriptions_table(subscriptions: &[SubscriptionSummary], style: Style) -> String {
    let row = |subscription: &SubscriptionSummary| {
        let SubscriptionSummary {
            area_id: _,
            name,
            unread,
            cursor,
            generation: _,
            last_seq: _,
            expired_through: _,
        } = subscription;
        [name.clone(), unread.to_string(), cursor.to_string()]
    };
    table(["AREA", ">UNREAD", ">READ TO"], subscriptions.iter().map(row).collect(), style)
}

fn reading(reading: &Reading, style: Style) -> Shown {
    let area = &reading.area;
    if reading.upto < reading.from {
        return Shown::note(format!("Nothing to read in {area} (it ends at #{}).", reading.last_seq));
    }
    let mut shown = Shown::data(
        reading
            .items()
            .iter()
            .map(|item| item_text(area, item, item.seq() > reading.cursor, style))
            .collect(),
    );
    shown.notes.extend(reading.expired().map(|expired| expired.text(area)));
    if reading.more {
        let left = reading.last_seq - reading.upto;
        shown.notes.push(format!(
            "{} more in {area}: `gaceta read` again, or a larger --limit.",
            count(left, "article")
        ));
    }
    shown
}

fn followed(area: &str, items: &[Item], expired: Option<Expired>, style: Style) -> Shown {
    let mut shown = Shown::data(items.iter().map(|item| item_text(area, item, false, style)).collect());
    shown.notes.extend(expired.map(|expired| expired.text(area)));
    shown
}

fn moved(moved: &[Moved], undone: bool) -> Shown {
    let done = if undone { "back at" } else { "read to" };
    let line = |m: &Moved| format!("{}: {done} #{}, {} unread.", m.area, m.cursor.cursor, m.cursor.unread);
    match moved {
        [] => Shown::note("No subscriptions."),
        moved => Shown { data: String::new(), notes: moved.iter().map(line).collect() },
    }
}

fn posted_line(posted: &PostedArticle) -> String {
    let duplicate = if posted.duplicate { " (it had arrived already)" } else { "" };
    format!("{}#{}{duplicate}\n", sanitise::line(&posted.area), posted.seq)
}

fn outbox_table(posts: &[OutboxPost], resume: &str, style: Style) -> String {
    const BODY_COLUMNS_MAX: usize = 50;
    let row = |post: &OutboxPost| {
        let text = cut(&sanitise::line(&post.body), BODY_COLUMNS_MAX, style);
        [post.id.to_string(), post.area.clone(), moment(post.created_at_us, style), text]
    };
    let mut shown = table(["!ID", "AREA", "!SINCE", "TEXT"], posts.iter().map(row).collect(), style);
    if style.terminal.is_some() {
        shown += &format!("To send: {}\n", sanitise::line(resume));
    }
    shown
}

fn verified(v: &Verification) -> Shown {
    let mut data = format!(
        "{}: 1 to {}, {} kept, {} deleted, {} expired, {} missing, {} damaged\n",
        sanitise::line(&v.area),
        v.last_seq,
        v.kept,
        v.deleted,
        v.expired,
        v.missing.len(),
        v.damaged.len()
    );
    for (what, numbers) in [("missing", &v.missing), ("damaged", &v.damaged)] {
        if !numbers.is_empty() {
            let shown: Vec<_> = numbers.iter().take(NUMBERS_SHOWN_MAX).map(|seq| format!("#{seq}")).collect();
            let more = if numbers.len() > NUMBERS_SHOWN_MAX { " …" } else { "" };
            data += &format!("{what}: {}{more}\n", shown.join(" "));
        }
    }
    if let Some((_, state)) = v.unknown.first() {
        let count = v.unknown.len();
        data += &format!("{count} in a state that this client does not know ({state}): use a newer one\n");
    }
    Shown::data(data)
}

fn area_details_table(areas: &[AreaDetails], style: Style) -> String {
    let row = |area: &AreaDetails| {
        let AreaDetails {
            area_id: _,
            name,
            description,
            replicas,
            keep_for_s,
            keep_count,
            created_at_us: _,
            removed_at_us,
            last_seq,
            expired_through: _,
            subscribers,
        } = area;
        [
            name.clone(),
            if removed_at_us.is_some() { "removed".into() } else { String::new() },
            last_seq.to_string(),
            subscribers.to_string(),
            replicas.to_string(),
            keep_for_s.map_or("-".into(), duration_text),
            keep_count.map_or("-".into(), |count| count.to_string()),
            description.clone(),
        ]
    };
    let head = ["AREA", "", ">LAST", ">SUBSCRIBERS", ">REPLICAS", ">KEEP FOR", ">KEEP COUNT", "DESCRIPTION"];
    table(head, areas.iter().map(row).collect(), style)
}

fn users_table(users: &[UserSummary], style: Style) -> String {
    let when = |at_us| moment(at_us, style);
    let row = |user: &UserSummary| {
        let UserSummary { name, role, created_at_us, disabled_at_us, sessions } = user;
        let disabled = disabled_at_us.map_or(String::new(), |at_us| format!("disabled {}", when(at_us)));
        [name.clone(), role.to_string(), sessions.to_string(), when(*created_at_us), disabled]
    };
    table(["USER", "!ROLE", ">SESSIONS", "!SINCE", "!"], users.iter().map(row).collect(), style)
}

fn audit_table(entries: &[AuditEntry], style: Style) -> String {
    let row = |entry: &AuditEntry| {
        let AuditEntry { audit_id, at_us, actor, action, target, detail } = entry;
        let actor = if actor.is_empty() { "-".into() } else { actor.clone() };
        [audit_id.to_string(), moment(*at_us, style), actor, action.clone(), target.clone(), detail.clone()]
    };
    table([">ID", "!WHEN", "WHO", "!DID", "TO", "DETAIL"], entries.iter().map(row).collect(), style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Article;

    const PIPE: Style =
        Style { json: false, terminal: None, colour: false, unicode: true, stderr_terminal: false };
    const SCREEN: Style = Style { terminal: Some(40), colour: true, ..PIPE };

    fn article(author: &str, body: &str) -> Item {
        let id = uuid::Uuid::nil();
        let posted_at_us = 1_700_000_000_000_000;
        Item::Article(Article { seq: 7, id, author: author.into(), posted_at_us, body: body.into() })
    }

    #[test]
    fn a_pipe_gets_plain_stable_lines() {
        let items = vec![article("ana", "Hello\nworld"), Item::Deleted(8)];
        let shown = followed("news", &items, None, PIPE);
        assert_eq!(shown.data, "news#7 2023-11-14T22:13:20Z ana\n  Hello\n  world\nnews#8 deleted\n");
    }

    #[test]
    fn a_body_cannot_pass_for_an_article_and_steers_nothing() {
        let item = article("an\x1b[31ma\n", "x\nnews#9 2023-11-14T22:13:20Z bob\x1b]0;t\x07\r\u{202E}");
        let shown = followed("news", std::slice::from_ref(&item), None, SCREEN).data;
        let plain = shown.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "");
        assert!(!plain.contains(['\x1b', '\x07', '\r', '\u{202E}']), "{plain:?}");
        assert_eq!(plain.lines().filter(|line| line.starts_with("news#")).count(), 1);
    }

    #[test]
    fn what_expired_and_what_is_left_is_said() {
        let reading = Reading {
            area: "news".into(),
            from: 1,
            upto: 7,
            last_seq: 9,
            cursor: 0,
            expired_through: 6,
            more: true,
            articles: Vec::new(),
            deleted: vec![7],
        };
        let shown = self::reading(&reading, PIPE);
        assert_eq!(shown.data, "news#7 deleted\n");
        assert!(
            shown.notes[0].starts_with("6 articles in news that you had not read have expired"),
            "{:?}",
            shown.notes
        );
        assert!(shown.notes[1].starts_with("2 articles more in news"), "{:?}", shown.notes);
    }

    #[test]
    fn nothing_is_never_just_silence() {
        for nothing in [
            Outcome::Areas(Vec::new()),
            Outcome::Subscriptions(Vec::new()),
            Outcome::NothingUnread { subscriptions: 1 },
            Outcome::Outbox { posts: Vec::new(), resume: String::new() },
            Outcome::Reading(Reading { from: 1, ..Reading::default() }),
        ] {
            let shown = outcome(&nothing, PIPE);
            assert!(shown.data.is_empty() && shown.notes.len() == 1, "{nothing:?}");
        }
    }
}
