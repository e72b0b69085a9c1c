//! Every setting, once: its name, what values it takes, its default, and what it is for.

use super::values::{Unit, Value};

/// The settings as processes use them. Units stand last in the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Asked by the statement that registers, not here.
    pub registration_open: bool,
    /// Asked by the statements, as the view `session_lifetime`.
    pub session_lifetime_s: i64,
    pub password_failures_free: i64,
    pub password_wait_ms_max: i64,
    pub password_forget_s: i64,
    pub body_bytes_max: i64,
    pub follow_wait_ms_max: i64,
    /// Of areas without their own; `None`: no limit.
    pub keep_for_s: Option<i64>,
    /// Of areas without their own; `None`: no limit.
    pub keep_count: Option<i64>,
    /// An article that somebody has not read is kept longer than its area says, but no longer than this.
    pub keep_unread_s_max: i64,
    pub removed_area_keep_s: i64,
    pub check_interval_ms: i64,
    pub check_misses_max: i64,
    pub lease_ttl_ms: i64,
    pub lease_renewal_ms: i64,
    pub sample_interval_ms: i64,
    pub sample_keep_s: i64,
    pub event_keep_s: i64,
}

/// What values a setting takes, and where it stands in [`Settings`].
#[derive(Clone, Copy)]
pub enum Kind {
    Switch {
        on: &'static str,
        off: &'static str,
        of: fn(&mut Settings) -> &mut bool,
    },
    Number {
        unit: Unit,
        min: i64,
        max: i64,
        of: fn(&mut Settings) -> &mut i64,
    },
    /// A number, or `forever`.
    Limit {
        unit: Unit,
        min: i64,
        max: i64,
        of: fn(&mut Settings) -> &mut Option<i64>,
    },
}

/// One setting.
#[derive(Clone, Copy)]
pub struct Definition {
    pub name: &'static str,
    pub kind: Kind,
    pub default: Value,
    /// One short line.
    pub help: &'static str,
}

const FOREVER: &str = "forever";
const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 60 * MINUTE_S;
const DAY_S: i64 = 24 * HOUR_S;
/// Longer than anybody plans for, and far from where dates end.
const CENTURY_S: i64 = 36_500 * DAY_S;

