//! What only the agent that leads does. Nothing here answers a request; each write is fenced by the lease (I7).
//!
//! - [`election`]: every agent stands for it; the [`term`] of the one that leads, and its tasks:
//! - [`checks`] of nodes, with [`suspicion`] when too many are lost at once, [`weights`] of nodes by their load and the
//!   [`placement`] of areas (all three pure);
//! - [`sampling`] of the load; [`retention`] and [`upkeep`] of what is old.

pub mod checks;
pub mod election;
pub mod placement;
pub mod retention;
pub mod sampling;
pub mod suspicion;
pub mod term;
pub mod upkeep;
pub mod weights;
