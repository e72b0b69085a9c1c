//! Followers that wait. They hold no database connection: when an area has something new, one fetch serves all of them,
//! and asks whose session and subscription still hold.
//!
//! The hub keeps no articles beyond one fan-out. Whoever is behind what the fetch brought reads from the database himself.

use db::Db;
use db::articles::Page;
use db::follow::{Standing, Waiting, fetch};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use wire::limits::{PAGE_ARTICLES_MAX, PAGE_BYTES_MAX};
use wire::{ErrorCode, ErrorReply};

/// Areas waited for, all followers together: bounds the hub's memory (some 100 bytes each).
const PLACES_MAX: usize = 1_000_000;
/// Fetches at the same time: they share the pool with readers and posters.
const FETCHES_MAX: usize = 2;
/// After a failed fetch: the database is away or busy, and the followers can wait that much longer.
const FETCH_RETRY_MS: u64 = 250;
/// Areas whose last change is remembered for those who are just about to wait.
const RECENT_MAX: usize = 16_384;

/// What a waiting follower gets.
#[derive(Debug)]
pub enum Delivery {
    /// What is new; shared by all who wait, each takes what comes after his place.
    News { page: Arc<Page>, after: i64, cursor: i64, generation: i64 },
    /// This area is over for him, the others are not.
    Ended { area_id: i64, error: ErrorReply },
    /// All is over for him.
    Refused(ErrorReply),
    /// There is something, but not in what was fetched: read from the database.
    LookAgain,
}

pub struct Hub {
    db: Db,
    inner: Mutex<Inner>,
    /// Something is dirty.
    wake: Notify,
    /// Something is to be told to the other nodes.
    pub(crate) tell: Notify,
    fetches: Arc<Semaphore>,
}

#[derive(Default)]
struct Inner {
    /// By area, then by follower.
    waiting: HashMap<i64, HashMap<u64, Place>>,
    places: usize,
    followers: usize,
    dirty: HashSet<i64>,
    /// Areas with posts of ours that the other nodes have not been told of.
    untold: HashSet<i64>,
    /// When an area last became dirty, in changes; closes the gap between looking and waiting.
    recent: HashMap<i64, u64>,
    /// Areas that became dirty before this may have been forgotten.
    recent_from: u64,
    changes: u64,
    draining: bool,
}

struct Place {
    follower: Arc<Follower>,
    after: i64,
}

struct Follower {
    session_id: i64,
    user_id: i64,
    answer: Mutex<Option<oneshot::Sender<Delivery>>>,
}

impl Follower {
    fn deliver(&self, delivery: Delivery) {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(answer) = answer {
            let _ = answer.send(delivery);
        }
    }
}

/// A follower's place in the hub, given up when dropped.
pub struct Seat {
    hub: Arc<Hub>,
    number: u64,
    area_ids: Vec<i64>,
    pub delivery: oneshot::Receiver<Delivery>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inner = self.hub.inner();
        let mut left = 0;
        for area_id in &self.area_ids {
            let Some(places) = inner.waiting.get_mut(area_id) else { continue };
            left += usize::from(places.remove(&self.number).is_some());
            if places.is_empty() {
                inner.waiting.remove(area_id);
            }
        }
        inner.places -= left;
        inner.followers -= 1;
    }
}

/// A moment before a look at the database; see [`Hub::wait`].
#[derive(Debug, Clone, Copy)]
pub struct Moment(u64);

