//! The failures of one tick: which of them still matter, and acting on many in one transaction.
//!
//! Not here: what is done in the transaction (`acted_failure`), and what leaves the process
//! (`outside`). Invariant: a failure leaves the list of the index after it is on record in the
//! store, or when nothing is to be done about it.

use super::acted_failure::{ActedFailure, act_together};
use super::decided_failure::DecidedFailure;
use super::failed_delivery::FailedDelivery;
use super::noted_lines::NotedLines;
use super::outside::Outside;
use super::watermark::Watermark;
use crate::clock;
use crate::deadline::{Deadline, stopping};
use crate::decide::Undecided;
use crate::error::{Error, Result};
use crate::house::House;
use crate::index::{ACTED_ON_FOR_MS, Index, StoredDelivery};
use crate::mail::Content;
use crate::policy::Policy;
use std::sync::Arc;

/// Failures that are looked up in the index together: enough that those of one page of the file
/// meet.
const LOOKED_UP: usize = 16_384;
/// Failures of one transaction: others wait for it for about 50 ms.
const TOGETHER: usize = 1024;

/// Failures that the policy fails for.
type Undone<'f> = Vec<(&'f FailedDelivery, Undecided)>;

pub(super) struct Acting<'s, 'h> {
    pub(super) house: &'h House,
    pub(super) policy: &'h Policy,
    pub(super) index: &'h Index,
    pub(super) watermark: Watermark,
    pub(super) deadline: Deadline,
    pub(super) outside: Outside<'s>,
    pub(super) noted: NotedLines,
    /// About how many something was done.
    pub(super) acted: usize,
}

