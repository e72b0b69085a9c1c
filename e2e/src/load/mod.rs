//! People who use the service while things go wrong, and write down what they asked and what came of it.
//!
//! - [`writers`]: post through the client's own way, repeat old ids, delete what is theirs. A [`stranger`](writers::stranger)
//!   tries to delete what is not.
//! - [`followers`]: long polls from node to node; now and then one crashes, and goes on from its cursor.
//! - [`readers`]: read, mark, undo, catch up.
//! - [`guests`]: sessions that are ended while they post and follow.
//! - [`crowd`]: how many of each. [`place`]: where they go, and their way in. [`setup`]: what they find there.
//! - [`clients`]: real client processes, for posts and for following, killed with -9 now and then.
//!
//! They are told twice: to stop changing anything, and then, with the heads of all areas, to go on until they have seen
//! everything, and end.

pub mod clients;
pub mod crowd;
pub mod followers;
pub mod guests;
pub mod place;
pub mod readers;
pub mod setup;
pub mod writers;

use crate::caller::Caller;
use crate::history::recorder::Recorder;
use crate::history::{AreaKeep, Asked, Entry, Given, Outcome, Reading, Why, hash};
use crate::person::{Person, pause};
use crate::seed::Chance;
use client::exit::Failure;
pub use crowd::Crowd;
use place::{Place, live_nodes, surely, watch_nodes};
use setup::{are_at_work, area_add, keep, some, subscribe};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wire::{AdminRequest, AreaId, Article, ErrorReply, Keep, Seq, SettingChange, SubscriptionSummary};

/// One operation of the client with all its repeats, as `--timeout` bounds it.
pub const OPERATION_WAIT: Duration = Duration::from_secs(10);
/// Areas of each person: of sixteen, so that readers have different ones.
const AREAS_EACH: usize = 4;
/// In one area of so many old articles expire while people read: so many newest ones are kept.
const EXPIRING_ONE_IN: usize = 4;
const KEPT: u64 = 5;
/// What nobody reads would be kept for a year: here so long, so that it expires for those who were away for a moment, too.
const KEPT_UNREAD: &str = "1s";
/// Whether everybody has begun is looked at this often.
const AT_WORK_LOOK: Duration = Duration::from_millis(100);
/// How long those who change something may take to end once they are told to: their operations and pauses end by themselves.
const END_WAIT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub struct Area {
    pub id: AreaId,
    pub name: String,
}

/// What everybody knows.
pub struct Scene {
    pub recorder: Recorder,
    pub place: Place,
    /// Those that there are now, as far as is known; never none.
    pub nodes: Mutex<Vec<String>>,
    pub areas: Vec<Area>,
    pub crowd: Crowd,
    /// Acknowledged posts: area, number, author. For those who delete.
    pub posted: Mutex<Vec<(Area, Seq, String)>>,
    /// No more changes.
    pub stop: CancellationToken,
    /// The heads of all areas, once nothing changes any more.
    pub heads: watch::Sender<Option<Arc<HashMap<i64, Seq>>>>,
}

/// Everybody, at work.
pub struct Load {
    pub scene: Arc<Scene>,
    pub people: Vec<Person>,
    /// Is subscribed to everything, and only asks, in the end, whether anything is missing.
    pub auditor: Person,
    admin: Caller,
    /// Who looks which nodes there are.
    _looking: JoinSet<()>,
    changing: JoinSet<()>,
    reading: JoinSet<()>,
}

impl Load {
    /// Makes the areas and the people, and lets them begin. Fails when the service refuses something, or does nothing for a
    /// minute.
    pub async fn start(
        recorder: Recorder,
        place: Place,
        crowd: Crowd,
        chance: &Chance,
    ) -> Result<Self, Failure> {
        let administrator = place.admin().await?;
        let admin = Caller::new(&administrator, &place.agents, OPERATION_WAIT);
        let mut areas = vec![];
        for number in 1..=crowd.areas {
            let area = area_add(&admin, format!("{}area {number}", place.prefix)).await?;
            if number % EXPIRING_ONE_IN == 0 {
                recorder.put(Entry::Keep(AreaKeep { area: area.id.0, count: KEPT as i64 }));
                keep(&admin, &area, Keep::Limit(KEPT)).await?;
            }
            areas.push(area);
        }
        let kept_unread = SettingChange { name: "keep_unread_s_max".into(), value: Some(KEPT_UNREAD.into()) };
        let change = AdminRequest::SettingsChange(wire::SettingsChange {
            changes: vec![kept_unread],
            expected_version: None,
        });
        surely(async || admin.administrate(change.clone()).await).await?;
        let nodes = match &place.nodes {
            Some(nodes) => nodes.clone(),
            None => surely(async || some(live_nodes(&admin).await?)).await?,
        };
        let scene = Arc::new(Scene {
            recorder,
            place,
            nodes: Mutex::new(nodes),
            areas,
            crowd,
            posted: Mutex::default(),
            stop: CancellationToken::new(),
            heads: watch::channel(None).0,
        });
        let mut looking = JoinSet::new();
        if scene.place.nodes.is_none() {
            looking.spawn(watch_nodes(scene.clone(), administrator));
        }
        let auditor = scene.place.join("auditor").await?;
        subscribe(&scene.caller(&auditor), &scene.areas).await?;
        scene.never_reads(&auditor).await;
        let people = vec![auditor.clone()];
        let (changing, reading) = (JoinSet::new(), JoinSet::new());
        let mut load = Self { scene, people, auditor, admin, _looking: looking, changing, reading };
        load.fill(chance).await?;
        Ok(load)
    }

