//! How much the nodes do, over time: what each live one reported, and their sum, every few seconds for a day.
//!
//! Only the leader writes them, stamped with its epoch; the next one continues the series.

use crate::leader::Term;
use crate::sessions::TokenHash;
use crate::{Db, Result, audit};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// What a node does; also a sum or a mean over nodes. The columns of both tables, in the order of `COLUMNS`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    pub posts_s: f64,
    pub reads_s: f64,
    pub follows_s: f64,
    pub deletes_s: f64,
    pub others_s: f64,
    pub deliveries_s: f64,
    pub followers: f64,
    pub connections: f64,
    pub queued_posts: f64,
    pub memory_bytes: f64,
}

/// The columns of a [`Load`].
pub(crate) const COLUMNS: &str =
    "posts_s, reads_s, follows_s, deletes_s, others_s, deliveries_s, followers, connections,
       queued_posts, memory_bytes";

/// Each of the columns as `shown` has it: of another table, or what is made of it.
fn columns_as(shown: impl Fn(&str) -> String) -> String {
    COLUMNS.split(',').map(|name| shown(name.trim())).collect::<Vec<_>>().join(", ")
}

impl Load {
    fn columns(&self) -> [f64; 10] {
        let Self {
            posts_s,
            reads_s,
            follows_s,
            deletes_s,
            others_s,
            deliveries_s,
            followers,
            connections,
            queued_posts,
            memory_bytes,
        } = *self;
        [
            posts_s,
            reads_s,
            follows_s,
            deletes_s,
            others_s,
            deliveries_s,
            followers,
            connections,
            queued_posts,
            memory_bytes,
        ]
    }

    /// From the columns with this before their names; `None` where they are null.
    pub(crate) fn of(row: &Row, prefix: &str) -> Option<Self> {
        let column = |name| row.get::<_, Option<f64>>(format!("{prefix}{name}").as_str());
        Some(Self {
            posts_s: column("posts_s")?,
            reads_s: column("reads_s")?,
            follows_s: column("follows_s")?,
            deletes_s: column("deletes_s")?,
            others_s: column("others_s")?,
            deliveries_s: column("deliveries_s")?,
            followers: column("followers")?,
            connections: column("connections")?,
            queued_posts: column("queued_posts")?,
            memory_bytes: column("memory_bytes")?,
        })
    }
}

/// All live nodes at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub at_us: i64,
    pub epoch: i64,
    /// Live ones that reported.
    pub nodes: i32,
    pub sum: Load,
    pub mean: Load,
}

/// Writes what each node reported, and their sum.
pub async fn write(db: &Db, term: Term, reports: &[(Uuid, Load)]) -> Result<()> {
    let node_ids: Vec<Uuid> = reports.iter().map(|(node_id, _)| *node_id).collect();
    let column = |kind: usize| -> Vec<f64> { reports.iter().map(|(_, load)| load.columns()[kind]).collect() };
    let columns: [Vec<f64>; 10] = std::array::from_fn(column);
    let unnested = (4..14).map(|n| format!("${n}::double precision[]")).collect::<Vec<_>>().join(", ");
    let sums = columns_as(|name| format!("coalesce(sum({name}), 0)"));
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&node_ids];
    params.extend(columns.iter().map(|column| column as &(dyn ToSql + Sync)));
    term.write(
        db,
        &format!(
            "stamp as (select clock_timestamp() as at, epoch from lease),
             given as (select * from unnest($3::uuid[], {unnested}) as g (node_id, {COLUMNS})),
             of_nodes as (insert into node_samples (at, epoch, node_id, {COLUMNS})
                          select stamp.*, given.* from stamp, given),
             of_all as (insert into load_samples (at, epoch, nodes, {COLUMNS})
                        select stamp.*, s.* from stamp, (select count(*)::integer, {sums} from given) s)"
        ),
        "1",
        &params,
    )
    .await
    .map(drop)
}

/// Rows of each table forgotten by one statement, done in some ten milliseconds.
const FORGET_ROWS_MAX: i64 = 5_000;

/// Forgets what is older than `keep_s` seconds, some rows at a time. `true`: there may be more.
pub async fn forget_old(db: &Db, term: Term, keep_s: i64) -> Result<bool> {
    let row = term
        .write(
            db,
            "before as (select now() - make_interval(secs => $3::bigint) as at),
             of_nodes as (delete from node_samples s using lease
                           where (s.at, s.node_id) in (select x.at, x.node_id from node_samples x, before
                                                        where x.at < before.at order by x.at limit $4)
                          returning 1),
             of_all as (delete from load_samples s using lease
                         where s.at in (select x.at from load_samples x, before
                                         where x.at < before.at order by x.at limit $4)
                        returning 1)",
            "greatest((select count(*) from of_nodes), (select count(*) from of_all)) as rows",
            &[&keep_s, &FORGET_ROWS_MAX],
        )
        .await?;
    Ok(row.get::<_, i64>("rows") == FORGET_ROWS_MAX)
}

/// The samples of the last `span_s` seconds for an administrator, oldest first: at most `rows_max`, evenly taken.
pub async fn list(db: &Db, token: &TokenHash, span_s: i64, rows_max: i64) -> Result<Vec<Sample>> {
    audit::require_admin(db, token).await?;
    let means = columns_as(|name| format!("mean_{name}"));
    let rows = db
        .query(
            &format!(
                "with of_span as (select *, row_number() over (order by at desc) - 1 as nth, count(*) over () as rows
                                    from load_samples where at > now() - make_interval(secs => $1::bigint))
                 select us(at) as at_us, epoch, nodes, {COLUMNS}, {means} from of_span
                  where nth % greatest(1, (rows + $2::bigint - 1) / $2) = 0
                  order by at"
            ),
            &[&span_s, &rows_max],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Sample {
            at_us: row.get("at_us"),
            epoch: row.get("epoch"),
            nodes: row.get("nodes"),
            sum: Load::of(row, "").unwrap_or_default(),
            mean: Load::of(row, "mean_").unwrap_or_default(), // of no node there is none
        })
        .collect())
}