/// In the order in which people look for them. With every allowed value the service can be used, and the setting be changed
/// again; what does not follow from the name is said beside the bound.
pub const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "registration",
        kind: Kind::Switch { on: "open", off: "closed", of: |s| &mut s.registration_open },
        default: Value::Switch(true),
        help: "whether anybody may make an account",
    },
    Definition {
        name: "session_lifetime_s",
        // Uses are noted every five minutes: with less than some of those a session in use would end.
        kind: Kind::Number {
            unit: Unit::Seconds,
            min: 15 * MINUTE_S,
            max: 3_650 * DAY_S,
            of: |s| &mut s.session_lifetime_s,
        },
        default: Value::Number(90 * DAY_S),
        help: "a session ends so long after its last use",
    },
    Definition {
        name: "password_failures_free",
        // People mistype; a hundred guesses in a row find nothing that is worth the name.
        kind: Kind::Number { unit: Unit::Count, min: 1, max: 100, of: |s| &mut s.password_failures_free },
        default: Value::Number(5),
        help: "wrong passwords before the next must wait",
    },
    Definition {
        name: "password_wait_ms_max",
        // Somebody else's guesses make people wait: longer would be a way to lock them out.
        kind: Kind::Number {
            unit: Unit::Milliseconds,
            min: 1_000,
            max: 5 * 60 * 1_000,
            of: |s| &mut s.password_wait_ms_max,
        },
        default: Value::Number(30_000),
        help: "the longest wait after wrong passwords",
    },
    Definition {
        name: "password_forget_s",
        kind: Kind::Number {
            unit: Unit::Seconds,
            min: MINUTE_S,
            max: DAY_S,
            of: |s| &mut s.password_forget_s,
        },
        default: Value::Number(15 * MINUTE_S),
        help: "wrong passwords are forgotten after this",
    },
    Definition {
        name: "body_bytes_max",
        // The protocol's bound is the upper one; below the lower one a paragraph would not fit.
        kind: Kind::Number { unit: Unit::Bytes, min: 1_024, max: 65_536, of: |s| &mut s.body_bytes_max },
        default: Value::Number(65_536),
        help: "the longest text of an article",
    },
    Definition {
        name: "follow_wait_ms_max",
        // Shorter, and followers ask all the time; longer, and firewalls forget the connection.
        kind: Kind::Number {
            unit: Unit::Milliseconds,
            min: 1_000,
            max: 25_000,
            of: |s| &mut s.follow_wait_ms_max,
        },
        default: Value::Number(25_000),
        help: "the longest wait of a follower's request",
    },
    Definition {
        name: "keep_for_s",
        kind: Kind::Limit { unit: Unit::Seconds, min: 1, max: CENTURY_S, of: |s| &mut s.keep_for_s },
        default: Value::Forever,
        help: "older articles expire (areas may differ)",
    },
    Definition {
        name: "keep_count",
        kind: Kind::Limit { unit: Unit::Count, min: 1, max: 1_000_000_000_000, of: |s| &mut s.keep_count },
        default: Value::Forever,
        help: "only so many are kept (areas may differ)",
    },
    Definition {
        name: "keep_unread_s_max",
        kind: Kind::Number { unit: Unit::Seconds, min: 1, max: CENTURY_S, of: |s| &mut s.keep_unread_s_max },
        default: Value::Number(365 * DAY_S),
        help: "the longest that unread articles are kept",
    },
    Definition {
        name: "removed_area_keep_s",
        kind: Kind::Number {
            unit: Unit::Seconds,
            min: 1,
            max: CENTURY_S,
            of: |s| &mut s.removed_area_keep_s,
        },
        default: Value::Number(30 * DAY_S),
        help: "a removed area can be restored so long",
    },
    Definition {
        name: "check_interval_ms",
        // Shorter, and the checks are the load; longer, and nodes think that nobody checks them (10 s) after one miss.
        kind: Kind::Number {
            unit: Unit::Milliseconds,
            min: 200,
            max: 5_000,
            of: |s| &mut s.check_interval_ms,
        },
        default: Value::Number(1_000),
        help: "how often the leader checks the nodes",
    },
    Definition {
        name: "check_misses_max",
        kind: Kind::Number { unit: Unit::Count, min: 1, max: 100, of: |s| &mut s.check_misses_max },
        default: Value::Number(3),
        help: "missed checks after which a node is out",
    },
    Definition {
        name: "lease_ttl_ms",
        // Shorter, and a slow moment of the database takes the lead away; longer, and a dead leader is missed.
        kind: Kind::Number { unit: Unit::Milliseconds, min: 3_000, max: 60_000, of: |s| &mut s.lease_ttl_ms },
        default: Value::Number(6_000),
        help: "how long a silent leader goes on leading",
    },
    Definition {
        name: "lease_renewal_ms",
        kind: Kind::Number {
            unit: Unit::Milliseconds,
            min: 200,
            max: 20_000,
            of: |s| &mut s.lease_renewal_ms,
        },
        default: Value::Number(1_500),
        help: "how often the leader says that it leads",
    },
    Definition {
        name: "sample_interval_ms",
        kind: Kind::Number {
            unit: Unit::Milliseconds,
            min: 1_000,
            max: 60_000,
            of: |s| &mut s.sample_interval_ms,
        },
        default: Value::Number(5_000),
        help: "how often the load is noted",
    },
    Definition {
        name: "sample_keep_s",
        kind: Kind::Number {
            unit: Unit::Seconds,
            min: MINUTE_S,
            max: 7 * DAY_S,
            of: |s| &mut s.sample_keep_s,
        },
        default: Value::Number(DAY_S),
        help: "how long the load is kept",
    },
    Definition {
        name: "event_keep_s",
        kind: Kind::Number {
            unit: Unit::Seconds,
            min: HOUR_S,
            max: 3_650 * DAY_S,
            of: |s| &mut s.event_keep_s,
        },
        default: Value::Number(30 * DAY_S),
        help: "how long events are kept",
    },
];