impl Hub {
    pub fn new(db: Db) -> Arc<Self> {
        Arc::new(Self {
            db,
            inner: Mutex::default(),
            wake: Notify::new(),
            tell: Notify::new(),
            fetches: Arc::new(Semaphore::new(FETCHES_MAX)),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every change below leaves the maps whole, so a panic elsewhere does not spoil them.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn db(&self) -> &Db {
        &self.db
    }

    /// Take one before looking at the database.
    pub fn moment(&self) -> Moment {
        Moment(self.inner().changes)
    }

    /// Waits at these places (area, number after which it goes on), which a look since `since` found without news.
    /// `Ok(None)`: one of the areas has changed meanwhile, look again.
    pub fn wait(
        self: &Arc<Self>,
        session_id: i64,
        user_id: i64,
        places: &[(i64, i64)],
        since: Moment,
    ) -> Result<Option<Seat>, ErrorReply> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let (answer, delivery) = oneshot::channel();
        let follower = Arc::new(Follower { session_id, user_id, answer: Mutex::new(Some(answer)) });
        let mut inner = self.inner();
        if inner.draining {
            return Err(draining());
        }
        if inner.places + places.len() > PLACES_MAX {
            return Err(ErrorReply::busy("too many followers wait at this node: try again", 1_000));
        }
        let changed = |area_id| inner.recent.get(area_id).is_some_and(|change| *change > since.0);
        if since.0 < inner.recent_from || places.iter().any(|(area_id, _)| changed(area_id)) {
            return Ok(None);
        }
        for (area_id, after) in places {
            let place = Place { follower: follower.clone(), after: *after };
            inner.waiting.entry(*area_id).or_default().insert(number, place);
        }
        inner.places += places.len();
        inner.followers += 1;
        let area_ids = places.iter().map(|(area_id, _)| *area_id).collect();
        Ok(Some(Seat { hub: self.clone(), number, area_ids, delivery }))
    }

    /// Posts of this node were committed: serve our own followers, and tell the other nodes.
    pub fn posted(&self, area_ids: &[i64]) {
        if area_ids.is_empty() {
            return;
        }
        self.changed(area_ids);
        self.inner().untold.extend(area_ids);
        self.tell.notify_one();
    }

    pub(crate) fn take_untold(&self) -> Vec<i64> {
        std::mem::take(&mut self.inner().untold).into_iter().collect()
    }

    /// Something happened to these areas, or to those who wait for them.
    pub fn changed(&self, area_ids: &[i64]) {
        let mut inner = self.inner();
        inner.changes += 1;
        let change = inner.changes;
        if inner.recent.len() + area_ids.len() > RECENT_MAX {
            inner.recent.clear();
            inner.recent_from = change;
        }
        for area_id in area_ids {
            inner.recent.insert(*area_id, change);
            if inner.waiting.contains_key(area_id) {
                inner.dirty.insert(*area_id);
            }
        }
        if !inner.dirty.is_empty() {
            self.wake.notify_one();
        }
    }

    /// The areas of each waiting follower that `is_meant`: a fetch of them asks what may still be delivered to him.
    pub(crate) fn changed_for(&self, is_meant: impl Fn(Waiting) -> bool) {
        let areas: Vec<i64> = {
            let mut inner = self.inner();
            // He may have looked already and not wait yet: whoever is between the two looks again.
            inner.changes += 1;
            inner.recent_from = inner.changes;
            let meant = |place: &Place| {
                let Follower { session_id, user_id, .. } = *place.follower;
                is_meant(Waiting { session_id, user_id })
            };
            let hit = inner.waiting.iter().filter(|(_, places)| places.values().any(meant));
            hit.map(|(area_id, _)| *area_id).collect()
        };
        if !areas.is_empty() {
            self.changed(&areas);
        }
    }

    /// How many wait.
    pub fn followers(&self) -> usize {
        self.inner().followers
    }

    /// The areas waited for, each with the lowest number after which somebody waits.
    pub(crate) fn waited_for(&self) -> Vec<(i64, i64)> {
        let inner = self.inner();
        let lowest =
            |places: &HashMap<u64, Place>| places.values().map(|place| place.after).min().unwrap_or(i64::MAX);
        inner.waiting.iter().map(|(area_id, places)| (*area_id, lowest(places))).collect()
    }

    /// Tells everyone who waits for this area that it cannot be served.
    fn refuse(&self, area_id: i64, error: db::Error) {
        let inner = self.inner();
        refuse_all(inner.waiting.get(&area_id), &server::Failure::from(error).0);
    }

    /// Sends everyone elsewhere, now and from now on.
    pub fn drain(&self) {
        let mut inner = self.inner();
        inner.draining = true;
        refuse_all(inner.waiting.values(), &draining());
    }
}

/// Nobody is woken under the hub's lock for long: delivering only fills a channel.
fn refuse_all<'a>(areas: impl IntoIterator<Item = &'a HashMap<u64, Place>>, error: &ErrorReply) {
    for place in areas.into_iter().flat_map(HashMap::values) {
        place.follower.deliver(Delivery::Refused(error.clone()));
    }
}

fn draining() -> ErrorReply {
    ErrorReply::new(ErrorCode::Draining, "this node is leaving: ask another one")
}

/// Serves dirty areas until `stop`.
pub async fn fan_out(hub: Arc<Hub>, stop: CancellationToken) {
    let mut fetches = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = hub.wake.notified() => {}
        }
        let dirty = std::mem::take(&mut hub.inner().dirty);
        for area_id in dirty {
            let permit = tokio::select! {
                () = stop.cancelled() => return,
                permit = hub.fetches.clone().acquire_owned() => permit,
            };
            let hub = hub.clone();
            fetches.spawn(async move {
                let served = serve_area(&hub, area_id).await;
                drop(permit); // a retry that waits must not hold up other areas
                match served {
                    Ok(()) => {}
                    // It would fail again and again: those who wait are told.
                    Err(error @ db::Error::Unexpected(_)) => hub.refuse(area_id, error),
                    // The database is away or busy: `db` has told that once, for all areas.
                    Err(error) => {
                        tracing::debug!(area_id, %error, "followers not served yet");
                        tokio::time::sleep(Duration::from_millis(FETCH_RETRY_MS)).await;
                        hub.changed(&[area_id]);
                    }
                }
            });
        }
        while fetches.try_join_next().is_some() {}
    }
}

