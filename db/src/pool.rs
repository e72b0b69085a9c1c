//! Connections to PostgreSQL: how many, how long a statement may take, and when a connection is thrown away.

use crate::error::{Error, is_connection_lost};
use crate::health::Health;
use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, Timeouts,
};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::types::ToSql;
use tokio_postgres::{NoTls, Row};

/// Connections of one process for requests. With the two of a node's lanes and the one that listens it has ten at the
/// most: two agents and three nodes then take fewer than half of PostgreSQL's default 100.
pub const CONNECTIONS_MAX: usize = 7;
/// How long a request may wait for a free connection; then the answer is `busy`.
const ACQUIRE_WAIT_MS: u64 = 2_000;
/// How long connecting may take: a vanished server sends no refusal.
const CONNECT_WAIT_MS: u64 = 3_000;
/// How long we wait for a statement. PostgreSQL itself ends it after `statement_timeout` (4 s); this is for a server that
/// was stopped or has vanished, where the kernel still acknowledges and only a clock of our own helps.
const STATEMENT_WAIT_MS: u64 = 5_000;
/// Unsent or unacknowledged bytes for longer than this mean that the server is gone.
const TCP_USER_WAIT_MS: u64 = 10_000;

/// What every connection of a pool sets for itself. No write may hold locks while its client is silent, and no wait is
/// for ever. Statements are prepared and planned once, since planning takes longer than what is planned; perhaps while a
/// table has ten rows, and they must still come through its index when it has ten million. What PostgreSQL dislikes by
/// these settings it reckons as dear, and would compile: that takes a hundred times as long as any statement of ours.
const SESSION_OPTIONS: &str = "-c idle_in_transaction_session_timeout=2s -c lock_timeout=2s -c statement_timeout=4s \
     -c default_transaction_isolation=read\\ committed \
     -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off -c jit=off";
/// A statement whose client has gone is given up. Not every system can tell; where it cannot, a server of version 14
/// refuses the setting.
#[cfg(target_os = "linux")]
const CHECK_OPTIONS: &str = "-c client_connection_check_interval=2s";
#[cfg(not(target_os = "linux"))]
const CHECK_OPTIONS: &str = "";

/// A handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
    pub(crate) database_url: Arc<str>,
    relatives: Arc<Relatives>,
}

/// A pool and those made `apart` from it: they lead to the same server.
#[derive(Default)]
struct Relatives {
    pools: Mutex<Vec<Pool>>,
    health: Health,
}

impl Db {
    /// Does not connect yet. Fails on a connection string that is none.
    pub fn new(database_url: &str) -> Result<Self, Error> {
        Self::with_connections(database_url, CONNECTIONS_MAX, Arc::default())
    }

    /// Another pool to the same database, for work that must not wait behind requests.
    pub fn apart(&self, connections_max: usize) -> Result<Self, Error> {
        Self::with_connections(&self.database_url, connections_max, self.relatives.clone())
    }

    fn with_connections(
        database_url: &str,
        connections_max: usize,
        relatives: Arc<Relatives>,
    ) -> Result<Self, Error> {
        let mut config = parse(database_url)?;
        let given = config.get_options().unwrap_or_default().to_string();
        config.options(format!("{given} {SESSION_OPTIONS} {CHECK_OPTIONS}"));
        // deadpool's own Config would drop target_session_attrs and has no tcp_user_timeout.
        let manager =
            Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(connections_max)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(Duration::from_millis(ACQUIRE_WAIT_MS)),
                create: Some(Duration::from_millis(CONNECT_WAIT_MS)),
                recycle: Some(Duration::from_millis(CONNECT_WAIT_MS)),
            })
            .build()
            .map_err(|e| Error::Unexpected(e.to_string()))?;
        relatives.pools.lock().unwrap_or_else(PoisonError::into_inner).push(pool.clone());
        Ok(Self { pool, database_url: database_url.into(), relatives })
    }

    /// A connection for several statements in a row.
    pub async fn connection(&self) -> Result<Connection, Error> {
        let health = &self.relatives.health;
        let error = match self.pool.get().await {
            Ok(object) => {
                let relatives = self.relatives.clone();
                return Ok(Connection { object: Some(object), in_flight: 0, relatives });
            }
            Err(PoolError::Timeout(deadpool_postgres::TimeoutType::Wait)) => {
                health.busy("all of this process are in use");
                return Err(Error::Busy);
            }
            Err(PoolError::Timeout(_)) => Error::Unavailable("connecting took too long".into()),
            Err(PoolError::Backend(error)) => match Error::from(error) {
                Error::Busy => {
                    health.busy("PostgreSQL takes no more: see its max_connections");
                    return Err(Error::Busy);
                }
                Error::Unavailable(reason) => Error::Unavailable(reason),
                other => Error::Unavailable(other.to_string()),
            },
            Err(error) => Error::Unavailable(error.to_string()),
        };
        health.failed(&error);
        Err(error)
    }

    pub async fn query(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        self.connection().await?.query(sql, params).await
    }

    /// For statements that return exactly one row whatever they find.
    pub async fn query_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
        let mut rows = self.query(sql, params).await?;
        match rows.pop() {
            Some(row) if rows.is_empty() => Ok(row),
            _ => Err(Error::Unexpected("not exactly one row".into())),
        }
    }

    /// For changes that may be repeated at the same moment, through two nodes: the one that waited for the other's row finds
    /// nothing to do, but judges by a snapshot that is older than what the other did. So when the column `changed` says
    /// that nothing was changed, the same statement is asked once more, and sees it.
    pub async fn query_settled(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
        let row = self.query_one(sql, params).await?;
        if row.get("changed") { Ok(row) } else { self.query_one(sql, params).await }
    }

    pub async fn query_opt(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, Error> {
        Ok(self.query(sql, params).await?.pop())
    }

    /// Whether the database answers; what `/readyz` asks.
    pub async fn ping(&self) -> Result<(), Error> {
        self.query("select 1", &[]).await.map(drop)
    }
}

