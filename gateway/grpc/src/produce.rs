//! Records in: one request, or many with their answers in order against credit.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aquifer_contract::v1::{ProduceRequest, ProduceResponse, ProduceStreamRequest, ProduceStreamResponse};
use aquifer_gateway::{
    Appended, Claim, Code, Gateway, Once, Principal, Refusal, Sent, Settled, Terms, fencing_token,
};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use prost::Message as _;
use tokio::sync::Mutex;
use tonic::{Status, Streaming};

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
    let terms = terms(request)?;
    let _room = gateway.requests().claim(request.encoded_len()).await?;
    let records: Vec<_> = request.records.iter().map(to_append).collect();
    let Settled { results, state } = gateway.append_on(principal, &request.topic, &records, &terms).await?;
    Ok(response(results, state))
}

/// The same for one of many: what takes its turn stands in its batch before whoever comes next.
async fn append_in_turn(
    gateway: &Gateway,
    principal: &Principal,
    request: &ProduceRequest,
    turn: &Mutex<()>,
) -> Result<ProduceResponse, Refusal> {
    if !terms(request)?.are_plain() {
        return append(gateway, principal, request).await;
    }
    let turn = turn.lock().await;
    let _room = gateway.requests().claim(request.encoded_len()).await?;
    let records: Vec<_> = request.records.iter().map(to_append).collect();
    let sent = gateway.send(&request.topic, &records).await;
    drop(turn);
    Ok(response(gateway.settle(&request.topic, &records, sent).await, None))
}

fn response(results: Vec<Result<Appended, Refusal>>, state: Option<String>) -> ProduceResponse {
    let results: Vec<_> = results.into_iter().map(result).collect();
    let failed = results.iter().filter(|result| result.problem.is_some()).count();
    ProduceResponse { results, failed: i32::try_from(failed).unwrap_or(i32::MAX), producer_state: state }
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

/// A request that is worked on.
struct UnderWay {
    records: i64,
    bytes: usize,
    work: Work,
}

enum Work {
    /// Its records stand in batches with those of others.
    Sent { request: ProduceRequest, sent: Vec<Sent>, _room: Claim },
    /// It is done beside the others; what came of it.
    Beside(Option<Result<ProduceResponse, Refusal>>),
}

/// One client's stream. Polled by hand: what most messages cost is little, and must not be dwarfed by tasks and wakes
/// of their own.
struct Produce {
    gateway: Gateway,
    principal: Principal,
    requests: Streaming<ProduceStreamRequest>,
    /// In their order, in which they are answered.
    under_way: VecDeque<UnderWay>,
    under_way_bytes: usize,
    /// Those that are done beside, in their order.
    beside: FuturesOrdered<BoxFuture<'static, Result<ProduceResponse, Refusal>>>,
    /// Whose records are taken into batches next. It is given in the order in which it was first asked for, which is theirs.
    turn: Arc<Mutex<()>>,
    /// Until the first under way has arrived.
    arrival: Option<BoxFuture<'static, ()>>,
    /// Until the node drains; nothing once the client was told.
    draining: Option<BoxFuture<'static, ()>>,
    first: Option<ProduceStreamResponse>,
    is_at_end: bool,
}

/// Answers requests in their order. Those of a client that sends more than it has credit for wait in its connection.
pub(crate) fn stream(
    gateway: Gateway,
    principal: Principal,
    requests: Streaming<ProduceStreamRequest>,
) -> Outgoing<ProduceStreamResponse> {
    let draining = gateway.draining().clone();
    Box::pin(Produce {
        gateway,
        principal,
        requests,
        under_way: VecDeque::new(),
        under_way_bytes: 0,
        beside: FuturesOrdered::new(),
        turn: Arc::default(),
        arrival: None,
        draining: Some(Box::pin(async move { draining.wait().await })),
        first: Some(ProduceStreamResponse { credit: CREDIT, ..ProduceStreamResponse::default() }),
        is_at_end: false,
    })
}

impl Stream for Produce {
    type Item = Result<ProduceStreamResponse, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(said) = this.first.take().or_else(|| this.answer()) {
                return Poll::Ready(Some(Ok(said)));
            }
            this.read(context);
            if this.is_at_end && this.under_way.is_empty() {
                return Poll::Ready(None);
            }
            if this.has_more(context) {
                continue;
            }
            if !this.is_told_to_leave(context) {
                return Poll::Pending;
            }
            let leave = ProduceStreamResponse { reconnect_advised: true, ..Default::default() };
            return Poll::Ready(Some(Ok(leave)));
        }
    }
}

