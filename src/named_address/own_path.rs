//! A return path of ours that was cut or altered on its way: its day and its tag prove nothing any
//! more, and it still names the recipient.
//!
//! Not here: return paths as they were signed (`return_path`). Invariant: what is before the
//! recipient has at most as many parts as a day and a tag.

use super::address_edges::{belongs, domain_ends, is_of_word};
use memchr::memmem;

/// Parts before the recipient: the day and the tag, or what is left of them.
const PARTS: usize = 2;

pub(super) struct OwnPath {
    prefix: String,
    domain: String,
}

impl OwnPath {
    pub(super) fn new(prefix: &str, domain: &str) -> OwnPath {
        OwnPath { prefix: prefix.to_lowercase(), domain: domain.to_lowercase() }
    }

    /// Whether the recipient begins after this text, in lower case.
    pub(super) fn recipient_begins(&self, before: &[u8]) -> bool {
        let start = before.iter().rposition(|byte| !belongs(*byte)).map_or(0, |place| place + 1);
        let word = &before[start..];
        let prefix = self.prefix.as_bytes();
        let at = if prefix.is_empty() { Some(0) } else { memmem::rfind(word, prefix) };
        let Some(at) = at.filter(|at| *at == 0 || !is_of_word(word[at - 1])) else { return false };
        let parts = &word[at + prefix.len()..];
        let are_parts = parts.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        let ends = parts.iter().filter(|byte| **byte == b'-').count();
        are_parts && ends <= PARTS && parts.last().is_none_or(|last| *last == b'-')
    }

    /// Whether what is between these texts is its recipient.
    pub(super) fn is_around(&self, before: &[u8], after: &[u8]) -> bool {
        let domain = after.strip_prefix(b"@").and_then(|rest| rest.strip_prefix(self.domain.as_bytes()));
        domain.is_some_and(domain_ends) && self.recipient_begins(before)
    }
}

/// The length of what follows a local part, if it is nothing, or `=` and the beginning of its
/// domain, and no more.
pub(super) fn cut_domain(after: &[u8], domain: &str) -> Option<usize> {
    if after.first().is_none_or(|next| !belongs(*next)) {
        return Some(0);
    }
    let rest = after.strip_prefix(b"=")?;
    let end = rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len());
    let is_cut = end < domain.len() && domain.as_bytes().starts_with(&rest[..end]);
    is_cut.then_some(1 + end)
}
