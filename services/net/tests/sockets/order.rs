//! Replies leave in the order of their requests, whole, whatever their sizes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use aquifer_net::Limits;
use tokio::net::TcpStream;

use super::support::{CLOSE, ECHO, LATER, SILENT, pattern, start, until, within};

#[tokio::test]
async fn frames_of_every_size_come_back_whole() {
    let started = start(Limits::default());
    let mut client = started.connect().await;

    for bytes in [0, 1, 8_187, 8_188, 8_189, 65_530, 65_531, 65_532, 65_533, 200_000, 3 << 20] {
        let payload = pattern(bytes);
        client.send(ECHO, &payload).await;
        assert_eq!(client.receive().await, payload, "{bytes} bytes");
    }

    drop(client);
    started.until_idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_in_flight_are_answered_in_order() {
    let started = start(Limits { requests_in_flight_max: 16, ..Limits::default() });
    let client = started.connect().await;
    let (mut reader, mut writer) = client.0.into_split();
    let sizes: Vec<usize> = (0..400).map(|number| (number * 7_919) % 90_000).collect();
    let payloads: Vec<Vec<u8>> = sizes.iter().map(|&size| pattern(size)).collect();

    let sent = payloads.clone();
    let sending = aquifer_runtime::Runtime::real().spawn("client", async move {
        for payload in sent {
            let frame = [&[ECHO], payload.as_slice()].concat();
            let length = i32::try_from(frame.len()).expect("small").to_be_bytes();
            tokio::io::AsyncWriteExt::write_all(&mut writer, &[&length, frame.as_slice()].concat())
                .await
                .expect("sends");
        }
        writer
    });
    for payload in payloads {
        let length = within(tokio::io::AsyncReadExt::read_i32(&mut reader)).await.expect("a reply");
        let mut reply = vec![0; usize::try_from(length).expect("not negative")];
        within(tokio::io::AsyncReadExt::read_exact(&mut reader, &mut reply)).await.expect("a reply");
        assert_eq!(reply, payload);
    }
    assert!(sending.await.is_some());
}

#[tokio::test]
async fn a_parked_request_holds_back_the_replies_behind_it() {
    let started = start(Limits::default());
    let mut client = started.connect().await;

    client.send(LATER, b"first").await;
    client.send(SILENT, b"").await;
    client.send(ECHO, b"second").await;
    until(|| started.service.calls.load(Ordering::SeqCst) == 3).await;
    assert_eq!(started.metrics.sent_bytes.value(), 0);
    started.service.released.give();

    assert_eq!(client.receive().await, b"first");
    assert_eq!(client.receive().await, b"second");
}

#[tokio::test]
async fn a_refused_request_closes_after_the_replies_before_it() {
    let started = start(Limits::default());
    let mut client = started.connect().await;

    client.send(LATER, b"first").await;
    client.send(CLOSE, b"").await;
    client.send(ECHO, b"never").await;
    until(|| started.service.calls.load(Ordering::SeqCst) == 2).await;
    started.service.released.give();

    assert_eq!(client.receive().await, b"first");
    assert!(client.is_closed().await);
    assert_eq!(started.service.calls.load(Ordering::SeqCst), 2);
    assert_eq!(started.metrics.requests_refused.value(), 1);
    started.until_idle().await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_leaves_nothing_behind() {
    let started = start(Limits::default());
    let mut parked = started.connect().await;
    parked.send(LATER, &pattern(100_000)).await;
    let mut torn = started.connect().await;
    torn.send_raw(&[0, 1, 0, 0, ECHO]).await;
    let mut large = started.connect().await;
    large.send_raw(&[&[0, 100, 0, 0][..], &pattern(90_000)].concat()).await;
    until(|| started.service.calls.load(Ordering::SeqCst) == 1).await;

    drop((parked, torn, large));

    started.until_idle().await;
}

#[tokio::test]
async fn shutting_down_answers_what_is_in_flight_and_takes_nothing_more() {
    let started = start(Limits::default());
    let mut client = started.connect().await;
    client.send(LATER, b"in flight").await;
    until(|| started.service.calls.load(Ordering::SeqCst) == 1).await;

    let (address, service) = (started.address, started.service.clone());
    let down =
        aquifer_runtime::Runtime::real().spawn("shutdown", started.server.shutdown(Duration::from_secs(60)));
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    service.released.give();

    assert_eq!(client.receive().await, b"in flight");
    assert!(client.is_closed().await);
    assert!(down.await.is_some());
}

#[tokio::test]
async fn shutting_down_does_not_wait_for_ever() {
    let started = start(Limits::default());
    let mut client = started.connect().await;
    client.send(LATER, b"never answered").await;
    until(|| started.service.calls.load(Ordering::SeqCst) == 1).await;

    within(started.server.shutdown(Duration::from_millis(1))).await;

    assert!(client.is_closed().await);
    assert_eq!(started.metrics.connections.value(), 0);
}
