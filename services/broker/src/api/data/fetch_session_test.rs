//! Sessions are given to as many clients as there is room for, and taken from those that do not use theirs.

use std::time::Duration;

use aquifer_runtime::Monotonic;
use aquifer_wire::messages::FetchRequest;
use aquifer_wire::messages::fetch_request::{FetchPartition, FetchTopic};

use super::{FetchSessions, SessionUse};

fn at(seconds: u64) -> Monotonic {
    Monotonic::default().plus(Duration::from_secs(seconds))
}

fn fetch(session_id: i32, session_epoch: i32) -> FetchRequest {
    let partition = FetchPartition { partition: 0, ..FetchPartition::default() };
    let topic = FetchTopic { partitions: vec![partition], ..FetchTopic::default() };
    FetchRequest { session_id, session_epoch, topics: vec![topic], ..FetchRequest::default() }
}

fn begin(sessions: &FetchSessions, seconds: u64) -> Option<i32> {
    match sessions.open(&fetch(0, 0), true, at(seconds)).unwrap().usage {
        SessionUse::New(id) => Some(id),
        SessionUse::None => None,
        SessionUse::Continued(id) => panic!("{id} was not asked for"),
    }
}

#[test]
fn a_full_table_gives_up_what_was_not_used_for_long_and_nothing_else() {
    let sessions = FetchSessions::new(2);
    let (first, second) = (begin(&sessions, 0).unwrap(), begin(&sessions, 1).unwrap());
    let go_on = |id, epoch, seconds| sessions.open(&fetch(id, epoch), true, at(seconds)).is_ok();

    assert_eq!(begin(&sessions, 60), None, "both are in use");
    assert!(go_on(first, 1, 100));
    assert_eq!(begin(&sessions, 121), None, "the second was used 120 seconds ago, not longer");
    let third = begin(&sessions, 122).unwrap();
    assert!(!go_on(second, 1, 122));
    assert_eq!(begin(&sessions, 219), None);
    assert!(go_on(third, 1, 219));
    assert!(begin(&sessions, 221).is_some(), "the first was used last at 100");
    assert!(!go_on(first, 2, 221));
    assert!(go_on(third, 2, 221));
}
