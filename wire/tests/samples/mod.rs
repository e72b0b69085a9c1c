//! At least one message of every variant, with every field set to something of its own, so that two fields that change
//! places change the bytes. Used by the golden bytes and by what mistreats messages.
//!
//! A new variant does not compile until it stands in a list below, and `golden.rs` fails until it has a sample.

#![allow(dead_code)] // not every test that has samples counts them

use gaceta_wire::*;
use uuid::Uuid;

/// A message with the name that it has in `golden.txt`.
pub struct Sample<T> {
    pub name: String,
    pub message: T,
}

/// Names every variant of an enum, in the order of the wire, and gives the name of a value.
macro_rules! variants {
    ($function:ident, $all:ident, $type:ident: $($variant:ident)+) => {
        pub const $all: &[&str] = &[$(stringify!($variant)),+];
        pub fn $function(value: &$type) -> &'static str {
            match value { $($type::$variant { .. } => stringify!($variant)),+ }
        }
    };
}

variants!(agent_request, AGENT_REQUESTS, AgentRequest:
    Register Login Logout Whoami ChangePassword Sessions EndSession EndAllSessions Areas Subscriptions Where Admin
    Announce Status);
variants!(admin_request, ADMIN_REQUESTS, AdminRequest:
    AreaAdd AreaSet AreaRemove AreaRestore AreaList ArticleRemove UserList UserAdd UserPassword UserRole UserDisable
    UserEnable UserSessions Audit NodeList NodeDrain NodeResume AgentList Load SettingsList SettingsChange
    SettingsStatus SettingsWatch);
variants!(node_request, NODE_REQUESTS, NodeRequest:
    Check Subscribe Unsubscribe Post Delete Read MarkRead CatchUp Undo Follow Verify Status Report);
variants!(agent_reply, AGENT_REPLIES, AgentReply:
    LoggedIn Done Whoami Sessions Ended Areas Subscriptions Located AreaChanged AreaList UserList Audit
    Status NodeList NodeChanged AgentList Load Settings SettingsChanged SettingsStatus);
variants!(node_reply, NODE_REPLIES, NodeReply:
    Checked Subscribed Unsubscribed Posted Deleted Page Marked CursorMoved Followed Verified Status
    Reported);
variants!(error_code, ERROR_CODES, ErrorCode:
    Invalid TooLarge Unauthenticated Denied NotFound Conflict Busy Unavailable Draining);
variants!(role, ROLES, Role: User Admin);
variants!(keep, KEEPS, Keep: Forever Limit Default);
variants!(node_state, NODE_STATES, NodeState: Announced Live Out Left);
variants!(server_kind, SERVER_KINDS, ServerKind: Agent Node);
variants!(read_from, READ_FROMS, ReadFrom: Unread Start After);
variants!(verified_state, VERIFIED_STATES, VerifiedState: Kept Deleted Expired Missing Damaged);

const REQUEST_ID: Uuid = Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0001);
const SOME_ID: Uuid = Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0002);
const OTHER_ID: Uuid = Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0003);
const AREA: AreaId = AreaId(7);
const AT_US: i64 = 1_700_000_000_000_000;

fn token() -> Token {
    Token(std::array::from_fn(|at| at as u8))
}

fn password(text: &str) -> Password {
    Password(text.into())
}

pub fn requests() -> Vec<Sample<Request>> {
    let agent = agent_requests().into_iter().map(|(note, message)| {
        let name = match &message {
            AgentRequest::Admin(request) => format!("request admin {}", admin_request(request)),
            other => format!("request agent {}", agent_request(other)),
        };
        (name + note, RequestBody::Agent(message))
    });
    let node = node_requests().into_iter().map(|(note, message)| {
        (format!("request node {}{note}", node_request(&message)), RequestBody::Node(message))
    });
    let with_token = |(name, body): (String, RequestBody)| {
        // These are asked before there is a session, or by a server that has none.
        let strangers = ["Register", "Login", "Announce", "Check"];
        let token = (!strangers.iter().any(|stranger| name.ends_with(stranger))).then(token);
        Sample { message: Request { request_id: REQUEST_ID, token, remaining_ms: 5_000, body }, name }
    };
    agent.chain(node).map(with_token).collect()
}

