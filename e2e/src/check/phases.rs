//! Decision 8 of a service that others change meanwhile (`gaceta-proof --against`): what each phase did to people. A phase is
//! a fault with a name; in some of them the database is away on purpose.

use super::availability::{activity, failure, faults, shown};
use super::index::Index;
use super::seconds;
use crate::history::{Entry, Fault, Operation, Outcome};
use crate::load::OPERATION_WAIT;
use std::time::Duration;

/// An operation that gives up at its deadline tells so a little later, on a machine that has more to do than it can. A process
/// of the client has to be started, too.
const DEADLINE_MARGIN: Duration = Duration::from_secs(2);

/// What happened in a phase: whatever was under way in it, wherever it began and ended. What touches a phase without a
/// database belongs to that one alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    pub what: String,
    pub without_database: bool,
    /// Of the client, with all their repeats.
    pub operations: usize,
    /// Those that should not have failed, and why they did. Where the database is away, an operation may end
    /// `unavailable`, but not after its deadline.
    pub failed: Vec<String>,
    /// Those that may.
    pub unavailable: usize,
    pub slowest_operation_ms: u64,
    /// From the acknowledgement of a post to each follower.
    pub slowest_delivery_ms: u64,
    /// The longest time without one successful post, and without anything shown to anybody.
    pub without_post_ms: u64,
    pub without_read_ms: u64,
}

impl Phase {
    /// The longest that anybody had to wait: for the end of an operation, or, who follows, for an article that its author knew
    /// to be posted.
    pub fn longest_pause_ms(&self) -> u64 {
        self.slowest_operation_ms.max(self.slowest_delivery_ms)
    }
}

/// The phases in the order in which they ended, and what failed outside of all of them.
pub fn phases(entries: &[Entry]) -> (Vec<Phase>, Vec<String>) {
    let index = Index::of(entries);
    let (posts, reads) = activity(entries);
    let faults = faults(entries);
    let mut phases: Vec<Phase> = faults
        .iter()
        .map(|fault| Phase {
            what: fault.what.clone(),
            without_database: fault.without_database,
            operations: 0,
            failed: vec![],
            unavailable: 0,
            slowest_operation_ms: 0,
            slowest_delivery_ms: 0,
            without_post_ms: posts.longest_gap_ms(fault.began_us, fault.ended_us),
            without_read_ms: reads.longest_gap_ms(fault.began_us, fault.ended_us),
        })
        .collect();
    let mut outside = vec![];
    for entry in entries {
        let Entry::Operation(one) = entry else { continue };
        let Some(ended_us) = one.ended_us.filter(|_| !one.is_attempt) else { continue };
        let touched = touched(&faults, one.began_us, ended_us);
        if touched.is_empty() {
            outside.extend(failure(one));
        }
        let took_ms = (ended_us - one.began_us) / 1_000;
        for at in touched {
            let phase = &mut phases[at];
            phase.operations += 1;
            phase.slowest_operation_ms = phase.slowest_operation_ms.max(took_ms);
            match failed(one, took_ms, phase.without_database) {
                Some(why) => phase.failed.push(why),
                None => phase.unavailable += usize::from(failure(one).is_some()),
            }
        }
    }
    for shown in shown(&index, entries) {
        for at in touched(&faults, shown.acknowledged_us, shown.at_us) {
            let took_ms = shown.at_us.saturating_sub(shown.acknowledged_us) / 1_000;
            phases[at].slowest_delivery_ms = phases[at].slowest_delivery_ms.max(took_ms);
        }
    }
    (phases, outside)
}

/// The phases that something belongs to.
fn touched(faults: &[&Fault], began_us: u64, ended_us: u64) -> Vec<usize> {
    let touches = |fault: &Fault| began_us <= fault.ended_us && ended_us >= fault.began_us;
    let all: Vec<usize> = (0..faults.len()).filter(|at| touches(faults[*at])).collect();
    match all.iter().find(|at| faults[**at].without_database) {
        Some(at) => vec![*at],
        None => all,
    }
}

/// Why it should not have come to this; `None`: it is as it should be there.
fn failed(operation: &Operation, took_ms: u64, without_database: bool) -> Option<String> {
    if !without_database {
        return failure(operation);
    }
    if u128::from(took_ms) > (OPERATION_WAIT + DEADLINE_MARGIN).as_millis() {
        let (when, deadline_s) = (seconds(operation.began_us), OPERATION_WAIT.as_secs());
        let Operation { who, asked, .. } = operation;
        return Some(format!("{when} {who}: {asked:?}: took {took_ms} ms, its deadline was {deadline_s} s"));
    }
    // Whatever may be repeated says `unavailable` in other words.
    if matches!(operation.outcome, Outcome::Unknown(_)) { None } else { failure(operation) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Asked;

    const S: u64 = 1_000_000;

    fn operation(began_us: u64, ended_us: u64, outcome: Outcome) -> Entry {
        Entry::Operation(Operation {
            who: "ana".into(),
            session: 1,
            is_attempt: false,
            began_us,
            ended_us: Some(ended_us),
            asked: Asked::Read { area: 1 },
            outcome,
        })
    }

    fn fault(what: &str, began_us: u64, ended_us: u64, without_database: bool) -> Entry {
        Entry::Fault(Fault { what: what.into(), without_database, began_us, ended_us })
    }

    fn unavailable() -> Outcome {
        Outcome::Unknown("no answer".into())
    }

    #[test]
    fn whoever_is_told_unavailable_in_time_has_not_failed_where_the_database_is_away_and_nowhere_else() {
        let entries = [
            fault("node killed", 10 * S, 20 * S, false),
            fault("no database", 30 * S, 90 * S, true),
            operation(0, S, unavailable()),
            operation(9 * S, 11 * S, unavailable()),
            operation(12 * S, 13 * S, Outcome::Done),
            operation(29 * S, 39 * S, unavailable()),
            operation(40 * S, 41 * S, Outcome::Failed("denied".into())),
            operation(85 * S, 99 * S, unavailable()),
            operation(89 * S, 95 * S, Outcome::Done),
        ];
        let (phases, outside) = phases(&entries);
        assert_eq!(outside.len(), 1);
        let [killed, away] = &phases[..] else { panic!("{phases:?}") };
        assert_eq!((killed.operations, killed.failed.len(), killed.unavailable), (2, 1, 0));
        assert_eq!(killed.longest_pause_ms(), 2_000);
        assert_eq!((away.operations, away.unavailable), (4, 1));
        let [refused, late] = &away.failed[..] else { panic!("{:?}", away.failed) };
        assert!(refused.contains("denied") && late.contains("took 14000 ms"), "{refused}, {late}");
    }

    #[test]
    fn what_touches_a_phase_without_a_database_is_not_held_against_the_next_one() {
        let entries = [
            fault("no database", 30 * S, 90 * S, true),
            fault("scaled", 91 * S, 99 * S, false),
            operation(89 * S, 98 * S, unavailable()),
            operation(92 * S, 93 * S, Outcome::Done),
        ];
        let (phases, outside) = phases(&entries);
        assert!(outside.is_empty());
        assert_eq!((phases[0].unavailable, phases[0].slowest_operation_ms), (1, 9_000));
        assert_eq!((phases[1].operations, phases[1].slowest_operation_ms), (1, 1_000));
    }
}
