//! `Metrics`: what the HTTP port has done, for `/metrics`: by route and status, in bounds however clients behave.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use aquifer_runtime::{Monotonic, Runtime};
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// Upper ends of the histogram's buckets; requests that wait for records take up to a minute.
const BUCKETS_MS: [u64; 14] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 30_000, 60_000];
/// Of a path that nobody serves: clients choose those.
const NO_ROUTE: &str = "none";

/// Counts of one port. Clones are the same.
#[derive(Clone)]
pub(crate) struct Metrics {
    counts: Arc<Counts>,
}

struct Counts {
    runtime: Runtime,
    routes: RwLock<BTreeMap<Arc<str>, Arc<Route>>>,
    refusals: Mutex<BTreeMap<String, u64>>,
    under_way: AtomicI64,
    streams: AtomicI64,
    received: AtomicU64,
    sent: AtomicU64,
}

/// Of one route.
#[derive(Default)]
struct Route {
    by_status: Mutex<BTreeMap<u16, u64>>,
    buckets: [AtomicU64; BUCKETS_MS.len()],
    count: AtomicU64,
    microseconds: AtomicU64,
}

/// The code of a refusal, left in its answer for whoever counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefusedAs(pub(crate) &'static str);

/// A body whose bytes are counted as they pass.
pub(crate) struct Counted<B> {
    body: B,
    counts: Arc<Counts>,
    direction: Direction,
    is_stream: bool,
}

/// A request that is counted, from its head to that of its answer.
pub(crate) struct Counting {
    route: Arc<Route>,
    began: Monotonic,
    under_way: UnderWay,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    In,
    Out,
}

impl Metrics {
    pub(crate) fn new(runtime: &Runtime) -> Metrics {
        let counts = Counts {
            runtime: runtime.clone(),
            routes: RwLock::default(),
            refusals: Mutex::default(),
            under_way: AtomicI64::new(0),
            streams: AtomicI64::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        };
        Metrics { counts: Arc::new(counts) }
    }

    /// A request to this route is there.
    pub(crate) fn begin(&self, route: &str) -> Counting {
        let began = self.counts.runtime.now().monotonic;
        Counting { route: self.route(route), began, under_way: UnderWay::begin(&self.counts) }
    }

