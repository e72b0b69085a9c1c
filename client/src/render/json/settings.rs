//! The settings of the service, as JSON.

use crate::outcome::SettingMoved;
use crate::render::layout::rfc3339;
use serde_json::{Map, Value, json};
use wire::{ServerSettings, SettingDetails};

pub fn list(version: i64, settings: &[SettingDetails]) -> Value {
    json!({"version": version, "settings": settings.iter().map(setting).collect::<Value>()})
}

pub fn setting(setting: &SettingDetails) -> Value {
    let SettingDetails { name, value, default, changed_at_us, allowed, help } = setting;
    json!({
        "name": name, "value": value, "default": default, "set_at": changed_at_us.map(rfc3339),
        "allowed": allowed, "help": help,
    })
}

/// Those that are set.
pub fn export(version: i64, settings: &[SettingDetails]) -> Value {
    let set = settings.iter().filter(|setting| setting.changed_at_us.is_some());
    let set: Map<String, Value> = set.map(|setting| (setting.name.clone(), json!(setting.value))).collect();
    json!({"version": version, "settings": set})
}

pub fn status(version: i64, servers: &[ServerSettings]) -> Value {
    let server = |server: &ServerSettings| {
        let ServerSettings { kind, id, address, version } = server;
        json!({"kind": kind.name(), "id": id, "address": address, "version": version})
    };
    json!({"version": version, "servers": servers.iter().map(server).collect::<Value>()})
}

pub fn changes(version: i64, moved: &[SettingMoved]) -> Value {
    json!({"version": version, "changes": moved})
}
