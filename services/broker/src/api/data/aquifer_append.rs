//! AquiferAppend: one batch that may be asked to stand at a certain offset or under a certain fencing token, and an answer
//! that tells a duplicate from an original.

use std::sync::Arc;
use std::time::Duration;

use aquifer_net::Call;
use aquifer_partition::{Acks, Refusal};
use aquifer_replica::{AppendOutcome, Appended};
use aquifer_types::{FencingToken, Offset};
use aquifer_wire::messages::{AquiferAppendRequest, AquiferAppendResponse};
use aquifer_wire::{ErrorCode, Text};

use super::partition_ref::TopicRef;
use super::produce::{Refused, Terms, append};
use crate::broker::Broker;
use crate::refusal::append_error;
use crate::service::Caller;

pub(crate) fn aquifer_append(broker: &Arc<Broker>, caller: Caller, request: AquiferAppendRequest) -> Call {
    let timeout_ms = request.timeout_ms;
    let appended = begin(broker, request);
    broker.directory.nudge();
    let response = match appended {
        Ok(Appended::Done(outcome)) => told(&outcome),
        Ok(Appended::Waiting(outcome)) => {
            let timeout = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
            let broker = Arc::clone(broker);
            return Call::Later(Box::pin(async move {
                let response = match broker.runtime.timeout(timeout, outcome).await {
                    Some(Ok(outcome)) => told(&outcome),
                    // The replica failed or is gone.
                    Some(Err(_closed)) => refused(ErrorCode::KAFKA_STORAGE_ERROR.into()),
                    None => refused(ErrorCode::REQUEST_TIMED_OUT.into()),
                };
                caller.answer(&response)
            }));
        }
        Ok(Appended::DiskFull) => refused(Refused::new(ErrorCode::KAFKA_STORAGE_ERROR, "disk full")),
        // Every append here asks for an acknowledgement.
        Ok(Appended::Unanswered) => refused(ErrorCode::UNKNOWN_SERVER_ERROR.into()),
        Err(why) => refused(why),
    };
    Call::Now(caller.answer(&response))
}

fn begin(broker: &Arc<Broker>, request: AquiferAppendRequest) -> Result<Appended, Refused> {
    let image = broker.image();
    let topic = TopicRef::Id(request.topic_id).find(&image)?;
    if topic.is_internal() {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION.into());
    }
    let expected_end = match request.expected_offset {
        -1 => None,
        offset if offset >= 0 => Some(Offset(offset)),
        _ => return Err(Refused::new(ErrorCode::INVALID_REQUEST, "the expected offset is negative")),
    };
    let token = request.fencing_token.map(|token| token.parse::<FencingToken>()).transpose();
    let token = token.map_err(|invalid| Refused::new(ErrorCode::INVALID_REQUEST, &invalid.to_string()))?;
    let terms = Terms { acks: Acks::All, token, expected_end, strict: true };
    append(broker, topic, request.partition_index, request.records, terms)
}

fn told(outcome: &AppendOutcome) -> AquiferAppendResponse {
    let refusal = match outcome {
        Ok(acknowledged) => {
            return AquiferAppendResponse {
                base_offset: acknowledged.base.0,
                log_start_offset: acknowledged.log_start.0,
                log_append_time_ms: acknowledged.log_append_time.0,
                duplicate: acknowledged.duplicate,
                ..AquiferAppendResponse::default()
            };
        }
        Err(refusal) => refusal,
    };
    let mut response = refused(Refused { code: append_error(refusal), message: Some(refusal.to_string()) });
    match refusal {
        Refusal::UnexpectedEnd { end, .. } => response.log_end_offset = end.0,
        Refusal::AnotherToken { current } => {
            response.fencing_token = Some(Text::from(current.as_ref().map_or("", FencingToken::as_str)));
        }
        Refusal::FencedProducer { current, .. } => response.producer_epoch = current.0,
        Refusal::OutOfOrderSequence { expected, .. } => response.expected_sequence = *expected,
        _ => {}
    }
    response
}

fn refused(why: Refused) -> AquiferAppendResponse {
    AquiferAppendResponse {
        error_code: why.code,
        error_message: why.message.map(Text::from),
        ..AquiferAppendResponse::default()
    }
}
