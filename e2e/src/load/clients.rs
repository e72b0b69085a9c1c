//! Real processes of the client: `gaceta follow`, killed with -9 and started again, and `gaceta post`, one process for each
//! post, killed now and then, with its outbox resumed.

use super::{Area, OPERATION_WAIT, Scene, cursor, subscriptions, text};
use crate::gaceta::Gaceta;
use crate::history::{Asked, By, Delivery, Entry, Given, Operation, Outcome, Reading, Why, hash};
use crate::person::Person;
use crate::processes::Process;
use crate::seed::Chance;
use client::exit;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use uuid::Uuid;
use wire::Seq;

/// How long a follower lives before it is killed.
const LIFE_MS: (u64, u64) = (4_000, 15_000);
/// One posting process in so many is killed while it works.
const KILLS_ONE_IN: usize = 6;
/// Most of them have sent their post by then, and some have their answer.
const KILLED_AFTER_MS: (u64, u64) = (5, 120);
/// As long as the operations of those who are no process (`OPERATION_WAIT`).
const TIMEOUT: &str = "10s";
/// A process is costly on a small machine.
const PAUSE_MS: (u64, u64) = (300, 1_200);

/// The same person at a shell, with a session of his own there.
pub async fn at_shell(scene: &Scene, person: &Person) -> Gaceta {
    let shell = Gaceta::at_all(&scene.place.agents);
    loop {
        let ran = shell.try_log_in(&person.name, &scene.place.password).await;
        match ran.code {
            Some(0) => return shell,
            Some(code) if code == i32::from(exit::UNAVAILABLE) => {}
            _ => panic!("{ran:?}"),
        }
    }
}

pub async fn follow(scene: Arc<Scene>, person: Person, shell: Gaceta, areas: Vec<Area>, mut chance: Chance) {
    let caller = scene.caller(&person);
    let mut shown: HashMap<i64, Seq> = HashMap::new();
    let mut why = Why::Begin;
    loop {
        let subscriptions = subscriptions(&caller).await;
        for area in &areas {
            let cursor = cursor(&subscriptions, area);
            shown.entry(area.id.0).or_insert(cursor);
            scene.recorder.reading(Reading {
                reader: person.name.clone(),
                session: person.session_id,
                area: area.id.0,
                at_us: scene.recorder.now_us(),
                why,
                start: cursor,
                marked: cursor,
            });
        }
        why = Why::Crash;
        let mut args = vec!["--json", "--timeout", TIMEOUT, "follow"];
        args.extend(areas.iter().map(|area| area.name.as_str()));
        let started_us = scene.recorder.now_us();
        let mut process = Process::start("follow", shell.command(&args));
        let life = sleep(chance.ms(LIFE_MS.0, LIFE_MS.1));
        match watch(&scene, &person, started_us, &mut process, &mut shown, life).await {
            Over::AllSeen => {
                // Told to end it marks what it has shown.
                process.signal(Signal::TERM);
                process.end().await;
                return;
            }
            Over::Life if !process.has_ended() => process.kill().await,
            Over::Life => {}
            Over::Itself => ended_by_itself(&scene, &person, started_us, &mut process).await,
        }
        while let Some(line) = process.next_line().await {
            take(&scene, &person, started_us, &line, &mut shown); // what it had printed was shown
        }
    }
}

/// Why a process that follows is watched no more.
enum Over {
    AllSeen,
    Life,
    Itself,
}

/// Nobody told it to: an operation of the client that failed. It begins with the process, if that never came to follow.
async fn ended_by_itself(scene: &Scene, person: &Person, started_us: u64, process: &mut Process) {
    let code = process.end().await.code();
    let ended_us = scene.recorder.now_us();
    let has_followed = ended_us - started_us > OPERATION_WAIT.as_micros() as u64;
    let why = format!("gaceta follow ended with {code:?}: {}", process.log());
    let is_unavailable = code == Some(i32::from(exit::UNAVAILABLE));
    scene.recorder.put(Entry::Operation(Operation {
        who: person.name.clone(),
        session: person.session_id,
        is_attempt: false,
        began_us: if has_followed { ended_us } else { started_us },
        ended_us: Some(ended_us),
        asked: Asked::Follow,
        outcome: if is_unavailable { Outcome::Unknown(why) } else { Outcome::Failed(why) },
    }));
}

/// Until its life is over, or everything is seen.
async fn watch(
    scene: &Scene,
    person: &Person,
    started_us: u64,
    process: &mut Process,
    shown: &mut HashMap<i64, Seq>,
    life: tokio::time::Sleep,
) -> Over {
    let give_up = scene.quiet_for_too_long();
    tokio::pin!(life, give_up);
    let mut heads = scene.heads.subscribe();
    loop {
        if scene.has_seen_all(shown.iter().map(|(area, seq)| (*area, *seq))) {
            return Over::AllSeen;
        }
        tokio::select! {
            line = process.next_line() => match line {
                Some(line) => take(scene, person, started_us, &line, shown),
                None => return Over::Itself,
            },
            () = &mut life, if scene.crowd.has_crashes && !scene.stop.is_cancelled() => return Over::Life,
            () = &mut give_up => return Over::AllSeen,
            _ = heads.changed() => {}
        }
    }
}

