//! Group reading, for readers and for followers, as posts are committed in groups: while one group is read the next one gathers, with no artificial delay.
//! A statement costs PostgreSQL far more than one reader's share of it, and marks that come together are synced together.

use db::Db;
use db::reading::{Answer, Read, read_group};
use server::Failure;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wire::ErrorReply;
use wire::limits::PAGE_BYTES_MAX;

/// Groups read at the same time: while one waits for its marks to be synced the other one reads.
const READERS: usize = 2;
/// Reads that wait. At some thousands a second the last one waits for a second.
const WAITING_MAX: usize = 4_096;
/// One group: what a statement costs by itself is a small part of it then, and the pages of all, were they as large as pages
/// can be, are some 28 MiB.
const GROUP_READS_MAX: usize = 32;
const BUSY_RETRY_MS: u32 = 200;

type Outcome = Result<Answer, ErrorReply>;

struct Waiting {
    read: Read,
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
        let busy = |_| ErrorReply::busy("this node has more to read than it can: try again", BUSY_RETRY_MS);
        self.sender.try_send(Waiting { read, answer }).map_err(busy)?;
        let stops = |_| ErrorReply::unavailable("the node stops: ask another one");
        Ok(answered.await.map_err(stops)??)
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
    // Nobody hears the answer of one whose client has given up.
    group.retain(|waiting| !waiting.answer.is_closed());
    group
}

async fn answer_group(db: &Db, group: Vec<Waiting>) {
    let (reads, answers): (Vec<Read>, Vec<_>) =
        group.into_iter().map(|waiting| (waiting.read, waiting.answer)).unzip();
    let pages = match read_group(db, &reads, PAGE_BYTES_MAX as i64).await {
        Ok(pages) => pages,
        // Somebody holds the subscription of one of them, or one makes the statement fail: the others need not suffer it.
        Err(error @ (db::Error::HeldUp(_) | db::Error::Unexpected(_))) if reads.len() > 1 => {
            tracing::warn!(%error, reads = reads.len(), "group not read, trying one by one");
            let mut pages = vec![];
            for read in &reads {
                let alone = read_group(db, std::slice::from_ref(read), PAGE_BYTES_MAX as i64).await;
                pages.push(alone.and_then(|mut pages| pages.remove(0)));
            }
            pages
        }
        Err(error) => {
            let failure = Failure::from(error).0;
            for answer in answers {
                let _ = answer.send(Err(failure.clone()));
            }
            return;
        }
    };
    for (answer, page) in answers.into_iter().zip(pages) {
        let _ = answer.send(page.map_err(|error| Failure::from(error).0));
    }
}
