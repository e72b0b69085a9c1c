//! Guessing passwords, through the real agents: slow from wherever and through however many of them, never a locked door for the
//! person, and no way to learn who exists. The schedule itself is tested beside it, in db/tests/attempts.rs.

#![allow(clippy::unwrap_used)] // clippy knows tests, and not what helps them
#![cfg(target_os = "linux")] // elsewhere a client has one address only

use gaceta_e2e::gaceta::Gaceta;
use gaceta_e2e::person::{Answer, Person, call, call_from, refused};
use gaceta_e2e::service::{PASSWORD, Server, Service, start_agent};
use gaceta_e2e::terminal::Terminal;
use gaceta_e2e::{at_once, watchdog};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use wire::{
    AdminRequest, AgentReply, AgentRequest, ErrorCode, ErrorReply, Password, ReplyBody, RequestBody, Role,
};

const WRONG: &str = "wrong password";

/// 127.0.0.N
fn source(n: u8) -> IpAddr {
    IpAddr::from([127, 0, 0, n])
}

fn login(name: &str, password: &str) -> RequestBody {
    let (name, label) = (name.into(), "test".into());
    RequestBody::Agent(AgentRequest::Login(wire::Login { name, password: Password(password.into()), label }))
}

fn register(name: &str, password: &str) -> RequestBody {
    let (name, label) = (name.into(), "test".into());
    RequestBody::Agent(AgentRequest::Register(wire::Register {
        name,
        password: Password(password.into()),
        label,
    }))
}

async fn try_from(from: u8, agent: SocketAddr, body: RequestBody) -> Answer<ReplyBody> {
    call_from(source(from), agent, None, body).await
}

/// Five wrong ones, for which nobody has to wait.
async fn use_up_the_free_ones(from: u8, agent: SocketAddr, name: &str) {
    for _ in 0..5 {
        let answer = try_from(from, agent, login(name, WRONG)).await;
        assert_eq!(refused(answer), ErrorCode::Unauthenticated);
    }
}

/// As if so many had been wrong, the last of them just now.
async fn fail_often(service: &Service, failures: u32) {
    service.sql(&format!("update attempts set failures = {failures}, counted_at = clock_timestamp()")).await;
}

fn busy(answer: Answer<ReplyBody>) -> ErrorReply {
    let error = answer.expect_err("it was too early");
    assert_eq!(error.code, ErrorCode::Busy, "{error:?}");
    error
}

async fn two_agents() -> (Service, Server) {
    let service = Service::start(0).await;
    let other = start_agent(&service.database.dsn, agent::Config::default()).await;
    (service, other)
}

#[tokio::test]
async fn too_many_wrong_passwords_are_told_when_to_come_again_by_every_agent() {
    watchdog(async {
        let (service, other) = two_agents().await;
        service.person("ana").await;
        service.sql("delete from attempts").await; // nobody is known anywhere
        use_up_the_free_ones(2, service.agent.address, "ana").await;
        fail_often(&service, 9).await;
        for agent in [service.agent.address, other.address] {
            for from in [2, 3] {
                // The right one, too: it is not looked at.
                let told = busy(try_from(from, agent, login("ana", PASSWORD)).await);
                let wait_ms = told.retry_after_ms.unwrap();
                assert!((1_000..=4_000).contains(&wait_ms), "{told:?}");
                let wait_s = wait_ms.div_ceil(1_000);
                assert_eq!(told.message, format!("too many wrong passwords, next try in {wait_s} s"));
            }
        }
        // When that has passed, the right one is all it takes.
        service.sql("update attempts set counted_at = counted_at - interval '4 s'").await;
        try_from(3, other.address, login("ana", PASSWORD)).await.unwrap();
        use_up_the_free_ones(4, service.agent.address, "ana").await;
    })
    .await;
}

