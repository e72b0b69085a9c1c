//! Settings: kept in one place, with one version for all of them together.
//!
//! - [`definitions`]: every setting, once, and [`Settings`], what processes use.
//! - [`values`]: how values are written and shown; [`rules`]: what must hold between settings.
//! - [`live`]: the settings that a process runs.
//!
//! Only what somebody has set stands in the table; everything else has its default. Names that this release does not know are
//! a newer one's: ignored, and kept.

pub mod definitions;
pub mod live;
pub mod rules;
pub mod values;

pub use definitions::Settings;
pub use live::{Live, Runs};

use crate::error::WrongSetting;
use crate::sessions::TokenHash;
use crate::{Db, Error, Result, audit};
use definitions::{DEFINITIONS, Definition, find};
use std::collections::{HashMap, HashSet};

/// A change that meets another one is checked again against what that one made of the settings: so often. More administrators
/// than this do not press Enter in the same millisecond.
const CHANGE_TRIES_MAX: u32 = 10;

/// A setting as administrators see it, its values as text.
#[derive(Debug)]
pub struct Details {
    pub name: &'static str,
    pub value: String,
    pub default: String,
    /// Since when somebody has set it; `None`: it has its default.
    pub changed_at_us: Option<i64>,
    pub allowed: String,
    pub help: &'static str,
}

/// What is wanted of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub name: String,
    /// `None`: its default.
    pub value: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Changed {
    pub version: i64,
    /// Everything was as wanted.
    pub already: bool,
}

/// A server that is there, and the version that it runs.
#[derive(Debug)]
pub struct Server {
    pub is_agent: bool,
    pub id: uuid::Uuid,
    pub address: String,
    pub version: Option<i64>,
}

/// What the table says.
#[derive(Debug)]
pub struct Loaded {
    pub version: i64,
    pub settings: Settings,
    /// Rows that somebody wrote by hand and that cannot be: in their place stand the defaults.
    pub damaged: Vec<String>,
    /// Those that are set, and since when.
    set_at_us: HashMap<&'static str, i64>,
}

pub async fn load(db: &Db) -> Result<Loaded> {
    let rows = db
        .query(
            "select v.version, s.name, jsonb_typeof(s.value) as type, s.value #>> '{}' as text,
                    us(s.changed_at) as changed_at_us
               from settings_state v left join settings s on true",
            &[],
        )
        .await?;
    let version = rows.first().map(|row| row.get("version"));
    let mut loaded = Loaded {
        version: version.ok_or_else(|| Error::Unexpected("settings_state is empty".into()))?,
        settings: Settings::default(),
        damaged: Vec::new(),
        set_at_us: HashMap::new(),
    };
    for row in &rows {
        let Some(name) = row.get::<_, Option<&str>>("name") else { continue };
        let Some(definition) = find(name) else { continue };
        let (json_type, text) = (row.get("type"), row.get::<_, Option<&str>>("text").unwrap_or_default());
        loaded.set_at_us.insert(definition.name, row.get("changed_at_us"));
        match definition.from_json(json_type, text) {
            Some(value) => definition.put(&mut loaded.settings, value),
            None => loaded.damaged.push(format!(
                "{name} cannot be {text:?}: {} is used; it must be {}",
                definition.text(definition.default),
                definition.allowed()
            )),
        }
    }
    loaded.repair();
    Ok(loaded)
}

impl Loaded {
    /// Where rows that were written by hand break a rule between settings, the defaults are used, which break none.
    fn repair(&mut self) {
        while let Some(broken) = rules::broken(&self.settings, |_| false).pop() {
            self.damaged.push(format!("{}: the defaults of both are used", broken.text));
            for definition in broken.names.into_iter().filter_map(find) {
                definition.put(&mut self.settings, definition.default);
            }
        }
    }

    fn is(&self, wanted: &Wanted) -> bool {
        let set = self.set_at_us.contains_key(wanted.definition.name);
        match wanted.value {
            Some(value) => set && wanted.definition.get(&self.settings) == value,
            None => !set,
        }
    }
}

/// All settings, for an administrator, in the order of the definitions; and their version.
pub async fn list(db: &Db, token: &TokenHash) -> Result<(i64, Vec<Details>)> {
    audit::require_admin(db, token).await?;
    let loaded = load(db).await?;
    let details = DEFINITIONS.iter().map(|definition| Details {
        name: definition.name,
        value: definition.text(definition.get(&loaded.settings)),
        default: definition.text(definition.default),
        changed_at_us: loaded.set_at_us.get(definition.name).copied(),
        allowed: definition.allowed(),
        help: definition.help,
    });
    Ok((loaded.version, details.collect()))
}

/// Makes all these changes or none. What is checked is the set that results, and it is written only if nobody has changed
/// anything since it was read. `expected_version`: only if nobody has since then, either, unless everything is as wanted.
pub async fn change(
    db: &Db,
    token: &TokenHash,
    changes: &[Change],
    expected_version: Option<i64>,
) -> Result<Changed> {
    audit::require_admin(db, token).await?;
    for _ in 0..CHANGE_TRIES_MAX {
        let loaded = load(db).await?;
        let wanted = check(&loaded.settings, changes)?;
        if let Some(expected) = expected_version.filter(|expected| *expected != loaded.version) {
            if wanted.iter().all(|wanted| loaded.is(wanted)) {
                return Ok(Changed { version: loaded.version, already: true });
            }
            return Err(Error::Conflict(format!(
                "the settings have changed meanwhile: they are at version {}, not {expected}; look again",
                loaded.version
            )));
        }
        if let Some(changed) = write(db, token, loaded.version, &wanted).await? {
            return Ok(changed);
        }
    }
    Err(Error::Conflict("others change the settings at this very moment: try again".into()))
}

