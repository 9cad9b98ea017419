//! Tables from our errors to Kafka's codes; every refusal that reaches the wire passes through here.

mod append;
mod batch;
mod config;
mod fetch;
mod group;
mod propose;
mod refused;
mod topic;

pub(crate) use append::append_error;
pub(crate) use batch::batch_error;
pub(crate) use fetch::fetch_error;
pub(crate) use group::{GroupRefusal, answered, group_error};
pub(crate) use propose::propose_error;
pub(crate) use refused::{Refused, settle, told};