/// Each of these would tell whether a password is right.
#[tokio::test]
async fn every_place_that_looks_at_a_password_is_guarded() {
    watchdog(async {
        let service = Service::start(0).await;
        let agent = service.agent.address;
        let (admin, ana) = (service.admin().await, service.person("ana").await);
        let change = |body: &AgentRequest| call(agent, Some(ana.token), RequestBody::Agent(body.clone()));
        let wrong = AgentRequest::ChangePassword(wire::ChangePassword {
            old: Password(WRONG.into()),
            new: Password("another one".into()),
        });
        for n in 0..6 {
            let code = refused(change(&wrong).await);
            assert!(
                code == ErrorCode::Unauthenticated || (n == 5 && code == ErrorCode::Busy),
                "{n}: {code:?}"
            );
        }
        fail_often(&service, 20).await;
        busy(change(&wrong).await);
        busy(try_from(1, agent, register("ana", WRONG)).await);
        busy(try_from(1, agent, login("ana", PASSWORD)).await);
        // An administrator who adds somebody that is there, and one whose sessions ended with the new password.
        let add = AdminRequest::UserAdd(wire::UserAdd {
            name: "ana".into(),
            password: Password(WRONG.into()),
            role: Role::User,
        });
        assert_eq!(refused(admin.administrate(add).await), ErrorCode::Busy);
        let set = |password: &str| {
            admin.administrate(AdminRequest::UserPassword(wire::UserPassword {
                name: "admin".into(),
                password: Password(password.into()),
            }))
        };
        set("another password").await.unwrap();
        assert_eq!(refused(set(WRONG).await), ErrorCode::Busy);
        service.sql("delete from attempts").await;
        set("another password").await.unwrap();
        assert_eq!(refused(set(WRONG).await), ErrorCode::Unauthenticated);
        // Names that are taken, with other passwords.
        for _ in 0..4 {
            assert_eq!(refused(try_from(9, agent, register("ana", WRONG)).await), ErrorCode::Conflict);
        }
    })
    .await;
}

#[tokio::test]
async fn unknown_users_are_answered_like_known_ones_all_the_way() {
    watchdog(async {
        let service = Service::start(0).await;
        let agent = service.agent.address;
        service.person("ana").await;
        service.sql("delete from attempts").await;
        let mut answers = vec![];
        for (from, name) in [(2, "ana"), (3, "nobody")] {
            let mut of_this = vec![];
            for _ in 0..5 {
                of_this.push(try_from(from, agent, login(name, WRONG)).await.unwrap_err());
            }
            service
                .sql("update attempts set failures = 20, counted_at = clock_timestamp() where failures = 5")
                .await;
            let error = try_from(from + 10, agent, login(name, WRONG)).await.unwrap_err();
            let message = error.message.replace(char::is_numeric, ""); // some time passes between the two
            of_this.push(ErrorReply { message, retry_after_ms: None, ..error });
            answers.push(of_this);
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0][5].code, ErrorCode::Busy);
    })
    .await;
}

#[tokio::test]
async fn fifty_guesses_at_once_through_two_agents_get_no_more_than_the_schedule_grants() {
    watchdog(async {
        let (service, other) = two_agents().await;
        service.person("ana").await;
        service.sql("delete from attempts").await;
        let agents = [service.agent.address, other.address];
        let began = Instant::now();
        let answers = at_once((0..50_u8).map(|n| {
            // One half from one place, the other half from everywhere.
            let from = if n % 2 == 0 { 2 } else { n + 3 };
            async move { try_from(from, agents[usize::from(n) / 2 % 2], login("ana", WRONG)).await }
        }))
        .await;
        let elapsed = began.elapsed();
        let looked_at = answers
            .iter()
            .filter(|answer| matches!(answer, Err(error) if error.code == ErrorCode::Unauthenticated));
        let (looked_at, mut granted, mut at) = (looked_at.count(), 5, Duration::from_millis(250));
        while at <= elapsed {
            granted += 1;
            at += Duration::from_millis(250 << (granted - 5));
        }
        assert!((5..=granted).contains(&looked_at), "{looked_at} of {granted} in {elapsed:?}: {answers:?}");
        assert!(answers.iter().all(Result::is_err));
    })
    .await;
}