/// A change that is allowed.
struct Wanted {
    definition: &'static Definition,
    value: Option<values::Value>,
}

/// Everything that is wrong is reported at once, what is unknown first.
fn check(settings: &Settings, changes: &[Change]) -> Result<Vec<Wanted>> {
    let (mut wanted, mut wrong, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    let (mut names, mut wrong_names) = (HashSet::new(), HashSet::new());
    let mut settings = *settings;
    let is_wrong = |name: &str, message| WrongSetting { name: name.into(), is_unknown: false, message };
    for Change { name, value } in changes {
        let Some(definition) = find(name) else {
            let message = format!("no setting {name:?}: `admin settings list` lists them");
            unknown.push(WrongSetting { name: name.clone(), is_unknown: true, message });
            continue;
        };
        if !names.insert(definition.name) {
            wrong.push(is_wrong(name, format!("{name} is given more than once")));
            continue;
        }
        match value.as_deref().map(|text| definition.parse(text)).transpose() {
            Ok(value) => {
                definition.put(&mut settings, value.unwrap_or(definition.default));
                wanted.push(Wanted { definition, value });
            }
            Err(text) => {
                wrong_names.insert(definition.name);
                wrong.push(is_wrong(name, text));
            }
        }
    }
    let broken = rules::broken(&settings, |name| names.contains(name));
    let judged =
        broken.into_iter().filter(|broken| !broken.names.iter().any(|name| wrong_names.contains(name)));
    wrong.extend(judged.map(|broken| is_wrong(broken.name, broken.text)));
    unknown.extend(wrong);
    if unknown.is_empty() { Ok(wanted) } else { Err(Error::Settings(unknown)) }
}

/// `None` if the version is another one by now.
async fn write(db: &Db, token: &TokenHash, version: i64, wanted: &[Wanted]) -> Result<Option<Changed>> {
    let names: Vec<&str> = wanted.iter().map(|wanted| wanted.definition.name).collect();
    let json = |wanted: &Wanted| wanted.value.map(|value| wanted.definition.json(value));
    let values: Vec<Option<String>> = wanted.iter().map(json).collect();
    // `state` locks the version: two changes of one moment follow each other, and the later one finds another version. If it
    // finds the same one, nobody has changed the settings since the snapshot of this statement.
    let row = db
        .query_one(
            "with me as (select * from live_sessions where token_hash = $1),
                  state as (select s.version from settings_state s, me
                             where me.role = 'admin' and s.version = $2 for update of s),
                  changes as (select g.name, g.value::jsonb as new, s.value as old
                                from state, unnest($3::text[], $4::text[]) as g (name, value)
                                left join settings s using (name)
                               where g.value::jsonb is distinct from s.value),
                  put as (insert into settings (name, value)
                          select name, new from changes where new is not null
                          on conflict (name) do update set value = excluded.value, changed_at = now()),
                  unset as (delete from settings s using changes c where s.name = c.name and c.new is null),
                  raised as (update settings_state s set version = s.version + 1, changed_at = now()
                              where s.version = $2 and exists (select from changes) returning s.version),
                  audited as (insert into audit (actor_id, actor, action, target, detail)
                              select me.user_id, me.user_name,
                                     case when c.new is null then 'setting.unset' else 'setting.set' end, c.name,
                                     jsonb_build_object('from', c.old, 'to', c.new)
                                from me, changes c)
             select (select role from me), exists (select from state) as current, (select version from raised)",
            &[&token.as_bytes(), &version, &names, &values],
        )
        .await?;
    audit::check_admin(row.get("role"))?;
    let raised: Option<i64> = row.get("version");
    Ok(row
        .get::<_, bool>("current")
        .then(|| Changed { version: raised.unwrap_or(version), already: raised.is_none() }))
}

/// Agents and nodes that live, for an administrator: which version each runs; and the version that there is.
pub async fn status(db: &Db, token: &TokenHash) -> Result<(i64, Vec<Server>)> {
    audit::require_admin(db, token).await?;
    let rows = db
        .query(
            "select v.version, s.is_agent, s.id, s.address, s.settings_version
               from settings_state v
               left join (select true as is_agent, agent_id as id, address, settings_version from agents
                           where seen_at > now() - $1 * interval '1 s'
                          union all
                          select false, node_id, address, settings_version from nodes
                           where state in ('announced', 'live')) s on true
              order by s.is_agent desc, s.address",
            &[&crate::agents::LIVE_S],
        )
        .await?;
    let version = rows.first().map(|row| row.get("version"));
    let servers =
        rows.iter().filter(|row| row.get::<_, Option<bool>>("is_agent").is_some()).map(|row| Server {
            is_agent: row.get("is_agent"),
            id: row.get("id"),
            address: row.get("address"),
            version: row.get("settings_version"),
        });
    let servers = servers.collect();
    Ok((version.ok_or_else(|| Error::Unexpected("settings_state is empty".into()))?, servers))
}
