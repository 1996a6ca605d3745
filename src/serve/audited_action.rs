//! An action, with its record: who, what, and what there was before and after.
//!
//! Invariant: an action is on record before it begins; one that was cut off has no end there.

use super::http_answer::HttpAnswer;
use super::http_route::HttpAsked;
use super::problem::Problem;
use crate::clock;
use crate::store::{AuditEntry, Store};
use serde_json::{Value, json};
use std::sync::Arc;

/// What is to be done, and to what.
pub(crate) struct AuditedAction<'a> {
    pub(crate) name: &'static str,
    pub(crate) what: &'a str,
    /// What there is before.
    pub(crate) before: Value,
}

/// Does it. `act` gives what there is afterwards, which is the answer too.
pub(crate) fn carry_out(
    asked: &HttpAsked<'_>,
    action: AuditedAction<'_>,
    act: impl FnOnce(&Arc<Store>) -> Result<Value, Problem>,
) -> Result<HttpAnswer, Problem> {
    let (store, at_ms) = (asked.desk.store(), clock::now_ms());
    let AuditedAction { name, what, before } = action;
    let (who, what) = (asked.caller.name.clone(), what.to_owned());
    tracing::info!(who, action = name, what, "an action begins");
    let entry = AuditEntry { at_ms, who, action: name.to_owned(), what, before, ..AuditEntry::default() };
    let id = store.begin_action(&entry)?;
    match act(store) {
        Ok(after) => {
            store.end_action(id, &after)?;
            Ok(HttpAnswer::json(&after))
        }
        Err(problem) => {
            store.end_action(id, &json!({ "failed": problem.detail() }))?;
            Err(problem)
        }
    }
}
