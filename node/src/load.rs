//! How much this node does: counted as requests are answered, told to the leader as rates over the last seconds.

use crate::Node;
use db::TokenHash;
use server::{Caller, Failure};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use wire::{ErrorCode, ErrorReply, Load, NodeReply, NodeReport};

/// Rates are told over so long: about what lies between two samples of the leader, so that little happens unseen.
const WINDOW: Duration = Duration::from_secs(5);
/// Tellings remembered: one a second fills the window; a second leader, or one that asks faster, must not fill the memory.
const TELLINGS_MAX: usize = 32;

/// What was done since the start.
#[derive(Default)]
pub struct Counts {
    posts: AtomicU64,
    reads: AtomicU64,
    follows: AtomicU64,
    deletes: AtomicU64,
    others: AtomicU64,
    deliveries: AtomicU64,
    told: Mutex<VecDeque<(Instant, [u64; KINDS])>>,
}

const KINDS: usize = 6;

impl Counts {
    /// Counts a request by its answer. Checks are the service's own and do not count.
    pub fn count(&self, answer: &Result<NodeReply, Failure>) {
        let articles =
            |pages: &[wire::Page]| pages.iter().map(|page| page.articles.len() as u64).sum::<u64>();
        let (kind, amount, delivered) = match answer {
            Ok(NodeReply::Checked(_) | NodeReply::Reported(_)) => return,
            Ok(NodeReply::Posted(wire::PostedBatch { results })) => {
                let posted =
                    results.iter().filter(|result| matches!(result, Ok(posted) if !posted.duplicate));
                (&self.posts, posted.count() as u64, 0)
            }
            Ok(NodeReply::Page(page)) => (&self.reads, 1, articles(std::slice::from_ref(page))),
            Ok(NodeReply::Followed(wire::Followed { pages, .. })) => (&self.follows, 1, articles(pages)),
            Ok(NodeReply::Deleted(_)) => (&self.deletes, 1, 0),
            Ok(_) | Err(_) => (&self.others, 1, 0),
        };
        kind.fetch_add(amount, Ordering::Relaxed);
        self.deliveries.fetch_add(delivered, Ordering::Relaxed);
    }

    /// What was done a second, in the order of the counters, over the window that ends `now`.
    fn rates(&self, now: Instant) -> [f64; KINDS] {
        let counters =
            [&self.posts, &self.reads, &self.follows, &self.deletes, &self.others, &self.deliveries];
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = counters.map(|counter| counter.load(Ordering::Relaxed)); // under the lock: none is less than what was told
        // The youngest that is at least a window old is where the window begins.
        while told.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            told.pop_front();
        }
        let rates = match told.front() {
            Some((at, before)) if now > *at => {
                let elapsed_s = now.duration_since(*at).as_secs_f64();
                std::array::from_fn(|kind| (counts[kind] - before[kind]) as f64 / elapsed_s)
            }
            _ => [0.0; KINDS],
        };
        if told.len() < TELLINGS_MAX {
            told.push_back((now, counts));
        }
        rates
    }
}

/// Answers the leader's check.
pub fn report(node: &Node, caller: &Caller, request: wire::Report) -> Result<NodeReply, Failure> {
    let wire::Report {} = request;
    if caller.token_hash()? != node.check_token {
        let text = "only the agent that leads may ask this: is its database another one?";
        return Err(ErrorReply::new(ErrorCode::Denied, text).into());
    }
    node.membership.was_checked();
    let [posts_s, reads_s, follows_s, deletes_s, others_s, deliveries_s] = node.counts.rates(Instant::now());
    Ok(NodeReply::Reported(NodeReport {
        node_id: node.node_id,
        version: env!("CARGO_PKG_VERSION").to_string(),
        draining: node.is_draining(),
        settings_version: node.live.version(),
        load: Load {
            posts_s,
            reads_s,
            follows_s,
            deletes_s,
            others_s,
            deliveries_s,
            followers: node.hub.followers() as f64,
            connections: node.connections.open() as f64,
            queued_posts: node.lanes.queued_posts() as f64,
            memory_bytes: server::memory_bytes() as f64,
        },
    }))
}

/// As the service's check token is kept here.
pub async fn check_token(db: &db::Db) -> db::Result<TokenHash> {
    Ok(TokenHash::of(&db::nodes::check_token(db).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Posted;

    #[test]
    fn rates_are_of_the_last_window_however_often_they_are_asked() {
        let counts = Counts::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(counts.rates(at(0)), [0.0; KINDS], "nothing to compare with yet");
        let posted = |duplicate| Ok(Posted { seq: 1, duplicate });
        let refused = Err(ErrorReply::invalid("no"));
        let answer = Ok(NodeReply::Posted(wire::PostedBatch {
            results: vec![posted(false), posted(true), posted(false), refused],
        }));
        counts.count(&answer);
        counts.count(&Ok(NodeReply::Deleted(wire::Deleted { already: false })));
        counts.count(&Err(ErrorReply::invalid("no").into()));
        assert_eq!(counts.rates(at(500)), [4.0, 0.0, 0.0, 2.0, 2.0, 0.0]);
        for second in 1..=100 {
            for _ in 0..10 {
                counts.count(&Ok(NodeReply::Deleted(wire::Deleted { already: true })));
            }
            let rates = counts.rates(at(500 + second * 1_000));
            if second > 10 {
                assert_eq!(rates[3], 10.0, "after {second} s");
                assert_eq!(rates[0], 0.0, "after {second} s");
            }
        }
        for hurry in 0..1_000 {
            counts.rates(at(101_000 + hurry));
        }
        assert!(counts.told.lock().unwrap().len() <= TELLINGS_MAX);
    }
}
