//! The commands of administrators.

use super::args::PasswordArgs;
use super::completes::Completes;
use super::settings::AdminSettings;
use crate::values::{ArticleRef, parse_article, parse_keep_count, parse_keep_for, parse_span};
use clap::{Args, Subcommand, ValueEnum};
use std::time::Duration;
use wire::{Keep, Role};

#[derive(Debug, Clone, Subcommand)]
pub enum AdminCommand {
    /// Areas
    #[command(subcommand)]
    Area(AdminArea),
    /// Articles
    #[command(subcommand)]
    Article(AdminArticle),
    /// Users
    #[command(subcommand)]
    User(AdminUser),
    /// Nodes: they take posts and give news
    #[command(subcommand)]
    Node(AdminNode),
    /// Agents: they know accounts and areas; one of them leads
    #[command(subcommand)]
    Agent(AdminAgent),
    /// Show how much the nodes do, each one and all of them over time
    Load {
        /// How far to look back, like 10m or 24h
        #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_span)]
        span: Duration,
    },
    /// Settings of the service, kept in one place for all agents and nodes
    #[command(subcommand)]
    Settings(AdminSettings),
    /// Show who did what, newest first
    Audit {
        /// How many entries
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub enum AdminArea {
    /// Make an area
    Add {
        name: String,
        #[command(flatten)]
        settings: AreaArgs,
    },
    /// Change an area
    #[command(arg_required_else_help = true)]
    Set {
        #[arg(add = Completes::Areas)]
        name: String,
        #[command(flatten)]
        settings: AreaArgs,
    },
    /// Remove an area with its articles
    Rm {
        #[arg(add = Completes::Areas)]
        name: String,
        /// The name once more, which is needed: this ends every subscription
        #[arg(long, value_name = "NAME", add = Completes::Areas)]
        confirm: Option<String>,
    },
    /// Bring the last removed area of this name back, until it is purged
    Restore { name: String },
    /// List every area, removed ones too
    List,
}

#[derive(Debug, Clone, Args)]
pub struct AreaArgs {
    #[arg(long)]
    pub description: Option<String>,
    /// How many nodes serve it: more for areas in demand
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub replicas: Option<u32>,
    /// Articles older than this expire: like 90d, or forever, or default (what the settings say)
    ///
    /// What a subscriber has not read is kept longer, up to the setting keep_unread_s_max.
    #[arg(long, value_name = "TIME", value_parser = parse_keep_for)]
    pub keep_for: Option<Keep>,
    /// Only so many newest articles are kept: a number, or forever, or default
    ///
    /// What a subscriber has not read is kept longer, up to the setting keep_unread_s_max.
    #[arg(long, value_name = "N", value_parser = parse_keep_count)]
    pub keep_count: Option<Keep>,
}

#[derive(Debug, Clone, Subcommand)]
pub enum AdminArticle {
    /// Remove someone's article
    Rm {
        #[arg(value_name = "AREA#SEQ", value_parser = parse_article, add = Completes::Articles)]
        article: ArticleRef,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub enum AdminUser {
    /// List every user
    List,
    /// Make an account
    Add {
        name: String,
        #[arg(long, value_enum, default_value = "user")]
        role: RoleArg,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Set someone's password; their sessions end
    Passwd {
        #[arg(add = Completes::Users)]
        name: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Change what someone may do
    Role {
        #[arg(add = Completes::Users)]
        name: String,
        role: RoleArg,
    },
    /// Lock an account; its sessions end
    Disable {
        #[arg(add = Completes::Users)]
        name: String,
    },
    /// Unlock an account
    Enable {
        #[arg(add = Completes::Users)]
        name: String,
    },
    /// List someone's sessions
    Sessions {
        #[arg(add = Completes::Users)]
        name: String,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub enum AdminNode {
    /// List nodes with their state and load, and what happened to them last
    List,
    /// Take the areas away from a node, so that it can be stopped unnoticed; a later node at its address stays drained
    Drain {
        /// Its address, or the beginning of its id
        #[arg(add = Completes::Nodes)]
        node: String,
    },
    /// Give a drained node areas again
    Resume {
        /// Its address, or the beginning of its id
        #[arg(add = Completes::Nodes)]
        node: String,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub enum AdminAgent {
    /// List agents, who leads since when, and what happened last, to areas too
    List,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleArg {
    User,
    Admin,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::User => Self::User,
            RoleArg::Admin => Self::Admin,
        }
    }
}
