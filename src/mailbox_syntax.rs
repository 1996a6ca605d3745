//! The syntax of a mailbox (RFC 5321 section 4.1.2, RFC 6531).
//!
//! Not here: addresses in running text (`report`), and the length of a local part. Invariant: it
//! says yes or no about the whole text, and takes nothing off; another spelling means the same
//! mailbox.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};
use url::quirks::{domain_to_ascii, domain_to_unicode};

/// A path with its brackets has 256 octets (RFC 5321 section 4.5.3.1.3).
const MAX_ADDRESS: usize = 254;
const MAX_DOMAIN: usize = 255;
const MAX_LABEL: usize = 63;
/// Characters without width that come with copied text.
pub(crate) const INVISIBLE: [char; 6] =
    ['\u{feff}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{a0}'];

/// Splits an address at its last `@` into local part and domain; `None` when either is missing.
pub(crate) fn split_address(address: &str) -> Option<(&str, &str)> {
    let (local, domain) = address.rsplit_once('@')?;
    (!local.is_empty() && !domain.is_empty()).then_some((local, domain))
}

/// Whether all of this is one mailbox.
pub(crate) fn is_mailbox(text: &str) -> bool {
    split_address(text).is_some_and(|(local, domain)| is_local_part(local) && is_domain(domain))
}

/// Whether this can be an address in an envelope. Mail servers have more of them than there are
/// mailboxes: a local part is long, has dots anywhere, or is alone (`postmaster`); a domain has
/// underscores, hyphens anywhere, or a dot at its end.
pub(crate) fn is_envelope_address(text: &str) -> bool {
    let (local, domain) = text.rsplit_once('@').map_or((text, None), |(local, domain)| (local, Some(domain)));
    let is_label = |label: &str| {
        let is_inside = |c: char| matches!(c, '-' | '_') || is_in_label(c);
        (1..=MAX_LABEL).contains(&label.len()) && label.chars().all(is_inside)
    };
    let is_name = |domain: &str| domain.split('.').all(is_label);
    let is_plain = !local.is_empty() && local.chars().all(|c| c == '.' || is_atext(c));
    text.len() <= MAX_ADDRESS
        && (is_plain || is_quoted_string(local))
        && domain.is_none_or(|domain| is_name(undotted(domain)) || is_domain(domain))
}

/// Whether a mail server that writes this mailbox means no other. For what cannot be printed it
/// writes `?` or a blank.
pub(crate) fn is_unambiguous(text: &str) -> bool {
    is_mailbox(text) && !text.contains(['?', ' '])
}

/// A mailbox without quotation marks and backslashes that it does not need: `"joe"@a.example` and
/// `joe@a.example` are one (RFC 5321 section 4.1.2). An asterisk keeps its quotation marks, because
/// without them it is a pattern.
pub(crate) fn without_needless_quotes(mailbox: &str) -> Cow<'_, str> {
    let Some((local, domain)) = split_address(mailbox).filter(|(local, _)| is_quoted_string(local)) else {
        return mailbox.into();
    };
    let mut plain = String::with_capacity(local.len());
    let mut chars = local[1..local.len() - 1].chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    if is_dot_string(&plain) && !plain.contains('*') {
        return format!("{plain}@{domain}").into();
    }
    let needed: String =
        plain.chars().flat_map(|c| matches!(c, '"' | '\\').then_some('\\').into_iter().chain([c])).collect();
    match needed.len() + 2 == local.len() {
        true => mailbox.into(),
        false => format!("\"{needed}\"@{domain}").into(),
    }
}

/// An address as mail writes it: a mail server hands over the local part without the quotation
/// marks that it needs.
pub(crate) fn with_needed_quotes(address: &str) -> Cow<'_, str> {
    let Some((local, domain)) = split_address(address).filter(|(local, _)| !is_local_part(local)) else {
        return address.into();
    };
    format!("\"{}\"@{domain}", local.replace('\\', "\\\\").replace('"', "\\\"")).into()
}

/// Whether this can be what is before the `@` of a mailbox.
pub(crate) fn is_local_part(local: &str) -> bool {
    is_dot_string(local) || is_quoted_string(local)
}

