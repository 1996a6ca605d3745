//! What RFC 7208 makes an error, and `mail_auth` overlooks: two records of one name (section 4.5),
//! a record with an error of syntax anywhere in it (4.6), and mechanisms that ask for too many
//! names that have no record (4.6.4).
//!
//! Not here: evaluating (`verify`). Invariant: only records that were evaluated are looked at, so
//! that a fault after what has matched costs nobody its pass.

use super::asked_names::AskedNames;
use super::auth_result::AuthResult;
use super::dns::Dns;
use super::dns_failure::DnsFailure;
use crate::deadline::Deadline;

/// Mechanisms that may ask for what does not exist (section 4.6.4).
const MAX_VOID: usize = 2;

/// Whether more names that do not exist were asked for than a record may ask for.
pub(super) fn asks_too_much(asked: &AskedNames) -> bool {
    asked.void_names() > MAX_VOID
}

/// What becomes of a pass that was found by asking for these names.
pub(super) fn pass_of(asked: &AskedNames, dns: &Dns, deadline: Deadline) -> AuthResult {
    for name in asked.texts() {
        let texts = match dns.texts(&name, deadline) {
            Ok(texts) => texts,
            Err(DnsFailure::Temporary(_)) => return AuthResult::TempError,
            Err(_) => return AuthResult::PermError,
        };
        let records: Vec<&Vec<u8>> = texts.iter().filter(|text| is_record(text)).collect();
        match &records[..] {
            [only] if str::from_utf8(only).is_ok_and(is_well_formed) => {}
            _ => return AuthResult::PermError,
        }
    }
    AuthResult::Pass
}

/// Whether a text is a record of SPF (section 4.5): the version is a word.
fn is_record(text: &[u8]) -> bool {
    let version = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    version.eq_ignore_ascii_case(b"v=spf1")
}

/// Whether a record fits the grammar of section 12.
fn is_well_formed(record: &str) -> bool {
    let terms: Vec<&str> = record.split(' ').skip(1).filter(|term| !term.is_empty()).collect();
    let named = |wanted: &str| {
        terms
            .iter()
            .filter_map(|term| modifier(term))
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .count()
    };
    record.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && terms.iter().all(|term| is_modifier(term) || is_directive(term))
        && named("redirect") <= 1
        && named("exp") <= 1
}

/// The name and the value of a modifier.
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let is_rest = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(is_rest);
    is_name.then_some((name, value))
}

fn is_modifier(term: &str) -> bool {
    modifier(term).is_some_and(|(name, value)| match name.to_ascii_lowercase().as_str() {
        "redirect" | "exp" => is_domain_spec(value),
        _ => is_macro_string(value),
    })
}

fn is_directive(term: &str) -> bool {
    let mechanism = term.strip_prefix(['+', '-', '?', '~']).unwrap_or(term);
    let end = mechanism.find([':', '/']).unwrap_or(mechanism.len());
    let (name, rest) = mechanism.split_at(end);
    let argument = rest.strip_prefix(':');
    match name.to_ascii_lowercase().as_str() {
        "all" => rest.is_empty(),
        "include" | "exists" => argument.is_some_and(is_domain_spec),
        "ptr" => rest.is_empty() || argument.is_some_and(is_domain_spec),
        "a" | "mx" => {
            let (domain, lengths) = before_lengths(rest);
            let is_domain = domain.is_empty() || domain.strip_prefix(':').is_some_and(is_domain_spec);
            is_domain && are_lengths(lengths)
        }
        "ip4" => argument.is_some_and(|network| is_network::<std::net::Ipv4Addr>(network, 32)),
        "ip6" => argument.is_some_and(|network| is_network::<std::net::Ipv6Addr>(network, 128)),
        _ => false,
    }
}

/// Divides `:domain/24//64`; a slash within a macro is part of the domain.
fn before_lengths(text: &str) -> (&str, &str) {
    let after_macro = text.rfind('}').map_or(0, |at| at + 1);
    let at = text[after_macro..].find('/').map_or(text.len(), |at| after_macro + at);
    text.split_at(at)
}

