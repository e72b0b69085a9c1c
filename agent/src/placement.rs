//! Which nodes serve an area: a pure function of the area and the live nodes. Any node serves any area correctly (I6);
//! this is for locality and load only.
//!
//! Rendezvous hashing: every node has a score for every area, the highest are assigned. Agents that see the same nodes
//! agree without talking, and a node that comes or goes moves only its own areas.

use uuid::Uuid;

/// The nodes in the order in which this area prefers them.
pub fn rank<T>(area_id: i64, nodes: &[T], id_of: impl Fn(&T) -> Uuid) -> Vec<&T> {
    let mut ranked: Vec<&T> = nodes.iter().collect();
    ranked.sort_by_key(|node| std::cmp::Reverse((score(area_id, id_of(node)), id_of(node))));
    ranked
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
mod tests {
    use super::*;

    #[test]
    fn a_new_node_takes_its_share_and_moves_nothing_else() {
        let nodes: Vec<Uuid> = (1..=5u128).map(|n| Uuid::from_u128(n * 0x1234_5678_9abc_def1)).collect();
        let (before, after) = (&nodes[..4], &nodes[..]);
        let mut moved = 0;
        for area_id in 0..1000 {
            let old = rank(area_id, before, |id| *id)[0];
            let new = rank(area_id, after, |id| *id)[0];
            assert!(new == old || *new == nodes[4], "area {area_id} moved between old nodes");
            moved += usize::from(new != old);
        }
        assert!((150..250).contains(&moved), "a fifth of 1000 areas moves, not {moved}");
    }
}
