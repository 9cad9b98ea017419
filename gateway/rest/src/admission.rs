//! `Admissions`: places for connections, of which no address alone takes all.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places in bounds. Clones are the same.
#[derive(Clone)]
pub(crate) struct Admissions {
    places: Arc<Semaphore>,
    by_address: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
    per_address_max: usize,
}

/// A place, free again when this is dropped.
pub(crate) struct Admission {
    admissions: Admissions,
    address: IpAddr,
    _place: OwnedSemaphorePermit,
}

impl Admissions {
    pub(crate) fn new(max: usize, per_address_max: usize) -> Admissions {
        Admissions { places: Arc::new(Semaphore::new(max)), by_address: Arc::default(), per_address_max }
    }

    /// A place for a connection from `address`, if neither it nor all together have too many.
    pub(crate) fn ask(&self, address: IpAddr) -> Option<Admission> {
        // The same client, whichever family its address is written in.
        let address = address.to_canonical();
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let mut by_address = self.by_address();
        let open = by_address.entry(address).or_default();
        if *open >= self.per_address_max {
            return None;
        }
        *open += 1;
        drop(by_address);
        Some(Admission { admissions: self.clone(), address, _place: place })
    }

    /// Returns once so many places, all of them, are free.
    pub(crate) async fn all_free(&self, max: usize) {
        let all = u32::try_from(max).unwrap_or(u32::MAX);
        // Nobody closes the semaphore.
        let _ = self.places.acquire_many(all).await;
    }

    fn by_address(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut by_address = self.admissions.by_address();
        if let Some(open) = by_address.get_mut(&self.address) {
            *open -= 1;
            if *open == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod admission_test {
    use super::*;

    #[test]
    fn no_address_takes_all_places_and_what_is_left_is_free_again() {
        let admissions = Admissions::new(3, 2);
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let first = admissions.ask(address("10.0.0.1")).expect("free");
        let _second = admissions.ask(address("::ffff:10.0.0.1")).expect("free");
        assert!(admissions.ask(address("10.0.0.1")).is_none(), "it has two");
        let other = admissions.ask(address("10.0.0.2")).expect("free");
        assert!(admissions.ask(address("10.0.0.3")).is_none(), "there are three");
        drop((first, other));
        assert!(admissions.ask(address("10.0.0.1")).is_some());
        assert_eq!(admissions.by_address().len(), 1, "who left is forgotten");
    }
}
