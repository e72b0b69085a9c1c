//! What agents are asked and answer: accounts, sessions, areas, administration, and where nodes are.

use super::{
    AdminRequest, AgentDetails, AreaId, Leader, LoadSample, NodeDetails, Password, Seq, ServerSettings,
    ServerStatus, ServiceEvent, SettingDetails, Token,
};
use uuid::Uuid;

closed! {
    pub enum AgentRequest {
        Register(Register),
        Login(Login),
        Logout(Logout),
        Whoami(Whoami),
        ChangePassword(ChangePassword),
        Sessions(Sessions),
        EndSession(EndSession),
        EndAllSessions(EndAllSessions),
        Areas(Areas),
        Subscriptions(Subscriptions),
        Where(Where),
        /// Needs the role `admin`.
        Admin(AdminRequest),
        Announce(Announce),
        Status(Status),
    }
}

record! {
    /// Makes the account and logs it in. The same name with the same password is a log-in (I10).
    pub struct Register {
        pub name: String,
        pub password: Password,
        pub label: String,
    }
}

record! {
    /// `label` is how a person recognises the session later: usually the host's name.
    pub struct Login {
        pub name: String,
        pub password: Password,
        pub label: String,
    }
}

record! {
    pub struct Logout {}
}

record! {
    pub struct Whoami {}
}

record! {
    /// Ends every other session of this user.
    pub struct ChangePassword {
        pub old: Password,
        pub new: Password,
    }
}

record! {
    /// One's own sessions.
    pub struct Sessions {}
}

record! {
    pub struct EndSession {
        pub session_id: i64,
    }
}

record! {
    /// Ends all of one's sessions, this one included.
    pub struct EndAllSessions {}
}

record! {
    /// Every area that is not removed, by name; `after` is the last name of the page before.
    pub struct Areas {
        pub after: Option<String>,
    }
}

record! {
    /// The subscribed areas, by name.
    pub struct Subscriptions {
        pub after: Option<String>,
    }
}

record! {
    /// Which nodes serve these areas (all given by name), best first. Without areas: any nodes.
    pub struct Where {
        pub areas: Vec<String>,
    }
}

record! {
    /// A node says that its row is in the database, and which one.
    pub struct Announce {
        pub node_id: Uuid,
    }
}

record! {
    /// How this agent, or this node, is, for whoever wants to know what is wrong. Answered within a second or so.
    pub struct Status {}
}

value! {
    pub enum Role {
        User = "user",
        Admin = "admin",
    }
}

closed! {
    pub enum AgentReply {
        LoggedIn(LoggedIn),
        Done(Done),
        Identified(Identified),
        SessionsListed(SessionsListed),
        Ended(Ended),
        AreasListed(AreasListed),
        SubscriptionsListed(SubscriptionsListed),
        Located(Located),
        AreaChanged(AreaChanged),
        AreaDetailsListed(AreaDetailsListed),
        UsersListed(UsersListed),
        AuditListed(AuditListed),
        Status(AgentStatus),
        NodesListed(NodesListed),
        NodeChanged(NodeChanged),
        AgentsListed(AgentsListed),
        LoadListed(LoadListed),
        SettingsListed(SettingsListed),
        SettingsChanged(SettingsChanged),
        SettingsStatusListed(SettingsStatusListed),
    }
}

record! {
    /// For requests that change something and have nothing to tell but whether it was so already (I10).
    pub struct Done {
        pub already: bool,
    }
}

record! {
    pub struct Identified {
        pub user: String,
        pub role: Role,
        pub session_id: i64,
        pub service_id: Uuid,
    }
}

record! {
    pub struct SessionsListed {
        pub sessions: Vec<SessionSummary>,
    }
}

record! {
    /// How many sessions were ended (0 on a repeat).
    pub struct Ended {
        pub sessions: u64,
    }
}

record! {
    pub struct AreasListed {
        pub areas: Vec<AreaSummary>,
        pub more: bool,
    }
}

record! {
    pub struct SubscriptionsListed {
        pub subscriptions: Vec<SubscriptionSummary>,
        pub more: bool,
    }
}

record! {
    pub struct Located {
        pub areas: Vec<AreaRef>,
        pub nodes: Vec<String>,
    }
}

record! {
    pub struct AreaChanged {
        pub area: AreaDetails,
        pub already: bool,
    }
}

record! {
    pub struct AreaDetailsListed {
        pub areas: Vec<AreaDetails>,
        pub more: bool,
    }
}

record! {
    pub struct UsersListed {
        pub users: Vec<UserSummary>,
        pub more: bool,
    }
}

record! {
    pub struct AuditListed {
        pub entries: Vec<AuditEntry>,
        pub more: bool,
    }
}

record! {
    pub struct AgentStatus {
        pub server: ServerStatus,
        /// Nodes that clients are sent to, of all that are registered.
        pub nodes_live: u32,
        pub nodes: u32,
    }
}

record! {
    pub struct NodesListed {
        pub nodes: Vec<NodeDetails>,
        /// Newest first.
        pub events: Vec<ServiceEvent>,
    }
}

record! {
    pub struct NodeChanged {
        pub node: NodeDetails,
        pub already: bool,
    }
}

record! {
    pub struct AgentsListed {
        pub agents: Vec<AgentDetails>,
        /// `None`: nobody leads at this moment.
        pub leader: Option<Leader>,
        pub events: Vec<ServiceEvent>,
    }
}

record! {
    /// Oldest first.
    pub struct LoadListed {
        pub samples: Vec<LoadSample>,
        pub nodes: Vec<NodeDetails>,
    }
}

record! {
    /// In the order in which people look for them.
    pub struct SettingsListed {
        pub version: i64,
        pub settings: Vec<SettingDetails>,
    }
}

record! {
    pub struct SettingsChanged {
        pub version: i64,
        /// Everything was as wanted.
        pub already: bool,
    }
}

record! {
    pub struct SettingsStatusListed {
        pub version: i64,
        pub servers: Vec<ServerSettings>,
    }
}

record! {
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
}

record! {
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
}

record! {
    pub struct AreaRef {
        pub area_id: AreaId,
        pub name: String,
    }
}

record! {
    pub struct AreaSummary {
        pub area_id: AreaId,
        pub name: String,
        pub description: String,
        /// `None` when not subscribed.
        pub unread: Option<i64>,
        pub last_seq: Seq,
        pub replicas: u32,
    }
}

record! {
    pub struct SubscriptionSummary {
        pub area_id: AreaId,
        pub name: String,
        pub unread: i64,
        pub cursor: Seq,
        pub generation: i64,
        pub last_seq: Seq,
        pub expired_through: Seq,
    }
}

record! {
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
}

record! {
    pub struct UserSummary {
        pub name: String,
        pub role: Role,
        pub created_at_us: i64,
        pub disabled_at_us: Option<i64>,
        pub sessions: i64,
    }
}

record! {
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
}
