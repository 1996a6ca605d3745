//! What may be suppressed as a whole: which domains and patterns, and that they have a term.
//!
//! Not here: their forms (`store::suppression_target`). Invariant: no entry covers the domains of
//! strangers, and no whole domain of a mail provider gets on the list by accident.

use super::address_cell::mailbox;
use crate::dimension::domain::is_registry;
use crate::mailbox_syntax::{is_domain, normal_domain};
use crate::store::suppression_target::normal_target;

/// Octets of a reason. Hosts that share could not pass on one that has many more.
const LONGEST_REASON: usize = 1000;

/// Domains where anybody may have a mailbox, with the suffix of any country after `.*`.
const SHARED: [&str; 40] = [
    "126.com",
    "163.com",
    "aol.com",
    "att.net",
    "bol.com.br",
    "comcast.net",
    "daum.net",
    "docomo.ne.jp",
    "fastmail.com",
    "free.fr",
    "freenet.de",
    "gmail.com",
    "gmx.*",
    "googlemail.com",
    "hanmail.net",
    "hotmail.*",
    "icloud.com",
    "laposte.net",
    "libero.it",
    "live.*",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "naver.com",
    "orange.fr",
    "outlook.*",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "rambler.ru",
    "seznam.cz",
    "t-online.de",
    "verizon.net",
    "wanadoo.fr",
    "web.de",
    "wp.pl",
    "yahoo.*",
    "yandex.*",
];

/// The address, domain or pattern that was written, in its form on the list. The error says what is
/// wrong. `force`: also a whole domain of a mail provider.
pub(crate) fn target(text: &str, has_term: bool, force: bool) -> Result<String, String> {
    let Some(target) = normal_target(text) else { return Ok(mailbox(text)?) };
    let (local, domain) = target.rsplit_once('@').unwrap_or_default();
    let (below, domain) = domain.strip_prefix("*.").map_or((false, domain), |rest| (true, rest));
    if !is_domain(domain) || domain.starts_with('[') {
        return Err("invalid domain; write @example.com, @*.example.com or user+*@example.com".into());
    }
    if below && !local.is_empty() {
        return Err("a pattern is for one domain; write user+*@example.com or @*.example.com".into());
    }
    if !local.is_empty() {
        mailbox(&format!("{}@{domain}", local.replace('*', "x")))?;
    }
    if is_registry(domain) {
        return Err(format!("{domain} is not one domain: it has the domains of others below it"));
    }
    let whole = local.replace('*', "").is_empty();
    if whole && is_shared(domain) && !force {
        return Err(format!(
            "{domain} is a mail provider with many users; add --force if you mean all of them"
        ));
    }
    if !has_term {
        return Err("a domain or pattern is suppressed for a term, because live addresses are among it; \
                    add --days or --until"
            .into());
    }
    Ok(target)
}

/// The sender domain that was written, as entries name it; empty: mail of all senders. The error
/// says what is wrong.
pub(crate) fn sender_domain(text: &str) -> Result<String, String> {
    let domain = normal_domain(text);
    match domain.is_empty() || is_domain(&domain) {
        true => Ok(domain),
        false => Err("invalid sender domain; write example.com".into()),
    }
}

/// The reason that was written. The error says what is wrong.
pub(crate) fn reason(text: &str) -> Result<String, String> {
    match text.len() <= LONGEST_REASON {
        true => Ok(text.to_owned()),
        false => Err(format!("the reason has more than {LONGEST_REASON} octets")),
    }
}

fn is_shared(domain: &str) -> bool {
    SHARED.iter().any(|known| match known.strip_suffix(".*") {
        None => *known == domain,
        Some(name) => domain
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('.'))
            .is_some_and(|suffix| suffix.split('.').all(|label| label.len() <= 3)),
    })
}