#[tokio::test]
async fn a_person_gets_in_from_a_known_place_while_the_account_is_under_attack_from_elsewhere() {
    watchdog(async {
        let service = Service::start(0).await;
        let agent = service.agent.address;
        let ana = service.person("ana").await; // from 127.0.0.1
        use_up_the_free_ones(66, agent, "ana").await;
        let attacked =
            "update attempts set failures = 100, counted_at = clock_timestamp() where failures > 0";
        service.sql(attacked).await;
        let told = busy(try_from(3, agent, login("ana", PASSWORD)).await);
        assert!(told.retry_after_ms.unwrap() > 20_000, "{told:?}");
        Person::login(&service, "ana").await;
        ana.change_password(PASSWORD, "another password").await.unwrap();
        busy(try_from(3, agent, login("ana", "another password")).await);
    })
    .await;
}

#[tokio::test]
async fn the_client_waits_by_itself_and_says_for_what_or_says_when_to_come_again() {
    let service = Service::start(0).await;
    service.person("ana").await;
    let ana = Gaceta::at(service.agent.address);
    use_up_the_free_ones(1, service.agent.address, "ana").await;
    let mut terminal = Terminal::start(&ana.command(&["login", "ana"]));
    terminal.shows("Password for ana").await;
    fail_often(&service, 8).await;
    terminal.type_line(PASSWORD).await;
    terminal.shows("… waiting: too many wrong passwords, next try in 2 s").await;
    let (status, shown) = terminal.ends().await;
    assert_eq!(status.code(), Some(0), "{shown}");

    // Nothing to wait for that fits: told at once, and a script hears it in its form.
    fail_often(&service, 100).await;
    let began = Instant::now();
    let error = ana.fails_with(&["login", "ana", "--password-stdin"], WRONG, 6).await;
    assert!(began.elapsed() < Duration::from_secs(3), "it waited: {:?}", began.elapsed());
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("too many wrong passwords, next try in "), "{message}");
    assert!(message.contains("come again then"), "{message}");
    assert_eq!(error["code"], "busy");
}

/// A client that waited too long for one answer asks a second agent the same.
#[tokio::test]
async fn the_same_right_password_many_times_at_once_is_never_held_against_anybody() {
    watchdog(async {
        let (service, other) = two_agents().await;
        service.person("ana").await;
        let agents = [service.agent.address, other.address];
        for round in 0..4 {
            let answers = at_once(
                (0..4).map(|n| async move { try_from(7, agents[n % 2], login("ana", PASSWORD)).await }),
            )
            .await;
            assert!(answers.iter().all(Result::is_ok), "round {round}: {answers:?}");
        }
        let failures = "select coalesce(sum(failures), 0)::bigint from attempts";
        let failures: i64 = service.db.query_one(failures, &[]).await.unwrap().get(0);
        assert_eq!(failures, 0);
    })
    .await;
}

#[tokio::test]
async fn where_registration_is_closed_nobody_registers_and_everybody_logs_in() {
    watchdog(async {
        let service = Service::start(0).await;
        let agent = service.agent.address;
        service.person("ana").await;
        service.sql("insert into settings (name, value) values ('registration', '\"closed\"')").await;
        for (name, password) in [("ben", PASSWORD), ("ana", PASSWORD), ("ana", WRONG)] {
            let error = try_from(2, agent, register(name, password)).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::Denied);
            assert!(error.message.contains("ask an administrator"), "{error:?}");
        }
        assert_eq!(refused(try_from(2, agent, login("ben", PASSWORD)).await), ErrorCode::Unauthenticated);
        Person::login(&service, "ana").await;
        let admin = service.admin().await;
        let add = AdminRequest::UserAdd(wire::UserAdd {
            name: "ben".into(),
            password: Password(PASSWORD.into()),
            role: Role::User,
        });
        admin.administrate(add).await.unwrap();
        Person::login(&service, "ben").await;
        service.sql("update settings set value = '\"open\"' where name = 'registration'").await;
        let registered = try_from(2, agent, register("eva", PASSWORD)).await.unwrap();
        assert!(matches!(registered, ReplyBody::Agent(AgentReply::LoggedIn(_))), "{registered:?}");
    })
    .await;
}
