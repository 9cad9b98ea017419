//! `HeldBundle`: how many ranges of a bundle the quorum still knows. Keeps I6.

/// What the quorum keeps of a bundle: it is deleted once nothing names any of its ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBundle {
    /// Its ranges that were committed: those that were refused are not among them.
    ranges: u32,
    /// Of these, such as are live, unlinked, replaced or being deleted.
    held: u32,
}

impl HeldBundle {
    /// A bundle of which one range is committed so far.
    #[must_use]
    pub fn first() -> HeldBundle {
        HeldBundle { ranges: 1, held: 1 }
    }

    /// Puts one together from what was stored.
    #[must_use]
    pub fn restore(ranges: u32, held: u32) -> Option<HeldBundle> {
        (held <= ranges && ranges > 0).then_some(HeldBundle { ranges, held })
    }

    #[must_use]
    pub fn ranges(&self) -> u32 {
        self.ranges
    }

    #[must_use]
    pub fn held(&self) -> u32 {
        self.held
    }

    /// Whether the object is to be deleted: nobody may read it any more, nobody can name it again.
    #[must_use]
    pub fn is_deleting(&self) -> bool {
        self.held == 0
    }

    /// Another range of it is committed.
    pub fn hold(&mut self) {
        assert!(!self.is_deleting(), "a bundle is named again that is being deleted (I6)");
        self.ranges += 1;
        self.held += 1;
    }

    /// A range of it is forgotten.
    pub fn release(&mut self) {
        assert!(self.held > 0, "more ranges of a bundle are forgotten than there were (I6)");
        self.held -= 1;
    }

    /// Whether less than half of its ranges are left, so that it is kept for the sake of few.
    #[must_use]
    pub fn is_sparse(&self) -> bool {
        !self.is_deleting() && self.held < self.ranges.div_ceil(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_goes_with_its_last_range() {
        let mut bundle = HeldBundle::first();
        bundle.hold();

        bundle.release();
        assert!(!bundle.is_deleting());
        bundle.release();
        assert!(bundle.is_deleting());
        assert_eq!((bundle.ranges(), bundle.held()), (2, 0));
        assert_eq!(HeldBundle::restore(2, 0), Some(bundle));
        assert_eq!(HeldBundle::restore(1, 2), None);
        assert_eq!(HeldBundle::restore(0, 0), None);
    }

    #[test]
    fn a_bundle_is_sparse_while_less_than_half_of_it_is_left() {
        let sparse = |ranges| -> Vec<u32> {
            let is_sparse =
                |held: &u32| HeldBundle::restore(ranges, *held).is_some_and(|held| held.is_sparse());
            (0..=ranges).filter(is_sparse).collect()
        };

        assert_eq!(sparse(1), [0; 0]);
        assert_eq!(sparse(2), [0; 0], "half is not less than half");
        assert_eq!(sparse(3), [1]);
        assert_eq!(sparse(8), [1, 2, 3]);
    }
}
