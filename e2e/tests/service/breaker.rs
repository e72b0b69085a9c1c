//! A connection that is cut after every number of bytes, of the request and of the reply: the client's repeat makes it as
//! if nothing had happened. One article, once, one number (I1, I10).

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use client::service::candidates::{Candidate, resolve_all};
use client::service::failure::Failure;
use client::service::tell::Tell;
use client::service::transport::{Addresses, Ask, race};
use gaceta_e2e::breaker::{Breaker, HOLD, LOSE, PASS, Plan, RESET, Target, Way};
use gaceta_e2e::person::{Person, bodies};
use gaceta_e2e::processes::event;
use gaceta_e2e::service::Service;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;
use wire::{
    AgentReply, AgentRequest, AreaId, NodeReply, NodeRequest, Post, ReadFrom, ReplyBody, RequestBody, Seq,
};

/// More bytes than any of these requests and replies has.
const BYTES_MAX: u64 = 4_096;
/// Nobody waits for so long here.
const ANSWER_WAIT: Duration = Duration::from_secs(20);

struct Scene {
    service: Service,
    area: AreaId,
    ana: Person,
    /// Between ana and the first server that she asks.
    breaker: Breaker,
    /// Whom the client asks, best first: the repeat may go to another one.
    route: Route,
}

struct Route(Vec<String>);

impl Addresses for Route {
    async fn round(&mut self, _round: u32) -> Result<Vec<Candidate>, Failure> {
        resolve_all(self.0.clone()).await
    }

    fn what(&self) -> &'static str {
        "a server"
    }
}

impl Scene {
    async fn start() -> Self {
        let service = Service::start(2).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        let breaker = Breaker::to(Target::Tcp(service.nodes[0].address)).await;
        let route = Route(vec![breaker.address.to_string(), service.nodes[1].address.to_string()]);
        Self { service, area, ana, breaker, route }
    }

    async fn ask(&mut self, body: RequestBody) -> ReplyBody {
        let tell = Tell::nobody();
        let deadline = Instant::now() + ANSWER_WAIT;
        let asker = Arc::default();
        let ask = Ask { token: Some(self.ana.token), body: &body, deadline, asker: &asker, tell: &tell };
        race(&mut self.route, ask).await.unwrap_or_else(|failure| panic!("{failure}")).body
    }

