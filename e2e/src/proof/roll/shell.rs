//! One person at one shell, whose client is replaced: `gaceta follow` is ended and started again as the other release's program, and
//! `gaceta post` is one release's and the other's in turns, all with the same files. Posts and what was shown are held against each other.

use super::Release;
use super::served::Served;
use crate::fleet::Fleet;
use crate::gaceta::Gaceta;
use crate::processes::Process;
use crate::service::PASSWORD;
use rustix::process::Signal;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// What it is called in tables.
pub const FOLLOW: &str = "`gaceta follow` of one shell";
const AREA: &str = "one-shell";
/// Between two posts: quick enough to be shown a hundred within half a minute, and no load by itself.
const POST_PAUSE: Duration = Duration::from_millis(150);
/// The exit code of a client that was told to end.
const TERMINATED: i32 = 143;
/// What was posted last is shown by then.
const LAST_WAIT: Duration = Duration::from_secs(60);

pub struct Shell {
    person: Gaceta,
    follow: Process,
    /// The name of its release, and how many articles it has shown.
    release: String,
    shown_by_it: usize,
    /// Numbers and texts, in the order in which they were shown.
    shown: Vec<(i64, String)>,
    stop: CancellationToken,
    posting: JoinHandle<[Served; 2]>,
    posts: Arc<Mutex<Posts>>,
}

/// What was posted.
#[derive(Default)]
struct Posts {
    acknowledged: Vec<(i64, String)>,
    faults: Vec<String>,
}

impl Shell {
    /// Begins with the first release's client.
    pub async fn start(fleet: &Fleet, releases: [&Release; 2]) -> anyhow::Result<Self> {
        let first = releases[0];
        let nobody = || Gaceta::at_all(&fleet.agent_addresses()).of_release(&first.programs);
        let admin = nobody().log_in("admin", PASSWORD).await;
        admin.json(&format!("admin area add {AREA}")).await;
        let person = nobody().register("one").await;
        person.json(&format!("subscribe {AREA}")).await;
        let (stop, posts) = (CancellationToken::new(), Arc::default());
        let clients = releases.map(|release| (release.name.clone(), person.of_release(&release.programs)));
        Ok(Self {
            follow: follow(&person),
            person,
            release: first.name.clone(),
            shown_by_it: 0,
            shown: vec![],
            posting: tokio::spawn(post(clients, stop.clone(), Arc::clone(&posts))),
            stop,
            posts,
        })
    }

    /// Takes what was shown meanwhile.
    pub fn look(&mut self) {
        while let Some(line) = self.follow.line_if_any() {
            self.take(&line);
        }
    }

    /// The one subscription, as this release's client shows it; else what it said instead.
    pub async fn subscriptions(&self, release: &Release) -> Result<Value, String> {
        let ran = self.person.of_release(&release.programs).run("--json subscriptions").await;
        let shown = serde_json::from_str::<Value>(&ran.stdout).ok();
        let one = shown.and_then(|shown| shown.as_array()?.first().cloned());
        one.filter(|_| ran.code == Some(0)).ok_or_else(|| format!("{ran:?}"))
    }

    pub fn has_shown(&self, enough: usize) -> bool {
        self.shown_by_it >= enough
    }

    fn take(&mut self, line: &str) {
        let Ok(line) = serde_json::from_str::<Value>(line) else { return };
        if let (Some(seq), Some(body)) = (line["seq"].as_i64(), line["body"].as_str()) {
            self.shown.push((seq, body.into()));
            self.shown_by_it += 1;
        }
    }

    /// Ends the client, which marks what it has shown, and starts the other release's.
    pub async fn replace(&mut self, to: &Release) -> Served {
        let served = self.end_follow().await;
        self.follow = follow(&self.person.of_release(&to.programs));
        self.release.clone_from(&to.name);
        served
    }

    async fn end_follow(&mut self) -> Served {
        if !self.follow.has_ended() {
            self.follow.signal(Signal::TERM);
        }
        let code = self.follow.end().await.code();
        while let Some(line) = self.follow.next_line().await {
            self.take(&line);
        }
        if code != Some(TERMINATED) {
            let fault = format!("{FOLLOW}, of {}, ended with {code:?}: {}", self.release, self.follow.log());
            lock(&self.posts).faults.push(fault);
        }
        let amount = std::mem::take(&mut self.shown_by_it);
        Served { process: FOLLOW.into(), release: self.release.clone(), amount, of: "articles shown" }
    }

