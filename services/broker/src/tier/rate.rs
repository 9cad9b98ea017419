//! `Rate`: uploads begin no faster than their bytes may go, so that others have their part of a network.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aquifer_runtime::{Monotonic, Runtime};

/// What uploads may take.
#[derive(Debug)]
pub(crate) struct Rate {
    /// None where they take what there is.
    bytes_per_second: Option<u64>,
    /// When those that began have had their time.
    free_at: Mutex<Monotonic>,
    waited_ms: AtomicU64,
}

impl Rate {
    pub(super) fn new(bytes_per_second: Option<u64>) -> Rate {
        Rate { bytes_per_second, free_at: Mutex::default(), waited_ms: AtomicU64::new(0) }
    }

    /// How long uploads have waited, all together.
    pub(crate) fn waited_seconds(&self) -> u64 {
        self.waited_ms.load(Ordering::Relaxed) / 1_000
    }

    /// Waits until an upload of so many bytes may begin.
    pub(super) async fn admit(&self, bytes: u64, runtime: &Runtime) {
        let wait = self.wait(bytes, runtime.now().monotonic);
        if !wait.is_zero() {
            runtime.sleep(wait).await;
            let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            self.waited_ms.fetch_add(millis, Ordering::Relaxed);
        }
    }

    /// Whoever asks goes next, once those that asked before have had their time.
    fn wait(&self, bytes: u64, now: Monotonic) -> Duration {
        let Some(rate) = self.bytes_per_second else { return Duration::ZERO };
        let mut free_at = self.free_at.lock().expect("adding does not panic");
        let begins = now.max(*free_at);
        *free_at = begins.plus(Duration::from_secs_f64(bytes as f64 / rate as f64));
        begins.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_upload_waits_for_the_time_of_those_before_it() {
        let rate = Rate::new(Some(1_000));
        let wait = |bytes, at_ms| rate.wait(bytes, Monotonic(Duration::from_millis(at_ms))).as_millis();

        assert_eq!(wait(500, 100), 0, "nobody was before");
        assert_eq!(wait(2_000, 200), 400);
        assert_eq!(wait(1, 200), 2_400, "that one has its time still before it");
        assert_eq!(wait(1, 60_000), 0, "what was not taken is not saved up");
        assert_eq!(wait(1_000, 60_000), 1);
    }

    #[test]
    fn without_a_rate_nobody_waits() {
        let rate = Rate::new(None);
        assert_eq!((0..100).map(|_| rate.wait(u64::MAX, Monotonic::default())).max(), Some(Duration::ZERO));
    }
}
