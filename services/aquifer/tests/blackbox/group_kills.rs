//! Members of a group are killed, and their broker with them: nothing is lost, and nothing read twice without a death.

use std::time::Duration;

use aquifer_loadtest::chaos::{self, Chaos};
use aquifer_runtime::Runtime;

use crate::harness::{data_dir, programs, say};

/// `aquifer-loadtest chaos groups` does the same for ten minutes, and as long as one likes.
#[test]
fn members_and_their_broker_are_killed_and_every_record_is_read() {
    let directory = data_dir();
    let chaos = Chaos {
        lasts: Duration::from_secs(25),
        pause: Duration::from_secs(1),
        batches_per_second: 20.0,
        ..Chaos::default()
    };
    let reactor = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();

    let outcome = reactor.expect("a reactor").block_on(chaos::groups(
        &Runtime::real(),
        &programs(),
        directory.path().to_owned(),
        &chaos,
    ));

    let outcome = outcome.expect("the chaos ends");
    say(&outcome.to_string());
    assert!(outcome.violations.is_empty(), "{outcome}");
    assert!(outcome.members_killed > 0 && outcome.broker_killed > 0 && outcome.repeated > 0, "{outcome}");
}
