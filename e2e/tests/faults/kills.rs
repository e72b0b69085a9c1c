//! I1 when processes are killed: a post arrives exactly once, or was never sent; what was acknowledged stays.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::{Deployment, Server};
use gaceta_e2e::gaceta::Gaceta;
use gaceta_e2e::processes::{Process, event, until};
use gaceta_e2e::standalone::Place;
use gaceta_e2e::{at_once, programs};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

const ABORTED: Option<i32> = Some(6);

async fn assert_nothing_pending(person: &Gaceta, when: &str) {
    assert_eq!(person.json("outbox").await, json!([]), "{when}");
    assert_eq!(person.files("outbox"), 0, "{when}");
}

#[cfg(debug_assertions)] // release builds cannot be told to die
#[tokio::test]
async fn i1_a_client_killed_at_any_step_of_a_post_posts_once_or_not_at_all() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let mut expected: HashMap<String, usize> = HashMap::new();
    for (point, arrives) in [
        ("outbox-before-write", false),
        ("outbox-written", true),
        ("before-send", true),
        ("after-send", true),
        ("after-answer", true),
        ("outbox-removed", true),
    ] {
        // What one does next: resume, or post the same again, which takes what is pending.
        for resumes in [true, false] {
            let mut posts = vec![(
                format!("post news {point}-{resumes}"),
                String::new(),
                vec![format!("{point}-{resumes}")],
            )];
            let lines: Vec<_> = (0..20).map(|n| format!("{point}-{resumes}-{n}")).collect();
            posts.push(("post news --lines".into(), lines.join("\n"), lines));
            for (line, stdin, texts) in posts {
                let args = gaceta_e2e::gaceta::words(&line);
                let killed = ana.clone().with("GACETA_TEST_ABORT_AT", point).run_with(&args, &stdin).await;
                assert_eq!((killed.signal, killed.stdout.as_str()), (ABORTED, ""), "{point}: {killed:?}");
                // After `outbox-removed` all was done but told: whoever posts again posts a second one.
                if resumes || point == "outbox-removed" {
                    for _ in 0..2 {
                        ana.json("post --resume").await;
                    }
                } else {
                    ana.json_with(&args, &stdin).await;
                }
                assert_nothing_pending(&ana, point).await;
                let there = usize::from(arrives || !resumes);
                expected.extend(texts.into_iter().map(|text| (text, there)));
            }
        }
    }
    let bodies = ana.bodies("news").await;
    for (text, times) in &expected {
        assert_eq!(bodies.iter().filter(|body| *body == text).count(), *times, "{text}");
    }
    assert_eq!(bodies.len(), expected.values().sum::<usize>(), "nothing else");
}

#[tokio::test]
async fn i1_a_client_killed_while_it_waits_for_the_answer_resumes_to_one_article() {
    let deployment = Deployment::start(1).await;
    let ana = deployment.reader("ana", "news").await;
    let node = &deployment.nodes[0].process;
    node.signal(Signal::STOP);
    let mut post = ana.start("post news hello");
    until("the post to be saved", async || (ana.files("outbox") == 1).then_some(())).await;
    post.kill().await;
    node.signal(Signal::CONT);
    // The request may be in the node's hands by now, or not: both are right.
    let resumed = ana.json("post --resume").await;
    assert_eq!(resumed[0]["seq"], 1);
    assert_nothing_pending(&ana, "resumed").await;
    assert_eq!(ana.bodies("news").await, ["hello"]);
}

#[tokio::test]
async fn i1_several_clients_on_one_outbox_send_each_post_once() {
    let deployment = Deployment::start(2).await;
    let ana = deployment.reader("ana", "news").await;
    let lines: Vec<_> = (0..50).map(|n| format!("line {n}")).collect();
    let text = lines.join("\n");
    // Nobody answers there: all of them stay pending.
    let nowhere = ana.clone().with("GACETA_AGENTS", "127.0.0.1:9");
    let error = nowhere.fails_with(&["--timeout", "300ms", "post", "news", "--lines"], &text, 6).await;
    assert_eq!(error["pending"], 50);

    // The first to come has them all in hand, and gets no answer.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let held = ana.clone().with("GACETA_AGENTS", &silent.local_addr().unwrap().to_string());
    let mut first = held.start("--timeout 25s post --resume");
    let _asked = event("the first to ask", silent.accept()).await.unwrap();
    assert_eq!(ana.json("post --resume").await, json!([]), "no post is in two hands");
    first.kill().await;

    // All at the same time: who comes second finds what is left.
    let resumes = (0..3).map(|_| ana.clone()).map(|ana| async move { ana.json("post --resume").await });
    let resumed = at_once(resumes).await;
    assert_eq!(resumed.iter().map(|sent| sent.as_array().unwrap().len()).sum::<usize>(), lines.len());
    assert_nothing_pending(&ana, "all resumed").await;
    let mut bodies = ana.bodies("news").await;
    bodies.sort();
    let mut expected = lines;
    expected.sort();
    assert_eq!(bodies, expected);
}

