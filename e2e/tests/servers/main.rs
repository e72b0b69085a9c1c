//! `gaceta-agent`, `gaceta-node` and `gaceta-standalone` as processes: how they start, lead, fail and end.

mod agents;
mod attempts;
mod bad_database;
mod bare;
mod control;
mod election;
mod load;
mod releases;
mod standalone;
mod starts;
