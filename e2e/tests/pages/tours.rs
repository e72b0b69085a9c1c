//! The tours of `docs/tours/`: what their pages show is what people see. `TOUR_UPDATE=1` records them anew instead.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::tour::{record, replay};
use std::path::Path;

async fn tour(page: &str) {
    let deployment = Deployment::start(2).await;
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tours").join(page);
    match std::env::var_os("TOUR_UPDATE") {
        Some(_) => record(&page, &deployment).await,
        None => replay(&page, &deployment).await,
    }
}

#[tokio::test]
async fn a_newcomers_first_five_minutes() {
    tour("newcomer.md").await;
}

#[tokio::test]
async fn an_administrators_day() {
    tour("administrator.md").await;
}

#[tokio::test]
async fn a_reader_on_two_devices() {
    tour("two-devices.md").await;
}

#[tokio::test]
async fn a_page_that_is_recorded_anew_changes_only_where_replaying_would_see_another_screen() {
    let screen = |text: &str| format!("```text\n{text}\n```\n");
    let asked = screen("Password for admin:");
    // Wider than it is, and with what people are told while they wait.
    let same =
        screen("Password for admin:\n… waiting for an agent: no answer yet\nLogged in  as   admin (admin).");
    let page = |added: &str| {
        format!(
            "**admin** runs `gaceta login admin`\n{asked}Her password:\n\n**admin** types `correct horse`\n{same}\n\
             **admin** runs `gaceta admin area add news`\n{added}The end.\n"
        )
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("page.md");
    let (another, none) = (screen("news subtracted."), String::new());
    for before in [another, none] {
        std::fs::write(&path, page(&before)).unwrap();
        record(&path, &Deployment::start(1).await).await;
        assert_eq!(std::fs::read_to_string(&path).unwrap(), page(&screen("news added.")));
    }
}
