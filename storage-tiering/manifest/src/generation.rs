//! Upload generations: which life of a cluster, and which run of a broker in it, made an object.
//!
//! A restore begins another life of the cluster, its incarnation. What an older one uploads afterwards shares no name with
//! what the newer one does, and is told from it by its name alone.

/// The incarnation of a cluster that was never restored.
pub const FIRST_INCARNATION: u16 = 1;

const RUN_BITS: u32 = 48;

/// The generation of what a broker uploads: later incarnations have greater ones, and so have later runs within one.
#[must_use]
pub fn generation(incarnation: u16, run: u64) -> u64 {
    assert!(run >> RUN_BITS == 0, "a run's number takes {RUN_BITS} bits at most: {run}");
    u64::from(incarnation) << RUN_BITS | run
}

/// Which life of the cluster a generation belongs to.
#[must_use]
pub fn incarnation_of(generation: u64) -> u16 {
    (generation >> RUN_BITS) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_lives_come_after_all_runs_of_earlier_ones() {
        let last = (1 << RUN_BITS) - 1;

        assert!(generation(2, 0) > generation(1, last));
        assert!(generation(1, 7) > generation(1, 6));
        assert_eq!([generation(1, last), generation(u16::MAX, last)].map(incarnation_of), [1, u16::MAX]);
    }
}
