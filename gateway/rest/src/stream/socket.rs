//! Records over a WebSocket, a page a message, against credit that the client gives.

use std::sync::Arc;

use aquifer_gateway::{Code, Follower, Next};
use aquifer_runtime::Shutdown;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use serde::Deserialize;

use super::FollowQuery;
use crate::caller::Caller;
use crate::door::Door;
use crate::extract::{Asked, Named};
use crate::problem::{Problem, Refused};
use crate::record::{Shown, Values};

/// What clients say is short.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// What a client says: so many records more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    credit: u64,
}

pub(super) async fn topic(
    Caller { door, .. }: Caller,
    Named(topic): Named<String>,
    Asked(query): Asked<FollowQuery>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Refused> {
    open(&door, &topic, None, &query, upgrade).await
}

pub(super) async fn partition(
    Caller { door, .. }: Caller,
    Named((topic, partition)): Named<(String, i32)>,
    Asked(query): Asked<FollowQuery>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Refused> {
    open(&door, &topic, Some(partition), &query, upgrade).await
}

async fn open(
    door: &Door,
    topic: &str,
    partition: Option<i32>,
    query: &FollowQuery,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Refused> {
    let upgrade =
        upgrade.map_err(|error| Refused::new(Code::InvalidParameter, format!("no WebSocket: {error}")))?;
    let place = Arc::clone(&door.sockets).try_acquire_owned();
    let place =
        place.map_err(|_none| Refused::new(Code::TooManyRequests, "no room for another WebSocket"))?;
    let follower = Follower::new(&door.gateway, topic, partition, query.from()).await?;
    let draining = door.gateway.draining().clone();
    let (credit, values) = (query.credit, query.values());
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(async move |socket| {
        follow(socket, follower, credit, values, draining).await;
        drop(place);
    }))
}

/// Until either side has enough.
async fn follow(
    mut socket: WebSocket,
    mut follower: Follower,
    mut credit: Option<u64>,
    values: Values,
    draining: Shutdown,
) {
    loop {
        let is_spent = credit == Some(0);
        let next = tokio::select! {
            biased;
            said = socket.recv() => match said {
                Some(Ok(Message::Text(text))) => {
                    let Ok(Said { credit: more }) = serde_json::from_str(&text) else {
                        return close(socket, close_code::POLICY, "what is read here is {\"credit\": N}").await;
                    };
                    credit = credit.map(|credit| credit.saturating_add(more));
                    continue;
                }
                Some(Ok(Message::Binary(_))) => {
                    return close(socket, close_code::UNSUPPORTED, "text is read here").await;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            next = follower.next(), if !is_spent => next,
            () = draining.wait(), if is_spent => Next::Draining,
        };
        let sent = match next {
            Next::Quiet => socket.send(Message::Ping(bytes::Bytes::new())).await,
            Next::Draining => {
                let cursor = follower.cursor();
                let hint = format!("{{\"reconnect\":true,\"cursor\":\"{cursor}\"}}");
                // The close that follows says the same.
                let _ = socket.send(Message::Text(hint.into())).await;
                return close(socket, close_code::RESTART, "connect again").await;
            }
            Next::Refused(refusal) => return fail(socket, &refusal).await,
            Next::Records(page) => {
                let (mut bytes, mut count) = (b"{\"records\":[".to_vec(), 0_u64);
                let taken =
                    follower.take(&page, credit.unwrap_or(u64::MAX), |topic, partition, record, _| {
                        if count > 0 {
                            bytes.push(b',');
                        }
                        count += 1;
                        Shown::new(topic, partition.0, record, values).write(&mut bytes);
                    });
                if let Err(refusal) = taken {
                    return fail(socket, &refusal).await;
                }
                credit = credit.map(|credit| credit.saturating_sub(count));
                bytes.extend_from_slice(format!("],\"cursor\":\"{}\"}}", follower.cursor()).as_bytes());
                let text = String::from_utf8(bytes).unwrap_or_default();
                socket.send(Message::Text(text.into())).await
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn fail(mut socket: WebSocket, refusal: &aquifer_gateway::Refusal) {
    let problem = serde_json::to_string(&Problem::from(refusal)).unwrap_or_default();
    // The close that follows says the same.
    let _ = socket.send(Message::Text(format!("{{\"error\":{problem}}}").into())).await;
    close(socket, close_code::ERROR, refusal.code.entry().name).await;
}

async fn close(mut socket: WebSocket, code: u16, reason: &'static str) {
    // Whoever is gone already needs no word.
    let _ = socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
}
