//! At least one message of every variant, with every field set to something of its own, so that two fields that change
//! places change the bytes. Used by the golden bytes and by what mistreats messages.
//!
//! `golden.rs` fails until a new variant has a sample, and a new field does not compile until it has a value here.

#![allow(dead_code)] // not every test that has samples counts them

use gaceta_wire::*;
use uuid::Uuid;

/// A message with the name that it has in `golden.txt`.
pub struct Sample<T> {
    pub name: String,
    pub message: T,
}

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
            AgentRequest::Admin(request) => format!("request admin {}", request.variant()),
            other => format!("request agent {}", other.variant()),
        };
        (name + note, RequestBody::Agent(message))
    });
    let node = node_requests().into_iter().map(|(note, message)| {
        (format!("request node {}{note}", message.variant()), RequestBody::Node(message))
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
            AgentRequest::Register(Register {
                name: "Ana".into(),
                password: password("correct horse"),
                label: "laptop".into(),
            }),
        ),
        (
            "",
            AgentRequest::Login(Login {
                name: "Ana".into(),
                password: password("correct horse"),
                label: "laptop".into(),
            }),
        ),
        ("", AgentRequest::Logout(Logout {})),
        ("", AgentRequest::Whoami(Whoami {})),
        (
            "",
            AgentRequest::ChangePassword(ChangePassword {
                old: password("correct horse"),
                new: password("battery staple"),
            }),
        ),
        ("", AgentRequest::Sessions(Sessions {})),
        ("", AgentRequest::EndSession(EndSession { session_id: 300 })),
        ("", AgentRequest::EndAllSessions(EndAllSessions {})),
        (" (first page)", AgentRequest::Areas(Areas { after: None })),
        (" (next page)", AgentRequest::Areas(Areas { after: Some("news".into()) })),
        ("", AgentRequest::Subscriptions(Subscriptions { after: Some("Año nuevo".into()) })),
        ("", AgentRequest::Where(Where { areas: vec!["news".into(), "weather".into()] })),
        (" (any node)", AgentRequest::Where(Where { areas: vec![] })),
    ];
    requests.extend(admin_requests().into_iter().map(|(note, request)| (note, AgentRequest::Admin(request))));
    requests.push(("", AgentRequest::Announce(Announce { node_id: SOME_ID })));
    requests.push(("", AgentRequest::Status(Status {})));
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
        (
            "",
            AdminRequest::AreaAdd(AreaAdd {
                creation_id: SOME_ID,
                name: "news".into(),
                settings: settings.clone(),
            }),
        ),
        ("", AdminRequest::AreaSet(AreaSet { name: "news".into(), settings })),
        (
            " (nothing set)",
            AdminRequest::AreaSet(AreaSet { name: "news".into(), settings: unchanged.clone() }),
        ),
        (
            " (the service's default)",
            AdminRequest::AreaSet(AreaSet {
                name: "news".into(),
                settings: AreaSettings { keep_for_s: Some(Keep::Default), ..unchanged },
            }),
        ),
        ("", AdminRequest::AreaRemove(AreaRemove { area_id: AREA })),
        ("", AdminRequest::AreaRestore(AreaRestore { name: "news".into() })),
        (" (first page)", AdminRequest::AreaList(AreaList { after: None })),
        (" (next page)", AdminRequest::AreaList(AreaList { after: Some(AREA) })),
        ("", AdminRequest::ArticleRemove(ArticleRemove { area: "news".into(), seq: 41 })),
        ("", AdminRequest::UserList(UserList { after: Some("Ana".into()) })),
        (
            "",
            AdminRequest::UserAdd(UserAdd {
                name: "Ben".into(),
                password: password("correct horse"),
                role: Role::Admin,
            }),
        ),
        (
            "",
            AdminRequest::UserPassword(UserPassword {
                name: "Ben".into(),
                password: password("correct horse"),
            }),
        ),
        (" (user)", AdminRequest::UserRole(UserRole { name: "Ben".into(), role: Role::User })),
        (" (admin)", AdminRequest::UserRole(UserRole { name: "Ben".into(), role: Role::Admin })),
        ("", AdminRequest::UserDisable(UserDisable { name: "Ben".into() })),
        ("", AdminRequest::UserEnable(UserEnable { name: "Ben".into() })),
        ("", AdminRequest::UserSessions(UserSessions { name: "Ben".into() })),
        ("", AdminRequest::Audit(Audit { before: Some(1_000), limit: 50 })),
        ("", AdminRequest::NodeList(NodeList {})),
        ("", AdminRequest::NodeDrain(NodeDrain { node: "10.0.0.5:8005".into() })),
        ("", AdminRequest::NodeResume(NodeResume { node: "0197".into() })),
        ("", AdminRequest::AgentList(AgentList {})),
        ("", AdminRequest::Load(LoadList { span_s: 600 })),
        ("", AdminRequest::SettingsList(SettingsList {})),
        (
            "",
            AdminRequest::SettingsChange(SettingsChange {
                changes: vec![
                    SettingChange { name: "registration".into(), value: Some("closed".into()) },
                    SettingChange { name: "keep_count".into(), value: None },
                ],
                expected_version: Some(7),
            }),
        ),
        ("", AdminRequest::SettingsStatus(SettingsStatus {})),
        ("", AdminRequest::SettingsWatch(SettingsWatch { version: 7, wait_ms: 25_000 })),
    ]
}

