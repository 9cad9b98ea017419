//! Reads of what only the bucket still has: fetched in chunks, each once however many readers wait, kept while memory lasts
//! or, where they are read again, on local disk; ahead of whoever reads on.
#![forbid(unsafe_code)]

mod ahead;
mod begin;
mod chunks;
mod cold;
mod counters;
mod desk;
mod fill;
mod footers;
mod hedges;
mod keep;
mod lend;
mod scan;
mod shelf;
mod shelved;

pub use chunks::Wake;
pub use cold::{Cold, Found, Limits, Part, TimeFound, Wanted};
pub use counters::Counters;
pub use shelf::Shelf;