    async fn fill(&mut self, chance: &Chance) -> Result<(), Failure> {
        let Crowd { writers, followers, readers, guests, twins, follow_processes, post_processes, .. } =
            self.scene.crowd;
        let mut number = 0;
        let mut next = |what: &str, of: usize| {
            number += 1;
            (format!("{what} {of}"), chance.apart(number))
        };
        for of in 0..followers {
            let (name, mut own) = next("follower", of);
            let (person, areas) = self.person(&name, &mut own).await?;
            self.reading.spawn(followers::follow(self.scene.clone(), person, areas, own));
        }
        for of in 0..readers {
            let (name, mut own) = next("reader", of);
            let (person, areas) = self.person(&name, &mut own).await?;
            self.reading.spawn(readers::read(self.scene.clone(), person, areas, own));
        }
        for of in 0..follow_processes {
            let (name, mut own) = next("watcher", of);
            let (person, areas) = self.person(&name, &mut own).await?;
            let shell = clients::at_shell(&self.scene, &person).await;
            self.reading.spawn(clients::follow(self.scene.clone(), person, shell, areas, own));
        }
        for of in 0..guests {
            let (name, mut own) = next("guest", of);
            let (person, areas) = self.writer(&name, &mut own).await?;
            self.changing.spawn(guests::come_and_go(self.scene.clone(), person, areas, own));
        }
        for of in 0..post_processes {
            let (name, mut own) = next("poster", of);
            let (person, areas) = self.writer(&name, &mut own).await?;
            let shell = clients::at_shell(&self.scene, &person).await;
            self.changing.spawn(clients::post(self.scene.clone(), person, shell, areas, own));
        }
        for of in 0..writers {
            let (name, mut own) = next("writer", of);
            let (person, areas) = self.writer(&name, &mut own).await?;
            self.changing.spawn(writers::write(self.scene.clone(), person, areas, own));
        }
        for of in 0..twins {
            let (name, mut own) = next("twin", of);
            let (person, areas) = self.writer(&name, &mut own).await?;
            self.changing.spawn(writers::write_twice(self.scene.clone(), person, areas, own));
        }
        let (name, mut own) = next("stranger", 0);
        let (person, _) = self.writer(&name, &mut own).await?;
        self.changing.spawn(writers::stranger(self.scene.clone(), person, own));
        Ok(())
    }

    /// Somebody who reads nothing.
    async fn writer(&mut self, name: &str, chance: &mut Chance) -> Result<(Person, Vec<Area>), Failure> {
        let (person, areas) = self.person(name, chance).await?;
        self.scene.never_reads(&person).await;
        Ok((person, areas))
    }

    /// Somebody with some areas of his own choice.
    async fn person(&mut self, name: &str, chance: &mut Chance) -> Result<(Person, Vec<Area>), Failure> {
        let scene = &self.scene;
        let person = scene.place.join(name).await?;
        let mut areas = scene.areas.clone();
        while areas.len() > AREAS_EACH {
            areas.swap_remove(chance.below(areas.len()));
        }
        subscribe(&scene.caller(&person), &areas).await?;
        self.people.push(person.clone());
        Ok((person, areas))
    }

    /// Waits until everybody has done something, and something was shown by the client's own program.
    pub async fn at_work(&self) {
        while !self.scene.recorder.look(|entries| are_at_work(entries, &self.people[1..], &self.scene.crowd))
        {
            tokio::time::sleep(AT_WORK_LOOK).await;
        }
    }

    /// The ids of the areas that were made.
    pub fn area_ids(&self) -> Vec<i64> {
        self.scene.areas.iter().map(|area| area.id.0).collect()
    }

    /// Nobody changes anything any more, when this returns; and nothing expires.
    pub async fn stop_changes(&mut self) {
        self.scene.stop.cancel();
        all_end(&mut self.changing, END_WAIT).await;
        for area in &self.scene.areas {
            keep(&self.admin, area, Keep::Forever).await.unwrap();
        }
    }

