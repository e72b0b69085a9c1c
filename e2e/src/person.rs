//! Somebody with a session, who speaks the protocol directly and chooses the node himself.

use crate::service::{PASSWORD, Service};
use std::net::SocketAddr;
use std::time::Duration;
use uuid::Uuid;
use wire::{
    AdminRequest, AgentReply, AgentRequest, AreaId, AreaSettings, Article, Cursor, ErrorCode, ErrorReply,
    FollowArea, FollowEnded, NodeReply, NodeRequest, Page, Password, Post, Posted, ReadFrom, ReplyBody,
    Request, RequestBody, Seq, Shown, SubscriptionSummary, Token,
};

/// How long these people wait for an answer: longer than any deadline of the servers that a test is about.
const ANSWER_WAIT_MS: u32 = 20_000;

#[derive(Debug, Clone)]
pub struct Person {
    pub name: String,
    pub token: Token,
    pub session_id: i64,
    pub agent: SocketAddr,
    pub nodes: Vec<SocketAddr>,
}

pub type Answer<T> = Result<T, ErrorReply>;

impl Person {
    pub async fn register(service: &Service, name: &str) -> Self {
        let request = AgentRequest::Register {
            name: name.into(),
            password: Password(PASSWORD.into()),
            label: "test".into(),
        };
        Self::with_session(service, name, request).await
    }

    pub async fn login(service: &Service, name: &str) -> Self {
        let request = AgentRequest::Login {
            name: name.into(),
            password: Password(PASSWORD.into()),
            label: "test".into(),
        };
        Self::with_session(service, name, request).await
    }

    async fn with_session(service: &Service, name: &str, request: AgentRequest) -> Self {
        let reply = call(service.agent.address, None, RequestBody::Agent(request)).await.unwrap();
        let ReplyBody::Agent(AgentReply::LoggedIn(logged_in)) = reply else { panic!("{reply:?}") };
        Self {
            name: name.into(),
            token: logged_in.token,
            session_id: logged_in.session_id,
            agent: service.agent.address,
            nodes: service.nodes.iter().map(|node| node.address).collect(),
        }
    }

    pub async fn ask_agent(&self, request: AgentRequest) -> Answer<AgentReply> {
        match call(self.agent, Some(self.token), RequestBody::Agent(request)).await? {
            ReplyBody::Agent(reply) => Ok(reply),
            other => panic!("{other:?}"),
        }
    }

    pub async fn ask_node(&self, node: usize, request: NodeRequest) -> Answer<NodeReply> {
        match call(self.nodes[node], Some(self.token), RequestBody::Node(request)).await? {
            ReplyBody::Node(reply) => Ok(reply),
            other => panic!("{other:?}"),
        }
    }

    pub async fn administrate(&self, request: AdminRequest) -> Answer<AgentReply> {
        self.ask_agent(AgentRequest::Admin(request)).await
    }

    pub async fn area_add(&self, name: &str) -> AreaId {
        let request = AdminRequest::AreaAdd {
            creation_id: Uuid::now_v7(),
            name: name.into(),
            settings: AreaSettings::default(),
        };
        match self.administrate(request).await.unwrap() {
            AgentReply::AreaChanged { area, already: false } => area.area_id,
            other => panic!("{other:?}"),
        }
    }

    pub async fn subscribe(&self, area_id: AreaId) {
        self.ask_node(0, NodeRequest::Subscribe { area_id, from_start: false }).await.unwrap();
    }

    /// Posts one article, by a node, with an id.
    pub async fn post_as(&self, node: usize, area_id: AreaId, id: Uuid, body: &str) -> Answer<Posted> {
        let mut results = self.post_all(node, vec![Post { area_id, id, body: body.into() }]).await?;
        assert_eq!(results.len(), 1);
        results.remove(0)
    }

    /// Posts one new article by the first node.
    pub async fn post(&self, area_id: AreaId, body: &str) -> Answer<Seq> {
        self.post_as(0, area_id, Uuid::now_v7(), body).await.map(|posted| posted.seq)
    }

    pub async fn post_all(&self, node: usize, posts: Vec<Post>) -> Answer<Vec<Answer<Posted>>> {
        match self.ask_node(node, NodeRequest::Post { posts }).await? {
            NodeReply::Posted { results } => Ok(results),
            other => panic!("{other:?}"),
        }
    }