fn shown() -> Shown {
    Shown { from: 41, upto: 57, generation: 2, reading_id: SOME_ID }
}

pub fn node_requests() -> Vec<(&'static str, NodeRequest)> {
    let post = |id, body: &str| Post { area_id: AREA, id, body: body.into() };
    vec![
        ("", NodeRequest::Check(Check {})),
        ("", NodeRequest::Subscribe(Subscribe { area_id: AREA, from_start: true })),
        ("", NodeRequest::Unsubscribe(Unsubscribe { area_id: AREA })),
        ("", NodeRequest::Post(PostBatch { posts: vec![post(SOME_ID, "Hello")] })),
        (
            " (a batch)",
            NodeRequest::Post(PostBatch {
                posts: vec![post(SOME_ID, "¡Hola! 日本"), post(OTHER_ID, "two\nlines")],
            }),
        ),
        ("", NodeRequest::Delete(Delete { area_id: AREA, seq: 41 })),
        (
            " (unread)",
            NodeRequest::Read(Read {
                area_id: AREA,
                from: ReadFrom::Unread,
                limit: 100,
                shown: Some(shown()),
            }),
        ),
        (
            " (start)",
            NodeRequest::Read(Read { area_id: AREA, from: ReadFrom::Start, limit: 1_000, shown: None }),
        ),
        (
            " (after)",
            NodeRequest::Read(Read { area_id: AREA, from: ReadFrom::After(57), limit: 10, shown: None }),
        ),
        ("", NodeRequest::MarkRead(MarkRead { marks: vec![Mark { area_id: AREA, shown: shown() }] })),
        ("", NodeRequest::CatchUp(CatchUp { area_id: AREA, operation_id: SOME_ID })),
        ("", NodeRequest::Undo(Undo { area_id: AREA, operation_id: OTHER_ID })),
        (
            "",
            NodeRequest::Follow(Follow {
                areas: vec![
                    FollowArea { area_id: AREA, after: 57, shown: Some(shown()) },
                    FollowArea { area_id: AreaId(8), after: 0, shown: None },
                ],
                wait_ms: 25_000,
            }),
        ),
        ("", NodeRequest::Verify(Verify { area_id: AREA, after: 5_000 })),
        ("", NodeRequest::Status(Status {})),
        ("", NodeRequest::Report(Report {})),
        // Not that anybody asks for these: every width of an integer, and both signs.
        (" (1 byte, the most)", NodeRequest::Verify(Verify { area_id: AreaId(125), after: -125 })),
        (" (2 bytes)", NodeRequest::Verify(Verify { area_id: AreaId(126), after: -126 })),
        (" (4 bytes)", NodeRequest::Verify(Verify { area_id: AreaId(32_768), after: -32_769 })),
        (" (8 bytes)", NodeRequest::Verify(Verify { area_id: AreaId(i64::MAX), after: i64::MIN })),
    ]
}

pub fn replies() -> Vec<Sample<Reply>> {
    let sample = |name, result| Sample { name, message: Reply { request_id: REQUEST_ID, result } };
    let agent = agent_replies().into_iter().map(|(note, message)| {
        sample(format!("reply agent {}{note}", message.variant()), Ok(ReplyBody::Agent(message)))
    });
    let node = node_replies().into_iter().map(|(note, message)| {
        sample(format!("reply node {}{note}", message.variant()), Ok(ReplyBody::Node(message)))
    });
    let errors = errors().into_iter().map(|error| sample(format!("error {}", error.code), Err(error)));
    agent.chain(node).chain(errors).collect()
}

pub fn errors() -> Vec<ErrorReply> {
    let error = |code| ErrorReply::new(code, "why");
    vec![
        ErrorReply { versions: Some(Versions { min: 2, max: 3 }), ..error(ErrorCode::Invalid) },
        error(ErrorCode::TooLarge),
        error(ErrorCode::Unauthenticated),
        error(ErrorCode::Denied),
        error(ErrorCode::NotFound).about(Noun::Area, "nwes"),
        ErrorReply {
            subjects: Noun::KNOWN.iter().map(|noun| subject(*noun)).collect(),
            ..error(ErrorCode::Conflict)
        },
        ErrorReply { retry_after_ms: Some(500), ..error(ErrorCode::Busy) },
        error(ErrorCode::Unavailable),
        error(ErrorCode::Draining),
    ]
}

