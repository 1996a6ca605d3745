//! Places for instances of a policy: there is a place for each that may be asked at the same time,
//! and the next one waits for some time.
//!
//! Not here: asking (`reception`). Invariants: a place is free again when its instance is gone,
//! also after a panic; who holds one waits for nobody but the store.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How long one waits for a place.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct InstancePlaces {
    free: Mutex<usize>,
    freed: Condvar,
    patience: Duration,
}

/// A place that is taken.
pub(crate) struct InstancePlace<'a>(&'a InstancePlaces);

impl InstancePlaces {
    pub(crate) fn new(most: usize) -> InstancePlaces {
        InstancePlaces { free: Mutex::new(most), freed: Condvar::new(), patience: PATIENCE }
    }

    /// Waits for a place; `None` if none is free in time.
    pub(crate) fn take(&self) -> Option<InstancePlace<'_>> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.freed.wait_timeout_while(free, self.patience, |free| *free == 0);
        let mut free = waited.unwrap_or_else(PoisonError::into_inner).0;
        *free = free.checked_sub(1)?;
        Some(InstancePlace(self))
    }
}

impl Drop for InstancePlace<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn a_place_is_free_again_after_a_panic_in_it() {
        let places = InstancePlaces::new(1);
        for _ in 0..2 {
            let asked = catch_unwind(|| {
                let _place = places.take().unwrap();
                panic!("in an instance");
            });
            assert!(asked.is_err());
        }
        let place = places.take();
        assert_eq!(*places.free.lock().unwrap(), 0);
        drop(place);
        assert_eq!(*places.free.lock().unwrap(), 1);
    }

    #[test]
    fn the_wait_for_a_place_ends() {
        let places = InstancePlaces { patience: Duration::from_millis(1), ..InstancePlaces::new(1) };
        let place = places.take().unwrap();
        assert!(places.take().is_none());
        drop(place);
        assert!(places.take().is_some());
    }
}
