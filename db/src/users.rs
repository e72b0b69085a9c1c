//! Accounts: registration, passwords, roles. The last enabled administrator cannot be lost.
//!
//! Every administrator's statement asks for the role itself, changes, and writes its audit line, all in one.

use crate::names::{Name, key};
use crate::sessions::TokenHash;
use crate::{Db, Error, Noun, Result};

/// What is needed to check a password.
#[derive(Debug)]
pub struct Credentials {
    pub user_id: i64,
    pub name: String,
    pub role: String,
    pub password_hash: String,
    pub disabled: bool,
}

#[derive(Debug)]
pub struct User {
    pub name: String,
    pub key: String,
    pub role: String,
    pub created_at_us: i64,
    pub disabled_at_us: Option<i64>,
    pub sessions: i64,
}

/// Makes an account; `false` if the name is taken. Whether registration is open is asked in the same statement.
pub async fn register(db: &Db, name: &Name, password_hash: &str) -> Result<bool> {
    let row = db
        .query_one(
            "with open as (select 1 where not exists (
                      select from settings where name = 'registration' and value = '\"closed\"'::jsonb)),
                  added as (insert into users (name, name_key, password_hash)
                            select $1, $2, $3 from open on conflict (name_key) do nothing returning 1)
             select exists (select from open), exists (select from added)",
            &[&name.text, &name.key, &password_hash],
        )
        .await?;
    if !row.get::<_, bool>(0) {
        return Err(Error::Denied("registration is closed: ask an administrator for an account".into()));
    }
    Ok(row.get(1))
}

pub async fn credentials(db: &Db, name: &str) -> Result<Option<Credentials>> {
    let row = db
        .query_opt(
            "select user_id, name, role, password_hash, disabled_at is not null as disabled
               from users where name_key = $1",
            &[&key(name)],
        )
        .await?;
    Ok(row.map(|row| Credentials {
        user_id: row.get("user_id"),
        name: row.get("name"),
        role: row.get("role"),
        password_hash: row.get("password_hash"),
        disabled: row.get("disabled"),
    }))
}

/// Changes one's own password and ends one's other sessions. `false` if the password is no longer `old_hash`, which was
/// verified a moment ago.
pub async fn change_password(db: &Db, token: &TokenHash, old_hash: &str, new_hash: &str) -> Result<bool> {
    let row = db
        .query_one(
            "with me as (select * from live_sessions where token_hash = $1),
                  changed as (update users u set password_hash = $3 from me
                               where u.user_id = me.user_id and u.password_hash = $2 returning u.user_id),
                  ended as (update sessions s set ended_at = now() from changed, me
                             where s.user_id = changed.user_id and s.session_id <> me.session_id
                               and s.ended_at is null)
             select exists (select from me), exists (select from changed)",
            &[&token.as_bytes(), &old_hash, &new_hash],
        )
        .await?;
    if row.get(0) { Ok(row.get(1)) } else { Err(Error::unauthenticated()) }
}

/// Makes the first administrator, unless there is an enabled one. Returns whether it was made.
pub async fn ensure_admin(db: &Db, name: &Name, password_hash: &str) -> Result<bool> {
    let row = db
        .query_opt(
            "insert into users (name, name_key, password_hash, role)
             select $1, $2, $3, 'admin'
              where not exists (select from users where role = 'admin' and disabled_at is null)
             on conflict (name_key) do nothing returning 1",
            &[&name.text, &name.key, &password_hash],
        )
        .await?;
    Ok(row.is_some())
}

/// Gives access back: `name` exists, is an enabled administrator, has this password, and no session.
pub async fn reset_admin(db: &Db, name: &Name, password_hash: &str) -> Result<()> {
    db.query(
        "with kept as (
             insert into users as u (name, name_key, password_hash, role) values ($1, $2, $3, 'admin')
             on conflict (name_key) do update set password_hash = $3, role = 'admin', disabled_at = null
             returning u.user_id),
              ended as (update sessions s set ended_at = now() from kept
                         where s.user_id = kept.user_id and s.ended_at is null),
              audited as (insert into audit (actor, action, target) values ('', 'admin.reset', $1))
         select 1 from kept",
        &[&name.text, &name.key, &password_hash],
    )
    .await
    .map(drop)
}

