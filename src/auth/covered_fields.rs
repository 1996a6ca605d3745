//! Header fields that ask for something in the sender's name, and count only if a DKIM signature
//! that passed covers them: CFBL-Address (RFC 9477) and List-Unsubscribe-Post (RFC 8058).
//!
//! Not here: sending a complaint or a request (`action`). Invariant: a field that somebody could
//! have added on the way asks for nothing; neither does one of two of the same name.

use super::auth_result::{AuthResult, Signature};
use crate::mailbox_syntax::split_address;
use crate::message::Message;
use url::Url;

/// The value of List-Unsubscribe-Post, and the body of the request (RFC 8058 section 3.1).
pub(crate) const ONE_CLICK: &str = "List-Unsubscribe=One-Click";

/// Where the sender wants complaints. The author's domain has to sign that, and for an address
/// elsewhere that domain, too (RFC 9477 sections 3.1.1 to 3.1.3), so that nobody sends complaints
/// to somebody else.
pub(crate) fn cfbl_address(message: &Message<'_>, signatures: &[Signature]) -> Option<String> {
    let value = only(message, "CFBL-Address")?;
    let mut parts = value.split(';').map(str::trim);
    let address = parts.next()?.trim_matches(['<', '>']).to_lowercase();
    let is_arf = parts.all(|part| match part.split_once('=') {
        Some((name, form)) if name.trim().eq_ignore_ascii_case("report") => {
            form.trim().eq_ignore_ascii_case("arf")
        }
        _ => true,
    });
    let (_, domain) = split_address(&address).filter(|_| is_arf)?;
    let author = message.author()?.to_lowercase();
    let (_, author) = split_address(&author)?;
    let signs = |domain: &str| {
        passed(signatures, &["cfbl-address"]).any(|signature| is_within(domain, &signature.domain))
    };
    let is_near = is_within(domain, author) || is_within(author, domain) || signs(domain);
    (signs(author) && is_near).then_some(address)
}

/// Whether a domain is this one or below it. A top-level domain has none below it.
fn is_within(domain: &str, other: &str) -> bool {
    let is_below = domain.strip_suffix(other).is_some_and(|rest| rest.ends_with('.'));
    domain == other || is_below && other.contains('.')
}

/// The address for a one-click request to unsubscribe: the first of List-Unsubscribe with https,
/// else the first with http, which only a listed host is asked at.
pub(crate) fn one_click(message: &Message<'_>, signatures: &[Signature]) -> Option<String> {
    let post = only(message, "List-Unsubscribe-Post")?;
    if post.trim() != ONE_CLICK {
        return None;
    }
    let list = only(message, "List-Unsubscribe")?;
    passed(signatures, &["list-unsubscribe", "list-unsubscribe-post"]).next()?;
    let pieces = list.split('<').skip(1).filter_map(|piece| piece.split_once('>'));
    let urls: Vec<Url> = pieces
        .map(|(reference, _)| reference.split_whitespace().collect::<String>())
        .filter_map(|reference| Url::parse(&reference).ok())
        .collect();
    let first = |scheme: &str| urls.iter().find(|url| url.scheme() == scheme);
    first("https").or_else(|| first("http")).map(|url| url.as_str().to_owned())
}

/// The field, if there is exactly one of this name.
fn only(message: &Message<'_>, name: &str) -> Option<String> {
    match message.headers(name).as_slice() {
        [value] => Some(value.clone()),
        _ => None,
    }
}

/// The signatures that passed and cover all of these fields.
fn passed<'a>(signatures: &'a [Signature], names: &'a [&str]) -> impl Iterator<Item = &'a Signature> {
    signatures.iter().filter(move |signature| {
        let covers = |name: &&str| signature.covered.iter().any(|covered| covered == name);
        signature.result == AuthResult::Pass && !signature.domain.is_empty() && names.iter().all(covers)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(domain: &str, result: AuthResult, covered: &[&str]) -> Signature {
        let covered = covered.iter().map(|&name| name.to_owned()).collect();
        Signature { domain: domain.into(), result, covered, ..Signature::default() }
    }

    fn cfbl(header: &str, signature: Signature) -> Option<String> {
        let message = format!("From: News <n@mail.Example.com>\r\n{header}\r\n\r\n");
        cfbl_address(&Message::read(message.as_bytes()), &[signature])
    }

    #[test]
    fn a_cfbl_address_needs_a_signature_of_the_author_that_covers_it() {
        let pass = |domain: &str| signature(domain, AuthResult::Pass, &["from", "cfbl-address"]);
        let header = "CFBL-Address: FBL@mail.example.com; report=arf";
        let address = Some("fbl@mail.example.com".to_owned());
        assert_eq!(cfbl(header, pass("example.com")), address);
        assert_eq!(cfbl(header, pass("mail.example.com")), address);
        assert_eq!(
            cfbl("CFBL-Address: <fbl@example.com>", pass("example.com")).as_deref(),
            Some("fbl@example.com")
        );
        for (header, signature) in [
            ("CFBL-Address: fbl@provider.example", pass("mail.example.com")),
            ("CFBL-Address: fbl@provider.example", pass("provider.example")),
            (header, pass("com")),
            (header, pass("ample.com")),
            (header, pass("other.example")),
            (header, pass("")),
            (header, signature("example.com", AuthResult::Pass, &["from"])),
            (header, signature("example.com", AuthResult::TempError, &["cfbl-address"])),
            ("CFBL-Address: fbl@mail.example.com; report=xarf", pass("example.com")),
            ("CFBL-Address: nobody", pass("example.com")),
            ("CFBL-Address: a@example.com\r\nCFBL-Address: b@example.com", pass("example.com")),
        ] {
            assert_eq!(cfbl(header, signature), None, "{header}");
        }
    }

    #[test]
    fn one_click_needs_both_fields_covered() {
        let both = ["list-unsubscribe", "list-unsubscribe-post"];
        let header = "List-Unsubscribe: <mailto:u@example.com>,\r\n <http://example.com/no>,\r\n \
                      <https://example.com/\r\n u?id=1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click";
        let asked = |header: &str, covered: &[&str], result: AuthResult| {
            let message = format!("{header}\r\n\r\n");
            one_click(&Message::read(message.as_bytes()), &[signature("any.example", result, covered)])
        };
        assert_eq!(asked(header, &both, AuthResult::Pass).as_deref(), Some("https://example.com/u?id=1"));
        assert_eq!(asked(header, &both[..1], AuthResult::Pass), None);
        assert_eq!(asked(header, &both, AuthResult::Fail), None);
        assert_eq!(asked(&header.replace("One-Click", "Many"), &both, AuthResult::Pass), None);
        let http = asked(&header.replace("https", "ftp"), &both, AuthResult::Pass);
        assert_eq!(http.as_deref(), Some("http://example.com/no"));
        assert_eq!(asked(&header.replace("http", "ftp"), &both, AuthResult::Pass), None);
    }
}
