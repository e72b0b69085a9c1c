//! Which nodes serve an area: a pure function of the areas, as they are assigned now, and of the live nodes. Any node serves any
//! area correctly (I6); this is for locality and load only.
//!
//! What is assigned stays where it is, unless its node is gone or drained, has far more than its share, or another one has
//! far less. So a node that goes moves only its own areas, and one that comes is given its share and moves nothing else.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

pub use db::assignments::Area;

/// A node has at most so much of its fair share, and one area more: what is to be moved when shares change a little.
const SHARE_MAX: f64 = 1.15;
/// A node with less of its fair share than this, and one area more, is filled up. Far enough from the other bound that what one
/// node gives up does not bring the others to give, too.
const SHARE_MIN: f64 = 0.7;

/// What one node gives up may be too much for one that was looked at before it; in the next round that one gives it on.
const RELIEF_ROUNDS_MAX: usize = 8;

/// A live node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    pub node_id: Uuid,
    /// Gets areas only if all are drained.
    pub drained: bool,
    /// How much of a share it gets, compared to the others; at least 1.
    pub weight: u32,
}

/// The areas whose nodes change, with their new ones, best first. Without nodes everything stays: they may come back.
pub fn assign(areas: &[Area], candidates: &[Candidate]) -> Vec<(i64, Vec<Uuid>)> {
    let mut plan = Plan::new(areas, candidates);
    if plan.nodes.is_empty() {
        return vec![];
    }
    plan.fill();
    plan.share(); // before the next, or a new node would get only what others have too much
    for _ in 0..RELIEF_ROUNDS_MAX {
        if !plan.nodes.iter().any(Bin::is_over) {
            break;
        }
        plan.relieve();
    }
    plan.changed()
}

struct Plan<'a> {
    areas: Vec<Placed<'a>>,
    nodes: Vec<Bin>,
}

struct Placed<'a> {
    area: &'a Area,
    wanted: usize,
    /// Indices of nodes, best first.
    on: Vec<usize>,
}

struct Bin {
    node_id: Uuid,
    /// Areas that it would have if they could be divided; above 0.
    fair: f64,
    load: usize,
}

impl Bin {
    /// How full it is, with so many areas more or fewer.
    fn fullness(&self, change: isize) -> f64 {
        (self.load as isize + change) as f64 / self.fair
    }

    fn is_over(&self) -> bool {
        self.is_over_with(0)
    }

    fn is_over_with(&self, more: usize) -> bool {
        (self.load + more) as f64 > SHARE_MAX * self.fair + 1.0
    }

    fn is_under(&self) -> bool {
        (self.load as f64) < SHARE_MIN * self.fair - 1.0
    }
}

impl<'a> Plan<'a> {
    fn new(areas: &'a [Area], candidates: &[Candidate]) -> Self {
        let all_drained = candidates.iter().all(|node| node.drained);
        let mut usable: Vec<&Candidate> =
            candidates.iter().filter(|node| all_drained || !node.drained).collect();
        usable.sort_by_key(|node| node.node_id);
        usable.dedup_by_key(|node| node.node_id);
        let index: HashMap<Uuid, usize> =
            usable.iter().enumerate().map(|(at, node)| (node.node_id, at)).collect();
        let mut areas: Vec<Placed<'a>> = areas
            .iter()
            .map(|area| {
                let wanted = (area.replicas.max(1) as usize).min(usable.len());
                let mut on: Vec<usize> = vec![];
                for at in area.node_ids.iter().filter_map(|node_id| index.get(node_id)) {
                    if on.len() < wanted && !on.contains(at) {
                        on.push(*at);
                    }
                }
                Placed { area, wanted, on }
            })
            .collect();
        // Those that want many nodes first, since they have the least choice.
        areas.sort_by_key(|placed| (Reverse(placed.wanted), placed.area.area_id));
        let weights: Vec<f64> = usable.iter().map(|node| f64::from(node.weight.max(1))).collect();
        let mut nodes: Vec<Bin> =
            usable.iter().map(|node| Bin { node_id: node.node_id, fair: 0.0, load: 0 }).collect();
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for placed in &areas {
            *counts.entry(placed.wanted).or_default() += 1;
            placed.on.iter().for_each(|at| nodes[*at].load += 1);
        }
        for (wanted, count) in counts {
            for (node, share) in nodes.iter_mut().zip(shares(&weights, wanted)) {
                node.fair += share * count as f64;
            }
        }
        Self { areas, nodes }
    }

    /// Gives areas the nodes that they lack: those that are the least full with it.
    fn fill(&mut self) {
        for area in 0..self.areas.len() {
            while self.areas[area].on.len() < self.areas[area].wanted {
                let Some(node) = self.emptiest(area, |_| true) else { break };
                self.areas[area].on.push(node);
                self.nodes[node].load += 1;
            }
        }
    }

