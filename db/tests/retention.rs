//! Retention and purge: a beginning of an area expires, no more and no less than a model says; identities stay; posts go on; what
//! is purged leaves nothing; and only the leader does any of it.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use gaceta_db::areas::{self, Change};
use gaceta_db::articles::{self, NewPost, Posted, State};
use gaceta_db::leader::Term;
use gaceta_db::names::Name;
use gaceta_db::reading::{self, From, Read};
use gaceta_db::retention::{self, Due, Expired, FOREVER, Limits, Step};
use gaceta_db::testing::{self, TestDatabase};
use gaceta_db::{Db, Error, TokenHash, subscriptions};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use uuid::Uuid;

const DAY_S: i64 = 86_400;
const CASES: u32 = 48;
const LIMITS: Limits =
    Limits { keep_for_s: None, keep_count: None, keep_unread_s_max: 100 * DAY_S, removed_area_keep_s: DAY_S };

/// A database with a leader, an administrator and some readers.
struct House {
    database: TestDatabase,
    db: Db,
    term: Term,
    readers: Vec<TokenHash>,
}

const EPOCH: i64 = 7;

impl House {
    async fn new(readers: u8) -> Self {
        let database = testing::database().await;
        let db = Db::new(&database.dsn).unwrap();
        let agent_id = Uuid::now_v7();
        let lead = "update leader set holder = $1, epoch = $2, expires_at = now() + interval '1 hour'";
        db.query(lead, &[&agent_id, &EPOCH]).await.unwrap();
        let mut tokens = vec![];
        for n in 0..readers {
            let (token, name) = (TokenHash::of(&[n + 1; 32]), format!("reader{n}"));
            db.query(
                "with u as (insert into users (name, name_key, password_hash, role)
                            values ($2, $2, '', 'admin') returning user_id)
                 insert into sessions (token_hash, user_id, label, expires_at)
                 select $1, user_id, '', now() + interval '1 day' from u",
                &[&token.as_bytes(), &name],
            )
            .await
            .unwrap();
            tokens.push(token);
        }
        Self { database, db, term: Term { agent_id, epoch: EPOCH }, readers: tokens }
    }

    async fn area(&self, name: &str, change: Change) -> i64 {
        let name = Name::parse(name).unwrap();
        let (area, _) = areas::add(&self.db, &self.readers[0], Uuid::now_v7(), &name, &change).await.unwrap();
        area.area_id
    }

    async fn post(&self, area_id: i64, id: Uuid, body: &str) -> Result<Posted, Error> {
        let post = NewPost { token: self.readers[0], area_id, id, body: body.into() };
        articles::post_group(&self.db, &[post]).await.unwrap().remove(0)
    }

    /// An area with so many articles, all of them subscribed to by the first reader, who has read them.
    async fn filled(&self, name: &str, articles: i64, change: Change) -> i64 {
        let area_id = self.area(name, change).await;
        subscriptions::subscribe(&self.db, &self.readers[0], area_id, false).await.unwrap();
        for n in 1..=articles {
            self.post(area_id, Uuid::from_u128(n as u128), &format!("article {n}")).await.unwrap();
        }
        self.read_all(area_id).await;
        area_id
    }

    async fn read_all(&self, area_id: i64) {
        let sql = "update subscriptions s set cursor = h.last_seq from heads h
                    where h.area_id = $1 and s.area_id = $1";
        self.db.query(sql, &[&area_id]).await.unwrap();
    }

    /// In all areas.
    async fn due(&self, limits: &Limits) -> Due {
        let (mut all, mut after) = (Due::default(), 0);
        loop {
            let (due, last) =
                retention::due(&self.db, limits, after, retention::LOOK_AREAS_MAX).await.unwrap();
            all.expirable.extend(due.expirable);
            all.uncleared.extend(due.uncleared);
            all.purgeable.extend(due.purgeable);
            let Some(last) = last else { return all };
            after = last;
        }
    }

    async fn expire(&self, area_id: i64, limits: &Limits) -> Option<Expired> {
        retention::expire(&self.db, self.term, area_id, limits).await.unwrap()
    }

    async fn clear(&self, area_id: i64) -> Step {
        retention::clear(&self.db, self.term, area_id).await.unwrap()
    }

    async fn number(&self, sql: &str, area_id: i64) -> i64 {
        self.db.query_one(sql, &[&area_id]).await.unwrap().get(0)
    }

    async fn events(&self) -> Vec<(i64, String, String, String)> {
        let sql = "select epoch, kind, subject, detail::text from events order by event_id";
        let rows = self.db.query(sql, &[]).await.unwrap();
        let event = |row: &tokio_postgres::Row| {
            (row.get("epoch"), row.get("kind"), row.get("subject"), row.get("detail"))
        };
        rows.iter().map(event).collect()
    }
}

