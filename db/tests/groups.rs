//! Groups of posts and of reads: each of a group gets what he would get alone, and what a post costs to be found does not grow with
//! its area.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use gaceta_db::articles::{self, NewPost, Posted};
use gaceta_db::reading::{self, Answer, From, Read};
use gaceta_db::subscriptions::{self, Shown};
use gaceta_db::testing::{self, TestDatabase};
use gaceta_db::{Db, Error, TokenHash};
use std::time::Duration;
use uuid::Uuid;

const BYTES_MAX: i64 = 100_000;

struct House {
    database: TestDatabase,
    db: Db,
}

impl House {
    async fn new() -> Self {
        let database = testing::database().await;
        let db = Db::new(&database.dsn).unwrap();
        Self { database, db }
    }

    /// A session of this user, who is made if need be.
    async fn session(&self, name: &str, number: u8) -> TokenHash {
        let token = TokenHash::of(&[number; 32]);
        let sql = "with u as (insert into users (name, name_key, password_hash) values ($2, $2, '')
                              on conflict (name_key) do update set name = excluded.name returning user_id)
                   insert into sessions (token_hash, user_id, label, expires_at)
                   select $1, user_id, '', now() + interval '1 day' from u";
        self.db.query(sql, &[&token.as_bytes(), &name]).await.unwrap();
        token
    }

    async fn area(&self, name: &str) -> i64 {
        let sql = "with a as (insert into areas (creation_id, name, name_key)
                              values (gen_random_uuid(), $1, $1) returning area_id)
                   insert into heads (area_id) select area_id from a returning area_id";
        self.db.query_one(sql, &[&name]).await.unwrap().get(0)
    }

    async fn subscribed(&self, name: &str, number: u8, area_id: i64) -> TokenHash {
        let token = self.session(name, number).await;
        subscriptions::subscribe(&self.db, &token, area_id, true).await.unwrap();
        token
    }

    async fn post(&self, posts: &[NewPost]) -> Vec<Result<Posted, Error>> {
        articles::post_group(&self.db, posts).await.unwrap()
    }

    async fn read(&self, reads: &[Read]) -> Vec<Result<Answer, Error>> {
        reading::read_group(&self.db, reads, BYTES_MAX).await.unwrap()
    }

    /// Cursor, where an undo leads, and by which reading it was set.
    async fn place(&self, token: &TokenHash, area_id: i64) -> (i64, Option<i64>, Option<Uuid>) {
        let sql = "select s.cursor, s.undo_cursor, s.undo_by from subscriptions s
                     join live_sessions me using (user_id) where me.token_hash = $1 and s.area_id = $2";
        let row = self.db.query_one(sql, &[&token.as_bytes(), &area_id]).await.unwrap();
        (row.get("cursor"), row.get("undo_cursor"), row.get("undo_by"))
    }
}

fn new_post(token: TokenHash, area_id: i64, id: u128, body: &str) -> NewPost {
    NewPost { token, area_id, id: Uuid::from_u128(id), body: body.into() }
}

fn unread(token: TokenHash, area_id: i64) -> Read {
    Read { token, area_id, from: From::Unread, shown: None, rows_max: 10, notes_use: false }
}

fn shown(from: i64, upto: i64, reading: u128) -> Shown {
    Shown { from, upto, generation: 1, reading_id: Uuid::from_u128(reading) }
}

fn seqs(answer: &Result<Answer, Error>) -> Vec<i64> {
    answer.as_ref().unwrap().page.articles.iter().map(|article| article.seq).collect()
}

#[tokio::test]
async fn i1_i2_repeats_and_conflicts_within_a_group_leave_no_hole() {
    let house = House::new().await;
    let area = house.area("news").await;
    let ana = house.subscribed("ana", 1, area).await;
    let ana_elsewhere = house.session("ana", 2).await;
    let bo = house.subscribed("bo", 3, area).await;
    let stranger = house.session("eve", 4).await;
    let group = [
        new_post(ana, area, 1, "one"),
        new_post(ana_elsewhere, area, 1, "one"),
        new_post(ana_elsewhere, area, 1, "another"),
        new_post(bo, area, 1, "of bo"),
        new_post(stranger, area, 2, "not subscribed"),
        new_post(TokenHash::of(&[9; 32]), area, 2, "no session"),
        new_post(ana, area + 1, 1, "no area"),
        new_post(ana, area, 3, "last"),
    ];
    let told: Vec<String> = house
        .post(&group)
        .await
        .into_iter()
        .map(|outcome| match outcome {
            Ok(Posted { seq, duplicate }) => format!("{seq} {duplicate}"),
            Err(error) => format!("{error:?}").split('(').next().unwrap().to_string(),
        })
        .collect();
    let expected =
        ["1 false", "1 true", "Conflict", "2 false", "Denied", "Unauthenticated", "NotFound", "3 false"];
    assert_eq!(told, expected);
    assert_eq!(house.post(&group[..1]).await.remove(0).unwrap(), Posted { seq: 1, duplicate: true });
}

