//! `TestBroker`: a broker on a real socket that answers as a test's table says.

use std::sync::Arc;

use aquifer_runtime::Runtime;
use aquifer_wire::messages::ApiVersionsResponse;
use aquifer_wire::messages::api_versions_response::ApiVersion;
use aquifer_wire::{ApiKey, ErrorCode, Piece, RequestBody, RequestFrame, RequestPrefix, ResponseBody};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::address::Address;

/// What a broker does with a request.
pub(crate) enum Answer {
    Say(ResponseBody),
    /// Says nothing, now or later.
    Nothing,
    /// Closes the connection.
    Close,
    /// These bytes, whatever they are.
    Raw(Vec<u8>),
}

pub(crate) type Table = Arc<dyn Fn(RequestFrame, RequestBody) -> Answer + Send + Sync>;

/// Listens on a port of the system's choice for as long as the test runs.
pub(crate) async fn start(
    table: impl Fn(RequestFrame, RequestBody) -> Answer + Send + Sync + 'static,
) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    let table: Table = Arc::new(table);
    let runtime = Runtime::real();
    Runtime::real().spawn("test broker", async move {
        while let Ok((socket, _)) = listener.accept().await {
            let table = Arc::clone(&table);
            runtime.spawn("test broker connection", async move { serve(socket, &table).await });
        }
    });
    Address { host: "127.0.0.1".to_owned(), port }
}

/// All versions that have a codec.
pub(crate) fn versions() -> ApiVersionsResponse {
    let ranges = aquifer_wire::SUPPORTED.iter().map(|supported| ApiVersion {
        api_key: supported.key.number(),
        min_version: supported.min,
        max_version: supported.max,
    });
    ApiVersionsResponse { api_keys: ranges.collect(), ..ApiVersionsResponse::default() }
}

async fn serve(mut socket: TcpStream, table: &Table) -> Option<()> {
    loop {
        let size = socket.read_i32().await.ok()?;
        let mut frame = vec![0; usize::try_from(size).expect("positive size")];
        socket.read_exact(&mut frame).await.ok()?;
        let frame = Bytes::from(frame);
        let prefix = RequestPrefix::peek(&frame).expect("prefix");
        let Ok(request) = RequestFrame::parse(&frame) else {
            // Of the test's own keys: answered with what was asked.
            let answer = [&prefix.correlation_id.to_be_bytes()[..], &frame[RequestPrefix::LENGTH..]].concat();
            socket.write_i32(answer.len() as i32).await.ok()?;
            socket.write_all(&answer).await.ok()?;
            continue;
        };
        let version = prefix.api_version;
        let body = RequestBody::decode(request.key, version, &request.body).expect("body");
        match table(request.clone(), body) {
            Answer::Nothing => {}
            Answer::Close => return None,
            Answer::Raw(bytes) => socket.write_all(&bytes).await.ok()?,
            Answer::Say(response) => {
                let refused = matches!(&response, ResponseBody::ApiVersions(refusal)
                    if refusal.error_code == ErrorCode::UNSUPPORTED_VERSION);
                let version = if refused && request.key == ApiKey::ApiVersions { 0 } else { version };
                for piece in response.encode(prefix.correlation_id, version).expect("response") {
                    let Piece::Bytes(bytes) = piece else { panic!("hole") };
                    socket.write_all(&bytes).await.ok()?;
                }
            }
        }
    }
}
