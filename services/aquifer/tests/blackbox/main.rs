//! Black-box tests: the real binary, real clients, real signals.

mod clients;
mod harness;
mod hostile;
mod kcat;
mod kills;
mod restart;
mod verified;