pub fn agent_requests() -> Vec<(&'static str, AgentRequest)> {
    let mut requests = vec![
        (
            "",
            AgentRequest::Register {
                name: "Ana".into(),
                password: password("correct horse"),
                label: "laptop".into(),
            },
        ),
        (
            "",
            AgentRequest::Login {
                name: "Ana".into(),
                password: password("correct horse"),
                label: "laptop".into(),
            },
        ),
        ("", AgentRequest::Logout),
        ("", AgentRequest::Whoami),
        (
            "",
            AgentRequest::ChangePassword { old: password("correct horse"), new: password("battery staple") },
        ),
        ("", AgentRequest::Sessions),
        ("", AgentRequest::EndSession { session_id: 300 }),
        ("", AgentRequest::EndAllSessions),
        (" (first page)", AgentRequest::Areas { after: None }),
        (" (next page)", AgentRequest::Areas { after: Some("news".into()) }),
        ("", AgentRequest::Subscriptions { after: Some("Año nuevo".into()) }),
        ("", AgentRequest::Where { areas: vec!["news".into(), "weather".into()] }),
        (" (any node)", AgentRequest::Where { areas: vec![] }),
    ];
    requests.extend(admin_requests().into_iter().map(|(note, request)| (note, AgentRequest::Admin(request))));
    requests.push(("", AgentRequest::Announce { node_id: SOME_ID }));
    requests.push(("", AgentRequest::Status));
    requests
}

pub fn admin_requests() -> Vec<(&'static str, AdminRequest)> {
    let settings = AreaSettings {
        description: Some("what happens".into()),
        replicas: Some(3),
        keep_for_s: Some(Keep::Limit(7_776_000)),
        keep_count: Some(Keep::Forever),
    };
    let unchanged = AreaSettings { description: None, replicas: None, keep_for_s: None, keep_count: None };
    vec![
        ("", AdminRequest::AreaAdd { creation_id: SOME_ID, name: "news".into(), settings: settings.clone() }),
        ("", AdminRequest::AreaSet { name: "news".into(), settings }),
        (" (nothing set)", AdminRequest::AreaSet { name: "news".into(), settings: unchanged.clone() }),
        (
            " (the service's default)",
            AdminRequest::AreaSet {
                name: "news".into(),
                settings: AreaSettings { keep_for_s: Some(Keep::Default), ..unchanged },
            },
        ),
        ("", AdminRequest::AreaRemove { area_id: AREA }),
        ("", AdminRequest::AreaRestore { name: "news".into() }),
        (" (first page)", AdminRequest::AreaList { after: None }),
        (" (next page)", AdminRequest::AreaList { after: Some(AREA) }),
        ("", AdminRequest::ArticleRemove { area: "news".into(), seq: 41 }),
        ("", AdminRequest::UserList { after: Some("Ana".into()) }),
        (
            "",
            AdminRequest::UserAdd {
                name: "Ben".into(),
                password: password("correct horse"),
                role: Role::Admin,
            },
        ),
        ("", AdminRequest::UserPassword { name: "Ben".into(), password: password("correct horse") }),
        (" (user)", AdminRequest::UserRole { name: "Ben".into(), role: Role::User }),
        (" (admin)", AdminRequest::UserRole { name: "Ben".into(), role: Role::Admin }),
        ("", AdminRequest::UserDisable { name: "Ben".into() }),
        ("", AdminRequest::UserEnable { name: "Ben".into() }),
        ("", AdminRequest::UserSessions { name: "Ben".into() }),
        ("", AdminRequest::Audit { before: Some(1_000), limit: 50 }),
        ("", AdminRequest::NodeList),
        ("", AdminRequest::NodeDrain { node: "10.0.0.5:8005".into() }),
        ("", AdminRequest::NodeResume { node: "0197".into() }),
        ("", AdminRequest::AgentList),
        ("", AdminRequest::Load { span_s: 600 }),
        ("", AdminRequest::SettingsList),
        (
            "",
            AdminRequest::SettingsChange {
                changes: vec![
                    SettingChange { name: "registration".into(), value: Some("closed".into()) },
                    SettingChange { name: "keep_count".into(), value: None },
                ],
                expected_version: Some(7),
            },
        ),
        ("", AdminRequest::SettingsStatus),
        ("", AdminRequest::SettingsWatch { version: 7, wait_ms: 25_000 }),
    ]
}

fn shown() -> Shown {
    Shown { from: 41, upto: 57, generation: 2, reading_id: SOME_ID }
}