/// Whether these are no, one or two prefix lengths: `/24`, `//64` or `/24//64`.
fn are_lengths(lengths: &str) -> bool {
    let (v4, v6) = match lengths.split_once("//") {
        Some((v4, v6)) => (v4, Some(v6)),
        None => (lengths, None),
    };
    let is_v4 = v4.is_empty() || v4.strip_prefix('/').is_some_and(|length| is_length(length, 32));
    is_v4 && v6.is_none_or(|length| is_length(length, 128))
}

fn is_length(text: &str, most: u8) -> bool {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    is_number && text.parse::<u8>().is_ok_and(|length| length <= most)
}

fn is_network<A: std::str::FromStr>(text: &str, most: u8) -> bool {
    let (address, length) = text.split_once('/').map_or((text, None), |(a, length)| (a, Some(length)));
    address.parse::<A>().is_ok() && length.is_none_or(|length| is_length(length, most))
}

/// Whether a text is a domain, which may have macros. It ends in a macro or a top-level label
/// (section 7.1).
fn is_domain_spec(text: &str) -> bool {
    let top = text.strip_suffix('.').unwrap_or(text).rsplit_once('.').map_or("", |(_, top)| top);
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_top = !top.is_empty()
        && top.bytes().all(is_inner)
        && !top.bytes().all(|byte| byte.is_ascii_digit())
        && !top.starts_with('-')
        && !top.ends_with('-');
    let ends_in_macro = text.ends_with('}') || ["%%", "%_", "%-"].iter().any(|end| text.ends_with(end));
    (is_top || ends_in_macro) && is_macro_string(text)
}

/// Whether every percent sign begins a macro (section 7.1).
fn is_macro_string(text: &str) -> bool {
    let mut pieces = text.split('%');
    let mut after_double = false;
    pieces.next();
    let rest: Vec<&str> = pieces.collect();
    for (at, piece) in rest.iter().enumerate() {
        if std::mem::take(&mut after_double) {
            continue;
        }
        let is_double = piece.is_empty() && at + 1 < rest.len();
        after_double = is_double;
        let is_macro = || piece.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        if !is_double
            && !piece.starts_with(['_', '-'])
            && !is_macro().is_some_and(|(inner, _)| is_expansion(inner))
        {
            return false;
        }
    }
    true
}

/// Whether this may be in braces: a letter, a number, `r`, and delimiters.
fn is_expansion(inner: &str) -> bool {
    let Some(letter) = inner.chars().next() else { return false };
    let rest = &inner[letter.len_utf8()..];
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = rest.strip_prefix(['r', 'R']).unwrap_or(rest);
    "slodiphcrtv".contains(letter.to_ascii_lowercase()) && rest.chars().all(|c| ".-+,/_=".contains(c))
}

#[cfg(test)]
mod tests {
    use super::super::test_server::{self, Reply};
    use super::super::verify::spf;
    use super::*;
    use crate::config::DnsTable;
    use hickory_resolver::proto::op::ResponseCode;
    use hickory_resolver::proto::rr::rdata::{MX, TXT};
    use hickory_resolver::proto::rr::{Name, RData, RecordType};
    use std::net::Ipv4Addr;
    use std::time::Duration;

