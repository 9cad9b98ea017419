//! FindCoordinator: which broker a group's members talk to.

use aquifer_wire::messages::find_coordinator_response::Coordinator;
use aquifer_wire::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use aquifer_wire::{ErrorCode, Text};

use crate::broker::Broker;
use crate::refusal::Refused;
use crate::service::Caller;

/// Kafka's numbers of what a coordinator coordinates.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
/// From this version on a request names several keys, and the answer has one part for each.
const SEVERAL_FROM: i16 = 4;

/// Where a coordinator is; clones share the text.
struct Address {
    node_id: i32,
    host: Text,
    port: i32,
}

pub(crate) fn find_coordinator(
    broker: &Broker,
    caller: &Caller,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let found = find(broker, caller, request.key_type);
    if caller.version >= SEVERAL_FROM {
        let coordinators = request.coordinator_keys.into_iter().map(|key| coordinator(key, &found));
        return FindCoordinatorResponse {
            coordinators: coordinators.collect(),
            ..FindCoordinatorResponse::default()
        };
    }
    let Coordinator { node_id, host, port, error_code, error_message, .. } = coordinator(request.key, &found);
    FindCoordinatorResponse {
        error_code,
        error_message,
        node_id,
        host,
        port,
        ..FindCoordinatorResponse::default()
    }
}

/// The coordinator of every key of a kind, where callers of this listener reach it.
fn find(broker: &Broker, caller: &Caller, kind: i8) -> Result<Address, Refused> {
    match kind {
        GROUP => {}
        TRANSACTION => return Err(Refused::invalid_request("transactions are not supported")),
        SHARE => return Err(Refused::invalid_request("share groups are not supported")),
        other => return Err(Refused::invalid_request(format!("there are no coordinators of type {other}"))),
    }
    let image = broker.image();
    let own = image.broker(broker.run.node).and_then(|own| own.endpoint(caller.listener()).cloned());
    let endpoint = own.ok_or_else(|| {
        Refused::new(ErrorCode::COORDINATOR_NOT_AVAILABLE, "the coordinator has no address on this listener")
    })?;
    let host = Text::from(endpoint.host.as_str());
    Ok(Address { node_id: broker.run.node.0, host, port: i32::from(endpoint.port) })
}

fn coordinator(key: Text, found: &Result<Address, Refused>) -> Coordinator {
    match found {
        Ok(address) => Coordinator {
            key,
            node_id: address.node_id,
            host: address.host.clone(),
            port: address.port,
            error_code: ErrorCode::NONE,
            error_message: None,
        },
        Err(refused) => Coordinator {
            key,
            node_id: -1,
            host: Text::EMPTY,
            port: -1,
            error_code: refused.code,
            error_message: Some(refused.message.clone()),
        },
    }
}
