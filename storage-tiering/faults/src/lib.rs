//! A store with faults, for tests: what servers do to those who rely on them, drawn from a seed, in front of a store that does
//! everything right.
#![forbid(unsafe_code)]

mod fate;
mod faulty;

pub use fate::{Asked, Fate};
pub use faulty::{Faults, faulty};