    /// The least full of the nodes that do not have this area and are `meant`.
    fn emptiest(&self, area: usize, meant: impl Fn(&usize) -> bool) -> Option<usize> {
        let placed = &self.areas[area];
        let free = (0..self.nodes.len()).filter(|node| !placed.on.contains(node) && meant(node));
        free.min_by(|a, b| {
            let key = |node: usize| {
                let bin = &self.nodes[node];
                (bin.fullness(1), Reverse(score(placed.area.area_id, bin.node_id)))
            };
            let ((full_a, score_a), (full_b, score_b)) = (key(*a), key(*b));
            full_a.total_cmp(&full_b).then(score_a.cmp(&score_b))
        })
    }

    /// Fills up nodes that have far less than their share, from those that have more than theirs.
    fn share(&mut self) {
        for node in 0..self.nodes.len() {
            if !self.nodes[node].is_under() {
                continue;
            }
            for area in self.in_order_of(node, |placed| !placed.on.contains(&node)) {
                let fullest = self.areas[area]
                    .on
                    .iter()
                    .copied()
                    .max_by(|a, b| self.nodes[*a].fullness(0).total_cmp(&self.nodes[*b].fullness(0)));
                let Some(fullest) = fullest else { continue };
                if self.nodes[fullest].fullness(0) > 1.0
                    && self.nodes[node].fullness(1) < self.nodes[fullest].fullness(0)
                {
                    self.shift(area, fullest, node);
                }
                if self.nodes[node].load as f64 + 1.0 > self.nodes[node].fair {
                    break;
                }
            }
        }
    }

    /// Takes areas from nodes that have far more than their share.
    fn relieve(&mut self) {
        for node in 0..self.nodes.len() {
            if !self.nodes[node].is_over() {
                continue;
            }
            for area in self.in_order_of(node, |placed| placed.on.contains(&node)) {
                // One with room, though it may be fuller by its small share than this one: where areas are few, a node of
                // little weight has none or many times its share.
                let with_room = |other: &usize| !self.nodes[*other].is_over_with(1);
                let other = self.emptiest(area, with_room).or_else(|| {
                    let fuller =
                        |other: &usize| self.nodes[*other].fullness(1) < self.nodes[node].fullness(0);
                    self.emptiest(area, fuller)
                });
                if let Some(other) = other {
                    self.shift(area, node, other);
                }
                if !self.nodes[node].is_over() {
                    break;
                }
            }
        }
    }

    fn shift(&mut self, area: usize, from: usize, to: usize) {
        for at in self.areas[area].on.iter_mut().filter(|at| **at == from) {
            *at = to;
        }
        self.nodes[from].load -= 1;
        self.nodes[to].load += 1;
    }

    /// Areas in an order that is this node's own, so that it does not take all of its areas from one other.
    fn in_order_of(&self, node: usize, which: impl Fn(&Placed<'_>) -> bool) -> Vec<usize> {
        let node_id = self.nodes[node].node_id;
        let mut areas: Vec<usize> = (0..self.areas.len()).filter(|area| which(&self.areas[*area])).collect();
        areas.sort_by_cached_key(|area| {
            let area_id = self.areas[*area].area.area_id;
            (score(area_id, node_id), area_id)
        });
        areas
    }

    fn changed(self) -> Vec<(i64, Vec<Uuid>)> {
        let mut changed: Vec<(i64, Vec<Uuid>)> = self
            .areas
            .iter()
            .map(|placed| (placed, placed.on.iter().map(|at| self.nodes[*at].node_id).collect::<Vec<_>>()))
            .filter(|(placed, node_ids)| *node_ids != placed.area.node_ids)
            .map(|(placed, node_ids)| (placed.area.area_id, node_ids))
            .collect();
        changed.sort_by_key(|(area_id, _)| *area_id);
        changed
    }
}

/// How `wanted` replicas are shared by weight, when none has more than one of them.
fn shares(weights: &[f64], wanted: usize) -> Vec<f64> {
    let mut shares = vec![0.0; weights.len()];
    let mut open: Vec<usize> = (0..weights.len()).collect();
    let mut left = wanted as f64;
    loop {
        let total: f64 = open.iter().map(|at| weights[*at]).sum();
        let (full, rest): (Vec<usize>, Vec<usize>) =
            open.iter().copied().partition(|at| weights[*at] * left >= total);
        if full.is_empty() || rest.is_empty() {
            for at in open {
                shares[at] = (weights[at] * left / total).min(1.0);
            }
            return shares;
        }
        left -= full.len() as f64;
        full.into_iter().for_each(|at| shares[at] = 1.0);
        open = rest;
    }
}

/// The nodes in the order in which this area prefers them: rendezvous hashing, so that agents agree without talking.
pub fn rank<T>(area_id: i64, nodes: &mut [T], id_of: impl Fn(&T) -> Uuid) {
    nodes.sort_by_key(|node| Reverse((score(area_id, id_of(node)), id_of(node))));
}

/// The finalizer of splitmix64, over both halves of the node's id: well mixed, and the same in every release.
fn score(area_id: i64, node_id: Uuid) -> u64 {
    let (high, low) = node_id.as_u64_pair();
    mix(mix(mix(area_id as u64).wrapping_add(high)).wrapping_add(low))
}

fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests;
