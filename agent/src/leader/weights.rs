//! How much of the areas a node gets, by how busy it is: in coarse steps and slowly, so that areas do not wander to and fro. Pure.

use std::collections::HashMap;
use uuid::Uuid;

/// A full share, in quarters; the least is one.
pub const FULL: i16 = 4;
/// A node is far busier than the others from here on, as a multiple of the mean.
const HEAVY: f64 = 1.5;
/// And has room again below this. Far apart: one that just got rid of areas is near the mean.
const LIGHT: f64 = 0.75;
/// Rounds for which it must be so: a burst is no reason to move anything.
const HEAVY_ROUNDS: u32 = 10;
const LIGHT_ROUNDS: u32 = 60;
/// Below this much a second a node is idle, whatever the others do.
const IDLE_S: f64 = 100.0;

#[derive(Default)]
pub struct Weights {
    nodes: HashMap<Uuid, Streak>,
}

#[derive(Default, Clone, Copy)]
struct Streak {
    heavy: u32,
    light: u32,
}

/// A live node, its share now, and how much it does a second.
#[derive(Debug, Clone, Copy)]
pub struct Busy {
    pub node_id: Uuid,
    pub weight: i16,
    pub done_s: f64,
}

impl Weights {
    /// Takes in one round; returns the shares that change.
    pub fn round(&mut self, nodes: &[Busy]) -> Vec<(Uuid, i16)> {
        let mean = nodes.iter().map(|node| node.done_s).sum::<f64>() / nodes.len().max(1) as f64;
        let mut streaks = HashMap::new();
        let mut changed = vec![];
        for node in nodes {
            let mut streak = self.nodes.remove(&node.node_id).unwrap_or_default();
            let is_idle = node.done_s < IDLE_S;
            streak.heavy = if !is_idle && node.done_s > HEAVY * mean { streak.heavy + 1 } else { 0 };
            streak.light = if is_idle || node.done_s < LIGHT * mean { streak.light + 1 } else { 0 };
            let weight = match streak {
                Streak { heavy: HEAVY_ROUNDS.., .. } => (node.weight - 1).max(1),
                Streak { light: LIGHT_ROUNDS.., .. } => (node.weight + 1).min(FULL),
                _ => node.weight,
            };
            if streak.heavy >= HEAVY_ROUNDS || streak.light >= LIGHT_ROUNDS {
                streak = Streak::default();
            }
            if weight != node.weight {
                changed.push((node.node_id, weight));
            }
            streaks.insert(node.node_id, streak);
        }
        self.nodes = streaks;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many rounds with nodes that do so much; the shares at the end, and how often one changed.
    fn rounds(weights: &mut Weights, shares: &mut [i16], done_s: &[f64], count: u32) -> u32 {
        let mut changes = 0;
        for _ in 0..count {
            let nodes: Vec<_> = (0..)
                .zip(shares.iter().zip(done_s))
                .map(|(n, (weight, done_s))| Busy {
                    node_id: Uuid::from_u128(n),
                    weight: *weight,
                    done_s: *done_s,
                })
                .collect();
            for (node_id, weight) in weights.round(&nodes) {
                shares[node_id.as_u128() as usize] = weight;
                changes += 1;
            }
        }
        changes
    }

    #[test]
    fn a_node_that_is_far_busier_for_long_gets_less_and_never_below_a_quarter() {
        let (mut weights, mut shares) = (Weights::default(), [FULL; 3]);
        let done_s = [1000.0, 200.0, 200.0];
        assert_eq!(rounds(&mut weights, &mut shares, &done_s, HEAVY_ROUNDS - 1), 0, "not for a burst");
        rounds(&mut weights, &mut shares, &done_s, 1);
        assert_eq!(shares, [3, 4, 4]);
        rounds(&mut weights, &mut shares, &done_s, 200);
        assert_eq!(shares, [1, 4, 4]);
    }

    #[test]
    fn it_gets_more_again_when_it_has_clearly_less_to_do() {
        let (mut weights, mut shares) = (Weights::default(), [2, FULL, FULL]);
        assert_eq!(
            rounds(&mut weights, &mut shares, &[200.0, 210.0, 220.0], 1_000),
            0,
            "about the mean stays"
        );
        rounds(&mut weights, &mut shares, &[100.0, 210.0, 220.0], LIGHT_ROUNDS);
        assert_eq!(shares, [3, 4, 4]);
        rounds(&mut weights, &mut shares, &[0.0, 0.0, 0.0], LIGHT_ROUNDS);
        assert_eq!(shares, [4, 4, 4], "and when nobody does anything");
    }

    #[test]
    fn idle_nodes_are_all_alike_and_load_that_swings_moves_nothing() {
        let (mut weights, mut shares) = (Weights::default(), [FULL; 2]);
        assert_eq!(rounds(&mut weights, &mut shares, &[50.0, 1.0], 100), 0);
        for _ in 0..50 {
            assert_eq!(rounds(&mut weights, &mut shares, &[1000.0, 100.0], HEAVY_ROUNDS - 1), 0);
            assert_eq!(rounds(&mut weights, &mut shares, &[500.0, 500.0], 1), 0);
        }
    }
}
