//! `Desk`: whose part is fetched next and how many requests are under way: readers take turns, and a store that asks for fewer
//! requests gets fewer.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use aquifer_manifest::CHUNK_BYTES;
use aquifer_runtime::Monotonic;

/// What a reader may take at each turn: one part at least.
const QUANTUM: u64 = CHUNK_BYTES as u64;
/// However often the store asks for fewer requests, the number is halved once in this time.
const EASE_INTERVAL: Duration = Duration::from_secs(1);

/// Parts that somebody waits for, by reader, and the requests under way.
#[derive(Debug)]
pub(crate) struct Desk<T> {
    queues: BTreeMap<u64, Queue<T>>,
    /// Readers with something in their queue; the first one's turn it is.
    turns: VecDeque<u64>,
    under_way: usize,
    requests_max: usize,
    /// At most `requests_max`; fewer after the store asked for fewer.
    allowed: usize,
    /// Requests that went well since `allowed` last changed.
    went_well: usize,
    eased: Option<Monotonic>,
}

#[derive(Debug)]
struct Queue<T> {
    waiting: VecDeque<(u64, T)>,
    /// What is left of what its turns gave it.
    credit: u64,
}

impl<T> Desk<T> {
    pub(crate) fn new(requests_max: usize) -> Desk<T> {
        let requests_max = requests_max.max(1);
        Desk {
            queues: BTreeMap::new(),
            turns: VecDeque::new(),
            under_way: 0,
            requests_max,
            allowed: requests_max,
            went_well: 0,
            eased: None,
        }
    }

    /// The reader waits for a part of this size.
    pub(crate) fn ask(&mut self, reader: u64, bytes: u64, part: T) {
        let queue = self.queues.entry(reader).or_insert_with(|| {
            self.turns.push_back(reader);
            Queue { waiting: VecDeque::new(), credit: 0 }
        });
        queue.waiting.push_back((bytes, part));
    }

    /// The part whose request begins now; nothing while enough are under way, or it does not fit anywhere. Whoever comes later waits
    /// for it then, however small: a part that is passed by would never fit.
    pub(crate) fn next(&mut self, fits: impl FnOnce(u64) -> bool) -> Option<T> {
        if self.under_way >= self.allowed {
            return None;
        }
        let reader = self.whose_turn()?;
        let queue = self.queues.get_mut(&reader)?;
        let (bytes, _) = queue.waiting.front()?;
        if !fits(*bytes) {
            return None;
        }
        let (bytes, part) = queue.waiting.pop_front()?;
        queue.credit = queue.credit.saturating_sub(bytes);
        if queue.waiting.is_empty() {
            // Who has nothing to ask for saves nothing up.
            self.queues.remove(&reader);
            self.turns.pop_front();
        }
        self.under_way += 1;
        Some(part)
    }

    /// The first reader whose credit pays for what it waits for longest.
    fn whose_turn(&mut self) -> Option<u64> {
        loop {
            let reader = *self.turns.front()?;
            let queue = self.queues.get_mut(&reader)?;
            let (bytes, _) = queue.waiting.front()?;
            if *bytes <= queue.credit {
                return Some(reader);
            }
            queue.credit += QUANTUM;
            self.turns.rotate_left(1);
        }
    }

    /// Takes a request for what nobody waits for yet; `false` if those that somebody will wait for would not find one free.
    pub(crate) fn begin_ahead(&mut self) -> bool {
        let may = self.turns.is_empty() && self.under_way < (self.allowed * 3 / 4).max(1);
        self.under_way += usize::from(may);
        may
    }

