//! Decision 7: epochs rise, an epoch belongs to one leader, and no accepted write carries an older one.

use super::{Kind, Violation, seconds};
use crate::history::Entry;
use std::collections::HashMap;
use uuid::Uuid;

pub fn check(entries: &[Entry], found: &mut Vec<Violation>) {
    let mut highest = i64::MIN;
    let mut holders: HashMap<i64, Uuid> = HashMap::new();
    let mut written: HashMap<&str, (i64, &str)> = HashMap::new();
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
            }
            _ => {}
        }
    }
}