#[tokio::test]
async fn i3_i5_each_reader_of_a_group_gets_what_he_would_get_alone() {
    let house = House::new().await;
    let area = house.area("news").await;
    let ana = house.subscribed("ana", 1, area).await;
    let bo = house.subscribed("bo", 2, area).await;
    let stranger = house.session("eve", 3).await;
    let posts: Vec<NewPost> = (1..=5).map(|n| new_post(ana, area, n, &format!("article {n}"))).collect();
    house.post(&posts).await;
    let answers = house
        .read(&[
            Read { shown: Some(shown(1, 2, 7)), ..unread(ana, area) },
            Read { rows_max: 2, ..unread(bo, area) },
            Read { from: From::After(4), ..unread(bo, area) },
            Read { from: From::After(5), ..unread(bo, area) },
            unread(stranger, area),
            unread(TokenHash::of(&[9; 32]), area),
            unread(ana, area + 1),
        ])
        .await;
    assert_eq!([0, 1, 2, 3].map(|n| seqs(&answers[n])), [vec![3, 4, 5], vec![1, 2], vec![5], vec![]]);
    let nothing = &answers[3].as_ref().unwrap().page;
    assert_eq!((nothing.from, nothing.upto, nothing.last_seq), (6, 5, 5));
    assert!(matches!(answers[4], Err(Error::Denied(_))));
    assert!(matches!(answers[5], Err(Error::Unauthenticated(_))));
    assert!(matches!(answers[6], Err(Error::NotFound(_))));
    assert_eq!(house.place(&ana, area).await, (2, Some(0), Some(Uuid::from_u128(7))));
    assert_eq!(house.place(&bo, area).await.0, 0, "nobody marks for another");
}

#[tokio::test]
async fn i3_marks_of_two_devices_in_a_group_move_the_cursor_to_the_furthest_and_skip_nothing() {
    let house = House::new().await;
    let area = house.area("news").await;
    let phone = house.subscribed("ana", 1, area).await;
    let desk = house.session("ana", 2).await;
    let posts: Vec<NewPost> = (1..=9).map(|n| new_post(phone, area, n, &format!("article {n}"))).collect();
    house.post(&posts).await;
    let mark = |token, shown| Read { shown: Some(shown), ..unread(token, area) };
    let answers = house.read(&[mark(phone, shown(1, 2, 7)), mark(desk, shown(1, 4, 8))]).await;
    assert!(answers.iter().all(|answer| seqs(answer) == [5, 6, 7, 8, 9]));
    assert_eq!(house.place(&phone, area).await, (4, Some(0), Some(Uuid::from_u128(8))));
    // What is not contiguous, of another generation, or beyond the head, moves nothing.
    let other_generation = Shown { generation: 2, ..shown(5, 6, 9) };
    let refused = [mark(phone, shown(6, 7, 9)), mark(desk, other_generation), mark(desk, shown(5, 10, 9))];
    for answer in house.read(&refused).await {
        assert_eq!(seqs(&answer), [5, 6, 7, 8, 9]);
    }
    assert_eq!(house.place(&phone, area).await.0, 4);
}

#[tokio::test]
async fn i9_a_page_weighs_no_more_than_it_may_and_has_at_least_one_number() {
    let house = House::new().await;
    let area = house.area("news").await;
    let ana = house.subscribed("ana", 1, area).await;
    let long = "n".repeat(45_000);
    let posts: Vec<NewPost> = (1..=4).map(|n| new_post(ana, area, n, &long)).collect();
    house.post(&posts).await;
    assert_eq!(seqs(&house.read(&[unread(ana, area)]).await[0]), [1, 2]);
    let least = reading::read_group(&house.db, &[unread(ana, area)], 10).await.unwrap();
    assert_eq!(seqs(&least[0]), [1]);
}

/// The plan is made while the area is empty, as it is in a new service, and must not read the whole area for each post when it
/// is not. What is counted are the rows and index entries that PostgreSQL touched, not time.
#[tokio::test]
async fn what_a_post_costs_does_not_grow_with_its_area() {
    const POSTS: i64 = 3_000;
    let house = House::new().await;
    let area = house.area("news").await;
    let ana = house.subscribed("ana", 1, area).await;
    let one_connection = house.db.apart(1).unwrap();
    for first in (0..POSTS).step_by(100) {
        let group: Vec<NewPost> =
            (first..first + 100).map(|n| new_post(ana, area, 1 + n as u128, "article")).collect();
        articles::post_group(&one_connection, &group).await.unwrap();
    }
    let House { database, db } = house;
    drop((one_connection, db)); // the end of a backend makes its numbers known
    let client = database.client().await;
    let touched = "select coalesce(sum(idx_tup_read), 0)::bigint from pg_stat_user_indexes
                    where relname = 'articles'";
    let busy = "select count(*) from pg_stat_activity
                 where datname = current_database() and application_name = 'gaceta'";
    let ended = async {
        while client.query_one(busy, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("the backends end");
    let entries: i64 = client.query_one(touched, &[]).await.unwrap().get(0);
    assert!(entries < POSTS, "{entries} index entries were read for {POSTS} posts");
}