/// One fetch of an area for all who wait for it.
async fn serve_area(hub: &Hub, area_id: i64) -> db::Result<()> {
    let (followers, waiting, afters): (Vec<_>, Vec<_>, Vec<i64>) = {
        let inner = hub.inner();
        let Some(places) = inner.waiting.get(&area_id) else { return Ok(()) };
        let waiting = |place: &Place| Waiting {
            session_id: place.follower.session_id,
            user_id: place.follower.user_id,
        };
        (
            places.values().map(|place| place.follower.clone()).collect(),
            places.values().map(waiting).collect(),
            places.values().map(|place| place.after).collect(),
        )
    };
    let Some(lowest) = afters.iter().min() else { return Ok(()) };
    let found =
        fetch(&hub.db, area_id, *lowest, &waiting, PAGE_ARTICLES_MAX.into(), PAGE_BYTES_MAX as i64).await?;
    let page = found.page.map(Arc::new);
    for ((follower, after), standing) in followers.into_iter().zip(afters).zip(found.standings) {
        let refused = |error| server::Failure::from(error).0;
        let delivery = match (standing, &page) {
            (Standing::SessionEnded, _) => Delivery::Refused(refused(db::Error::unauthenticated())),
            (_, None) => Delivery::Ended { area_id, error: refused(db::Error::no_such_area()) },
            (Standing::NotSubscribed, Some(_)) => {
                Delivery::Ended { area_id, error: refused(db::Error::not_subscribed()) }
            }
            (Standing::Holds { cursor, generation }, Some(page)) if page.upto > after => {
                Delivery::News { page: page.clone(), after, cursor, generation }
            }
            (Standing::Holds { .. }, Some(page)) if page.last_seq > after => Delivery::LookAgain,
            (Standing::Holds { .. }, Some(_)) => continue, // nothing new for him: he goes on waiting
        };
        follower.deliver(delivery);
    }
    Ok(())
}
