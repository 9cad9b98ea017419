//! DescribeCluster: the cluster's id and its brokers, as callers of this listener reach them.

use aquifer_wire::messages::describe_cluster_response::DescribeClusterBroker;
use aquifer_wire::messages::{DescribeClusterRequest, DescribeClusterResponse};
use aquifer_wire::{ErrorCode, Text};

use crate::api::operations::CLUSTER_OPERATIONS;
use crate::broker::Broker;
use crate::refusal::Refused;
use crate::service::Caller;

/// Kafka's numbers of what an address is the address of.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(crate) fn describe_cluster(
    broker: &Broker,
    caller: &Caller,
    request: &DescribeClusterRequest,
) -> DescribeClusterResponse {
    if let Err(refused) = check_kind(request.endpoint_type) {
        return DescribeClusterResponse {
            error_code: refused.code,
            error_message: Some(refused.message),
            ..DescribeClusterResponse::default()
        };
    }
    let image = broker.image();
    let known = image.brokers().filter(|known| request.include_fenced_brokers || !known.fenced);
    let brokers = known.filter_map(|known| {
        let endpoint = known.endpoint(caller.listener())?;
        Some(DescribeClusterBroker {
            broker_id: known.node.0,
            host: Text::from(endpoint.host.as_str()),
            port: i32::from(endpoint.port),
            rack: known.rack.as_deref().map(Text::from),
            is_fenced: known.fenced,
        })
    });
    DescribeClusterResponse {
        cluster_id: Text::from(broker.cluster.to_string()),
        controller_id: broker.run.node.0,
        brokers: brokers.collect(),
        cluster_authorized_operations: if request.include_cluster_authorized_operations {
            CLUSTER_OPERATIONS
        } else {
            i32::MIN
        },
        ..DescribeClusterResponse::default()
    }
}

fn check_kind(kind: i8) -> Result<(), Refused> {
    match kind {
        BROKERS => Ok(()),
        CONTROLLERS => Err(Refused::new(
            ErrorCode::MISMATCHED_ENDPOINT_TYPE,
            "this is a broker's address, not a controller's",
        )),
        other => Err(Refused::new(
            ErrorCode::UNSUPPORTED_ENDPOINT_TYPE,
            format!("there are no addresses of type {other}"),
        )),
    }
}
