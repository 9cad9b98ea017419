//! Tests of groups from outside: stored bytes, rules, a long walk.

mod bench;
mod classic;
mod cluster;
mod driver;
mod golden;
mod offsets;
mod walk;
