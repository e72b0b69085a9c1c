//! What an assignment must be, whatever the areas and nodes.

use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

fn node(number: u32) -> Uuid {
    Uuid::from_u128(u128::from(number) * 0x1234_5678_9abc_def1_0fed_cba9)
}

fn candidate(number: u32) -> Candidate {
    Candidate { node_id: node(number), drained: false, weight: 4 }
}

fn candidates(count: u32) -> Vec<Candidate> {
    (1..=count).map(candidate).collect()
}

/// New areas that want so many replicas.
fn new_areas(replicas: &[i32]) -> Vec<Area> {
    let areas = replicas.iter().zip(1..);
    areas.map(|(replicas, area_id)| Area { area_id, replicas: *replicas, node_ids: vec![] }).collect()
}

/// These areas with what `assign` changes.
fn assigned(mut areas: Vec<Area>, nodes: &[Candidate]) -> Vec<Area> {
    let changed: HashMap<i64, Vec<Uuid>> = assign(&areas, nodes).into_iter().collect();
    for area in &mut areas {
        if let Some(node_ids) = changed.get(&area.area_id) {
            area.node_ids = node_ids.clone();
        }
    }
    areas
}

fn load(areas: &[Area], node_id: Uuid) -> usize {
    areas.iter().filter(|area| area.node_ids.contains(&node_id)).count()
}

/// Each area has the nodes that it wants, distinct ones, none of which is another than these.
fn check_complete(areas: &[Area], nodes: &[Candidate]) {
    let usable: HashSet<Uuid> = nodes.iter().map(|node| node.node_id).collect();
    for area in areas {
        let distinct: HashSet<Uuid> = area.node_ids.iter().copied().collect();
        assert_eq!(distinct.len(), area.node_ids.len(), "{area:?}");
        assert_eq!(distinct.len(), (area.replicas as usize).min(usable.len()), "{area:?}");
        assert!(distinct.is_subset(&usable), "{area:?}");
    }
}

/// No node has far more than its share.
fn check_balanced(areas: &[Area], nodes: &[Candidate]) {
    let plan = Plan::new(areas, nodes);
    for bin in &plan.nodes {
        assert!(!bin.is_over(), "{} of {} for {}", bin.load, bin.fair, bin.node_id);
    }
    let fair: f64 = plan.nodes.iter().map(|bin| bin.fair).sum();
    let wanted: usize = plan.areas.iter().map(|placed| placed.wanted).sum();
    assert!((fair - wanted as f64).abs() < 0.001, "shares are of the whole");
}

/// Replicas moved to another node.
fn moves(before: &[Area], after: &[Area]) -> usize {
    let moved = |(old, new): (&Area, &Area)| {
        new.node_ids.iter().filter(|node_id| !old.node_ids.contains(node_id)).count()
    };
    before.iter().zip(after).map(moved).sum()
}

fn any_replicas() -> impl Strategy<Value = Vec<i32>> {
    let some = prop_oneof![6 => Just(1), 2 => 2..4i32, 1 => 1..=16i32];
    prop::collection::vec(some, 0..200)
}

/// Five replicas for ten nodes: whoever compares only how full nodes are gives the heaviest one two of them, since one would be
/// five times the share of the lightest.
#[test]
fn where_areas_are_few_a_light_node_takes_one_before_a_heavy_one_has_two() {
    let weights = [1, 2, 3, 2, 2, 4, 2, 2, 3, 3];
    let nodes: Vec<_> =
        weights.iter().zip(1..).map(|(weight, n)| Candidate { weight: *weight, ..candidate(n) }).collect();
    let areas = assigned(new_areas(&[3, 1, 1]), &nodes);
    check_complete(&areas, &nodes);
    check_balanced(&areas, &nodes);
}

