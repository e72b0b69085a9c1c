//! Group commit. An area hashes to a lane; while one group of a lane is being committed the next one gathers, with no
//! artificial delay, and takes everything that is queued, of all its areas.

use crate::hub::Hub;
use db::Db;
use db::articles::{NewPost, Posted, post_group};
use db::trouble::Trouble;
use server::Failure;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wire::ErrorReply;

/// Batches queued in a lane. At a thousand groups a second the last of them waits well below a second.
const LANE_BATCHES_MAX: usize = 4_096;
/// Bytes queued in all lanes, in KiB: what a node may hold of posts that are not yet committed.
const QUEUED_KIB_MAX: usize = 32 * 1024;
/// One group: larger ones hold the counters of their areas for longer than they save.
const GROUP_POSTS_MAX: usize = 2_000;
const GROUP_BYTES_MAX: usize = 2 * 1024 * 1024;
/// What one post weighs besides its body.
const POST_OVERHEAD_BYTES: usize = 256;
const BUSY_RETRY_MS: u32 = 200;
/// Where a mistake of ours fails every group, a line a second is enough to find it.
static FAILED: Trouble = Trouble::new(1_000, 1_000);

type Outcome = Result<wire::Posted, ErrorReply>;

/// The posts of one request that go to one lane.
struct Batch {
    posts: Vec<NewPost>,
    answer: oneshot::Sender<Vec<Outcome>>,
    _room: OwnedSemaphorePermit,
}

impl Batch {
    fn bytes(&self) -> usize {
        self.posts.iter().map(weight).sum()
    }
}

fn weight(post: &NewPost) -> usize {
    post.body.len() + POST_OVERHEAD_BYTES
}

/// Posts counted as waiting, until this is dropped: also when whoever waits is given up.
struct Queued<'a> {
    counter: &'a AtomicUsize,
    posts: usize,
}

impl<'a> Queued<'a> {
    fn new(counter: &'a AtomicUsize, posts: usize) -> Self {
        counter.fetch_add(posts, Ordering::Relaxed);
        Self { counter, posts }
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.counter.fetch_sub(self.posts, Ordering::Relaxed);
    }
}

pub struct Lanes {
    senders: Vec<mpsc::Sender<Batch>>,
    room: Arc<Semaphore>,
    queued: AtomicUsize,
    closed: CancellationToken,
}

impl Lanes {
    /// Starts `count` lanes as tasks of the node. `db` is their own: posts do not wait behind reads for a connection.
    pub fn start(count: usize, db: &Db, hub: &Arc<Hub>, tasks: &mut JoinSet<()>) -> Self {
        let closed = CancellationToken::new();
        let mut senders = vec![];
        for _ in 0..count.max(1) {
            let (sender, receiver) = mpsc::channel(LANE_BATCHES_MAX);
            tasks.spawn(run_lane(receiver, db.clone(), hub.clone(), closed.clone()));
            senders.push(sender);
        }
        Self { senders, room: Arc::new(Semaphore::new(QUEUED_KIB_MAX)), queued: AtomicUsize::new(0), closed }
    }

    /// Posts that wait to be committed, or are being.
    pub fn queued_posts(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Commits these posts of one request; one outcome for each, in order.
    pub async fn commit(&self, posts: Vec<NewPost>) -> Result<Vec<Outcome>, Failure> {
        let senders = &self.senders;
        let count = posts.len();
        let _queued = Queued::new(&self.queued, count);
        let mut of_lane: Vec<(Vec<usize>, Vec<NewPost>)> =
            senders.iter().map(|_| Default::default()).collect();
        for (place, post) in posts.into_iter().enumerate() {
            let lane = post.area_id.unsigned_abs() as usize % senders.len();
            of_lane[lane].0.push(place);
            of_lane[lane].1.push(post);
        }
        // Queued in all lanes before any is waited for.
        let mut waiting = vec![];
        for (sender, (places, posts)) in senders.iter().zip(of_lane) {
            if !posts.is_empty() {
                waiting.push((places, self.enqueue(sender, posts)));
            }
        }
        let mut outcomes: Vec<Option<Outcome>> = vec![None; count];
        for (places, queued) in waiting {
            let of_batch = match queued {
                Ok(answer) => answer.await.unwrap_or_default(),
                Err(busy) => vec![Err(busy); places.len()],
            };
            for (place, outcome) in places.into_iter().zip(of_batch) {
                outcomes[place] = Some(outcome);
            }
        }
        let lost = || Err(ErrorReply::unavailable("the node stops: a repeat elsewhere is safe"));
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(lost)).collect())
    }

    fn enqueue(
        &self,
        sender: &mpsc::Sender<Batch>,
        posts: Vec<NewPost>,
    ) -> Result<oneshot::Receiver<Vec<Outcome>>, ErrorReply> {
        let busy =
            || ErrorReply::busy("this node has more posts than it can commit: try again", BUSY_RETRY_MS);
        let kib = posts.iter().map(weight).sum::<usize>().div_ceil(1024) as u32;
        let room = self.room.clone().try_acquire_many_owned(kib).map_err(|_| busy())?;
        let (answer, answered) = oneshot::channel();
        sender.try_send(Batch { posts, answer, _room: room }).map_err(|_| busy())?;
        Ok(answered)
    }

    /// The lanes finish what they have, and end.
    pub fn close(&self) {
        self.closed.cancel();
    }
}