fn subject(noun: Noun) -> Subject {
    Subject { noun, name: "keep_count".into(), is_unknown: false, message: "it must be 1 or more".into() }
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
        ("", AgentReply::Done(Done { already: true })),
        (
            "",
            AgentReply::Identified(Identified {
                user: "Ana".into(),
                role: Role::Admin,
                session_id: 300,
                service_id: OTHER_ID,
            }),
        ),
        (
            "",
            AgentReply::SessionsListed(SessionsListed {
                sessions: vec![SessionSummary {
                    session_id: 300,
                    label: "laptop".into(),
                    created_at_us: AT_US,
                    last_used_at_us: AT_US + 1,
                    expires_at_us: AT_US + 2,
                    current: true,
                }],
            }),
        ),
        ("", AgentReply::Ended(Ended { sessions: 3 })),
        (
            "",
            AgentReply::AreasListed(AreasListed {
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
            }),
        ),
        (
            "",
            AgentReply::SubscriptionsListed(SubscriptionsListed {
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
            }),
        ),
        (
            "",
            AgentReply::Located(Located {
                areas: vec![AreaRef { area_id: AREA, name: "news".into() }],
                nodes: vec!["10.0.0.1:8005".into(), "node-2:8005".into()],
            }),
        ),
        ("", AgentReply::AreaChanged(AreaChanged { area: area_details(), already: false })),
        ("", AgentReply::AreaDetailsListed(AreaDetailsListed { areas: vec![area_details()], more: true })),
        (
            "",
            AgentReply::UsersListed(UsersListed {
                users: vec![UserSummary {
                    name: "Ben".into(),
                    role: Role::User,
                    created_at_us: AT_US,
                    disabled_at_us: Some(AT_US + 1),
                    sessions: 2,
                }],
                more: false,
            }),
        ),
        (
            "",
            AgentReply::AuditListed(AuditListed {
                entries: vec![AuditEntry {
                    audit_id: 999,
                    at_us: AT_US,
                    actor: "Ana".into(),
                    action: "user.role".into(),
                    target: "Ben".into(),
                    detail: r#"{"role":"admin"}"#.into(),
                }],
                more: true,
            }),
        ),
        ("", AgentReply::Status(AgentStatus { server: server_status(), nodes_live: 2, nodes: 3 })),
        (
            "",
            AgentReply::NodesListed(NodesListed {
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
            }),
        ),
        ("", AgentReply::NodeChanged(NodeChanged { node: node_details(NodeState::Live), already: true })),
        (
            "",
            AgentReply::AgentsListed(AgentsListed {
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
            }),
        ),
        (
            " (nobody leads)",
            AgentReply::AgentsListed(AgentsListed { agents: vec![], leader: None, events: vec![] }),
        ),
        (
            "",
            AgentReply::LoadListed(LoadListed {
                samples: vec![LoadSample {
                    at_us: AT_US,
                    epoch: 3,
                    nodes: 2,
                    sum: load(100.0),
                    mean: load(50.0),
                }],
                nodes: vec![node_details(NodeState::Live)],
            }),
        ),
        (
            "",
            AgentReply::SettingsListed(SettingsListed {
                version: 7,
                settings: vec![SettingDetails {
                    name: "registration".into(),
                    value: "closed".into(),
                    default: "open".into(),
                    changed_at_us: Some(AT_US),
                    allowed: "open or closed".into(),
                    help: "Who may make an account.".into(),
                }],
            }),
        ),
        ("", AgentReply::SettingsChanged(SettingsChanged { version: 8, already: true })),
        (
            "",
            AgentReply::SettingsStatusListed(SettingsStatusListed {
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
            }),
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
    let refused = || ErrorReply::new(ErrorCode::Denied, "not subscribed");
    let cursor = Cursor { cursor: 57, generation: 3, unread: 1 };
    vec![
        ("", NodeReply::Checked(Checked { node_id: SOME_ID, version: "0.1.0".into(), draining: true })),
        ("", NodeReply::Subscribed(Subscribed { cursor: 57, already: true })),
        ("", NodeReply::Unsubscribed(Unsubscribed { already: true })),
        ("", NodeReply::Posted(PostedBatch { results: vec![Ok(Posted { seq: 42, duplicate: false })] })),
        (
            " (a batch)",
            NodeReply::Posted(PostedBatch {
                results: vec![Ok(Posted { seq: 42, duplicate: true }), Err(refused())],
            }),
        ),
        ("", NodeReply::Deleted(Deleted { already: false })),
        ("", NodeReply::Page(page())),
        ("", NodeReply::Marked(Marked { cursors: vec![Ok(cursor), Err(refused())] })),
        ("", NodeReply::CursorMoved(CursorMoved { cursor, already: true })),
        (
            "",
            NodeReply::Followed(Followed {
                pages: vec![page()],
                ended: vec![FollowEnded { area_id: AreaId(8), error: refused() }],
            }),
        ),
        (" (nothing new)", NodeReply::Followed(Followed { pages: vec![], ended: vec![] })),
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
        ("", NodeReply::Status(NodeStatus { server: server_status(), node_id: SOME_ID, draining: true })),
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
