//! Posts against servers that lose answers, refuse, or are gone: each text arrives once, or waits, or is a draft (I1).
#![allow(clippy::unwrap_used)]

mod fake;

use fake::{AREA, Articles, Fake, Person, nobody};
use gaceta::exit::Signal;
use gaceta::stop::Stop;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use wire::{AreaId, ErrorCode, ErrorReply, NodeReply, NodeRequest, Post, Posted, RequestBody};

#[tokio::test]
async fn i1_a_lost_answer_is_asked_for_again_under_the_same_id() {
    let articles = Articles::default();
    let heard = articles.clone();
    let (tell, told) = watch::channel(false);
    let breaking = Fake::breaking(move |request| {
        if let RequestBody::Node(NodeRequest::Post(wire::PostBatch { posts })) = request.body {
            for post in posts {
                heard.take(post);
            }
            tell.send_replace(true);
        }
    })
    .await;
    // On a busy machine it may be asked while the other has not read yet; the post that is lost comes first all the same.
    let later = articles.clone();
    let node = Fake::node(move |request| {
        let NodeRequest::Post(wire::PostBatch { posts }) = request else { panic!("{request:?}") };
        let (mut told, later) = (told.clone(), later.clone());
        async move {
            told.wait_for(|is_heard| *is_heard).await.unwrap();
            let results = posts.into_iter().map(|post| Ok(later.take(post))).collect();
            Ok(NodeReply::Posted(wire::PostedBatch { results }))
        }
    })
    .await;
    let agent = Fake::agent(vec![breaking.address.clone(), node.address.clone()], 0, 0).await;
    let ana = Person::log_in(&agent).await;
    assert_eq!(ana.run("post news hello world").await, 0);
    let printed = ana.printed();
    assert_eq!((&printed[0]["area"], &printed[0]["seq"]), (&"News".into(), &1.into()));
    assert_eq!(printed[0]["duplicate"], true);
    assert_eq!(articles.bodies(), ["hello world"]);
    assert_eq!(ana.files("outbox"), 0);
}

#[tokio::test]
async fn i1_what_cannot_be_sent_waits_and_is_resumed_once() {
    let gone = Fake::agent(vec![nobody().await], 0, 0).await;
    let mut ana = Person::log_in(&gone).await;
    assert_eq!(ana.run("--timeout 200ms post news hello").await, 6);
    let error = ana.complained().remove(0);
    assert_eq!((&error["error"]["code"], &error["error"]["pending"]), (&"unavailable".into(), &1.into()));
    let id = error["error"]["id"].clone();
    // The same text again is the same post.
    assert_eq!(ana.run("--timeout 200ms post news hello").await, 6);
    assert_eq!(ana.complained()[0]["error"]["id"], id);
    assert_eq!(ana.run("outbox").await, 0);
    let waiting = ana.printed().remove(0);
    assert_eq!(waiting.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&waiting[0]["id"], &waiting[0]["area"], &waiting[0]["body"]),
        (&id, &"News".into(), &"hello".into())
    );

    let articles = Articles::default();
    let node = articles.node().await;
    let agent = Fake::agent(vec![node.address.clone()], 0, 0).await;
    ana.settings.agents = Some(vec![agent.address.clone()]);
    assert_eq!(ana.run("post --resume").await, 0);
    assert_eq!(ana.printed()[0][0]["id"], id);
    assert_eq!(ana.run("post --resume").await, 0);
    assert_eq!(ana.printed()[0], serde_json::json!([]));
    assert_eq!(articles.bodies(), ["hello"]);
    assert_eq!(ana.files("outbox"), 0);
}

#[tokio::test]
async fn i1_a_text_is_saved_even_when_no_agent_can_be_asked() {
    let agent = Fake::agent(Vec::new(), 0, 0).await;
    let mut ana = Person::log_in(&agent).await;
    ana.settings.agents = Some(vec![nobody().await]);
    assert_eq!(ana.run("--timeout 200ms post news hello").await, 6);
    assert_eq!(ana.complained()[0]["error"]["pending"], 1);

    let articles = Articles::default();
    let node = articles.node().await;
    let agent = Fake::agent(vec![node.address.clone()], 0, 0).await;
    ana.settings.agents = Some(vec![agent.address.clone()]);
    assert_eq!(ana.run("post --resume").await, 0);
    assert_eq!(ana.printed()[0][0]["area"], "News");
    assert_eq!(articles.bodies(), ["hello"]);
    assert_eq!(ana.files("outbox"), 0);
}

