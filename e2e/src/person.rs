//! Somebody with a session, who speaks the protocol directly and chooses the node himself.

use crate::service::{PASSWORD, Service};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpSocket, ToSocketAddrs};
use uuid::Uuid;
use wire::{
    AdminRequest, AgentReply, AgentRequest, AreaDetails, AreaId, AreaSettings, AreaSummary, Article,
    AuditEntry, Cursor, ErrorCode, ErrorReply, FollowArea, FollowEnded, NodeReply, NodeRequest, Page,
    Password, Post, Posted, ReadFrom, ReplyBody, Request, RequestBody, Seq, Shown, SubscriptionSummary,
    Token, VerifiedState,
};

/// How long these people wait for an answer: longer than any deadline of the servers that a test is about.
const ANSWER_WAIT_MS: u32 = 20_000;

const RETRY_WAIT_MS: u64 = 20;

#[derive(Debug, Clone)]
pub struct Person {
    pub name: String,
    pub token: Token,
    pub session_id: i64,
    /// A name or an address: a name is resolved at each call.
    pub agent: String,
    pub nodes: Vec<SocketAddr>,
}

pub type Answer<T> = Result<T, ErrorReply>;

impl Person {
    pub async fn register(service: &Service, name: &str) -> Self {
        let nodes: Vec<_> = service.nodes.iter().map(|node| node.address).collect();
        Self::join(service.agent.address, &nodes, name).await
    }

    /// Registers at this agent.
    pub async fn join(agent: impl ToString, nodes: &[SocketAddr], name: &str) -> Self {
        let request = AgentRequest::Register(wire::Register {
            name: name.into(),
            password: Password(PASSWORD.into()),
            label: "test".into(),
        });
        Self::with_session(agent, nodes, name, request).await.unwrap()
    }

    pub async fn login(service: &Service, name: &str) -> Self {
        let nodes: Vec<_> = service.nodes.iter().map(|node| node.address).collect();
        Self::log_in(service.agent.address, &nodes, name, PASSWORD).await.unwrap()
    }

    pub async fn log_in(
        agent: impl ToString,
        nodes: &[SocketAddr],
        name: &str,
        password: &str,
    ) -> Answer<Self> {
        let request = AgentRequest::Login(wire::Login {
            name: name.into(),
            password: Password(password.into()),
            label: "test".into(),
        });
        Self::with_session(agent, nodes, name, request).await
    }

    async fn with_session(
        agent: impl ToString,
        nodes: &[SocketAddr],
        name: &str,
        request: AgentRequest,
    ) -> Answer<Self> {
        let agent = agent.to_string();
        let reply = call(&agent, None, RequestBody::Agent(request)).await?;
        let ReplyBody::Agent(AgentReply::LoggedIn(logged_in)) = reply else { panic!("{reply:?}") };
        Ok(Self {
            name: name.into(),
            token: logged_in.token,
            session_id: logged_in.session_id,
            agent,
            nodes: nodes.to_vec(),
        })
    }

