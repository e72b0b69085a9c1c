//! What the leader remembers of its rounds of checks, and whether it should doubt itself: a leader that loses most nodes in one
//! moment is perhaps the one that is cut off. Pure. The memory is a term's own, so that the next leader judges by what it sees
//! itself, and nodes that never answered it make it doubt nothing.

use std::collections::HashMap;
use uuid::Uuid;

/// Rounds that are remembered of a node. Far more misses than anybody would wait for.
const ROUNDS_MAX: u32 = 63;

#[derive(Default)]
pub struct Memory {
    nodes: HashMap<Uuid, Record>,
}

#[derive(Default)]
struct Record {
    /// Bit n: it answered n rounds ago.
    answers: u64,
    misses: u32,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Nodes that have missed so many checks in a row, or more.
    pub lost: Vec<Uuid>,
    /// More than half of the nodes that answered before these misses began have reached the last one in this very round.
    pub doubts: bool,
}

impl Memory {
    /// Takes in one round: every node that was checked, and whether it answered.
    pub fn round(&mut self, checks: &[(Uuid, bool)], misses_max: u32) -> Verdict {
        let misses_max = misses_max.clamp(1, ROUNDS_MAX);
        let mut records = HashMap::new();
        let mut verdict = Verdict::default();
        let (mut answered_before, mut lost_now) = (0, 0);
        for (node_id, answered) in checks {
            let Record { answers, misses } = self.nodes.remove(node_id).unwrap_or_default();
            let record = Record {
                answers: answers << 1 | u64::from(*answered),
                misses: if *answered { 0 } else { misses.saturating_add(1) },
            };
            if record.misses >= misses_max {
                verdict.lost.push(*node_id);
            }
            if record.answers >> misses_max & 1 == 1 {
                answered_before += 1;
                lost_now += usize::from(record.misses == misses_max);
            }
            records.insert(*node_id, record);
        }
        // Those that are registered no more have left by themselves: they say nothing about this agent.
        self.nodes = records;
        verdict.doubts = lost_now * 2 > answered_before;
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MISSES_MAX: u32 = 3;

    fn ids(range: std::ops::Range<u128>) -> Vec<Uuid> {
        range.map(Uuid::from_u128).collect()
    }

    /// A round in which `up` answer and `down` do not.
    fn round(memory: &mut Memory, up: &[Uuid], down: &[Uuid]) -> Verdict {
        let checks: Vec<_> =
            up.iter().map(|id| (*id, true)).chain(down.iter().map(|id| (*id, false))).collect();
        memory.round(&checks, MISSES_MAX)
    }

    /// So many of these nodes are lost at once, all of which answered before: what the third miss says.
    fn lose(nodes: u128, lost: u128) -> Verdict {
        let mut memory = Memory::default();
        let (down, up) = (ids(0..lost), ids(lost..nodes));
        assert_eq!(round(&mut memory, &ids(0..nodes), &[]), Verdict::default());
        for _ in 1..MISSES_MAX {
            assert_eq!(round(&mut memory, &up, &down), Verdict::default(), "not before the third");
        }
        let verdict = round(&mut memory, &up, &down);
        assert_eq!(verdict.lost, down);
        let later = round(&mut memory, &up, &down);
        assert_eq!((later.lost, later.doubts), (down, false), "once");
        verdict
    }

    #[test]
    fn more_than_half_lost_together_is_doubtful() {
        let doubts = |nodes, lost| lose(nodes, lost).doubts;
        assert!(doubts(1, 1));
        assert!(!doubts(2, 1) && doubts(2, 2));
        assert!(!doubts(3, 1) && doubts(3, 2) && doubts(3, 3));
        assert!(!doubts(4, 2) && doubts(4, 3));
        assert!(!doubts(1, 0));
    }

    #[test]
    fn lost_one_after_the_other_is_not_doubtful_until_it_is_most_of_those_left() {
        let mut memory = Memory::default();
        let nodes = ids(0..3);
        round(&mut memory, &nodes, &[]);
        round(&mut memory, &nodes[1..], &nodes[..1]);
        let verdicts: Vec<_> = (0..3).map(|_| round(&mut memory, &nodes[2..], &nodes[..2])).collect();
        assert_eq!(verdicts[1], Verdict { lost: nodes[..1].to_vec(), doubts: false }, "the first of three");
        assert_eq!(verdicts[2], Verdict { lost: nodes[..2].to_vec(), doubts: false }, "the second of two");
    }

    #[test]
    fn nodes_that_never_answered_this_leader_raise_no_doubts() {
        let mut memory = Memory::default();
        let verdicts: Vec<_> = (0..5).map(|_| round(&mut memory, &[], &ids(0..3))).collect();
        assert_eq!(verdicts[2], Verdict { lost: ids(0..3), doubts: false });
        assert!(verdicts.iter().all(|verdict| !verdict.doubts), "a lone agent, or the next one, acts");
    }

    #[test]
    fn all_replaced_by_others_in_good_order_raise_no_doubts() {
        let mut memory = Memory::default();
        round(&mut memory, &ids(0..3), &[]);
        // They left the register, and their successors are in it.
        for _ in 0..5 {
            assert_eq!(round(&mut memory, &ids(10..13), &[]), Verdict::default());
        }
    }

    #[test]
    fn all_killed_and_replaced_is_doubtful_once_and_the_next_leader_puts_them_out() {
        let (old, new) = (ids(0..3), ids(10..13));
        let mut memory = Memory::default();
        round(&mut memory, &old, &[]);
        let verdicts: Vec<_> = (0..3).map(|_| round(&mut memory, &new, &old)).collect();
        assert!(verdicts[2].doubts);
        let mut next = Memory::default();
        for _ in 0..2 {
            assert_eq!(round(&mut next, &new, &old), Verdict::default());
        }
        assert_eq!(round(&mut next, &new, &old), Verdict { lost: old, doubts: false });
    }

    #[test]
    fn a_node_that_answers_now_and_then_is_not_lost() {
        let mut memory = Memory::default();
        let nodes = ids(0..1);
        for count in 0..20 {
            let (up, down) = if count % 3 == 0 { (&nodes[..], &[][..]) } else { (&[][..], &nodes[..]) };
            assert_eq!(round(&mut memory, up, down), Verdict::default());
        }
    }
}
