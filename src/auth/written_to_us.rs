//! Whether the author of a message wrote it, to us, and recently: the one question behind every
//! effect that the word of an author has.
//!
//! DMARC says that a message was once written by somebody of the From domain. It does not say to
//! whom and when: anybody who has a signed message can send it again. So a signature counts here
//! only if it covers an address of ours in To or Cc, and a time. A client of the domain that
//! connects now (SPF) needs neither. Not here: what follows (`release`, `policy/proof`).
//! Invariants: the domain's own alignment (`adkim`, `aspf`) decides which other domain speaks for
//! it, and without a DMARC record none does; what nobody has vouched for counts for nothing.

use super::auth_result::{AuthResult, SeenFields, Signature};
use super::name::absolute;
use super::origin::Check;
use super::verify;
use crate::clock;
use crate::mailbox_syntax::split_address;

/// Fields that say whom a message is for.
const TO: [&str; 2] = ["to", "cc"];

impl Check<'_, '_> {
    /// Whether the one author of the message has written it to an address that is ours, at
    /// `since_ms` or later.
    pub(crate) fn is_written_to_us(&self, since_ms: i64, is_ours: &dyn Fn(&str) -> bool) -> bool {
        // The Received header, which says who the client is, is no word of ours.
        if !self.signed_only && self.trusted().is_none() {
            return false;
        }
        let Some(author) = self.message.author() else { return false };
        let reaches = |seen: &SeenFields| self.is_for_us(seen, is_ours) && self.is_made_since(seen, since_ms);
        if self.spf() == AuthResult::Pass && self.vouches(&author, &[], AuthResult::Pass) {
            return true;
        }
        if self.trusted().is_some() {
            let said = verify::said_by_signatures(self.message.raw());
            return self.is_trusted_for(&author) && !said.is_empty() && said.iter().all(reaches);
        }
        let passed = self.signatures().iter().filter(|one| one.result == AuthResult::Pass);
        let fresh: Vec<Signature> = passed.filter(|one| reaches(&one.seen)).cloned().collect();
        !fresh.is_empty() && self.vouches(&author, &fresh, AuthResult::None)
    }

    /// Whether DMARC passes by these signatures, or by this result of SPF. A domain without a
    /// record speaks only for itself.
    fn vouches(&self, author: &str, signatures: &[Signature], spf: AuthResult) -> bool {
        let helo = self.client_helo().unwrap_or_default();
        let spf_domain = verify::mail_from_domain(&self.envelope.sender, helo);
        let from = (self.message.raw(), Some(author));
        match verify::dmarc(from, signatures, (spf_domain, spf), self.dns, self.deadline) {
            AuthResult::Pass => true,
            AuthResult::None => {
                let own = split_address(author).and_then(|(_, domain)| absolute(domain));
                let is_own = |domain: &str| own.is_some() && absolute(domain) == own;
                spf == AuthResult::Pass && is_own(spf_domain)
                    || signatures.iter().any(|signature| is_own(&signature.domain))
            }
            _ => false,
        }
    }

    /// Whether a trusted server says that DMARC passes for the domain of this author.
    fn is_trusted_for(&self, author: &str) -> bool {
        let Some(trusted) = self.trusted() else { return false };
        let own = split_address(author).and_then(|(_, domain)| absolute(domain));
        let judged = trusted.dmarc_domain.as_deref().and_then(absolute);
        own.is_some() && judged == own && trusted.dmarc == Some(AuthResult::Pass)
    }

    /// Whether a field that names one of us was seen. There is only one: readers differ otherwise.
    fn is_for_us(&self, seen: &SeenFields, is_ours: &dyn Fn(&str) -> bool) -> bool {
        let names_us = |field: &&&str| {
            self.message.headers(field).len() == 1
                && self.message.addresses(field).iter().any(|address| is_ours(address))
        };
        let is_seen = |field: &&&str| seen.names.iter().any(|name| name == **field);
        TO.iter().filter(is_seen).any(|field| names_us(&field))
    }

    /// Whether a time was seen, and each that was is this one or later. They are in seconds.
    fn is_made_since(&self, seen: &SeenFields, since_ms: i64) -> bool {
        let dates = self.message.headers("Date");
        let is_dated = seen.names.iter().any(|name| name == "date");
        let date = is_dated.then(|| dates.iter().map(|date| clock::parse_date(date)));
        let signed = seen.at_s.map(|at_s| i64::try_from(at_s).ok()?.checked_mul(1000));
        let mut times = date.into_iter().flatten().chain(signed).peekable();
        let is_late = |at_ms: Option<i64>| at_ms.is_some_and(|at_ms| at_ms.saturating_add(999) >= since_ms);
        times.peek().is_some() && times.all(is_late)
    }
}
