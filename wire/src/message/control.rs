//! What administrators are told of the service itself: its nodes and agents, who leads, how it goes, its settings.

use uuid::Uuid;

record! {
    /// How much a node does; also the sum and the mean over nodes, hence no whole numbers.
    #[derive(Copy, Default)]
    pub struct Load {
        /// Articles posted a second.
        pub posts_s: f64,
        /// Requests of these kinds a second.
        pub reads_s: f64,
        pub follows_s: f64,
        pub deletes_s: f64,
        pub others_s: f64,
        /// Articles given to readers and followers a second.
        pub deliveries_s: f64,
        /// Followers that wait.
        pub followers: f64,
        /// Connections that are open.
        pub connections: f64,
        /// Posts that wait to be committed.
        pub queued_posts: f64,
        /// Resident.
        pub memory_bytes: f64,
    }
}

record! {
    /// What a node answers its leader.
    pub struct NodeReport {
        pub node_id: Uuid,
        pub version: String,
        /// It is about to stop.
        pub draining: bool,
        /// The version of the settings that it runs; `None` before it has read any.
        pub settings_version: Option<i64>,
        pub load: Load,
    }
}

value! {
    pub enum NodeState {
        /// Registered, not yet checked.
        Announced = "announced",
        /// Clients are sent there.
        Live = "live",
        /// It missed its checks.
        Out = "out",
        /// It said good-bye.
        Left = "left",
    }
}

record! {
    pub struct NodeDetails {
        pub node_id: Uuid,
        pub address: String,
        pub version: String,
        pub state: NodeState,
        pub state_at_us: i64,
        pub started_at_us: i64,
        /// Since when an administrator wants it to have no areas.
        pub drained_at_us: Option<i64>,
        /// Areas that are assigned to it.
        pub areas: u64,
        pub settings_version: Option<i64>,
        /// Its last sample, if it has one.
        pub load: Option<Load>,
        pub load_at_us: Option<i64>,
    }
}

record! {
    pub struct AgentDetails {
        pub agent_id: Uuid,
        pub address: String,
        pub version: String,
        pub started_at_us: i64,
        /// When it last wrote that it lives.
        pub seen_at_us: i64,
        /// It wrote so lately.
        pub live: bool,
        pub settings_version: Option<i64>,
    }
}

record! {
    /// Who leads, and since when.
    pub struct Leader {
        pub agent_id: Uuid,
        pub epoch: i64,
        pub taken_at_us: i64,
        pub expires_at_us: i64,
    }
}

record! {
    /// What the service did by itself.
    pub struct ServiceEvent {
        pub event_id: i64,
        pub at_us: i64,
        /// Of the leader that did it.
        pub epoch: Option<i64>,
        /// Like `node.out`, `leader.elected`.
        pub kind: String,
        pub subject: String,
        /// A JSON object.
        pub detail: String,
    }
}

record! {
    /// The load of all live nodes at one moment.
    pub struct LoadSample {
        pub at_us: i64,
        /// Of the leader that wrote it.
        pub epoch: i64,
        pub nodes: u32,
        pub sum: Load,
        pub mean: Load,
    }
}

record! {
    /// A setting, its values as text like people write them.
    pub struct SettingDetails {
        pub name: String,
        pub value: String,
        pub default: String,
        /// Since when it has another value than the default; `None` where nobody has set it.
        pub changed_at_us: Option<i64>,
        /// What values there are, like `open or closed`.
        pub allowed: String,
        /// What it is for, in one line.
        pub help: String,
    }
}

record! {
    /// `None` puts it back to its default.
    pub struct SettingChange {
        pub name: String,
        pub value: Option<String>,
    }
}

value! {
    pub enum ServerKind {
        Agent = "agent",
        Node = "node",
    }
}

record! {
    /// Which version of the settings a server runs.
    pub struct ServerSettings {
        pub kind: ServerKind,
        pub id: Uuid,
        pub address: String,
        /// `None`: it has not told yet.
        pub version: Option<i64>,
    }
}
