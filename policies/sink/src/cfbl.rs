//! CFBL-Address (RFC 9477): where the sender of a message wants complaints about it.
//!
//! Not here: whether complaints may go out at all (`mapping`). Invariant: an address that nobody
//! signed for gets no complaint, so that nobody can send complaints to others.

use carom_policy::facts;

const FIELD: &str = "CFBL-Address";

/// The address that the message asks for, if it may.
pub fn address() -> Option<String> {
    let [field] = <[String; 1]>::try_from(facts::headers(FIELD)).ok()?;
    // `fbl@example.com; report=arf`
    let address = field.split(';').next()?.trim().trim_matches(['<', '>']).to_owned();
    let author = facts::addresses("From");
    let author = author.first()?;
    may_ask(&address, author, &facts::signing_domains(FIELD)).then_some(address)
}

/// Whether complaints about mail of `author` may go to `address`; `signers` are the domains whose
/// passing signatures cover the field. The author's domain has to sign it, and for an address
/// elsewhere that domain, too (RFC 9477 sections 3.1.1 to 3.1.3).
fn may_ask(address: &str, author: &str, signers: &[String]) -> bool {
    let domain = |address: &str| address.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase());
    let (Some(address), Some(author)) = (domain(address), domain(author)) else { return false };
    let signs = |domain: &str| signers.iter().any(|signer| is_within(domain, signer));
    signs(&author) && (is_within(&address, &author) || is_within(&author, &address) || signs(&address))
}

/// Whether a domain is this one or below it. A top-level domain has none below it.
fn is_within(domain: &str, other: &str) -> bool {
    let other = other.to_ascii_lowercase();
    let below = domain.strip_suffix(&other).is_some_and(|rest| rest.ends_with('.'));
    domain == other || below && other.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_author_signs_and_so_does_the_domain_of_an_address_elsewhere() {
        let may = |address: &str, signers: &[&str]| {
            let signers: Vec<String> = signers.iter().map(|signer| (*signer).to_owned()).collect();
            may_ask(address, "news@mail.shop.example", &signers)
        };
        assert!(may("fbl@mail.shop.example", &["mail.shop.example"]));
        assert!(may("fbl@shop.example", &["shop.example"]));
        assert!(may("fbl@in.mail.shop.example", &["MAIL.shop.example"]));
        assert!(may("fbl@provider.example", &["mail.shop.example", "provider.example"]));
        assert!(!may("fbl@provider.example", &["mail.shop.example"]));
        assert!(!may("fbl@provider.example", &["provider.example"]));
        assert!(!may("fbl@mail.shop.example", &[]));
        assert!(!may("fbl@mail.shop.example", &["example"]));
        assert!(!may("nobody", &["mail.shop.example"]));
    }
}
