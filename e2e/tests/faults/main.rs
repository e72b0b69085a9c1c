//! Who is killed while others go on: posts and followers, the checker that judges such a run, and the service that others break.
//! The long run of everything at once is a program of its own, `chaos`: it needs the machine for itself.

mod against;
mod followers;
mod kills;
mod mutants;
