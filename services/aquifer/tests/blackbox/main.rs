//! Black-box tests: the real binary, real clients, real signals.

mod harness;
mod kcat;
mod offline;
mod restart;
