//! The ends of partitions: many wait for records there, and few fetches do it for them.
//!
//! A broker sits on a fetch that finds nothing, and answers of one connection come in order; so waiting takes
//! connections of its own, each with one fetch for every partition that somebody waits on.

mod board;
mod lanes;

pub(crate) use board::Arrival;
pub(crate) use lanes::Tail;
