//! One file per API: a request in, its answer out.

pub(crate) mod cluster;
pub(crate) mod configs;
pub(crate) mod data;
pub(crate) mod topics;

use std::future::Future;
use std::sync::Arc;

use aquifer_net::{Call, Outcome};
use aquifer_wire::{RequestBody, Response};

use crate::broker::Broker;
use crate::service::Caller;

/// Hands a request to its API. What must happen in arrival order happens before this returns.
pub(crate) fn dispatch(broker: &Arc<Broker>, caller: Caller, body: RequestBody) -> Call {
    let shared = broker.clone();
    match body {
        RequestBody::Produce(request) => data::produce(broker, caller, request),
        RequestBody::Fetch(request) => Call::Later(Box::pin(data::fetch(shared, caller, request))),
        RequestBody::ListOffsets(request) => {
            let version = caller.version;
            later(caller, async move { data::list_offsets(&shared, version, request).await })
        }
        RequestBody::OffsetForLeaderEpoch(request) => {
            now(&caller, &data::offset_for_leader_epoch(broker, request))
        }
        RequestBody::DeleteRecords(request) => {
            later(caller, async move { data::delete_records(&shared, request).await })
        }
        RequestBody::InitProducerId(request) => {
            later(caller, async move { data::init_producer_id(&shared, request).await })
        }
        RequestBody::DescribeProducers(request) => now(&caller, &data::describe_producers(broker, request)),
        RequestBody::ApiVersions(request) => now(&caller, &cluster::api_versions(broker, &caller, &request)),
        RequestBody::Metadata(request) => {
            let caller_again = caller.clone();
            later(caller, async move { topics::metadata(&shared, &caller_again, request).await })
        }
        other => {
            tracing::warn!(peer = %caller.connection.peer, api = ?other.key(), "API not served, connection closed");
            Call::Now(Outcome::Close)
        }
    }
}

fn now<R: Response>(caller: &Caller, response: &R) -> Call {
    Call::Now(caller.answer(response))
}

fn later<R: Response + Send>(caller: Caller, response: impl Future<Output = R> + Send + 'static) -> Call {
    Call::Later(Box::pin(async move { caller.answer(&response.await) }))
}
