//! The form in which an address that a mail server asks about is on the suppression list.
//!
//! Postfix gives local parts without their quotation marks (`john doe@example.com`), the list has
//! them as RFC 5321 writes them. Not here: the look-up (`store`). Invariant: spellings that mean
//! one mailbox have one form; what is no address has none.

use crate::mailbox_syntax::{is_local_part, normal_domain, split_address, undotted};

/// Octets of an address at most: with longer ones there is nothing to find.
const LONGEST: usize = 1000;

/// The form on the list; `None`: no address.
pub(super) fn listed(address: &str) -> Option<String> {
    let (local, domain) = split_address(address)?;
    let address = undotted(address);
    if address.len() > LONGEST || domain.contains(['*', ' ']) {
        return None;
    }
    let lower = address.to_lowercase();
    if is_local_part(local) {
        return Some(lower);
    }
    let (local, domain) = lower.rsplit_once('@')?;
    Some(format!("\"{}\"@{domain}", local.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// The domain of a sender as entries of the list name it; empty: the null sender.
pub(super) fn domain_of(sender: &str) -> String {
    split_address(sender).map_or(String::new(), |(_, domain)| normal_domain(domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_its_quotation_marks_gets_them_back() {
        for (asked, form) in [
            ("Ann@Example.COM", Some("ann@example.com")),
            ("john doe@example.com", Some("\"john doe\"@example.com")),
            ("\"john doe\"@example.com", Some("\"john doe\"@example.com")),
            ("a\"b@example.com", Some("\"a\\\"b\"@example.com")),
            ("a@b@example.com", Some("\"a@b\"@example.com")),
            (".a@example.com", Some("\".a\"@example.com")),
            ("shop+*@example.com", Some("shop+*@example.com")),
            ("jürgen@bücher.example", Some("jürgen@bücher.example")),
            ("john doe@Example.com.", Some("\"john doe\"@example.com")),
            ("ann@*.example", None),
            ("ann", None),
            ("@example.com", None),
            ("ann@", None),
            ("", None),
        ] {
            assert_eq!(listed(asked).as_deref(), form, "{asked}");
        }
        assert_eq!(listed(&format!("{}@example.com", "x".repeat(1000))), None);
        assert_eq!(domain_of("Ann@Shop.Example"), "shop.example");
        assert_eq!(domain_of("a@shop.example."), "shop.example");
        assert_eq!(domain_of("a@B\u{fc}cher.example"), "xn--bcher-kva.example");
        assert_eq!(domain_of(""), "");
    }
}
