//! Records out: followed as they come, or against credit with acknowledgements in between.

use std::time::Duration;

use aquifer_contract::v1::{ConsumeRequest, ConsumeResponse, ConsumeStreamRequest, ConsumeStreamResponse};
use aquifer_gateway::{Code, Follower, Gateway, Next, PollRequest, Principal, ReadLimits, Refusal};
use futures_util::StreamExt as _;
use futures_util::stream::unfold;
use tonic::{Status, Streaming};

use crate::message::{place, shown};
use crate::records::Outgoing;
use crate::status::status;

/// What one answer of a session brings at most.
const BYTES: usize = 1024 * 1024;
const RECORDS: usize = 500;
/// A session is heard from so often at least, whether records come or not.
const BEAT: Duration = Duration::from_secs(3);

async fn follower(gateway: &Gateway, request: &ConsumeRequest) -> Result<Follower, Status> {
    let from = if request.from.is_empty() { "latest" } else { &request.from };
    let follower = Follower::new(gateway, &request.topic, request.partition, from).await;
    follower.map_err(|refusal| status(&refusal))
}

/// Follows without end; a client that does not read is not read for.
pub(crate) async fn follow(
    gateway: &Gateway,
    request: &ConsumeRequest,
) -> Result<Outgoing<ConsumeResponse>, Status> {
    let follower = follower(gateway, request).await?;
    Ok(Box::pin(unfold(Some(follower), |follower| async move {
        let mut follower = follower?;
        let mut response = ConsumeResponse::default();
        match follower.next().await {
            Next::Quiet => {}
            Next::Draining => response.reconnect_advised = true,
            Next::Refused(refusal) => return Some((Err(status(&refusal)), None)),
            Next::Records(page) => {
                let taken = follower.take(&page, u64::MAX, |topic, partition, record, _| {
                    response.records.push(shown(topic, partition.0, record));
                });
                if let Err(refusal) = taken {
                    return Some((Err(status(&refusal)), None));
                }
            }
        }
        response.cursor = follower.cursor();
        let goes_on = !response.reconnect_advised;
        Some((Ok(response), goes_on.then_some(follower)))
    })))
}

/// Where a conversation's records come from.
enum Source {
    Follow(Box<Follower>),
    Session { token: String, after: Option<String> },
}

/// One client's stream with credit.
struct Conversation {
    gateway: Gateway,
    principal: Principal,
    requests: Streaming<ConsumeStreamRequest>,
    source: Source,
    credit: u64,
    ack: Option<String>,
    is_over: bool,
}

/// Follows against credit; the first message says what.
pub(crate) async fn converse(
    gateway: Gateway,
    principal: Principal,
    mut requests: Streaming<ConsumeStreamRequest>,
) -> Result<Outgoing<ConsumeStreamResponse>, Status> {
    let refused = |detail: &str| status(&Refusal::new(Code::InvalidParameter, detail));
    let first = requests.next().await.transpose()?;
    let first = first.ok_or_else(|| refused("the stream ended before it said what to follow"))?;
    let source = match (&first.follow, &first.session_token) {
        (Some(follow), None) => Source::Follow(Box::new(follower(&gateway, follow).await?)),
        (None, Some(token)) => Source::Session { token: token.clone(), after: None },
        _ => return Err(refused("the first message names either what to follow or a session")),
    };
    let (credit, ack) = (u64::try_from(first.credit).unwrap_or(0), first.ack);
    let conversation = Conversation { gateway, principal, requests, source, credit, ack, is_over: false };
    Ok(Box::pin(unfold(conversation, |mut conversation| async move {
        let next = conversation.next().await?;
        conversation.is_over |= next.as_ref().map_or(true, |response| response.reconnect_advised);
        Some((next, conversation))
    })))
}

impl Conversation {
    async fn next(&mut self) -> Option<Result<ConsumeStreamResponse, Status>> {
        if self.is_over {
            return None;
        }
        loop {
            // A session goes on being heard, and acknowledges, also without credit.
            let is_idle = self.credit == 0 && matches!(self.source, Source::Follow(_));
            let Conversation { gateway, principal, requests, source, credit, ack, .. } = self;
            let draining = gateway.draining().clone();
            tokio::select! {
                biased;
                request = requests.next() => match request {
                    Some(Ok(request)) => {
                        *credit = credit.saturating_add(u64::try_from(request.credit).unwrap_or(0));
                        if request.ack.is_some() {
                            *ack = request.ack;
                        }
                    }
                    Some(Err(_)) | None => return None,
                },
                () = draining.wait(), if is_idle => return Some(Ok(source.leave())),
                answer = source.next(gateway, principal, *credit, ack.as_deref()), if !is_idle => {
                    if matches!(source, Source::Session { .. }) && answer.is_ok() {
                        *ack = None;
                    }
                    let answer = match answer {
                        Ok(answer) => answer,
                        Err(refusal) if refusal.code.entry().retryable => {
                            gateway.runtime().sleep(Duration::from_millis(200)).await;
                            continue;
                        }
                        Err(refusal) => return Some(Err(status(&refusal))),
                    };
                    let sent = u64::try_from(answer.records.len()).unwrap_or(u64::MAX);
                    *credit = credit.saturating_sub(sent);
                    return Some(Ok(answer));
                }
            }
        }
    }
}

impl Source {
    /// What is said to a client that has no credit left and better goes elsewhere.
    fn leave(&self) -> ConsumeStreamResponse {
        let cursor = match self {
            Source::Follow(follower) => follower.cursor(),
            Source::Session { .. } => String::new(),
        };
        ConsumeStreamResponse { cursor, reconnect_advised: true, ..ConsumeStreamResponse::default() }
    }

    async fn next(
        &mut self,
        gateway: &Gateway,
        principal: &Principal,
        credit: u64,
        ack: Option<&str>,
    ) -> Result<ConsumeStreamResponse, Refusal> {
        let mut response = ConsumeStreamResponse::default();
        match self {
            Source::Follow(follower) => {
                match follower.next().await {
                    Next::Quiet => {}
                    Next::Draining => response.reconnect_advised = true,
                    Next::Refused(refusal) => return Err(refusal),
                    Next::Records(page) => follower.take(&page, credit, |topic, partition, record, _| {
                        response.records.push(shown(topic, partition.0, record));
                    })?,
                }
                response.cursor = follower.cursor();
            }
            Source::Session { token, after } => {
                // Without credit the session is heard and acknowledges, and what it reads is let go.
                let records_max = usize::try_from(credit).unwrap_or(usize::MAX).clamp(1, RECORDS);
                let wait = if ack.is_some() { Duration::ZERO } else { BEAT };
                let limits = ReadLimits { bytes_max: BYTES, records_max, wait };
                let request = PollRequest { token, ack, after: after.as_deref(), limits };
                let mut polled = gateway.poll_session(principal, &request).await?;
                if credit > 0 {
                    polled.take(|(topic, partition), record| {
                        response.records.push(shown(topic, partition.0, record));
                    })?;
                }
                let held = polled.held();
                response.reconnect_advised = polled.is_draining();
                response.cursor.clone_from(&held.cursor);
                response.session_token = Some(held.token.clone());
                response.assigned = held.assigned.iter().map(place).collect();
                response.revoked = held.revoked.iter().map(place).collect();
                if credit == 0 {
                    // Either way the session is heard from next.
                    let _ = gateway.runtime().timeout(BEAT, gateway.draining().wait()).await;
                } else {
                    *after = Some(held.cursor);
                }
                *token = held.token;
            }
        }
        Ok(response)
    }
}
