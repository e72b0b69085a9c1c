//! Releases that do not understand each other: both sides are told which version is spoken, and nothing is lost. What is no
//! protocol at all is in `limits`.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::watchdog;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wire::{AgentRequest, ErrorCode, Reply, Request, RequestBody, frame};

/// Where a header holds the version.
const VERSION_AT: std::ops::Range<usize> = 8..10;

/// The same frame as a release of another version would write it.
fn of_version(mut frame: Vec<u8>, version: u16) -> Vec<u8> {
    frame[VERSION_AT].copy_from_slice(&version.to_be_bytes());
    frame
}

fn older_and_newer() -> [u16; 2] {
    [frame::VERSION - 1, frame::VERSION + 1]
}

#[tokio::test]
async fn a_client_of_another_version_is_told_which_one_is_spoken_here() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    watchdog(async {
        for server in [deployment.agent.address, deployment.nodes[0].address] {
            for version in older_and_newer() {
                let body = RequestBody::Agent(AgentRequest::Whoami(wire::Whoami {}));
                let request =
                    Request { request_id: uuid::Uuid::now_v7(), token: None, remaining_ms: 5_000, body };
                let mut stream = TcpStream::connect(server).await.unwrap();
                let frame = of_version(frame::encode(&request).unwrap(), version);
                stream.write_all(&frame).await.unwrap();
                let mut answer = vec![];
                stream.read_to_end(&mut answer).await.unwrap();
                assert_eq!(answer[VERSION_AT], frame::VERSION.to_be_bytes(), "in the server's own version");
                let reply: Reply = frame::decode(&answer[frame::HEADER_BYTES..]).unwrap();
                let error = reply.result.unwrap_err();
                assert_eq!(error.code, ErrorCode::Invalid);
                let told = format!("version {version} is not spoken here, only {}", frame::VERSION);
                assert!(error.message.contains(&told), "{error}");
            }
        }
    })
    .await;
    ana.json("post news hello").await;
}

/// A server of another version: it answers every request in that version.
async fn server_of(version: u16) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&of_version(frame::encode(&()).unwrap(), version)).await;
        }
    });
    address
}

#[tokio::test]
async fn a_server_of_another_version_is_told_apart_and_what_was_posted_waits() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    for (sent, version) in older_and_newer().into_iter().enumerate() {
        let strange = server_of(version).await;
        let there = ana.clone().with("GACETA_AGENTS", &strange.to_string());
        for command in ["areas", "post news precious"] {
            let error = there.fails(command, 1).await;
            assert_eq!(error["code"], "invalid");
            let message = error["message"].as_str().unwrap();
            let told = format!("version {version} is not spoken here, only {}", frame::VERSION);
            assert!(message.contains(&told) && message.contains("use a release that speaks it"), "{message}");
            assert!(message.contains(&strange.to_string()), "who: {message}");
        }
        assert_eq!(ana.files("outbox"), 1, "it was never refused by one who understood it");
        ana.json("post --resume").await;
        assert_eq!(ana.bodies("news").await.len(), sent + 1);
    }
}
