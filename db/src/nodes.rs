//! The register of nodes. A node writes its own row, so that nobody without the database's password can pose as one; the
//! leader checks it and writes its state.

use crate::leader::Term;
use crate::samples::{COLUMNS, Load};
use crate::sessions::TokenHash;
use crate::{Db, Error, Noun, Result, audit};
use tokio_postgres::Row;
use uuid::Uuid;

/// Nodes that are registered at the same time. Each is checked each second; far more than any service needs.
const NODES_MAX: i64 = 1_000;
/// The row of a node that was lost or has left stays for so long, to be seen.
const FORGET_S: f64 = 3_600.0;
/// And for so long if its address is drained: that is the administrator's will, and holds for the next node there.
const FORGET_DRAINED_S: f64 = 30.0 * 86_400.0;
/// Characters of the beginning of an id that name a node; fewer are a slip of the finger.
const ID_PREFIX_CHARS_MIN: i32 = 4;

/// A node that is checked, or sent clients to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub node_id: Uuid,
    pub address: String,
    /// `announced`, `live` or `out`; `left` is not among these.
    pub state: String,
    /// An administrator wants it to have no areas.
    pub drained: bool,
    /// Its share of the areas, in quarters.
    pub weight: i16,
}

/// A node as administrators see it.
#[derive(Debug)]
pub struct Details {
    pub node_id: Uuid,
    pub address: String,
    pub version: String,
    pub state: String,
    pub state_at_us: i64,
    pub started_at_us: i64,
    pub drained_at_us: Option<i64>,
    pub areas: i64,
    pub settings_version: Option<i64>,
    pub load: Option<Load>,
    pub load_at_us: Option<i64>,
}

/// What the leader found: this node, which was in the state `from`, is in the state `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub node_id: Uuid,
    pub from: String,
    pub to: &'static str,
}

/// Writes the row of a node that has just started, or of one that was out. What an administrator wanted of an older one at the
/// same address holds for this one. That older row stays until this node has answered there: an address that somebody gave
/// to two nodes by mistake must not take the register away from the one that really has it. A node that has another address now
/// (its host's changed, or it is reached from elsewhere) has it in its row, too.
pub async fn register(db: &Db, node_id: Uuid, address: &str, version: &str) -> Result<()> {
    db.query(
        "with kept as (insert into nodes (node_id, address, version, drained_at)
                       select $1, $2, $3, (select max(drained_at) from nodes where address = $2 and node_id <> $1)
                       on conflict (node_id) do update
                          set address = excluded.address, state = 'announced',
                              state_at = case nodes.state when 'announced' then nodes.state_at else now() end
                        where nodes.state = 'out' or nodes.state <> 'left' and nodes.address <> excluded.address
                       returning xmax = 0 as is_new)
         insert into events (kind, subject, detail)
         select 'node.registered', $2, jsonb_build_object('node_id', $1::uuid) from kept where is_new",
        &[&node_id, &address, &version],
    )
    .await
    .map(drop)
}

/// A node leaves: nobody is sent there any more.
pub async fn leave(db: &Db, node_id: Uuid) -> Result<()> {
    db.query(
        "with gone as (update nodes set state = 'left', state_at = now()
                        where node_id = $1 and state <> 'left' returning address)
         insert into events (kind, subject, detail)
         select 'node.left', address, jsonb_build_object('node_id', $1::uuid) from gone",
        &[&node_id],
    )
    .await
    .map(drop)
}

/// A node has announced itself and answered: older rows of its address were nodes that are no more. One that has just started
/// is sent clients from now on; one that was out waits for the leader, who put it out and may not reach it. Returns whether it
/// was live already; `None`: it is not registered.
pub async fn announced(db: &Db, node_id: Uuid) -> Result<Option<bool>> {
    let row = db
        .query_opt(
            "with fresh as (update nodes set state = 'live', state_at = now()
                             where node_id = $1 and state = 'announced' and state_at = started_at returning address),
                  told as (insert into events (kind, subject, detail)
                           select 'node.live', address, jsonb_build_object('node_id', $1::uuid) from fresh),
                  gone as (delete from nodes old using nodes me
                            where me.node_id = $1 and old.address = me.address and old.node_id <> $1)
             select state = 'live' from nodes where node_id = $1",
            &[&node_id],
        )
        .await?;
    Ok(row.map(|row| row.get(0)))
}

/// All nodes but those that have left. Should there be too many, those that are out are the ones that can be spared.
pub async fn list(db: &Db) -> Result<Vec<Node>> {
    let rows = db
        .query(
            &format!(
                "select {NODE} from nodes n
                  where n.state <> 'left' order by n.state = 'out', n.node_id limit $1"
            ),
            &[&NODES_MAX],
        )
        .await?;
    Ok(rows.iter().map(node_of).collect())
}

