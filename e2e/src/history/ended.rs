//! How it ended: the log as PostgreSQL has it, straight from the tables, and as `verify` tells it.

use super::{Entry, FinalArea, FinalArticle, FinalSubscription, LeaderWrite, State, shortened};
use tokio_postgres::Client;
use wire::{NodeReply, VerifiedState, VerifyPage};

/// Everything that PostgreSQL holds in the end, but for what `verify` says. `of`: of these areas alone, where others have
/// areas of their own; what leaders wrote is read in any case.
pub async fn state(client: &Client, of: Option<&[i64]>) -> Vec<Entry> {
    let mut entries = areas(client, of).await;
    entries.extend(articles(client, of).await);
    entries.extend(subscriptions(client, of).await);
    entries.extend(leader_writes(client).await);
    entries
}

async fn areas(client: &Client, of: Option<&[i64]>) -> Vec<Entry> {
    let heads = "select a.area_id, a.name, h.last_seq, h.expired_through
                   from areas a join heads h using (area_id)
                  where $1::bigint[] is null or a.area_id = any($1) order by 1";
    let area = |row: tokio_postgres::Row| FinalArea {
        area: row.get(0),
        name: row.get(1),
        last_seq: row.get(2),
        expired_through: row.get(3),
        verified: None,
    };
    client.query(heads, &[&of]).await.unwrap().into_iter().map(area).map(Entry::Area).collect()
}

async fn articles(client: &Client, of: Option<&[i64]>) -> Vec<Entry> {
    let log =
        "select x.area_id, x.seq, x.id, u.name, x.state, x.body_hash, sha256(convert_to(x.body, 'UTF8'))
                 from articles x join users u on u.user_id = x.author_id
                where $1::bigint[] is null or x.area_id = any($1) order by x.area_id, x.seq";
    let article = |row: tokio_postgres::Row| FinalArticle {
        area: row.get(0),
        seq: row.get(1),
        id: row.get(2),
        author: row.get(3),
        state: match row.get::<_, i16>(4) {
            0 => State::Kept,
            1 => State::Deleted,
            _ => State::Expired,
        },
        hash: shortened(row.get(5)),
        body_hash: row.get::<_, Option<&[u8]>>(6).map(shortened),
    };
    client.query(log, &[&of]).await.unwrap().into_iter().map(article).map(Entry::Article).collect()
}

async fn subscriptions(client: &Client, of: Option<&[i64]>) -> Vec<Entry> {
    let cursors = "select u.name, s.area_id, s.cursor from subscriptions s join users u using (user_id)
                    where s.ended_at is null and ($1::bigint[] is null or s.area_id = any($1)) order by 1, 2";
    let subscription = |row: tokio_postgres::Row| FinalSubscription {
        user: row.get(0),
        area: row.get(1),
        cursor: row.get(2),
    };
    client
        .query(cursors, &[&of])
        .await
        .unwrap()
        .into_iter()
        .map(subscription)
        .map(Entry::Subscription)
        .collect()
}

/// What leaders wrote, each table in the order in which it was written.
async fn leader_writes(client: &Client) -> Vec<Entry> {
    let mut entries = vec![];
    for (table, at, order, row) in [
        ("events", "at", "event_id", "event_id || ' ' || kind || ' ' || subject"),
        ("load_samples", "at", "at", "at::text"),
        ("node_samples", "at", "at, node_id", "at || ' ' || node_id"),
        ("assignments", "assigned_at", "assigned_at, area_id", "assigned_at || ' area ' || area_id"),
    ] {
        let written =
            format!("select {row}, epoch, us({at}) from {table} where epoch is not null order by {order}");
        for row in client.query(&written, &[]).await.unwrap() {
            let write =
                LeaderWrite { table: table.into(), row: row.get(0), epoch: row.get(1), at_us: row.get(2) };
            entries.push(Entry::LeaderWrite(write));
        }
    }
    entries
}

/// One letter for each number of a page.
pub fn letters(page: &VerifyPage) -> String {
    let letter = |state: &VerifiedState| match state {
        VerifiedState::Kept => 'k',
        VerifiedState::Deleted => 'd',
        VerifiedState::Expired => 'e',
        VerifiedState::Missing => 'm',
        VerifiedState::Damaged => 'x',
        VerifiedState::Other(_) => '?',
    };
    page.states.iter().map(letter).collect()
}

/// The page of a reply to `Verify`.
pub fn page(reply: NodeReply) -> VerifyPage {
    match reply {
        NodeReply::Verified(page) => page,
        other => panic!("{other:?}"),
    }
}