fn keep(keep_for_s: Option<i64>, keep_count: Option<i64>) -> Change {
    Change { keep_for_s: Some(keep_for_s), keep_count: Some(keep_count), ..Change::default() }
}

/// An area as a case has it. Ages in days, the oldest first.
#[derive(Debug, Clone)]
struct Case {
    ages: Vec<i64>,
    /// Of three readers; `None`: not subscribed.
    cursors: [Option<usize>; 3],
    own_for: Option<i64>,
    own_count: Option<i64>,
    default_for: Option<i64>,
    default_count: Option<i64>,
    unread_for: i64,
    before: usize,
}

fn cases() -> impl Strategy<Value = Case> {
    let days = || prop_oneof![3 => Just(None), 4 => (1..30i64).prop_map(Some), 1 => Just(Some(FOREVER))];
    let count = || prop_oneof![3 => Just(None), 3 => (1..20i64).prop_map(Some), 1 => Just(Some(FOREVER))];
    let cursor = || prop_oneof![2 => Just(None), 3 => (0..24usize).prop_map(Some)];
    (
        prop::collection::vec(0..40i64, 0..24),
        [cursor(), cursor(), cursor()],
        (days(), count(), days(), count()),
        1..40i64,
        0..6usize,
    )
        .prop_map(
            |(mut ages, cursors, (own_for, own_count, default_for, default_count), unread_for, before)| {
                ages.sort_by_key(|age| -age);
                let before = before.min(ages.len());
                let cursors = cursors.map(|cursor| cursor.map(|cursor| cursor.min(ages.len())));
                Case { ages, cursors, own_for, own_count, default_for, default_count, unread_for, before }
            },
        )
}

/// What must have expired, decided article by article.
fn model(case: &Case) -> usize {
    let finite = |limit: Option<i64>| limit.filter(|limit| *limit < FOREVER);
    let keep_for = finite(case.own_for.or(case.default_for));
    let keep_count = finite(case.own_count.or(case.default_count));
    let last = case.ages.len();
    let mut through = case.before;
    for seq in case.before + 1..=last {
        let age = case.ages[seq - 1];
        let is_due = keep_for.is_some_and(|days| age >= days)
            || keep_count.is_some_and(|count| (last - seq) as i64 >= count);
        let is_read = case.cursors.iter().flatten().all(|cursor| *cursor >= seq);
        let is_too_old = age >= case.unread_for.max(keep_for.unwrap_or(0));
        if !(is_due && (is_read || is_too_old)) {
            break;
        }
        through = seq;
    }
    through
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_exactly_the_beginning_expires_that_may_whatever_is_unread() {
    let house = House::new(3).await;
    let handle = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        let mut seed = [0; 32];
        seed[0] = 1;
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        TestRunner::new_with_rng(config, rng)
            .run(&cases(), |case| handle.block_on(check(&house, &case)))
            .unwrap();
    });
}

