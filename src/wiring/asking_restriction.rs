//! What makes Postfix ask `carom access` about recipients: an element before the others of a list
//! of restrictions.
//!
//! Not here: whether it works (`asking_findings`). Invariant: mail flows while carom is stopped,
//! and a list that asks already stays as it is.

use super::list_value::{ASKS, joined, without};
use super::postconf::Postconf;
use super::postfix_endpoint::PostfixEndpoint;
use super::wiring_record::ChangedParameter;
use crate::config::Config;
use crate::error::Result;

/// The lists: mail may be dropped only where a message is known to have no other recipient.
pub(super) fn lists(config: &Config) -> &'static [&'static str] {
    match config.access.get().is_ok_and(|rules| rules.discards()) {
        true => &["smtpd_recipient_restrictions", "smtpd_data_restrictions"],
        false => &["smtpd_recipient_restrictions"],
    }
}

/// The list that asks at `endpoint`; `before`: what main.cf sets without us. `None`: it does so
/// already.
pub(super) fn asking(
    postconf: &Postconf,
    endpoint: &PostfixEndpoint,
    name: &str,
    before: Option<String>,
) -> Result<Option<ChangedParameter>> {
    let base = before.clone().map_or_else(|| postconf.default_list(name), Ok)?;
    let is_asked = |element: &String| element.starts_with(ASKS) && element.contains(&endpoint.0);
    if without(&base, &[]).iter().any(is_asked) {
        return Ok(None);
    }
    let element = format!("{ASKS} {{ {}, default_action=DUNNO, timeout=10s }}", endpoint.0);
    let rest: Vec<String> = Some(base).filter(|base| !base.is_empty()).into_iter().collect();
    let after = joined(element.clone(), &rest);
    Ok(Some(ChangedParameter { name: name.to_owned(), before, lines: None, after, added: vec![element] }))
}
