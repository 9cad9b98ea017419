//! A long seeded walk over everything that can happen to a replica, with a model that knows what may be acknowledged.

#[path = "walk/model.rs"]
mod model;
#[path = "walk/walker.rs"]
mod walker;

use walker::{Random, Walker};

const WALKS: u64 = 400;
const STEPS: usize = 2_500;

#[test]
fn a_million_steps_keep_every_promise() {
    let mut acknowledged = 0;
    for seed in 0..WALKS {
        let mut walker = Walker::new(Random::new(seed));
        for _ in 0..STEPS {
            walker.step();
        }
        walker.settle();
        acknowledged += walker.acknowledged();
    }
    // A walk that is refused everything proves nothing.
    assert!(acknowledged > WALKS * 100, "only {acknowledged} appends were acknowledged");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn any_seed_keeps_every_promise(seed: u64) {
        let mut walker = Walker::new(Random::new(seed));
        for _ in 0..500 {
            walker.step();
        }
        walker.settle();
    }
}