async fn check(house: &House, case: &Case) -> Result<(), TestCaseError> {
    let db = &house.db;
    let in_seconds = |days: Option<i64>| days.map(|days| if days == FOREVER { days } else { days * DAY_S });
    let name = format!("area {}", Uuid::now_v7().simple());
    let area_id = house.area(&name, keep(in_seconds(case.own_for), case.own_count)).await;
    // Half a day beyond, so that no clock decides.
    db.query(
        "with posted as (insert into articles (area_id, seq, author_id, id, posted_at, body_hash, body)
              select $1, ord, (select min(user_id) from users), gen_random_uuid(),
                     now() - age * interval '1 day' - interval '12 hours', '', 'text'
                from unnest($2::bigint[]) with ordinality as a (age, ord))
         update heads set last_seq = cardinality($2::bigint[]), expired_through = $3 where area_id = $1",
        &[&area_id, &case.ages, &(case.before as i64)],
    )
    .await
    .unwrap();
    for (reader, cursor) in house.readers.iter().zip(case.cursors) {
        let Some(cursor) = cursor else { continue };
        subscriptions::subscribe(db, reader, area_id, false).await.unwrap();
        db.query(
            "update subscriptions s set cursor = $3 from sessions me
              where me.token_hash = $1 and s.user_id = me.user_id and s.area_id = $2",
            &[&reader.as_bytes(), &area_id, &(cursor as i64)],
        )
        .await
        .unwrap();
    }
    let limits = Limits {
        keep_for_s: in_seconds(case.default_for),
        keep_count: case.default_count,
        keep_unread_s_max: case.unread_for * DAY_S,
        ..LIMITS
    };
    let expected = model(case) as i64;
    let due = house.due(&limits).await;
    prop_assert_eq!(due.expirable.contains(&area_id), expected > case.before as i64, "a look finds it");
    let expired = house.expire(area_id, &limits).await;
    let unread_by =
        case.cursors.iter().flatten().filter(|cursor| (**cursor as i64) < expected).count() as i64;
    let told = (expected > case.before as i64).then(|| Expired {
        name,
        from: case.before as i64 + 1,
        through: expected,
        unread_by,
    });
    prop_assert_eq!(expired, told);
    let through = house.number("select expired_through from heads where area_id = $1", area_id).await;
    prop_assert_eq!(through, expected);
    prop_assert_eq!(house.expire(area_id, &limits).await, None, "and no more");
    // Unread is what is left to read.
    for (reader, cursor) in house.readers.iter().zip(case.cursors) {
        let listed = subscriptions::list(db, reader, None, 10_000).await.unwrap();
        let unread = listed.iter().find(|one| one.area_id == area_id).map(|one| one.unread);
        let left = cursor.map(|cursor| case.ages.len() as i64 - (cursor as i64).max(expected));
        prop_assert_eq!(unread, left);
    }
    Ok(())
}

#[tokio::test]
async fn i1_what_expired_loses_its_body_in_steps_and_keeps_its_identity() {
    let house = House::new(1).await;
    let area_id = house.filled("news", 6, keep(None, Some(2))).await;
    articles::delete(&house.db, &house.readers[0], area_id, 2).await.unwrap();
    assert_eq!(house.due(&LIMITS).await, Due { expirable: vec![area_id], ..Due::default() });
    let expired = house.expire(area_id, &LIMITS).await.unwrap();
    assert_eq!((expired.from, expired.through, expired.unread_by), (1, 4, 0));

    // Before a single body is gone, nobody is given one.
    let verified = async || {
        let verified = articles::verify(&house.db, &house.readers[0], area_id, 0).await.unwrap();
        assert_eq!(verified.states[..4], [State::Expired; 4]);
        assert_eq!(verified.states[4..], [State::Kept; 2]);
        let read = Read {
            token: house.readers[0],
            area_id,
            from: From::After(0),
            shown: None,
            rows_max: 100,
            notes_use: false,
        };
        let page = reading::read_group(&house.db, &[read], 1 << 20).await.unwrap().remove(0).unwrap().page;
        let seqs: Vec<i64> = page.articles.iter().map(|article| article.seq).collect();
        assert_eq!((seqs, page.deleted, page.expired_through), (vec![5, 6], vec![], 4));
    };
    verified().await;
    assert_eq!(house.due(&LIMITS).await.uncleared, [area_id]);
    assert_eq!(house.clear(area_id).await, Step { rows: 4, is_last: true });
    assert_eq!(house.clear(area_id).await, Step { rows: 0, is_last: true }, "a repeat does nothing");
    verified().await;
    assert_eq!(house.due(&LIMITS).await, Due::default());
    let left =
        "select count(*) from articles where area_id = $1 and (state <> 2 or body is not null) and seq <= 4";
    assert_eq!(house.number(left, area_id).await, 0);

    let repeated = house.post(area_id, Uuid::from_u128(1), "article 1").await.unwrap();
    assert_eq!(repeated, Posted { seq: 1, duplicate: true });
    let of_deleted = house.post(area_id, Uuid::from_u128(2), "article 2").await.unwrap();
    assert_eq!(of_deleted, Posted { seq: 2, duplicate: true });
    let other = house.post(area_id, Uuid::from_u128(1), "another text").await;
    assert!(matches!(other, Err(Error::Conflict(_))), "{other:?}");
    assert!(articles::delete(&house.db, &house.readers[0], area_id, 3).await.unwrap(), "gone already");

    let told = r#"{"from": 1, "through": 4, "unread_by": 0}"#;
    assert_eq!(house.events().await, [(EPOCH, "area.expired".into(), "news".into(), told.into())]);
}

