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
        Ok(NodeReply::Posted(wire::PostedBatch { mut results })) => results.remove(0).expect_err("refused"),
        Ok(NodeReply::Marked(wire::Marked { mut cursors })) => cursors.remove(0).expect_err("refused"),
        Ok(NodeReply::Followed(wire::Followed { pages, mut ended })) if pages.is_empty() => {
            ended.remove(0).error
        }
        Ok(other) => panic!("{other:?}"),
    };
    refused.code
}

/// Every request to a node that acts for somebody, about `area_id`.
pub fn node_requests(area_id: AreaId) -> Vec<NodeRequest> {
    let shown = Shown { from: 1, upto: 1, generation: 1, reading_id: Uuid::now_v7() };
    let operation_id = Uuid::now_v7();
    let requests = vec![
        NodeRequest::Subscribe(wire::Subscribe { area_id, from_start: false }),
        NodeRequest::Post(wire::PostBatch {
            posts: vec![Post { area_id, id: Uuid::now_v7(), body: "no".into() }],
        }),
        NodeRequest::Delete(wire::Delete { area_id, seq: 1 }),
        NodeRequest::Read(wire::Read { area_id, from: ReadFrom::Start, limit: 10, shown: Some(shown) }),
        NodeRequest::MarkRead(wire::MarkRead { marks: vec![Mark { area_id, shown }] }),
        NodeRequest::CatchUp(wire::CatchUp { area_id, operation_id }),
        NodeRequest::Undo(wire::Undo { area_id, operation_id }),
        NodeRequest::Follow(wire::Follow {
            areas: vec![FollowArea { area_id, after: 0, shown: Some(shown) }],
            wait_ms: 20_000,
        }),
        NodeRequest::Verify(wire::Verify { area_id, after: 0 }),
        NodeRequest::Unsubscribe(wire::Unsubscribe { area_id }),
    ];
    let kinds = requests.iter().filter(|request| match request {
        NodeRequest::Subscribe(_)
        | NodeRequest::Unsubscribe(_)
        | NodeRequest::Post(_)
        | NodeRequest::Delete(_)
        | NodeRequest::Read(_)
        | NodeRequest::MarkRead(_)
        | NodeRequest::CatchUp(_)
        | NodeRequest::Undo(_)
        | NodeRequest::Follow(_)
        | NodeRequest::Verify(_) => true,
        NodeRequest::Check(wire::Check {}) => false, // open to everyone
        NodeRequest::Status(wire::Status {}) => false, // about no area
        NodeRequest::Report(wire::Report {}) => false, // the leader's, by a token of the service's own
    });
    assert_eq!(kinds.count(), 10);
    requests
}

/// Every request to an agent that acts for somebody, but for administrators' requests. Logging out is not among them:
/// ending what has ended is no error (I10).
pub fn agent_requests() -> Vec<AgentRequest> {
    let password = || Password(PASSWORD.into());
    let requests = vec![
        AgentRequest::Whoami(wire::Whoami {}),
        AgentRequest::ChangePassword(wire::ChangePassword { old: password(), new: password() }),
        AgentRequest::Sessions(wire::Sessions {}),
        AgentRequest::EndSession(wire::EndSession { session_id: 1 }),
        AgentRequest::EndAllSessions(wire::EndAllSessions {}),
        AgentRequest::Areas(wire::Areas { after: None }),
        AgentRequest::Subscriptions(wire::Subscriptions { after: None }),
        AgentRequest::Where(wire::Where { areas: vec![] }),
        AgentRequest::Status(wire::Status {}),
    ];
    let kinds = requests.iter().filter(|request| match request {
        AgentRequest::Whoami(wire::Whoami {})
        | AgentRequest::ChangePassword(_)
        | AgentRequest::Sessions(wire::Sessions {})
        | AgentRequest::EndSession(_)
        | AgentRequest::EndAllSessions(wire::EndAllSessions {})
        | AgentRequest::Areas(_)
        | AgentRequest::Subscriptions(_)
        | AgentRequest::Where(_)
        | AgentRequest::Status(wire::Status {}) => true,
        AgentRequest::Register(_) | AgentRequest::Login(_) | AgentRequest::Logout(wire::Logout {}) => false,
        AgentRequest::Announce(_) => false, // nodes, known by their row in the database
        AgentRequest::Admin(_) => false,    // below
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
        AdminRequest::AreaAdd(wire::AreaAdd {
            creation_id: Uuid::now_v7(),
            name: "other".into(),
            settings: settings.clone(),
        }),
        AdminRequest::AreaSet(wire::AreaSet { name: area(), settings }),
        AdminRequest::AreaRemove(wire::AreaRemove { area_id }),
        AdminRequest::AreaRestore(wire::AreaRestore { name: area() }),
        AdminRequest::AreaList(wire::AreaList { after: None }),
        AdminRequest::ArticleRemove(wire::ArticleRemove { area: area(), seq: 1 }),
        AdminRequest::UserList(wire::UserList { after: None }),
        AdminRequest::UserAdd(wire::UserAdd { name: "new".into(), password: password(), role: Role::Admin }),
        AdminRequest::UserPassword(wire::UserPassword { name: name(), password: password() }),
        AdminRequest::UserRole(wire::UserRole { name: name(), role: Role::Admin }),
        AdminRequest::UserDisable(wire::UserDisable { name: name() }),
        AdminRequest::UserEnable(wire::UserEnable { name: name() }),
        AdminRequest::UserSessions(wire::UserSessions { name: name() }),
        AdminRequest::Audit(wire::Audit { before: None, limit: 10 }),
        AdminRequest::NodeList(wire::NodeList {}),
        AdminRequest::NodeDrain(wire::NodeDrain { node: "127.0.0.1:1".into() }),
        AdminRequest::NodeResume(wire::NodeResume { node: "127.0.0.1:1".into() }),
        AdminRequest::AgentList(wire::AgentList {}),
        AdminRequest::Load(wire::LoadList { span_s: 60 }),
        AdminRequest::SettingsList(wire::SettingsList {}),
        AdminRequest::SettingsChange(wire::SettingsChange {
            changes: vec![SettingChange { name: "registration".into(), value: Some("closed".into()) }],
            expected_version: None,
        }),
        AdminRequest::SettingsStatus(wire::SettingsStatus {}),
        AdminRequest::SettingsWatch(wire::SettingsWatch { version: 0, wait_ms: 1 }),
    ];
    let kinds = requests.iter().filter(|request| match request {
        AdminRequest::AreaAdd(_)
        | AdminRequest::AreaSet(_)
        | AdminRequest::AreaRemove(_)
        | AdminRequest::AreaRestore(_)
        | AdminRequest::AreaList(_)
        | AdminRequest::ArticleRemove(_)
        | AdminRequest::UserList(_)
        | AdminRequest::UserAdd(_)
        | AdminRequest::UserPassword(_)
        | AdminRequest::UserRole(_)
        | AdminRequest::UserDisable(_)
        | AdminRequest::UserEnable(_)
        | AdminRequest::UserSessions(_)
        | AdminRequest::Audit(_)
        | AdminRequest::NodeList(wire::NodeList {})
        | AdminRequest::NodeDrain(_)
        | AdminRequest::NodeResume(_)
        | AdminRequest::AgentList(wire::AgentList {})
        | AdminRequest::Load(_)
        | AdminRequest::SettingsList(wire::SettingsList {})
        | AdminRequest::SettingsChange(_)
        | AdminRequest::SettingsStatus(wire::SettingsStatus {})
        | AdminRequest::SettingsWatch(_) => true,
    });
    assert_eq!(kinds.count(), 23);
    requests
}
