//! The first fault of work that goes on: what is wrong with one key holds up no other.

use crate::error::{Error, Result};

#[derive(Default)]
pub(super) struct FirstFault(Option<Error>);

impl FirstFault {
    /// What came out; `None`: a fault.
    pub(super) fn of<T>(&mut self, outcome: Result<T>) -> Option<T> {
        match outcome {
            Ok(done) => Some(done),
            Err(error) => {
                self.0.get_or_insert(error);
                None
            }
        }
    }

    pub(super) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Error: there was a fault.
    pub(super) fn end(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}