/// The address of a node that has not left.
pub async fn address(db: &Db, node_id: Uuid) -> Result<Option<String>> {
    let row =
        db.query_opt("select address from nodes where node_id = $1 and state <> 'left'", &[&node_id]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// The columns of a [`Node`], of `nodes n`.
const NODE: &str = "n.node_id, n.address, n.state, n.drained_at is not null as drained, n.weight";

fn node_of(row: &Row) -> Node {
    Node {
        node_id: row.get("node_id"),
        address: row.get("address"),
        state: row.get("state"),
        drained: row.get("drained"),
        weight: row.get("weight"),
    }
}

/// The live nodes: first those that are assigned to the area, best first, then the others.
pub async fn serving(db: &Db, area_id: i64) -> Result<(Vec<Node>, Vec<Node>)> {
    let rows = db
        .query(
            &format!(
                "select {NODE}, array_position(s.node_ids, n.node_id) is not null as assigned
                   from nodes n left join assignments s on s.area_id = $1
                  where n.state = 'live' order by array_position(s.node_ids, n.node_id), n.node_id limit $2"
            ),
            &[&area_id, &NODES_MAX],
        )
        .await?;
    let (assigned, others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.get("assigned"));
    Ok((assigned.into_iter().map(node_of).collect(), others.into_iter().map(node_of).collect()))
}

/// Writes the states that the leader found, with an event for each. One that has changed by itself meanwhile stays as it is.
/// Older rows of the address of one that answers now were nodes that are no more.
pub async fn set_states(db: &Db, term: Term, found: &[Found]) -> Result<()> {
    let (mut node_ids, mut was, mut is_now) = (vec![], vec![], vec![]);
    for Found { node_id, from, to } in found {
        node_ids.push(node_id);
        was.push(from);
        is_now.push(to);
    }
    term.write(
        db,
        // Who was out and announced itself, and is still not reached, is no news.
        "given as (select g.*, n.state_at = n.started_at as is_new
                     from unnest($3::uuid[], $4::text[], $5::text[]) as g (node_id, was, is_now) join nodes n using (node_id)),
         changed as (update nodes n set state = g.is_now, state_at = now() from lease, given g
                      where n.node_id = g.node_id and n.state = g.was
                     returning n.node_id, n.address, n.state, g.was, g.is_new),
         told as (insert into events (epoch, kind, subject, detail)
                  select lease.epoch, 'node.' || c.state, c.address,
                         jsonb_build_object('node_id', c.node_id, 'was', c.was) from lease, changed c
                   where c.is_new or c.was <> 'announced' or c.state <> 'out'),
         gone as (delete from nodes old using lease, changed c
                   where c.state = 'live' and old.address = c.address and old.node_id <> c.node_id)",
        "1",
        &[&node_ids, &was, &is_now],
    )
    .await
    .map(drop)
}

/// Writes the shares of the areas that the leader gives nodes, with an event for each.
pub async fn set_weights(db: &Db, term: Term, weights: &[(Uuid, i16)]) -> Result<()> {
    let (node_ids, weights): (Vec<Uuid>, Vec<i16>) = weights.iter().copied().unzip();
    term.write(
        db,
        "given as (select * from unnest($3::uuid[], $4::smallint[]) as g (node_id, weight)),
         changed as (update nodes n set weight = g.weight from lease, given g
                      where n.node_id = g.node_id and n.weight <> g.weight
                     returning n.node_id, n.address, n.weight),
         told as (insert into events (epoch, kind, subject, detail)
                  select lease.epoch, 'node.weighed', c.address,
                         jsonb_build_object('node_id', c.node_id, 'quarters', c.weight) from lease, changed c)",
        "1",
        &[&node_ids, &weights],
    )
    .await
    .map(drop)
}

/// Forgets nodes that were lost or have left, and whose address nobody took over.
pub async fn forget_lost(db: &Db, term: Term) -> Result<()> {
    term.write(
        db,
        "gone as (delete from nodes using lease
                   where state in ('out', 'left')
                     and state_at < now() - case when drained_at is null then $3::float8 else $4 end * interval '1 s')",
        "1",
        &[&FORGET_S, &FORGET_DRAINED_S],
    )
    .await
    .map(drop)
}

/// How many are live, of how many that have not left.
pub async fn count(db: &Db) -> Result<(i64, i64)> {
    let row = db
        .query_one(
            "select count(*) filter (where state = 'live'), count(*) from nodes where state <> 'left'",
            &[],
        )
        .await?;
    Ok((row.get(0), row.get(1)))
}

/// All nodes, and after them those that left lately, of which a rolling update leaves one for each; for administrators.
pub async fn details(db: &Db, token: &TokenHash) -> Result<Vec<Details>> {
    audit::require_admin(db, token).await?;
    details_of(db, None).await
}

