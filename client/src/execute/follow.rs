//! `follow`: one long poll at a time, to one node, for all areas, for as long as the person likes.
//!
//! Whatever breaks, it goes on by itself where it was: each poll carries the places that were reached, so another node
//! can answer it as well (I3, I6). What was shown is acknowledged by the next poll; on leaving, by one mark. With a
//! program for each article (`exec`) each is acknowledged by itself, as soon as its program has ended well.

use super::areas::subscriptions;
use super::exec::{Exec, Ran};
use super::reading::steps::{joined_to, mark};
use crate::exit::Failure;
use crate::outcome::{Expired, Item, Outcome, items};
use crate::pager;
use crate::service::outbox::abort_at;
use crate::service::poll::{AnyNode, Poll};
use crate::session::Session;
use crate::stop::Stop;
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;
use wire::limits::AREAS_PER_REQUEST_MAX;
use wire::{
    AreaId, ErrorCode, ErrorReply, FollowArea, FollowEnded, Mark, NodeReply, NodeRequest, Page, ReplyBody,
    RequestBody, Seq, Shown, SubscriptionSummary,
};

/// A mark must not keep anybody from leaving, nor from the next article. What it loses is shown again, nothing else. Time for two
/// nodes that are silent, and one that is not.
const MARK_WAIT: Duration = Duration::from_secs(3);

pub async fn follow(
    session: &Session,
    areas: Vec<String>,
    new: bool,
    exec: Option<Exec>,
    stop: &Stop,
) -> Result<Outcome, Failure> {
    let started = tokio::select! {
        started = Follower::start(session, areas, new, exec) => started?,
        failure = stop.raised() => return Err(failure),
    };
    let Some(mut follower) = started else {
        session.output.note(
            "You are subscribed to nothing: `gaceta areas` lists what there is, `gaceta subscribe AREA`.",
        );
        return Ok(Outcome::Nothing);
    };
    let end = follower.run(stop).await;
    follower.leave().await;
    Err(end)
}

struct Follower<'a> {
    session: &'a Session,
    exec: Option<Exec>,
    areas: Vec<Followed>,
    reading_id: Uuid,
    poll: Poll<'a, AnyNode<'a>>,
}

/// One area, and how far it was shown.
struct Followed {
    area_id: AreaId,
    name: String,
    after: Seq,
    generation: i64,
    shown: Option<Shown>,
    /// `shown` has changed since a node last heard of it.
    unheard: bool,
}

impl<'a> Follower<'a> {
    /// `None` when there is nothing to follow.
    async fn start(
        session: &'a Session,
        names: Vec<String>,
        new: bool,
        exec: Option<Exec>,
    ) -> Result<Option<Self>, Failure> {
        let (refs, nodes) = session.locate_all(names).await?;
        let subscribed = subscriptions(session).await?;
        let chosen: Vec<SubscriptionSummary> = if refs.is_empty() {
            subscribed
        } else {
            let mut chosen = Vec::new();
            for area in refs {
                match subscribed.iter().find(|subscription| subscription.area_id == area.area_id) {
                    Some(_) if chosen.iter().any(|c: &SubscriptionSummary| c.area_id == area.area_id) => {}
                    Some(subscription) => chosen.push(subscription.clone()),
                    None => {
                        let why = format!("not subscribed: `gaceta subscribe {:?}` first", area.name);
                        return Err(Failure::service(ErrorCode::Denied, why));
                    }
                }
            }
            chosen
        };
        if chosen.len() > AREAS_PER_REQUEST_MAX {
            let why = format!("at most {AREAS_PER_REQUEST_MAX} areas can be followed at once: name some");
            return Err(Failure::usage(why));
        }
        if chosen.is_empty() {
            return Ok(None);
        }
        let areas = chosen
            .into_iter()
            .map(|subscription| Followed {
                area_id: subscription.area_id,
                name: subscription.name,
                after: if new { subscription.last_seq } else { subscription.cursor },
                generation: subscription.generation,
                shown: None,
                unheard: false,
            })
            .collect();
        Ok(Some(Self {
            session,
            exec,
            areas,
            reading_id: Uuid::now_v7(),
            poll: Poll::new(&session.service, AnyNode::new(&session.service, nodes)),
        }))
    }

    /// Never returns but for a failure that waiting does not cure, or when it is stopped.
    async fn run(&mut self, stop: &Stop) -> Failure {
        loop {
            let polled = tokio::select! {
                polled = self.answer() => polled,
                failure = stop.raised() => return failure,
            };
            let (pages, ended) = match polled {
                Ok(answer) => answer,
                Err(failure) => return failure,
            };
            if let Err(failure) = self.take(pages, stop).await {
                return failure;
            }
            if let Some(last) = self.drop_ended(ended) {
                return last.into();
            }
        }
    }

    async fn answer(&mut self) -> Result<(Vec<Page>, Vec<FollowEnded>), Failure> {
        let areas = &self.areas;
        let ask = |wait_ms| {
            let areas = areas.iter().map(Followed::request).collect();
            RequestBody::Node(NodeRequest::Follow(wire::Follow { areas, wait_ms }))
        };
        let followed = |reply| match reply {
            ReplyBody::Node(NodeReply::Followed(wire::Followed { pages, ended })) => Some((pages, ended)),
            _ => None,
        };
        let answer = self.poll.answer(ask, followed).await?;
        self.areas.iter_mut().for_each(|area| area.unheard = false);
        Ok(answer)
    }