    /// Records of SPF, and names that have an address or an exchanger; nothing else exists.
    fn of_servers(name: &str, kind: RecordType) -> Reply {
        let text = match name {
            "two.example." => "v=spf1 a:a.example exists:b.example ip4:192.0.2.66 -all",
            "three.example." => "v=spf1 exists:c.example mx:b.example a:a.example ip4:192.0.2.66 -all",
            "empty.example." => "v=spf1 a:e1.example a:e2.example a:e3.example ip4:192.0.2.66 -all",
            "inner.example." => "v=spf1 a:a.example include:three.example -all",
            "again.example." => {
                "v=spf1 a:a.example a:a.example a:a.example mx:there.example ip4:192.0.2.66 -all"
            }
            "fails.example." => "v=spf1 a:a.example a:b.example a:c.example -all",
            "there.example." => match kind {
                RecordType::MX => {
                    let host = Name::from_ascii("host.example.").unwrap();
                    return Reply::Records(vec![RData::MX(MX::new(10, host))]);
                }
                RecordType::A => return Reply::Records(vec![RData::A(Ipv4Addr::new(192, 0, 2, 1).into())]),
                _ => return Reply::Records(Vec::new()),
            },
            empty if empty.starts_with('e') => return Reply::Records(Vec::new()),
            _ => return Reply::Code(ResponseCode::NXDomain),
        };
        match kind {
            RecordType::TXT => Reply::Records(vec![RData::TXT(TXT::new(vec![text.to_owned()]))]),
            _ => Reply::Records(Vec::new()),
        }
    }

    /// RFC 7208 section 4.6.4, with answers of servers and of the resolver's cache.
    #[test]
    fn a_record_may_ask_for_two_names_that_do_not_exist_and_no_more() {
        let (server, _) = test_server::serve(of_servers);
        let dns = Dns::open(&DnsTable { servers: vec![server], timeout: 1, ..DnsTable::default() }).unwrap();
        for _ in 0..2 {
            for (domain, result) in [
                ("two.example", AuthResult::Pass),
                ("three.example", AuthResult::PermError),
                ("empty.example", AuthResult::PermError),
                ("inner.example", AuthResult::PermError),
                ("again.example", AuthResult::Pass),
                ("fails.example", AuthResult::PermError),
            ] {
                let (sender, client) = (format!("joe@{domain}"), Ipv4Addr::new(192, 0, 2, 66).into());
                let deadline = Deadline::after(Duration::from_secs(20));
                assert_eq!(spf(&sender, "mx.example", client, &dns, deadline), result, "{domain}");
            }
        }
    }

    #[test]
    fn an_error_anywhere_in_a_record_is_found() {
        for good in [
            "v=spf1",
            "v=spf1 ",
            "V=SPF1 +A -all",
            "v=spf1 a:out.sender.example include:more.example -all",
            "v=spf1 exists:%{ir}.list.more.example mx ~all",
            "v=spf1  a/24//64 mx:a.example//64 a:%{d1r/}/24 ptr ?ptr:x.example ip4:192.0.2.0/24 ip6:2001:db8::/32",
            "v=spf1 exists:%{l1r+-}.%{d} redirect=_spf.%{d2} exp=explain._spf.%{d} unknown=%%x%_%-",
            "v=spf1 include:_spf.google.com. moo.cow-far_out=man -all",
            "v=spf1 ip4:0.0.0.0/0 all",
        ] {
            assert!(is_record(good.as_bytes()) && is_well_formed(good), "{good}");
        }
        for bad in [
            "v=spf1 ip4:203.0.113.9 ip4:999.1.1.1 -all",
            "v=spf1 ip4:192.0.2.0/33 -all",
            "v=spf1 ip4:192.0.2.0/024 -all",
            "v=spf1 ip4 -all",
            "v=spf1 ip6:192.0.2.1 -all",
            "v=spf1 include -all",
            "v=spf1 include: -all",
            "v=spf1 a:localhost -all",
            "v=spf1 a:x.123 -all",
            "v=spf1 a/33 -all",
            "v=spf1 all:x",
            "v=spf1 ipv4:192.0.2.1 -all",
            "v=spf1 exists:%{z}.example",
            "v=spf1 exists:%x.example",
            "v=spf1 a:x.example% -all",
            "v=spf1 redirect=a.example redirect=b.example",
            "v=spf1 a:b\u{fc}cher.example -all",
            "v=spf1 a,mx -all",
        ] {
            assert!(!is_well_formed(bad), "{bad}");
        }
        assert!(!is_record(b"v=spf10 -all") && !is_record(b"unrelated v=spf1"));
    }
}
