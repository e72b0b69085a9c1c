//! Sending what is saved, until each post has a definite answer: then it leaves the outbox.

use super::lines::{self, Form};
use crate::exit::{Failure, Kind, Pending};
use crate::outcome::{Outcome, PostedArticle};
use crate::render::Progress;
use crate::service::outbox::{Entry, Outbox, OutboxPost, TAKEN_MAX, abort_at};
use crate::service::session::Identity;
use crate::service::session::Nodes;
use crate::service::transport::jittered;
use crate::session::Session;
use crate::stop::Stop;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use uuid::Uuid;
use wire::limits::{NODE_REQUEST_BYTES_MAX, POSTS_PER_REQUEST_MAX};
use wire::{ErrorCode, NodeReply, NodeRequest, Post};

/// Leaves an eighth of the frame for ids and the request around the texts.
const BATCH_BYTES_MAX: usize = NODE_REQUEST_BYTES_MAX / 8 * 7;
/// What a post costs besides its text, at most.
const POST_OVERHEAD_BYTES: usize = 32;
/// Before the posts of a batch that a node could not take are sent again.
const AGAIN_PAUSE: Duration = Duration::from_millis(100);
/// With less time left they are not: after the pause nothing could be answered, and that would hide why they were not taken.
const AGAIN_WAIT_MIN: Duration = Duration::from_millis(200);

pub struct Sender<'a> {
    pub session: &'a Session,
    pub outbox: Outbox,
    pub identity: Identity,
    pub stop: &'a Stop,
    pub report: Report,
    pub progress: Progress,
}

/// A post on its way: saved already, or not yet.
pub enum Outgoing {
    Saved(Entry),
    New(OutboxPost),
}

impl Outgoing {
    fn post(&self) -> &OutboxPost {
        match self {
            Self::Saved(entry) => &entry.post,
            Self::New(post) => post,
        }
    }
}

/// Posts that could not be saved, and so were not sent.
struct Unsaved {
    posts: Vec<OutboxPost>,
    /// In a box: a result has room for it, and hardly ever one.
    failure: Box<Failure>,
}

/// What became of the posts.
#[derive(Default)]
pub struct Report {
    posted: Vec<PostedArticle>,
    /// The first failure decides the exit code.
    pub failure: Option<Failure>,
    pending: Option<Pending>,
    /// Every refused text, a newline after each; and the draft that holds them.
    refused: String,
    draft_id: Option<Uuid>,
    draft: Option<PathBuf>,
    /// For which areas they were; and how many.
    refused_areas: BTreeSet<String>,
    refused_count: usize,
}