    async fn ask_node(&mut self, request: NodeRequest) -> NodeReply {
        match self.ask(RequestBody::Node(request)).await {
            ReplyBody::Node(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    async fn post(&mut self, body: &str) -> Seq {
        let post = Post { area_id: self.area, id: Uuid::now_v7(), body: body.into() };
        match self.ask_node(NodeRequest::Post(wire::PostBatch { posts: vec![post] })).await {
            NodeReply::Posted(wire::PostedBatch { results }) => results[0].as_ref().unwrap().seq,
            other => panic!("{other:?}"),
        }
    }

    /// Every cut, first of what is sent, then of what comes back. `round` does an operation under it and checks what came
    /// of it. A direction ends with the first cut that did not come to pass. Returns how many there were of each.
    async fn at_every_byte(&mut self, mut round: impl AsyncFnMut(&mut Self, &str)) -> [u64; 2] {
        let mut ends = [0, 0];
        for (end, way) in ends.iter_mut().zip(["request", "reply"]) {
            loop {
                let cut = Way::CutAfter(*end);
                let plan = match way {
                    "request" => Plan { forth: cut, ..PASS },
                    _ => Plan { back: cut, ..PASS },
                };
                let before = self.breaker.cuts();
                self.breaker.set_next(plan);
                round(self, &format!("{way} cut after {end} bytes")).await;
                assert!(!self.breaker.awaits_next(), "nobody came by the breaker");
                if self.breaker.cuts() == before {
                    break;
                }
                *end += 1;
                assert!(*end < BYTES_MAX);
            }
        }
        ends
    }
}

#[tokio::test]
async fn i1_a_post_cut_after_any_byte_of_request_or_reply_is_one_article_with_one_number() {
    let mut scene = Scene::start().await;
    let mut expected = vec![];
    let cuts = scene
        .at_every_byte(async |scene, when| {
            let seq = scene.post(when).await;
            expected.push(when.to_owned());
            assert_eq!(seq, expected.len() as Seq, "{when}");
        })
        .await;
    // A token, an id, a text; an id and a number.
    assert!(cuts[0] > 80 && cuts[1] > 30, "{cuts:?}");
    let articles = scene.ana.read_all(1, scene.area).await;
    let there: Vec<(Seq, &str)> = bodies(&articles);
    let expected: Vec<(Seq, &str)> = (1..).zip(expected.iter().map(String::as_str)).collect();
    assert_eq!(there, expected);
}

#[tokio::test]
async fn i10_a_mark_cut_after_any_byte_moves_the_cursor_once() {
    let mut scene = Scene::start().await;
    scene
        .at_every_byte(async |scene, when| {
            let seq = scene.ana.post(scene.area, when).await.unwrap();
            let page = scene.ana.read(1, scene.area, ReadFrom::Unread, 10).await.unwrap();
            assert_eq!((page.from, page.upto), (seq, seq), "{when}");
            scene.mark(page).await;
            assert_eq!(scene.ana.subscription(scene.area).await.cursor, seq, "{when}");
        })
        .await;
}

impl Scene {
    async fn mark(&mut self, page: wire::Page) {
        let mark = wire::Mark { area_id: self.area, shown: gaceta_e2e::person::shown(&page) };
        match self.ask_node(NodeRequest::MarkRead(wire::MarkRead { marks: vec![mark] })).await {
            NodeReply::Marked(wire::Marked { cursors }) => {
                assert_eq!(cursors[0].as_ref().unwrap().cursor, page.upto)
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn i10_subscribing_cut_after_any_byte_is_one_subscription() {
    let mut scene = Scene::start().await;
    let area_id = scene.area;
    scene
        .at_every_byte(async |scene, when| {
            // Asked first: what was cut off in the last round may still arrive after the end of its subscription.
            let generation = generation(scene).await;
            scene.ana.unsubscribe(1, area_id).await.unwrap();
            match scene.ask_node(NodeRequest::Subscribe(wire::Subscribe { area_id, from_start: false })).await
            {
                NodeReply::Subscribed(wire::Subscribed { cursor: 0, .. }) => {}
                other => panic!("{when}: {other:?}"),
            }
            let again = scene.ana.subscription(area_id).await.generation;
            assert_eq!(again, generation + 1, "{when}: a repeat is no further subscription");
        })
        .await;
}

async fn generation(scene: &Scene) -> i64 {
    let generation = "select max(generation) from subscriptions";
    scene.service.db.query_one(generation, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn i10_a_delete_cut_after_any_byte_deletes_that_article_and_no_other() {
    let mut scene = Scene::start().await;
    let area_id = scene.area;
    let mut deleted = vec![];
    scene
        .at_every_byte(async |scene, when| {
            let seq = scene.ana.post(area_id, "to go").await.unwrap();
            scene.ana.post(area_id, "to stay").await.unwrap();
            match scene.ask_node(NodeRequest::Delete(wire::Delete { area_id, seq })).await {
                NodeReply::Deleted(_) => deleted.push(seq),
                other => panic!("{when}: {other:?}"),
            }
        })
        .await;
    let articles = scene.ana.read_all(1, area_id).await;
    assert_eq!(articles.len(), deleted.len());
    assert!(articles.iter().all(|article| article.body == "to stay"));
}

#[tokio::test]
async fn i10_where_cut_after_any_byte_is_answered() {
    let mut scene = Scene::start().await;
    scene.breaker.lead_to(Target::Tcp(scene.service.agent.address));
    scene.route.0[1] = scene.service.agent.address.to_string();
    let area = scene.area;
    scene
        .at_every_byte(async |scene, when| {
            let request = AgentRequest::Where(wire::Where { areas: vec!["news".into()] });
            match scene.ask(RequestBody::Agent(request)).await {
                ReplyBody::Agent(AgentReply::Located(wire::Located { areas, nodes })) => {
                    assert_eq!((areas[0].area_id, nodes.len()), (area, 2), "{when}");
                }
                other => panic!("{when}: {other:?}"),
            }
        })
        .await;
}

#[tokio::test]
async fn i1_a_post_into_a_network_that_resets_loses_holds_or_delays_is_one_article() {
    let mut scene = Scene::start().await;
    let delay = Way::Delay(Duration::from_millis(50));
    let lost_reply = Plan { back: Way::Lose, ..PASS };
    let held_reply = Plan { back: Way::Hold, ..PASS };
    let slow = Plan { forth: delay, back: delay };
    let plans = [RESET, LOSE, HOLD, lost_reply, held_reply, slow];
    for (plan, expected) in plans.into_iter().zip(1..) {
        scene.breaker.set(plan);
        assert_eq!(event("the post", scene.post("text")).await, expected, "{plan:?}");
        scene.breaker.set(PASS);
    }
    // What was held back arrives now, and changes nothing.
    assert_eq!(scene.post("the last").await, plans.len() as Seq + 1);
    assert_eq!(scene.ana.read_all(0, scene.area).await.len(), plans.len() + 1);
}