impl Produce {
    /// The first request's answer, if it is known.
    fn answer(&mut self) -> Option<ProduceStreamResponse> {
        let answered = match &mut self.under_way.front_mut()?.work {
            Work::Sent { request, sent, .. } => {
                let results: Option<Vec<_>> = sent.iter().map(|sent| sent.result(&request.topic)).collect();
                Ok(response(results?, None))
            }
            Work::Beside(done) => done.take()?,
        };
        let UnderWay { records, bytes, .. } = self.under_way.pop_front()?;
        self.under_way_bytes -= bytes;
        self.arrival = None;
        let (response, problem) = match answered {
            Ok(response) => (Some(response), None),
            Err(refusal) => (None, Some(problem(&refusal))),
        };
        Some(ProduceStreamResponse { response, problem, credit: records, reconnect_advised: false })
    }

    /// Whether the client is to be told to go elsewhere, once.
    fn is_told_to_leave(&mut self, context: &mut Context<'_>) -> bool {
        let is_given = self.draining.as_mut().is_some_and(|given| given.poll_unpin(context).is_ready());
        if is_given {
            self.draining = None;
        }
        is_given
    }

    /// Begins requests as long as some are there and there is room for them.
    fn read(&mut self, context: &mut Context<'_>) {
        while !self.is_at_end
            && self.under_way.len() < UNDER_WAY_MAX
            && self.under_way_bytes < UNDER_WAY_BYTES_MAX
            && let Poll::Ready(request) = self.requests.poll_next_unpin(context)
        {
            match request {
                Some(Ok(ProduceStreamRequest { request: Some(request) })) => self.begin(request),
                // The client has said everything, broke off, or says nothing that can be answered.
                _ => self.is_at_end = true,
            }
        }
    }

    fn begin(&mut self, request: ProduceRequest) {
        let records = i64::try_from(request.records.len()).unwrap_or(i64::MAX);
        let bytes = request.encoded_len();
        self.under_way_bytes += bytes;
        let work = match self.send(&request, bytes) {
            Some((sent, room)) => Work::Sent { request, sent, _room: room },
            None => {
                let (gateway, principal) = (self.gateway.clone(), self.principal.clone());
                let turn = Arc::clone(&self.turn);
                let appended = async move { append_in_turn(&gateway, &principal, &request, &turn).await };
                self.beside.push_back(Box::pin(appended));
                Work::Beside(None)
            }
        };
        self.under_way.push_back(UnderWay { records, bytes, work });
    }

    /// Takes what needs no more than that into batches; behind what does, nothing, as it may go to the same partition.
    fn send(&self, request: &ProduceRequest, bytes: usize) -> Option<(Vec<Sent>, Claim)> {
        if !self.beside.is_empty() || !terms(request).is_ok_and(|terms| terms.are_plain()) {
            return None;
        }
        let room = self.gateway.requests().claim_now(bytes).ok()?;
        let records: Vec<_> = request.records.iter().map(to_append).collect();
        Some((self.gateway.send_now(&request.topic, &records)?, room))
    }

    /// Whether something came of the first request, or of any that is done beside.
    fn has_more(&mut self, context: &mut Context<'_>) -> bool {
        let mut has_more = false;
        while let Poll::Ready(Some(done)) = self.beside.poll_next_unpin(context) {
            let open = self.under_way.iter_mut().find_map(|under_way| match &mut under_way.work {
                Work::Beside(open @ None) => Some(open),
                _ => None,
            });
            if let Some(open) = open {
                *open = Some(done);
            }
            has_more = true;
        }
        let Some(UnderWay { work, .. }) = self.under_way.front_mut() else { return has_more };
        let Work::Sent { sent, .. } = work else { return has_more };
        let arrival = self.arrival.get_or_insert_with(|| {
            let sent = sent.clone();
            Box::pin(async move {
                for sent in sent {
                    sent.arrive().await;
                }
            })
        });
        if arrival.poll_unpin(context).is_pending() {
            return has_more;
        }
        self.arrival = None;
        self.settle_first();
        true
    }

    /// The first request has arrived, though its answer may need more than a look.
    fn settle_first(&mut self) {
        let Some(UnderWay { work, .. }) = self.under_way.front_mut() else { return };
        if !matches!(work, Work::Sent { request, sent, .. } if sent.iter().any(|sent| sent.result(&request.topic).is_none()))
        {
            return;
        }
        let Work::Sent { request, sent, _room: room } = std::mem::replace(work, Work::Beside(None)) else {
            return;
        };
        let gateway = self.gateway.clone();
        self.beside.push_front(Box::pin(async move {
            let records: Vec<_> = request.records.iter().map(to_append).collect();
            let results = gateway.settle(&request.topic, &records, sent).await;
            drop(room);
            Ok(response(results, None))
        }));
    }
}
