//! Compaction: the latest record of every key stays at its offset, what it supersedes goes. Kafka's rules, KIP-534's
//! delete horizon for tombstones.
//!
//! What to clean, what each key's latest offset is and what stays of a batch is decided in `plan`, `offset_map` and
//! `filter`, which do no I/O. `cleaning` reads sealed segments, writes what stays beside them and commits it by renaming
//! an index, one bounded step after the other, so that whoever drives it can do something else in between.

mod cleaning;
mod filter;
mod offset_map;
mod output;
mod plan;
mod source;

pub use cleaning::{Cleaning, CleaningError, CleaningReport, Limits, Replacement, Step};
pub use filter::{Filter, Kept, Tally};
pub use offset_map::OffsetMap;
pub use plan::{CleaningPlan, CompactionPolicy, Dirtiness};
