//! Posting, so that each text arrives exactly once (I1): saved, sent until there is a definite answer, then removed.

use super::delivery::{Outgoing, Report, Sender, refuses};
use super::lines::{self, Form};
use super::outgoing::{self, Texts};
use crate::command::PostArgs;
use crate::drafts::{self, Draft};
use crate::exit::Failure;
use crate::outcome::Outcome;
use crate::render::Progress;
use crate::service::outbox::{Entry, Outbox, OutboxPost, Owner};
use crate::service::session::Identity;
use crate::session::Session;
use crate::stop::Stop;
use crate::values::{ArticleRef, name_key};
use std::collections::{HashMap, VecDeque};
use uuid::Uuid;
use wire::{AreaRef, ErrorCode, NodeReply, NodeRequest};

pub async fn post(session: &Session, args: PostArgs, stop: &Stop) -> Result<Outcome, Failure> {
    let area = args.area().map(str::to_owned);
    let Texts { bodies, draft } = match &area {
        Some(area) => outgoing::texts(session, area, &args, stop).await?,
        None => Texts::default(),
    };
    // What was written in an editor is in its draft; a pipe gives its text once.
    let text = if draft.is_some() { String::new() } else { bodies.join("\n") + "\n" };
    let posted = send(session, area.clone(), bodies, &text, &args, stop).await;
    match (draft, area) {
        (Some(draft), Some(area)) => posted_from(session, &area, draft, posted),
        (None, Some(area)) if posted.is_ok() => {
            drafts::posted(&session.settings, &area, &text);
            posted
        }
        _ => posted,
    }
}

/// What was written is no draft any longer when it was posted or waits in the outbox; else it stays one, the only one.
fn posted_from(
    session: &Session,
    area: &str,
    draft: Draft,
    posted: Result<Outcome, Failure>,
) -> Result<Outcome, Failure> {
    match posted {
        Err(failure) if failure.pending.is_none() => {
            if let Some(copy) = failure.draft.as_ref() {
                let _ = std::fs::remove_file(&copy.path);
            }
            let kept = outgoing::to_post(session, draft.path, area, &failure, Form::OneText);
            Err(Failure { draft: Some(kept), ..failure })
        }
        posted => {
            draft.remove();
            posted
        }
    }
}

async fn send(
    session: &Session,
    area: Option<String>,
    bodies: Vec<String>,
    text: &str,
    args: &PostArgs,
    stop: &Stop,
) -> Result<Outcome, Failure> {
    let kept = |failure| match &area {
        Some(area) => outgoing::kept(session, area, failure, text.as_bytes(), Form::of(args)),
        None => failure,
    };
    let identity = tokio::select! {
        identity = session.identity() => identity.map_err(kept)?,
        failure = stop.raised() => return Err(kept(failure)),
    };
    let outbox = Outbox::new(&session.settings.state_dir);
    let total = area.is_some().then_some(bodies.len() as u64);
    let progress = Progress::new(&session.output, "posting".into(), total);
    let mut sender = Sender { session, outbox, identity, stop, report: Report::default(), progress };
    let sent = match area.clone() {
        Some(area) => sender.post_new(area, bodies, args.id).await,
        None => sender.resume().await,
    };
    match sent {
        Ok(()) => {}
        Err(failure) if sender.report.has_posted() => drop(sender.report.failure.get_or_insert(failure)),
        Err(failure) => return Err(kept(failure)),
    }
    note_damaged(session, &sender.outbox);
    sender.report.end(session, !args.lines && !args.resume).await
}

pub async fn outbox(session: &Session) -> Result<Outcome, Failure> {
    let identity = session.identity().await?;
    let outbox = Outbox::new(&session.settings.state_dir);
    let waiting = outbox.list(owner(&identity))?;
    note_damaged(session, &outbox);
    Ok(Outcome::Outbox { posts: waiting, resume: lines::resume(&session.settings) })
}

fn note_damaged(session: &Session, outbox: &Outbox) {
    for path in outbox.damaged() {
        let path = path.display();
        session
            .output
            .note(&format!("{path} is damaged, its text may still be in it: look at it, then remove it."));
    }
}

pub async fn delete(session: &Session, article: ArticleRef) -> Result<Outcome, Failure> {
    let located = session.locate(&article.area).await?;
    let request = NodeRequest::Delete(wire::Delete { area_id: located.area.area_id, seq: article.seq });
    match session.node(&located.nodes, request).await? {
        NodeReply::Deleted(wire::Deleted { already }) => {
            Ok(Outcome::Deleted { area: located.area.name, seq: article.seq, already })
        }
        _ => Err(Failure::unexpected_reply()),
    }
}

fn owner(identity: &Identity) -> Owner<'_> {
    Owner { user: &identity.user, service_id: identity.service_id }
}