    /// A request came to its end.
    pub(crate) fn ended(&mut self, now: Monotonic, is_throttled: bool) {
        self.under_way -= 1;
        if is_throttled {
            if self.eased.is_none_or(|eased| now.since(eased) >= EASE_INTERVAL) {
                self.allowed = (self.allowed / 2).max(1);
                self.eased = Some(now);
            }
            self.went_well = 0;
            return;
        }
        self.went_well += 1;
        if self.went_well >= self.allowed && self.allowed < self.requests_max {
            self.allowed += 1;
            self.went_well = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(milliseconds: u64) -> Monotonic {
        Monotonic(Duration::from_millis(milliseconds))
    }

    /// Begins and ends what comes next.
    fn serve<T>(desk: &mut Desk<T>) -> Option<T> {
        let part = desk.next(|_| true)?;
        desk.ended(at(0), false);
        Some(part)
    }

    #[test]
    fn one_who_wants_little_does_not_wait_for_one_who_wants_much() {
        let mut desk = Desk::new(1);
        for part in 0..10_000 {
            desk.ask(1, QUANTUM, (1, part));
        }
        assert_eq!(serve(&mut desk), Some((1, 0)));

        desk.ask(2, QUANTUM, (2, 0));

        let next = [serve(&mut desk), serve(&mut desk)];
        assert!(next.contains(&Some((2, 0))), "{next:?}");
    }

    #[test]
    fn what_is_fetched_ahead_leaves_requests_to_those_who_wait() {
        let mut desk = Desk::new(8);

        let ahead = (0..8).filter(|_| desk.begin_ahead()).count();

        assert_eq!(ahead, 6);
        desk.ask(1, 1, "waits");
        assert!(!desk.begin_ahead());
        assert_eq!(desk.next(|_| false), None, "there is no room for it");
        assert_eq!(desk.next(|_| true), Some("waits"));
    }

    #[test]
    fn a_store_that_asks_for_fewer_requests_gets_fewer_and_more_again_when_all_goes_well() {
        let mut desk = Desk::<()>::new(16);
        let throttled = |desk: &mut Desk<()>, now| {
            desk.under_way = 1;
            desk.ended(at(now), true);
        };

        throttled(&mut desk, 0);
        throttled(&mut desk, 900);
        assert_eq!(desk.allowed, 8, "the answers of one second say the same thing");
        for second in 1..10 {
            throttled(&mut desk, second * 1_000);
        }
        assert_eq!(desk.allowed, 1);

        let mut went_well = 0;
        while desk.allowed < 16 {
            desk.under_way = 1;
            desk.ended(at(20_000), false);
            went_well += 1;
        }
        assert_eq!(went_well, (1..16).sum::<usize>());
    }

    proptest! {
        #[test]
        fn readers_that_always_wait_get_the_same_whatever_the_size_of_their_parts(
            sizes in prop::collection::vec(1..=QUANTUM, 2..6),
            turns in 50_usize..300,
        ) {
            let mut desk = Desk::new(1);
            let mut got = vec![0_u64; sizes.len()];
            let ask = |desk: &mut Desk<usize>, reader: usize| desk.ask(reader as u64, sizes[reader], reader);
            for reader in 0..sizes.len() {
                ask(&mut desk, reader);
                ask(&mut desk, reader);
            }
            for _ in 0..turns {
                let reader = serve(&mut desk).expect("all wait");
                got[reader] += sizes[reader];
                ask(&mut desk, reader);
            }
            let (most, least) = (got.iter().max().expect("some"), got.iter().min().expect("some"));
            prop_assert!(most - least <= 2 * QUANTUM, "{got:?}");
        }

        #[test]
        fn everything_is_served_once_in_its_readers_order(
            asked in prop::collection::vec((0_u64..5, 1..=2 * QUANTUM), 1..100),
            requests_max in 1_usize..5,
        ) {
            let mut desk = Desk::new(requests_max);
            for (number, (reader, bytes)) in asked.iter().enumerate() {
                desk.ask(*reader, *bytes, (*reader, number));
            }
            let mut served = Vec::new();
            while served.len() < asked.len() {
                let mut begun = 0;
                while let Some(part) = desk.next(|_| true) {
                    served.push(part);
                    begun += 1;
                }
                prop_assert!((1..=requests_max).contains(&begun));
                (0..begun).for_each(|_| desk.ended(at(0), false));
            }
            for reader in 0..5 {
                let own: Vec<usize> = served.iter().filter(|part| part.0 == reader).map(|part| part.1).collect();
                prop_assert!(own.is_sorted());
            }
            prop_assert!(desk.next(|_| true).is_none() && desk.under_way == 0);
        }
    }
}
