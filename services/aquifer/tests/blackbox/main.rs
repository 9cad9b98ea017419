//! Black-box tests: the real binary, real clients, real signals.

mod cli;
mod clients;
mod compaction;
mod credentials;
mod disk_full;
mod ecosystem;
mod examples;
mod gateway;
mod group_kills;
mod harness;
mod hostile;
mod install;
mod jars;
mod kills;
mod library;
mod minio;
mod mounted;
mod offline;
mod power_cut;
mod restart;
mod restore;
mod s3;
mod tier;
mod tools;
mod verified;
mod wire;
