//! Group reading, for readers and for followers, as posts are committed in groups: while one group is read the next one gathers, with no artificial delay.
//! A statement costs PostgreSQL far more than one reader's share of it, and marks that come together are synced together.

use db::Db;
use db::reading::{Answer, Read, read_group};
use db::trouble::Trouble;
use server::Failure;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wire::ErrorReply;
use wire::limits::PAGE_BYTES_MAX;

/// Groups read at the same time: while one waits for its marks to be synced the other one reads.
const READERS: usize = 2;
/// Reads that wait, some 200 bytes each: so many followers of one area may come back at once.
const WAITING_MAX: usize = 16_384;
/// Whoever has waited longer than this is told that the node is busy: he may have given up, and nothing tells.
const WAIT_MS_MAX: u64 = 2_000;
/// One group: what a statement costs by itself is a small part of it then, and the pages of all, were they as large as pages
/// can be, are some 14 MiB, and as much again while they are taken from what the driver holds.
const GROUP_READS_MAX: usize = 16;
const BUSY_RETRY_MS: u32 = 200;
/// Where a mistake of ours fails every group, a line a second is enough to find it.
static NOT_READ: Trouble = Trouble::new(1_000, 1_000);

type Outcome = Result<Answer, ErrorReply>;

struct Waiting {
    read: Read,
    since: Instant,
    answer: oneshot::Sender<Outcome>,
}

pub struct Readers {
    sender: mpsc::Sender<Waiting>,
    closed: CancellationToken,
}

impl Readers {
    /// Starts them as tasks of the node.
    pub fn start(db: &Db, tasks: &mut JoinSet<()>) -> Self {
        let closed = CancellationToken::new();
        let (sender, queue) = mpsc::channel(WAITING_MAX);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..READERS {
            tasks.spawn(run(queue.clone(), db.clone(), closed.clone()));
        }
        Self { sender, closed }
    }

    /// One page, read together with what else is read just then.
    pub async fn read(&self, read: Read) -> Result<Answer, Failure> {
        let (answer, answered) = oneshot::channel();
        let stops = || ErrorReply::unavailable("the node stops: ask another one");
        self.sender.try_send(Waiting { read, since: Instant::now(), answer }).map_err(
            |error| match error {
                TrySendError::Full(_) => busy(),
                TrySendError::Closed(_) => stops(),
            },
        )?;
        Ok(answered.await.map_err(|_| stops())??)
    }

    /// They finish what they have, and end.
    pub fn close(&self) {
        self.closed.cancel();
    }
}

async fn run(queue: Arc<Mutex<mpsc::Receiver<Waiting>>>, db: Db, closed: CancellationToken) {
    loop {
        let group = tokio::select! {
            biased;
            group = gather(&queue) => group,
            () = closed.cancelled() => return,
        };
        if !group.is_empty() {
            answer_group(&db, group).await;
        }
    }
}

/// Waits for one, and takes whoever waits with it.
async fn gather(queue: &Mutex<mpsc::Receiver<Waiting>>) -> Vec<Waiting> {
    let mut queue = queue.lock().await;
    let mut group = vec![];
    queue.recv_many(&mut group, GROUP_READS_MAX).await;
    drop(queue);
    let (group, late): (Vec<_>, Vec<_>) =
        group.into_iter().partition(|waiting| waiting.since.elapsed() < Duration::from_millis(WAIT_MS_MAX));
    for waiting in late {
        let _ = waiting.answer.send(Err(busy()));
    }
    group
}

fn busy() -> ErrorReply {
    ErrorReply::busy("this node has more to read than it can: try again", BUSY_RETRY_MS)
}

async fn answer_group(db: &Db, group: Vec<Waiting>) {
    let (reads, answers): (Vec<Read>, Vec<_>) =
        group.into_iter().map(|waiting| (waiting.read, waiting.answer)).unzip();
    match read_group(db, &reads, PAGE_BYTES_MAX as i64).await {
        Ok(pages) => {
            for (answer, page) in answers.into_iter().zip(pages) {
                let _ = answer.send(page.map_err(|error| Failure::from(error).0));
            }
        }
        // Somebody holds the subscription of one of them, or one makes the statement fail: the others need not suffer it.
        Err(error @ (db::Error::HeldUp(_) | db::Error::Unexpected(_))) if reads.len() > 1 => {
            if let Some(bout) = NOT_READ.failed(Instant::now()) {
                let (failures, elapsed_ms) = (bout.failures, bout.elapsed_ms);
                tracing::warn!(%error, reads = reads.len(), failures, elapsed_ms, "group not read, trying one by one");
            }
            one_by_one(db, &reads, answers).await;
        }
        Err(error) => refuse(answers, error),
    }
}

async fn one_by_one(db: &Db, reads: &[Read], answers: Vec<oneshot::Sender<Outcome>>) {
    let mut answers = answers.into_iter();
    for (read, answer) in reads.iter().zip(answers.by_ref()) {
        match read_group(db, std::slice::from_ref(read), PAGE_BYTES_MAX as i64).await {
            Ok(mut pages) => {
                let _ = answer.send(pages.remove(0).map_err(|error| Failure::from(error).0));
            }
            Err(error @ (db::Error::HeldUp(_) | db::Error::Unexpected(_))) => refuse([answer], error),
            // The database itself is away: it must not be tried once for each.
            Err(error) => {
                refuse([answer], error);
                break;
            }
        }
    }
    refuse(answers, db::Error::Unavailable("not tried any more".into()));
}

fn refuse(answers: impl IntoIterator<Item = oneshot::Sender<Outcome>>, error: db::Error) {
    let failure = Failure::from(error).0;
    for answer in answers {
        let _ = answer.send(Err(failure.clone()));
    }
}
