//! Chance that can be had again: every choice of a run comes from one printed number.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// SplitMix64: small, well mixed, and the same everywhere. Each who chooses has one of his own (`apart`), so that what
/// the others do does not change his choices.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// For the one with this number.
    pub fn apart(&self, number: u64) -> Self {
        let mut other = Self(self.0 ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93));
        other.draw();
        other
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..count`.
    pub fn below(&mut self, count: usize) -> usize {
        (self.draw() % count.max(1) as u64) as usize
    }

    /// In `min..max`, in milliseconds.
    pub fn ms(&mut self, min: u64, max: u64) -> Duration {
        Duration::from_millis(min + self.draw() % (max - min).max(1))
    }

    /// Once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }
}

/// `GACETA_SEED`, else another one each time.
pub fn from_environment() -> u64 {
    match std::env::var("GACETA_SEED") {
        Ok(seed) => seed.parse().unwrap_or_else(|_| panic!("GACETA_SEED is a number, not {seed:?}")),
        Err(_) => fresh(),
    }
}

/// Short enough to be typed again.
pub fn fresh() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Chance::new(since.as_nanos() as u64).draw() % 1_000_000_000
}