/// Whether this can be the domain of a mailbox.
pub(crate) fn is_domain(domain: &str) -> bool {
    if let Some(literal) = domain.strip_prefix('[') {
        let inside = literal.strip_suffix(']').unwrap_or_default();
        return match inside.split_at_checked("IPv6:".len()) {
            Some((tag, six)) if tag.eq_ignore_ascii_case("IPv6:") => six.parse::<Ipv6Addr>().is_ok(),
            _ => inside.parse::<Ipv4Addr>().is_ok(),
        };
    }
    let is_label = |label: &str| {
        let is_inside = |c: char| c == '-' || is_in_label(c);
        (1..=MAX_LABEL).contains(&label.len())
            && label.chars().all(is_inside)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_number = domain.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    domain.len() <= MAX_DOMAIN && domain.split('.').all(is_label) && !is_number
}

/// An address or a domain without the dot that ends its domain: it names the root of DNS, and is no
/// part of a mailbox.
pub(crate) fn undotted(address: &str) -> &str {
    let is_named = |shorter: &&str| !shorter.is_empty() && !shorter.ends_with(['.', '@']);
    address.strip_suffix('.').filter(is_named).unwrap_or(address)
}

/// How logs may spell a mailbox: as it is, its domain in both spellings (RFC 5890), and in the
/// cases that occur of what is not ASCII. The case of ASCII is left to who compares.
pub(crate) fn spellings(mailbox: &str) -> Vec<String> {
    let mut found = vec![mailbox.to_owned()];
    let Some((local, domain)) = split_address(mailbox) else { return found };
    let ascii = domain_to_ascii(domain);
    let unicode = domain_to_unicode(&ascii);
    let domains = match ascii.is_empty() {
        true => vec![domain.to_owned()],
        false => vec![ascii, capitalized(&unicode), unicode.to_uppercase(), unicode],
    };
    for local in [local.to_owned(), local.to_lowercase(), local.to_uppercase(), capitalized(local)] {
        for domain in &domains {
            let spelling = format!("{local}@{domain}");
            if !found.iter().any(|known| known.eq_ignore_ascii_case(&spelling)) {
                found.push(spelling);
            }
        }
    }
    found
}

/// In lower case, but for the first letter.
fn capitalized(text: &str) -> String {
    let lower = text.to_lowercase();
    let mut chars = lower.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// An address, a domain or a pattern in the form in which it is looked up: the domain in A-labels
/// (RFC 5890), because both spellings of a domain in another script are one, and without the dot
/// at its end. Case is not touched.
pub(crate) fn in_a_labels(address: &str) -> Cow<'_, str> {
    let address = if address.contains('@') { undotted(address) } else { address };
    let (local, domain) = address.rsplit_once('@').map_or(("", address), |(local, domain)| (local, domain));
    let (below, domain) = domain.strip_prefix("*.").map_or(("", domain), |rest| ("*.", rest));
    if domain.is_ascii() {
        return Cow::Borrowed(address);
    }
    match url::Host::parse(domain) {
        Ok(url::Host::Domain(domain)) => {
            let at = if address.contains('@') { "@" } else { "" };
            Cow::Owned(format!("{local}{at}{below}{domain}"))
        }
        _ => Cow::Borrowed(address),
    }
}

/// A domain in the form in which it is kept and compared: in lower case, with A-labels, and without
/// the dot at its end.
pub(crate) fn normal_domain(domain: &str) -> String {
    in_a_labels(undotted(domain.trim())).to_lowercase()
}

/// A character of a domain, but for its hyphens and dots.
fn is_in_label(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() } else { is_text(c) }
}

fn is_atext(c: char) -> bool {
    const ATEXT: &str = "!#$%&'*+-/=?^_`{|}~";
    c.is_ascii_alphanumeric() || ATEXT.contains(c) || is_text(c)
}

fn is_dot_string(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

fn is_quoted_string(local: &str) -> bool {
    let Some(inside) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return false };
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        let is_fine = match c {
            '\\' => chars.next().is_some_and(|next| (' '..='~').contains(&next)),
            '"' => false,
            _ => (' '..='~').contains(&c) || is_text(c),
        };
        if !is_fine {
            return false;
        }
    }
    !inside.is_empty()
}

