//! What the port counts, seen through a router of its own.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::StreamExt as _;
use futures_util::stream::{iter, pending};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;
use crate::problem::Refused;

fn port() -> (Metrics, Router) {
    let metrics = Metrics::new(&Runtime::real());
    let router = Router::new()
        .route("/echo/{name}", post(|body: Bytes| async move { body }))
        .route(
            "/refused",
            get(|| async { Refused::new(aquifer_gateway::Code::UnknownTopic, "it is not there") }),
        )
        .route("/stream", get(stream))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(from_fn_with_state(metrics.clone(), counting));
    (metrics, router)
}

async fn counting(State(metrics): State<Metrics>, request: Request<Body>, next: Next) -> Response {
    count(&metrics, request, next).await
}

/// Four bytes, and then nothing for ever.
async fn stream() -> Response {
    let first = iter([Ok::<_, Infallible>(Bytes::from_static(b"more"))]);
    Body::from_stream(first.chain(pending())).into_response()
}

async fn ask(router: &Router, method: &str, path: &str, body: &'static str) -> Response {
    let request = Request::builder().method(method).uri(path).body(Body::from(body)).expect("a request");
    router.clone().oneshot(request).await.expect("an answer")
}

#[tokio::test]
async fn requests_are_counted_by_route_status_and_code_and_bodies_by_their_bytes() {
    let (metrics, router) = port();

    for name in ["a", "b"] {
        let answer = ask(&router, "POST", &format!("/echo/{name}"), "12345").await;
        assert_eq!(answer.body().size_hint().exact(), Some(5), "a length that is known stays so");
        answer.into_body().collect().await.expect("whole");
    }
    ask(&router, "GET", "/refused", "").await;
    ask(&router, "GET", "/nowhere", "").await;

    let text = metrics.text(Some(3));
    for line in [
        "aquifer_http_received_bytes_total 10",
        "aquifer_http_sent_bytes_total 10",
        "aquifer_http_requests_under_way 0",
        "aquifer_gateway_waiting 3",
        "aquifer_http_requests_total{route=\"/echo/{name}\",status=\"200\"} 2",
        "aquifer_http_requests_total{route=\"/refused\",status=\"404\"} 1",
        "aquifer_http_requests_total{route=\"none\",status=\"404\"} 1",
        "aquifer_http_request_seconds_bucket{route=\"/echo/{name}\",le=\"60\"} 2",
        "aquifer_http_request_seconds_count{route=\"/echo/{name}\"} 2",
        "aquifer_http_refusals_total{code=\"unknown_topic\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn an_answer_without_an_end_is_a_stream_until_its_client_leaves() {
    let (metrics, router) = port();
    let streams = |count: u32| metrics.text(None).contains(&format!("\naquifer_http_streams {count}\n"));

    let mut answer = ask(&router, "GET", "/stream", "").await.into_body();
    answer.frame().await.expect("more").expect("bytes");
    assert!(streams(1));
    drop(answer);

    assert!(streams(0));
    assert!(metrics.text(None).contains("aquifer_http_sent_bytes_total 4\n"));
}
