//! What RFC 6376 and RFC 8301 forbid, and `mail_auth` lets pass.
//!
//! Not here: verifying (`verify`). Invariant: nothing here makes a signature pass.

use super::auth_result::AuthResult;
use super::dns::Dns;
use super::dns_failure::DnsFailure;
use crate::deadline::Deadline;
use mail_auth::common::crypto::Algorithm;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::{DomainKey, VerifySignature};
use mail_auth::dkim::Signature as DkimSignature;

/// Whether no key can make this signature pass: it does not cover From, so that anybody can put
/// another author in (RFC 6376 section 6.1.1), or it uses SHA-1 (RFC 8301 section 3.1).
pub(super) fn is_void(signature: &DkimSignature) -> bool {
    let covers_from = signature.h.iter().any(|name| name.eq_ignore_ascii_case("From"));
    !covers_from || signature.a == Algorithm::RsaSha1
}

/// What becomes of a signature that passed, by the rules of its key (RFC 6376 sections 3.6.1 and
/// 6.1.2).
pub(super) fn pass_of(signature: &DkimSignature, dns: &Dns, deadline: Deadline) -> AuthResult {
    let texts = match dns.texts(&signature.domain_key(), deadline) {
        Ok(texts) => texts,
        Err(DnsFailure::Temporary(_)) => return AuthResult::TempError,
        Err(_) => return AuthResult::PermError,
    };
    // The record that was used: the first that is a key.
    let record = texts.iter().find(|text| DomainKey::parse(text).is_ok());
    record.map_or(AuthResult::PermError, |record| by_key(&String::from_utf8_lossy(record)))
}

/// What a signature with SHA-256 that fits this key record is.
fn by_key(record: &str) -> AuthResult {
    let names = |tag: &str, wanted: &[&str]| {
        let value = tag_value(record, tag).filter(|value| !value.is_empty())?;
        Some(value.split(':').any(|one| wanted.iter().any(|name| one.trim().eq_ignore_ascii_case(name))))
    };
    let is_for_mail = names("s", &["*", "email"]).unwrap_or(true);
    let allows_hash = names("h", &["sha256"]).unwrap_or(true);
    match names("t", &["y"]) {
        _ if !is_for_mail || !allows_hash => AuthResult::PermError,
        // The domain tests: its mail is to be treated as if it were not signed.
        Some(true) => AuthResult::Neutral,
        _ => AuthResult::Pass,
    }
}

/// The value of a tag (section 3.2). Of several the last counts; names are in lower case.
fn tag_value<'a>(record: &'a str, tag: &str) -> Option<&'a str> {
    let tags = record.split(';').filter_map(|one| one.split_once('='));
    tags.filter(|(name, _)| name.trim() == tag).map(|(_, value)| value.trim()).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_what_it_is_for() {
        let of = |tags: &str| by_key(&format!("v=DKIM1; {tags}; p=AAAA"));
        for allowed in ["k=rsa", "t=s", "s=*", "s = other : email", "h=sha1:sha256", "n=t=y", "t=", "h=; s="]
        {
            assert_eq!(of(allowed), AuthResult::Pass, "{allowed}");
        }
        for forbidden in ["s=tlsrpt", "h=sha1", "t=y; s=tlsrpt"] {
            assert_eq!(of(forbidden), AuthResult::PermError, "{forbidden}");
        }
        assert_eq!((of("t=y"), of("t=s:y")), (AuthResult::Neutral, AuthResult::Neutral));
    }
}
