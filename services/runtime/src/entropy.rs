//! `Entropy`: random bytes, from the system or from a seed.

use std::sync::Mutex;

use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};

/// Where randomness comes from.
#[derive(Debug)]
pub(crate) enum Entropy {
    System,
    Seeded(Mutex<SmallRng>),
}

impl Entropy {
    pub(crate) fn seeded(seed: u64) -> Entropy {
        Entropy::Seeded(Mutex::new(SmallRng::seed_from_u64(seed)))
    }

    /// Fills `bytes`. Without a source of randomness no id is safe, so its failure ends the program.
    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        match self {
            Entropy::System => getrandom::fill(bytes).expect("the system has a source of randomness"),
            Entropy::Seeded(source) => source.lock().expect("no draw panics").fill_bytes(bytes),
        }
    }
}
