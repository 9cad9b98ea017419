//! Black-box tests: the real binary, real clients, real signals.

mod compaction;
mod harness;
mod kcat;
mod restart;
