//! `Pace`: how many uploads there are at a time; a store that is away is asked with one alone, until one goes well.

use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};

use aquifer_objects::Problem;
use aquifer_tiering::UploadError;
use futures_util::stream;
use futures_util::{Stream, StreamExt as _};

/// Uploads at a time.
const UPLOADS_MAX: usize = 4;

/// Whether the store takes uploads, as far as they have told.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    is_away: AtomicBool,
}

impl Pace {
    pub(super) fn went_well(&self) {
        self.is_away.store(false, Ordering::Relaxed);
    }

    /// An upload failed. Only the store's silence says something about others.
    pub(super) fn failed(&self, error: &UploadError) {
        let is_silent = match error {
            UploadError::Store(error) => error.problem == Problem::Unavailable,
            UploadError::TooSlow(_) => true,
        };
        if is_silent {
            self.is_away.store(true, Ordering::Relaxed);
        }
    }

    fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// What becomes of those that go well, as they come. What does not answer one does not answer the others either, which would
    /// be packed for nothing: they are left for the next time.
    pub(super) fn upload_each<T, U, F>(
        &self,
        mut all: Vec<T>,
        upload: impl Fn(T) -> F,
    ) -> impl Stream<Item = U>
    where
        F: Future<Output = Option<U>>,
    {
        let was_away = self.is_away();
        if was_away {
            all.truncate(1);
        }
        let uploads = stream::iter(all).map(move |one| {
            let uploaded = (!self.is_away() || was_away).then(|| upload(one));
            async move { uploaded?.await }
        });
        uploads.buffer_unordered(UPLOADS_MAX).filter_map(ready)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use aquifer_objects::{ObjectError, Operation};

    use super::*;

    fn refused(problem: Problem) -> UploadError {
        UploadError::Store(ObjectError::new(Operation::Create, "key", problem, "no"))
    }

    #[test]
    fn a_store_is_away_that_says_nothing_until_it_takes_something() {
        let pace = Pace::default();
        let after = |error: &UploadError| {
            pace.went_well();
            pace.failed(error);
            pace.is_away()
        };

        assert!(after(&refused(Problem::Unavailable)));
        assert!(after(&UploadError::TooSlow(Duration::from_secs(1))));
        assert!(!after(&refused(Problem::Taken)), "that says something about one name alone");

        pace.failed(&refused(Problem::Unavailable));
        pace.failed(&refused(Problem::Taken));
        assert!(pace.is_away(), "nobody has answered that it took something");
    }

    #[tokio::test]
    async fn a_store_that_is_away_is_asked_with_one_upload_at_a_time() {
        let pace = Pace::default();
        let tried = Mutex::new(Vec::new());
        let attempt = |takes: bool| {
            let (pace, tried) = (&pace, &tried);
            move |number: i32| async move {
                tried.lock().expect("noting does not panic").push(number);
                // Others begin while this one waits for its answer.
                tokio::task::yield_now().await;
                match takes {
                    true => pace.went_well(),
                    false => pace.failed(&refused(Problem::Unavailable)),
                }
                takes.then_some(number)
            }
        };
        let tries = || std::mem::take(&mut *tried.lock().expect("noting does not panic")).len();

        let upload_64 =
            async |takes| pace.upload_each((0..64).collect(), attempt(takes)).collect::<Vec<i32>>().await;
        assert_eq!(upload_64(false).await, [0; 0]);
        assert_eq!(tries(), UPLOADS_MAX, "those that were under way when the first one failed");
        assert_eq!(upload_64(false).await, [0; 0]);
        assert_eq!(tries(), 1);
        assert_eq!(upload_64(true).await, [0]);
        assert_eq!(tries(), 1);
        assert_eq!(upload_64(true).await.len(), 64);
    }
}