    /// In Prometheus's text format; `waiting` are those that a record would wake.
    pub(crate) fn text(&self, waiting: Option<usize>) -> String {
        let counts = &self.counts;
        let mut out = String::new();
        let plain = |out: &mut String, kind: &str, name: &str, help: &str, value: u64| {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        };
        let gauge = |value: &AtomicI64| u64::try_from(value.load(Ordering::Relaxed)).unwrap_or(0);
        let (received, sent) = (counts.received.load(Ordering::Relaxed), counts.sent.load(Ordering::Relaxed));
        plain(&mut out, "counter", "aquifer_http_received_bytes_total", "Bytes of request bodies.", received);
        plain(&mut out, "counter", "aquifer_http_sent_bytes_total", "Bytes of answers' bodies.", sent);
        let under_way = gauge(&counts.under_way);
        plain(&mut out, "gauge", "aquifer_http_requests_under_way", "Requests without an answer.", under_way);
        let streams = gauge(&counts.streams);
        plain(
            &mut out,
            "gauge",
            "aquifer_http_streams",
            "Answers that go on until somebody ends them.",
            streams,
        );
        if let Some(waiting) = waiting.and_then(|waiting| u64::try_from(waiting).ok()) {
            let help = "Polls and followers at the end of a partition.";
            plain(&mut out, "gauge", "aquifer_gateway_waiting", help, waiting);
        }
        self.routes_text(&mut out);
        let name = "aquifer_http_refusals_total";
        let _ = writeln!(out, "# HELP {name} Requests that were refused, by code.\n# TYPE {name} counter");
        for (code, count) in &*counts.refusals.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = writeln!(out, "{name}{{code=\"{code}\"}} {count}");
        }
        out
    }

    fn routes_text(&self, out: &mut String) {
        let routes = self.counts.routes.read().unwrap_or_else(PoisonError::into_inner);
        let name = "aquifer_http_requests_total";
        let _ = writeln!(out, "# HELP {name} Requests that were answered.\n# TYPE {name} counter");
        for (route, of) in &*routes {
            for (status, count) in &*of.by_status.lock().unwrap_or_else(PoisonError::into_inner) {
                let _ = writeln!(out, "{name}{{route=\"{route}\",status=\"{status}\"}} {count}");
            }
        }
        let name = "aquifer_http_request_seconds";
        let _ = writeln!(out, "# HELP {name} Until the head of the answer.\n# TYPE {name} histogram");
        for (route, of) in &*routes {
            let mut below = 0;
            for (bucket, end) in of.buckets.iter().zip(BUCKETS_MS) {
                below += bucket.load(Ordering::Relaxed);
                let end = Duration::from_millis(end).as_secs_f64();
                let _ = writeln!(out, "{name}_bucket{{route=\"{route}\",le=\"{end}\"}} {below}");
            }
            let count = of.count.load(Ordering::Relaxed);
            let sum = Duration::from_micros(of.microseconds.load(Ordering::Relaxed)).as_secs_f64();
            let _ = writeln!(out, "{name}_bucket{{route=\"{route}\",le=\"+Inf\"}} {count}");
            let _ = writeln!(
                out,
                "{name}_sum{{route=\"{route}\"}} {sum}\n{name}_count{{route=\"{route}\"}} {count}"
            );
        }
    }

    fn route(&self, path: &str) -> Arc<Route> {
        let routes = &self.counts.routes;
        if let Some(known) = routes.read().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Arc::clone(known);
        }
        let mut routes = routes.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(routes.entry(Arc::from(path)).or_default())
    }
}

impl Route {
    fn answered(&self, status: u16, took: Duration) {
        *self.by_status.lock().unwrap_or_else(PoisonError::into_inner).entry(status).or_default() += 1;
        let within = BUCKETS_MS.iter().position(|end| took <= Duration::from_millis(*end));
        if let Some(bucket) = within.and_then(|index| self.buckets.get(index)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }
}

/// Counts a request, its answer and the bytes of both.
pub(crate) async fn count(metrics: &Metrics, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let counting = metrics.begin(path.unwrap_or(NO_ROUTE));
    // Of an empty body nothing would be counted.
    let request =
        request.map(|body| if body.is_end_stream() { body } else { Body::new(counting.received(body)) });
    counting.end(next.run(request).await)
}

impl Counting {
    /// The request's body, counted as it comes.
    pub(crate) fn received<B>(&self, body: B) -> Counted<B> {
        let counts = Arc::clone(&self.under_way.0);
        Counted { body, counts, direction: Direction::In, is_stream: false }
    }

    pub(crate) fn end(self, response: Response) -> Response {
        let counts = &self.under_way.0;
        self.route.answered(response.status().as_u16(), counts.runtime.now().monotonic.since(self.began));
        if let Some(RefusedAs(code)) = response.extensions().get() {
            let mut refusals = counts.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            *refusals.entry((*code).to_owned()).or_default() += 1;
        }
        response.map(|body| {
            if body.is_end_stream() {
                return body;
            }
            let is_stream = body.size_hint().exact().is_none();
            if is_stream {
                counts.streams.fetch_add(1, Ordering::Relaxed);
            }
            Body::new(Counted { body, counts: Arc::clone(counts), direction: Direction::Out, is_stream })
        })
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            let total = match self.direction {
                Direction::In => &self.counts.received,
                Direction::Out => &self.counts.sent,
            };
            total.fetch_add(data.len() as u64, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Counted<B> {
    fn drop(&mut self) {
        if self.is_stream {
            self.counts.streams.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A request whose client may leave before its answer.
struct UnderWay(Arc<Counts>);

impl UnderWay {
    fn begin(counts: &Arc<Counts>) -> UnderWay {
        counts.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(counts))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "metrics_test.rs"]
mod tests;
