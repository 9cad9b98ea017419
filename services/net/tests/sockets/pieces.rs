//! However a client cuts what it sends, the same frames arrive.

use std::sync::Arc;

use aquifer_net::{Advertised, Limits, Listener};
use proptest::prelude::*;
use tokio::io::{AsyncWriteExt, BufWriter};

use super::support::{Client, ECHO, pattern, start};

fn listener() -> Arc<Listener> {
    Arc::new(Listener {
        name: "elsewhere".to_owned(),
        bind: "127.0.0.1:0".parse().expect("an address"),
        advertised: Advertised { host: "localhost".to_owned(), port: 0 },
        tls: None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn frames_survive_any_cuts(
        sizes in prop::collection::vec(prop_oneof![0..50usize, 8_100..8_300usize, 65_400..65_600usize, 0..200_000usize], 1..12),
        pieces in prop::collection::vec(prop_oneof![1..6usize, 1..20_000usize], 1..20),
        pipe in 1..100_000usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let started = start(Limits { requests_in_flight_max: 3, ..Limits::default() });
            let (ours, theirs) = tokio::io::duplex(pipe);
            assert!(started.server.take(theirs, started.address, listener()));
            let (reader, mut writer) = tokio::io::split(ours);
            let payloads: Vec<Vec<u8>> = sizes.iter().map(|&size| pattern(size)).collect();
            let mut sent = Vec::new();
            for payload in &payloads {
                sent.extend_from_slice(&i32::try_from(payload.len() + 1).expect("small").to_be_bytes());
                sent.push(ECHO);
                sent.extend_from_slice(payload);
            }
            let sending = aquifer_runtime::Runtime::real().spawn("client", async move {
                let mut pieces = pieces.into_iter().cycle();
                let mut rest = sent.as_slice();
                while !rest.is_empty() {
                    let (piece, after) = rest.split_at(pieces.next().expect("for ever").min(rest.len()));
                    writer.write_all(piece).await.expect("sends");
                    rest = after;
                }
                writer
            });
            let mut client = Client(tokio::io::join(reader, tokio::io::sink()));
            for payload in payloads {
                assert_eq!(client.receive().await, payload);
            }
            drop((client, sending.await));
            started.until_idle().await;
        });
    }
}

#[tokio::test]
async fn what_a_stream_keeps_to_itself_leaves_as_soon_as_there_is_room() {
    let started = start(Limits::default());
    // As TLS does: it takes a whole reply, and hands on what fits.
    let (ours, theirs) = tokio::io::duplex(16);
    let hoarding = BufWriter::with_capacity(1 << 20, theirs);
    assert!(started.server.take(hoarding, started.address, listener()));
    let mut client = Client(ours);

    for bytes in [1, 1_000, 100_000] {
        client.send(ECHO, &pattern(bytes)).await;
        assert_eq!(client.receive().await, pattern(bytes));
    }
}
