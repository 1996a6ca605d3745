//! Domain names that may be looked up.
//!
//! Not here: parsing addresses, and asking. Invariant: what `absolute` returns is lower case, ends
//! with a dot, fits the limits of RFC 1035 section 2.3.4, and contains only letters, digits,
//! hyphens and underscores, so that it is safe in a query, a log and a file name.

/// The absolute form of a domain name, `example.com.`; `None` if neither mail nor its
/// authentication uses such names. Names in other scripts become A-labels (RFC 5891).
pub(crate) fn absolute(name: &str) -> Option<String> {
    let mut absolute = if name.is_ascii() {
        name.to_ascii_lowercase()
    } else {
        match url::Host::parse(name).ok()? {
            url::Host::Domain(domain) => domain,
            url::Host::Ipv4(_) | url::Host::Ipv6(_) => return None,
        }
    };
    if !absolute.ends_with('.') {
        absolute.push('.');
    }
    let relative = &absolute[..absolute.len() - 1];
    if relative.len() > 253 || !relative.split('.').all(is_label) {
        return None;
    }
    let top = relative.rsplit('.').next().unwrap_or_default();
    (!top.bytes().all(|byte| byte.is_ascii_digit())).then_some(absolute)
}

fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len()) && label.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::absolute;

    #[test]
    fn names_are_made_absolute_and_lower_case() {
        assert_eq!(absolute("Mail.Example.COM").as_deref(), Some("mail.example.com."));
        assert_eq!(absolute("s1._domainkey.example.com.").as_deref(), Some("s1._domainkey.example.com."));
        assert_eq!(absolute("bücher.example").as_deref(), Some("xn--bcher-kva.example."));
    }

    #[test]
    fn odd_names_are_never_asked() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = format!("{}example", "abcdefgh.".repeat(30));
        let odd = ["", ".", "a..b", ".a", "a b.example", "a\0.example", "a/b", "192.0.2.1", "[192.0.2.1]"];
        for name in odd.into_iter().chain([long_label.as_str(), long_name.as_str()]) {
            assert_eq!(absolute(name), None, "{name:?}");
        }
    }
}
