//! What clients can make the server hold is bounded.

use std::sync::atomic::Ordering;
use std::time::Duration;

use aquifer_net::Limits;

use super::support::{Client, ECHO, LATER, Started, pattern, start, until, within};
use tokio::net::TcpStream;

#[tokio::test]
async fn frames_too_large_or_negative_close_their_connection() {
    let started = start(Limits { frame_bytes_max: 1_000, ..Limits::default() });
    for length in [-1, i32::MIN, 1_001, i32::MAX] {
        let mut client = started.connect().await;
        client.send_raw(&length.to_be_bytes()).await;
        assert!(client.is_closed().await, "length {length}");
    }
    assert_eq!(started.metrics.frames_refused.value(), 4);
    let mut client = started.connect().await;
    client.send(ECHO, &pattern(999)).await;
    assert_eq!(client.receive().await, pattern(999));
}

#[tokio::test]
async fn connections_beyond_the_limits_are_closed_at_once() {
    let total = start(Limits { connections_max: 2, ..Limits::default() });
    let address = start(Limits { connections_per_address_max: 2, ..Limits::default() });
    for started in [total, address] {
        let mut open = [started.connect().await, started.connect().await];
        let mut refused = started.connect().await;

        assert!(refused.is_closed().await);
        assert_eq!(started.metrics.connections_refused.value(), 1);

        let [first, second] = &mut open;
        second.send(ECHO, b"still served").await;
        assert_eq!(second.receive().await, b"still served");
        let _ = first;
        drop(open);
        started.until_idle().await;
        let mut next = started.connect().await;
        next.send(ECHO, b"room again").await;
        assert_eq!(next.receive().await, b"room again");
    }
}

#[tokio::test]
async fn reading_pauses_at_the_limit_of_requests_in_flight() {
    let started = start(Limits { requests_in_flight_max: 3, ..Limits::default() });
    let mut client = started.connect().await;
    for number in 0..20u8 {
        client.send(LATER, &[number]).await;
    }
    until(|| started.service.calls.load(Ordering::SeqCst) == 3).await;
    started.service.released.give();

    for number in 0..20u8 {
        assert_eq!(client.receive().await, [number]);
    }
    assert_eq!(started.service.outstanding_max.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn reading_pauses_at_the_limit_of_bytes_in_flight_on_one_connection() {
    let limits = Limits { connection_in_flight_bytes_max: 250_000, ..Limits::default() };
    let started = start(limits);
    exhaust(&started, 1).await;

    assert_eq!(started.service.outstanding_max.load(Ordering::SeqCst), 3);
    assert!(started.service.in_flight_max.load(Ordering::SeqCst) < 250_000 + 100_002);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_pauses_at_the_limit_of_bytes_in_flight_in_all() {
    let started = start(Limits { in_flight_bytes_max: 350_000, ..Limits::default() });
    exhaust(&started, 4).await;

    assert_eq!(started.service.outstanding_max.load(Ordering::SeqCst), 3);
    assert!(started.service.in_flight_max.load(Ordering::SeqCst) <= 350_000);
}

/// Sends many large requests over some connections, and collects the replies once no more are taken.
async fn exhaust(started: &Started, connections: usize) {
    let runtime = aquifer_runtime::Runtime::real();
    let mut clients = Vec::new();
    for _ in 0..connections {
        let address = started.address;
        clients.push(runtime.spawn("client", async move {
            let (mut reader, mut writer) = TcpStream::connect(address).await.expect("connects").into_split();
            let sending = aquifer_runtime::Runtime::real().spawn("sender", async move {
                let frame = [&[LATER], pattern(100_000).as_slice()].concat();
                let length = i32::try_from(frame.len()).expect("small").to_be_bytes();
                for _ in 0..8 {
                    let bytes = [&length, frame.as_slice()].concat();
                    tokio::io::AsyncWriteExt::write_all(&mut writer, &bytes).await.expect("sends");
                }
                writer
            });
            for _ in 0..8 {
                let length = within(tokio::io::AsyncReadExt::read_i32(&mut reader)).await.expect("a reply");
                let mut reply = vec![0; usize::try_from(length).expect("not negative")];
                within(tokio::io::AsyncReadExt::read_exact(&mut reader, &mut reply)).await.expect("a reply");
                assert_eq!(reply, pattern(100_000));
            }
            assert!(sending.await.is_some());
        }));
    }
    until(|| started.service.calls.load(Ordering::SeqCst) == 3).await;
    started.service.released.give();
    for client in clients {
        assert!(client.await.is_some());
    }
}

#[tokio::test]
async fn a_frame_larger_than_the_whole_budget_is_still_taken() {
    let limits = Limits {
        in_flight_bytes_max: 50_000,
        connection_in_flight_bytes_max: 50_000,
        reply_bytes_max: 10,
        ..Limits::default()
    };
    let started = start(limits);
    let mut client = started.connect().await;

    for _ in 0..3 {
        client.send(ECHO, &pattern(300_000)).await;
        assert_eq!(client.receive().await, pattern(300_000));
    }
}

#[tokio::test]
async fn idle_connections_unfinished_frames_and_replies_nobody_takes_time_out() {
    let soon = Duration::from_millis(30);
    let idle = start(Limits { idle: soon, ..Limits::default() });
    let mut client = idle.connect().await;
    client.send(ECHO, b"busy").await;
    assert_eq!(client.receive().await, b"busy");
    assert!(client.is_closed().await);
    assert_eq!(idle.metrics.connections_timed_out.value(), 1);

    for part in [&[0, 0][..], &[0, 0, 0, 9, ECHO][..], &[&[0, 16, 0, 0][..], &pattern(50_000)].concat()] {
        let frame = start(Limits { frame: soon, ..Limits::default() });
        let mut client = frame.connect().await;
        client.send_raw(part).await;
        assert!(client.is_closed().await);
        assert_eq!(frame.metrics.connections_timed_out.value(), 1);
    }

    let write = start(Limits { write: soon, ..Limits::default() });
    let mut client = write.connect().await;
    client.send(ECHO, &pattern(30 << 20)).await;
    until(|| write.metrics.connections_timed_out.value() == 1).await;
}

#[tokio::test]
async fn a_parked_request_is_not_idle() {
    let started = start(Limits { idle: Duration::from_millis(1), ..Limits::default() });
    let mut client = started.connect().await;
    client.send(LATER, b"parked").await;
    // Others come and go by their idle timeout in the meantime.
    for _ in 0..5 {
        assert!(started.connect().await.is_closed().await);
    }
    started.service.released.give();

    assert_eq!(client.receive().await, b"parked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_claims_of_huge_frames_cost_little_memory() {
    const CLAIMS: u64 = 1_000;
    allow_descriptors(4_096);
    let started = start(Limits::default());
    let before = resident_bytes();
    let mut clients: Vec<Client<TcpStream>> = Vec::new();
    for _ in 0..CLAIMS {
        let mut client = started.connect().await;
        client.send_raw(&[&(100i32 << 20).to_be_bytes()[..], &[ECHO; 100]].concat()).await;
        clients.push(client);
    }
    until(|| started.metrics.received_bytes.value() == CLAIMS * 104).await;

    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "{CLAIMS} claims took {grown} bytes");
    let mut client = started.connect().await;
    client.send(ECHO, b"still served").await;
    assert_eq!(client.receive().await, b"still served");
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("has a size");
    line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("a number") * 1024
}

fn allow_descriptors(count: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a valid structure, and only raise this process's soft limit.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = limit.rlim_cur.max(count.min(limit.rlim_max));
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
}