#[tokio::test]
async fn i1_posts_of_others_are_left_alone() {
    let gone = Fake::agent(vec![nobody().await], 0, 0).await;
    let mut ana = Person::log_in(&gone).await;
    assert_eq!(ana.run("--timeout 200ms post news hello").await, 6);
    gaceta::login_with_password(&ana.settings, "bob", "secret").await.unwrap();
    let articles = Articles::default();
    let node = articles.node().await;
    let agent = Fake::agent(vec![node.address.clone()], 0, 0).await;
    ana.settings.agents = Some(vec![agent.address.clone()]);
    assert_eq!(ana.run("post --resume").await, 0);
    assert_eq!(ana.run("outbox").await, 0);
    assert_eq!(ana.printed(), [serde_json::json!([]), serde_json::json!([])]);
    assert!(articles.bodies().is_empty());
    assert_eq!(ana.files("outbox"), 1);
}

#[tokio::test]
async fn a_refused_text_is_a_draft_and_waits_no_longer() {
    let denying = Fake::node(|_| async {
        Ok(NodeReply::Posted(wire::PostedBatch {
            results: vec![Err(ErrorReply::new(ErrorCode::Denied, "not subscribed"))],
        }))
    })
    .await;
    let agent = Fake::agent(vec![denying.address.clone()], 0, 0).await;
    let ana = Person::log_in(&agent).await;
    assert_eq!(ana.run("post news precious words").await, 5);
    let error = ana.complained().remove(0);
    let draft = error["error"]["draft"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(draft).unwrap(), "precious words\n");
    assert_eq!(ana.files("outbox"), 0);

    assert_eq!(ana.run("post nosuch other words").await, 3);
    let error = ana.complained().remove(0);
    assert_eq!(std::fs::read_to_string(error["error"]["draft"].as_str().unwrap()).unwrap(), "other words\n");
}

#[tokio::test]
async fn i1_a_later_area_of_the_same_name_does_not_get_an_old_post() {
    let gone = Fake::agent(vec![nobody().await], 0, 0).await;
    let mut ana = Person::log_in(&gone).await;
    assert_eq!(ana.run("--timeout 200ms post news hello").await, 6);
    // The node knows an area 8 by that name now; the post was for area 7.
    let node = Fake::node(|request| {
        let NodeRequest::Post(wire::PostBatch { posts }) = request else { panic!("{request:?}") };
        let result = |post: Post| match post.area_id {
            AREA => Err(ErrorReply::new(ErrorCode::NotFound, "no such area")),
            AreaId(_) => Ok(Posted { seq: 1, duplicate: false }),
        };
        let results = posts.into_iter().map(result).collect();
        async { Ok(NodeReply::Posted(wire::PostedBatch { results })) }
    })
    .await;
    let agent = Fake::agent(vec![node.address.clone()], 0, 0).await;
    ana.settings.agents = Some(vec![agent.address.clone()]);
    assert_eq!(ana.run("post --resume").await, 3);
    assert_eq!((ana.files("outbox"), ana.files("drafts")), (0, 1));
}

#[tokio::test]
async fn one_bad_line_does_not_harm_its_neighbours() {
    let articles = Articles::default();
    let kept = articles.clone();
    let node = Fake::node(move |request| {
        let NodeRequest::Post(wire::PostBatch { posts }) = request else { panic!("{request:?}") };
        let one = |post: Post| match post.body.as_str() {
            "bad" => Err(ErrorReply::invalid("not this one")),
            _ => Ok(kept.take(post)),
        };
        let results = posts.into_iter().map(one).collect();
        async { Ok(NodeReply::Posted(wire::PostedBatch { results })) }
    })
    .await;
    let agent = Fake::agent(vec![node.address.clone()], 0, 0).await;
    let ana = Person::log_in(&agent).await;
    assert_eq!(ana.run("post news --lines 'one\nbad\n\nthree'").await, 1);
    assert_eq!(ana.printed()[0].as_array().map(Vec::len), Some(2));
    assert_eq!(articles.bodies(), ["one", "three"]);
    assert_eq!((ana.files("outbox"), ana.files("drafts")), (0, 1));
}

