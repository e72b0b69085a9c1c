//! `verify`: every number of an area is accounted for, exactly once (I2). The client counts by itself and trusts no sum.

use crate::exit::Failure;
use crate::outcome::{Outcome, Verification};
use crate::render::Progress;
use crate::session::Session;
use wire::{NodeReply, NodeRequest, Seq, VerifiedState, VerifyPage};

pub async fn verify(session: &Session, area: &str) -> Result<Outcome, Failure> {
    let located = session.locate(area).await?;
    let mut progress = Progress::new(&session.output, format!("verifying {}", located.area.name), None);
    let mut count = Count::new(located.area.name);
    loop {
        let request = NodeRequest::Verify(wire::Verify { area_id: located.area.area_id, after: count.upto });
        match session.node(&located.nodes, request).await? {
            NodeReply::Verified(page) if count.add(&page) => {
                progress.set_total(page.last_seq.unsigned_abs());
                progress.advance(page.states.len() as u64);
                session.progressed();
            }
            NodeReply::Verified(_) => return Ok(Outcome::Verified(count.result())),
            _ => return Err(Failure::unexpected_reply()),
        }
    }
}

struct Count {
    result: Verification,
    /// Every number up to here was counted once.
    upto: Seq,
    /// Where the area ended when the count began; what is posted meanwhile is left for the next one.
    last_seq: Option<Seq>,
}

impl Count {
    fn new(area: String) -> Self {
        Self { result: Verification { area, ..Verification::default() }, upto: 0, last_seq: None }
    }

    /// `false` when there is no more to count.
    fn add(&mut self, page: &VerifyPage) -> bool {
        let last_seq = *self.last_seq.get_or_insert(page.last_seq);
        let before = self.upto;
        for (seq, state) in (page.from..).zip(&page.states) {
            if seq <= self.upto || seq > last_seq {
                continue; // counted already, or later than our end
            }
            self.result.missing.extend(self.upto + 1..seq); // numbers that the answer left out
            self.upto = seq;
            match state {
                VerifiedState::Kept => self.result.kept += 1,
                VerifiedState::Deleted => self.result.deleted += 1,
                VerifiedState::Expired => self.result.expired += 1,
                VerifiedState::Missing => self.result.missing.push(seq),
                VerifiedState::Damaged => self.result.damaged.push(seq),
                VerifiedState::Other(_) => self.result.unknown.push((seq, *state)),
            }
        }
        self.upto > before && self.upto < last_seq
    }

    fn result(mut self) -> Verification {
        let last_seq = self.last_seq.unwrap_or(0);
        self.result.missing.extend(self.upto + 1..=last_seq);
        Verification { last_seq, ..self.result }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use VerifiedState::{Damaged, Deleted, Expired, Kept, Missing};

    fn page(from: Seq, states: &[VerifiedState], last_seq: Seq) -> VerifyPage {
        VerifyPage { from, states: states.to_vec(), last_seq, expired_through: 0 }
    }

    #[test]
    fn i2_each_number_is_counted_once_over_pages_that_grow_meanwhile() {
        let mut count = Count::new("news".into());
        assert!(count.add(&page(1, &[Expired, Kept, Deleted], 5)));
        assert!(!count.add(&page(4, &[Kept, Kept, Kept], 6)));
        let result = count.result();
        assert_eq!((result.last_seq, result.kept, result.deleted, result.expired), (5, 3, 1, 1));
        assert!(result.missing.is_empty() && result.damaged.is_empty());
    }

    #[test]
    fn i2_a_hole_shows_whether_the_service_admits_it_or_not() {
        let mut count = Count::new("news".into());
        assert!(count.add(&page(1, &[Kept, Missing], 7)));
        assert!(count.add(&page(4, &[Damaged], 7))); // nothing about 3
        assert!(!count.add(&page(5, &[], 7))); // nothing about 5, 6, 7
        let result = count.result();
        assert_eq!(result.missing, [2, 3, 5, 6, 7]);
        assert_eq!(result.damaged, [4]);
    }

    #[test]
    fn an_empty_area_is_sound() {
        let mut count = Count::new("news".into());
        assert!(!count.add(&page(1, &[], 0)));
        assert_eq!(count.result().last_seq, 0);
    }
}