pub fn node_requests() -> Vec<(&'static str, NodeRequest)> {
    let post = |id, body: &str| Post { area_id: AREA, id, body: body.into() };
    vec![
        ("", NodeRequest::Check),
        ("", NodeRequest::Subscribe { area_id: AREA, from_start: true }),
        ("", NodeRequest::Unsubscribe { area_id: AREA }),
        ("", NodeRequest::Post { posts: vec![post(SOME_ID, "Hello")] }),
        (
            " (a batch)",
            NodeRequest::Post { posts: vec![post(SOME_ID, "¡Hola! 日本"), post(OTHER_ID, "two\nlines")] },
        ),
        ("", NodeRequest::Delete { area_id: AREA, seq: 41 }),
        (
            " (unread)",
            NodeRequest::Read { area_id: AREA, from: ReadFrom::Unread, limit: 100, shown: Some(shown()) },
        ),
        (" (start)", NodeRequest::Read { area_id: AREA, from: ReadFrom::Start, limit: 1_000, shown: None }),
        (" (after)", NodeRequest::Read { area_id: AREA, from: ReadFrom::After(57), limit: 10, shown: None }),
        ("", NodeRequest::MarkRead { marks: vec![Mark { area_id: AREA, shown: shown() }] }),
        ("", NodeRequest::CatchUp { area_id: AREA, operation_id: SOME_ID }),
        ("", NodeRequest::Undo { area_id: AREA, operation_id: OTHER_ID }),
        (
            "",
            NodeRequest::Follow {
                areas: vec![
                    FollowArea { area_id: AREA, after: 57, shown: Some(shown()) },
                    FollowArea { area_id: AreaId(8), after: 0, shown: None },
                ],
                wait_ms: 25_000,
            },
        ),
        ("", NodeRequest::Verify { area_id: AREA, after: 5_000 }),
        ("", NodeRequest::Status),
        ("", NodeRequest::Report),
        // Not that anybody asks for these: every width of an integer, and both signs.
        (" (1 byte, the most)", NodeRequest::Verify { area_id: AreaId(125), after: -125 }),
        (" (2 bytes)", NodeRequest::Verify { area_id: AreaId(126), after: -126 }),
        (" (4 bytes)", NodeRequest::Verify { area_id: AreaId(32_768), after: -32_769 }),
        (" (8 bytes)", NodeRequest::Verify { area_id: AreaId(i64::MAX), after: i64::MIN }),
    ]
}

pub fn replies() -> Vec<Sample<Reply>> {
    let sample = |name, result| Sample { name, message: Reply { request_id: REQUEST_ID, result } };
    let agent = agent_replies().into_iter().map(|(note, message)| {
        sample(format!("reply agent {}{note}", agent_reply(&message)), Ok(ReplyBody::Agent(message)))
    });
    let node = node_replies().into_iter().map(|(note, message)| {
        sample(format!("reply node {}{note}", node_reply(&message)), Ok(ReplyBody::Node(message)))
    });
    let errors =
        errors().into_iter().map(|error| sample(format!("error {}", error_code(&error.code)), Err(error)));
    agent.chain(node).chain(errors).collect()
}

pub fn errors() -> Vec<ErrorReply> {
    let error = |code| ErrorReply { code, message: "why".into(), retry_after_ms: None };
    vec![
        error(ErrorCode::Invalid),
        error(ErrorCode::TooLarge),
        error(ErrorCode::Unauthenticated),
        error(ErrorCode::Denied),
        error(ErrorCode::NotFound),
        error(ErrorCode::Conflict),
        ErrorReply { retry_after_ms: Some(500), ..error(ErrorCode::Busy) },
        error(ErrorCode::Unavailable),
        error(ErrorCode::Draining),
    ]
}

fn area_details() -> AreaDetails {
    AreaDetails {
        area_id: AREA,
        name: "news".into(),
        description: "what happens".into(),
        replicas: 3,
        keep_for_s: Some(7_776_000),
        keep_count: Some(10_000),
        created_at_us: AT_US,
        removed_at_us: Some(AT_US + 1),
        last_seq: 57,
        expired_through: 12,
        subscribers: 4,
    }
}