/// After the first batch the outbox takes nothing any more: a file stands where it was, which stops root as well.
#[tokio::test]
async fn i1_of_lines_that_arrived_in_part_only_the_others_are_a_draft() {
    let articles = Articles::default();
    let kept = articles.clone();
    let state = Arc::new(Mutex::new(PathBuf::new()));
    let of_ana = state.clone();
    let node = Fake::node(move |request| {
        let NodeRequest::Post(wire::PostBatch { posts }) = request else { panic!("{request:?}") };
        let state = of_ana.lock().unwrap().clone();
        let outbox = state.join("outbox");
        if outbox.is_dir() {
            std::fs::rename(&outbox, state.join("away")).unwrap();
            std::fs::write(&outbox, "").unwrap();
        }
        let results = posts.into_iter().map(|post| Ok(kept.take(post))).collect();
        async { Ok(NodeReply::Posted(wire::PostedBatch { results })) }
    })
    .await;
    let agent = Fake::agent(vec![node.address.clone()], 0, 0).await;
    let ana = Person::log_in(&agent).await;
    *state.lock().unwrap() = ana.settings.state_dir.clone();
    let lines: Vec<String> = (1..=500).map(|n| format!("line {n}")).collect();
    assert_eq!(ana.run(&format!("post news --lines '{}'", lines.join("\n"))).await, 1);
    let posted = articles.bodies();
    assert_eq!(posted, lines[..posted.len()], "the first of them");
    assert_eq!(ana.printed()[0].as_array().map(Vec::len), Some(posted.len()), "what arrived is told");
    let draft = ana.settings.state_dir.join("drafts");
    let drafts: Vec<_> = std::fs::read_dir(draft).unwrap().map(|file| file.unwrap().path()).collect();
    let [draft] = &drafts[..] else { panic!("{drafts:?}") };
    let left: Vec<String> = std::fs::read_to_string(draft).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(left, lines[posted.len()..], "posting the draft doubles nothing");
}

#[tokio::test]
async fn i1_an_interrupted_post_waits() {
    let (asked, mut was_asked) = tokio::sync::watch::channel(false);
    let silent = Fake::node(move |_| {
        asked.send_replace(true);
        std::future::pending()
    })
    .await;
    let agent = Fake::agent(vec![silent.address.clone()], 0, 0).await;
    let ana = Person::log_in(&agent).await;
    let stop = Stop::default();
    let interrupt = async {
        was_asked.wait_for(|&asked| asked).await.unwrap();
        stop.raise(Signal::Interrupt);
    };
    let (code, ()) = tokio::join!(ana.run_until("post news hello", &stop), interrupt);
    assert_eq!(code, 130);
    assert_eq!(ana.complained()[0]["error"]["pending"], 1);
    assert_eq!(ana.files("outbox"), 1);
}

/// Another program at the node's address, or a node of another release, says nothing about what became of the post.
#[tokio::test]
async fn i1_a_post_waits_on_when_somebody_else_answers() {
    let gone = Fake::agent(vec![nobody().await], 0, 0).await;
    let mut ana = Person::log_in(&gone).await;
    assert_eq!(ana.run("--timeout 200ms post news hello").await, 6);
    let id = ana.complained()[0]["error"]["id"].clone();

    let stranger = stranger().await;
    for agents in [Fake::agent(vec![stranger.clone()], 0, 0).await.address, stranger] {
        ana.settings.agents = Some(vec![agents]);
        assert_eq!(ana.run("--timeout 2s post --resume").await, 1);
        let error = ana.complained().remove(0);
        assert_eq!((&error["error"]["code"], &error["error"]["id"]), (&"invalid".into(), &id));
        assert_eq!((ana.files("outbox"), ana.files("drafts")), (1, 0));
    }

    let articles = Articles::default();
    let node = articles.node().await;
    let agent = Fake::agent(vec![node.address.clone()], 0, 0).await;
    ana.settings.agents = Some(vec![agent.address.clone()]);
    assert_eq!(ana.run("post --resume").await, 0);
    assert_eq!(ana.printed().last().unwrap()[0]["id"], id);
    assert_eq!(articles.bodies(), ["hello"]);
}

/// Answers everybody as a web server does; its address.
async fn stranger() -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 16]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut vec![]).await; // or the reset eats the answer
        }
    });
    address
}
