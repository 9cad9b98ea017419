//! `Board`: who waits on which partition from which offset. Decides, and does nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use aquifer_client::{Fetched, Place};
use aquifer_types::{NodeId, Offset};
use tokio::sync::Notify;

/// What woke a waiter.
#[derive(Clone, Debug)]
pub(crate) enum Arrival {
    /// Records of the partition that it waited on, the first it had named as `index`.
    Records { index: usize, fetched: Arc<Fetched> },
    /// Something changed that only a look of its own can tell.
    Look,
}

/// Where a waiter sleeps.
#[derive(Debug, Default)]
pub(crate) struct Bed {
    arrival: Mutex<Option<Arrival>>,
    woken: Notify,
}

#[derive(Debug)]
struct Waiter {
    offset: Offset,
    index: usize,
    bed: Arc<Bed>,
}

#[derive(Debug)]
struct Watched {
    node: NodeId,
    /// Where the fetch begins that is under way for it, if one is.
    fetched_from: Option<Offset>,
    waiters: BTreeMap<u64, Waiter>,
}

/// Every partition somebody waits on.
#[derive(Debug, Default)]
pub(crate) struct Board {
    places: BTreeMap<Place, Watched>,
    /// Those of a broker that no fetch asks for.
    pending: BTreeMap<NodeId, BTreeSet<Place>>,
    last: u64,
}

impl Bed {
    pub(crate) async fn sleep(&self) -> Arrival {
        loop {
            let woken = self.woken.notified();
            let arrival = self.arrival.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(arrival) = arrival {
                return arrival;
            }
            woken.await;
        }
    }

    fn wake(&self, arrival: Arrival) {
        let mut slot = self.arrival.lock().unwrap_or_else(PoisonError::into_inner);
        // The first says enough: whoever wakes looks at everything else itself.
        if slot.is_none() {
            *slot = Some(arrival);
        }
        drop(slot);
        self.woken.notify_one();
    }
}

impl Board {
    /// Waits for records of a partition from `offset` on. The number takes it back.
    pub(crate) fn wait(
        &mut self,
        place: &Place,
        node: NodeId,
        offset: Offset,
        index: usize,
        bed: &Arc<Bed>,
    ) -> u64 {
        self.last += 1;
        let waiter = Waiter { offset, index, bed: Arc::clone(bed) };
        let fresh = Watched { node, fetched_from: None, waiters: BTreeMap::new() };
        let watched = self.places.entry(place.clone()).or_insert(fresh);
        // A new leader is asked from its next fetch on; the old one's answer sends everybody to look.
        if watched.fetched_from.is_none() {
            if watched.node != node
                && let Some(pending) = self.pending.get_mut(&watched.node)
            {
                pending.remove(place);
            }
            watched.node = node;
            self.pending.entry(node).or_default().insert(place.clone());
        }
        // What came before that fetch, it will not tell of.
        if watched.fetched_from.is_some_and(|from| offset < from) {
            bed.wake(Arrival::Look);
        }
        watched.waiters.insert(self.last, waiter);
        self.last
    }

    /// How many wait, and on how many partitions each.
    pub(crate) fn waiting(&self) -> usize {
        self.places.values().map(|watched| watched.waiters.len()).sum()
    }

    /// Somebody no longer waits.
    pub(crate) fn leave(&mut self, place: &Place, number: u64) {
        let Some(watched) = self.places.get_mut(place) else { return };
        watched.waiters.remove(&number);
        if watched.waiters.is_empty() && watched.fetched_from.is_none() {
            if let Some(pending) = self.pending.get_mut(&watched.node) {
                pending.remove(place);
            }
            self.places.remove(place);
        }
    }

    /// Takes what a broker is to be asked for, each with the first offset that somebody wants.
    pub(crate) fn take(&mut self, node: NodeId) -> Vec<(Place, Offset)> {
        let pending = self.pending.remove(&node).unwrap_or_default();
        let mut taken = Vec::with_capacity(pending.len());
        for place in pending {
            let Some(watched) = self.places.get_mut(&place) else { continue };
            let Some(first) = watched.waiters.values().map(|waiter| waiter.offset).min() else {
                self.places.remove(&place);
                continue;
            };
            watched.fetched_from = Some(first);
            taken.push((place, first));
        }
        taken
    }

    /// Whether a broker is to be asked for something.
    pub(crate) fn has_pending(&self, node: NodeId) -> bool {
        self.pending.get(&node).is_some_and(|places| !places.is_empty())
    }

