//! Lines of JSON in, a line of acknowledgement out for each, in their order and as soon as it is known.

use std::convert::Infallible;

use aquifer_gateway::{Code, Gateway, Record, Refusal, Sent};
use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::unfold;
use tokio::sync::mpsc;

use super::ndjson::failed;
use crate::body::must_be;
use crate::caller::Caller;
use crate::door::Door;
use crate::extract::Named;
use crate::problem::Refused;
use crate::record::NewRecord;
use crate::v1::{ProduceResult, trace};

/// A line that is longer is no record that topics take.
const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Groups of lines that are sent and not acknowledged; a client that does not read its answers is not read from.
const AHEAD: usize = 64;

/// Lines that came together.
enum Group {
    Sent {
        records: Vec<Record<'static>>,
        sent: Vec<Sent>,
    },
    /// The last: nothing behind it is read.
    Refused(Refusal),
}

pub(super) async fn records(
    State(door): State<Door>,
    _caller: Caller,
    Named(topic): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    must_be(&headers, "application/x-ndjson")?;
    let gateway = door.gateway.clone();
    // A topic that is not there is an answer of its own.
    gateway.topic_of(&topic, 0).await?;
    let (groups, coming) = mpsc::channel(AHEAD);
    let reading = Reading { gateway: gateway.clone(), topic: topic.clone(), headers, groups };
    gateway.runtime().spawn("ndjson produce", reading.run(body.into_data_stream()));
    let lines = unfold((coming, gateway, topic), |(mut coming, gateway, topic)| async move {
        let group = coming.recv().await?;
        let lines = match group {
            Group::Refused(refusal) => failed(&refusal),
            Group::Sent { records, sent } => {
                let settled = gateway.settle(&topic, &records, sent).await;
                let mut lines = Vec::with_capacity(settled.len() * 40);
                for result in settled {
                    let _ = serde_json::to_writer(&mut lines, &ProduceResult::from(result));
                    lines.push(b'\n');
                }
                lines
            }
        };
        Some((Ok::<Bytes, Infallible>(lines.into()), (coming, gateway, topic)))
    });
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// The half that reads.
struct Reading {
    gateway: Gateway,
    topic: String,
    headers: HeaderMap,
    groups: mpsc::Sender<Group>,
}

impl Reading {
    async fn run(self, mut body: BodyDataStream) {
        let mut rest = BytesMut::new();
        let mut line = 0;
        loop {
            let (is_last, refusal) = match body.next().await {
                Some(Ok(bytes)) => {
                    rest.extend_from_slice(&bytes);
                    (false, None)
                }
                Some(Err(error)) => {
                    let detail = format!("the body broke off: {error}");
                    (true, Some(Refusal::new(Code::MalformedBody, detail)))
                }
                None => (true, None),
            };
            let whole = match rest.iter().rposition(|byte| *byte == b'\n') {
                Some(end) => end + 1,
                None if is_last && refusal.is_none() => rest.len(),
                None => 0,
            };
            let whole = if is_last && refusal.is_none() { rest.len() } else { whole };
            let (records, broken) = self.parse(&rest[..whole], &mut line);
            rest.advance(whole);
            let too_long = (rest.len() > LINE_BYTES_MAX).then(|| {
                Refusal::new(
                    Code::BodyTooLarge,
                    format!("line {} has more than {LINE_BYTES_MAX} bytes", line + 1),
                )
            });
            if !records.is_empty() {
                let sent = self.gateway.send(&self.topic, &records).await;
                if self.groups.send(Group::Sent { records, sent }).await.is_err() {
                    return;
                }
            }
            if let Some(refusal) = broken.or(refusal).or(too_long) {
                // Whoever reads the answers is told, if anybody still does.
                let _ = self.groups.send(Group::Refused(refusal)).await;
                return;
            }
            if is_last {
                return;
            }
        }
    }

    /// The records of whole lines, up to the first that is none.
    fn parse(&self, lines: &[u8], number: &mut usize) -> (Vec<Record<'static>>, Option<Refusal>) {
        let mut records = Vec::new();
        for line in lines.split(|byte| *byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            *number += 1;
            let read = serde_json::from_slice::<NewRecord<'_>>(line);
            let refused = |code, why: String| Some(Refusal::new(code, format!("line {number}: {why}")));
            let record = match read.map(NewRecord::read) {
                Ok(Ok(record)) => record,
                Ok(Err(why)) => return (records, refused(Code::InvalidRecord, why)),
                Err(error) => return (records, refused(Code::MalformedBody, error.to_string())),
            };
            let mut record = [record];
            trace(&mut record, &self.headers);
            let [record] = record;
            records.push(record.into_owned());
        }
        (records, None)
    }
}
