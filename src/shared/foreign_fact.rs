//! Whether a fact is fit to be shared: asked of what the shared store says, and of what goes there.
//!
//! Whoever can write to the shared store writes what they like, and clocks of hosts are wrong. Not
//! here: octets (`fact_place`). Invariant: what no host would take is not put, so that a comparison
//! does not wait for it.

use super::fact_place::{length, place_of};
use crate::dimension::domain::is_registry;
use crate::mailbox_syntax::{is_domain, is_mailbox};
use crate::store::{SharedFact, greatest_rank};
use crate::text::{bounded, one_line};

/// Octets of what can be suppressed (RFC 5321 section 4.5.3.1).
const LONGEST_ADDRESS: usize = 320;

/// Whether its time is further ahead than any clock is: of the two hosts, one has a wrong clock.
pub(super) fn is_ahead(fact: &SharedFact) -> bool {
    fact.version.rank > greatest_rank()
}

/// Why it is not shared; `None`: it is.
pub(super) fn refusal(fact: &SharedFact) -> Option<&'static str> {
    if is_ahead(fact) {
        return Some("its time is more than a day ahead");
    }
    if length(fact).is_none() {
        return Some("it is too long");
    }
    let address = fact.name.strip_prefix('s')?.split('\n').next()?;
    // What is not on the list does no harm, and has to go from lists that have it.
    (fact.content.is_some() && !is_target(address, fact.ends_ms().is_some())).then_some("it is no address")
}

/// What a fact is about, fit to show.
pub(super) fn shown(name: &str) -> String {
    one_line(bounded(name.get(1..).unwrap_or_default(), 100)).trim_end().to_owned()
}

/// Whether a list of this host could have it: an address, or for a term a domain or a pattern.
fn is_target(text: &str, has_term: bool) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let domain = domain.strip_prefix("*.").unwrap_or(domain);
    let is_lower = match text.is_ascii() {
        true => !text.bytes().any(|byte| byte.is_ascii_uppercase()),
        false => text == text.to_lowercase(),
    };
    if text.len() > LONGEST_ADDRESS || !is_domain(domain) || !is_lower {
        return false;
    }
    let is_wide = local.is_empty() || local.contains('*');
    match local.is_empty() {
        _ if is_wide && is_registry(domain) => false,
        true => has_term,
        false if text.contains('*') => is_mailbox(&format!("{}@{domain}", local.replace('*', "x"))),
        false => is_mailbox(text),
    }
}

/// Whether what the shared store has in this field is taken over. What is not is named.
pub(super) fn is_believed(fact: &SharedFact, field: Option<&[u8; 10]>) -> bool {
    let misplaced = field.is_some_and(|field| place_of(&fact.name).field != *field);
    let why = if misplaced { Some("it is in the place of another") } else { refusal(fact) };
    if let Some(why) = why {
        let name = shown(&fact.name);
        tracing::warn!(name, why, "the shared store has a fact that is not taken over");
    }
    why.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FactVersion;

    fn fact(address: &str, rank: i64) -> SharedFact {
        let name = format!("s{address}\n\noperator\n");
        let content = Some("1\nreason\nfffffffffff".into());
        SharedFact { name, version: FactVersion { rank, host: 7 }, content }
    }

    #[test]
    fn what_no_list_could_have_is_refused() {
        for fine in ["a@b.example", "@b.example", "@*.b.example", "user+*@b.example", "\"a b\"@b.example"] {
            assert_eq!(refusal(&fact(fine, 1)), None, "{fine}");
        }
        let long = format!("{}@b.example", "a".repeat(9000));
        for bad in [
            "permit * ok",
            "PERMIT * OK",
            "",
            "@",
            "a b@b.example",
            "a@",
            "@com",
            "@co.uk",
            "@*.com.br",
            "x*@com",
            &long,
        ] {
            assert_eq!(refusal(&fact(bad, 1)), Some("it is no address"), "{bad}");
        }
    }

    #[test]
    fn a_time_far_ahead_is_refused() {
        let refused = |rank| refusal(&fact("a@b.example", rank)).is_some();
        assert!(
            refused(i64::MAX)
                && refused(greatest_rank() + (1 << 30))
                && !refused(greatest_rank() - (1 << 40))
        );
    }

    #[test]
    fn a_fact_in_the_place_of_another_is_refused() {
        let (one, other) = (fact("a@b.example", 1), fact("c@d.example", 1));
        assert!(is_believed(&one, Some(&place_of(&one.name).field)));
        assert!(!is_believed(&other, Some(&place_of(&one.name).field)));
    }
}