#[tokio::test]
async fn what_expires_bit_by_bit_is_one_event_for_an_hour_and_a_leader() {
    let house = House::new(1).await;
    let area_id = house.filled("news", 3, keep(None, Some(1))).await;
    let after_one_more = async |house: &House, n: i64| {
        house.post(area_id, Uuid::from_u128(n as u128), "more").await.unwrap();
        house.read_all(area_id).await;
        retention::expire(&house.db, house.term, area_id, &LIMITS).await.unwrap();
        let events = house.events().await;
        events.into_iter().map(|(epoch, _, _, detail)| (epoch, detail)).collect::<Vec<_>>()
    };
    let told = |from, through| format!(r#"{{"from": {from}, "through": {through}, "unread_by": 0}}"#);
    house.expire(area_id, &LIMITS).await.unwrap();
    assert_eq!(after_one_more(&house, 4).await, [(EPOCH, told(1, 3))]);
    house.clear(area_id).await;
    assert_eq!(after_one_more(&house, 5).await, [(EPOCH, told(1, 4))]);
    house.db.query("update events set at = at - interval '61 minutes'", &[]).await.unwrap();
    assert_eq!(after_one_more(&house, 6).await, [(EPOCH, told(1, 4)), (EPOCH, told(5, 5))]);
    house.db.query("update leader set epoch = epoch + 1", &[]).await.unwrap();
    let next = House { term: Term { epoch: EPOCH + 1, ..house.term }, ..house };
    let told = [(EPOCH, told(1, 4)), (EPOCH, told(5, 5)), (EPOCH + 1, told(6, 6))];
    assert_eq!(after_one_more(&next, 7).await, told, "of each event one leader wrote all");
    let cleared = "select cleared_through from retention where area_id = $1";
    assert_eq!(next.number(cleared, area_id).await, 3, "the event has nothing to do with that");
}

#[tokio::test]
async fn bodies_go_in_steps_that_are_bounded_in_rows_and_bytes() {
    let house = House::new(1).await;
    let area_id = house.area("news", keep(None, Some(1))).await;
    house
        .db
        .query(
            "with posted as (insert into articles (area_id, seq, author_id, id, posted_at, body_hash, body)
                  select $1, n, (select min(user_id) from users), gen_random_uuid(), now(), '',
                         repeat('x', case when n > 1000 then 1048576 else 10 end) from generate_series(1, 1011) n)
             update heads set last_seq = 1011 where area_id = $1",
            &[&area_id],
        )
        .await
        .unwrap();
    house.expire(area_id, &LIMITS).await.unwrap();
    let mut steps = vec![];
    loop {
        let step = house.clear(area_id).await;
        steps.push(step.rows);
        if step.is_last {
            break;
        }
    }
    assert_eq!(steps, [500, 500, 4, 4, 2]);
}

