//! Reading: each request marks what the one before has shown, and reads the next page.

use super::closed_loop::{self, Trouble};
use super::exchange::ask;
use super::{Load, Measured};
use crate::people::Crowd;
use std::net::SocketAddr;
use uuid::Uuid;
use wire::{NodeReply, NodeRequest, ReadFrom, Shown};

/// Whoever has read all of his area makes room for the next person of the same one, who has read nothing yet.
pub fn run(load: &Load, nodes: &[SocketAddr], crowd: &Crowd, page: u32) -> anyhow::Result<Measured> {
    anyhow::ensure!(
        load.clients.is_multiple_of(crowd.areas),
        "people who take turns must read the same area"
    );
    closed_loop::run(load, |client| {
        let node = nodes[client % nodes.len()];
        let (crowd, step) = (*crowd, load.clients);
        let area_id = crowd.area(client);
        let mut person = client;
        let reading_id = Uuid::now_v7();
        let mut shown: Option<Shown> = None;
        async move || {
            if person >= crowd.people {
                return Err(Trouble::Failed("everybody has read everything: more people or articles".into()));
            }
            let request =
                NodeRequest::Read(wire::Read { area_id, from: ReadFrom::Unread, limit: page, shown });
            let NodeReply::Page(read) = ask(node, crowd.token(person), request).await? else {
                return Err(Trouble::Failed("not the answer to a read".into()));
            };
            if read.articles.len() != page as usize {
                return Err(Trouble::Failed(format!("{} articles in a page", read.articles.len())));
            }
            shown = Some(Shown { from: read.from, upto: read.upto, generation: read.generation, reading_id });
            if !read.more {
                person += step;
                shown = None;
            }
            Ok(u64::from(page))
        }
    })
}
