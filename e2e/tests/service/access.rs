//! I4 and roles: only the author deletes, administrators by a command of their own; who may do what is checked by the
//! server for every request.

use gaceta_e2e::person::{Person, bodies, call, done, refused};
use gaceta_e2e::requests::{admin_requests, agent_requests, node_requests, refusal};
use gaceta_e2e::service::{PASSWORD, Service};
use gaceta_e2e::{at_once, watchdog};
use wire::{AdminRequest, AgentRequest, ErrorCode, Password, ReadFrom, ReplyBody, RequestBody, Role, Token};

#[tokio::test]
async fn i4_only_the_author_deletes() {
    watchdog(async {
        let service = Service::start(2).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        let bob = service.reader("bob", area).await;
        let admin = service.admin().await;
        admin.subscribe(area).await;
        ana.post(area, "ana's").await.unwrap();
        for other in [&bob, &admin] {
            for node in [0, 1] {
                assert_eq!(refused(other.delete(node, area, 1).await), ErrorCode::Denied);
            }
        }
        assert_eq!(refused(bob.article_remove("news", 1).await), ErrorCode::Denied);
        assert_eq!(refused(ana.article_remove("news", 1).await), ErrorCode::Denied, "not this way");
        assert_eq!(bodies(&bob.read_all(1, area).await), [(1, "ana's")], "it is still there");
        assert_eq!(refused(ana.delete(0, area, 2).await), ErrorCode::NotFound);
        assert_eq!(refused(ana.delete(0, area, 0).await), ErrorCode::NotFound);
        assert_eq!(refused(ana.delete(0, area, -1).await), ErrorCode::NotFound);
        assert!(!ana.delete(0, area, 1).await.unwrap());
        assert!(ana.delete(1, area, 1).await.unwrap(), "already");
        assert_eq!(refused(bob.delete(1, area, 1).await), ErrorCode::Denied, "a tombstone is hers, too");
        let page = bob.read(0, area, ReadFrom::Start, 10).await.unwrap();
        assert_eq!((page.articles.len(), page.deleted), (0, vec![1]));
        assert!(!admin.audit().await.iter().any(|entry| entry.action == "article.rm"));
    })
    .await;
}

#[tokio::test]
async fn i4_an_administrator_removes_an_article_and_the_audit_trail_says_so() {
    watchdog(async {
        let service = Service::start(1).await;
        let area = service.area("News").await;
        let ana = service.reader("ana", area).await;
        let admin = service.admin().await;
        ana.post(area, "one").await.unwrap();
        ana.post(area, "two").await.unwrap();
        assert!(!admin.article_remove("news", 1).await.unwrap());
        assert!(admin.article_remove("NEWS", 1).await.unwrap(), "already");
        assert!(ana.delete(0, area, 1).await.unwrap(), "already, for its author too");
        assert_eq!(refused(admin.article_remove("news", 3).await), ErrorCode::NotFound);
        assert_eq!(refused(admin.article_remove("other", 1).await), ErrorCode::NotFound);
        assert_eq!(bodies(&ana.read_all(0, area).await), [(2, "two")]);
        let audit = admin.audit().await;
        let removals: Vec<_> = audit.iter().filter(|entry| entry.action == "article.rm").collect();
        let [entry] = removals[..] else { panic!("once: {removals:?}") };
        assert_eq!((entry.actor.as_str(), entry.target.as_str()), ("admin", "News#1"));
        assert!(entry.detail.contains("ana"), "{}", entry.detail);
    })
    .await;
}

#[tokio::test]
async fn whoever_is_not_logged_in_gets_nothing() {
    watchdog(async {
        let service = Service::start(1).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        ana.post(area, "secret").await.unwrap();
        let agent = agent_requests().into_iter().map(RequestBody::Agent);
        let admin = admin_requests(area).into_iter().map(|r| RequestBody::Agent(AgentRequest::Admin(r)));
        for token in [None, Some(Token([7; 32]))] {
            for body in agent.clone().chain(admin.clone()) {
                let answer = call(service.agent.address, token, body.clone()).await;
                assert_eq!(refused(answer), ErrorCode::Unauthenticated, "{body:?}");
            }
            for request in node_requests(area) {
                let body = RequestBody::Node(request.clone());
                let answer = call(service.nodes[0].address, token, body).await;
                let answer = answer.map(|reply| match reply {
                    ReplyBody::Node(reply) => reply,
                    ReplyBody::Agent(other) => panic!("{other:?}"),
                });
                assert_eq!(refusal(answer), ErrorCode::Unauthenticated, "{request:?}");
            }
        }
        assert_eq!(bodies(&ana.read_all(0, area).await), [(1, "secret")], "and changes nothing");
        let wrong = Person::log_in(service.agent.address, &[], "ana", "wrong password").await;
        let nobody = Person::log_in(service.agent.address, &[], "nobody", PASSWORD).await;
        assert_eq!(refused(wrong), ErrorCode::Unauthenticated);
        assert_eq!(refused(nobody), ErrorCode::Unauthenticated);
    })
    .await;
}

