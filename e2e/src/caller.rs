//! Somebody who uses the client's own way to the service (agents, nodes, retries, hedging, one deadline for all) in this
//! process: what an operation of the client takes, without a process for each.

use crate::person::{Person, pause};
use client::exit::Failure;
use client::render::Output;
use client::session::Session;
use client::settings::Settings;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use uuid::Uuid;
use wire::{
    AgentReply, AgentRequest, ErrorReply, NodeReply, NodeRequest, Page, Post, Posted, ReadFrom, Seq,
    SubscriptionSummary,
};

pub struct Caller {
    pub name: String,
    pub session_id: i64,
    session: Session,
    _home: TempDir,
}

impl Caller {
    /// With the session of `person`, who may go on beside.
    pub fn new(person: &Person, agents: &[SocketAddr], timeout: Duration) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(home.path().to_owned());
        settings.agents = Some(agents.iter().map(SocketAddr::to_string).collect());
        settings.token = Some(person.token);
        settings.timeout = timeout;
        let session = Session::open(&settings, &Output::silent()).unwrap();
        Self { name: person.name.clone(), session_id: person.session_id, session, _home: home }
    }

    pub async fn agent(&self, request: AgentRequest) -> Result<AgentReply, Failure> {
        self.session.progressed(); // each operation has the whole time
        self.session.agent(request).await
    }

    /// As a command does it: asks where the area is, then one of its nodes.
    pub async fn node(&self, area: &str, request: NodeRequest) -> Result<NodeReply, Failure> {
        self.session.progressed();
        let located = self.session.locate(area).await?;
        self.session.node(&located.nodes, request).await
    }

    /// A node that answers that its database is away is no definite answer: asked again, as `gaceta post` does it.
    pub async fn post(&self, area: &str, post: Post) -> Result<Posted, Failure> {
        let deadline = Instant::now() + self.session.settings.timeout;
        loop {
            match self.post_all(area, vec![post.clone()]).await?.remove(0) {
                Err(error) if error.code.is_retryable() && Instant::now() < deadline => pause().await,
                definite => return Ok(definite?),
            }
        }
    }

    pub async fn post_all(
        &self,
        area: &str,
        posts: Vec<Post>,
    ) -> Result<Vec<Result<Posted, ErrorReply>>, Failure> {
        match self.node(area, NodeRequest::Post { posts }).await? {
            NodeReply::Posted { results } => Ok(results),
            other => panic!("{other:?}"),
        }
    }

    pub async fn delete(&self, area: &str, area_id: wire::AreaId, seq: Seq) -> Result<bool, Failure> {
        match self.node(area, NodeRequest::Delete { area_id, seq }).await? {
            NodeReply::Deleted { already } => Ok(already),
            other => panic!("{other:?}"),
        }
    }

    pub async fn read_unread(&self, area: &str, area_id: wire::AreaId, limit: u32) -> Result<Page, Failure> {
        let request = NodeRequest::Read { area_id, from: ReadFrom::Unread, limit, shown: None };
        match self.node(area, request).await? {
            NodeReply::Page(page) => Ok(page),
            other => panic!("{other:?}"),
        }
    }

    /// The cursor as it is then.
    pub async fn mark(
        &self,
        area: &str,
        area_id: wire::AreaId,
        shown: wire::Shown,
    ) -> Result<wire::Cursor, Failure> {
        let marks = vec![wire::Mark { area_id, shown }];
        match self.node(area, NodeRequest::MarkRead { marks }).await? {
            NodeReply::Marked { mut cursors } => Ok(cursors.remove(0)?),
            other => panic!("{other:?}"),
        }
    }

    /// The cursor as it is then.
    pub async fn moved(&self, area: &str, request: NodeRequest) -> Result<wire::Cursor, Failure> {
        match self.node(area, request).await? {
            NodeReply::CursorMoved { cursor, .. } => Ok(cursor),
            other => panic!("{other:?}"),
        }
    }

    pub async fn subscriptions(&self) -> Result<Vec<SubscriptionSummary>, Failure> {
        match self.agent(AgentRequest::Subscriptions { after: None }).await? {
            AgentReply::Subscriptions { subscriptions, .. } => Ok(subscriptions),
            other => panic!("{other:?}"),
        }
    }

    pub async fn where_is(&self, area: &str) -> Result<Vec<String>, Failure> {
        self.session.progressed();
        self.session.locate(area).await.map(|located| located.nodes.addresses)
    }
}

/// A post of a new id.
pub fn new_post(area_id: wire::AreaId, body: &str) -> Post {
    Post { area_id, id: Uuid::now_v7(), body: body.into() }
}