proptest! {
    #[test]
    fn every_area_has_its_nodes_and_no_node_far_more_than_its_share(
        replicas in any_replicas(),
        weights in prop::collection::vec(1..=4u32, 1..12),
    ) {
        let nodes: Vec<_> =
            weights.iter().zip(1..).map(|(weight, n)| Candidate { weight: *weight, ..candidate(n) }).collect();
        let areas = assigned(new_areas(&replicas), &nodes);
        check_complete(&areas, &nodes);
        check_balanced(&areas, &nodes);
        prop_assert_eq!(assign(&areas, &nodes), vec![], "and what is good stays");
    }

    #[test]
    fn from_any_assignment_a_good_one_follows(
        areas in prop::collection::vec((1..=5i32, prop::collection::vec(1..15u32, 0..6)), 0..150),
        weights in prop::collection::vec(1..=4u32, 1..10),
    ) {
        let areas: Vec<Area> = areas.into_iter().zip(1..).map(|((replicas, on), area_id)| {
            Area { area_id, replicas, node_ids: on.into_iter().map(node).collect() }
        }).collect();
        let nodes: Vec<_> =
            weights.iter().zip(1..).map(|(weight, n)| Candidate { weight: *weight, ..candidate(n) }).collect();
        let after = assigned(areas, &nodes);
        check_complete(&after, &nodes);
        check_balanced(&after, &nodes);
    }

    #[test]
    fn the_order_of_areas_and_nodes_changes_nothing(
        replicas in any_replicas(),
        (nodes, shuffled) in (1..10u32).prop_map(candidates)
            .prop_flat_map(|nodes| (Just(nodes.clone()), Just(nodes).prop_shuffle())),
        seed in any::<u64>(),
    ) {
        let areas = new_areas(&replicas);
        let mut other = areas.clone();
        other.sort_by_key(|area| mix(seed ^ area.area_id as u64));
        prop_assert_eq!(assign(&areas, &nodes), assign(&other, &shuffled));
    }

    #[test]
    fn a_new_node_takes_about_its_share_and_nothing_else_moves(replicas in any_replicas(), count in 1..12u32) {
        let before = assigned(new_areas(&replicas), &candidates(count));
        let nodes = candidates(count + 1);
        let after = assigned(before.clone(), &nodes);
        check_complete(&after, &nodes);
        check_balanced(&after, &nodes);
        let new = node(count + 1);
        for (old, new_area) in before.iter().zip(&after) {
            let others_new = new_area.node_ids.iter().filter(|n| **n != new && !old.node_ids.contains(n));
            prop_assert_eq!(others_new.count(), 0, "from an old node to an old node");
        }
        let share = Plan::new(&after, &nodes).nodes.iter().find(|bin| bin.node_id == new).unwrap().fair;
        prop_assert!(moves(&before, &after) as f64 <= share + 1.0, "{} of {share}", moves(&before, &after));
    }

    #[test]
    fn a_node_that_goes_or_is_drained_moves_only_its_own(
        replicas in any_replicas(), count in 2..12u32, gone in 0..12usize, drained: bool,
    ) {
        let mut nodes = candidates(count);
        let before = assigned(new_areas(&replicas), &nodes);
        let gone = gone % nodes.len();
        let node_id = nodes[gone].node_id;
        let rest: Vec<_> = nodes.iter().copied().filter(|node| node.node_id != node_id).collect();
        if drained {
            nodes[gone].drained = true;
        } else {
            nodes.remove(gone);
        }
        let after = assigned(before.clone(), &nodes);
        check_complete(&after, &rest);
        for (old, new) in before.iter().zip(&after) {
            let kept = old.node_ids.iter().filter(|n| **n != node_id).all(|n| new.node_ids.contains(n));
            prop_assert!(kept, "{old:?} {new:?}");
        }
    }
}

#[test]
fn adding_one_node_to_n_moves_about_one_of_n_plus_one() {
    for count in 1..10 {
        let before = assigned(new_areas(&[1; 1000]), &candidates(count));
        let moved = moves(&before, &assigned(before.clone(), &candidates(count + 1)));
        let share = 1000 / (count as usize + 1);
        assert!(moved.abs_diff(share) <= 1 + share / 50, "{moved} instead of {share} to node {}", count + 1);
    }
}

#[test]
fn one_node_after_the_other_replaced_moves_each_area_about_once() {
    let mut nodes = candidates(5);
    let mut areas = assigned(new_areas(&[1; 500]), &nodes);
    let mut moved = 0;
    for new in 0..5 {
        nodes[new] = candidate(100 + new as u32); // in one round, as a restart at the same address is seen
        let after = assigned(areas.clone(), &nodes);
        moved += moves(&areas, &after);
        areas = after;
    }
    assert!(moved <= 510, "{moved}");
}

#[test]
fn while_any_node_lives_every_area_has_one_and_drained_ones_serve_if_need_be() {
    let mut nodes = candidates(3);
    nodes.iter_mut().for_each(|node| node.drained = true);
    let areas = assigned(new_areas(&[1, 2, 5]), &nodes);
    check_complete(&areas, &nodes);
    nodes[1].drained = false;
    check_complete(&assigned(areas.clone(), &nodes), &nodes[1..2]);
    assert_eq!(assign(&areas, &[]), vec![], "nobody is there: everything stays");
}

#[test]
fn a_light_node_gets_a_smaller_share() {
    let mut nodes = candidates(4);
    nodes[0].weight = 1;
    let areas = assigned(new_areas(&[1; 130]), &nodes);
    assert_eq!(load(&areas, nodes[0].node_id), 10);
    assert_eq!(load(&areas, nodes[1].node_id), 40);
}

#[test]
fn more_or_fewer_replicas_change_only_what_they_must() {
    let nodes = candidates(4);
    let mut areas = assigned(new_areas(&[1; 40]), &nodes);
    areas[7].replicas = 3;
    let changed = assign(&areas, &nodes);
    assert_eq!(changed.len(), 1);
    assert_eq!((changed[0].0, changed[0].1.len(), changed[0].1[0]), (8, 3, areas[7].node_ids[0]));
    areas[7].node_ids = changed[0].1.clone();
    areas[7].replicas = 1;
    assert_eq!(assign(&areas, &nodes), vec![(8, vec![areas[7].node_ids[0]])], "the best one stays");
}