#[tokio::test]
async fn administrators_requests_are_denied_to_others_and_change_nothing() {
    watchdog(async {
        let service = Service::start(1).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        ana.post(area, "one").await.unwrap();
        let admin = service.admin().await;
        let audited = admin.audit().await;
        for request in admin_requests(area) {
            let answer = ana.administrate(request.clone()).await;
            assert_eq!(refused(answer), ErrorCode::Denied, "{request:?}");
        }
        assert_eq!(admin.audit().await, audited, "nothing was done");
        assert_eq!(bodies(&ana.read_all(0, area).await), [(1, "one")]);
        assert_eq!(ana.areas().await.len(), 1);
        // A role counts from the moment it is given, and no longer than it is held.
        let role = |role| AdminRequest::UserRole(wire::UserRole { name: "ana".into(), role });
        assert!(!done(admin.administrate(role(Role::Admin)).await.unwrap()).unwrap());
        ana.area_add("hers").await;
        assert!(!done(admin.administrate(role(Role::User)).await.unwrap()).unwrap());
        assert_eq!(refused(ana.area_remove(area).await), ErrorCode::Denied);
    })
    .await;
}

#[tokio::test]
async fn nodes_and_agents_refuse_what_is_meant_for_the_other() {
    watchdog(async {
        let service = Service::start(1).await;
        let area = service.area("news").await;
        let ana = service.reader("ana", area).await;
        for request in node_requests(area) {
            let answer = call(service.agent.address, Some(ana.token), RequestBody::Node(request)).await;
            assert_eq!(refused(answer), ErrorCode::Invalid);
        }
        let body = RequestBody::Agent(AgentRequest::Whoami(wire::Whoami {}));
        assert_eq!(refused(call(service.nodes[0].address, Some(ana.token), body).await), ErrorCode::Invalid);
    })
    .await;
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    watchdog(async {
        let service = Service::start(0).await;
        let admin = service.admin().await;
        service.person("ana").await;
        let demote =
            |name: &str| AdminRequest::UserRole(wire::UserRole { name: name.into(), role: Role::User });
        let disable = |name: &str| AdminRequest::UserDisable(wire::UserDisable { name: name.into() });
        for request in [demote("admin"), disable("admin")] {
            assert_eq!(refused(admin.administrate(request).await), ErrorCode::Denied);
        }
        // A disabled administrator is none.
        let promote = AdminRequest::UserRole(wire::UserRole { name: "ana".into(), role: Role::Admin });
        admin.administrate(promote).await.unwrap();
        admin.administrate(disable("ana")).await.unwrap();
        for request in [demote("admin"), disable("admin")] {
            assert_eq!(refused(admin.administrate(request).await), ErrorCode::Denied);
        }
        admin.administrate(AdminRequest::UserEnable(wire::UserEnable { name: "ana".into() })).await.unwrap();
        admin.administrate(disable("admin")).await.unwrap();
        let ana = Person::login(&service, "ana").await;
        assert_eq!(refused(ana.administrate(demote("ana")).await), ErrorCode::Denied);
    })
    .await;
}

#[tokio::test]
async fn two_administrators_cannot_take_the_role_from_each_other_at_the_same_time() {
    const ROUNDS: usize = 30;
    watchdog(async {
        let service = Service::start(0).await;
        let admin = service.admin().await;
        let ana = service.person("ana").await;
        for round in 0..ROUNDS {
            let prepare = "update users set role = 'admin', disabled_at = null;
                           update sessions set ended_at = null";
            service.sql(prepare).await;
            let rivals = [(admin.clone(), "ana"), (ana.clone(), "admin")];
            let answers = at_once(rivals.into_iter().enumerate().map(|(n, (who, whom))| async move {
                let name = whom.to_string();
                let request = if (round >> n) % 2 == 0 {
                    AdminRequest::UserRole(wire::UserRole { name, role: Role::User })
                } else {
                    AdminRequest::UserDisable(wire::UserDisable { name })
                };
                who.administrate(request).await
            }))
            .await;
            let left = "select count(*) from users where role = 'admin' and disabled_at is null";
            let left: i64 = service.db.query_one(left, &[]).await.unwrap().get(0);
            assert_eq!(left, 1, "round {round}: {answers:?}");
            let codes: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
            let [error] = codes[..] else { panic!("one of them: {answers:?}") };
            // Denied as the last one or as none any more; with a session that the other one has ended.
            assert!(matches!(error.code, ErrorCode::Denied | ErrorCode::Unauthenticated), "{error:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn i5_an_administrator_sets_a_password_and_the_old_one_and_its_sessions_are_gone() {
    watchdog(async {
        let service = Service::start(1).await;
        let admin = service.admin().await;
        let ana = service.person("ana").await;
        let set = |name: &str| {
            AdminRequest::UserPassword(wire::UserPassword {
                name: name.into(),
                password: Password("another password".into()),
            })
        };
        admin.administrate(set("ana")).await.unwrap();
        assert_eq!(
            refused(ana.ask_agent(AgentRequest::Whoami(wire::Whoami {})).await),
            ErrorCode::Unauthenticated
        );
        let old = Person::log_in(&ana.agent, &ana.nodes, "ana", PASSWORD).await;
        assert_eq!(refused(old), ErrorCode::Unauthenticated);
        Person::log_in(&ana.agent, &ana.nodes, "ana", "another password").await.unwrap();
        assert_eq!(refused(admin.administrate(set("nobody")).await), ErrorCode::NotFound);
        admin
            .administrate(AdminRequest::UserDisable(wire::UserDisable { name: "ana".into() }))
            .await
            .unwrap();
        let disabled = Person::log_in(&ana.agent, &ana.nodes, "ana", "another password").await;
        assert_eq!(refused(disabled), ErrorCode::Denied);
    })
    .await;
}