impl Sender<'_> {
    async fn post_new(&mut self, area: String, bodies: Vec<String>, id: Option<Uuid>) -> Result<(), Failure> {
        let located = self.unless_stopped(self.session.locate(&area)).await;
        let known = located.as_ref().ok().map(|located| &located.area);
        let outgoing = self.prepare(&area, known, bodies, id)?;
        match located {
            Ok(located) => self.send_all(&located.nodes, outgoing).await,
            Err(failure) if refuses(&failure) => self.refuse(outgoing, failure),
            Err(failure) => self.leave(outgoing, failure),
        }
    }

    async fn resume(&mut self) -> Result<(), Failure> {
        let mut entries = self.outbox.take(owner(&self.identity))?;
        if entries.is_empty() {
            self.session.output.note("Nothing waits in the outbox.");
        }
        while !entries.is_empty() && self.report.failure.is_none() {
            self.resume_some(entries).await?;
            entries = self.outbox.take(owner(&self.identity))?;
        }
        Ok(())
    }

    async fn resume_some(&mut self, entries: Vec<Entry>) -> Result<(), Failure> {
        // An area that is known by its id only: if it was removed and its name is used again, that is another area.
        let mut bound = Vec::new();
        let mut areas: HashMap<String, AreaRef> = HashMap::new();
        let mut entries = entries.into_iter();
        while let Some(entry) = entries.next() {
            if entry.post.area_id.is_some() {
                bound.push(Outgoing::Saved(entry));
                continue;
            }
            let name = entry.post.area.clone();
            let area = match areas.get(&name) {
                Some(area) => Ok(area.clone()),
                None => self.unless_stopped(self.session.locate(&name)).await.map(|located| located.area),
            };
            match area {
                Ok(area) => {
                    bound.push(Outgoing::Saved(self.outbox.bind(entry, &area)?));
                    areas.insert(name, area);
                }
                Err(failure) if refuses(&failure) => self.refuse(vec![Outgoing::Saved(entry)], failure)?,
                Err(failure) => {
                    let rest = std::iter::once(entry).chain(entries).map(Outgoing::Saved);
                    bound.extend(rest);
                    return self.leave(bound, failure);
                }
            }
        }
        match self.unless_stopped(self.session.any_nodes()).await {
            Ok(nodes) => self.send_all(&nodes, bound).await,
            Err(failure) => self.leave(bound, failure),
        }
    }

    /// Ctrl-C is a failure like others: what is saved stays saved.
    async fn unless_stopped<T>(&self, asked: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            answered = asked => answered,
            failure = self.stop.raised() => Err(failure),
        }
    }

    /// Gives each text an id: the pending one if the same text waits for the same area already.
    fn prepare(
        &self,
        area: &str,
        known: Option<&AreaRef>,
        bodies: Vec<String>,
        id: Option<Uuid>,
    ) -> Result<Vec<Outgoing>, Failure> {
        let same_area = |post: &OutboxPost| match (post.area_id, known) {
            (Some(area_id), Some(known)) => area_id == known.area_id,
            _ => name_key(&post.area) == name_key(area),
        };
        let wanted =
            |post: &OutboxPost| same_area(post) && (id == Some(post.id) || bodies.contains(&post.body));
        let mut waiting: HashMap<String, VecDeque<OutboxPost>> = HashMap::new();
        for entry in self.outbox.take_each(owner(&self.identity), wanted)? {
            let entry = entry?;
            if Some(entry.post.id) == id && !bodies.contains(&entry.post.body) {
                let why = format!(
                    "{} waits in the outbox with another text: `gaceta outbox` shows it",
                    entry.post.id
                );
                return Err(Failure::service(ErrorCode::Conflict, why));
            }
            if id.is_some_and(|id| id != entry.post.id) {
                continue;
            }
            let post = match known {
                Some(known) if entry.post.area_id.is_none() => self.outbox.bind(entry, known)?.post.clone(),
                _ => entry.post.clone(),
            };
            // Its file is written anew, under the same name, when its turn comes: many lines would be many open files.
            waiting.entry(post.body.clone()).or_default().push_back(post);
        }
        let name = known.map_or(area, |known| &known.name);
        let mut outgoing = Vec::with_capacity(bodies.len());
        for body in bodies {
            let pending = waiting.get_mut(&body).and_then(VecDeque::pop_front);
            outgoing.push(Outgoing::New(pending.unwrap_or_else(|| OutboxPost {
                service_id: self.identity.service_id,
                user: self.identity.user.clone(),
                area: name.to_owned(),
                area_id: known.map(|known| known.area_id),
                id: id.unwrap_or_else(Uuid::now_v7),
                body,
                created_at_us: jiff::Timestamp::now().as_microsecond(),
            })));
        }
        Ok(outgoing)
    }
}