#[tokio::test]
async fn posts_go_on_while_retention_waits_and_while_it_works() {
    let house = House::new(1).await;
    let area_id = house.filled("news", 6, keep(None, Some(2))).await;
    house.expire(area_id, &LIMITS).await.unwrap();
    // Somebody holds the articles that lose their bodies: that step waits, posts do not.
    let held = house.database.client().await;
    held.batch_execute("begin; select from articles where seq <= 4 for update").await.unwrap();
    let (db, term) = (house.db.clone(), house.term);
    let clearing = tokio::spawn(async move { retention::clear(&db, term, area_id).await });
    waits(&house).await;
    assert_eq!(house.post(area_id, Uuid::now_v7(), "meanwhile").await.unwrap().seq, 7);
    held.batch_execute("commit").await.unwrap();
    assert_eq!(clearing.await.unwrap().unwrap(), Step { rows: 4, is_last: true });

    // Half-way through a step, its transaction still open.
    house.expire(area_id, &LIMITS).await;
    let open = house.database.client().await;
    open.batch_execute("begin; update articles set state = 2, body = null where seq <= 5").await.unwrap();
    assert_eq!(house.post(area_id, Uuid::now_v7(), "meanwhile").await.unwrap().seq, 8);
    open.batch_execute("rollback").await.unwrap();

    // A post that holds the counter: expiring waits for it, and takes what it left.
    let posting = house.database.client().await;
    posting.batch_execute("begin; select from heads for update").await.unwrap();
    let (db, term) = (house.db.clone(), house.term);
    let expiring = tokio::spawn(async move { retention::expire(&db, term, area_id, &LIMITS).await });
    waits(&house).await;
    posting.batch_execute("commit").await.unwrap();
    let expired = expiring.await.unwrap().unwrap();
    let told = Expired { name: "news".into(), from: 6, through: 6, unread_by: 0 };
    assert_eq!(expired, Some(told), "the reader has not read the last ones");
    assert_eq!(house.post(area_id, Uuid::now_v7(), "and on").await.unwrap().seq, 9);
}