pub fn find(name: &str) -> Option<&'static Definition> {
    DEFINITIONS.iter().find(|definition| definition.name == name)
}

impl Default for Settings {
    fn default() -> Self {
        let mut settings = Self {
            registration_open: false,
            session_lifetime_s: 0,
            password_failures_free: 0,
            password_wait_ms_max: 0,
            password_forget_s: 0,
            body_bytes_max: 0,
            follow_wait_ms_max: 0,
            keep_for_s: None,
            keep_count: None,
            keep_unread_s_max: 0,
            removed_area_keep_s: 0,
            check_interval_ms: 0,
            check_misses_max: 0,
            lease_ttl_ms: 0,
            lease_renewal_ms: 0,
            sample_interval_ms: 0,
            sample_keep_s: 0,
            event_keep_s: 0,
        };
        for definition in DEFINITIONS {
            definition.put(&mut settings, definition.default);
        }
        settings
    }
}

impl Definition {
    pub fn get(&self, settings: &Settings) -> Value {
        let mut settings = *settings;
        match self.kind {
            Kind::Switch { of, .. } => Value::Switch(*of(&mut settings)),
            Kind::Number { of, .. } => Value::Number(*of(&mut settings)),
            Kind::Limit { of, .. } => of(&mut settings).map_or(Value::Forever, Value::Number),
        }
    }

    /// `value` must be one of this setting's: what [`Self::parse`] and [`Self::from_json`] return.
    pub fn put(&self, settings: &mut Settings, value: Value) {
        match (self.kind, value) {
            (Kind::Switch { of, .. }, Value::Switch(value)) => *of(settings) = value,
            (Kind::Number { of, .. }, Value::Number(value)) => *of(settings) = value,
            (Kind::Limit { of, .. }, Value::Number(value)) => *of(settings) = Some(value),
            (Kind::Limit { of, .. }, Value::Forever) => *of(settings) = None,
            (_, value) => debug_assert!(false, "{}: {value:?} is none of its values", self.name),
        }
    }

    pub fn unit(&self) -> Unit {
        match self.kind {
            Kind::Switch { .. } => Unit::Count,
            Kind::Number { unit, .. } | Kind::Limit { unit, .. } => unit,
        }
    }

