//! Tests of groups from outside: stored bytes, rules, a long walk.

mod assignors;
mod classic;
mod cluster;
mod consumer;
mod consumer_settings;
mod consumer_walk;
mod driver;
mod embedded;
mod golden;
mod mixed;
mod offsets;
mod random;
mod walk;