    pub async fn delete(&self, node: usize, area_id: AreaId, seq: Seq) -> Answer<bool> {
        match self.ask_node(node, NodeRequest::Delete { area_id, seq }).await? {
            NodeReply::Deleted { already } => Ok(already),
            other => panic!("{other:?}"),
        }
    }

    pub async fn read(&self, node: usize, area_id: AreaId, from: ReadFrom, limit: u32) -> Answer<Page> {
        match self.ask_node(node, NodeRequest::Read { area_id, from, limit, shown: None }).await? {
            NodeReply::Page(page) => {
                check_dense(&page);
                Ok(page)
            }
            other => panic!("{other:?}"),
        }
    }

    pub async fn mark(&self, node: usize, area_id: AreaId, shown: Shown) -> Answer<Cursor> {
        let request = NodeRequest::MarkRead { marks: vec![wire::Mark { area_id, shown }] };
        match self.ask_node(node, request).await? {
            NodeReply::Marked { mut cursors } => cursors.remove(0),
            other => panic!("{other:?}"),
        }
    }

    pub async fn follow(
        &self,
        node: usize,
        areas: Vec<FollowArea>,
        wait_ms: u32,
    ) -> Answer<(Vec<Page>, Vec<FollowEnded>)> {
        match self.ask_node(node, NodeRequest::Follow { areas, wait_ms }).await? {
            NodeReply::Followed { pages, ended } => {
                pages.iter().for_each(check_dense);
                Ok((pages, ended))
            }
            other => panic!("{other:?}"),
        }
    }

    pub async fn catch_up(&self, node: usize, area_id: AreaId, operation_id: Uuid) -> Answer<(Cursor, bool)> {
        moved(self.ask_node(node, NodeRequest::CatchUp { area_id, operation_id }).await?)
    }

    pub async fn undo(&self, node: usize, area_id: AreaId, operation_id: Uuid) -> Answer<(Cursor, bool)> {
        moved(self.ask_node(node, NodeRequest::Undo { area_id, operation_id }).await?)
    }

    pub async fn subscriptions(&self) -> Vec<SubscriptionSummary> {
        match self.ask_agent(AgentRequest::Subscriptions { after: None }).await.unwrap() {
            AgentReply::Subscriptions { subscriptions, .. } => subscriptions,
            other => panic!("{other:?}"),
        }
    }

    pub async fn subscription(&self, area_id: AreaId) -> SubscriptionSummary {
        self.subscriptions().await.into_iter().find(|one| one.area_id == area_id).expect("subscribed")
    }
}

fn moved(reply: NodeReply) -> Answer<(Cursor, bool)> {
    match reply {
        NodeReply::CursorMoved { cursor, already } => Ok((cursor, already)),
        other => panic!("{other:?}"),
    }
}

/// I2: a page accounts for each number that it covers exactly once.
pub fn check_dense(page: &Page) {
    let mut numbers: Vec<Seq> = page.articles.iter().map(|article| article.seq).collect();
    numbers.extend(&page.deleted);
    numbers.sort_unstable();
    let first = page.from.max(page.expired_through + 1);
    let expected: Vec<Seq> = (first..=page.upto).collect();
    assert_eq!(numbers, expected, "a page with a hole or a repeat: {page:?}");
}

/// What all pages hold, as `(number, body)`.
pub fn bodies(articles: &[Article]) -> Vec<(Seq, &str)> {
    articles.iter().map(|article| (article.seq, article.body.as_str())).collect()
}

/// The code of a refusal; a success fails the test.
pub fn refused<T: std::fmt::Debug>(answer: Answer<T>) -> ErrorCode {
    answer.expect_err("refused").code
}

/// One request over one connection, as anyone may send it. A connection that breaks is `unavailable`, as the client
/// takes it.
pub async fn call(address: SocketAddr, token: Option<Token>, body: RequestBody) -> Answer<ReplyBody> {
    let request = Request { request_id: Uuid::now_v7(), token, remaining_ms: ANSWER_WAIT_MS, body };
    match wire::call(address, &request, Duration::from_millis(ANSWER_WAIT_MS.into())).await {
        Ok(reply) => {
            assert_eq!(reply.request_id, request.request_id, "{reply:?}");
            reply.result
        }
        Err(error) => Err(ErrorReply::unavailable(error.to_string())),
    }
}