    async fn take(&mut self, pages: Vec<Page>, stop: &Stop) -> Result<(), Failure> {
        for page in pages {
            let Some(at) = self.areas.iter().position(|area| area.area_id == page.area_id) else { continue };
            if page.upto < page.from {
                continue;
            }
            if page.from != self.areas[at].after + 1 {
                // Not what was asked for: showing it would repeat or skip. Another node may know better.
                self.poll.disbelieve().await;
                return Ok(());
            }
            let found = items(&page.articles, &page.deleted);
            let area = self.areas[at].name.clone();
            let expired = Expired::among(page.from, page.upto, page.expired_through, page.from - 1);
            let told = match &self.exec {
                None => Outcome::Followed { area, expired, items: found.clone() },
                Some(_) => {
                    // Standard output is the program's.
                    if let Some(expired) = expired {
                        self.session.output.note(&expired.text(&area));
                    }
                    Outcome::Followed { area, expired: None, items: Vec::new() }
                }
            };
            let stopped = pager::show_at_once(&self.session.output, told, stop).await?;
            if let Some(failure) = stopped {
                if self.exec.is_none() {
                    self.areas[at].was_shown(&page, page.upto, self.reading_id);
                }
                return Err(failure);
            }
            if self.exec.is_some() && !self.execute(at, &page, found, stop).await? {
                return Ok(());
            }
            self.areas[at].was_shown(&page, page.upto, self.reading_id);
        }
        Ok(())
    }

    /// One program after the other, each article marked when its own has ended well. `false` when a mark was refused:
    /// the next poll will tell why.
    async fn execute(
        &mut self,
        at: usize,
        page: &Page,
        found: Vec<Item>,
        stop: &Stop,
    ) -> Result<bool, Failure> {
        for item in found {
            let Some(exec) = &self.exec else { return Ok(true) };
            // The program before may have ended in the same moment in which this was told to stop: whichever was seen first, or
            // while its mark was on the way.
            stop.check()?;
            let ran = exec.run(&self.areas[at].name, &item, stop).await?;
            abort_at("follow-executed");
            if !matches!(ran, Ran::Stopped { is_done: false, .. }) {
                self.areas[at].was_shown(page, item.seq(), self.reading_id);
            }
            if let Ran::Stopped { failure, .. } = ran {
                return Err(failure);
            }
            let Some(mark) = self.areas[at].mark() else { continue };
            match self.send(vec![mark]).await {
                Some(Ok(())) => self.areas[at].unheard = false,
                Some(Err(failure)) if !failure.is_retryable() => return Ok(false),
                // The service is away: the next mark, or the next poll, says this too.
                _ => {}
            }
        }
        Ok(true)
    }

    /// `Some` with the last error when nothing is left to follow.
    fn drop_ended(&mut self, ended: Vec<FollowEnded>) -> Option<ErrorReply> {
        let mut last = None;
        for FollowEnded { area_id, error } in ended {
            if let Some(at) = self.areas.iter().position(|area| area.area_id == area_id) {
                let area = self.areas.remove(at);
                self.session.output.note(&format!("{} ends here: {error}", area.name));
                last = Some(error);
            }
        }
        last.filter(|_| self.areas.is_empty())
    }

    /// Marks what was shown since a node last heard of it.
    async fn leave(&mut self) {
        let marks: Vec<Mark> = self.areas.iter().filter_map(Followed::mark).collect();
        if marks.is_empty() {
            return;
        }
        if !matches!(self.send(marks).await, Some(Ok(()))) {
            self.session
                .output
                .note("What was shown last could not be marked as read: you will see it again.");
        }
    }

    /// `None` when it takes too long.
    async fn send(&mut self, marks: Vec<Mark>) -> Option<Result<(), Failure>> {
        let current = self.poll.current().map(|current| current.address.clone());
        let nodes = &mut self.poll.addresses().nodes;
        if let Some(current) = current {
            // The node that served until now is the quickest to answer.
            nodes.addresses.retain(|other| *other != current);
            nodes.addresses.insert(0, current);
        }
        self.session.progressed();
        timeout(MARK_WAIT, mark(self.session, nodes, marks)).await.ok()
    }
}

impl Followed {
    fn request(&self) -> FollowArea {
        FollowArea { area_id: self.area_id, after: self.after, shown: self.shown.filter(|_| self.unheard) }
    }

    /// What of `page` comes after what was shown already, up to `upto`.
    fn was_shown(&mut self, page: &Page, upto: Seq, reading_id: Uuid) {
        if upto <= self.after {
            return;
        }
        // A generation that is not the one we know: somebody caught up or undid on another device.
        let before = self.shown.filter(|_| self.generation == page.generation);
        self.shown = Some(joined_to(
            before,
            Shown { from: self.after + 1, upto, generation: page.generation, reading_id },
        ));
        self.generation = page.generation;
        self.after = upto;
        self.unheard = true;
    }

    fn mark(&self) -> Option<Mark> {
        let shown = self.shown.filter(|_| self.unheard)?;
        Some(Mark { area_id: self.area_id, shown })
    }
}