pub fn agent_replies() -> Vec<(&'static str, AgentReply)> {
    vec![
        (
            "",
            AgentReply::LoggedIn(LoggedIn {
                token: token(),
                session_id: 300,
                user: "Ana".into(),
                role: Role::User,
                service_id: OTHER_ID,
                already: true,
            }),
        ),
        ("", AgentReply::Done { already: true }),
        (
            "",
            AgentReply::Whoami {
                user: "Ana".into(),
                role: Role::Admin,
                session_id: 300,
                service_id: OTHER_ID,
            },
        ),
        (
            "",
            AgentReply::Sessions {
                sessions: vec![SessionSummary {
                    session_id: 300,
                    label: "laptop".into(),
                    created_at_us: AT_US,
                    last_used_at_us: AT_US + 1,
                    expires_at_us: AT_US + 2,
                    current: true,
                }],
            },
        ),
        ("", AgentReply::Ended { sessions: 3 }),
        (
            "",
            AgentReply::Areas {
                areas: vec![
                    AreaSummary {
                        area_id: AREA,
                        name: "news".into(),
                        description: "what happens".into(),
                        unread: Some(16),
                        last_seq: 57,
                        replicas: 3,
                    },
                    AreaSummary {
                        area_id: AreaId(8),
                        name: "weather".into(),
                        description: String::new(),
                        unread: None,
                        last_seq: 0,
                        replicas: 1,
                    },
                ],
                more: true,
            },
        ),
        (
            "",
            AgentReply::Subscriptions {
                subscriptions: vec![SubscriptionSummary {
                    area_id: AREA,
                    name: "news".into(),
                    unread: 16,
                    cursor: 41,
                    generation: 2,
                    last_seq: 57,
                    expired_through: 12,
                }],
                more: false,
            },
        ),
        (
            "",
            AgentReply::Located {
                areas: vec![AreaRef { area_id: AREA, name: "news".into() }],
                nodes: vec!["10.0.0.1:8005".into(), "node-2:8005".into()],
            },
        ),
        ("", AgentReply::AreaChanged { area: area_details(), already: false }),
        ("", AgentReply::AreaList { areas: vec![area_details()], more: true }),
        (
            "",
            AgentReply::UserList {
                users: vec![UserSummary {
                    name: "Ben".into(),
                    role: Role::User,
                    created_at_us: AT_US,
                    disabled_at_us: Some(AT_US + 1),
                    sessions: 2,
                }],
                more: false,
            },
        ),
        (
            "",
            AgentReply::Audit {
                entries: vec![AuditEntry {
                    audit_id: 999,
                    at_us: AT_US,
                    actor: "Ana".into(),
                    action: "user.role".into(),
                    target: "Ben".into(),
                    detail: r#"{"role":"admin"}"#.into(),
                }],
                more: true,
            },
        ),
        ("", AgentReply::Status { server: server_status(), nodes_live: 2, nodes: 3 }),
        (
            "",
            AgentReply::NodeList {
                nodes: vec![
                    node_details(NodeState::Announced),
                    node_details(NodeState::Live),
                    node_details(NodeState::Out),
                    NodeDetails {
                        drained_at_us: None,
                        settings_version: None,
                        load: None,
                        load_at_us: None,
                        ..node_details(NodeState::Left)
                    },
                ],
                events: vec![event()],
            },
        ),
        ("", AgentReply::NodeChanged { node: node_details(NodeState::Live), already: true }),
        (
            "",
            AgentReply::AgentList {
                agents: vec![AgentDetails {
                    agent_id: SOME_ID,
                    address: "10.0.0.4:8000".into(),
                    version: "0.1.0".into(),
                    started_at_us: AT_US,
                    seen_at_us: AT_US + 1,
                    live: true,
                    settings_version: Some(7),
                }],
                leader: Some(Leader {
                    agent_id: SOME_ID,
                    epoch: 3,
                    taken_at_us: AT_US + 2,
                    expires_at_us: AT_US + 3,
                }),
                events: vec![event()],
            },
        ),
        (" (nobody leads)", AgentReply::AgentList { agents: vec![], leader: None, events: vec![] }),
        (
            "",
            AgentReply::Load {
                samples: vec![LoadSample {
                    at_us: AT_US,
                    epoch: 3,
                    nodes: 2,
                    sum: load(100.0),
                    mean: load(50.0),
                }],
                nodes: vec![node_details(NodeState::Live)],
            },
        ),
        (
            "",
            AgentReply::Settings {
                version: 7,
                settings: vec![SettingDetails {
                    name: "registration".into(),
                    value: "closed".into(),
                    default: "open".into(),
                    changed_at_us: Some(AT_US),
                    allowed: "open or closed".into(),
                    help: "Who may make an account.".into(),
                }],
            },
        ),
        ("", AgentReply::SettingsChanged { version: 8, already: true }),
        (
            "",
            AgentReply::SettingsStatus {
                version: 8,
                servers: vec![
                    ServerSettings {
                        kind: ServerKind::Agent,
                        id: SOME_ID,
                        address: "10.0.0.4:8000".into(),
                        version: Some(8),
                    },
                    ServerSettings {
                        kind: ServerKind::Node,
                        id: OTHER_ID,
                        address: "10.0.0.5:8005".into(),
                        version: None,
                    },
                ],
            },
        ),
    ]
}

