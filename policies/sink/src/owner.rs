//! Whether the sender owns the return path: only then is it answered.
//!
//! Not here: which mail exchangers may be answered (`mapping`). Invariant: a signature of a domain
//! that somebody else may have says nothing about the return path.

use carom_policy::facts::{self, DkimSignature, Verdict};

/// Whose a return path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The sender's, or the return path is empty.
    Sender,
    /// Not known now: DNS did not answer.
    Unknown,
    /// Perhaps somebody else's.
    Stranger,
}

/// The owner as SPF or a DKIM signature of the same organization shows it.
pub fn owner() -> Owner {
    let sender = facts::sender();
    if sender.is_empty() {
        return Owner::Sender;
    }
    match by_signatures(&sender, &facts::dkim_signatures()) {
        Owner::Sender => Owner::Sender,
        otherwise => match by_spf() {
            Owner::Stranger => otherwise,
            known => known,
        },
    }
}

/// The owner as SPF alone shows it.
pub fn by_spf() -> Owner {
    match facts::spf() {
        Verdict::Pass => Owner::Sender,
        Verdict::TempError => Owner::Unknown,
        _ => Owner::Stranger,
    }
}

fn by_signatures(sender: &str, signatures: &[DkimSignature]) -> Owner {
    let domain = sender.rsplit_once('@').map_or("", |(_, domain)| domain);
    let has = |verdict| {
        signatures.iter().any(|one| one.verdict == verdict && is_same_organization(&one.domain, domain))
    };
    match (has(Verdict::Pass), has(Verdict::TempError)) {
        (true, _) => Owner::Sender,
        (false, true) => Owner::Unknown,
        (false, false) => Owner::Stranger,
    }
}

/// Whether two domains are one organization's: equal, or one below the other.
///
/// Strangers have names side by side below `co.uk`, `onmicrosoft.com`, `github.io` and
/// `s3.amazonaws.com`, and nobody can list all of these: then SPF has to show who owns the return
/// path.
fn is_same_organization(one: &str, other: &str) -> bool {
    let labels = |domain: &str| -> Vec<String> {
        domain.trim_end_matches('.').to_ascii_lowercase().rsplit('.').map(str::to_owned).collect()
    };
    let (one, other) = (labels(one), labels(other));
    let shared = one.iter().zip(&other).take_while(|(left, right)| left == right && !left.is_empty()).count();
    shared > 1 && (shared == one.len() || shared == other.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(domain: &str, verdict: Verdict) -> DkimSignature {
        DkimSignature { domain: domain.into(), verdict }
    }

    #[test]
    fn a_signature_shows_who_owns_the_return_path_only_within_one_organization() {
        for (domain, sender, is_owner) in [
            ("sender.example", "a@sender.example", true),
            ("sender.example", "a@bounces.Sender.example.", true),
            ("mail.sender.example", "a@sender.example", true),
            ("news.sender.example", "a@bounces.sender.example", false),
            ("a.news.sender.example", "a@b.news.sender.example", false),
            ("a.mail.sender.co.uk", "a@sender.co.uk", true),
            ("other.example", "a@sender.example", false),
            ("dersender.example", "a@sender.example", false),
            ("sender.example.net", "a@sender.example", false),
            ("other.co.uk", "a@sender.co.uk", false),
            ("other.uk.com", "a@sender.uk.com", false),
            ("other.github.io", "a@sender.github.io", false),
            ("other.onmicrosoft.com", "a@sender.onmicrosoft.com", false),
            ("example", "a@sender.example", false),
            ("", "a@sender.example", false),
            ("sender.example", "a", false),
        ] {
            let whose = |verdict| by_signatures(sender, &[signed(domain, verdict)]);
            let (passed, unknown) = match is_owner {
                true => (Owner::Sender, Owner::Unknown),
                false => (Owner::Stranger, Owner::Stranger),
            };
            assert_eq!(whose(Verdict::Pass), passed, "{domain} {sender}");
            assert_eq!(whose(Verdict::TempError), unknown, "{domain} {sender}");
            assert_eq!(whose(Verdict::Fail), Owner::Stranger, "{domain} {sender}");
        }
    }
}