impl Acting<'_, '_> {
    /// Acts on what is pending, until the deadline.
    pub(super) fn act_on_all(&mut self) -> Result<()> {
        let mut after = i64::MIN;
        while !self.is_over() {
            let mut failed = Vec::new();
            let mut take = |row: i64, found: &StoredDelivery<&str>| {
                failed.extend(FailedDelivery::of(row, found));
                Ok(())
            };
            let mut others = self.index.pending_failures(after, clock::now_ms(), LOOKED_UP, &mut take)?;
            let Some(last) = others.last() else { break };
            after = *last;
            let wanted = self.that_matter(failed)?;
            others.retain(|row| wanted.binary_search_by_key(row, FailedDelivery::row).is_err());
            self.index.forget_failures(&others)?;
            for failures in wanted.chunks(TOGETHER) {
                if self.is_over() {
                    return Ok(());
                }
                self.act_on(failures)?;
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.deadline.passed() || stopping::asked()
    }

    /// Leaves out what is too old, what is on record, and addresses that mail has reached since.
    /// Those are alive: a first reading, or one after an outage, finds together what happened one
    /// after the other. An address before aliases is dead only if nothing sent to it arrived.
    pub(super) fn that_matter(&self, mut failures: Vec<FailedDelivery>) -> Result<Vec<FailedDelivery>> {
        let oldest_ms = clock::now_ms() - ACTED_ON_FOR_MS;
        failures.retain(|failed| failed.at_ms >= oldest_ms);
        let keys: Vec<String> = failures.iter().map(|failed| failed.key().text().to_owned()).collect();
        let known = self.house.store.known_keys(&keys)?;
        let mut keys = known.iter();
        failures.retain(|_| keys.next() == Some(&false));
        let aliased = failures.iter().filter(|failed| failed.final_recipient.is_some());
        let dead = self.index.whole_aliases_failed(&aliased.map(FailedDelivery::row).collect::<Vec<_>>())?;
        failures.iter_mut().filter(|one| !dead.contains(&one.row())).for_each(FailedDelivery::forget_alias);
        let addresses: Vec<&str> = failures.iter().flat_map(FailedDelivery::addresses).collect();
        let mut last = self.index.last_successes(&addresses)?.into_iter();
        for failed in &mut failures {
            let addresses: Vec<String> = failed.addresses().map(str::to_lowercase).collect();
            let reached = addresses.into_iter().zip(last.by_ref());
            failed.reached = reached.filter_map(|(address, at_ms)| Some((address, at_ms?))).collect();
        }
        failures.retain(|failed| failed.reached.iter().all(|(_, at_ms)| *at_ms <= failed.at_ms));
        Ok(failures)
    }

    /// Acts on some. What the policy fails for is tried again.
    pub(super) fn act_on(&mut self, failures: &[FailedDelivery]) -> Result<()> {
        let now_ms = clock::now_ms();
        let (mut decided, failed) = self.decide(failures, now_ms);
        if !decided.is_empty() {
            // As they happened.
            decided.sort_by_key(|(row, _)| *row);
            let (rows, decided): (Vec<i64>, Vec<DecidedFailure>) = decided.into_iter().unzip();
            let written = self.noted.written_up_to(self.outside.written());
            let (acted, batch) = act_together(self.house, self.policy, decided, &self.watermark, written)?;
            self.index.finish_failures(&rows, batch)?;
            self.acted += acted.len();
            self.go_on(acted);
            self.noted.add(batch, self.outside.handed_over());
        }
        self.try_again(&failed, now_ms)?;
        match (&failed[..], failures.len()) {
            // It would fail for all others too.
            ([(_, why), ..], TOGETHER) if failed.len() == TOGETHER => Err(Error::new(why)),
            _ => Ok(()),
        }
    }

    /// Asks the policy, about the failures of one sender domain after those of another. Returns
    /// what it has decided, and what it fails for.
    fn decide<'f>(
        &self,
        failures: &'f [FailedDelivery],
        now_ms: i64,
    ) -> (Vec<(i64, DecidedFailure)>, Undone<'f>) {
        let (mut decided, mut failed) = (Vec::with_capacity(failures.len()), Vec::new());
        let (nothing, when) = (Content::read(Arc::default()), (now_ms, self.deadline));
        let mut by_sender: Vec<(String, &FailedDelivery)> =
            failures.iter().map(|failure| (failure.sender_domain(), failure)).collect();
        by_sender.sort_by(|(one, _), (other, _)| one.cmp(other));
        for of_sender in by_sender.chunk_by(|(one, _), (other, _)| one == other) {
            let mut sequence = self.policy.sequence();
            for (_, failure) in of_sender {
                if self.is_over() {
                    return (decided, failed);
                }
                match DecidedFailure::decide(self.house, &mut sequence, failure, &nothing, when) {
                    Ok(one) => decided.push((failure.row(), one)),
                    Err(undecided) => failed.push((*failure, undecided)),
                }
            }
        }
        (decided, failed)
    }

    /// Writes the lines of the message log, and hands over what leaves the process.
    fn go_on(&mut self, acted: Vec<ActedFailure>) {
        let (mut done, outside): (Vec<_>, Vec<_>) = acted.into_iter().partition(|one| one.ready.is_empty());
        done.extend(outside.into_iter().filter_map(|one| self.outside.hand_over(one)));
        let lines: Vec<String> = done.into_iter().map(|one| one.noted).collect();
        self.house.log.append_json(&lines);
    }

    fn try_again(&self, failed: &[(&FailedDelivery, Undecided)], now_ms: i64) -> Result<()> {
        if failed.is_empty() {
            return Ok(());
        }
        let rows: Vec<i64> = failed.iter().map(|(failure, _)| failure.row()).collect();
        let given_up = self.index.try_later(&rows, now_ms)?;
        for (failure, why) in failed {
            let recipient = &failure.recipient;
            match given_up.contains(&failure.row()) {
                true => tracing::error!(%why, recipient, "nothing is done about a failed delivery"),
                false => tracing::error!(%why, recipient, "a failed delivery is acted on at a later tick"),
            }
        }
        Ok(())
    }
}
