//! How many people there are, and what they do to themselves.

use std::time::Duration;

/// How many of each.
#[derive(Debug, Clone)]
pub struct Crowd {
    pub areas: usize,
    pub writers: usize,
    pub followers: usize,
    pub readers: usize,
    pub guests: usize,
    /// Writers who send each post through all nodes at the same time.
    pub twins: usize,
    /// Followers and writers that are processes of the client.
    pub follow_processes: usize,
    pub post_processes: usize,
    /// Whether followers and processes of the client are killed now and then.
    pub has_crashes: bool,
    /// A writer's pause between two posts, in milliseconds.
    pub pause_ms: (u64, u64),
    /// How long readers may take to see everything once all is well. It decides nothing but when to give up.
    pub quiet_wait: Duration,
}

impl Crowd {
    /// What the targets ask for: at least 8 writers, 32 followers, 16 areas. The pauses leave room on two busy cores.
    pub fn whole() -> Self {
        Self { has_crashes: true, ..Self::steady() }
    }

    /// The same, without accidents of their own: where what the service does to people is measured.
    pub fn steady() -> Self {
        Self {
            areas: 16,
            writers: 7,
            followers: 26,
            readers: 3,
            guests: 2,
            twins: 1,
            follow_processes: 6,
            post_processes: 2,
            has_crashes: false,
            pause_ms: (60, 500),
            quiet_wait: Duration::from_secs(60),
        }
    }

    /// As many, who do less: two cores carry them and a whole service beside.
    pub fn lean() -> Self {
        Self { pause_ms: (300, 1_500), ..Self::steady() }
    }
}
