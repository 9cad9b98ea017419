//! Request bodies: bounded before anything is read of them, as they come and unpacked.

use std::io::Read as _;

use aquifer_gateway::{Code, Gateway};
use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::OwnedSemaphorePermit;

use crate::problem::Refused;

/// As bodies come, packed or not.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// After unpacking.
const UNPACKED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A body that was taken, with the room it has.
pub(crate) struct Taken {
    pub(crate) bytes: Bytes,
    _room: OwnedSemaphorePermit,
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
pub(crate) async fn take(gateway: &Gateway, headers: &HeaderMap, body: Body) -> Result<Taken, Refused> {
    let too_large = |bytes: usize| {
        let detail = format!("the body has more than {bytes} bytes");
        Refused::new(Code::BodyTooLarge, detail)
    };
    let claimed = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let claimed: usize = claimed.unwrap_or(64 * 1024);
    if claimed > BODY_BYTES_MAX {
        return Err(too_large(BODY_BYTES_MAX));
    }
    let room = gateway.admit(claimed).await?;
    let collected = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let bytes = collected.map(http_body_util::Collected::to_bytes).map_err(|error| {
        if error.downcast_ref::<LengthLimitError>().is_some() {
            return too_large(BODY_BYTES_MAX);
        }
        Refused::new(Code::MalformedBody, format!("the body broke off: {error}"))
    })?;
    let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?"));
    let packed = Packed { bytes: &bytes, too_large: &|| too_large(UNPACKED_BYTES_MAX) };
    let bytes = match encoding.map(str::to_ascii_lowercase).as_deref() {
        None | Some("identity") => bytes,
        Some("gzip") => packed.unpack(flate2::read::MultiGzDecoder::new(&*bytes), "gzip")?,
        Some("zstd") => {
            let reader = zstd::stream::read::Decoder::new(&*bytes);
            let reader = reader.map_err(|error| Refused::new(Code::Internal, error.to_string()))?;
            packed.unpack(reader, "zstd")?
        }
        Some(other) => {
            let detail = format!("Content-Encoding is {other}; gzip, zstd and none at all are read");
            return Err(Refused::new(Code::UnsupportedMedia, detail));
        }
    };
    Ok(Taken { bytes, _room: room })
}

struct Packed<'a> {
    bytes: &'a Bytes,
    too_large: &'a dyn Fn() -> Refused,
}

impl Packed<'_> {
    fn unpack(&self, reader: impl std::io::Read, name: &str) -> Result<Bytes, Refused> {
        let mut unpacked = Vec::with_capacity(self.bytes.len().saturating_mul(3).min(UNPACKED_BYTES_MAX));
        let limit = u64::try_from(UNPACKED_BYTES_MAX).unwrap_or(u64::MAX);
        let read = reader.take(limit + 1).read_to_end(&mut unpacked);
        read.map_err(|error| Refused::new(Code::MalformedBody, format!("the body is no {name}: {error}")))?;
        if unpacked.len() > UNPACKED_BYTES_MAX {
            return Err((self.too_large)());
        }
        Ok(unpacked.into())
    }
}