async fn details_of(db: &Db, node_id: Option<Uuid>) -> Result<Vec<Details>> {
    let rows = db
        .query(
            &format!(
                "select n.node_id, n.address, n.version, n.state, us(n.state_at) as state_at_us,
                        us(n.started_at) as started_at_us, us(n.drained_at) as drained_at_us,
                        coalesce(c.areas, 0) as areas, n.settings_version, us(l.at) as load_at_us, {COLUMNS}
                   from nodes n
                   left join (select s.node_id, count(*) as areas
                                from (select area_id, unnest(node_ids) as node_id from assignments) s
                                join areas a using (area_id) where a.removed_at is null
                               group by s.node_id) c using (node_id)
                   left join lateral (select * from node_samples l where l.node_id = n.node_id
                                       order by l.at desc limit 1) l on true
                  where $1::uuid is null or n.node_id = $1
                  order by n.state = 'left', n.address, n.node_id limit $2"
            ),
            &[&node_id, &NODES_MAX],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Details {
            node_id: row.get("node_id"),
            address: row.get("address"),
            version: row.get("version"),
            state: row.get("state"),
            state_at_us: row.get("state_at_us"),
            started_at_us: row.get("started_at_us"),
            drained_at_us: row.get("drained_at_us"),
            areas: row.get("areas"),
            settings_version: row.get("settings_version"),
            load_at_us: row.get("load_at_us"),
            load: Load::of(row, ""),
        })
        .collect())
}

/// An administrator takes the areas away from a node. `true` with it if that was so already.
pub async fn drain(db: &Db, token: &TokenHash, node: &str) -> Result<(Details, bool)> {
    steer(db, token, node, true).await
}

/// An administrator lets a node have areas again. `true` with it if that was so already.
pub async fn resume(db: &Db, token: &TokenHash, node: &str) -> Result<(Details, bool)> {
    steer(db, token, node, false).await
}

/// `node` is an address, or the beginning of an id. An address may have two rows for a moment, while a node follows another one:
/// it is both that are meant.
async fn steer(db: &Db, token: &TokenHash, node: &str, drains: bool) -> Result<(Details, bool)> {
    let row = db
        .query_settled(
            "with me as (select * from live_sessions where token_hash = $1),
                  target as (select n.node_id, n.address, n.state = 'live' as is_live from nodes n
                              where n.address = $2
                                 or (length($2) >= $4 and starts_with(n.node_id::text, lower($2)))),
                  changed as (update nodes n set drained_at = case when $3 then now() end from me, target t
                               where me.role = 'admin' and n.node_id = t.node_id
                                 and (select count(distinct address) from target) = 1
                                 and (n.drained_at is null) = $3
                              returning n.node_id, n.address),
                  audited as (insert into audit (actor_id, actor, action, target, detail)
                              select me.user_id, me.user_name, case when $3 then 'node.drain' else 'node.resume' end,
                                     c.address, jsonb_build_object('node_id', c.node_id) from me, changed c),
                  told as (insert into events (kind, subject, detail)
                           select case when $3 then 'node.drained' else 'node.resumed' end, c.address,
                                  jsonb_build_object('node_id', c.node_id) from changed c)
             select (select role from me), exists (select from changed) as changed,
                    (select count(distinct address) from target) as found,
                    (select node_id from target order by is_live desc, node_id desc limit 1),
                    (select string_agg(distinct address, ', ') from target) as addresses",
            &[&token.as_bytes(), &node, &drains, &ID_PREFIX_CHARS_MIN],
        )
        .await?;
    audit::check_admin(row.get("role"))?;
    let unknown = || {
        let text =
            format!("no node {node:?}: give its address or the beginning of its id (`admin node list`)");
        Error::unknown(Noun::Node, node, text)
    };
    match row.get::<_, i64>("found") {
        0 => Err(unknown()),
        1 => {
            let details = details_of(db, row.get("node_id")).await?.pop().ok_or_else(unknown)?;
            Ok((details, !row.get::<_, bool>("changed")))
        }
        _ => {
            let addresses: &str = row.get("addresses");
            Err(Error::Invalid(format!("{node:?} may be any of {addresses}: give the address")))
        }
    }
}

/// The id of this installation.
pub async fn service_id(db: &Db) -> Result<Uuid> {
    Ok(db.query_one("select service_id from service", &[]).await?.get(0))
}

/// What the leader shows nodes when it checks them: 32 bytes that only those with the database's password know.
pub async fn check_token(db: &Db) -> Result<[u8; 32]> {
    let token: Vec<u8> = db.query_one("select check_token from service", &[]).await?.get(0);
    token.try_into().map_err(|_| Error::Unexpected("the check token has not 32 bytes".into()))
}
