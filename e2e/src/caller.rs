//! Somebody who uses the client's own way to the service (agents, nodes, retries, hedging, one deadline for all) in this
//! process: what an operation of the client takes, without a process for each.

use crate::person::Person;
use client::exit::Failure;
use client::render::Output;
use client::session::Session;
use client::settings::Settings;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use uuid::Uuid;
use wire::{
    AdminRequest, AgentReply, AgentRequest, ErrorReply, LoggedIn, NodeReply, NodeRequest, Page, Post, Posted,
    ReadFrom, Seq, SubscriptionSummary, Token,
};

/// Before a post is sent again that a node could not write: its database is away, and nothing tells when it is back.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

pub struct Caller {
    pub name: String,
    pub session_id: i64,
    session: Session,
    _home: TempDir,
}

impl Caller {
    /// With the session of `person`, who may go on beside. Names of agents are resolved at each call.
    pub fn new(person: &Person, agents: &[String], timeout: Duration) -> Self {
        let caller = Self::of(Some(person.token), agents, timeout);
        Self { name: person.name.clone(), session_id: person.session_id, ..caller }
    }

    /// Who is not logged in.
    pub fn nobody(agents: &[String], timeout: Duration) -> Self {
        Self::of(None, agents, timeout)
    }

    fn of(token: Option<Token>, agents: &[String], timeout: Duration) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(home.path().to_owned());
        settings.agents = Some(agents.to_vec());
        settings.token = token;
        settings.timeout = timeout;
        let session = Session::open(&settings, &Output::silent()).unwrap();
        Self { name: String::new(), session_id: 0, session, _home: home }
    }

    /// Registers, or logs in.
    pub async fn enter(&self, request: AgentRequest) -> Result<LoggedIn, Failure> {
        match self.agent(request).await? {
            AgentReply::LoggedIn(logged_in) => Ok(logged_in),
            other => panic!("{other:?}"),
        }
    }

    pub async fn administrate(&self, request: AdminRequest) -> Result<AgentReply, Failure> {
        self.agent(AgentRequest::Admin(request)).await
    }

    pub async fn agent(&self, request: AgentRequest) -> Result<AgentReply, Failure> {
        self.session.progressed(); // each operation has the whole time
        self.session.agent(request).await
    }

    /// As a command does it: asks where the area is, then one of its nodes.
    pub async fn node(&self, area: &str, request: NodeRequest) -> Result<NodeReply, Failure> {
        self.session.progressed();
        self.goes_on(area, request).await
    }

    /// The same within what is left of the operation's time.
    async fn goes_on(&self, area: &str, request: NodeRequest) -> Result<NodeReply, Failure> {
        let located = self.session.locate(area).await?;
        self.session.node(&located.nodes, request).await
    }

    /// A node that answers that its database is away is no definite answer: asked again, as `gaceta post` does it.
    pub async fn post(&self, area: &str, post: Post) -> Result<Posted, Failure> {
        let deadline = Instant::now() + self.session.settings.timeout;
        self.session.progressed();
        loop {
            let posts = vec![post.clone()];
            match posted(self.goes_on(area, NodeRequest::Post(wire::PostBatch { posts })).await?).remove(0) {
                Err(error) if error.code.is_retryable() && Instant::now() < deadline => {
                    self.session.pause(RETRY_PAUSE).await;
                }
                definite => return Ok(definite?),
            }
        }
    }

    pub async fn post_all(
        &self,
        area: &str,
        posts: Vec<Post>,
    ) -> Result<Vec<Result<Posted, ErrorReply>>, Failure> {
        Ok(posted(self.node(area, NodeRequest::Post(wire::PostBatch { posts })).await?))
    }

    pub async fn delete(&self, area: &str, area_id: wire::AreaId, seq: Seq) -> Result<bool, Failure> {
        match self.node(area, NodeRequest::Delete(wire::Delete { area_id, seq })).await? {
            NodeReply::Deleted(wire::Deleted { already }) => Ok(already),
            other => panic!("{other:?}"),
        }
    }

    pub async fn read_unread(&self, area: &str, area_id: wire::AreaId, limit: u32) -> Result<Page, Failure> {
        let request = NodeRequest::Read(wire::Read { area_id, from: ReadFrom::Unread, limit, shown: None });
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
        match self.node(area, NodeRequest::MarkRead(wire::MarkRead { marks })).await? {
            NodeReply::Marked(wire::Marked { mut cursors }) => Ok(cursors.remove(0)?),
            other => panic!("{other:?}"),
        }
    }

    /// The cursor as it is then.
    pub async fn moved(&self, area: &str, request: NodeRequest) -> Result<wire::Cursor, Failure> {
        match self.node(area, request).await? {
            NodeReply::CursorMoved(wire::CursorMoved { cursor, .. }) => Ok(cursor),
            other => panic!("{other:?}"),
        }
    }

    pub async fn subscriptions(&self) -> Result<Vec<SubscriptionSummary>, Failure> {
        match self.agent(AgentRequest::Subscriptions(wire::Subscriptions { after: None })).await? {
            AgentReply::SubscriptionsListed(wire::SubscriptionsListed { subscriptions, .. }) => {
                Ok(subscriptions)
            }
            other => panic!("{other:?}"),
        }
    }

    pub async fn where_is(&self, area: &str) -> Result<Vec<String>, Failure> {
        self.session.progressed();
        self.session.locate(area).await.map(|located| located.nodes.addresses)
    }
}

fn posted(reply: NodeReply) -> Vec<Result<Posted, ErrorReply>> {
    match reply {
        NodeReply::Posted(wire::PostedBatch { results }) => results,
        other => panic!("{other:?}"),
    }
}

/// A post of a new id.
pub fn new_post(area_id: wire::AreaId, body: &str) -> Post {
    Post { area_id, id: Uuid::now_v7(), body: body.into() }
}
