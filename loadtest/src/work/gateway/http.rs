//! `HttpConnection`: one request at a time over one connection, with as little done per request as hyper allows.

use anyhow::{Context as _, Result, ensure};
use aquifer_client::Address;
use aquifer_runtime::Runtime;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What is shown of an answer that says what went wrong.
const SHOWN_BYTES: usize = 500;

/// A request that is sent again and again.
#[derive(Clone)]
pub struct Prepared {
    pub method: Method,
    pub path: Uri,
    pub media: Option<HeaderValue>,
    pub body: Bytes,
}

pub struct HttpConnection {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
}

impl Prepared {
    pub fn get(path: &str) -> Result<Prepared> {
        Ok(Prepared { method: Method::GET, path: path.parse()?, media: None, body: Bytes::new() })
    }

    pub fn post(path: &str, media: &'static str, body: impl Into<Bytes>) -> Result<Prepared> {
        let media = Some(HeaderValue::from_static(media));
        Ok(Prepared { method: Method::POST, path: path.parse()?, media, body: body.into() })
    }
}

impl HttpConnection {
    pub async fn open(runtime: &Runtime, address: &Address) -> Result<HttpConnection> {
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await;
        let stream = stream.with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        runtime.spawn("http client", async move {
            // Whoever sends is told what went wrong.
            let _ = connection.await;
        });
        Ok(HttpConnection { sender, host: HeaderValue::from_str(&address.to_string())? })
    }

    /// The head of the answer, and what follows as it comes.
    pub async fn begin(&mut self, prepared: &Prepared) -> Result<Response<Incoming>> {
        let mut request = Request::new(Full::new(prepared.body.clone()));
        *request.method_mut() = prepared.method.clone();
        *request.uri_mut() = prepared.path.clone();
        request.headers_mut().insert(HOST, self.host.clone());
        if let Some(media) = &prepared.media {
            request.headers_mut().insert(CONTENT_TYPE, media.clone());
        }
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await.context("send a request")?;
        if response.status() != StatusCode::OK {
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            let shown = String::from_utf8_lossy(&body[..body.len().min(SHOWN_BYTES)]).into_owned();
            anyhow::bail!("{} answered {status}: {shown}", prepared.path);
        }
        Ok(response)
    }

    /// The whole answer.
    pub async fn send(&mut self, prepared: &Prepared) -> Result<Bytes> {
        let response = self.begin(prepared).await?;
        Ok(response.into_body().collect().await.context("read an answer")?.to_bytes())
    }

    /// Drops the answer but for its end; says how long it was.
    pub async fn drain(&mut self, prepared: &Prepared, end: &mut Vec<u8>, keep: usize) -> Result<usize> {
        let mut body = self.begin(prepared).await?.into_body();
        let mut length = 0;
        end.clear();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.context("read an answer")?.into_data() else { continue };
            length += data.len();
            end.extend_from_slice(&data[data.len().saturating_sub(keep)..]);
            end.drain(..end.len().saturating_sub(keep));
        }
        ensure!(length > 0, "{} answered nothing", prepared.path);
        Ok(length)
    }
}
