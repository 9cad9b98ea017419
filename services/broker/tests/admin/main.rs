//! The admin APIs of a whole broker, asked over real sockets.

mod cluster;
mod configs;
mod groups;
mod harness;
mod topics;
mod versions;
