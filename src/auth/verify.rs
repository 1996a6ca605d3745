//! DKIM, SPF, DMARC and ARC, verified with `mail_auth`.
//!
//! Not here: when to verify (`origin`), and what follows from the result (policies). Invariants: a
//! message is verified with the CRLF line ends that it was sent with; at most `MAX_SIGNATURES`
//! signatures cost a key and a hash; a DNS that fails or is silent makes `TempError`, never `Fail`.

use super::auth_result::{AuthResult, SeenFields, Signature};
use super::dns::Dns;
use super::{dkim_rules, name, spf_rules};
use crate::deadline::Deadline;
use mail_auth::common::headers::Header;
use mail_auth::common::verify::VerifySignature;
use mail_auth::dkim::{DkimError, Signature as DkimSignature};
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DkimResult, DmarcResult, DnsError, Error, SpfOutput, SpfResult,
};
use memchr::memchr_iter;
use std::net::IpAddr;

/// Signatures of one message to verify, from the top.
const MAX_SIGNATURES: usize = 10;
/// Names of covered fields that are kept.
const MAX_COVERED: usize = 200;

/// Comparisons of header names that one signature may cost. Real ones cost thousands; one that
/// names a hundred thousand fields is an attack.
const MAX_COMPARISONS: usize = 10_000_000;

/// Bytes and lines of a header, and bytes of the signatures in it, that are parsed. Mail servers
/// take a tenth of that.
const MAX_HEADER: usize = 1 << 20;
const MAX_LINES: usize = 20_000;
const MAX_SIGNED: usize = 64 << 10;

/// Seals of one chain to verify; each costs a key and a signature. Real chains have one to four.
const MAX_SEALS: usize = 10;

/// The values of a header field, topmost first, as they were sent, with folding and comments.
/// Encoded words are not decoded: their contents could pass for syntax.
pub(crate) fn field_values(raw: &[u8], field: &str) -> Vec<String> {
    let Some(message) = parsed(head(raw)) else {
        return Vec::new();
    };
    let named = message.headers.iter().filter(|(name, _)| is_field(name, field));
    named.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
}

/// The header section, up to the first empty line.
fn head(raw: &[u8]) -> &[u8] {
    let empty_line_follows = |rest: &[u8]| rest.starts_with(b"\n\n") || rest.starts_with(b"\n\r\n");
    let end = memchr_iter(b'\n', raw).find(|at| empty_line_follows(&raw[*at..]));
    &raw[..end.map_or(raw.len(), |at| at + 1)]
}

/// Whether a message, or its header, can be parsed with little memory: a header of fields with two
/// letters would take thirty times its size, and so would a signature of that many names.
fn is_parsed(raw: &[u8]) -> bool {
    let head = head(raw);
    let is_signature = |line: &&[u8]| {
        let begins = |name: &str| line.get(..name.len()).is_some_and(|start| is_field(start, name));
        begins("DKIM-Signature") || begins("ARC-")
    };
    if head.len() > MAX_HEADER || memchr_iter(b'\n', head).count() > MAX_LINES {
        return false;
    }
    let (mut signatures, mut in_signature) = (0, false);
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        in_signature = is_signature(&line) || in_signature && matches!(line.first(), Some(b' ' | b'\t'));
        signatures += if in_signature { line.len() } else { 0 };
    }
    signatures <= MAX_SIGNED
}

fn parsed(raw: &[u8]) -> Option<AuthenticatedMessage<'_>> {
    is_parsed(raw).then(|| AuthenticatedMessage::parse(raw)).flatten()
}

fn is_field(name: &[u8], field: &str) -> bool {
    name.trim_ascii().eq_ignore_ascii_case(field.as_bytes())
}

/// The results of the DKIM signatures (RFC 6376) of a message with CRLF, from the top.
pub(crate) fn dkim(wire: &[u8], dns: &Dns, deadline: Deadline) -> Vec<Signature> {
    if !is_parsed(wire) {
        return vec![Signature { result: AuthResult::PermError, ..Signature::default() }];
    }
    let Some(mut message) = AuthenticatedMessage::parse(wire) else {
        return Vec::new();
    };
    let broken = message.errors.iter().filter(|error| is_field(error.name, "DKIM-Signature"));
    let none = || Signature { result: AuthResult::Neutral, ..Signature::default() };
    let broken = broken.map(|_| none());
    let mut signatures: Vec<Signature> = broken.take(MAX_SIGNATURES).collect();
    message.errors.clear();
    for signature in std::mem::take(&mut message.dkim_headers).into_iter().take(MAX_SIGNATURES) {
        let domain = signature.header.d.to_lowercase();
        let seen = seen_by(&signature.header);
        let result = one_signature(&mut message, signature, dns, deadline);
        signatures.push(Signature { domain, result, covered: seen.names.clone(), seen });
    }
    signatures
}

/// What a signature says that it covers, and when it was made.
fn seen_by(signature: &DkimSignature) -> SeenFields {
    let names = signature.h.iter().take(MAX_COVERED).map(|name| name.to_lowercase()).collect();
    SeenFields { names, at_s: Some(signature.t).filter(|at_s| *at_s > 0) }
}