/// One connection of the pool. It goes back when dropped, unless a statement was given up or showed that the server
/// behind it is leaving: reused, such a connection made the next request wait for seconds.
pub struct Connection {
    object: Option<Object>,
    in_flight: u32,
    relatives: Arc<Relatives>,
}

impl Connection {
    /// Runs one statement, prepared once per connection, under a deadline of our own.
    pub async fn query(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let result = self.run(sql, params).await;
        match &result {
            Ok(_) => self.relatives.health.worked(),
            Err(error) => self.relatives.health.failed(error),
        }
        result
    }

    async fn run(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let Some(object) = self.object.as_ref() else {
            return Err(Error::Unavailable("the connection was lost".into()));
        };
        // Still counted when this future is dropped half-way; `drop` then throws the connection away.
        self.in_flight += 1;
        let run = async {
            let statement = object.prepare_cached(sql).await?;
            object.query(&statement, params).await
        };
        let result = within(STATEMENT_WAIT_MS, run).await;
        match result {
            None => {
                self.object.take().map(Object::take);
                // The idle ones lead to the same server: a lane that tried them one by one would hold its posts back for
                // as many deadlines.
                for pool in self.relatives.pools.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                    pool.retain(|_, _| false);
                }
                Err(Error::Unavailable("no answer in time".into()))
            }
            Some(Err(error)) => {
                let lost = error.as_db_error().is_none_or(|db| is_connection_lost(db.code()));
                if lost {
                    self.object.take().map(Object::take);
                }
                self.in_flight -= 1;
                Err(error.into())
            }
            Some(Ok(rows)) => {
                self.in_flight -= 1;
                Ok(rows)
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.in_flight > 0 {
            self.object.take().map(Object::take);
        }
    }
}

async fn within<T>(wait_ms: u64, run: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(Duration::from_millis(wait_ms), run).await.ok()
}

pub(crate) type Connected =
    (tokio_postgres::Client, tokio_postgres::Connection<tokio_postgres::Socket, NoTlsStream>);

/// One connection beside the pool, for LISTEN and for migrations. The driver's own time limit ends when the socket is
/// open; a server that is stopped would then be waited for for ever.
pub(crate) async fn connect(database_url: &str) -> Result<Connected, Error> {
    match within(CONNECT_WAIT_MS, parse(database_url)?.connect(NoTls)).await {
        Some(connected) => Ok(connected?),
        None => Err(Error::Unavailable("connecting took too long".into())),
    }
}

/// The connection string with what we add to it where it says nothing.
fn parse(database_url: &str) -> Result<tokio_postgres::Config, Error> {
    let mut config: tokio_postgres::Config = database_url
        .parse()
        .map_err(|_| Error::Invalid("the database URL is not one (postgres://user@host/database)".into()))?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_millis(CONNECT_WAIT_MS));
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_millis(TCP_USER_WAIT_MS));
    }
    if config.get_target_session_attrs() == TargetSessionAttrs::Any {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    if config.get_application_name().is_none() {
        config.application_name("gaceta");
    }
    Ok(config)
}
