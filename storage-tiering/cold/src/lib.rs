//! Reads of what only the bucket still has: fetched in chunks, each once however many readers wait, kept while memory lasts,
//! ahead of whoever reads on.
#![forbid(unsafe_code)]

mod ahead;
mod chunks;
mod cold;
mod counters;
mod footers;
mod scan;

pub use chunks::Wake;
pub use cold::{Cold, Found, Limits, TimeFound, Wanted};
pub use counters::Counters;
