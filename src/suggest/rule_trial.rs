//! A written rule is tried on the failures of the last days, before it is installed.
//!
//! Not here: counting what it changes (`back_test`). Invariant: a rule that the policy does not
//! accept is an error with the policy's words.

use super::back_test::BackTest;
use super::draft_rule::{DraftChanges, DraftRule};
use super::written_rule::WrittenRule;
use super::{names_in_use, with_drafts};
use crate::class::About;
use crate::clock::{self, DAY_MS};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::index::Index;
use crate::ingest::Watch;
use std::sync::Arc;

impl WrittenRule {
    /// What it would change of the failures of the last `days`.
    pub(crate) fn try_out(
        &self,
        config: &Arc<Config>,
        index: Option<&Index>,
        days: u32,
        watch: &Watch<'_>,
    ) -> Result<DraftChanges> {
        if names_in_use(config).contains(&self.name) {
            return Err(Error::new(format_args!("{} is the name of another rule", self.name))
                .remedy("choose another name"));
        }
        let mut drafts = [DraftRule::written(self)];
        let (policy, complaints) = with_drafts(config, &drafts)?;
        if let Some(first) = complaints.first() {
            let is_reason = About::reasons().any(|reason| reason == self.reason);
            let words = || format!("use one of {}", About::reasons().collect::<Vec<_>>().join(", "));
            let fix = if is_reason { "correct the rule".to_owned() } else { words() };
            return Err(Error::new(first).remedy(fix));
        }
        let since_ms = clock::now_ms() - i64::from(days) * DAY_MS;
        if let Some(index) = index {
            BackTest::new(&policy).run(index, since_ms, &mut drafts, watch)?;
        }
        let [draft] = drafts;
        Ok(draft.changes)
    }

    /// The rule as the policy reads it.
    pub(crate) fn table(&self) -> toml::Table {
        DraftRule::written(self).table()
    }
}
