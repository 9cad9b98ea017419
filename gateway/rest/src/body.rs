//! Request bodies: bounded before anything is read of them, as they come and unpacked.

use std::fmt::Display;
use std::io::{self, Read as _};
use std::time::Duration;

use aquifer_gateway::{Claim, Code, Gateway, Room};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use hyper::body::Body as HttpBody;

use crate::door::Door;
use crate::problem::Refused;

/// As bodies come, packed or not.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// After unpacking.
const UNPACKED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What is unpacked before room for more is claimed.
const STEP: usize = 1024 * 1024;
/// A body of which nothing comes for so long is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A body that was taken, with the room it has.
pub(crate) struct Taken {
    pub(crate) bytes: Bytes,
    _room: Claim,
}

/// Whether a request's body is of a media type, its parameters aside.
pub(crate) fn is_of(headers: &HeaderMap, media: &str) -> bool {
    let named = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = named.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(media))
}

/// Refuses a body of any other media type.
pub(crate) fn must_be(headers: &HeaderMap, media: &str) -> Result<(), Refused> {
    if is_of(headers, media) {
        return Ok(());
    }
    let named = headers.get(header::CONTENT_TYPE);
    let named = named.map_or("nothing", |value| value.to_str().unwrap_or("no text"));
    Err(Refused::new(Code::UnsupportedMedia, format!("Content-Type is {named}; {media} is read here")))
}

/// Takes a whole body.
pub(crate) async fn take<B>(door: &Door, headers: &HeaderMap, body: B) -> Result<Taken, Refused>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Display,
{
    let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?"));
    let encoding = match encoding.map(str::to_ascii_lowercase).as_deref() {
        None | Some("identity") => None,
        Some("gzip") => Some(Encoding::Gzip),
        Some("zstd") => Some(Encoding::Zstd),
        Some(other) => {
            let detail = format!("Content-Encoding is {other}; gzip, zstd and none at all are read");
            return Err(Refused::new(Code::UnsupportedMedia, detail));
        }
    };
    let (bytes, mut room) = collect(&door.gateway, headers, body).await?;
    let Some(encoding) = encoding else { return Ok(Taken { bytes, _room: room }) };
    let rooms = door.gateway.requests();
    let bytes =
        door.gateway.runtime().hold_up(&door.unpacking, || unpack(encoding, &bytes, rooms, &mut room))?;
    Ok(Taken { bytes, _room: room })
}

/// The bytes as they came, with room for them.
async fn collect<B>(gateway: &Gateway, headers: &HeaderMap, mut body: B) -> Result<(Bytes, Claim), Refused>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Display,
{
    let claimed = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if claimed.is_some_and(|claimed: usize| claimed > BODY_BYTES_MAX) {
        return Err(too_large(BODY_BYTES_MAX));
    }
    let mut room = gateway.requests().claim(0).await?;
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    while !body.is_end_stream() {
        // Most bodies are there with their heads.
        let frame = match body.frame().now_or_never() {
            Some(frame) => Some(frame),
            None => gateway.runtime().timeout(PATIENCE, body.frame()).await,
        };
        let frame = frame.ok_or_else(|| {
            let detail = format!("nothing came of the body for {} s", PATIENCE.as_secs());
            Refused::new(Code::MalformedBody, detail)
        })?;
        let Some(frame) = frame else { break };
        let frame = frame
            .map_err(|error| Refused::new(Code::MalformedBody, format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        let length = first.len() + all.len() + data.len();
        if length > BODY_BYTES_MAX {
            return Err(too_large(BODY_BYTES_MAX));
        }
        if length > room.bytes() {
            // By what has come, not by what was announced: who sends little of a large body holds little.
            let ahead = claimed.unwrap_or(BODY_BYTES_MAX).min(length.saturating_mul(2)).max(length);
            room.add(gateway.requests().claim(ahead - room.bytes()).await?);
        }
        // Most bodies come in one piece, which is taken as it is.
        if length == data.len() {
            first = data;
            continue;
        }
        if all.is_empty() {
            all.reserve(room.bytes());
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&data);
    }
    Ok((if all.is_empty() { first } else { all.freeze() }, room))
}

fn too_large(bytes: usize) -> Refused {
    Refused::new(Code::BodyTooLarge, format!("the body has more than {bytes} bytes"))
}

#[derive(Clone, Copy)]
enum Encoding {
    Gzip,
    Zstd,
}

/// Unpacks as far as there is room, which it claims as it goes.
fn unpack(encoding: Encoding, packed: &[u8], rooms: &Room, room: &mut Claim) -> Result<Bytes, Refused> {
    match encoding {
        Encoding::Gzip => read(flate2::read::MultiGzDecoder::new(packed), "gzip", rooms, room),
        Encoding::Zstd => {
            let reader = zstd::stream::read::Decoder::with_buffer(packed);
            let reader = reader.map_err(|error| Refused::new(Code::Internal, error.to_string()))?;
            read(reader, "zstd", rooms, room)
        }
    }
}

fn read(mut reader: impl io::Read, name: &str, rooms: &Room, room: &mut Claim) -> Result<Bytes, Refused> {
    let mut unpacked = Vec::new();
    loop {
        room.add(rooms.claim_now(STEP)?);
        let step = u64::try_from(STEP).unwrap_or(u64::MAX);
        let read = reader.by_ref().take(step).read_to_end(&mut unpacked);
        let read = read
            .map_err(|error| Refused::new(Code::MalformedBody, format!("the body is no {name}: {error}")))?;
        if unpacked.len() > UNPACKED_BYTES_MAX {
            return Err(too_large(UNPACKED_BYTES_MAX));
        }
        if read < STEP {
            return Ok(unpacked.into());
        }
    }
}