async fn run_lane(mut queue: mpsc::Receiver<Batch>, db: Db, hub: Arc<Hub>, closed: CancellationToken) {
    let mut left_over = None;
    loop {
        let first = match left_over.take() {
            Some(batch) => batch,
            None => tokio::select! {
                biased;
                batch = queue.recv() => match batch {
                    Some(batch) => batch,
                    None => return,
                },
                () = closed.cancelled() => return,
            },
        };
        let mut group = vec![first];
        let mut posts = group[0].posts.len();
        let mut bytes = group[0].bytes();
        while let Ok(batch) = queue.try_recv() {
            posts += batch.posts.len();
            bytes += batch.bytes();
            if posts > GROUP_POSTS_MAX || bytes > GROUP_BYTES_MAX {
                left_over = Some(batch);
                break;
            }
            group.push(batch);
        }
        // Nobody hears the answer of one whose client has given up; it was not committed, and its repeat will be.
        group.retain(|batch| !batch.answer.is_closed());
        if !group.is_empty() {
            commit_group(&db, &hub, group).await;
        }
    }
}

async fn commit_group(db: &Db, hub: &Hub, mut group: Vec<Batch>) {
    let lengths: Vec<usize> = group.iter().map(|batch| batch.posts.len()).collect();
    let posts: Vec<NewPost> = group.iter_mut().flat_map(|batch| std::mem::take(&mut batch.posts)).collect();
    let results = match post_group(db, &posts).await {
        Ok(results) => results,
        // Somebody holds the counter of one of the areas: the others need not wait for him.
        Err(db::Error::HeldUp(reason)) => {
            tracing::debug!(%reason, posts = posts.len(), "group held up, trying area by area");
            in_parts(db, &posts, |a, b| a.area_id == b.area_id).await
        }
        // Something in the group makes the statement fail: alone, only that one does.
        Err(db::Error::Unexpected(reason)) => {
            if let Some(bout) = FAILED.failed(Instant::now()) {
                let (failures, elapsed_ms) = (bout.failures, bout.elapsed_ms);
                tracing::warn!(
                    reason,
                    posts = posts.len(),
                    failures,
                    elapsed_ms,
                    "group failed, trying post by post"
                );
            }
            in_parts(db, &posts, |_, _| false).await
        }
        Err(error) => {
            let failure = Failure::from(error).0;
            for (batch, length) in group.into_iter().zip(lengths) {
                let _ = batch.answer.send(vec![Err(failure.clone()); length]);
            }
            return;
        }
    };
    let mut dirty: Vec<i64> = vec![];
    let mut outcomes = posts.iter().zip(results).map(|(post, result)| {
        if matches!(result, Ok(Posted { duplicate: false, .. })) && !dirty.contains(&post.area_id) {
            dirty.push(post.area_id);
        }
        match result {
            Ok(Posted { seq, duplicate }) => Ok(wire::Posted { seq, duplicate }),
            Err(error) => Err(Failure::from(error).0),
        }
    });
    let answers: Vec<Vec<_>> =
        lengths.iter().map(|length| outcomes.by_ref().take(*length).collect()).collect();
    drop(outcomes);
    for (batch, answer) in group.into_iter().zip(answers) {
        let _ = batch.answer.send(answer);
    }
    hub.posted(&dirty);
}

/// Commits the posts part by part, those that `belong_together` at once and in their order. One outcome for each, in the
/// order of `posts`.
async fn in_parts(
    db: &Db,
    posts: &[NewPost],
    belong_together: impl Fn(&NewPost, &NewPost) -> bool,
) -> Vec<db::Result<Posted>> {
    let mut parts: Vec<Vec<usize>> = vec![];
    for (place, post) in posts.iter().enumerate() {
        match parts.iter_mut().find(|part| belong_together(&posts[part[0]], post)) {
            Some(part) => part.push(place),
            None => parts.push(vec![place]),
        }
    }
    let lost = || Err(db::Error::Unavailable("not tried any more".into()));
    let mut results: Vec<db::Result<Posted>> = posts.iter().map(|_| lost()).collect();
    for part in parts {
        let group: Vec<NewPost> = part.iter().map(|place| posts[*place].clone()).collect();
        match post_group(db, &group).await {
            Ok(outcomes) => {
                for (place, outcome) in part.into_iter().zip(outcomes) {
                    results[place] = outcome;
                }
            }
            // A repeat is safe; on to the next area. Each waited for as long as a lock may take: few lines.
            Err(db::Error::HeldUp(reason)) => {
                let area_id = posts[part[0]].area_id;
                tracing::warn!(
                    area_id,
                    posts = part.len(),
                    reason,
                    "posts held up: somebody else has locked their area"
                );
            }
            Err(db::Error::Unexpected(reason)) => {
                for place in part {
                    results[place] = Err(db::Error::Unexpected(reason.clone()));
                }
            }
            // The database itself is away: the lane must not try it once for each.
            Err(_) => break,
        }
    }
    results
}
