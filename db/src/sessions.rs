//! Sessions: who may act, until when, and from where it can be seen and ended.

use crate::leader::Term;
use crate::{Db, Error, Noun, Result};
use sha2::{Digest, Sha256};

/// SHA-256 of a session's token: what the database knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    pub fn of(token: &[u8; 32]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// As a parameter of a statement.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Days for which a session that has ended is still known: a repeated log-out is told so.
const FORGET_DAYS: i32 = 30;
/// Forgotten by one statement, which holds the lease meanwhile.
const FORGET_ROWS_MAX: i64 = 10_000;

/// A part of the statements that every command passes through (`with …, {noted_use(…)} select …`): notes that the sessions
/// of this condition were used, at most every five minutes, so that what is used does not end.
pub(crate) fn noted_use(condition: &str) -> String {
    format!(
        "noted as (update sessions set last_used_at = now(), expires_at = now() + (select lifetime from session_lifetime)
                    where {condition} and ended_at is null and expires_at > now()
                      and last_used_at < now() - interval '5 minutes'
                      and last_used_at > now() - (select lifetime from session_lifetime))"
    )
}

/// Who a session belongs to.
#[derive(Debug, Clone)]
pub struct Me {
    pub session_id: i64,
    pub user_id: i64,
    pub user: String,
    pub role: String,
}

#[derive(Debug, Clone)]
pub struct Session {
    pub session_id: i64,
    pub label: String,
    pub created_at_us: i64,
    pub last_used_at_us: i64,
    pub expires_at_us: i64,
}

/// Starts a session of an enabled user. `password_hash` is the one that was just verified: if the password was changed
/// meanwhile there is no session.
pub async fn start(
    db: &Db,
    user_id: i64,
    password_hash: &str,
    token: &TokenHash,
    label: &str,
) -> Result<Option<i64>> {
    let row = db
        .query_opt(
            "insert into sessions (token_hash, user_id, label, expires_at)
             select $3, user_id, $4, now() + (select lifetime from session_lifetime) from users
              where user_id = $1 and password_hash = $2 and disabled_at is null
             returning session_id",
            &[&user_id, &password_hash, &token.as_bytes(), &label],
        )
        .await?;
    Ok(row.map(|row| row.get(0)))
}

/// Who this is; `None` if the session does not hold.
pub async fn me(db: &Db, token: &TokenHash) -> Result<Option<Me>> {
    let row = db
        .query_opt(
            &format!(
                "with {} select session_id, user_id, user_name, role from live_sessions where token_hash = $1",
                noted_use("token_hash = $1")
            ),
            &[&token.as_bytes()],
        )
        .await?;
    Ok(row.map(|row| Me {
        session_id: row.get("session_id"),
        user_id: row.get("user_id"),
        user: row.get("user_name"),
        role: row.get("role"),
    }))
}

/// What the database's clock says, in microseconds since 1970 UTC, for whoever has a session.
pub async fn clock(db: &Db, token: &TokenHash) -> Result<i64> {
    let row = db
        .query_opt(
            "select us(clock_timestamp()) from live_sessions where token_hash = $1",
            &[&token.as_bytes()],
        )
        .await?;
    row.map(|row| row.get(0)).ok_or_else(Error::unauthenticated)
}

/// Ends the session of this token. `already` also when there never was one: there is none now.
pub async fn end_own(db: &Db, token: &TokenHash) -> Result<bool> {
    let row = db
        .query_opt(
            "update sessions set ended_at = now() where token_hash = $1 and ended_at is null returning 1",
            &[&token.as_bytes()],
        )
        .await?;
    Ok(row.is_none())
}

/// Ends one of one's own sessions, by its number. Returns whether it had ended already. Who has ended the very session
/// that he asks with hears so when he repeats it (I10).
pub async fn end(db: &Db, token: &TokenHash, session_id: i64) -> Result<bool> {
    let row = db
        .query_one(
            "with me as (select * from live_sessions where token_hash = $1),
                  target as (select s.session_id, s.ended_at from sessions s join me using (user_id)
                              where s.session_id = $2),
                  ended as (update sessions s set ended_at = now() from target t
                             where s.session_id = t.session_id and s.ended_at is null returning 1)
             select exists (select from me) as logged_in, exists (select from target) as known,
                    exists (select from ended) as ended,
                    exists (select from sessions where token_hash = $1 and session_id = $2) as is_own",
            &[&token.as_bytes(), &session_id],
        )
        .await?;
    let is_own: bool = row.get("is_own");
    match (row.get("logged_in"), row.get("known")) {
        (false, _) if is_own => Ok(true),
        (false, _) => Err(Error::unauthenticated()),
        (true, false) => {
            let text = format!("you have no session {session_id}: `sessions` lists yours");
            Err(Error::unknown(Noun::Session, session_id, text))
        }
        (true, true) => Ok(!row.get::<_, bool>("ended")),
    }
}

/// Ends all sessions of the token's user, this one included; how many there were. A repeat comes with a token that has
/// just been ended by it: known, so the answer is 0 and not an error (I10).
pub async fn end_all(db: &Db, token: &TokenHash) -> Result<u64> {
    let row = db
        .query_one(
            "with known as (select user_id from sessions where token_hash = $1),
                  me as (select user_id from live_sessions where token_hash = $1),
                  ended as (update sessions s set ended_at = now() from me
                             where s.user_id = me.user_id and s.ended_at is null returning 1)
             select exists (select from known), (select count(*) from ended)",
            &[&token.as_bytes()],
        )
        .await?;
    if row.get(0) { Ok(row.get::<_, i64>(1) as u64) } else { Err(Error::unauthenticated()) }
}

/// The live sessions of a user, newest first.
pub async fn of_user(db: &Db, user_id: i64) -> Result<Vec<Session>> {
    let rows = db
        .query(
            "select session_id, label, us(created_at) as created_at_us, us(last_used_at) as last_used_at_us,
                    us(least(expires_at, last_used_at + (select lifetime from session_lifetime))) as expires_at_us
               from sessions join live_sessions using (session_id) where sessions.user_id = $1
              order by session_id desc limit 500",
            &[&user_id],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Session {
            session_id: row.get("session_id"),
            label: row.get("label"),
            created_at_us: row.get("created_at_us"),
            last_used_at_us: row.get("last_used_at_us"),
            expires_at_us: row.get("expires_at_us"),
        })
        .collect())
}

/// Forgets sessions that ended long ago, some at a time.
pub async fn forget_ended(db: &Db, term: Term) -> Result<()> {
    term.write(
        db,
        "gone as (delete from sessions using lease where session_id in (
             select session_id from sessions where least(ended_at, expires_at) < now() - make_interval(days => $3)
              limit $4))",
        "1",
        &[&FORGET_DAYS, &FORGET_ROWS_MAX],
    )
    .await
    .map(drop)
}
