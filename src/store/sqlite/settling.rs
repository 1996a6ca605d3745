//! Settling steps: how they ended goes on record, whatever keeps the store busy.
//!
//! A step that is done and not on record is done again, so this is the one write that does not give
//! up: after a moment a file has what the store cannot take yet (`unsettled_steps`), and the store
//! is tried until the deadline, unless it is damaged, or the process is to end and the file has it.
//! Not here: the rows (`step_rows`). Invariant: when `settle` has returned, how the steps ended is
//! in the store, in a file, or, if no file can be written either, in the memory of this process.

use super::connection::SharedConnection;
use super::step_rows::{finish, settle_step, take_in};
use super::unsettled_steps::UnsettledStep;
use crate::deadline::{Deadline, stopping};
use crate::error::Result;
use crate::store::journal_entry::Ended;
use std::time::Duration;

/// How long a kill may come between a step and its record, while the store is locked.
const BEFORE_A_FILE: Duration = Duration::from_secs(2);
/// Between two tries, if the store does not even wait.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) fn settle(
    shared: &SharedConnection,
    ended: &[(&str, &[Ended])],
    now_ms: i64,
    deadline: Deadline,
) -> Result<Vec<bool>> {
    let keys: Vec<String> = ended.iter().map(|(key, _)| (*key).to_owned()).collect();
    let steps = UnsettledStep::of(ended, now_ms);
    let error = match put(shared, &keys, steps.clone(), deadline.within(BEFORE_A_FILE)) {
        Ok(finished) => return Ok(finished),
        Err(error) => error,
    };
    let in_file = shared.unsettled().put(steps);
    match &in_file {
        Ok(file) => {
            tracing::warn!(%error, file = %file.display(), "finished steps wait in a file for the store")
        }
        Err(why) => tracing::error!(%error, %why, "finished steps wait in memory for the store"),
    }
    let mut last = error;
    while !(deadline.passed() || last.is_lasting() || in_file.is_ok() && stopping::asked()) {
        match put(shared, &keys, Vec::new(), deadline) {
            Ok(finished) => return Ok(finished),
            Err(error) => last = error,
        }
        std::thread::sleep(PAUSE.min(deadline.left()));
    }
    Err(last)
}

/// Settles these steps and all that wait. Returns for each key whether nothing is left to do.
fn put(
    shared: &SharedConnection,
    keys: &[String],
    steps: Vec<UnsettledStep>,
    deadline: Deadline,
) -> Result<Vec<bool>> {
    let (keys, waiting) = (keys.to_vec(), shared.unsettled().clone());
    let (taken, finished) = shared.write_by(deadline, move |db| {
        let taken = take_in(db, &waiting)?;
        for step in &steps {
            settle_step(db, &step.key, step.step, &step.done(), step.at_ms)?;
        }
        let finished: Vec<bool> = keys.iter().map(|key| finish(db, key)).collect::<rusqlite::Result<_>>()?;
        Ok((taken, finished))
    })?;
    shared.unsettled().drop_taken(&taken);
    Ok(finished)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::StepEnd;
    use crate::store::Performed;
    use crate::store::sqlite::tests::{shell, states};
    use crate::store::tests::{LEASE, Place, claim, count, promise, step};
    use rusqlite::Connection;

    /// The store is locked by another program until the connection is dropped.
    fn locked(place: &Place) -> Connection {
        let other = shell(place);
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        other
    }

    fn now() -> Deadline {
        Deadline::after(Duration::from_millis(1))
    }

    fn ended(step: usize, end: StepEnd) -> [Ended; 1] {
        [Ended { step, action: "keep".into(), done: Performed::new(end, "settled", "done".into()) }]
    }

    #[test]
    fn what_ended_while_the_store_was_locked_is_on_record_before_anything_is_claimed() {
        let place = Place::new();
        let store = place.open();
        promise(&store, "k", vec![step(None, 0), step(None, 0), step(None, 0)], 0).unwrap();
        let other = locked(&place);
        for (number, end) in [(0, StepEnd::Succeeded), (1, StepEnd::Later { at_ms: 50 })] {
            assert!(store.settle(&[("k", &ended(number, end))], 7, now()).is_err());
        }
        drop((other, store));
        // The process has died: whoever comes next takes the rest, and not what was done.
        let store = place.open();
        let due = store.claim_due(10, LEASE, 10, u64::MAX).unwrap().due;
        assert_eq!(due.iter().map(|due| due.steps.clone()).collect::<Vec<_>>(), [[2]]);
        assert_eq!(states(&place, "k"), ["succeeded", "pending", "pending"]);
        assert_eq!(count(&store, "settled"), 2);
        assert_eq!(store.claim(&["k"], 50, LEASE).unwrap(), [[1]], "at the time that it was put off to");
        assert!(!place.0.join("unsettled").exists());
    }

    #[test]
    fn a_file_of_ended_steps_is_taken_in_once_wherever_that_is_killed() {
        let place = Place::new();
        let store = place.open();
        promise(&store, "k", vec![step(None, 0)], 0).unwrap();
        let other = locked(&place);
        assert!(store.settle(&[("k", &ended(0, StepEnd::Later { at_ms: 5 }))], 1, now()).is_err());
        drop(other);
        let directory = place.0.join("unsettled");
        let file = std::fs::read_dir(&directory).unwrap().next().unwrap().unwrap().path();
        let text = std::fs::read(&file).unwrap();
        assert_eq!(claim(&store, "k", 5), [0]);
        // As after a kill between the commit and the removal; another process has the step now.
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(&file, text).unwrap();
        assert_eq!(claim(&store, "k", 6), [0; 0]);
        assert_eq!((count(&store, "settled"), file.exists()), (1, false));
    }

    #[test]
    fn what_no_file_can_hold_waits_in_memory() {
        let place = Place::new();
        let store = place.open();
        promise(&store, "k", vec![step(None, 0)], 0).unwrap();
        std::fs::write(place.0.join("unsettled"), "no directory").unwrap();
        let other = locked(&place);
        assert!(store.settle(&[("k", &ended(0, StepEnd::Succeeded))], 1, now()).is_err());
        drop(other);
        assert_eq!(claim(&store, "k", i64::MAX / 2), [0; 0]);
        assert_eq!(states(&place, "k"), ["succeeded"]);
    }

    #[test]
    fn a_write_that_finds_the_store_locked_says_so() {
        let place = Place::new();
        let store = place.open();
        promise(&store, "k", vec![step(None, 0)], 0).unwrap();
        let _other = locked(&place);
        let said = store.settle(&[("k", &ended(0, StepEnd::Succeeded))], 1, now()).unwrap_err().to_string();
        assert!(said.contains("locked"), "{said}");
    }
}