impl Sender<'_> {
    pub async fn send_all(&mut self, nodes: &Nodes, outgoing: Vec<Outgoing>) -> Result<(), Failure> {
        let mut left = outgoing.into_iter().peekable();
        while left.peek().is_some() {
            let batch = next_batch(&mut left);
            let entries = match self.save(batch) {
                Ok(entries) => entries,
                Err(unsaved) => return self.keep(unsaved, left),
            };
            let posts = entries.len() as u64;
            if let Err(failure) = self.send_batch(nodes, entries).await {
                let rest: Vec<_> = left.collect();
                return match refuses(&failure) {
                    true => self.refuse(rest, failure),
                    false => self.leave(rest, failure),
                };
            }
            self.progress.advance(posts);
            self.session.progressed();
        }
        Ok(())
    }

    /// All of them on the disk, before any is sent.
    fn save(&self, batch: Vec<Outgoing>) -> Result<Vec<Entry>, Unsaved> {
        let (mut entries, mut new) = (Vec::new(), Vec::new());
        for outgoing in batch {
            match outgoing {
                Outgoing::Saved(entry) => entries.push(entry),
                Outgoing::New(post) => new.push(post),
            }
        }
        if !new.is_empty() {
            let saved = self.outbox.save(new.clone());
            entries.extend(saved.map_err(|error| Unsaved { posts: new, failure: Box::new(error.into()) })?);
        }
        Ok(entries)
    }

    /// The outbox takes no more. These texts, and only these, are a draft: others were posted, or wait.
    fn keep(&mut self, unsaved: Unsaved, left: impl Iterator<Item = Outgoing>) -> Result<(), Failure> {
        let is_new = |outgoing: &Outgoing| matches!(outgoing, Outgoing::New(_));
        let posts = unsaved.posts.into_iter().map(Outgoing::New).chain(left.filter(is_new)).collect();
        self.refuse(posts, *unsaved.failure)
    }

    /// After a definite answer. A file that cannot be removed is no reason to stop: its post is answered as a repeat.
    fn remove(&mut self, entry: Entry) {
        if let Err(error) = entry.remove() {
            self.report.failure.get_or_insert(error.into());
        }
    }

    /// Until every post of the batch has a definite answer. `Err`: sending more makes no sense now.
    async fn send_batch(&mut self, nodes: &Nodes, mut entries: Vec<Entry>) -> Result<(), Failure> {
        let mut halt = None;
        while !entries.is_empty() {
            let posts = entries.iter().map(|entry| request_of(&entry.post)).collect();
            abort_at("before-send");
            let answered = tokio::select! {
                answered = self.session.node(nodes, NodeRequest::Post(wire::PostBatch { posts })) => answered,
                failure = self.stop.raised() => Err(failure),
            };
            abort_at("after-send");
            let results = match answered {
                Ok(NodeReply::Posted(wire::PostedBatch { results })) if results.len() == entries.len() => {
                    results
                }
                Ok(_) => return self.stay(entries, Failure::unexpected_reply()),
                Err(failure) if refuses(&failure) => {
                    let refused = entries.into_iter().map(Outgoing::Saved).collect();
                    self.refuse(refused, failure.clone())?;
                    return Err(failure);
                }
                Err(failure) => return self.stay(entries, failure),
            };
            abort_at("after-answer");
            let (mut again, mut refused) = (Vec::new(), Vec::new());
            let (mut again_failure, mut refused_failure) = (None, None);
            for (entry, result) in entries.into_iter().zip(results) {
                match result.map_err(Failure::from) {
                    Ok(posted) => {
                        let OutboxPost { area, id, .. } = entry.post.clone();
                        self.report.posted.push(PostedArticle {
                            area,
                            seq: posted.seq,
                            id,
                            duplicate: posted.duplicate,
                        });
                        self.remove(entry);
                    }
                    Err(failure) if refuses(&failure) => {
                        refused.push(Outgoing::Saved(entry));
                        let of_area = matches!(failure.code(), Some(ErrorCode::Denied | ErrorCode::NotFound));
                        halt = halt.or(of_area.then(|| failure.clone()));
                        refused_failure.get_or_insert(failure);
                    }
                    Err(failure) => {
                        again_failure = Some(failure);
                        again.push(entry);
                    }
                }
            }
            if let Some(failure) = refused_failure {
                self.refuse(refused, failure)?;
            }
            entries = again;
            if let Some(failure) = again_failure {
                let time_is_up = self.session.deadline() <= tokio::time::Instant::now() + AGAIN_WAIT_MIN;
                if time_is_up || !failure.is_retryable() {
                    return self.stay(entries, failure);
                }
                self.session.pause(jittered(AGAIN_PAUSE)).await;
            }
        }
        abort_at("outbox-removed");
        halt.map_or(Ok(()), Err)
    }

    /// They are in the outbox, and stay there.
    fn stay(&mut self, entries: Vec<Entry>, failure: Failure) -> Result<(), Failure> {
        self.leave(entries.into_iter().map(Outgoing::Saved).collect(), failure.clone())?;
        Err(failure)
    }

    /// Not sent, or sent without an answer: saved for `post --resume`.
    pub fn leave(&mut self, outgoing: Vec<Outgoing>, failure: Failure) -> Result<(), Failure> {
        let mut left = outgoing.into_iter().peekable();
        while left.peek().is_some() {
            // Some at a time: each is an open file while it is held.
            let entries = match self.save(next_batch(&mut left)) {
                Ok(entries) => entries,
                Err(unsaved) => return self.keep(unsaved, left),
            };
            if let Some(first) = entries.first() {
                let resume = lines::resume(&self.session.settings);
                let id = first.post.id;
                let pending = self.report.pending.get_or_insert(Pending { id, count: 0, resume });
                pending.count += entries.len();
            }
        }
        self.report.failure.get_or_insert(failure);
        Ok(())
    }

    /// A definite no: nothing waits any longer, and the texts go to a draft; first that, so that they are never nowhere.
    pub fn refuse(&mut self, outgoing: Vec<Outgoing>, failure: Failure) -> Result<(), Failure> {
        let Some(first) = outgoing.first() else { return Ok(()) };
        let draft_id = *self.report.draft_id.get_or_insert(first.post().id);
        for outgoing in &outgoing {
            self.report.refused += &outgoing.post().body;
            self.report.refused.push('\n');
            self.report.refused_areas.insert(outgoing.post().area.clone());
            self.report.refused_count += 1;
        }
        self.report.draft = Some(self.outbox.keep_draft(draft_id, &self.report.refused)?);
        self.report.failure.get_or_insert(failure);
        for outgoing in outgoing {
            if let Outgoing::Saved(entry) = outgoing {
                self.remove(entry);
            }
        }
        Ok(())
    }
}

