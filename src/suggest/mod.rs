//! Drafts of rules for replies that no rule knows: the most frequent shapes, each with a rule that
//! recognizes it, and what the rules would change.
//!
//! Not here: the rules of the policy, which read the drafts as they read an operator's own. The
//! config is never written: an operator reads, edits and installs. Invariant: no draft makes an
//! address hard.

mod draft_rule;
mod shape_pattern;
mod unknown_shape;
mod back_test;
mod rule_trial;
mod written_rule;

pub(crate) use draft_rule::DraftChanges;
pub(crate) use written_rule::WrittenRule;

use crate::clock::{self, DAY_MS};
use crate::config::Config;
use crate::error::{Context, Error, Result};
use crate::index::Index;
use crate::ingest::{ClassifyingPolicy, Watch};
use back_test::BackTest;
use draft_rule::DraftRule;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use unknown_shape::UnknownShape;

/// What is suggested, and from what.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Suggestion {
    pub(crate) days: u32,
    /// Deliveries with a reply that no rule knows.
    pub(crate) deliveries: u64,
    /// Shapes of those replies.
    pub(crate) shapes: u64,
    pub(crate) rules: Vec<DraftRule>,
    /// Frequent shapes without a draft.
    pub(crate) left_out: Vec<LeftOut>,
}

/// A frequent shape without a draft.
#[derive(Debug, Serialize)]
pub(crate) struct LeftOut {
    pub(crate) shape: String,
    pub(crate) count: u64,
    pub(crate) why: &'static str,
}

/// What to suggest for the last `days`, for the `limit` most frequent shapes.
pub(crate) fn suggest(
    config: &Arc<Config>,
    index: &Index,
    (days, limit): (u32, usize),
    watch: &Watch<'_>,
) -> Result<Suggestion> {
    let since_ms = clock::now_ms() - i64::from(days) * DAY_MS;
    let shapes = UnknownShape::most_frequent(index, since_ms)?;
    let mut suggestion = Suggestion {
        days,
        deliveries: shapes.iter().map(|shape| shape.count).sum(),
        shapes: shapes.len() as u64,
        ..Suggestion::default()
    };
    let mut names = names_in_use(config);
    for shape in shapes.into_iter().take(limit) {
        match DraftRule::of(&shape, &mut names) {
            Some(draft) => suggestion.rules.push(draft),
            None => suggestion.leave_out(shape.shape, shape.count, "it has no words to recognize it by"),
        }
    }
    if suggestion.rules.is_empty() {
        return Ok(suggestion);
    }
    let policy = suggestion.accepted_by(config)?;
    BackTest::new(&policy).run(index, since_ms, &mut suggestion.rules, watch)?;
    for draft in std::mem::take(&mut suggestion.rules) {
        if draft.changes.deliveries > 0 {
            suggestion.rules.push(draft);
        } else {
            suggestion.leave_out(draft.shape, draft.count, "another rule comes first");
        }
    }
    Ok(suggestion)
}

/// A name and a pattern to begin a rule with; none if the shape has no words to recognize it by.
pub(crate) fn beginning(shape: &str) -> Option<(String, String)> {
    let pattern = shape_pattern::pattern_of(shape)?;
    Some((draft_rule::name_of(&pattern, &mut BTreeSet::new()), pattern))
}

/// Names of the operator's own rules.
fn names_in_use(config: &Config) -> BTreeSet<String> {
    let settings = config.policy.get(&config.index.policy).map(|policy| &policy.settings);
    let rules = settings.and_then(|settings| settings.get("rules")).and_then(toml::Value::as_array);
    let name = |rule: &toml::Value| Some(rule.get("name")?.as_str()?.to_owned());
    rules.into_iter().flatten().filter_map(name).collect()
}

/// The policy as it would be with the drafts at the end of its own rules, and what it finds wrong
/// with them.
fn with_drafts(config: &Arc<Config>, drafts: &[DraftRule]) -> Result<(ClassifyingPolicy, Vec<String>)> {
    let name = &config.index.policy;
    let none = || Error::new("no policy classifies").remedy("set [index] policy to one that does");
    let now = ClassifyingPolicy::open(config)?.ok_or_else(none)?;
    let with_drafts = || {
        let mut settings: Value = serde_json::from_str(now.settings())?;
        let added = drafts.iter().map(|draft| serde_json::to_value(draft.table()));
        let added = added.collect::<Result<Vec<Value>, _>>()?;
        match settings.get_mut("rules") {
            Some(rules) => rules.as_array_mut().into_iter().for_each(|rules| rules.extend(added.clone())),
            None => settings["rules"] = Value::Array(added),
        }
        serde_json::to_string(&settings)
    };
    let settings = with_drafts().context(format_args!("policy.{name}.settings"))?;
    let policy = ClassifyingPolicy::with_settings(config, Some(settings))?.ok_or_else(none)?;
    let complaints = policy.complaints()?;
    Ok((policy, complaints))
}

impl Suggestion {
    fn leave_out(&mut self, shape: String, count: u64, why: &'static str) {
        self.left_out.push(LeftOut { shape, count, why });
    }

    /// The policy with every draft that it accepts; the others are left out.
    fn accepted_by(&mut self, config: &Arc<Config>) -> Result<ClassifyingPolicy> {
        loop {
            let (policy, complaints) = with_drafts(config, &self.rules)?;
            let Some(first) = complaints.first() else { return Ok(policy) };
            let is_refused = |draft: &DraftRule| {
                complaints.iter().any(|complaint| complaint.contains(&format!("({})", draft.name)))
            };
            let (refused, accepted): (Vec<DraftRule>, _) = self.rules.drain(..).partition(is_refused);
            self.rules = accepted;
            if refused.is_empty() {
                let policy = &config.index.policy;
                return Err(Error::new(format_args!("policy {policy}, settings: {first}"))
                    .remedy("correct them, or set [index] policy to one that has own rules"));
            }
            for draft in refused {
                self.leave_out(draft.shape, draft.count, "no pattern can say it");
            }
        }
    }

    /// The draft as TOML for the config; each rule follows what it is made from.
    pub(crate) fn toml(&self, policy: &str) -> String {
        let mut text = format!(
            "# Drafts of rules, made from {} deliveries of the last {} days whose reply no rule knows.\n\
             # Nothing is installed. Decide for each what it means, set its reason and severity, and\n\
             # add it to your config. Then run `carom check` and `carom reclassify`.\n\
             # The reason is what the code alone says. No draft is hard: only you can know that an\n\
             # address is dead.\n",
            self.deliveries, self.days
        );
        for draft in &self.rules {
            draft.write(&mut text, policy);
        }
        for one in &self.left_out {
            let _ = write!(
                text,
                "\n# Without a draft, because {}: {} deliveries\n#   {}\n",
                one.why, one.count, one.shape
            );
        }
        text
    }
}
