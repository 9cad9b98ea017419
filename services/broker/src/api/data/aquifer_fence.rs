//! AquiferFence: a partition's fencing token, asked for or set. Answered once appends are compared with it.

use std::sync::Arc;

use aquifer_metadata::{Answer, Change, Fence, FenceIf, FenceRefusal, NotLeading};
use aquifer_quorum::ProposeError;
use aquifer_replica::Replica;
use aquifer_types::{FencingToken, LeaderEpoch};
use aquifer_wire::messages::{AquiferFenceRequest, AquiferFenceResponse};
use aquifer_wire::{ErrorCode, Text};

use super::partition_ref::TopicRef;
use crate::broker::Broker;
use crate::refusal::Refused;

pub(crate) async fn aquifer_fence(broker: &Broker, request: AquiferFenceRequest) -> AquiferFenceResponse {
    match answer(broker, &request).await {
        Ok(token) => AquiferFenceResponse { token: Some(text(token)), ..AquiferFenceResponse::default() },
        Err(refused) => refused,
    }
}

async fn answer(
    broker: &Broker,
    request: &AquiferFenceRequest,
) -> Result<Option<FencingToken>, AquiferFenceResponse> {
    let (replica, epoch) = led(broker, request).map_err(refused)?;
    let Some(wanted) = &request.token else { return Ok(replica.describe().fence) };
    let token = read(wanted).map_err(refused)?;
    let condition = match &request.expected_token {
        None => FenceIf::Any,
        Some(expected) => FenceIf::Is(read(expected).map_err(refused)?),
    };
    let fence = Fence { run: broker.run, partition: replica.id(), leader_epoch: epoch, token, condition };
    match broker.decide(Change::Fence(fence)).await {
        Ok(Answer::Fenced(Ok(()))) => {}
        Ok(Answer::Fenced(Err(FenceRefusal::Another(current)))) => {
            let message = "the fencing token is another one than expected";
            let refused = refused(Refused::new(ErrorCode::INVALID_REQUEST, message));
            return Err(AquiferFenceResponse { token: Some(text(current)), ..refused });
        }
        Ok(Answer::Fenced(Err(FenceRefusal::Leads(NotLeading::UnknownPartition)))) => {
            return Err(refused(coded(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)));
        }
        Ok(Answer::Fenced(Err(FenceRefusal::Leads(_)))) => {
            return Err(refused(coded(ErrorCode::NOT_LEADER_OR_FOLLOWER)));
        }
        Ok(_) => return Err(refused(Refused::from(&ProposeError::Unknown))),
        Err(error) => return Err(refused(Refused::from(&error))),
    }
    // What is decided binds nobody before the replica knows it, and a later decision may have overtaken this one.
    match replica.describe().fence == token {
        true => Ok(token),
        false => Err(refused(coded(ErrorCode::REQUEST_TIMED_OUT))),
    }
}

fn led(broker: &Broker, request: &AquiferFenceRequest) -> Result<(Arc<Replica>, LeaderEpoch), Refused> {
    let image = broker.image();
    let topic = TopicRef::Id(request.topic_id).find(&image).map_err(coded)?;
    if topic.is_internal() {
        return Err(coded(ErrorCode::INVALID_TOPIC_EXCEPTION));
    }
    let replica = broker.replica_of(topic, request.partition_index).map_err(coded)?;
    let epoch = replica.describe().leads_in.ok_or(coded(ErrorCode::NOT_LEADER_OR_FOLLOWER))?;
    Ok((replica, epoch))
}

fn read(text: &Text) -> Result<Option<FencingToken>, Refused> {
    if text.is_empty() {
        return Ok(None);
    }
    let token = text.parse::<FencingToken>();
    token.map(Some).map_err(Refused::invalid_request)
}

fn text(token: Option<FencingToken>) -> Text {
    Text::from(token.as_ref().map_or("", FencingToken::as_str))
}

fn coded(code: ErrorCode) -> Refused {
    Refused::new(code, code)
}

fn refused(why: Refused) -> AquiferFenceResponse {
    AquiferFenceResponse {
        error_code: why.code,
        error_message: Some(why.message),
        ..AquiferFenceResponse::default()
    }
}
