//! The policy that classifies failures in the logs. Not here: the rules, which are the policy's.

use crate::class::{Class, DeliveryFailure};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::policy::recipient_facts::RecipientFacts;

use crate::policy::{Failure, Policy, Use, Wanted, shipped};
use std::rc::Rc;
use std::sync::Arc;

/// Classes that the index remembers.
pub(crate) const REMEMBERED: i64 = 200_000;

pub(crate) struct ClassifyingPolicy {
    policy: Policy,
    facts: Rc<RecipientFacts>,
}

impl ClassifyingPolicy {
    /// Loads `[index] policy`; `None` if it is empty.
    pub(crate) fn open(config: &Arc<Config>) -> Result<Option<ClassifyingPolicy>> {
        ClassifyingPolicy::with_settings(config, None)
    }

    /// The same with other settings than those in the config.
    pub(crate) fn with_settings(
        config: &Arc<Config>,
        settings: Option<String>,
    ) -> Result<Option<ClassifyingPolicy>> {
        let name = config.index.policy.as_str();
        if name.is_empty() {
            return Ok(None);
        }
        let installed = config.policies_dir().join(name).exists();
        if !(installed || config.policy.contains_key(name) || shipped().any(|known| known == name)) {
            return Err(Error::new(format_args!("there is no policy {name}"))
                .remedy("install it, or set [index] policy to one that classifies"));
        }
        let policy = Policy::open(&Wanted { name, file: None, settings }, config, Use::One)?;
        policy.start_clock()?;
        Ok(Some(ClassifyingPolicy { policy, facts: Rc::new(RecipientFacts::of_nothing(config)?) }))
    }

    /// What the policy finds wrong with its settings.
    pub(crate) fn complaints(&self) -> Result<Vec<String>> {
        self.policy.validate_settings(&self.facts).map_err(Error::new)
    }

    /// The settings that it classifies with, as JSON.
    pub(crate) fn settings(&self) -> &str {
        self.policy.settings(&self.facts)
    }

    /// What is wrong with the installed rules that it works without.
    pub(crate) fn rules_left_out(&self) -> &[Error] {
        self.policy.rules_left_out(&self.facts)
    }

    pub(crate) fn hash(&self) -> &str {
        &self.policy.hash
    }

    /// What each of these failures means, in order.
    pub(crate) fn classify(&self, failures: &[DeliveryFailure]) -> Result<Vec<Class>, Failure> {
        self.policy.classify(&self.facts, failures)
    }
}
