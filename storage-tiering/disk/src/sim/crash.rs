//! `CrashChoice`: which of the unsynced changes a power cut keeps.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Answers, change by change, whether the power cut kept it.
#[derive(Clone, Debug)]
pub enum CrashChoice {
    /// Nothing that was not synced survives.
    KeepNone,
    /// Everything survives, as after a killed process.
    KeepAll,
    /// The n-th change survives if bit n is set: all values below 2^changes enumerate every state.
    Bits(u64),
    /// Each change survives with a chance that is itself drawn once, so that nearly-all and nearly-none occur.
    Random(Box<SmallRng>, f64),
}

impl CrashChoice {
    #[must_use]
    pub fn seeded(seed: u64) -> CrashChoice {
        let mut source = SmallRng::seed_from_u64(seed);
        let chance = [0.03, 0.3, 0.5, 0.7, 0.97][source.random_range(0..5)];
        CrashChoice::Random(Box::new(source), chance)
    }

    pub(super) fn keep(&mut self) -> bool {
        match self {
            CrashChoice::KeepNone => false,
            CrashChoice::KeepAll => true,
            CrashChoice::Bits(bits) => {
                let kept = *bits & 1 == 1;
                *bits >>= 1;
                kept
            }
            CrashChoice::Random(source, chance) => source.random_bool(*chance),
        }
    }
}
