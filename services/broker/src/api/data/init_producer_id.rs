//! InitProducerId: a new id for an idempotent producer.

use std::sync::Arc;

use aquifer_wire::ErrorCode;
use aquifer_wire::messages::{InitProducerIdRequest, InitProducerIdResponse};

use crate::broker::Broker;

pub(crate) async fn init_producer_id(
    broker: &Arc<Broker>,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let refused = |error_code| InitProducerIdResponse {
        error_code,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    if request.transactional_id.is_some() {
        return refused(ErrorCode::INVALID_REQUEST);
    }
    if broker.is_mount() {
        return refused(ErrorCode::POLICY_VIOLATION);
    }
    match broker.producer_ids.next(&broker.quorum).await {
        Some(id) => InitProducerIdResponse { producer_id: id.0, producer_epoch: 0, ..Default::default() },
        None => refused(ErrorCode::COORDINATOR_NOT_AVAILABLE),
    }
}
