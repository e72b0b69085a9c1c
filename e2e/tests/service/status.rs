//! What servers tell of themselves to whoever asks what is wrong.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them

use db::private::Shutdown;
use gaceta_e2e::person::{call, refused};
use gaceta_e2e::service::Service;
use gaceta_e2e::watchdog;
use std::time::{Duration, Instant};
use wire::{AgentReply, AgentRequest, ErrorCode, NodeReply, NodeRequest, RequestBody, ServerStatus};

/// The server waits for a second; the rest is for a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// One machine has one clock.
const CLOCKS_APART_MAX_US: u64 = 2_000_000;

fn check(server: &ServerStatus) {
    assert_eq!(server.version, env!("CARGO_PKG_VERSION"));
    assert!(server.uptime_s < 60, "{server:?}");
    assert!(server.now_us.abs_diff(server.database_now_us) < CLOCKS_APART_MAX_US, "{server:?}");
    assert!(server.database_us > 0, "{server:?}");
}

#[tokio::test]
async fn servers_tell_how_they_are_to_who_is_logged_in_and_soon_when_the_database_is_away() {
    watchdog(async {
        let cluster = db::testing::own_cluster().await;
        let mut service = Service::start_with(cluster.database().await, 2, |_| {}).await;
        let ana = service.person("ana").await;
        match ana.ask_agent(AgentRequest::Status(wire::Status {})).await.unwrap() {
            AgentReply::Status(wire::AgentStatus { server, nodes_live: 2, nodes: 2 }) => check(&server),
            other => panic!("{other:?}"),
        }
        for node in [0, 1] {
            match ana.ask_node(node, NodeRequest::Status(wire::Status {})).await.unwrap() {
                NodeReply::Status(wire::NodeStatus { server, draining: false, .. }) => check(&server),
                other => panic!("{other:?}"),
            }
        }
        let stranger =
            call(service.nodes[0].address, None, RequestBody::Node(NodeRequest::Status(wire::Status {})))
                .await;
        assert_eq!(refused(stranger), ErrorCode::Unauthenticated);
        service.nodes[1].stop().await;
        match ana.ask_agent(AgentRequest::Status(wire::Status {})).await.unwrap() {
            AgentReply::Status(wire::AgentStatus { nodes_live: 1, nodes: 1, .. }) => {}
            other => panic!("{other:?}"),
        }

        // Once with a server that refuses, once with one that holds its tongue.
        for how in [Some(Shutdown::Fast), None] {
            let client = service.database.client().await;
            match how {
                Some(how) => cluster.halt(how).await.unwrap(),
                None => {
                    client.batch_execute("begin; lock table sessions in access exclusive mode").await.unwrap()
                }
            }
            let asked = Instant::now();
            let agent = ana.ask_agent(AgentRequest::Status(wire::Status {})).await;
            let node = ana.ask_node(0, NodeRequest::Status(wire::Status {})).await;
            let codes = (agent.unwrap_err().code, node.unwrap_err().code);
            assert_eq!(codes, (ErrorCode::Unavailable, ErrorCode::Unavailable));
            assert!(asked.elapsed() < 2 * ANSWER_MAX, "{:?}", asked.elapsed());
            if how.is_some() {
                cluster.resume().await.unwrap();
            }
        }
    })
    .await;
}
