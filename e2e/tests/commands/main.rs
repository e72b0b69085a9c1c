//! `gaceta` from a shell, as scripts use it: exit codes, `--json`, and what a person is told when something is wrong.

mod accounts;
mod bad_files;
mod bad_input;
mod bad_protocol;
mod commands_admin;
mod commands_news;
mod commands_settings;
mod contexts;
mod follow_exec;
mod hints;
mod json_schema;
mod retention;
mod status_command;