/// A page of all users by name.
pub async fn list(db: &Db, token: &TokenHash, after: Option<&str>, limit: i64) -> Result<Vec<User>> {
    crate::audit::require_admin(db, token).await?;
    let rows = db
        .query(
            "select name, name_key, role, us(created_at) as created_at_us, us(disabled_at) as disabled_at_us,
                    (select count(*) from live_sessions s where s.user_id = users.user_id) as sessions
               from users where name_key > $1 order by name_key limit $2",
            &[&key(after.unwrap_or_default()), &limit],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| User {
            name: row.get("name"),
            key: row.get("name_key"),
            role: row.get("role"),
            created_at_us: row.get("created_at_us"),
            disabled_at_us: row.get("disabled_at_us"),
            sessions: row.get("sessions"),
        })
        .collect())
}

/// Makes an account for someone else; `false` if the name is taken.
pub async fn add(db: &Db, token: &TokenHash, name: &Name, password_hash: &str, role: &str) -> Result<bool> {
    let row = db
        .query_one(
            "with me as (select * from live_sessions where token_hash = $1),
                  added as (insert into users (name, name_key, password_hash, role)
                            select $2, $3, $4, $5 from me where me.role = 'admin'
                            on conflict (name_key) do nothing returning name),
                  audited as (insert into audit (actor_id, actor, action, target, detail)
                              select me.user_id, me.user_name, 'user.add', added.name,
                                     jsonb_build_object('role', $5::text) from me, added)
             select (select role from me), exists (select from added)",
            &[&token.as_bytes(), &name.text, &name.key, &password_hash, &role],
        )
        .await?;
    crate::audit::check_admin(row.get(0))?;
    Ok(row.get(1))
}

/// Whether this session, live or ended, is one of this user's: what an administrator did to himself ends it.
pub async fn is_own_session(db: &Db, token: &TokenHash, name: &str) -> Result<bool> {
    let row = db
        .query_opt(
            "select 1 from sessions s join users u using (user_id) where s.token_hash = $1 and u.name_key = $2",
            &[&token.as_bytes(), &key(name)],
        )
        .await?;
    Ok(row.is_some())
}

/// Sets anyone's password and ends all their sessions.
pub async fn set_password(db: &Db, token: &TokenHash, name: &str, password_hash: &str) -> Result<()> {
    let row = db
        .query_one(
            "with me as (select * from live_sessions where token_hash = $1),
                  changed as (update users u set password_hash = $3 from me
                               where me.role = 'admin' and u.name_key = $2 returning u.user_id, u.name),
                  ended as (update sessions s set ended_at = now() from changed
                             where s.user_id = changed.user_id and s.ended_at is null),
                  audited as (insert into audit (actor_id, actor, action, target)
                              select me.user_id, me.user_name, 'user.passwd', changed.name from me, changed)
             select (select role from me), exists (select from changed)",
            &[&token.as_bytes(), &key(name), &password_hash],
        )
        .await?;
    crate::audit::check_admin(row.get(0))?;
    if row.get(1) { Ok(()) } else { Err(no_such_user(name)) }
}

/// Returns whether the role was so already. Who has given up his own role hears so when he repeats it (I10).
pub async fn set_role(db: &Db, token: &TokenHash, name: &str, role: &str) -> Result<bool> {
    // `admins` locks the enabled administrators in one order, so that two of them cannot demote each other.
    let row = db
        .query_settled(
            "with me as (select * from live_sessions where token_hash = $1),
                  admins as (select user_id from users where role = 'admin' and disabled_at is null
                              order by user_id for update),
                  target as (select user_id, role from users where name_key = $2),
                  changed as (update users u set role = $3 from me, target t
                               where me.role = 'admin' and u.user_id = t.user_id and u.role <> $3
                                 and ($3 = 'admin' or (select count(*) from admins a where a.user_id <> t.user_id) > 0)
                              returning u.name),
                  audited as (insert into audit (actor_id, actor, action, target, detail)
                              select me.user_id, me.user_name, 'user.role', changed.name,
                                     jsonb_build_object('role', $3::text) from me, changed)
             select (select role from me), (select role = $3 from target) as already,
                    exists (select from changed) as changed,
                    exists (select from me join target t using (user_id) where t.role = $3) as own_repeat",
            &[&token.as_bytes(), &key(name), &role],
        )
        .await?;
    if row.get("own_repeat") {
        return Ok(true);
    }
    already_or_last(row, name)
}

