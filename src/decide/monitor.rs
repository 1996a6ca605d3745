//! Policies that only observe: each `[policy.NAME]` with `monitor = true` decides about every
//! message beside the policy in force. Whether they agree is counted, and where they do not, both
//! plans are kept for `carom policy diff`.
//!
//! Invariant: nothing of what such a policy wants is done, and whatever goes wrong with it changes
//! nothing for the message.

use super::{Decided, Question, Undecided};
use crate::config::Config;
use crate::error::Result;
use crate::policy::Policy;
use crate::policy::recipient_facts::RecipientFacts;
use crate::store::{Difference, Store, Tally};
use std::rc::Rc;

/// The policies that look on.
pub(crate) struct Monitor {
    policies: Vec<Policy>,
    /// How many could not be loaded.
    missing: u64,
}

impl Monitor {
    /// Loads all of them but the policy in force itself. One that cannot be loaded is counted with
    /// every message.
    pub(crate) fn open(config: &Config, in_force: &str, threads: usize) -> Monitor {
        let mut monitor = Monitor { policies: Vec::new(), missing: 0 };
        for (name, described) in &config.policy {
            if described.monitor && name != in_force {
                match Policy::load(name, config, threads) {
                    Ok(policy) => monitor.policies.push(policy),
                    Err(error) => {
                        tracing::error!(%error, "a policy that should look on cannot be loaded");
                        monitor.missing += 1;
                    }
                }
            }
        }
        monitor
    }

    /// See [`Policy::start_clock`].
    pub(crate) fn start_clock(&self) -> Result<()> {
        self.policies.iter().try_for_each(Policy::start_clock)
    }

    /// See [`Policy::ticker`].
    pub(crate) fn ticker(&self) -> impl Fn() + Send + Sync + use<> {
        let tickers: Vec<_> = self.policies.iter().map(Policy::ticker).collect();
        move || tickers.iter().for_each(|tick| tick())
    }

    /// Asks them too, counts what they say, and keeps what differs from `decided`.
    pub(crate) fn compare(
        &self,
        question: &Question<'_>,
        facts: &Rc<RecipientFacts>,
        in_force: &Policy,
        decided: &Decided,
        store: &Store,
        tally: &mut Tally,
    ) {
        (0..self.missing).for_each(|_| tally.add("monitor_failed"));
        for policy in &self.policies {
            let other = match question.ask(policy, facts) {
                Ok(other) if other.plan == decided.plan => {
                    tally.add("monitor_same");
                    continue;
                }
                Ok(other) => {
                    tally.add("monitor_different");
                    serde_json::to_string(&other.plan).unwrap_or_default()
                }
                Err(Undecided::Dns(_)) => continue,
                Err(Undecided::Policy(failure)) => {
                    tally.add("monitor_failed");
                    serde_json::json!({ "failure": failure.text }).to_string()
                }
            };
            let difference = Difference {
                at_ms: question.at_ms,
                envelope: facts.envelope().clone(),
                seed: question.seed,
                policy: in_force.name.to_string(),
                hash: in_force.hash.clone(),
                plan: serde_json::to_string(&decided.plan).unwrap_or_default(),
                other_policy: policy.name.to_string(),
                other_hash: policy.hash.clone(),
                other_plan: other,
            };
            if let Err(error) = store.record_difference(difference) {
                tracing::warn!(%error, "a difference between policies is not kept");
            }
        }
    }
}
