//! Places for instances of a policy: there is a place for each that may be asked at the same time,
//! and the next one waits.
//!
//! Not here: asking (`reception`). Invariant: a place is free again when its instance is gone, also
//! after a panic.

use std::sync::{Condvar, Mutex, PoisonError};

pub(crate) struct InstancePlaces {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A place that is taken.
pub(crate) struct InstancePlace<'a>(&'a InstancePlaces);

impl InstancePlaces {
    pub(crate) fn new(most: usize) -> InstancePlaces {
        InstancePlaces { free: Mutex::new(most), freed: Condvar::new() }
    }

    /// Waits for a place.
    pub(crate) fn take(&self) -> InstancePlace<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        InstancePlace(self)
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
                let _place = places.take();
                panic!("in an instance");
            });
            assert!(asked.is_err());
        }
        let place = places.take();
        assert_eq!(*places.free.lock().unwrap(), 0);
        drop(place);
        assert_eq!(*places.free.lock().unwrap(), 1);
    }
}
