//! A broker and the server that it tiers into are killed under load: everything acknowledged is read, from local disk and from there.

use std::time::Duration;

use aquifer_loadtest::chaos::{self, TierChaos};
use aquifer_loadtest::server::Programs;
use aquifer_runtime::Runtime;

use crate::harness::{data_dir, programs, say};
use crate::install::installed;

/// `aquifer-loadtest chaos tier` does the same for ten minutes, and as long as one likes.
#[test]
fn a_broker_and_its_store_are_killed_and_every_record_is_read() {
    let Some(minio) = installed("minio", &["go"]) else { return };
    let directory = data_dir();
    let programs = Programs { minio: Some(minio.join("minio")), ..programs() };
    let chaos = TierChaos {
        lasts: Duration::from_secs(25),
        pause: Duration::from_secs(2),
        batches_per_second: 50.0,
        ..TierChaos::default()
    };
    let reactor = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();

    let outcome = reactor.expect("a reactor").block_on(chaos::tier(
        &Runtime::real(),
        &programs,
        directory.path().to_owned(),
        &chaos,
    ));

    let outcome = outcome.expect("the chaos ends");
    say(&outcome.to_string());
    assert!(outcome.violations.is_empty(), "{outcome}");
    assert!(outcome.broker_killed > 0 && outcome.store_killed > 0 && outcome.objects > 0, "{outcome}");
}
