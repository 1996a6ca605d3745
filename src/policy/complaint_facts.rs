//! Who complains, as far as a complaint shows it.
//!
//! Not here: reading the complaint (`report`), our own addresses (`own_and_lists`), and what
//! follows (policies). Invariant: nobody is guessed; a header field that was there when the message
//! was sent names no complainant, unless it has our signature.

use super::recipient_facts::RecipientFacts;
use crate::clock;
use crate::mailbox_syntax::split_address;
use crate::report;
use crate::return_path::day;

/// The field for tokens that is always read (RFC 9477).
const FEEDBACK_ID: &str = "CFBL-Feedback-ID";

/// A recipient who complains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaining {
    pub(crate) address: String,
    pub(crate) evidence: ComplaintEvidence,
}

/// What shows that a recipient complains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ComplaintEvidence {
    /// The report says so.
    Named,
    /// A token of ours for the address is in the report.
    Signed,
    /// The message went to this address only.
    OnlyRecipient,
}

impl RecipientFacts {
    /// The recipients who complain. Of the kinds of evidence only the best counts: what we signed,
    /// else what our log shows, else whom the report names.
    pub(crate) fn complainants(&self) -> Vec<Complaining> {
        let report = self.message.report();
        let named = || {
            let named = report.recipients.iter().filter(|one| one.named == Some(true));
            named.map(|one| one.original.as_ref().unwrap_or(&one.address).clone())
        };
        let mut signed: Vec<String> = self.signed_recipients();
        signed.extend(named().filter(|address| self.is_signed_for(address)));
        let mut signed = self.complaining(signed, ComplaintEvidence::Signed);
        if signed.is_empty() {
            signed = self.complaining(self.only_recipient(), ComplaintEvidence::OnlyRecipient);
        }
        if signed.is_empty() {
            signed = self.complaining(named(), ComplaintEvidence::Named);
        }
        signed
    }

    /// The recipients of the tokens and signed return paths in the message that is reported on.
    fn signed_recipients(&self) -> Vec<String> {
        let (paths, today) = (&self.message.config.return_paths, day(clock::now_ms()));
        if !paths.has_keys() {
            return Vec::new();
        }
        let original = &self.message.report().original;
        let chosen = || self.message.message(|message| report::original_header(message, &paths.header));
        let is_usual = paths.header.eq_ignore_ascii_case(FEEDBACK_ID);
        let fields = [original.cfbl_feedback_id.clone(), if is_usual { None } else { chosen() }];
        let words = |field: &String| -> Vec<String> {
            let separated = field.split(|c: char| c.is_whitespace() || ",;".contains(c));
            separated.map(|word| word.trim_matches(['<', '>', '"']).to_owned()).collect()
        };
        let tokens: Vec<String> = fields.iter().flatten().flat_map(words).take(10).collect();
        let tokens = tokens.iter().map(|token| paths.verify_token(token, today));
        let path = original.return_path.iter().map(|path| paths.verify(path, today));
        let verified = tokens.chain(path).flatten();
        verified.filter_map(|verified| verified.recipient.address().map(str::to_owned)).collect()
    }

    /// Whether an address is one of ours.
    pub(crate) fn is_own_address(&self, address: &str) -> bool {
        self.own().has(address) || self.is_in_own_domain(address)
    }

    /// Whether an address belongs to a mailing list.
    pub(crate) fn is_list_address(&self, address: &str) -> bool {
        self.own().has_list(address)
    }

    /// Those of these addresses that may complain, each once.
    fn complaining(
        &self,
        addresses: impl IntoIterator<Item = String>,
        evidence: ComplaintEvidence,
    ) -> Vec<Complaining> {
        let mut found: Vec<Complaining> = Vec::new();
        for address in addresses {
            let is_known = found.iter().any(|one| one.address.eq_ignore_ascii_case(&address));
            // Our signature shows that it is a recipient, in whatever domain.
            let is_foreign = evidence == ComplaintEvidence::Signed || !self.is_in_own_domain(&address);
            if !is_known && is_foreign && !self.own().has(&address) && !self.own().has_list(&address) {
                found.push(Complaining { address, evidence });
            }
        }
        found
    }

    /// Whether its domain takes our reports, or is configured as a sender's.
    pub(super) fn is_in_own_domain(&self, address: &str) -> bool {
        let Some((_, domain)) = split_address(address) else { return false };
        let config = &self.message.config;
        let own = split_address(&self.envelope().recipient).map_or("", |(_, own)| own);
        own.eq_ignore_ascii_case(domain)
            || config.return_paths.is_domain(domain)
            || config.applications.names(domain)
    }
}