/// What each signature of a message says of itself. None is verified.
pub(crate) fn said_by_signatures(raw: &[u8]) -> Vec<SeenFields> {
    let message = parsed(head(raw));
    let signatures = message.iter().flat_map(|message| message.dkim_headers.iter());
    signatures.take(MAX_SIGNATURES).map(|signature| seen_by(&signature.header)).collect()
}

/// Whether a domain that is asked for has signed this header with CRLF, its From and its Message-ID
/// among it, whatever became of the body: a report often returns none of it. Each of the two fields
/// is there once: a signature covers the last, and readers take the first.
pub(crate) fn is_signed_header(
    wire: &[u8],
    is_signer: impl Fn(&str) -> bool,
    dns: &Dns,
    deadline: Deadline,
) -> bool {
    const COVERED: [&str; 2] = ["From", "Message-ID"];
    let Some(mut message) = parsed(head(wire)) else { return false };
    let is_once =
        |field: &&str| message.headers.iter().filter(|(name, _)| is_field(name, field)).count() == 1;
    if !COVERED.iter().all(is_once) {
        return false;
    }
    message.errors.clear();
    for signature in std::mem::take(&mut message.dkim_headers).into_iter().take(MAX_SIGNATURES) {
        let covers = |field: &str| signature.header.h.iter().any(|name| name.eq_ignore_ascii_case(field));
        if !COVERED.iter().all(|field| covers(field)) || !is_signer(&signature.header.d.to_lowercase()) {
            continue;
        }
        for (.., hash) in &mut message.body_hashes {
            hash.clone_from(&signature.header.bh);
        }
        if one_signature(&mut message, signature, dns, deadline) == AuthResult::Pass {
            return true;
        }
    }
    false
}

/// Each signature is verified alone, so that one whose DNS is silent does not affect the others.
fn one_signature<'x>(
    message: &mut AuthenticatedMessage<'x>,
    mut signature: Header<'x, DkimSignature>,
    dns: &Dns,
    deadline: Deadline,
) -> AuthResult {
    let named = signature.header.h.len();
    let comparisons = named.saturating_mul(named.max(message.headers.len()));
    let has_name = name::absolute(&signature.header.domain_key()).is_some();
    if comparisons > MAX_COMPARISONS || !has_name || dkim_rules::is_void(&signature.header) {
        return AuthResult::PermError;
    }
    // carom sends no failure reports (RFC 6651): do not look up where the signer wants them.
    signature.header.r = false;
    message.dkim_headers = vec![signature];
    let Ok(authenticator) = dns.authenticator() else {
        return AuthResult::TempError;
    };
    let answers = dns.answers();
    let outputs = dns.wait(deadline, authenticator.verify_dkim(answers.ask(&*message)));
    match outputs.as_deref() {
        Some([output, ..]) => match (dkim_result(output.result()), output.signature()) {
            (AuthResult::Pass, Some(signature)) => dkim_rules::pass_of(signature, dns, deadline),
            (result, _) => result,
        },
        Some([]) => AuthResult::None,
        None => AuthResult::TempError,
    }
}

/// The Authentication-Results in a chain of seals (RFC 8617) of trusted `sealers`; `None` if the
/// chain is broken, or its last seal is not theirs. Of the trusted seals at the end of the chain
/// the first counts: that forwarder saw the message before the others changed it. With them, what
/// the last of them has signed of the message.
pub(crate) fn arc(
    wire: &[u8],
    sealers: &[String],
    dns: &Dns,
    deadline: Deadline,
) -> Option<(String, SeenFields)> {
    let message = parsed(wire)?;
    let (seals, last) = (&message.as_headers, message.ams_headers.last()?);
    let is_trusted = |domain: &str| sealers.iter().any(|sealer| sealer.eq_ignore_ascii_case(domain));
    let trusted = seals.iter().rev().take_while(|seal| is_trusted(&seal.header.d)).count();
    let comparisons = last.header.h.len().saturating_mul(last.header.h.len().max(message.headers.len()));
    let keys = seals.iter().map(|seal| seal.header.domain_key()).chain([last.header.domain_key()]);
    if trusted == 0
        || seals.len() > MAX_SEALS
        || comparisons > MAX_COMPARISONS
        || keys.into_iter().any(|key| name::absolute(&key).is_none())
    {
        return None;
    }
    let authenticator = dns.authenticator().ok()?;
    let answers = dns.answers();
    let output = dns.wait(deadline, authenticator.verify_arc(answers.ask(&message)))?;
    if *output.result() != DkimResult::Pass {
        return None;
    }
    let results = message.aar_headers.get(seals.len() - trusted)?;
    let names = last.header.h.iter().take(MAX_COVERED).map(|name| name.to_lowercase()).collect();
    let seen = SeenFields { names, at_s: Some(last.header.t).filter(|at_s| *at_s > 0) };
    Some((String::from_utf8_lossy(results.value).into_owned(), seen))
}

