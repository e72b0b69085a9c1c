//! The audit trail, and the question that every administrator's request asks first.

use crate::sessions::TokenHash;
use crate::{Db, Error, Result};

#[derive(Debug)]
pub struct Entry {
    pub audit_id: i64,
    pub at_us: i64,
    pub actor: String,
    pub action: String,
    pub target: String,
    /// JSON.
    pub detail: String,
}

/// The role that a statement found for its session: none at all, a user's, an administrator's.
pub fn check_admin(role: Option<&str>) -> Result<()> {
    match role {
        None => Err(Error::unauthenticated()),
        Some("admin") => Ok(()),
        Some(_) => Err(Error::Denied("only administrators may do this".into())),
    }
}

/// For requests that only read; those that change something ask in the statement itself.
pub async fn require_admin(db: &Db, token: &TokenHash) -> Result<()> {
    let row =
        db.query_opt("select role from live_sessions where token_hash = $1", &[&token.as_bytes()]).await?;
    check_admin(row.as_ref().map(|row| row.get(0)))
}

/// Newest first, older than `before`.
pub async fn list(db: &Db, token: &TokenHash, before: Option<i64>, limit: i64) -> Result<Vec<Entry>> {
    require_admin(db, token).await?;
    let rows = db
        .query(
            "select audit_id, us(at) as at_us, actor, action, target, detail::text from audit
              where audit_id < $1 order by audit_id desc limit $2",
            &[&before.unwrap_or(i64::MAX), &limit],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Entry {
            audit_id: row.get("audit_id"),
            at_us: row.get("at_us"),
            actor: row.get("actor"),
            action: row.get("action"),
            target: row.get("target"),
            detail: row.get("detail"),
        })
        .collect())
}
