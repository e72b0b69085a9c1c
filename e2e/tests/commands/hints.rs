//! What helps somebody on: "did you mean", help that belongs to no command, and the manual.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::gaceta::Gaceta;
use serde_json::json;

#[tokio::test]
async fn a_name_that_is_nearly_right_is_answered_with_the_right_one() {
    let deployment = Deployment::start(1).await;
    let (ana, admin) = (deployment.reader("ana", "news").await, deployment.admin().await);
    for line in [
        "subscribe nwes",
        "unsubscribe nwes",
        "read nwes",
        "catchup nwes",
        "undo nwes",
        "follow news nwes",
        "post nwes text",
        "post --in nwes text",
        "delete nwes#1",
        "verify nwes",
    ] {
        let error = ana.fails(line, 3).await;
        assert_eq!(error["message"], "no area \"nwes\": did you mean \"news\"?", "{line}");
    }
    for line in ["admin area set nwes --replicas 2", "admin area rm nwes --confirm nwes"] {
        let error = admin.fails(line, 3).await;
        assert_eq!(error["message"], "no area \"nwes\": did you mean \"news\"?", "{line}");
    }
    for line in ["admin user role anna admin", "admin user disable anna", "admin user sessions anna"] {
        let error = admin.fails(line, 3).await;
        assert_eq!(error["message"], "no user \"anna\": did you mean \"ana\"?", "{line}");
    }
    // What is like nothing keeps the service's hint; what was found keeps its own error.
    let error = ana.fails("read weather", 3).await;
    assert_eq!(error["message"], "no area \"weather\": `areas` lists them");
    let error = ana.fails("delete news#7", 3).await;
    assert!(!error["message"].as_str().unwrap().contains("did you mean"), "{error}");
    let error = ana.fails("reda", 2).await;
    assert!(error["message"].as_str().unwrap().contains("'read'"), "{error}");
    let error = ana.fails("post news --line", 2).await;
    assert!(error["message"].as_str().unwrap().contains("'--lines'"), "{error}");
}

#[tokio::test]
async fn topics_and_the_manual_need_no_service() {
    let nobody = Gaceta::at("127.0.0.1:1".parse().unwrap());
    for (topic, words) in [("exit-codes", "130  interrupted"), ("environment", "GACETA_TOKEN")] {
        for line in [format!("help {topic}"), topic.to_owned()] {
            let ran = nobody.run(&line).await;
            assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{line}");
            assert!(ran.stdout.contains(words) && !ran.stdout.contains("Usage"), "{line}: {ran:?}");
        }
    }
    let page = nobody.run("man").await.stdout;
    assert!(page.contains(".TH gaceta 1") && page.contains("GACETA_TOKEN"), "{page}");
    let dir = nobody.state().join("man");
    let written = nobody.json_with(&["man", "--dir", dir.to_str().unwrap()], "").await;
    let files = written["files"].as_array().unwrap();
    assert!(files.contains(&json!(dir.join("gaceta-admin-area-add.1").to_str().unwrap())), "{written}");
    for file in files {
        let page = std::fs::read_to_string(file.as_str().unwrap()).unwrap();
        assert!(page.contains(".TH gaceta") && page.contains(".SH SYNOPSIS"), "{file}");
    }
    assert_eq!(nobody.fails("man --dir /dev/null/x", 1).await["code"], "local");
}
