//! `Port`: one connection to the Kafka port, for whole requests and for anything else.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use aquifer_wire::messages::MetadataRequest;
use aquifer_wire::messages::metadata_request::MetadataRequestTopic;
use aquifer_wire::{ErrorCode, Piece, Request, Response, Text, decode_response, encode_request};
use bytes::Bytes;

/// Longer than any answer takes: who says nothing for so long hangs.
const SILENCE_MAX: Duration = Duration::from_secs(30);

pub(crate) struct Port {
    stream: TcpStream,
}

impl Port {
    pub(crate) fn open(kafka: &str) -> Port {
        let stream = TcpStream::connect(kafka).expect("the port is open");
        stream.set_read_timeout(Some(SILENCE_MAX)).expect("a timeout");
        Port { stream }
    }

    /// Sends bytes as they are. That the other side has closed shows in what it answers.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends a frame: its length, then these bytes.
    pub(crate) fn send_frame(&mut self, frame: &[u8]) {
        let length = i32::try_from(frame.len()).expect("a frame");
        self.send_raw(&[&length.to_be_bytes()[..], frame].concat());
    }

    pub(crate) fn send<R: Request>(&mut self, version: i16, request: &R) {
        self.send_raw(&encoded(version, request));
    }

    /// The next answer's frame; `None` once the other side has closed.
    pub(crate) fn receive(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        self.read(&mut length)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
        self.read(&mut frame)?;
        Some(Bytes::from(frame))
    }

    pub(crate) fn answer<R: Response>(&mut self, version: i16) -> Option<R> {
        let frame = self.receive()?;
        let (_, response) = decode_response(version, &frame).expect("an answer of that version");
        Some(response)
    }

    pub(crate) fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.send(version, request);
        self.answer(version).unwrap_or_else(|| panic!("closed in place of an answer to {request:?}"))
    }

    /// No more is sent from here; what was begun stays cut off.
    pub(crate) fn finish(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    /// The topic's id, as soon as the node knows the topic.
    pub(crate) fn topic_id(&mut self, name: &str) -> aquifer_types::Uuid {
        let topic = MetadataRequestTopic { name: Some(Text::from(name)), ..MetadataRequestTopic::default() };
        let request = MetadataRequest { topics: Some(vec![topic]), ..MetadataRequest::default() };
        let metadata = self.call(12, &request);
        assert_eq!(metadata.topics[0].error_code, ErrorCode::NONE, "{name}");
        metadata.topics[0].topic_id
    }

    fn read(&mut self, bytes: &mut [u8]) -> Option<()> {
        use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
        match self.stream.read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error) if matches!(error.kind(), UnexpectedEof | ConnectionReset) => None,
            Err(error) => panic!("neither answered nor closed: {error}"),
        }
    }
}

/// A whole request with its length.
pub(crate) fn encoded<R: Request>(version: i16, request: &R) -> Vec<u8> {
    let pieces = encode_request(1, Some(&Text::from_static("hostile")), version, request);
    let pieces = pieces.expect("a request of that version");
    let bytes = pieces.into_iter().map(|piece| match piece {
        Piece::Bytes(bytes) => bytes,
        Piece::Hole(_) => panic!("requests have no holes"),
    });
    bytes.fold(Vec::new(), |mut all, bytes| {
        all.extend_from_slice(&bytes);
        all
    })
}