/// Until a statement waits for a lock; nothing tells when.
async fn waits(house: &House) {
    let blocked = "select count(*) from pg_stat_activity
                    where datname = current_database() and wait_event_type = 'Lock'";
    while house.db.query_one(blocked, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn i7_who_leads_no_more_expires_and_purges_nothing() {
    let house = House::new(1).await;
    let area_id = house.filled("news", 4, keep(None, Some(1))).await;
    let db = &house.db;
    let before = Term { epoch: EPOCH - 1, ..house.term };
    let other = Term { agent_id: Uuid::now_v7(), ..house.term };
    let lost = |what: Result<bool, Error>| assert!(matches!(what, Err(Error::LeaseLost)), "{what:?}");
    for term in [before, other] {
        lost(retention::expire(db, term, area_id, &LIMITS).await.map(|expired| expired.is_some()));
        assert_eq!(house.number("select expired_through from heads where area_id = $1", area_id).await, 0);
    }
    house.expire(area_id, &LIMITS).await.unwrap();
    lost(retention::clear(db, before, area_id).await.map(|step| step.is_last));
    let kept = "select count(*) from articles where area_id = $1 and body is not null";
    assert_eq!(house.number(kept, area_id).await, 4);

    areas::remove(db, &house.readers[0], area_id).await.unwrap();
    removed_long_ago(&house, area_id).await;
    lost(retention::begin_purge(db, before, area_id, &LIMITS).await.map(|name| name.is_some()));
    let purging = "select count(purging_at) from areas where area_id = $1";
    assert_eq!(house.number(purging, area_id).await, 0);
    retention::begin_purge(db, house.term, area_id, &LIMITS).await.unwrap();
    lost(retention::purge(db, before, area_id).await.map(|step| step.is_last));
    assert_eq!(house.number("select count(*) from articles where area_id = $1", area_id).await, 4);
}

async fn removed_long_ago(house: &House, area_id: i64) {
    let sql = "update areas set removed_at = now() - interval '2 days' where area_id = $1";
    house.db.query(sql, &[&area_id]).await.unwrap();
}

async fn purge_all(house: &House, area_id: i64) -> Vec<u64> {
    let mut steps = vec![];
    loop {
        let step = retention::purge(&house.db, house.term, area_id).await.unwrap();
        steps.push(step.rows);
        if step.is_last {
            return steps;
        }
    }
}

#[tokio::test]
async fn a_removed_area_can_be_restored_until_it_is_purged_and_then_leaves_nothing() {
    let house = House::new(2).await;
    let (db, admin) = (&house.db, &house.readers[0]);
    let area_id = house.filled("news", 7, keep(None, Some(2))).await;
    subscriptions::subscribe(db, &house.readers[1], area_id, false).await.unwrap();
    house.expire(area_id, &LIMITS).await.unwrap();
    house.clear(area_id).await;
    db.query(
        "insert into assignments (area_id, node_ids, epoch) values ($1, array[gen_random_uuid()], 1)",
        &[&area_id],
    )
    .await
    .unwrap();

    // Removed today: it stays.
    areas::remove(db, admin, area_id).await.unwrap();
    assert_eq!(house.due(&LIMITS).await, Due::default());
    let begun = retention::begin_purge(db, house.term, area_id, &LIMITS).await.unwrap();
    assert_eq!(begun, None);
    areas::restore(db, admin, "news").await.unwrap();
    areas::remove(db, admin, area_id).await.unwrap();

    removed_long_ago(&house, area_id).await;
    assert_eq!(house.due(&LIMITS).await, Due { purgeable: vec![area_id], ..Due::default() });
    assert_eq!(areas::list_all(db, admin, 0, 10).await.unwrap().len(), 1);
    let begun = retention::begin_purge(db, house.term, area_id, &LIMITS).await.unwrap();
    assert_eq!(begun, Some("news".into()));
    let gone = areas::restore(db, admin, "news").await;
    assert!(matches!(gone, Err(Error::NotFound(_))), "{gone:?}");
    assert!(areas::list_all(db, admin, 0, 10).await.unwrap().is_empty(), "what is left is not to be seen");

    // The name is free meanwhile, and old cursors do not apply to what is there now.
    let next = house.filled("news", 1, Change::default()).await;
    assert_ne!(next, area_id);
    assert_eq!(purge_all(&house, area_id).await, [7, 2, 0]);
    assert_eq!(purge_all(&house, area_id).await, [0], "a repeat does nothing");
    for table in ["areas", "heads", "articles", "subscriptions", "assignments", "retention"] {
        let left = house.number(&format!("select count(*) from {table} where area_id = $1"), area_id).await;
        assert_eq!(left, 0, "{table}");
    }
    assert_eq!(house.due(&LIMITS).await, Due::default());
    let listed = subscriptions::list(db, admin, None, 10).await.unwrap();
    assert_eq!((listed.len(), listed[0].area_id, listed[0].cursor), (1, next, 1));
    assert!(subscriptions::list(db, &house.readers[1], None, 10).await.unwrap().is_empty());
    let events = house.events().await;
    assert_eq!(
        (events.last().unwrap().1.as_str(), events.last().unwrap().2.as_str()),
        ("area.purged", "news")
    );
}

/// Each holds the area's row before the other one comes.
#[tokio::test]
async fn a_restore_that_meets_a_purge_brings_all_back_or_nothing() {
    let house = House::new(1).await;
    let (db, admin) = (&house.db, &house.readers[0]);
    for (n, purge_first) in [true, false].into_iter().enumerate() {
        let name = format!("news{n}");
        let area_id = house.filled(&name, 2, Change::default()).await;
        areas::remove(db, admin, area_id).await.unwrap();
        removed_long_ago(&house, area_id).await;
        let held = house.database.client().await;
        let first = match purge_first {
            true => "set purging_at = now()",
            false => "set removed_at = null, restored_at = now()",
        };
        held.batch_execute(&format!("begin; update areas {first} where area_id = {area_id}")).await.unwrap();
        let (other, token, term) = (db.clone(), *admin, house.term);
        let name_of = name.clone();
        let second = tokio::spawn(async move {
            match purge_first {
                true => areas::restore(&other, &token, &name_of).await.map(|(area, _)| Some(area.name)),
                false => retention::begin_purge(&other, term, area_id, &LIMITS).await,
            }
        });
        waits(&house).await;
        held.batch_execute("commit").await.unwrap();
        let second = second.await.unwrap();
        match purge_first {
            true => assert!(matches!(second, Err(Error::NotFound(_))), "{second:?}"),
            false => assert_eq!(second.unwrap(), None, "it is there again"),
        }
        purge_all(&house, area_id).await;
        let left = house.number("select count(*) from articles where area_id = $1", area_id).await;
        assert_eq!(left, if purge_first { 0 } else { 2 });
    }
}
