//! What agents are asked and answer: accounts, sessions, areas, administration, and where nodes are.

use super::{
    AgentDetails, AreaId, Leader, LoadSample, NodeDetails, Password, Seq, ServerSettings, ServerStatus,
    ServiceEvent, SettingChange, SettingDetails, Token,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AgentRequest {
    /// Makes the account and logs it in. The same name with the same password is a log-in (I10).
    Register {
        name: String,
        password: Password,
        label: String,
    },
    /// `label` is how a person recognises the session later: usually the host's name.
    Login {
        name: String,
        password: Password,
        label: String,
    },
    Logout,
    Whoami,
    /// Ends every other session of this user.
    ChangePassword {
        old: Password,
        new: Password,
    },
    /// One's own sessions.
    Sessions,
    EndSession {
        session_id: i64,
    },
    /// Ends all of one's sessions, this one included.
    EndAllSessions,
    /// Every area that is not removed, by name; `after` is the last name of the page before.
    Areas {
        after: Option<String>,
    },
    /// The subscribed areas, by name.
    Subscriptions {
        after: Option<String>,
    },
    /// Which nodes serve these areas (all given by name), best first. Without areas: any nodes.
    Where {
        areas: Vec<String>,
    },
    /// Needs the role `admin`.
    Admin(AdminRequest),
    /// A node says that its row is in the database, and which one.
    Announce {
        node_id: Uuid,
    },
    /// How this agent is, for whoever wants to know what is wrong. Answered within a second or so.
    Status,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AdminRequest {
    /// `creation_id` is made by the client, so that a repeat is recognised (I10).
    AreaAdd {
        creation_id: Uuid,
        name: String,
        settings: AreaSettings,
    },
    AreaSet {
        name: String,
        settings: AreaSettings,
    },
    /// By id (asked with `Where`), so that a repeat never removes a later area of the same name.
    AreaRemove {
        area_id: AreaId,
    },
    /// Brings the last removed area of this name back, with its articles and subscriptions, until it is purged.
    AreaRestore {
        name: String,
    },
    /// Removed ones included; `after` is the last area id of the page before.
    AreaList {
        after: Option<AreaId>,
    },
    ArticleRemove {
        area: String,
        seq: Seq,
    },
    UserList {
        after: Option<String>,
    },
    UserAdd {
        name: String,
        password: Password,
        role: Role,
    },
    /// Sets another one's password and ends all their sessions.
    UserPassword {
        name: String,
        password: Password,
    },
    UserRole {
        name: String,
        role: Role,
    },
    UserDisable {
        name: String,
    },
    UserEnable {
        name: String,
    },
    UserSessions {
        name: String,
    },
    /// Newest first; `before` is the last audit id of the page before.
    Audit {
        before: Option<i64>,
        limit: u32,
    },
    /// Nodes, with those that left or were lost lately, and what happened to them.
    NodeList,
    /// Takes the areas away from a node, named by its address or the beginning of its id. It goes on to serve whoever asks.
    NodeDrain {
        node: String,
    },
    NodeResume {
        node: String,
    },
    /// Agents, who leads, and the last events.
    AgentList,
    /// The load of the last `span_s` seconds, and of each node now.
    Load {
        span_s: u32,
    },
    SettingsList,
    /// All of these or none. With `expected_version` only if nobody has changed anything since.
    SettingsChange {
        changes: Vec<SettingChange>,
        expected_version: Option<i64>,
    },
    /// Which server runs which version.
    SettingsStatus,
    /// Long poll: answers at once if the version is another one than `version`, else waits up to `wait_ms`.
    SettingsWatch {
        version: i64,
        wait_ms: u32,
    },
}

/// What an administrator may set of an area. `None` leaves it as it is (or the default for a new area).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AreaSettings {
    pub description: Option<String>,
    /// How many nodes the area is assigned to; more for areas in demand. 1 to 16.
    pub replicas: Option<u32>,
    /// Articles older than this may expire.
    pub keep_for_s: Option<Keep>,
    /// Only so many newest articles are kept.
    pub keep_count: Option<Keep>,
}

/// A limit of retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keep {
    /// No limit, whatever the default is.
    Forever,
    Limit(u64),
    /// As the settings say for areas without a limit of their own.
    Default,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    User,
    Admin,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AgentReply {
    LoggedIn(LoggedIn),
    /// For requests that change something and have nothing to tell but whether it was so already (I10).
    Done {
        already: bool,
    },
    Whoami {
        user: String,
        role: Role,
        session_id: i64,
        service_id: Uuid,
    },
    Sessions {
        sessions: Vec<SessionSummary>,
    },
    /// How many sessions were ended (0 on a repeat).
    Ended {
        sessions: u64,
    },
    Areas {
        areas: Vec<AreaSummary>,
        more: bool,
    },
    Subscriptions {
        subscriptions: Vec<SubscriptionSummary>,
        more: bool,
    },
    Located {
        areas: Vec<AreaRef>,
        nodes: Vec<String>,
    },
    AreaChanged {
        area: AreaDetails,
        already: bool,
    },
    AreaList {
        areas: Vec<AreaDetails>,
        more: bool,
    },
    UserList {
        users: Vec<UserSummary>,
        more: bool,
    },
    Audit {
        entries: Vec<AuditEntry>,
        more: bool,
    },
    Status {
        server: ServerStatus,
        /// Nodes that clients are sent to, of all that are registered.
        nodes_live: u32,
        nodes: u32,
    },
    NodeList {
        nodes: Vec<NodeDetails>,
        /// Newest first.
        events: Vec<ServiceEvent>,
    },
    NodeChanged {
        node: NodeDetails,
        already: bool,
    },
    AgentList {
        agents: Vec<AgentDetails>,
        /// `None`: nobody leads at this moment.
        leader: Option<Leader>,
        events: Vec<ServiceEvent>,
    },
    /// Oldest first.
    Load {
        samples: Vec<LoadSample>,
        nodes: Vec<NodeDetails>,
    },
    /// In the order in which people look for them.
    Settings {
        version: i64,
        settings: Vec<SettingDetails>,
    },
    SettingsChanged {
        version: i64,
        /// Everything was as wanted.
        already: bool,
    },
    SettingsStatus {
        version: i64,
        servers: Vec<ServerSettings>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoggedIn {
    pub token: Token,
    pub session_id: i64,
    /// As written at creation.
    pub user: String,
    pub role: Role,
    /// Which installation this is: a client keeps what it saves apart by it.
    pub service_id: Uuid,
    /// With `Register`: the account was there already, with this password.
    pub already: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionSummary {
    pub session_id: i64,
    pub label: String,
    pub created_at_us: i64,
    /// Exact to five minutes.
    pub last_used_at_us: i64,
    pub expires_at_us: i64,
    /// The one that asks.
    pub current: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AreaRef {
    pub area_id: AreaId,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AreaSummary {
    pub area_id: AreaId,
    pub name: String,
    pub description: String,
    /// `None` when not subscribed.
    pub unread: Option<i64>,
    pub last_seq: Seq,
    pub replicas: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubscriptionSummary {
    pub area_id: AreaId,
    pub name: String,
    pub unread: i64,
    pub cursor: Seq,
    pub generation: i64,
    pub last_seq: Seq,
    pub expired_through: Seq,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AreaDetails {
    pub area_id: AreaId,
    pub name: String,
    pub description: String,
    pub replicas: u32,
    /// What holds for it, be it its own or the service's default. `None`: no limit.
    pub keep_for_s: Option<u64>,
    pub keep_count: Option<u64>,
    pub created_at_us: i64,
    pub removed_at_us: Option<i64>,
    pub last_seq: Seq,
    pub expired_through: Seq,
    pub subscribers: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserSummary {
    pub name: String,
    pub role: Role,
    pub created_at_us: i64,
    pub disabled_at_us: Option<i64>,
    pub sessions: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub audit_id: i64,
    pub at_us: i64,
    /// Who did it; empty for the service itself.
    pub actor: String,
    /// Like `area.add`, `user.role`.
    pub action: String,
    pub target: String,
    /// A JSON object with what was set.
    pub detail: String,
}
