//! `Front`: takes requests from connections, counts and labels them, and hands them to the router, or past it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aquifer_gateway::Code;
use aquifer_runtime::{Runtime, Shutdown};
use axum::Router;
use axum::extract::{Request as Routed, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use tower::ServiceExt as _;

use crate::caller::Caller;
use crate::door::{Door, Ops};
use crate::metrics::{Metrics, count};
use crate::problem::Refused;
use crate::{confluent, ops, stream, v1};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_BYTES_MAX: usize = 128;
const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"aquifer\", charset=\"UTF-8\"");
const RECORDS: (&str, &str) = ("/v1/topics/", "/records");

/// Everything that is served. Clones are the same.
#[derive(Clone)]
pub(crate) struct Front {
    shared: Arc<Shared>,
}

struct Shared {
    router: Router,
    door: Option<Door>,
    labels: Labels,
}

/// What answers are labelled by, and counted in.
#[derive(Clone)]
pub(crate) struct Labels {
    metrics: Metrics,
    /// Drawn once: the system's randomness costs more than some requests.
    name: u32,
    requests: Arc<AtomicU32>,
    draining: Shutdown,
    /// Whether who is not known may also come with a user and a password.
    takes_passwords: bool,
}

/// What one answer is labelled with.
struct Label {
    id: Option<HeaderValue>,
    is_http1: bool,
}

impl Front {
    /// What the process says of itself, and the gateway where there is one, with `beside`.
    pub(crate) fn new(ops: &Ops, labels: Labels, gateway: Option<(Door, Router)>) -> Front {
        let metrics = labels.metrics.clone();
        let door = gateway.as_ref().map(|(door, _)| door.clone());
        let counted = door.as_ref().map(|door| door.gateway.clone());
        let own = ops::routes(metrics.clone(), counted).with_state(ops.clone());
        let all = match gateway {
            None => own,
            Some((door, beside)) => {
                let own_api = v1::routes().merge(stream::routes());
                own.merge(own_api.merge(confluent::routes()).with_state(door)).merge(beside)
            }
        };
        let router = all
            .fallback(|| async { Refused::new(Code::UnknownRoute, "nothing is served at this path") })
            .method_not_allowed_fallback(|| async {
                Refused::new(Code::MethodNotAllowed, "the path does not take this method")
            })
            .layer(from_fn_with_state(labels.clone(), label));
        Front { shared: Arc::new(Shared { router, door, labels }) }
    }
}

impl Service<Request<Incoming>> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let topic = brings_records_to(&request).map(str::to_owned);
        if let Some(topic) = topic
            && let Some(door) = &self.shared.door
        {
            let (door, labels) = (door.clone(), self.shared.labels.clone());
            return Box::pin(async move { Ok(append(&door, &labels, &topic, request).await) });
        }
        Box::pin(self.shared.router.clone().oneshot(request))
    }
}

/// The topic that a request brings records to. Such a request goes past the router: that would cost more than all that
/// is done with one record. Whatever has a name or a path out of the ordinary is for the router.
fn brings_records_to(request: &Request<Incoming>) -> Option<&str> {
    if request.method() != Method::POST || request.uri().query().is_some() {
        return None;
    }
    let topic = request.uri().path().strip_prefix(RECORDS.0)?.strip_suffix(RECORDS.1)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (!topic.is_empty() && topic.bytes().all(is_plain)).then_some(topic)
}

async fn append(door: &Door, labels: &Labels, topic: &str, request: Request<Incoming>) -> Response {
    let counting = labels.metrics.begin(v1::RECORDS_ROUTE);
    let (parts, body) = request.into_parts();
    let label = labels.draw(&parts.headers, parts.version);
    let body = counting.received(body);
    let appended = match Caller::of(door, &parts.headers).await {
        Ok(caller) => v1::append_records(&caller, topic, &parts.headers, body).await,
        Err(refused) => Err(refused),
    };
    let mut response = counting.end(appended.unwrap_or_else(Refused::into_response));
    labels.put(label, response.headers_mut());
    response
}

/// Counts the request, names it in its answer, and has connections end while the node drains.
async fn label(State(labels): State<Labels>, request: Routed, next: Next) -> Response {
    let label = labels.draw(request.headers(), request.version());
    let mut response = count(&labels.metrics, request, next).await;
    labels.put(label, response.headers_mut());
    response
}

impl Labels {
    pub(crate) fn new(ops: &Ops, runtime: &Runtime, takes_passwords: bool) -> Labels {
        let name = (runtime.random_u64() >> 32) as u32;
        let (metrics, draining) = (Metrics::new(runtime), ops.draining.clone());
        Labels { metrics, name, requests: Arc::default(), draining, takes_passwords }
    }

    /// The request's own id, or a new one.
    fn draw(&self, headers: &HeaderMap, version: Version) -> Label {
        let told = headers.get(REQUEST_ID).filter(|id| id.len() <= REQUEST_ID_BYTES_MAX).cloned();
        let id = told.or_else(|| {
            let number = self.requests.fetch_add(1, Ordering::Relaxed);
            HeaderValue::try_from(format!("{:08x}{number:08x}", self.name)).ok()
        });
        Label { id, is_http1: version <= Version::HTTP_11 }
    }

    fn put(&self, label: Label, headers: &mut HeaderMap) {
        if let Some(id) = label.id {
            headers.insert(REQUEST_ID, id);
        }
        if self.takes_passwords && headers.contains_key(header::WWW_AUTHENTICATE) {
            headers.append(header::WWW_AUTHENTICATE, BASIC);
        }
        if label.is_http1 && self.draining.is_given() && !headers.contains_key(header::UPGRADE) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}