    /// What people write. The error is a sentence that says what is allowed.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let (unit, is_limit) = match self.kind {
            Kind::Switch { on, .. } if text == on => return Ok(Value::Switch(true)),
            Kind::Switch { off, .. } if text == off => return Ok(Value::Switch(false)),
            Kind::Switch { .. } => {
                return Err(format!("{} must be {}, not {text:?}", self.name, self.allowed()));
            }
            Kind::Number { unit, .. } => (unit, false),
            Kind::Limit { unit, .. } => (unit, true),
        };
        if is_limit && text == FOREVER {
            return Ok(Value::Forever);
        }
        match unit.read(text) {
            Some(number) if self.has(number) => Ok(Value::Number(number)),
            Some(_) => Err(format!("{} must be {}, not {text}", self.name, self.allowed())),
            None => {
                let (allowed, examples) = (self.allowed(), unit.examples());
                Err(format!("{} must be {allowed} ({examples}), not {text:?}", self.name))
            }
        }
    }

    /// What [`Self::parse`] reads back.
    pub fn text(&self, value: Value) -> String {
        match (self.kind, value) {
            (Kind::Switch { on, .. }, Value::Switch(true)) => on.into(),
            (Kind::Switch { off, .. }, Value::Switch(false)) => off.into(),
            (_, Value::Number(number)) => self.unit().show(number),
            (_, Value::Forever | Value::Switch(_)) => FOREVER.into(),
        }
    }

    /// What values there are.
    pub fn allowed(&self) -> String {
        match self.kind {
            Kind::Switch { on, off, .. } => format!("{on} or {off}"),
            Kind::Number { unit, min, max, .. } => format!("{} to {}", unit.show(min), unit.show(max)),
            Kind::Limit { unit, min, max, .. } => {
                format!("{} to {}, or {FOREVER}", unit.show(min), unit.show(max))
            }
        }
    }

    /// As it stands in the table.
    pub fn json(&self, value: Value) -> String {
        match value {
            Value::Number(number) => number.to_string(),
            Value::Switch(_) | Value::Forever => format!("\"{}\"", self.text(value)),
        }
    }

    /// What stands in the table, if it is allowed: its JSON type, and its text without quotes.
    pub fn from_json(&self, json_type: &str, text: &str) -> Option<Value> {
        match (self.kind, json_type) {
            (Kind::Number { .. } | Kind::Limit { .. }, "number") => {
                text.parse().ok().filter(|number| self.has(*number)).map(Value::Number)
            }
            (Kind::Switch { .. }, "string") => self.parse(text).ok(),
            (Kind::Limit { .. }, "string") if text == FOREVER => Some(Value::Forever),
            _ => None,
        }
    }

    fn has(&self, number: i64) -> bool {
        match self.kind {
            Kind::Switch { .. } => false,
            Kind::Number { min, max, .. } | Kind::Limit { min, max, .. } => (min..=max).contains(&number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_and_bound_is_allowed_and_round_trips() {
        for definition in DEFINITIONS {
            let mut values = vec![definition.default];
            match definition.kind {
                Kind::Switch { .. } => values.extend([Value::Switch(true), Value::Switch(false)]),
                Kind::Number { min, max, .. } => values.extend([Value::Number(min), Value::Number(max)]),
                Kind::Limit { min, max, .. } => {
                    values.extend([Value::Number(min), Value::Number(max), Value::Forever]);
                }
            }
            for value in values {
                assert_eq!(definition.parse(&definition.text(value)), Ok(value), "{}", definition.name);
                let json = definition.json(value);
                let json_type = if json.starts_with('"') { "string" } else { "number" };
                assert_eq!(definition.from_json(json_type, json.trim_matches('"')), Some(value));
                let mut settings = Settings::default();
                definition.put(&mut settings, value);
                assert_eq!(definition.get(&settings), value, "{}", definition.name);
            }
        }
    }

    #[test]
    fn each_name_and_each_field_is_there_once() {
        for (at, definition) in DEFINITIONS.iter().enumerate() {
            let others = DEFINITIONS.iter().enumerate().filter(|(other, _)| *other != at);
            for (_, other) in others {
                assert_ne!(definition.name, other.name);
                let mut settings = Settings::default();
                let value = match definition.kind {
                    Kind::Switch { .. } => Value::Switch(false),
                    Kind::Number { min, max, .. } | Kind::Limit { min, max, .. } => {
                        Value::Number(if definition.default == Value::Number(min) { max } else { min })
                    }
                };
                definition.put(&mut settings, value);
                assert_eq!(other.get(&settings), other.default, "{} moves {}", definition.name, other.name);
            }
            // A table at 80 columns has room for so much beside the longest name and value.
            assert!(definition.help.chars().count() <= 42, "{}", definition.name);
        }
    }

    #[test]
    fn a_wrong_value_is_told_what_is_allowed() {
        let told = |name: &str, text: &str| find(name).unwrap().parse(text).unwrap_err();
        assert_eq!(told("registration", "maybe"), "registration must be open or closed, not \"maybe\"");
        assert_eq!(told("lease_ttl_ms", "1s"), "lease_ttl_ms must be 3s to 1m, not 1s");
        assert_eq!(
            told("keep_for_s", "soon"),
            "keep_for_s must be 1s to 36500d, or forever (like 30s, 10m, 12h or 90d), not \"soon\""
        );
        assert_eq!(
            told("keep_unread_s_max", "forever").split(" (").next(),
            Some("keep_unread_s_max must be 1s to 36500d")
        );
    }
}
