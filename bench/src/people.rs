//! The people and areas of a measurement, put straight into the database: hashing a password for each would take longer
//! than what is to be measured.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_postgres::Client;
use wire::{AreaId, Token};

/// See [`Crowd::subscribe_to_ten`].
pub const TEN_AREAS: usize = 10;

/// Person n has a session and is subscribed to area n, modulo the number of areas.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Crowd {
    pub people: usize,
    pub areas: usize,
    /// The id of the first area; the others follow it.
    pub first_area_id: i64,
}

impl Crowd {
    pub fn token(&self, client: usize) -> Token {
        token(client % self.people)
    }

    pub fn area(&self, client: usize) -> AreaId {
        AreaId(self.first_area_id + (client % self.areas) as i64)
    }

    /// Fills each area with as many articles, by person 0.
    pub async fn fill(&self, client: &Client, articles: usize, body_bytes: usize) -> anyhow::Result<()> {
        let (articles, body) = (articles as i64, "o".repeat(body_bytes));
        let (first, last) = (self.first_area_id, self.first_area_id + self.areas as i64 - 1);
        client
            .execute(
                "insert into articles (area_id, seq, author_id, id, posted_at, body_hash, body)
                 select a, n, u.user_id, gen_random_uuid(), now(), sha256(convert_to($4, 'UTF8')), $4
                   from generate_series($1::bigint, $2) a, generate_series(1, $3::bigint) n,
                        users u where u.name = 'person-0'",
                &[&first, &last, &articles, &body],
            )
            .await?;
        client
            .execute(
                "update heads set last_seq = $3, last_posted_at = now() where area_id between $1 and $2",
                &[&first, &last, &articles],
            )
            .await?;
        client.batch_execute("vacuum analyze").await?;
        Ok(())
    }

    /// Subscribes everybody to the first area, to his own, and to those after it, so that each has ten.
    pub async fn subscribe_to_ten(&self, client: &Client) -> anyhow::Result<()> {
        let (first, areas, more) = (self.first_area_id, self.areas as i64, TEN_AREAS as i64 - 2);
        client
            .execute(
                "insert into subscriptions (user_id, area_id, cursor)
                 select s.user_id, $1::bigint + case n when -1 then 0
                                             else 1 + (greatest(s.area_id - $1, 1) - 1 + n) % ($2::bigint - 1) end, 0
                   from subscriptions s, generate_series(-1, $3::bigint) n
                 on conflict do nothing",
                &[&first, &areas, &more],
            )
            .await?;
        client.batch_execute("vacuum analyze").await?;
        Ok(())
    }

    /// Registers them, at the start of their areas.
    pub async fn make(client: &Client, people: usize, areas: usize) -> anyhow::Result<Self> {
        let (count, area_count) = (people as i64, areas as i64);
        client
            .execute(
                "insert into users (name, name_key, password_hash)
                 select 'person-' || n, 'person-' || n, 'none' from generate_series(0, $1::bigint - 1) n",
                &[&count],
            )
            .await?;
        client
            .execute(
                "insert into sessions (token_hash, user_id, label, expires_at)
                 select sha256(sha256(convert_to(name, 'UTF8'))), user_id, 'bench', now() + interval '1 day'
                   from users where name like 'person-%'",
                &[],
            )
            .await?;
        let row = client
            .query_one(
                "with added as (insert into areas (creation_id, name, name_key)
                                select gen_random_uuid(), 'area-' || n, 'area-' || n
                                  from generate_series(0, $1::bigint - 1) n returning area_id),
                      head as (insert into heads (area_id) select area_id from added)
                 select min(area_id) from added",
                &[&area_count],
            )
            .await?;
        let first_area_id: i64 = row.get(0);
        client
            .execute(
                "insert into subscriptions (user_id, area_id, cursor)
                 select user_id, $1 + split_part(name, '-', 2)::bigint % $2, 0
                   from users where name like 'person-%'",
                &[&first_area_id, &area_count],
            )
            .await?;
        client.batch_execute("vacuum analyze").await?;
        Ok(Self { people, areas, first_area_id })
    }
}

/// The session of a person; the database has its hash.
fn token(person: usize) -> Token {
    Token(Sha256::digest(format!("person-{person}")).into())
}
