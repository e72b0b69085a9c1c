//! The same request twice at the same time: a client that waits for an answer asks once more. Looking at a password takes
//! long, so that this happens to log-ins first; and each would be a session of its own, or one more wrong password.
//!
//! Only what is under way here is known: through another agent, or after a lost answer, a repeat does make a second session.

use server::Failure;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;
use uuid::Uuid;
use wire::{LoggedIn, Password};

/// Who asks the same: whoever has only seen the id of a request gets nobody's session by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    request_id: Uuid,
    name: String,
    password: String,
}

type Cell = Arc<OnceCell<Option<LoggedIn>>>;

/// The log-ins under way. As many as there are connections at most, each with its request's own texts.
#[derive(Default)]
pub struct Twins(Mutex<HashMap<Key, Cell>>);

impl Twins {
    /// What `log_in` gives; for all who ask the same meanwhile it is done once. Where it fails, or is given up, the next of
    /// them does it.
    pub async fn once(
        &self,
        request_id: Uuid,
        name: &str,
        password: &Password,
        log_in: impl Future<Output = Result<Option<LoggedIn>, Failure>>,
    ) -> Result<Option<LoggedIn>, Failure> {
        let key = Key { request_id, name: name.to_owned(), password: password.0.clone() };
        let under_way =
            UnderWay { twins: self, cell: self.cells().entry(key.clone()).or_default().clone(), key };
        under_way.cell.get_or_try_init(|| log_in).await.cloned()
    }

    fn cells(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Cell>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner) // every change of it is one call
    }
}

/// Forgotten when the last of them has gone, also in the middle.
struct UnderWay<'a> {
    twins: &'a Twins,
    key: Key,
    cell: Cell,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut cells = self.twins.cells();
        // This one's and the map's.
        if Arc::strong_count(&self.cell) <= 2 {
            cells.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::{ErrorReply, Role, Token};

    fn session(session_id: i64) -> LoggedIn {
        let token = Token([session_id as u8; 32]);
        let service_id = Uuid::nil();
        LoggedIn { token, session_id, user: "ana".into(), role: Role::User, service_id, already: false }
    }

    #[tokio::test]
    async fn i10_twins_of_a_log_in_share_it_and_nobody_else_does() {
        let twins = Twins::default();
        let (id, password) = (Uuid::from_u128(1), Password("right".into()));
        let slow = async |number| {
            tokio::task::yield_now().await;
            Ok(Some(session(number)))
        };
        let ask = |id, password, number| twins.once(id, "ana", password, slow(number));
        let other = Password("wrong".into());
        let (one, twin, stranger, guess) = tokio::join!(
            ask(id, &password, 1),
            ask(id, &password, 2),
            ask(Uuid::from_u128(2), &password, 3),
            ask(id, &other, 4)
        );
        let number = |asked: Result<Option<LoggedIn>, Failure>| asked.unwrap().unwrap().session_id;
        assert_eq!([one, twin, stranger, guess].map(number), [1, 1, 3, 4]);
        assert!(twins.cells().is_empty());
    }

    #[tokio::test]
    async fn i10_where_one_fails_its_twin_does_it() {
        let twins = Twins::default();
        let (id, password) = (Uuid::nil(), Password("right".into()));
        let failing = async {
            tokio::task::yield_now().await;
            Err(ErrorReply::failed().into())
        };
        let (one, twin) = tokio::join!(
            twins.once(id, "ana", &password, failing),
            twins.once(id, "ana", &password, async { Ok(Some(session(2))) })
        );
        assert!(one.is_err());
        assert_eq!(twin.unwrap().unwrap().session_id, 2);
        assert!(twins.cells().is_empty());
    }
}