/// A character outside ASCII that may be in a mailbox (RFC 6531), without blanks and controls.
fn is_text(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace() && !INVISIBLE.contains(&c) && c != '\u{fffd}'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_has_one_form_without_needless_quotes() {
        for (written, plain) in [
            ("\"joe\"@x.example", "joe@x.example"),
            ("\"j\\oe\"@x.example", "joe@x.example"),
            ("\"a.b\"@x.example", "a.b@x.example"),
            ("\"a b\"@x.example", "\"a b\"@x.example"),
            ("\"a\\ \\b\"@x.example", "\"a b\"@x.example"),
            ("\"a\\\"b\"@x.example", "\"a\\\"b\"@x.example"),
            ("\"a@y.example\"@x.example", "\"a@y.example\"@x.example"),
            ("\".a\"@x.example", "\".a\"@x.example"),
            ("\"*\"@x.example", "\"*\"@x.example"),
            ("\"a\"b\"@x.example", "\"a\"b\"@x.example"),
            ("joe@x.example", "joe@x.example"),
            ("@x.example", "@x.example"),
        ] {
            assert_eq!(without_needless_quotes(written), plain);
        }
    }

    #[test]
    fn one_dot_at_the_end_of_a_domain_is_no_part_of_it() {
        for (written, form) in [
            ("joe@x.example.", "joe@x.example"),
            ("@x.example.", "@x.example"),
            ("@*.x.example.", "@*.x.example"),
            ("joe@b\u{fc}cher.example.", "joe@xn--bcher-kva.example"),
            ("joe@x.example..", "joe@x.example.."),
            ("joe@.", "joe@."),
            ("x.", "x."),
        ] {
            assert_eq!(in_a_labels(written), form);
        }
        assert_eq!((undotted("x.example."), undotted("."), undotted("")), ("x.example", ".", ""));
    }

    #[test]
    fn a_mailbox_is_the_whole_text_or_nothing() {
        for mailbox in [
            "a@x.example",
            "user=a@x.example",
            "'|*/`={a}@x.example",
            "\"a@y.example\"@x.example",
            "\"a\\\"b c\"@x.example",
            "jürgen@bücher.example",
            "a@[192.0.2.1]",
        ] {
            assert!(is_mailbox(mailbox), "{mailbox}");
        }
        for mailbox in ["a?b@x.example", "\"a b\"@x.example"] {
            assert!(is_mailbox(mailbox) && !is_unambiguous(mailbox), "{mailbox}");
        }
        for other in [
            "a@y.example@x.example",
            "a b@x.example",
            "a.@x.example",
            "<a@x.example>",
            "(a@x.example) b@x.example",
            "a@x.example;b@x.example",
            "\"a\"b\"@x.example",
            "\u{3000}a@x.example",
            "a@x.example\u{a0}",
            "\u{200b}a@x.example",
            "a@",
            "",
        ] {
            assert!(!is_mailbox(other), "{other}");
        }
    }

    #[test]
    fn envelopes_have_more_addresses_than_there_are_mailboxes() {
        let long = format!("{}@x.example", "a".repeat(200));
        for address in [
            "postmaster",
            "a..b.@x.example",
            "\"a@y.example>\"@x.example",
            "a@my_host.x.example.",
            "a@-x.example",
            "a@[IPv6:2001:db8::1]",
            "jürgen@bücher.example",
            &long,
        ] {
            assert!(is_envelope_address(address), "{address}");
        }
        let (too_long, label) = (format!("{}@x.example", "a".repeat(500)), format!("a@{}", "a".repeat(64)));
        for other in [
            "",
            "a@",
            "@x.example",
            "a@@x.example",
            "a@y@x.example",
            "a@x..example",
            "a@.x.example",
            "a@x..",
            "a@.",
            "a b@x.example",
            "a,b@x.example",
            "<a@x.example",
            "\"a@x.example",
            "a@[x]",
            "a@x y",
            &too_long,
            &label,
        ] {
            assert!(!is_envelope_address(other), "{other}");
        }
    }

    #[test]
    fn a_domain_in_other_scripts_has_one_form() {
        for (written, form) in [
            ("jürgen@bücher.example", "jürgen@xn--bcher-kva.example"),
            ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
            ("@*.BÜCHER.example", "@*.xn--bcher-kva.example"),
            ("shop+*@bücher.example", "shop+*@xn--bcher-kva.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("jürgen@example.org", "jürgen@example.org"),
            ("a@b\u{fffd}.example", "a@b\u{fffd}.example"),
            ("bücher", "xn--bcher-kva"),
            ("", ""),
        ] {
            assert_eq!(in_a_labels(written), form, "{written}");
        }
        for written in ["bücher.example", "BÜCHER.Example.", "XN--BCHER-KVA.example", " bücher.example "] {
            assert_eq!(normal_domain(written), "xn--bcher-kva.example", "{written}");
        }
        assert_eq!((normal_domain("A.example."), normal_domain("")), ("a.example".into(), String::new()));
    }
}
