//! What goes wrong in a run: one thing after the other, by chance, for some seconds each, until told to stop.

use crate::breaker::{HOLD, LOSE, PASS, Plan, RESET, Way};
use crate::fleet::{Fleet, Member};
use crate::history::recorder::Recorder;
use crate::history::{Entry, Fault};
use crate::seed::Chance;
use db::private::Shutdown;
use rustix::process::Signal;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Between two faults: enough for the last one's aftermath, sometimes, and sometimes not.
const PAUSE_MS: (u64, u64) = (300, 2_500);
/// How long something is away, paused or cut off.
const FAULT_MS: (u64, u64) = (200, 5_000);
const DELAY_MS: (u64, u64) = (20, 400);

#[derive(Debug, Clone, Copy)]
enum Kind {
    Kill,
    Pause,
    Roll,
    PauseHalf,
    Cut,
    PausePostgres,
    RestartPostgres,
}

/// What happens more often stands here more often.
const KINDS: [Kind; 14] = [
    Kind::Kill,
    Kind::Kill,
    Kind::Kill,
    Kind::Pause,
    Kind::Pause,
    Kind::Roll,
    Kind::Roll,
    Kind::PauseHalf,
    Kind::Cut,
    Kind::Cut,
    Kind::Cut,
    Kind::Cut,
    Kind::PausePostgres,
    Kind::RestartPostgres,
];

/// Until `stop`; then all is mended.
pub async fn at_random(fleet: &Fleet, recorder: &Recorder, mut chance: Chance, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        one(fleet, recorder, &mut chance).await;
        tokio::select! {
            () = sleep(chance.ms(PAUSE_MS.0, PAUSE_MS.1)) => {}
            () = stop.cancelled() => {}
        }
    }
    fleet.mend().await;
}

async fn one(fleet: &Fleet, recorder: &Recorder, chance: &mut Chance) {
    let members: Vec<&Member> = fleet.members().collect();
    let member = members[chance.below(members.len())];
    let time = chance.ms(FAULT_MS.0, FAULT_MS.1);
    let ms = time.as_millis();
    let name = &member.name;
    match *chance.pick(&KINDS).unwrap() {
        Kind::Kill => {
            during(recorder, format!("{name} killed for {ms} ms"), async {
                member.kill().await;
                sleep(time).await;
                member.begin().await;
            })
            .await;
        }
        Kind::Pause => {
            during(recorder, format!("{name} paused for {ms} ms"), async {
                member.pause().await;
                sleep(time).await;
                member.proceed().await;
            })
            .await;
        }
        Kind::Roll => {
            during(recorder, format!("{name} rolled"), async {
                member.terminate().await;
                member.begin().await;
            })
            .await;
        }
        Kind::PauseHalf => {
            during(recorder, format!("half of the nodes paused for {ms} ms"), async {
                let half = &fleet.nodes[..fleet.nodes.len() / 2];
                for node in half {
                    node.pause().await;
                }
                sleep(time).await;
                for node in half {
                    node.proceed().await;
                }
            })
            .await;
        }
        Kind::Cut => cut(fleet, recorder, chance, time).await,
        Kind::PausePostgres => {
            during(recorder, format!("PostgreSQL paused for {ms} ms"), async {
                fleet.signal_postgres(Signal::STOP);
                sleep(time).await;
                fleet.signal_postgres(Signal::CONT);
            })
            .await;
        }
        Kind::RestartPostgres => {
            let how = *chance.pick(&[Shutdown::Fast, Shutdown::Immediate, Shutdown::Kill]).unwrap();
            during(recorder, format!("PostgreSQL restarted, {how:?}"), fleet.restart_postgres(how)).await;
        }
    }
    fleet.mend().await;
}

async fn cut(fleet: &Fleet, recorder: &Recorder, chance: &mut Chance, time: Duration) {
    let breakers = fleet.breakers();
    let (name, breaker) = &breakers[chance.below(breakers.len())];
    let delay = Way::Delay(chance.ms(DELAY_MS.0, DELAY_MS.1));
    let bytes = Way::CutAfter(chance.below(400) as u64);
    let plans = [
        RESET,
        LOSE,
        HOLD,
        Plan { forth: Way::Hold, ..PASS },
        Plan { back: Way::Hold, ..PASS },
        Plan { forth: Way::Lose, ..PASS },
        Plan { back: Way::Lose, ..PASS },
        Plan { forth: delay, back: delay },
        Plan { forth: bytes, ..PASS },
        Plan { back: bytes, ..PASS },
    ];
    let plan = *chance.pick(&plans).unwrap();
    let what = format!("{name}: forth {:?}, back {:?}, for {} ms", plan.forth, plan.back, time.as_millis());
    during(recorder, what, async {
        breaker.set(plan);
        sleep(time).await;
        breaker.set(PASS);
    })
    .await;
}

/// Does it, and writes down when.
pub async fn during<T>(recorder: &Recorder, what: String, fault: impl Future<Output = T>) -> T {
    let began_us = recorder.now_us();
    let done = fault.await;
    let ended_us = recorder.now_us();
    recorder.put(Entry::Fault(Fault { what, without_database: false, began_us, ended_us }));
    done
}
