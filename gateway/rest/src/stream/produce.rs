//! Lines of JSON in, a line of acknowledgement out for each, in their order and as soon as it is known.

use std::convert::Infallible;

use aquifer_gateway::{Claim, Code, Gateway, Record, Refusal, Sent};
use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::unfold;
use tokio::sync::mpsc;

use super::ndjson::failed;
use crate::body::{BODY_BYTES_MAX, must_be};
use crate::caller::Caller;
use crate::extract::Named;
use crate::problem::Refused;
use crate::record::NewRecord;
use crate::v1::{ProduceResult, trace};

/// A line that is longer is no record that topics take.
const LINE_BYTES_MAX: usize = BODY_BYTES_MAX;
/// Groups of lines that are sent and not acknowledged; a client that does not read its answers is not read from.
const AHEAD: usize = 64;

/// Lines that came together.
enum Group {
    Sent {
        records: Vec<Record<'static>>,
        sent: Vec<Sent>,
        /// Held until they are settled.
        room: Claim,
    },
    /// The last: nothing behind it is read.
    Refused(Refusal),
}

pub(super) async fn records(
    Caller { door, .. }: Caller,
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
            Group::Sent { records, sent, room } => {
                let settled = gateway.settle(&topic, &records, sent).await;
                let mut lines = Vec::with_capacity(settled.len() * 40);
                for result in settled {
                    let _ = serde_json::to_writer(&mut lines, &ProduceResult::from(result));
                    lines.push(b'\n');
                }
                drop(room);
                lines
            }
        };
        Some((Ok::<Bytes, Infallible>(lines.into()), (coming, gateway, topic)))
    });
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// Nobody reads the answers any more.
struct Left;

/// What came and is not dealt with, from the beginning of a line on.
#[derive(Default)]
struct Lines {
    bytes: BytesMut,
    /// Behind the last end of a line.
    whole: usize,
    /// Lines that are dealt with.
    number: usize,
}

impl Lines {
    fn add(&mut self, bytes: &[u8]) {
        if let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') {
            self.whole = self.bytes.len() + end + 1;
        }
        self.bytes.extend_from_slice(bytes);
    }

    fn whole(&self) -> usize {
        self.whole
    }

    fn all(&self) -> usize {
        self.bytes.len()
    }

    fn done(&mut self, bytes: usize) {
        self.bytes.advance(bytes);
        self.whole = self.whole.saturating_sub(bytes);
    }

    fn too_long(&self) -> Option<Refusal> {
        (self.bytes.len() - self.whole > LINE_BYTES_MAX).then(|| {
            let detail = format!("line {} has more than {LINE_BYTES_MAX} bytes", self.number + 1);
            Refusal::new(Code::BodyTooLarge, detail)
        })
    }
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
        let mut lines = Lines::default();
        let Ok(mut room) = self.gateway.requests().claim(0).await else { return };
        loop {
            let (is_last, broken_off) = match body.next().await {
                Some(Ok(bytes)) => match self.gateway.requests().claim(bytes.len()).await {
                    Ok(more) => {
                        room.add(more);
                        lines.add(&bytes);
                        (false, None)
                    }
                    Err(refusal) => (true, Some(refusal)),
                },
                Some(Err(error)) => {
                    let detail = format!("the body broke off: {error}");
                    (true, Some(Refusal::new(Code::MalformedBody, detail)))
                }
                None => (true, None),
            };
            // What stands behind the last end of a line is a line only if the body has come to its end.
            let whole = if is_last && broken_off.is_none() { lines.all() } else { lines.whole() };
            let refusal = match self.hand_in(&mut lines, whole, &mut room).await {
                Ok(refusal) => refusal.or(broken_off),
                Err(Left) => return,
            };
            let Some(refusal) = refusal.or_else(|| lines.too_long()) else {
                if is_last {
                    return;
                }
                continue;
            };
            // Whoever reads the answers is told, if anybody still does.
            let _ = self.groups.send(Group::Refused(refusal)).await;
            return;
        }
    }

    /// Sends the records of the first `whole` bytes, and says why nothing behind them is read, if so.
    async fn hand_in(
        &self,
        lines: &mut Lines,
        whole: usize,
        room: &mut Claim,
    ) -> Result<Option<Refusal>, Left> {
        if whole == 0 {
            return Ok(None);
        }
        let room = room.split(whole);
        let (records, refusal) = self.parse(&lines.bytes[..whole], &mut lines.number);
        lines.done(whole);
        if !records.is_empty() {
            let sent = self.gateway.send(&self.topic, &records).await;
            let group = Group::Sent { records, sent, room };
            self.groups.send(group).await.map_err(|_closed| Left)?;
        }
        Ok(refusal)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn take(lines: &mut Lines, bytes: usize) -> Bytes {
        let taken = Bytes::copy_from_slice(&lines.bytes[..bytes]);
        lines.done(bytes);
        taken
    }

    #[test]
    fn a_line_is_whole_once_its_end_has_come() {
        let mut lines = Lines::default();
        lines.add(b"{\"a\":");
        assert_eq!(lines.whole(), 0);
        lines.add(b"1}\n{\"b\":2}\n{\"c\"");
        let whole = lines.whole();
        assert_eq!(take(&mut lines, whole), "{\"a\":1}\n{\"b\":2}\n");
        assert_eq!((lines.whole(), lines.all()), (0, 4));
        lines.add(b":3}");
        assert_eq!(lines.whole(), 0);
        let all = lines.all();
        assert_eq!(take(&mut lines, all), "{\"c\":3}");
    }

    #[test]
    fn only_a_line_without_an_end_is_too_long() {
        let mut lines = Lines::default();
        lines.add(&vec![b' '; LINE_BYTES_MAX]);
        assert!(lines.too_long().is_none());
        lines.add(b"\n");
        assert!(lines.too_long().is_none());
        let whole = lines.whole();
        lines.done(whole);
        lines.number = 4;
        lines.add(&vec![b' '; LINE_BYTES_MAX + 1]);
        let refusal = lines.too_long().expect("refused");
        assert!(refusal.detail.starts_with("line 5 has more than"));
    }
}
