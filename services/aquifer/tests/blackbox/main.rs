//! Black-box tests: the real binary, real clients, real signals.

mod cli;
mod clients;
mod compaction;
mod disk_full;
mod harness;
mod hostile;
mod kills;
mod library;
mod mounted;
mod offline;
mod power_cut;
mod restart;
mod tier;
mod verified;
mod wire;
