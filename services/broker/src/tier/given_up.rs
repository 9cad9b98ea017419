//! `GivenUp`: uploads of this run that failed may arrive late, and are deleted by name once they would have. Keeps I4.
//!
//! What is not deleted here is found when the bucket is searched.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aquifer_objects::{ObjectError, Problem};
use aquifer_runtime::Monotonic;

use super::Tier;
use crate::broker::Broker;

/// Names that are remembered.
const NAMES_MAX: usize = 4_096;

/// Names that this run will commit nothing of, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct GivenUp {
    names: Mutex<VecDeque<(Monotonic, String)>>,
}

impl GivenUp {
    pub(super) fn add(&self, name: String, now: Monotonic) {
        let mut names = self.names.lock().expect("adding does not panic");
        names.push_back((now, name));
        if names.len() > NAMES_MAX {
            names.pop_front();
        }
    }

    /// The next one, if that was so long ago.
    fn next(&self, now: Monotonic, grace: Duration) -> Option<String> {
        let mut names = self.names.lock().expect("taking does not panic");
        names.pop_front_if(|(at, _)| now.since(*at) >= grace).map(|(_, name)| name)
    }
}

impl Broker {
    /// Deletes what was given up so long ago that it arrives no more.
    pub(super) async fn delete_given_up(&self, tier: &Tier) {
        let now = self.runtime.now().monotonic;
        while let Some(name) = tier.given_up.next(now, tier.settings.grace) {
            if let Err(error) = self.delete_orphan(tier, &name).await {
                tracing::debug!(name, %error, "an upload that was given up is not deleted yet");
                tier.given_up.add(name, now);
                return;
            }
        }
    }

    async fn delete_orphan(&self, tier: &Tier, name: &str) -> Result<(), ObjectError> {
        let bytes = match tier.store.bytes_of(name).await {
            Ok(bytes) => bytes,
            Err(error) if error.problem == Problem::Missing => return Ok(()),
            Err(error) => return Err(error),
        };
        tier.store.delete(name).await?;
        tier.totals.orphans.fetch_add(1, Ordering::Relaxed);
        tier.totals.orphan_bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    #[test]
    fn names_are_due_after_their_grace_and_the_oldest_are_forgotten_where_there_are_too_many() {
        let given_up = GivenUp::default();
        given_up.add("a".to_owned(), at(10));
        given_up.add("b".to_owned(), at(20));
        let next = |seconds| given_up.next(at(seconds), Duration::from_secs(5));

        assert_eq!(next(14), None);
        assert_eq!(next(15).as_deref(), Some("a"));
        assert_eq!(next(15), None);

        for number in 0..NAMES_MAX {
            given_up.add(number.to_string(), at(30));
        }
        assert_eq!(next(100).as_deref(), Some("0"), "b was one too many");
    }
}