impl Report {
    /// Whether some of the texts have arrived: then all of them together are no draft any more.
    pub fn has_posted(&self) -> bool {
        !self.posted.is_empty()
    }

    pub async fn end(self, session: &Session, one: bool) -> Result<Outcome, Failure> {
        let outcome = Outcome::Posted { posted: self.posted, one };
        let Some(mut failure) = self.failure else { return Ok(outcome) };
        failure.pending = self.pending;
        failure.draft = self.draft.map(|path| {
            // Texts for several areas, or for none that there is: only their author knows where they belong.
            let mut areas = self.refused_areas.iter();
            let area = match (areas.next(), areas.next(), failure.code()) {
                (Some(area), None, code) if code != Some(ErrorCode::NotFound) => Some(area.as_str()),
                _ => None,
            };
            let is_lines = self.refused_count > 1 && self.refused.lines().count() == self.refused_count;
            let form = if is_lines { Form::Lines } else { Form::OneText };
            lines::kept(&session.settings, path, area, form)
        });
        if !matches!(&outcome, Outcome::Posted { posted, .. } if posted.is_empty()) {
            session.output.show(outcome).await?; // what did arrive
        }
        Err(failure)
    }
}

/// Whether a post is answered for good. That nobody is logged in says nothing about the post: it may have arrived
/// before the session ended, so its id must not be lost.
pub fn refuses(failure: &Failure) -> bool {
    match failure.kind {
        Kind::Service(ErrorCode::Unauthenticated) => false,
        Kind::Service(code) => !code.is_retryable(),
        _ => false,
    }
}

/// As many as go into one request, and as one process may hold.
fn next_batch(left: &mut std::iter::Peekable<impl Iterator<Item = Outgoing>>) -> Vec<Outgoing> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < POSTS_PER_REQUEST_MAX.min(TAKEN_MAX) {
        let fits = |next: &Outgoing| bytes + next.post().body.len() + POST_OVERHEAD_BYTES <= BATCH_BYTES_MAX;
        let Some(next) = left.next_if(fits) else { break };
        bytes += next.post().body.len() + POST_OVERHEAD_BYTES;
        batch.push(next);
    }
    batch
}

fn request_of(post: &OutboxPost) -> Post {
    // Unbound posts are bound before they are sent; an id that no area has is answered `not_found`.
    let area_id = post.area_id.unwrap_or(wire::AreaId(0));
    Post { area_id, id: post.id, body: post.body.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(bytes: usize) -> Outgoing {
        Outgoing::New(OutboxPost {
            service_id: Uuid::nil(),
            user: "ana".into(),
            area: "news".into(),
            area_id: None,
            id: Uuid::nil(),
            body: "x".repeat(bytes),
            created_at_us: 0,
        })
    }

    #[test]
    fn i9_a_batch_fits_into_a_request_by_count_and_by_bytes() {
        let mut small = (0..2_500).map(|_| new(1)).peekable();
        let sizes: Vec<_> =
            std::iter::from_fn(|| Some(next_batch(&mut small).len()).filter(|&n| n > 0)).collect();
        assert_eq!(sizes, [400, 400, 400, 400, 400, 400, 100]);

        let mut large = (0..20).map(|_| new(64 * 1024)).peekable();
        let sizes: Vec<_> =
            std::iter::from_fn(|| Some(next_batch(&mut large).len()).filter(|&n| n > 0)).collect();
        assert_eq!(sizes, [13, 7]);
    }
}