    /// Everybody sees everything up to these heads, and ends.
    pub async fn see_all(&mut self, heads: HashMap<i64, Seq>) {
        self.scene.heads.send_replace(Some(Arc::new(heads)));
        all_end(&mut self.reading, self.scene.crowd.quiet_wait + END_WAIT).await;
    }

    /// What everybody is told to be unread, now that nothing changes.
    pub async fn ask_unread(&self) {
        for person in &self.people {
            let caller = self.scene.caller(person);
            for one in subscriptions(&caller).await {
                let asked = Asked::QuietUnread { area: one.area_id.0 };
                let begun = self.scene.recorder.begin(&person.name, person.session_id, asked);
                begun.end(Outcome::Unread { cursor: one.cursor, unread: one.unread, last_seq: one.last_seq });
            }
        }
    }
}

impl Scene {
    /// Everybody who reads may end: all of these were shown up to the heads.
    pub fn has_seen_all(&self, shown: impl Iterator<Item = (i64, Seq)>) -> bool {
        let Some(heads) = self.heads.borrow().clone() else { return false };
        shown.into_iter().all(|(area, shown)| heads.get(&area).is_none_or(|head| shown >= *head))
    }

    /// Writes down where somebody stands who will never read.
    async fn never_reads(&self, person: &Person) {
        for subscription in subscriptions(&self.caller(person)).await {
            self.recorder.reading(Reading {
                reader: person.name.clone(),
                session: person.session_id,
                area: subscription.area_id.0,
                at_us: self.recorder.now_us(),
                why: Why::Silent,
                start: subscription.cursor,
                marked: subscription.cursor,
            });
        }
    }

    pub fn caller(&self, person: &Person) -> Caller {
        Caller::new(person, &self.place.agents, OPERATION_WAIT)
    }

    /// Those that there are now, as far as is known.
    pub fn nodes(&self) -> Vec<String> {
        self.nodes.lock().unwrap().clone()
    }

    pub fn area_named(&self, name: &str) -> i64 {
        self.areas.iter().find(|area| area.name == name).map_or(0, |area| area.id.0)
    }

    /// Until then readers try to see everything; afterwards the history tells what they missed.
    pub async fn quiet_for_too_long(&self) {
        let mut heads = self.heads.subscribe();
        let _ = heads.wait_for(Option::is_some).await;
        tokio::time::sleep(self.crowd.quiet_wait).await;
    }
}

/// A panic of one of them goes on here, and one who never ends is one, too.
async fn all_end(tasks: &mut JoinSet<()>, wait: Duration) {
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    };
    if tokio::time::timeout(wait, all).await.is_err() {
        panic!("somebody does not come to an end");
    }
}

/// What came of an operation.
pub fn outcome<T>(result: &Result<T, Failure>, success: impl FnOnce(&T) -> Outcome) -> Outcome {
    match result {
        Ok(answer) => success(answer),
        Err(failure) if failure.is_retryable() => Outcome::Unknown(failure.message.clone()),
        Err(failure) => Outcome::Failed(failure.name().into()),
    }
}

pub fn outcome_of_reply<T>(result: &Result<T, ErrorReply>, success: impl FnOnce(&T) -> Outcome) -> Outcome {
    match result {
        Ok(answer) => success(answer),
        Err(error) if error.code.is_retryable() => Outcome::Unknown(error.message.clone()),
        Err(error) => Outcome::Failed(error.code.name().into()),
    }
}

/// A definite answer; `None`: it is to be asked again.
pub fn definite<T>(result: Result<T, Failure>) -> Option<Result<T, Failure>> {
    match result {
        Err(failure) if failure.is_retryable() => None,
        definite => Some(definite),
    }
}

/// A caller's subscriptions, however long that takes.
pub async fn subscriptions(caller: &Caller) -> Vec<SubscriptionSummary> {
    loop {
        if let Some(subscriptions) = definite(caller.subscriptions().await) {
            return subscriptions.unwrap_or_else(|failure| panic!("{}: {failure}", caller.name));
        }
        pause().await;
    }
}

/// Where somebody stands in an area that he is subscribed to.
pub fn cursor(subscriptions: &[SubscriptionSummary], area: &Area) -> Seq {
    let own = subscriptions.iter().find(|one| one.area_id == area.id);
    own.unwrap_or_else(|| panic!("a subscription to {} is gone", area.name)).cursor
}

pub fn given(article: &Article) -> Given {
    Given { seq: article.seq, id: article.id, author: article.author.clone(), hash: hash(&article.body) }
}

/// A text that no other post has, of a length by chance: once in a while more than one packet.
pub fn text(id: Uuid, chance: &mut Chance) -> String {
    let bytes = if chance.one_in(40) { chance.below(20_000) } else { chance.below(200) };
    format!("{id} {}", "x".repeat(bytes))
}

/// For what the whole of a run writes down at its end.
pub fn put_all(recorder: &Recorder, entries: Vec<Entry>) {
    for entry in entries {
        recorder.put(entry);
    }
}
