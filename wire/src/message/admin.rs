//! What administrators ask agents: areas, users, nodes, settings.

use super::{AreaId, Password, Role, Seq, SettingChange};
use uuid::Uuid;

closed! {
    pub enum AdminRequest {
        AreaAdd(AreaAdd),
        AreaSet(AreaSet),
        AreaRemove(AreaRemove),
        AreaRestore(AreaRestore),
        AreaList(AreaList),
        ArticleRemove(ArticleRemove),
        UserList(UserList),
        UserAdd(UserAdd),
        UserPassword(UserPassword),
        UserRole(UserRole),
        UserDisable(UserDisable),
        UserEnable(UserEnable),
        UserSessions(UserSessions),
        Audit(Audit),
        NodeList(NodeList),
        NodeDrain(NodeDrain),
        NodeResume(NodeResume),
        AgentList(AgentList),
        Load(LoadList),
        SettingsList(SettingsList),
        SettingsChange(SettingsChange),
        SettingsStatus(SettingsStatus),
        SettingsWatch(SettingsWatch),
    }
}

record! {
    /// `creation_id` is made by the client, so that a repeat is recognised (I10).
    pub struct AreaAdd {
        pub creation_id: Uuid,
        pub name: String,
        pub settings: AreaSettings,
    }
}

record! {
    pub struct AreaSet {
        pub name: String,
        pub settings: AreaSettings,
    }
}

record! {
    /// By id (asked with `Where`), so that a repeat never removes a later area of the same name.
    pub struct AreaRemove {
        pub area_id: AreaId,
    }
}

record! {
    /// Brings the last removed area of this name back, with its articles and subscriptions, until it is purged.
    pub struct AreaRestore {
        pub name: String,
    }
}

record! {
    /// Removed ones included; `after` is the last area id of the page before.
    pub struct AreaList {
        pub after: Option<AreaId>,
    }
}

record! {
    pub struct ArticleRemove {
        pub area: String,
        pub seq: Seq,
    }
}

record! {
    pub struct UserList {
        pub after: Option<String>,
    }
}

record! {
    pub struct UserAdd {
        pub name: String,
        pub password: Password,
        pub role: Role,
    }
}

record! {
    /// Sets another one's password and ends all their sessions.
    pub struct UserPassword {
        pub name: String,
        pub password: Password,
    }
}

record! {
    pub struct UserRole {
        pub name: String,
        pub role: Role,
    }
}

record! {
    pub struct UserDisable {
        pub name: String,
    }
}

record! {
    pub struct UserEnable {
        pub name: String,
    }
}

record! {
    pub struct UserSessions {
        pub name: String,
    }
}

record! {
    /// Newest first; `before` is the last audit id of the page before.
    pub struct Audit {
        pub before: Option<i64>,
        pub limit: u32,
    }
}

record! {
    /// Nodes, with those that left or were lost lately, and what happened to them.
    pub struct NodeList {}
}

record! {
    /// Takes the areas away from a node, named by its address or the beginning of its id. It goes on to serve whoever asks.
    pub struct NodeDrain {
        pub node: String,
    }
}

record! {
    pub struct NodeResume {
        pub node: String,
    }
}

record! {
    /// Agents, who leads, and the last events.
    pub struct AgentList {}
}

record! {
    /// The load of the last `span_s` seconds, and of each node now.
    pub struct LoadList {
        pub span_s: u32,
    }
}

record! {
    pub struct SettingsList {}
}

record! {
    /// All of these or none. With `expected_version` only if nobody has changed anything since.
    pub struct SettingsChange {
        pub changes: Vec<SettingChange>,
        pub expected_version: Option<i64>,
    }
}

record! {
    /// Which server runs which version.
    pub struct SettingsStatus {}
}

record! {
    /// Long poll: answers at once if the version is another one than `version`, else waits up to `wait_ms`.
    pub struct SettingsWatch {
        pub version: i64,
        pub wait_ms: u32,
    }
}

record! {
    /// What an administrator may set of an area. `None` leaves it as it is (or the default for a new area).
    #[derive(Default)]
    pub struct AreaSettings {
        pub description: Option<String>,
        /// How many nodes the area is assigned to; more for areas in demand. 1 to 16.
        pub replicas: Option<u32>,
        /// Articles older than this may expire.
        pub keep_for_s: Option<Keep>,
        /// Only so many newest articles are kept.
        pub keep_count: Option<Keep>,
    }
}

choice! {
    /// A limit of retention.
    pub enum Keep {
        /// No limit, whatever the default is.
        Forever = 0,
        Limit(u64) = 1,
        /// As the settings say for areas without a limit of their own.
        Default = 2,
    }
}
