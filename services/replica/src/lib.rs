//! One replica: its core and its log under one lock, and whoever waits for either. No Kafka words.
#![forbid(unsafe_code)]

mod append;
mod clean;
mod config;
mod fetch;
mod keeper;
mod notice;
mod offload;
mod replica;
mod waiting;

pub use append::{AppendOutcome, Appended, NewBatch};
pub use clean::Dirty;
pub use config::{LocalRetention, ReplicaConfig};
pub use fetch::{EpochEnd, FetchRefusal, Fetched, TimeQuery};
pub use keeper::Upkeep;
pub use offload::{JoinLimits, Sealed, TieredFile, TieredFiles};
pub use replica::{Description, Offline, Replica};
pub use waiting::Waiter;
