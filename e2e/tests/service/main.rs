//! What the protocol promises (I1–I10), asked of agents and nodes in this process: which node, which retry, which moment is
//! the choice of the test. Nothing here starts a program of ours.

mod access;
mod areas;
mod bounds;
mod breaker;
mod database;
mod following;
mod limits;
mod posting;
mod reading;
mod repeats;
mod revocation;
mod status;
mod twins;
mod unread_model;
mod verify;
