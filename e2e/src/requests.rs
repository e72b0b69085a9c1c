//! One request of every kind. The matches below do not compile when a kind is added and forgotten here.

use crate::person::Answer;
use crate::service::PASSWORD;
use uuid::Uuid;
use wire::{
    AdminRequest, AgentRequest, AreaId, AreaSettings, ErrorCode, FollowArea, Mark, NodeReply, NodeRequest,
    Password, Post, ReadFrom, Role, SettingChange, Shown,
};

/// The code with which a node refused, also where the answer has a place for each post, mark or area.
pub fn refusal(answer: Answer<NodeReply>) -> ErrorCode {
    let refused = match answer {
        Err(error) => error,
        Ok(NodeReply::Posted { mut results }) => results.remove(0).expect_err("refused"),
        Ok(NodeReply::Marked { mut cursors }) => cursors.remove(0).expect_err("refused"),
        Ok(NodeReply::Followed { pages, mut ended }) if pages.is_empty() => ended.remove(0).error,
        Ok(other) => panic!("{other:?}"),
    };
    refused.code
}

/// Every request to a node that acts for somebody, about `area_id`.
pub fn node_requests(area_id: AreaId) -> Vec<NodeRequest> {
    let shown = Shown { from: 1, upto: 1, generation: 1, reading_id: Uuid::now_v7() };
    let operation_id = Uuid::now_v7();
    let requests = vec![
        NodeRequest::Subscribe { area_id, from_start: false },
        NodeRequest::Post { posts: vec![Post { area_id, id: Uuid::now_v7(), body: "no".into() }] },
        NodeRequest::Delete { area_id, seq: 1 },
        NodeRequest::Read { area_id, from: ReadFrom::Start, limit: 10, shown: Some(shown) },
        NodeRequest::MarkRead { marks: vec![Mark { area_id, shown }] },
        NodeRequest::CatchUp { area_id, operation_id },
        NodeRequest::Undo { area_id, operation_id },
        NodeRequest::Follow {
            areas: vec![FollowArea { area_id, after: 0, shown: Some(shown) }],
            wait_ms: 20_000,
        },
        NodeRequest::Verify { area_id, after: 0 },
        NodeRequest::Unsubscribe { area_id },
    ];
    let kinds = requests.iter().filter(|request| match request {
        NodeRequest::Subscribe { .. }
        | NodeRequest::Unsubscribe { .. }
        | NodeRequest::Post { .. }
        | NodeRequest::Delete { .. }
        | NodeRequest::Read { .. }
        | NodeRequest::MarkRead { .. }
        | NodeRequest::CatchUp { .. }
        | NodeRequest::Undo { .. }
        | NodeRequest::Follow { .. }
        | NodeRequest::Verify { .. } => true,
        NodeRequest::Check => false,  // open to everyone
        NodeRequest::Status => false, // about no area
        NodeRequest::Report => false, // the leader's, by a token of the service's own
    });
    assert_eq!(kinds.count(), 10);
    requests
}

/// Every request to an agent that acts for somebody, but for administrators' requests. Logging out is not among them:
/// ending what has ended is no error (I10).
pub fn agent_requests() -> Vec<AgentRequest> {
    let password = || Password(PASSWORD.into());
    let requests = vec![
        AgentRequest::Whoami,
        AgentRequest::ChangePassword { old: password(), new: password() },
        AgentRequest::Sessions,
        AgentRequest::EndSession { session_id: 1 },
        AgentRequest::EndAllSessions,
        AgentRequest::Areas { after: None },
        AgentRequest::Subscriptions { after: None },
        AgentRequest::Where { areas: vec![] },
        AgentRequest::Status,
    ];
    let kinds = requests.iter().filter(|request| match request {
        AgentRequest::Whoami
        | AgentRequest::ChangePassword { .. }
        | AgentRequest::Sessions
        | AgentRequest::EndSession { .. }
        | AgentRequest::EndAllSessions
        | AgentRequest::Areas { .. }
        | AgentRequest::Subscriptions { .. }
        | AgentRequest::Where { .. }
        | AgentRequest::Status => true,
        AgentRequest::Register { .. } | AgentRequest::Login { .. } | AgentRequest::Logout => false,
        AgentRequest::Announce { .. } => false, // nodes, known by their row in the database
        AgentRequest::Admin(_) => false,        // below
    });
    assert_eq!(kinds.count(), 9);
    requests
}

/// Every administrator's request, about an area `news` and a user `ana`.
pub fn admin_requests(area_id: AreaId) -> Vec<AdminRequest> {
    let name = || "ana".to_string();
    let area = || "news".to_string();
    let password = || Password("another password".into());
    let settings = AreaSettings { description: Some("changed".into()), ..AreaSettings::default() };
    let requests = vec![
        AdminRequest::AreaAdd {
            creation_id: Uuid::now_v7(),
            name: "other".into(),
            settings: settings.clone(),
        },
        AdminRequest::AreaSet { name: area(), settings },
        AdminRequest::AreaRemove { area_id },
        AdminRequest::AreaRestore { name: area() },
        AdminRequest::AreaList { after: None },
        AdminRequest::ArticleRemove { area: area(), seq: 1 },
        AdminRequest::UserList { after: None },
        AdminRequest::UserAdd { name: "new".into(), password: password(), role: Role::Admin },
        AdminRequest::UserPassword { name: name(), password: password() },
        AdminRequest::UserRole { name: name(), role: Role::Admin },
        AdminRequest::UserDisable { name: name() },
        AdminRequest::UserEnable { name: name() },
        AdminRequest::UserSessions { name: name() },
        AdminRequest::Audit { before: None, limit: 10 },
        AdminRequest::NodeList,
        AdminRequest::NodeDrain { node: "127.0.0.1:1".into() },
        AdminRequest::NodeResume { node: "127.0.0.1:1".into() },
        AdminRequest::AgentList,
        AdminRequest::Load { span_s: 60 },
        AdminRequest::SettingsList,
        AdminRequest::SettingsChange {
            changes: vec![SettingChange { name: "registration".into(), value: Some("closed".into()) }],
            expected_version: None,
        },
        AdminRequest::SettingsStatus,
        AdminRequest::SettingsWatch { version: 0, wait_ms: 1 },
    ];
    let kinds = requests.iter().filter(|request| match request {
        AdminRequest::AreaAdd { .. }
        | AdminRequest::AreaSet { .. }
        | AdminRequest::AreaRemove { .. }
        | AdminRequest::AreaRestore { .. }
        | AdminRequest::AreaList { .. }
        | AdminRequest::ArticleRemove { .. }
        | AdminRequest::UserList { .. }
        | AdminRequest::UserAdd { .. }
        | AdminRequest::UserPassword { .. }
        | AdminRequest::UserRole { .. }
        | AdminRequest::UserDisable { .. }
        | AdminRequest::UserEnable { .. }
        | AdminRequest::UserSessions { .. }
        | AdminRequest::Audit { .. }
        | AdminRequest::NodeList
        | AdminRequest::NodeDrain { .. }
        | AdminRequest::NodeResume { .. }
        | AdminRequest::AgentList
        | AdminRequest::Load { .. }
        | AdminRequest::SettingsList
        | AdminRequest::SettingsChange { .. }
        | AdminRequest::SettingsStatus
        | AdminRequest::SettingsWatch { .. } => true,
    });
    assert_eq!(kinds.count(), 23);
    requests
}
