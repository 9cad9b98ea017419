//! `Room`: bytes that requests hold together, and a bounded wait for whoever finds none.

use std::sync::Arc;
use std::time::Duration;

use aquifer_runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::refusal::{Code, Refusal};

/// Bytes in memory, of a bounded number. Clones are the same room.
#[derive(Clone)]
pub struct Room {
    runtime: Runtime,
    free: Arc<Semaphore>,
    bytes_max: usize,
    patience: Duration,
    of: &'static str,
}

/// A part of a room, free again when this is dropped.
pub struct Claim {
    permit: OwnedSemaphorePermit,
}

impl Room {
    /// `of` says what lies there, to whoever is sent away.
    pub(crate) fn new(runtime: Runtime, bytes_max: usize, patience: Duration, of: &'static str) -> Room {
        // More than a semaphore counts is as good as no bound.
        let bytes_max = bytes_max.min(u32::MAX as usize).min(Semaphore::MAX_PERMITS);
        Room { runtime, free: Arc::new(Semaphore::new(bytes_max)), bytes_max, patience, of }
    }

    /// Room for so many bytes; something larger than the whole takes all of it.
    pub async fn claim(&self, bytes: usize) -> Result<Claim, Refusal> {
        if let Ok(claim) = self.claim_now(bytes) {
            return Ok(claim);
        }
        let waiting = Arc::clone(&self.free).acquire_many_owned(self.permits(bytes));
        match self.runtime.timeout(self.patience, waiting).await {
            Some(Ok(permit)) => Ok(Claim { permit }),
            _ => Err(self.full()),
        }
    }

    /// The same for who cannot wait.
    pub fn claim_now(&self, bytes: usize) -> Result<Claim, Refusal> {
        let permit = Arc::clone(&self.free).try_acquire_many_owned(self.permits(bytes));
        permit.map(|permit| Claim { permit }).map_err(|_none| self.full())
    }

    fn permits(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.min(self.bytes_max)).unwrap_or(u32::MAX)
    }

    fn full(&self) -> Refusal {
        Refusal::new(Code::TooManyRequests, format!("no room for {}", self.of))
    }
}

impl Claim {
    pub fn add(&mut self, other: Claim) {
        self.permit.merge(other.permit);
    }

    /// Takes so many bytes out of it, or all that there are.
    #[must_use]
    pub fn split(&mut self, bytes: usize) -> Claim {
        let bytes = bytes.min(self.bytes());
        Claim { permit: self.permit.split(bytes).expect("no more than it has") }
    }

    #[must_use]
    pub fn bytes(&self) -> usize {
        self.permit.num_permits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> Room {
        Room::new(Runtime::real(), 100, Duration::ZERO, "anything")
    }

    #[tokio::test]
    async fn what_is_claimed_is_nobody_elses() {
        let room = room();
        let mut claim = room.claim(60).await.expect("empty");
        assert!(room.claim_now(41).is_err());
        assert_eq!(room.claim(41).await.map(|_| ()).map_err(|error| error.code), Err(Code::TooManyRequests));
        claim.add(room.claim_now(40).expect("it just fits"));
        assert_eq!(claim.bytes(), 100);
        let part = claim.split(30);
        assert_eq!((part.bytes(), claim.bytes()), (30, 70));
        drop(part);
        assert!(room.claim_now(31).is_err());
        assert_eq!(claim.split(1_000).bytes(), 70);
        drop(claim);
        assert!(room.claim_now(100).is_ok());
    }

    #[tokio::test]
    async fn what_is_larger_than_the_room_takes_all_of_it() {
        let room = room();
        let all = room.claim(1_000).await.expect("empty");
        assert_eq!(all.bytes(), 100);
        assert!(room.claim_now(1).is_err());
    }
}