    /// A fetch is over. Records wake those who want some of them; a failure, which is none, wakes everybody.
    pub(crate) fn answered(&mut self, place: &Place, outcome: Option<Arc<Fetched>>) {
        let Some(watched) = self.places.get_mut(place) else { return };
        watched.fetched_from = None;
        match outcome {
            Some(fetched) => {
                if let Some(end) = fetched.end() {
                    watched.waiters.retain(|_, waiter| {
                        let stays = waiter.offset >= end;
                        if !stays {
                            let fetched = Arc::clone(&fetched);
                            waiter.bed.wake(Arrival::Records { index: waiter.index, fetched });
                        }
                        stays
                    });
                }
            }
            None => {
                for waiter in watched.waiters.values() {
                    waiter.bed.wake(Arrival::Look);
                }
                watched.waiters.clear();
            }
        }
        if watched.waiters.is_empty() {
            self.places.remove(place);
        } else {
            self.pending.entry(watched.node).or_default().insert(place.clone());
        }
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.places.is_empty() && self.pending.values().all(BTreeSet::is_empty)
    }
}

#[cfg(test)]
mod board_test {
    use aquifer_record::{BatchBuilder, Encoding, NewRecord};
    use aquifer_types::{PartitionIndex, TimestampMs};
    use aquifer_wire::Text;

    use super::*;

    const NODE: NodeId = NodeId(1);

    fn place(partition: i32) -> Place {
        (Text::from_static("t"), PartitionIndex(partition))
    }

    fn one_record_at(offset: i64) -> Arc<Fetched> {
        let mut builder = BatchBuilder::new(Encoding::NONE);
        builder.base_offset(Offset(offset));
        let record = NewRecord { timestamp: TimestampMs(1), key: None, value: Some(b"v"), headers: &[] };
        builder.push(&record).expect("fits");
        let records = builder.build().expect("builds").into();
        let (end, start) = (Offset(offset + 1), Offset(0));
        Arc::new(Fetched {
            records,
            high_watermark: end,
            last_stable_offset: end,
            log_start: start,
            aborted: Vec::new(),
        })
    }

    fn arrived(bed: &Bed) -> bool {
        bed.arrival.lock().expect("whole").is_some()
    }

    #[test]
    fn records_wake_those_who_want_them_and_the_others_are_fetched_for_again() {
        let mut board = Board::default();
        let (near, far) = (Arc::new(Bed::default()), Arc::new(Bed::default()));
        board.wait(&place(0), NODE, Offset(5), 0, &near);
        board.wait(&place(0), NODE, Offset(9), 0, &far);
        assert_eq!(board.take(NODE), [(place(0), Offset(5))]);
        assert!(!board.has_pending(NODE), "under way");
        board.answered(&place(0), Some(one_record_at(5)));
        assert!(arrived(&near) && !arrived(&far));
        assert_eq!(board.take(NODE), [(place(0), Offset(9))]);
    }

    #[test]
    fn who_comes_late_is_sent_to_look_for_what_came_before_the_fetch_under_way() {
        let mut board = Board::default();
        let (fast, slow, level) =
            (Arc::new(Bed::default()), Arc::new(Bed::default()), Arc::new(Bed::default()));
        board.wait(&place(0), NODE, Offset(6), 0, &fast);
        assert_eq!(board.take(NODE), [(place(0), Offset(6))]);
        board.wait(&place(0), NODE, Offset(5), 0, &slow);
        board.wait(&place(0), NODE, Offset(6), 0, &level);
        assert!(arrived(&slow) && !arrived(&fast) && !arrived(&level));
    }

    #[test]
    fn a_failure_sends_everybody_to_look_and_nothing_is_left() {
        let mut board = Board::default();
        let bed = Arc::new(Bed::default());
        board.wait(&place(0), NODE, Offset(5), 0, &bed);
        assert_eq!(board.take(NODE).len(), 1);
        board.answered(&place(0), None);
        assert!(arrived(&bed) && board.is_empty());
    }

    #[test]
    fn who_leaves_leaves_nothing_behind_also_during_a_fetch() {
        let mut board = Board::default();
        let bed = Arc::new(Bed::default());
        let number = board.wait(&place(0), NODE, Offset(5), 0, &bed);
        board.leave(&place(0), number);
        assert!(board.is_empty() && board.take(NODE).is_empty());
        let number = board.wait(&place(0), NODE, Offset(5), 0, &bed);
        assert_eq!(board.take(NODE).len(), 1);
        board.leave(&place(0), number);
        board.answered(&place(0), Some(one_record_at(5)));
        assert!(board.is_empty() && !arrived(&bed));
    }

    #[test]
    fn a_partition_whose_leader_moved_is_asked_of_the_new_one_only() {
        let mut board = Board::default();
        let bed = Arc::new(Bed::default());
        board.wait(&place(0), NODE, Offset(5), 0, &bed);
        board.wait(&place(0), NodeId(2), Offset(5), 0, &bed);
        assert!(!board.has_pending(NODE) && board.take(NODE).is_empty());
        assert_eq!(board.take(NodeId(2)).len(), 1);
    }
}
