//! Every bound of the protocol, named, with its reason (I9). A server passes its own [`Limits`] to
//! [`crate::serve::serve`], so that tests can make them small.

use crate::frame::VERSIONS;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The body of one article, in bytes of UTF-8. News, not files; eight of them still fit into a page with room.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Articles in one `Post` request. The frame bounds their bytes, this bounds the work.
pub const POSTS_PER_REQUEST_MAX: usize = 1_000;
/// What an agent reads: names, descriptions and passwords are small, and strangers may send them.
pub const AGENT_REQUEST_BYTES_MAX: usize = 16 * 1024;
/// What a node reads: a batch of posts.
pub const NODE_REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// What any server writes. What is larger comes in pages.
pub const REPLY_BYTES_MAX: usize = 1024 * 1024;
/// What the numbers of a reply may weigh, each with its body, author and id. The rest of the frame is for up to a thousand
/// areas, each with the places of its page or the reason of its end.
pub const PAGE_BYTES_MAX: usize = 880 * 1024;
/// Numbers in one `Read` or `Follow` reply.
pub const PAGE_ARTICLES_MAX: u32 = 1_000;
/// Rows in one page of a list (areas, users, audit). The largest, an audit line about an area with a description of
/// characters that JSON escapes, takes up to 3 KiB.
pub const LIST_ROWS_MAX: u32 = 300;
/// The highest number that an article may have, and the highest that a request may name: half of what fits, so that
/// nothing that is added to one overflows.
pub const SEQ_MAX: i64 = i64::MAX / 2;
/// Areas in one `Follow`, `Where` or `MarkRead`.
pub const AREAS_PER_REQUEST_MAX: usize = 1_000;
/// How long a `Follow` may wait. Below the 30 s at which common firewalls and proxies start to forget idle flows.
pub const FOLLOW_WAIT_MS_MAX: u32 = 25_000;
/// Characters of a name (area or user).
pub const NAME_CHARS_MAX: usize = 64;
/// Bytes of an area's description.
pub const DESCRIPTION_BYTES_MAX: usize = 1_024;
/// Bytes of a password: argon2 takes more, but nobody types more.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// The shortest password, in characters (NIST SP 800-63B asks for eight).
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Bytes of the label by which a person recognises a session.
pub const LABEL_BYTES_MAX: usize = 128;

/// What one server grants its peers.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The protocol versions that it speaks: all of this release, but in tests.
    pub versions: RangeInclusive<u16>,
    /// Longest request frame, in bytes after the length prefix.
    pub request_bytes_max: usize,
    /// A connection that sends nothing is closed after this.
    pub first_byte_wait: Duration,
    /// The whole request must have come by then: slow bytes do not hold a connection for ever.
    pub frame_wait: Duration,
    /// The whole reply must have been taken by then.
    pub write_wait: Duration,
    /// The longest a handler may take, whatever time the client says it has left. Longer than the longest follow.
    pub handle_wait: Duration,
    /// Connections served at once; more are answered `busy`.
    pub connections_max: usize,
    /// Bytes of unfinished requests, all peers together, and of one source address: many half-sent megabytes must
    /// not exhaust the memory, and one source must not use up what is there for all.
    pub unfinished_bytes_max: usize,
    pub unfinished_bytes_per_source_max: usize,
    /// After an early error the rest of the request is read and thrown away up to this, or the reset eats the reply.
    pub drain_bytes_max: usize,
    pub drain_wait: Duration,
    /// How long requests in progress may finish once the server was told to stop.
    pub shutdown_wait: Duration,
}

impl Limits {
    /// The defaults of the design for a server that reads requests up to `request_bytes_max`.
    pub fn new(request_bytes_max: usize) -> Self {
        Self {
            versions: VERSIONS,
            request_bytes_max,
            first_byte_wait: Duration::from_secs(5),
            frame_wait: Duration::from_secs(10),
            write_wait: Duration::from_secs(10),
            handle_wait: Duration::from_secs(30),
            connections_max: connections_max(),
            unfinished_bytes_max: 64 * 1024 * 1024,
            unfinished_bytes_per_source_max: 32 * 1024 * 1024,
            drain_bytes_max: 64 * 1024,
            drain_wait: Duration::from_secs(1),
            shutdown_wait: Duration::from_secs(8),
        }
    }
}

/// Files that are not client connections: database, listener, logs, the runtime's own; generous.
const FILES_RESERVED: u64 = 200;
/// More waiting connections than this per process should be spread over more nodes.
const CONNECTIONS_CAP: u64 = 60_000;

/// Derives the number of connections from the files that this process may have open.
fn connections_max() -> usize {
    raise_file_limit().unwrap_or(CONNECTIONS_CAP).saturating_sub(FILES_RESERVED).clamp(16, CONNECTIONS_CAP)
        as usize
}

/// Raises the soft file limit to the hard one; how many files that allows, `None` for any number.
pub fn raise_file_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current, // some systems refuse "unlimited"; what is there must do
    }
}
