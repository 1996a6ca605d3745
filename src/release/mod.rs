//! Entries that leave the suppression list because they were wrong: an operator undoes what one bad
//! hour did, or the address turns out to be alive. The application is notified again.
//!
//! Not here: removing an entry by hand (`cli/suppress`), and the rows (`store`). Invariant: an
//! entry leaves the list in the same transaction that promises the notification, so both happen
//! once.

mod notice;
mod proof_of_life;
mod telling;
mod undoing;

pub(crate) use proof_of_life::{by_message, delivered, may_release};
pub(crate) use telling::{as_json, notify};
pub(crate) use undoing::{Undo, UndoFilter, open_end};