fn take(scene: &Scene, person: &Person, started_us: u64, line: &str, shown: &mut HashMap<i64, Seq>) {
    let Ok(line) = serde_json::from_str::<Value>(line) else { return }; // cut in the middle by kill -9
    let (area, seq) = (scene.area_named(line["area"].as_str().unwrap()), line["seq"].as_i64());
    let Some(seq) = seq else { return };
    let given = || Given {
        seq,
        id: line["id"].as_str().unwrap().parse().unwrap(),
        author: line["author"].as_str().unwrap().into(),
        hash: hash(line["body"].as_str().unwrap()),
    };
    let is_deleted = line["deleted"] == true;
    let expired = line["expired"].as_i64(); // so many, up to this number
    let is_article = !is_deleted && expired.is_none();
    let from = shown[&area].min(seq - 1) + 1;
    shown.insert(area, seq);
    scene.recorder.delivered(Delivery {
        reader: person.name.clone(),
        session: person.session_id,
        by: By::Client,
        area,
        asked_us: started_us,
        at_us: scene.recorder.now_us(),
        from: if expired.is_some() { from } else { seq },
        upto: seq,
        expired_through: if expired.is_some() { seq } else { 0 },
        articles: if is_article { vec![given()] } else { vec![] },
        deleted: if is_deleted { vec![seq] } else { vec![] },
    });
}

pub async fn post(scene: Arc<Scene>, person: Person, shell: Gaceta, areas: Vec<Area>, mut chance: Chance) {
    let mut pending: Option<(Area, Uuid, u64)> = None;
    loop {
        if let Some((area, id, hash)) = pending.clone() {
            let sent = send(&scene, &shell, &person, &["post", "--resume"], &area, (id, hash), None).await;
            if sent {
                pending = None;
            }
        }
        if pending.is_none() {
            if scene.stop.is_cancelled() {
                return;
            }
            let area = chance.pick(&areas).unwrap().clone();
            let id = Uuid::now_v7();
            let body = text(id, &mut chance);
            let id_text = id.to_string();
            let args = ["post", &area.name, "--id", &id_text, &body];
            let is_killed = scene.crowd.has_crashes && chance.one_in(KILLS_ONE_IN);
            let killed = is_killed.then(|| chance.ms(KILLED_AFTER_MS.0, KILLED_AFTER_MS.1));
            let post = (id, hash(&body));
            if !send(&scene, &shell, &person, &args, &area, post, killed).await {
                pending = Some((area, post.0, post.1));
            }
        }
        sleep(chance.ms(PAUSE_MS.0, PAUSE_MS.1)).await;
    }
}

/// Runs it; whether the outbox has nothing left of this post. Killed, nobody knows what became of it.
async fn send(
    scene: &Scene,
    shell: &Gaceta,
    person: &Person,
    args: &[&str],
    area: &Area,
    (id, hash): (Uuid, u64),
    killed_after: Option<Duration>,
) -> bool {
    let asked = Asked::Post { area: area.id.0, id, hash };
    // One that is killed is no operation that the service could have completed, nor is one with nothing left to do.
    let begun = match killed_after {
        None if !args.contains(&"--resume") => scene.recorder.begin(&person.name, person.session_id, asked),
        _ => scene.recorder.attempt(&person.name, person.session_id, asked),
    };
    let args = [&["--json", "--timeout", TIMEOUT], args].concat();
    let Some(killed_after) = killed_after else {
        let ran = shell.run_with(&args, "").await;
        let answer: Option<Value> = serde_json::from_str(&ran.stdout).ok();
        let of_this = |one: &Value| one["id"].as_str() == Some(&id.to_string());
        let answer = answer.and_then(|answer| match answer {
            Value::Array(all) => all.into_iter().find(of_this),
            one => Some(one),
        });
        let outcome = match (ran.code, answer) {
            (Some(0), Some(answer)) => Outcome::Posted {
                seq: answer["seq"].as_i64().unwrap(),
                duplicate: answer["duplicate"].as_bool().unwrap(),
            },
            // Nothing waited any more: the answer had come before the process was killed.
            (Some(0), None) => Outcome::Unknown("nothing to resume".into()),
            (Some(code), _) if code == i32::from(exit::UNAVAILABLE) => Outcome::Unknown(ran.stderr),
            _ => Outcome::Failed(format!("{:?} {}", ran.code, ran.stderr)),
        };
        let is_over = ran.code != Some(i32::from(exit::UNAVAILABLE));
        begun.end(outcome);
        return is_over;
    };
    let mut process = Process::start("post", shell.command(&args));
    if timeout(killed_after, process.end()).await.is_err() && !process.has_ended() {
        process.signal(Signal::KILL);
        process.end().await;
    }
    begun.end(Outcome::Unknown("killed".into()));
    false
}
