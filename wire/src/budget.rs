//! The bytes of unfinished requests, counted for the whole process and for each source address (I9): many peers that
//! each send half a megabyte and fall silent must not take the memory of the others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// A counter shared by all connections of one server.
pub struct Budget {
    used: Mutex<Used>,
    bytes_max: usize,
    bytes_per_source_max: usize,
}

#[derive(Default)]
struct Used {
    bytes: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// What one connection holds of the budget; given back when it is dropped.
pub struct Charge {
    budget: Arc<Budget>,
    source: IpAddr,
    bytes: usize,
}

impl Budget {
    pub fn new(bytes_max: usize, bytes_per_source_max: usize) -> Arc<Self> {
        Arc::new(Self { used: Mutex::default(), bytes_max, bytes_per_source_max })
    }

    pub fn charge(self: &Arc<Self>, source: IpAddr) -> Charge {
        Charge { budget: self.clone(), source, bytes: 0 }
    }

    fn used(&self) -> std::sync::MutexGuard<'_, Used> {
        // The counts stay right even if a holder panicked: nothing between the two changes can.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Charge {
    /// Takes `bytes` more; `false` when the process or this source would hold too much.
    #[must_use]
    pub fn take(&mut self, bytes: usize) -> bool {
        let mut used = self.budget.used();
        let of_source = used.by_source.get(&self.source).copied().unwrap_or(0);
        if used.bytes + bytes > self.budget.bytes_max || of_source + bytes > self.budget.bytes_per_source_max
        {
            return false;
        }
        used.bytes += bytes;
        used.by_source.insert(self.source, of_source + bytes);
        self.bytes += bytes;
        true
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let mut used = self.budget.used();
        used.bytes -= self.bytes;
        let left = used.by_source.get(&self.source).copied().unwrap_or(0).saturating_sub(self.bytes);
        if left == 0 {
            used.by_source.remove(&self.source);
        } else {
            used.by_source.insert(self.source, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn i9_a_source_and_the_process_are_bounded_and_given_back() {
        let budget = Budget::new(100, 60);
        let (a, b) = (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)));
        let mut first = budget.charge(a);
        assert!(first.take(60));
        assert!(!first.take(1), "over the source's share");
        let mut second = budget.charge(b);
        assert!(!second.take(41), "over the process's");
        assert!(second.take(40));
        drop(first);
        assert!(second.take(20));
        drop(second);
        assert_eq!(budget.used().bytes, 0);
        assert!(budget.used().by_source.is_empty());
    }
}