/// Disables an account, which ends its sessions. Returns whether it was so already; who has disabled himself hears so
/// when he repeats it with the session that ended by it (I10).
pub async fn disable(db: &Db, token: &TokenHash, name: &str) -> Result<bool> {
    let row = db
        .query_settled(
            "with me as (select * from live_sessions where token_hash = $1),
                  admins as (select user_id from users where role = 'admin' and disabled_at is null
                              order by user_id for update),
                  target as (select user_id, disabled_at from users where name_key = $2),
                  changed as (update users u set disabled_at = now() from me, target t
                               where me.role = 'admin' and u.user_id = t.user_id and u.disabled_at is null
                                 and (u.role <> 'admin'
                                      or (select count(*) from admins a where a.user_id <> t.user_id) > 0)
                              returning u.user_id, u.name),
                  ended as (update sessions s set ended_at = now() from changed
                             where s.user_id = changed.user_id and s.ended_at is null),
                  audited as (insert into audit (actor_id, actor, action, target)
                              select me.user_id, me.user_name, 'user.disable', changed.name from me, changed)
             select (select role from me), (select disabled_at is not null from target) as already,
                    exists (select from changed) as changed,
                    exists (select from sessions s join target t using (user_id)
                             where s.token_hash = $1 and t.disabled_at is not null) as own_repeat",
            &[&token.as_bytes(), &key(name)],
        )
        .await?;
    if row.get("own_repeat") {
        return Ok(true);
    }
    already_or_last(row, name)
}

/// Returns whether it was enabled already.
pub async fn enable(db: &Db, token: &TokenHash, name: &str) -> Result<bool> {
    let row = db
        .query_settled(
            "with me as (select * from live_sessions where token_hash = $1),
                  target as (select user_id, disabled_at from users where name_key = $2),
                  changed as (update users u set disabled_at = null from me, target t
                               where me.role = 'admin' and u.user_id = t.user_id and u.disabled_at is not null
                              returning u.name),
                  audited as (insert into audit (actor_id, actor, action, target)
                              select me.user_id, me.user_name, 'user.enable', changed.name from me, changed)
             select (select role from me), (select disabled_at is null from target) as already,
                    exists (select from changed) as changed",
            &[&token.as_bytes(), &key(name)],
        )
        .await?;
    already_or_last(row, name)
}

/// The user's id, for an administrator.
pub async fn find(db: &Db, token: &TokenHash, name: &str) -> Result<i64> {
    crate::audit::require_admin(db, token).await?;
    credentials(db, name).await?.map(|user| user.user_id).ok_or_else(|| no_such_user(name))
}

/// Columns: the `role` of who asks, whether the target is so `already` (null: no target), whether it was `changed` now.
fn already_or_last(row: tokio_postgres::Row, name: &str) -> Result<bool> {
    crate::audit::check_admin(row.get("role"))?;
    match (row.get("already"), row.get("changed")) {
        (None::<bool>, _) => Err(no_such_user(name)),
        (Some(_), true) => Ok(false),
        (Some(true), false) => Ok(true),
        (Some(false), false) => Err(Error::Denied(
            "this is the last administrator: make another one first (`admin user role NAME admin`)".into(),
        )),
    }
}

fn no_such_user(name: &str) -> Error {
    Error::unknown(Noun::User, name, format!("no user {name:?}: `admin user list` lists them"))
}
