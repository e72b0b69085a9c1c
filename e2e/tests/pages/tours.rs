//! The tours of `docs/tours/`: what their pages show is what people see.
#![allow(clippy::unwrap_used)]

use gaceta_e2e::deployment::Deployment;
use gaceta_e2e::tour::replay;
use std::path::Path;

async fn tour(page: &str) {
    let deployment = Deployment::start(2).await;
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tours");
    replay(&pages.join(page), &deployment).await;
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