    /// What both did, and what is wrong with it.
    pub async fn end(mut self) -> anyhow::Result<(Vec<Served>, Vec<String>)> {
        self.stop.cancel();
        let mut served = Vec::from((&mut self.posting).await?);
        let last = lock(&self.posts).acknowledged.iter().map(|(seq, _)| *seq).max();
        let begun = Instant::now();
        while self.shown.last().map(|(seq, _)| *seq) < last {
            let left = LAST_WAIT.saturating_sub(begun.elapsed());
            match timeout(left, self.follow.next_line()).await {
                Ok(Some(line)) => self.take(&line),
                Ok(None) | Err(_) => break, // what is missing is told below
            }
        }
        served.push(self.end_follow().await);
        let posts = std::mem::take(&mut *lock(&self.posts));
        let mut faults = posts.faults;
        faults.extend(differences(&posts.acknowledged, &self.shown));
        Ok((served, faults))
    }
}

fn follow(person: &Gaceta) -> Process {
    Process::start("follow", person.command(&["--json", "follow", AREA]))
}

fn lock(posts: &Mutex<Posts>) -> std::sync::MutexGuard<'_, Posts> {
    posts.lock().unwrap()
}

/// Posts, a process each, until it is told to stop.
async fn post(
    clients: [(String, Gaceta); 2],
    stop: CancellationToken,
    posts: Arc<Mutex<Posts>>,
) -> [Served; 2] {
    let mut amounts = [0, 0];
    for number in 0.. {
        let which = number % 2;
        let (release, client) = &clients[which];
        let body = format!("{number} of {release}");
        let ran = client.run_with(&["--json", "post", AREA, &body], "").await;
        let seq = serde_json::from_str::<Value>(&ran.stdout).ok().and_then(|answer| answer["seq"].as_i64());
        match (ran.code, seq) {
            (Some(0), Some(seq)) => {
                amounts[which] += 1;
                lock(&posts).acknowledged.push((seq, body));
            }
            _ => lock(&posts).faults.push(format!("`gaceta post` of {release}: {ran:?}")),
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = sleep(POST_PAUSE) => {}
        }
    }
    let of = |which: usize| Served {
        process: "`gaceta post` of one shell, a process each".into(),
        release: clients[which].0.clone(),
        amount: amounts[which],
        of: "posts",
    };
    [of(0), of(1)]
}

/// Whoever follows sees each number once, in order, with the text that was posted.
fn differences(posted: &[(i64, String)], shown: &[(i64, String)]) -> Vec<String> {
    let mut found = vec![];
    for (place, (seq, body)) in shown.iter().enumerate() {
        let expected = place as i64 + 1;
        if *seq != expected {
            found.push(format!("one shell was shown number {seq} in place of {expected}"));
            break; // all that follow are shifted
        }
        if let Some((_, text)) = posted.iter().find(|(posted, text)| posted == seq && text != body) {
            found.push(format!("one shell was shown {body:?} as number {seq}, not {text:?}"));
        }
    }
    if shown.len() != posted.len() {
        found.push(format!("one shell posted {} articles and was shown {}", posted.len(), shown.len()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(seqs: &[i64]) -> Vec<(i64, String)> {
        seqs.iter().map(|seq| (*seq, format!("text {seq}"))).collect()
    }

    #[test]
    fn what_is_missed_doubled_reordered_or_changed_is_found() {
        let posted = log(&[1, 2, 3]);
        assert_eq!(differences(&posted, &posted), Vec::<String>::new());
        for shown in [&[1, 3][..], &[1, 2, 2, 3], &[1, 3, 2], &[1, 2], &[2, 3]] {
            assert!(!differences(&posted, &log(shown)).is_empty(), "{shown:?}");
        }
        let mut changed = posted.clone();
        changed[1].1 = "another text".into();
        assert_eq!(differences(&posted, &changed).len(), 1);
    }
}
