//! What administrators do. The rights are checked by the service, for every request.

use super::areas::all_pages;
use super::{servers, service_settings};
use crate::command::{AdminArea, AdminArticle, AdminCommand, AdminUser, AreaArgs};
use crate::exit::Failure;
use crate::names;
use crate::outcome::Outcome;
use crate::session::Session;
use crate::stop::Stop;
use crate::terminal;
use uuid::Uuid;
use wire::limits::LIST_ROWS_MAX;
use wire::{AdminRequest, AgentReply, AgentRequest, AreaDetails, AreaSettings, AuditEntry, UserSummary};

pub async fn admin(session: &Session, command: AdminCommand, stop: &Stop) -> Result<Outcome, Failure> {
    match command {
        AdminCommand::Area(command) => area(session, command).await,
        AdminCommand::Article(AdminArticle::Rm { article }) => {
            let request = AdminRequest::ArticleRemove(wire::ArticleRemove {
                area: article.area.clone(),
                seq: article.seq,
            });
            let already = session.agent_done(AgentRequest::Admin(request)).await?;
            Ok(Outcome::Deleted { area: article.area, seq: article.seq, already })
        }
        AdminCommand::User(command) => user(session, command).await,
        AdminCommand::Node(command) => servers::node(session, command).await,
        AdminCommand::Agent(command) => servers::agent(session, command).await,
        AdminCommand::Load { span } => servers::load(session, span).await,
        AdminCommand::Settings(command) => service_settings::settings(session, command, stop).await,
        AdminCommand::Audit { limit } => audit(session, limit).await,
    }
}

async fn area(session: &Session, command: AdminArea) -> Result<Outcome, Failure> {
    match command {
        AdminArea::Add { name, settings } => {
            let settings = area_settings(settings);
            let request =
                AdminRequest::AreaAdd(wire::AreaAdd { creation_id: Uuid::now_v7(), name, settings });
            area_changed(session, request, "added").await
        }
        AdminArea::Set { name, settings } => {
            let settings = area_settings(settings);
            if settings == AreaSettings::default() {
                return Err(Failure::usage(
                    "say what to set: --description, --replicas, --keep-for or --keep-count",
                ));
            }
            area_changed(session, AdminRequest::AreaSet(wire::AreaSet { name, settings }), "changed").await
        }
        AdminArea::Rm { name, confirm } => {
            if confirm.as_ref() != Some(&name) {
                return Err(Failure::usage(format!(
                    "this removes the area with its articles and subscriptions; to do it, repeat its name: `--confirm {name:?}`"
                )));
            }
            let area = session.locate(&name).await?.area;
            let request = AdminRequest::AreaRemove(wire::AreaRemove { area_id: area.area_id });
            match session.agent(AgentRequest::Admin(request)).await? {
                AgentReply::Done(wire::Done { already })
                | AgentReply::AreaChanged(wire::AreaChanged { already, .. }) => {
                    Ok(Outcome::AreaRemoved { area: area.name, already })
                }
                _ => Err(Failure::unexpected_reply()),
            }
        }
        AdminArea::Restore { name } => {
            area_changed(session, AdminRequest::AreaRestore(wire::AreaRestore { name }), "restored").await
        }
        AdminArea::List => area_list(session).await.map(Outcome::AreaList),
    }
}

fn area_settings(args: AreaArgs) -> AreaSettings {
    AreaSettings {
        description: args.description,
        replicas: args.replicas,
        keep_for_s: args.keep_for,
        keep_count: args.keep_count,
    }
}

async fn area_changed(
    session: &Session,
    request: AdminRequest,
    done: &'static str,
) -> Result<Outcome, Failure> {
    match session.agent(AgentRequest::Admin(request)).await? {
        AgentReply::AreaChanged(wire::AreaChanged { area, already }) => {
            Ok(Outcome::AreaChanged { area, done, already })
        }
        _ => Err(Failure::unexpected_reply()),
    }
}

async fn area_list(session: &Session) -> Result<Vec<AreaDetails>, Failure> {
    let ask = |last: Option<&AreaDetails>| {
        AgentRequest::Admin(AdminRequest::AreaList(wire::AreaList { after: last.map(|area| area.area_id) }))
    };
    let page_of = |reply| match reply {
        AgentReply::AreaDetailsListed(wire::AreaDetailsListed { areas, more }) => Some((areas, more)),
        _ => None,
    };
    all_pages(session, ask, page_of).await
}

async fn user(session: &Session, command: AdminUser) -> Result<Outcome, Failure> {
    let (user, request, done) = match command {
        AdminUser::List => return user_list(session).await.map(Outcome::UserList),
        AdminUser::Sessions { name } => {
            let request = AgentRequest::Admin(AdminRequest::UserSessions(wire::UserSessions { name }));
            return match session.agent(request).await? {
                AgentReply::SessionsListed(wire::SessionsListed { sessions }) => {
                    Ok(Outcome::Sessions(sessions))
                }
                _ => Err(Failure::unexpected_reply()),
            };
        }
        AdminUser::Add { name, role, password } => {
            let prompt = format!("Password for {name}");
            let password =
                terminal::new_password(&session.settings, password.password_stdin, &prompt).await?;
            (
                name.clone(),
                AdminRequest::UserAdd(wire::UserAdd { name, password, role: role.into() }),
                "added",
            )
        }
        AdminUser::Passwd { name, password } => {
            let prompt = format!("New password for {name}");
            let password =
                terminal::new_password(&session.settings, password.password_stdin, &prompt).await?;
            (
                name.clone(),
                AdminRequest::UserPassword(wire::UserPassword { name, password }),
                "has a new password",
            )
        }
        AdminUser::Role { name, role } => (
            name.clone(),
            AdminRequest::UserRole(wire::UserRole { name, role: role.into() }),
            "has a new role",
        ),
        AdminUser::Disable { name } => {
            (name.clone(), AdminRequest::UserDisable(wire::UserDisable { name }), "disabled")
        }
        AdminUser::Enable { name } => {
            (name.clone(), AdminRequest::UserEnable(wire::UserEnable { name }), "enabled")
        }
    };
    let already = session.agent_done(AgentRequest::Admin(request)).await?;
    Ok(Outcome::UserChanged { user, done, already })
}

pub async fn user_list(session: &Session) -> Result<Vec<UserSummary>, Failure> {
    let ask = |last: Option<&UserSummary>| {
        AgentRequest::Admin(AdminRequest::UserList(wire::UserList {
            after: last.map(|user| user.name.clone()),
        }))
    };
    let page_of = |reply| match reply {
        AgentReply::UsersListed(wire::UsersListed { users, more }) => Some((users, more)),
        _ => None,
    };
    let users = all_pages(session, ask, page_of).await?;
    names::note_users(&session.settings, &users);
    Ok(users)
}

async fn audit(session: &Session, limit: u32) -> Result<Outcome, Failure> {
    let mut all: Vec<AuditEntry> = Vec::new();
    loop {
        let left = limit.saturating_sub(all.len() as u32);
        let before = all.last().map(|entry| entry.audit_id);
        let request = AdminRequest::Audit(wire::Audit { before, limit: left.min(LIST_ROWS_MAX) });
        match session.agent(AgentRequest::Admin(request)).await? {
            AgentReply::AuditListed(wire::AuditListed { entries, more }) => {
                let goes_on = more && !entries.is_empty();
                all.extend(entries);
                if !goes_on || all.len() >= limit as usize {
                    return Ok(Outcome::Audit(all));
                }
            }
            _ => return Err(Failure::unexpected_reply()),
        }
        session.progressed();
    }
}