/// Each field another value, from `first` on.
fn load(first: f64) -> Load {
    Load {
        posts_s: first,
        reads_s: first + 1.0,
        follows_s: first + 2.0,
        deletes_s: first + 3.0,
        others_s: first + 4.0,
        deliveries_s: first + 5.0,
        followers: first + 6.0,
        connections: first + 7.0,
        queued_posts: first + 8.0,
        memory_bytes: first + 9.5,
    }
}

fn node_details(state: NodeState) -> NodeDetails {
    NodeDetails {
        node_id: OTHER_ID,
        address: "10.0.0.5:8005".into(),
        version: "0.1.0".into(),
        state,
        state_at_us: AT_US,
        started_at_us: AT_US + 1,
        drained_at_us: Some(AT_US + 2),
        areas: 12,
        settings_version: Some(7),
        load: Some(load(1.0)),
        load_at_us: Some(AT_US + 3),
    }
}

fn event() -> ServiceEvent {
    ServiceEvent {
        event_id: 9,
        at_us: AT_US,
        epoch: Some(3),
        kind: "node.out".into(),
        subject: "10.0.0.5:8005".into(),
        detail: "{}".into(),
    }
}

fn server_status() -> ServerStatus {
    ServerStatus {
        version: "0.1.0".into(),
        uptime_s: 86_400,
        now_us: AT_US,
        database_now_us: AT_US + 1,
        database_us: 700,
    }
}

fn page() -> Page {
    Page {
        area_id: AREA,
        from: 42,
        upto: 44,
        generation: 2,
        cursor: 41,
        last_seq: 57,
        expired_through: 12,
        articles: vec![
            Article { seq: 42, id: SOME_ID, author: "Ana".into(), posted_at_us: AT_US, body: "Hello".into() },
            Article {
                seq: 44,
                id: OTHER_ID,
                author: "Ben".into(),
                posted_at_us: AT_US + 1,
                body: "¡Hola! 日本".into(),
            },
        ],
        deleted: vec![43],
        more: true,
    }
}

pub fn node_replies() -> Vec<(&'static str, NodeReply)> {
    let refused =
        || ErrorReply { code: ErrorCode::Denied, message: "not subscribed".into(), retry_after_ms: None };
    let cursor = Cursor { cursor: 57, generation: 3, unread: 1 };
    vec![
        ("", NodeReply::Checked(NodeStatus { node_id: SOME_ID, version: "0.1.0".into(), draining: true })),
        ("", NodeReply::Subscribed { cursor: 57, already: true }),
        ("", NodeReply::Unsubscribed { already: true }),
        ("", NodeReply::Posted { results: vec![Ok(Posted { seq: 42, duplicate: false })] }),
        (
            " (a batch)",
            NodeReply::Posted { results: vec![Ok(Posted { seq: 42, duplicate: true }), Err(refused())] },
        ),
        ("", NodeReply::Deleted { already: false }),
        ("", NodeReply::Page(page())),
        ("", NodeReply::Marked { cursors: vec![Ok(cursor), Err(refused())] }),
        ("", NodeReply::CursorMoved { cursor, already: true }),
        (
            "",
            NodeReply::Followed {
                pages: vec![page()],
                ended: vec![FollowEnded { area_id: AreaId(8), error: refused() }],
            },
        ),
        (" (nothing new)", NodeReply::Followed { pages: vec![], ended: vec![] }),
        (
            "",
            NodeReply::Verified(VerifyPage {
                from: 12,
                states: vec![
                    VerifiedState::Expired,
                    VerifiedState::Kept,
                    VerifiedState::Deleted,
                    VerifiedState::Missing,
                    VerifiedState::Damaged,
                ],
                last_seq: 57,
                expired_through: 12,
            }),
        ),
        ("", NodeReply::Status { server: server_status(), node_id: SOME_ID, draining: true }),
        (
            "",
            NodeReply::Reported(NodeReport {
                node_id: SOME_ID,
                version: "0.1.0".into(),
                draining: true,
                settings_version: Some(7),
                load: load(1.0),
            }),
        ),
    ]
}