    pub async fn ask_agent(&self, request: AgentRequest) -> Answer<AgentReply> {
        match call(&self.agent, Some(self.token), RequestBody::Agent(request)).await? {
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
        let request = AdminRequest::AreaAdd(wire::AreaAdd {
            creation_id: Uuid::now_v7(),
            name: name.into(),
            settings: AreaSettings::default(),
        });
        match self.administrate(request).await.unwrap() {
            AgentReply::AreaChanged(wire::AreaChanged { area, already: false }) => area.area_id,
            other => panic!("{other:?}"),
        }
    }

    /// Whether it was removed already.
    pub async fn area_remove(&self, area_id: AreaId) -> Answer<bool> {
        done(self.administrate(AdminRequest::AreaRemove(wire::AreaRemove { area_id })).await?)
    }

    pub async fn area_restore(&self, name: &str) -> Answer<(AreaDetails, bool)> {
        match self.administrate(AdminRequest::AreaRestore(wire::AreaRestore { name: name.into() })).await? {
            AgentReply::AreaChanged(wire::AreaChanged { area, already }) => Ok((area, already)),
            other => panic!("{other:?}"),
        }
    }

    pub async fn article_remove(&self, area: &str, seq: Seq) -> Answer<bool> {
        done(
            self.administrate(AdminRequest::ArticleRemove(wire::ArticleRemove { area: area.into(), seq }))
                .await?,
        )
    }

    pub async fn audit(&self) -> Vec<AuditEntry> {
        match self.administrate(AdminRequest::Audit(wire::Audit { before: None, limit: 500 })).await.unwrap()
        {
            AgentReply::AuditListed(wire::AuditListed { entries, .. }) => entries,
            other => panic!("{other:?}"),
        }
    }

    /// One more session of the same person.
    pub async fn other_device(&self) -> Self {
        Self::log_in(&self.agent, &self.nodes, &self.name, PASSWORD).await.unwrap()
    }

    /// Ends this session; whether it had ended already.
    pub async fn logout(&self) -> Answer<bool> {
        done(self.ask_agent(AgentRequest::Logout(wire::Logout {})).await?)
    }

    pub async fn change_password(&self, old: &str, new: &str) -> Answer<bool> {
        let request = AgentRequest::ChangePassword(wire::ChangePassword {
            old: Password(old.into()),
            new: Password(new.into()),
        });
        done(self.ask_agent(request).await?)
    }

    pub async fn subscribe(&self, area_id: AreaId) {
        self.subscribe_at(0, area_id, false).await.unwrap();
    }

    /// The cursor, and whether there was a subscription already.
    pub async fn subscribe_at(&self, node: usize, area_id: AreaId, from_start: bool) -> Answer<(Seq, bool)> {
        match self.ask_node(node, NodeRequest::Subscribe(wire::Subscribe { area_id, from_start })).await? {
            NodeReply::Subscribed(wire::Subscribed { cursor, already }) => Ok((cursor, already)),
            other => panic!("{other:?}"),
        }
    }

    /// Whether there was no subscription already.
    pub async fn unsubscribe(&self, node: usize, area_id: AreaId) -> Answer<bool> {
        match self.ask_node(node, NodeRequest::Unsubscribe(wire::Unsubscribe { area_id })).await? {
            NodeReply::Unsubscribed(wire::Unsubscribed { already }) => Ok(already),
            other => panic!("{other:?}"),
        }
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
        match self.ask_node(node, NodeRequest::Post(wire::PostBatch { posts })).await? {
            NodeReply::Posted(wire::PostedBatch { results }) => Ok(results),
            other => panic!("{other:?}"),
        }
    }

    pub async fn delete(&self, node: usize, area_id: AreaId, seq: Seq) -> Answer<bool> {
        match self.ask_node(node, NodeRequest::Delete(wire::Delete { area_id, seq })).await? {
            NodeReply::Deleted(wire::Deleted { already }) => Ok(already),
            other => panic!("{other:?}"),
        }
    }

    pub async fn read(&self, node: usize, area_id: AreaId, from: ReadFrom, limit: u32) -> Answer<Page> {
        match self.ask_node(node, NodeRequest::Read(wire::Read { area_id, from, limit, shown: None })).await?
        {
            NodeReply::Page(page) => {
                check_dense(&page);
                Ok(page)
            }
            other => panic!("{other:?}"),
        }
    }

    /// All articles that are kept, page by page, each number accounted for.
    pub async fn read_all(&self, node: usize, area_id: AreaId) -> Vec<Article> {
        let mut page = self.read(node, area_id, ReadFrom::Start, 1_000).await.unwrap();
        let mut articles = std::mem::take(&mut page.articles);
        while page.more {
            let from = page.upto + 1;
            page = self.read(node, area_id, ReadFrom::After(page.upto), 1_000).await.unwrap();
            assert_eq!(page.from, from);
            articles.append(&mut page.articles);
        }
        articles
    }

    /// The state of every number of an area that fits one page.
    pub async fn verify(&self, node: usize, area_id: AreaId) -> Answer<Vec<VerifiedState>> {
        match self.ask_node(node, NodeRequest::Verify(wire::Verify { area_id, after: 0 })).await? {
            NodeReply::Verified(page) => {
                assert_eq!(page.states.len() as Seq, page.last_seq);
                Ok(page.states)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Posts until there is a definite answer, through one node after the other, as the client does.
    pub async fn post_surely(&self, first_node: usize, area_id: AreaId, id: Uuid, body: &str) -> Posted {
        for attempt in first_node.. {
            match self.post_as(attempt % self.nodes.len(), area_id, id, body).await {
                Ok(posted) => return posted,
                Err(error) if error.code.is_retryable() => pause().await,
                Err(error) => panic!("{error:?}"),
            }
        }
        unreachable!()
    }

    pub async fn mark(&self, node: usize, area_id: AreaId, shown: Shown) -> Answer<Cursor> {
        let request = NodeRequest::MarkRead(wire::MarkRead { marks: vec![wire::Mark { area_id, shown }] });
        match self.ask_node(node, request).await? {
            NodeReply::Marked(wire::Marked { mut cursors }) => cursors.remove(0),
            other => panic!("{other:?}"),
        }
    }

    pub async fn follow(
        &self,
        node: usize,
        areas: Vec<FollowArea>,
        wait_ms: u32,
    ) -> Answer<(Vec<Page>, Vec<FollowEnded>)> {
        match self.ask_node(node, NodeRequest::Follow(wire::Follow { areas, wait_ms })).await? {
            NodeReply::Followed(wire::Followed { pages, ended }) => {
                pages.iter().for_each(check_dense);
                Ok((pages, ended))
            }
            other => panic!("{other:?}"),
        }
    }

    pub async fn catch_up(&self, node: usize, area_id: AreaId, operation_id: Uuid) -> Answer<(Cursor, bool)> {
        moved(self.ask_node(node, NodeRequest::CatchUp(wire::CatchUp { area_id, operation_id })).await?)
    }

    pub async fn undo(&self, node: usize, area_id: AreaId, operation_id: Uuid) -> Answer<(Cursor, bool)> {
        moved(self.ask_node(node, NodeRequest::Undo(wire::Undo { area_id, operation_id })).await?)
    }

    pub async fn areas(&self) -> Vec<AreaSummary> {
        match self.ask_agent(AgentRequest::Areas(wire::Areas { after: None })).await.unwrap() {
            AgentReply::AreasListed(wire::AreasListed { areas, more: false }) => areas,
            other => panic!("{other:?}"),
        }
    }

    pub async fn subscriptions(&self) -> Vec<SubscriptionSummary> {
        match self.ask_agent(AgentRequest::Subscriptions(wire::Subscriptions { after: None })).await.unwrap()
        {
            AgentReply::SubscriptionsListed(wire::SubscriptionsListed { subscriptions, .. }) => subscriptions,
            other => panic!("{other:?}"),
        }
    }

    pub async fn subscription(&self, area_id: AreaId) -> SubscriptionSummary {
        self.subscriptions().await.into_iter().find(|one| one.area_id == area_id).expect("subscribed")
    }
}

fn moved(reply: NodeReply) -> Answer<(Cursor, bool)> {
    match reply {
        NodeReply::CursorMoved(wire::CursorMoved { cursor, already }) => Ok((cursor, already)),
        other => panic!("{other:?}"),
    }
}

/// Of a request that has nothing to tell but whether it was so already.
pub fn done(reply: AgentReply) -> Answer<bool> {
    match reply {
        AgentReply::Done(wire::Done { already }) => Ok(already),
        other => panic!("{other:?}"),
    }
}

/// Between two attempts at a server that is away: nothing signals its return.
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(RETRY_WAIT_MS)).await;
}

/// A mark of one page, as a reading of its own.
pub fn shown(page: &Page) -> Shown {
    Shown { from: page.from, upto: page.upto, generation: page.generation, reading_id: Uuid::now_v7() }
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

/// What articles hold, as `(number, body)`.
pub fn bodies(articles: &[Article]) -> Vec<(Seq, &str)> {
    articles.iter().map(|article| (article.seq, article.body.as_str())).collect()
}

/// The code of a refusal; a success fails the test.
pub fn refused<T: std::fmt::Debug>(answer: Answer<T>) -> ErrorCode {
    answer.expect_err("refused").code
}

/// As somebody at another address: Linux lets a client come from all of 127/8.
pub async fn call_from(
    source: IpAddr,
    address: SocketAddr,
    token: Option<Token>,
    body: RequestBody,
) -> Answer<ReplyBody> {
    let request = Request { request_id: Uuid::now_v7(), token, remaining_ms: ANSWER_WAIT_MS, body };
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(source, 0)).unwrap();
    let stream = socket.connect(address).await.unwrap();
    match wire::call::exchange(stream, &request).await {
        Ok(reply) => reply.result,
        Err(error) => Err(ErrorReply::unavailable(error.to_string())),
    }
}

/// One request over one connection, as anyone may send it. A connection that breaks is `unavailable`, as the client
/// takes it.
pub async fn call(address: impl ToSocketAddrs, token: Option<Token>, body: RequestBody) -> Answer<ReplyBody> {
    let request = Request { request_id: Uuid::now_v7(), token, remaining_ms: ANSWER_WAIT_MS, body };
    match wire::call(address, &request, Duration::from_millis(ANSWER_WAIT_MS.into())).await {
        Ok(reply) => {
            // Who refuses before the whole request was read does not know its id.
            let refused_unread = reply.request_id.is_nil() && reply.result.is_err();
            assert!(refused_unread || reply.request_id == request.request_id, "{reply:?}");
            reply.result
        }
        Err(error) => Err(ErrorReply::unavailable(error.to_string())),
    }
}
