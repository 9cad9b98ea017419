//! Records in: one request, or many with their answers in order against credit.

use std::collections::VecDeque;

use aquifer_contract::v1::{ProduceRequest, ProduceResponse, ProduceStreamRequest, ProduceStreamResponse};
use aquifer_gateway::{Code, Gateway, Once, Principal, Refusal, Settled, Terms, fencing_token};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesOrdered, unfold};
use prost::Message as _;
use tonic::Streaming;

use crate::message::{result, to_append};
use crate::records::Outgoing;
use crate::status::problem;

/// Records that a client may have sent without an answer.
const CREDIT: i64 = 10_000;
/// Requests of a stream that are worked on at a time, and their bytes: so many that batches fill.
const UNDER_WAY_MAX: usize = 1024;
const UNDER_WAY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Appends what a request brings, once if it says how to tell it from another.
pub(crate) async fn append(
    gateway: &Gateway,
    principal: &Principal,
    request: &ProduceRequest,
) -> Result<ProduceResponse, Refusal> {
    let _room = gateway.requests().claim(request.encoded_len()).await?;
    let records: Vec<_> = request.records.iter().map(to_append).collect();
    let terms = terms(request)?;
    let Settled { results, state } = gateway.append_on(principal, &request.topic, &records, &terms).await?;
    let results: Vec<_> = results.into_iter().map(result).collect();
    let failed = results.iter().filter(|result| result.problem.is_some()).count();
    Ok(ProduceResponse { results, failed: i32::try_from(failed).unwrap_or(i32::MAX), producer_state: state })
}

/// How a request says that its records are to be appended.
pub fn terms(request: &ProduceRequest) -> Result<Terms, Refusal> {
    let refused = |detail: &str| Refusal::new(Code::InvalidParameter, detail);
    let ProduceRequest { producer, idempotency_key, expected_offset: expected, .. } = request;
    let token = request.fencing_token.as_deref().map(fencing_token).transpose()?;
    let position = match (producer, idempotency_key, expected) {
        (None, None, _) => return Ok(Terms { once: None, token, expected: *expected }),
        (None, Some(key), None) => {
            return Ok(Terms { once: Some(Once::Key(key.clone())), token, expected: None });
        }
        (Some(position), None, None) => position,
        _ => return Err(refused("producer, idempotency_key and expected_offset exclude one another")),
    };
    let producer = position.producer_id.clone();
    let epoch = i16::try_from(position.epoch).ok().filter(|epoch| *epoch >= 0);
    let epoch = epoch.ok_or_else(|| refused("the producer's epoch is not one from 0 to 32767"))?;
    let once = match (&position.state, position.first_sequence) {
        (Some(state), None) => Once::State { producer, epoch, state: state.clone() },
        (None, Some(first)) if first >= 0 => Once::Sequence { producer, epoch, first },
        _ => return Err(refused("the producer says either a first_sequence, from 0 on, or its state")),
    };
    Ok(Terms { once: Some(once), token, expected: None })
}

/// A request that is worked on, how many records it brought and how many bytes.
type UnderWay = BoxFuture<'static, (i64, usize, Result<ProduceResponse, Refusal>)>;

/// One client's stream.
struct Produce {
    gateway: Gateway,
    principal: Principal,
    requests: Streaming<ProduceStreamRequest>,
    under_way: FuturesOrdered<UnderWay>,
    under_way_bytes: usize,
    said: VecDeque<ProduceStreamResponse>,
    is_at_end: bool,
    told_to_leave: bool,
}

/// Answers requests in their order. Those of a client that sends more than it has credit for wait in its connection.
pub(crate) fn stream(
    gateway: Gateway,
    principal: Principal,
    requests: Streaming<ProduceStreamRequest>,
) -> Outgoing<ProduceStreamResponse> {
    let first = ProduceStreamResponse { credit: CREDIT, ..ProduceStreamResponse::default() };
    let produce = Produce {
        gateway,
        principal,
        requests,
        under_way: FuturesOrdered::new(),
        under_way_bytes: 0,
        said: VecDeque::from([first]),
        is_at_end: false,
        told_to_leave: false,
    };
    Box::pin(unfold(produce, |mut produce| async move {
        let next = produce.next().await?;
        Some((Ok(next), produce))
    }))
}

impl Produce {
    async fn next(&mut self) -> Option<ProduceStreamResponse> {
        loop {
            if let Some(said) = self.said.pop_front() {
                return Some(said);
            }
            if self.is_at_end && self.under_way.is_empty() {
                return None;
            }
            let room = self.under_way.len() < UNDER_WAY_MAX && self.under_way_bytes < UNDER_WAY_BYTES_MAX;
            let reads = !self.is_at_end && room;
            let draining = self.gateway.draining().clone();
            tokio::select! {
                biased;
                Some((records, bytes, answer)) = self.under_way.next(), if !self.under_way.is_empty() => {
                    self.under_way_bytes -= bytes;
                    let (response, problem) = match answer {
                        Ok(response) => (Some(response), None),
                        Err(refusal) => (None, Some(problem(&refusal))),
                    };
                    let told = ProduceStreamResponse { response, problem, credit: records, reconnect_advised: false };
                    self.said.push_back(told);
                }
                () = draining.wait(), if !self.told_to_leave => {
                    self.told_to_leave = true;
                    let leave = ProduceStreamResponse { reconnect_advised: true, ..Default::default() };
                    self.said.push_back(leave);
                }
                request = self.requests.next(), if reads => self.begin(request),
            }
        }
    }

    fn begin(&mut self, request: Option<Result<ProduceStreamRequest, tonic::Status>>) {
        let Some(Ok(ProduceStreamRequest { request: Some(request) })) = request else {
            // The client has said everything, broke off, or says nothing that can be answered.
            self.is_at_end = true;
            return;
        };
        let (gateway, principal) = (self.gateway.clone(), self.principal.clone());
        let bytes = request.encoded_len();
        self.under_way_bytes += bytes;
        self.under_way.push_back(Box::pin(async move {
            let records = i64::try_from(request.records.len()).unwrap_or(i64::MAX);
            (records, bytes, append(&gateway, &principal, &request).await)
        }));
    }
}