/// Posts one text after the other with a process each, until told to stop; keeps what was acknowledged.
async fn write(ana: Gaceta, acknowledged: Arc<Mutex<HashMap<String, i64>>>, count: watch::Sender<usize>) {
    for n in 0.. {
        let text = format!("text-{n}");
        let ran = ana.run(&format!("--json --timeout 1s post news {text}")).await;
        match ran.code {
            Some(0) => {
                let posted: Value = serde_json::from_str(&ran.stdout).unwrap();
                acknowledged.lock().unwrap().insert(text, posted["seq"].as_i64().unwrap());
                count.send_modify(|count| *count += 1);
            }
            Some(6) => return, // the service is gone: what waits is resumed
            _ => panic!("{ran:?}"),
        }
    }
}

#[tokio::test]
async fn i1_standalone_killed_while_people_post_loses_and_doubles_nothing() {
    programs::directory();
    let place = Place::new();
    let start = async |listen: &str| {
        let args = ["--no-prompt", "--listen", listen];
        let mut process = Process::start("standalone", place.standalone(&args));
        let address = process.ready("agent").await;
        Server { process, address }
    };
    let mut standalone = start("127.0.0.1:0").await;
    let listen = standalone.address.to_string();
    let admin = Gaceta::logged_in(standalone.address, "admin", &place.admin_password()).await;
    admin.json("admin area add news").await;
    let mut writers = vec![];
    for name in ["ana", "bob"] {
        let person = Gaceta::registered(standalone.address, name).await;
        person.json("subscribe news").await;
        writers.push((name, person));
    }

    for round in 1..=3 {
        // Texts of a round are a person's own; the outboxes are, too.
        let acknowledged: Vec<_> = writers.iter().map(|_| Arc::new(Mutex::new(HashMap::new()))).collect();
        let before = admin_articles(&admin).await.len();
        let (count, mut counted) = watch::channel(0);
        let writing = writers.iter().zip(&acknowledged);
        let tasks: Vec<_> = writing
            .map(|((_, person), kept)| tokio::spawn(write(person.clone(), kept.clone(), count.clone())))
            .collect();
        counted.wait_for(|count| *count >= 8 * round).await.unwrap();
        standalone.process.kill().await;
        for task in tasks {
            task.await.unwrap();
        }

        standalone = start(&listen).await;
        let mut waited = 0;
        for (_, person) in &writers {
            waited += person.files("outbox");
            person.json("post --resume").await;
            assert_nothing_pending(person, "resumed").await;
        }
        assert_eq!(waited, writers.len(), "each had one post on its way");
        let articles = admin_articles(&admin).await;
        let acknowledged: Vec<_> = acknowledged.iter().map(|kept| kept.lock().unwrap().clone()).collect();
        let count: usize = acknowledged.iter().map(HashMap::len).sum();
        assert_eq!(articles.len(), before + count + writers.len(), "round {round}: each exactly once");
        for ((name, _), kept) in writers.iter().zip(acknowledged) {
            for (text, seq) in kept {
                let article = &articles[seq as usize - 1];
                assert_eq!((article["seq"].as_i64(), article["author"].as_str()), (Some(seq), Some(*name)));
                assert_eq!(
                    article["body"].as_str(),
                    Some(text.as_str()),
                    "round {round}: what was acknowledged"
                );
            }
        }
        let verified = admin.json("verify news").await;
        assert_eq!((&verified["missing"], &verified["damaged"]), (&json!([]), &json!([])), "I2");
        assert_eq!(verified["kept"], articles.len());
    }
    assert_eq!(standalone.process.terminate().await, Some(0));
    assert_eq!(place.running(), Vec::<String>::new());
}

async fn admin_articles(admin: &Gaceta) -> Vec<Value> {
    admin.run("subscribe news").await;
    let read = admin.json("read news --all --keep --limit 100000").await;
    read["articles"].as_array().unwrap().clone()
}
