//! Consumer groups: requests become questions to the shard of the group, in the order in which they came.

mod consumer_describe;
mod consumer_heartbeat;
mod delete;
mod describe;
mod join;
mod leave;
mod list;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod route;
mod session;
mod sync;

pub(crate) use consumer_describe::consumer_group_describe;
pub(crate) use consumer_heartbeat::consumer_group_heartbeat;
pub(crate) use delete::delete_groups;
pub(crate) use describe::describe_groups;
pub(crate) use join::join_group;
pub(crate) use leave::leave_group;
pub(crate) use list::list_groups;
pub(crate) use offset_commit::offset_commit;
pub(crate) use offset_delete::offset_delete;
pub(crate) use offset_fetch::offset_fetch;
pub(crate) use session::heartbeat;
pub(crate) use sync::sync_group;

use aquifer_net::{Call, Outcome};

use crate::service::Caller;

/// How many groups one request may name: an answer for each takes many times what naming it does.
const GROUPS_MAX: usize = 10_000;

/// The connection is closed on a request that names more groups than any client has reason to.
pub(crate) fn too_many(caller: &Caller, named: usize) -> Option<Call> {
    (named > GROUPS_MAX).then(|| {
        tracing::warn!(peer = %caller.connection.peer, named, "too many groups in one request, connection closed");
        Call::Now(Outcome::Close)
    })
}
