//! Decision 7: epochs rise, an epoch belongs to one leader, and no accepted write carries an older one.

use super::{Kind, Violation, seconds};
use crate::history::{Entry, LeaderWrite};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

pub fn check(entries: &[Entry], found: &mut Vec<Violation>) {
    let mut highest = i64::MIN;
    let mut holders: HashMap<i64, Uuid> = HashMap::new();
    let mut written: HashMap<&str, (i64, &str)> = HashMap::new();
    // When each epoch first wrote anything, whatever table it was.
    let mut begun: BTreeMap<i64, i64> = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Leader(seen) => {
                let when = seconds(seen.at_us);
                if seen.epoch < highest {
                    let why = format!("at {when} the epoch is {}, it was {highest}", seen.epoch);
                    found.push(Violation::new(Kind::Epoch, why));
                }
                highest = highest.max(seen.epoch);
                let Some(holder) = seen.holder else { continue };
                let first = *holders.entry(seen.epoch).or_insert(holder);
                if first != holder {
                    let why = format!("at {when} epoch {} belongs to {holder}, it was {first}'s", seen.epoch);
                    found.push(Violation::new(Kind::Epoch, why));
                }
            }
            Entry::LeaderWrite(write) => {
                let (epoch, row) = written.entry(&write.table).or_insert((write.epoch, &write.row));
                if write.epoch < *epoch {
                    let why = format!(
                        "{}: {:?} was written with epoch {}, after {row:?} with {epoch}",
                        write.table, write.row, write.epoch
                    );
                    found.push(Violation::new(Kind::Epoch, why));
                }
                (*epoch, *row) = (write.epoch, &write.row);
                begun.entry(write.epoch).and_modify(|at| *at = write.at_us.min(*at)).or_insert(write.at_us);
            }
            _ => {}
        }
    }
    // Of each epoch, when one of the later ones had begun: there are few epochs.
    let mut later_us = i64::MAX;
    let mut over: HashMap<i64, i64> = HashMap::new();
    for (epoch, at_us) in begun.iter().rev() {
        over.insert(*epoch, later_us);
        later_us = later_us.min(*at_us);
    }
    for entry in entries {
        let Entry::LeaderWrite(write) = entry else { continue };
        let LeaderWrite { table, row, epoch, at_us } = write;
        if *at_us > over[epoch] {
            let why = format!("{table}: {row:?} was written with epoch {epoch}, after a later one had begun");
            found.push(Violation::new(Kind::Epoch, why));
        }
        if highest > i64::MIN && *epoch > highest {
            let why = format!("{table}: {row:?} was written with epoch {epoch}, the highest is {highest}");
            found.push(Violation::new(Kind::Epoch, why));
        }
    }
}
