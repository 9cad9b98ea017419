//! `Dice`: the chance of one part of a simulation, rolled apart from all others.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// One part's chance. Parts do not share dice, so that one more roll here changes nothing there.
#[derive(Clone, Debug)]
pub struct Dice(SmallRng);

impl Dice {
    /// The dice of `part` in the simulation of `seed`.
    pub fn of(seed: u64, part: &str) -> Dice {
        let mixed = part.bytes().fold(seed ^ 0x9e37_79b9_7f4a_7c15, |mixed, byte| {
            (mixed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
        });
        Dice(SmallRng::seed_from_u64(mixed))
    }

    pub fn number(&mut self) -> u64 {
        self.0.random()
    }

    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        self.0.random_range(range)
    }

    /// A number of `range` whose magnitude is drawn first, so that small and large ones are equally likely.
    pub fn magnitude(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (least, most) = (range.start().max(&1), range.end().max(&1));
        let bits = self.within(u64::from(least.ilog2())..=u64::from(most.ilog2()));
        self.within(1 << bits..=(2 << bits) - 1).clamp(*range.start(), *range.end())
    }

    pub fn index(&mut self, length: usize) -> usize {
        self.0.random_range(0..length)
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }

    /// True once in `times`.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.within(1..=times) == 1
    }

    pub fn millis(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }
}
