//! Produce, fetch, and everything else about one partition's records.

mod aquifer_append;
mod aquifer_fence;
mod delete_records;
mod describe_producers;
mod fetch;
mod fetch_session;
mod init_producer_id;
mod list_offsets;
mod offset_for_leader_epoch;
mod partition_ref;
mod produce;

pub(crate) use aquifer_append::aquifer_append;
pub(crate) use aquifer_fence::aquifer_fence;
pub(crate) use delete_records::delete_records;
pub(crate) use describe_producers::describe_producers;
pub(crate) use fetch::fetch;
pub(crate) use fetch_session::FetchSessions;
pub(crate) use init_producer_id::init_producer_id;
pub(crate) use list_offsets::list_offsets;
pub(crate) use offset_for_leader_epoch::offset_for_leader_epoch;
pub(crate) use partition_ref::TopicRef;
pub(crate) use produce::produce;