fn dkim_result(result: &DkimResult) -> AuthResult {
    match result {
        DkimResult::Pass => AuthResult::Pass,
        DkimResult::Neutral(Error::Dkim(DkimError::FailedBodyHashMatch | DkimError::SignatureExpired)) => {
            AuthResult::Fail
        }
        DkimResult::Neutral(_) => AuthResult::Neutral,
        DkimResult::Fail(_) => AuthResult::Fail,
        DkimResult::PermError(_) => AuthResult::PermError,
        DkimResult::TempError(_) => AuthResult::TempError,
        DkimResult::None => AuthResult::None,
    }
}

/// Whether a client may send for a domain (RFC 7208): the sender's, or the HELO name for the null
/// sender.
pub(crate) fn spf(sender: &str, helo: &str, client: IpAddr, dns: &Dns, deadline: Deadline) -> AuthResult {
    if name::absolute(mail_from_domain(sender, helo)).is_none() {
        return AuthResult::None;
    }
    let parameters = if sender.is_empty() {
        SpfParameters::verify_ehlo(client, helo, helo)
    } else {
        SpfParameters::verify_mail_from(client, helo, helo, sender)
    };
    let Ok(authenticator) = dns.authenticator() else {
        return AuthResult::TempError;
    };
    let answers = dns.answers();
    let output = dns.wait(deadline, authenticator.check_host(answers.ask(parameters)));
    match output.map(|output| output.result()) {
        Some(SpfResult::TempError) | None => AuthResult::TempError,
        Some(_) if spf_rules::asks_too_much(&answers.asked) => AuthResult::PermError,
        Some(SpfResult::Pass) => spf_rules::pass_of(&answers.asked, dns, deadline),
        Some(SpfResult::Fail) => AuthResult::Fail,
        Some(SpfResult::SoftFail) => AuthResult::SoftFail,
        Some(SpfResult::Neutral) => AuthResult::Neutral,
        Some(SpfResult::None) => AuthResult::None,
        Some(SpfResult::PermError) => AuthResult::PermError,
    }
}

/// The domain that SPF checks.
pub(crate) fn mail_from_domain<'a>(sender: &'a str, helo: &'a str) -> &'a str {
    sender.rsplit_once('@').map_or(helo, |(_, domain)| domain)
}

/// Whether a verified domain is aligned with the From domain (RFC 7489 section 3.1, RFC 9989). A
/// From that is read here otherwise than as `author`, or that is not one mailbox, is an error: what
/// passes for one address must not count for another.
pub(crate) fn dmarc(
    (raw, author): (&[u8], Option<&str>),
    signatures: &[Signature],
    (spf_domain, spf): (&str, AuthResult),
    dns: &Dns,
    deadline: Deadline,
) -> AuthResult {
    let Some(message) = parsed(head(raw)) else {
        return AuthResult::PermError;
    };
    let is_author = |from: &String| author.is_some_and(|author| author.to_lowercase() == *from);
    if !message.from.is_empty() && !matches!(&message.from[..], [only] if is_author(only)) {
        return AuthResult::PermError;
    }
    let mut domains = message.from.iter().map(|from| from.rsplit_once('@').map_or("", |(_, domain)| domain));
    if !domains.all(|domain| name::absolute(domain).is_some()) {
        return AuthResult::PermError;
    }
    let signed: Vec<(DkimSignature, AuthResult)> = signatures
        .iter()
        .map(|signature| {
            (DkimSignature { d: signature.domain.clone(), ..Default::default() }, signature.result)
        })
        .collect();
    let temporary = || Error::Dns(DnsError::Resolver(String::new()));
    let outputs: Vec<DkimOutput<'_>> = signed
        .iter()
        .filter_map(|(signature, result)| match result {
            AuthResult::Pass => Some(DkimOutput::pass().with_signature(signature)),
            AuthResult::TempError => Some(DkimOutput::temp_err(temporary()).with_signature(signature)),
            _ => None,
        })
        .collect();
    let spf_result = match spf {
        AuthResult::Pass => SpfResult::Pass,
        AuthResult::TempError => SpfResult::TempError,
        _ => SpfResult::None,
    };
    let spf_output = SpfOutput::new(spf_domain.to_owned()).with_result(spf_result);
    let parameters = DmarcParameters::new(&message, &outputs, spf_domain, &spf_output);
    let Ok(authenticator) = dns.authenticator() else {
        return AuthResult::TempError;
    };
    let answers = dns.answers();
    let output = dns.wait(deadline, authenticator.verify_dmarc(answers.ask(parameters)));
    match output.map(|output| output.result()) {
        Some(DmarcResult::Pass) => AuthResult::Pass,
        Some(DmarcResult::Fail(_)) => AuthResult::Fail,
        Some(DmarcResult::None) => AuthResult::None,
        Some(DmarcResult::PermError(_)) => AuthResult::PermError,
        Some(DmarcResult::TempError(_)) | None => AuthResult::TempError,
    }
}
