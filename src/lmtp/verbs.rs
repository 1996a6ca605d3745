//! A command line of SMTP or LMTP, read: RFC 5321, 2033, 1870, 3030, 3461 and 6531, and Postfix's
//! XFORWARD.
//!
//! Not here: whether the command may come now (`conversation`). It is own code because the crate
//! smtp-proto knows no XFORWARD. Invariant: what is not understood whole is refused, and nothing
//! that is read has a control character.

use super::written_text::{PATH, original_recipient, xtext};
use crate::envelope::{Envelope, WantedReport};
use crate::mailbox_syntax::is_envelope_address;
use std::net::IpAddr;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Hello(Hello, String),
    Mail(MailFrom),
    Rcpt(RcptTo),
    Data,
    Bdat { size: u64, last: bool },
    Xforward(Vec<ForwardedFact>),
    StartTls,
    Auth,
    Rset,
    Noop,
    Vrfy,
    Help,
    Quit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hello {
    Helo,
    Ehlo,
    Lhlo,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MailFrom {
    /// Empty for the null sender.
    pub(crate) sender: String,
    /// The size that the client announces.
    pub(crate) size: Option<u64>,
    /// Addresses may have characters beyond ASCII (SMTPUTF8).
    pub(crate) utf8: bool,
    pub(crate) envid: Option<String>,
    /// RET=HDRS.
    pub(crate) header_only: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RcptTo {
    pub(crate) recipient: String,
    /// The recipient before aliasing (ORCPT).
    pub(crate) original: Option<String>,
    /// The reports that the sender asks for (NOTIFY).
    pub(crate) notify: Option<Vec<WantedReport>>,
}

/// What XFORWARD says about the client of the mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ForwardedFact {
    /// `None`: there was none.
    Address(Option<IpAddr>),
    Helo(Option<String>),
    QueueId(Option<String>),
    /// What nobody asks for, whatever it says: with the line, the address would be lost.
    Other,
}

/// The reply to a line that is not understood.
pub(crate) type BadCommand = &'static str;

const SYNTAX: BadCommand = "501 5.5.4 syntax error in parameters";
const BAD_RECIPIENT: BadCommand = "501 5.1.3 bad address syntax";
const BAD_SENDER: BadCommand = "501 5.1.7 bad address syntax";
const UNKNOWN_PARAMETER: BadCommand = "555 5.5.4 parameter not supported";

/// Methods of HTTP. A page in a browser can send them to a port, and commands after them.
const HTTP: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"];

/// Whether the line is of HTTP or of a message, so that what follows it may be no commands of the
/// client: a method, or a header field.
pub(crate) fn is_foreign(line: &[u8]) -> bool {
    let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    let is_name = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    let is_field = word.strip_suffix(b":").is_some_and(|name| !name.is_empty() && is_name(name));
    is_field || HTTP.iter().any(|method| word.eq_ignore_ascii_case(method.as_bytes()))
}

impl Verb {
    /// Reads a line without its end.
    pub(crate) fn read(line: &[u8]) -> Result<Verb, BadCommand> {
        let line = std::str::from_utf8(line).map_err(|_| "500 5.5.2 not UTF-8")?;
        if line.contains(char::is_control) {
            return Err("500 5.5.2 control character in a command");
        }
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim_matches(' ');
        let alone = |verb: Verb| if rest.is_empty() { Ok(verb) } else { Err(SYNTAX) };
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => hello(Hello::Ehlo, rest),
            "LHLO" => hello(Hello::Lhlo, rest),
            "HELO" => hello(Hello::Helo, rest),
            "MAIL" => mail(rest).map(Verb::Mail),
            "RCPT" => rcpt(rest).map(Verb::Rcpt),
            "DATA" => alone(Verb::Data),
            "BDAT" => bdat(rest),
            "XFORWARD" => rest.split(' ').map(forwarded).collect::<Result<_, _>>().map(Verb::Xforward),
            "STARTTLS" => alone(Verb::StartTls),
            "AUTH" => Ok(Verb::Auth),
            "RSET" => alone(Verb::Rset),
            "NOOP" => Ok(Verb::Noop),
            "VRFY" => Ok(Verb::Vrfy),
            "HELP" => Ok(Verb::Help),
            "QUIT" => alone(Verb::Quit),
            "EXPN" => Err("502 5.5.1 no EXPN here"),
            _ => Err("500 5.5.1 unknown command"),
        }
    }
}

fn hello(kind: Hello, name: &str) -> Result<Verb, BadCommand> {
    match name {
        "" => Err("501 5.5.4 a host name is missing"),
        _ if name.contains(' ') || name.len() > PATH => Err(SYNTAX),
        _ => Ok(Verb::Hello(kind, name.to_owned())),
    }
}

fn mail(rest: &str) -> Result<MailFrom, BadCommand> {
    let (sender, parameters) = path_after(rest, "FROM:", BAD_SENDER)?;
    let mut mail = MailFrom { sender: sender.to_owned(), ..MailFrom::default() };
    let (mut ret, mut body) = (false, false);
    for (key, value) in parameters.split(' ').filter(|word| !word.is_empty()).map(parameter) {
        match (key.as_str(), value) {
            ("SIZE", Some(size)) if mail.size.is_none() => mail.size = Some(number(size)?),
            ("BODY", Some(kind)) if !body => {
                body = true;
                if !["7BIT", "8BITMIME"].iter().any(|known| kind.eq_ignore_ascii_case(known)) {
                    return Err(UNKNOWN_PARAMETER);
                }
            }
            ("SMTPUTF8", None) => mail.utf8 = true,
            // In any form that Postfix takes: what is refused here, it would return.
            ("ENVID", Some(id)) if mail.envid.is_none() => mail.envid = Some(xtext(id).ok_or(SYNTAX)?),
            ("RET", Some(part)) if !ret => {
                ret = true;
                mail.header_only = part.eq_ignore_ascii_case("HDRS");
                if !mail.header_only && !part.eq_ignore_ascii_case("FULL") {
                    return Err(SYNTAX);
                }
            }
            // Nobody is authenticated here: the parameter says nothing (RFC 4954 section 5).
            ("AUTH", Some(_)) => {}
            ("SIZE" | "BODY" | "ENVID" | "RET" | "SMTPUTF8" | "AUTH", _) => return Err(SYNTAX),
            _ => return Err(UNKNOWN_PARAMETER),
        }
    }
    if !mail.utf8 && !mail.sender.is_ascii() {
        return Err("553 5.6.7 an address beyond ASCII needs SMTPUTF8");
    }
    Ok(mail)
}

fn rcpt(rest: &str) -> Result<RcptTo, BadCommand> {
    let (recipient, parameters) = path_after(rest, "TO:", BAD_RECIPIENT)?;
    if recipient.is_empty() {
        return Err(BAD_RECIPIENT);
    }
    let mut rcpt = RcptTo { recipient: recipient.to_owned(), ..RcptTo::default() };
    for (key, value) in parameters.split(' ').filter(|word| !word.is_empty()).map(parameter) {
        match (key.as_str(), value) {
            ("NOTIFY", Some(when)) if rcpt.notify.is_none() => rcpt.notify = Some(wanted_reports(when)?),
            ("ORCPT", Some(address)) if rcpt.original.is_none() => {
                rcpt.original = Some(original_recipient(address).ok_or(SYNTAX)?);
            }
            ("NOTIFY" | "ORCPT", _) => return Err(SYNTAX),
            _ => return Err(UNKNOWN_PARAMETER),
        }
    }
    Ok(rcpt)
}

/// The reports that NOTIFY names; NEVER stands alone.
fn wanted_reports(named: &str) -> Result<Vec<WantedReport>, BadCommand> {
    if named.eq_ignore_ascii_case("NEVER") {
        return Ok(Vec::new());
    }
    let wanted = named.split(',').map(|word| match word.to_ascii_uppercase().as_str() {
        "SUCCESS" => Ok(WantedReport::Success),
        "FAILURE" => Ok(WantedReport::Failure),
        "DELAY" => Ok(WantedReport::Delay),
        _ => Err(SYNTAX),
    });
    wanted.collect()
}

fn bdat(rest: &str) -> Result<Verb, BadCommand> {
    let (size, last) = match rest.split_once(' ') {
        None => (rest, false),
        Some((size, last)) if last.eq_ignore_ascii_case("LAST") => (size, true),
        Some(_) => return Err(SYNTAX),
    };
    Ok(Verb::Bdat { size: number(size)?, last })
}

fn forwarded(word: &str) -> Result<ForwardedFact, BadCommand> {
    let (key, Some(value)) = parameter(word) else { return Err(SYNTAX) };
    let value = xtext(value).ok_or(SYNTAX)?;
    let there = || Some(value.clone()).filter(|value| !is_unavailable(value));
    Ok(match key.as_str() {
        "ADDR" => ForwardedFact::Address(there().and_then(|text| Envelope::client_address_in(&text))),
        "HELO" => ForwardedFact::Helo(there()),
        "IDENT" => ForwardedFact::QueueId(there()),
        "NAME" | "PORT" | "PROTO" | "SOURCE" | "DOMAIN" => ForwardedFact::Other,
        _ => return Err(SYNTAX),
    })
}

fn is_unavailable(value: &str) -> bool {
    value.is_empty() || value.eq_ignore_ascii_case("[UNAVAILABLE]")
}

/// `KEY=value`, the key in capitals.
fn parameter(word: &str) -> (String, Option<&str>) {
    match word.split_once('=') {
        None => (word.to_ascii_uppercase(), None),
        Some((key, value)) => (key.to_ascii_uppercase(), Some(value)),
    }
}

/// The address in angle brackets after `keyword`, without a source route, and what follows it;
/// `bad` is the reply where there is none.
fn path_after<'l>(rest: &'l str, keyword: &str, bad: BadCommand) -> Result<(&'l str, &'l str), BadCommand> {
    let named = rest.get(..keyword.len()).filter(|word| word.eq_ignore_ascii_case(keyword));
    named.ok_or(SYNTAX)?;
    let path = rest[keyword.len()..].trim_start_matches(' ').strip_prefix('<').ok_or(bad)?;
    let (mut quoted, mut escaped) = (false, false);
    let end = path.find(|c: char| {
        let is_end = c == '>' && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        is_end
    });
    let (path, after) = path.split_at(end.ok_or(bad)?);
    let after = &after[1..];
    if !after.is_empty() && !after.starts_with(' ') {
        return Err(bad);
    }
    let address = match path.starts_with('@') {
        true => path.split_once(':').ok_or(bad)?.1,
        false => path,
    };
    match address.is_empty() || is_envelope_address(address) {
        true => Ok((address, after)),
        false => Err(bad),
    }
}

fn number(text: &str) -> Result<u64, BadCommand> {
    let is_number = !text.is_empty() && text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or(SYNTAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_with_their_parameters() {
        let mail = |sender: &str| MailFrom { sender: sender.into(), ..MailFrom::default() };
        let rcpt = |recipient: &str| RcptTo { recipient: recipient.into(), ..RcptTo::default() };
        for (line, verb) in [
            ("lhlo mx.example", Verb::Hello(Hello::Lhlo, "mx.example".into())),
            ("MAIL FROM:<>", Verb::Mail(mail(""))),
            ("mail from: <a@b.example>", Verb::Mail(mail("a@b.example"))),
            ("MAIL FROM:<@x.example,@y.example:a@b.example>", Verb::Mail(mail("a@b.example"))),
            (
                "MAIL FROM:<\u{e9}@b.example> SIZE=12 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb AUTH=<>",
                Verb::Mail(MailFrom {
                    sender: "\u{e9}@b.example".into(),
                    size: Some(12),
                    utf8: true,
                    envid: Some("a+b".into()),
                    header_only: true,
                }),
            ),
            ("RCPT TO:<\"a> b\\\"\"@b.example>", Verb::Rcpt(rcpt("\"a> b\\\"\"@b.example"))),
            (
                "RCPT TO:<a@b.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@b.example",
                Verb::Rcpt(RcptTo {
                    recipient: "a@b.example".into(),
                    original: Some("x+y@b.example".into()),
                    notify: Some(vec![WantedReport::Success, WantedReport::Delay]),
                }),
            ),
            (
                "RCPT TO:<a@b.example> notify=never",
                Verb::Rcpt(RcptTo { notify: Some(Vec::new()), ..rcpt("a@b.example") }),
            ),
            ("BDAT 10", Verb::Bdat { size: 10, last: false }),
            ("bdat 0 last", Verb::Bdat { size: 0, last: true }),
            ("NOOP x y", Verb::Noop),
            (
                "XFORWARD NAME=[UNAVAILABLE] ADDR=IPV6:::1 PROTO=ESMTP",
                Verb::Xforward(vec![
                    ForwardedFact::Other,
                    ForwardedFact::Address("::1".parse().ok()),
                    ForwardedFact::Other,
                ]),
            ),
            (
                "XFORWARD IDENT=4QK HELO=[UNAVAILABLE] ADDR=[UNAVAILABLE]",
                Verb::Xforward(vec![
                    ForwardedFact::QueueId(Some("4QK".into())),
                    ForwardedFact::Helo(None),
                    ForwardedFact::Address(None),
                ]),
            ),
        ] {
            assert_eq!(Verb::read(line.as_bytes()).as_ref(), Ok(&verb), "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_whole_is_refused() {
        for line in [
            "",
            "FOO",
            "LHLO",
            "LHLO a b",
            "MAIL",
            "MAIL FROM:",
            "MAIL FROM:a@b.example",
            "MAIL FROM:<a@b",
            "MAIL FROM:<a@b>x",
            "MAIL FROM:<a b@c>",
            "MAIL FROM:<a@b> SIZE",
            "MAIL FROM:<a@b> SIZE=x",
            "MAIL FROM:<a@b> SIZE=1 SIZE=1",
            "MAIL FROM:<a@b> BODY=BINARYMIME",
            "MAIL FROM:<a@b> X=1",
            "MAIL FROM:<a@b> RET=ALL",
            "MAIL FROM:<a@b> ENVID=+4",
            "MAIL FROM:<a@b> ENVID=+0A",
            "MAIL FROM:<\u{e9}@b>",
            "RCPT TO:<>",
            "RCPT TO:<a@b> NOTIFY=x",
            "RCPT TO:<a@b> NOTIFY=NEVER,SUCCESS",
            "RCPT TO:<a@b> NOTIFY=NEVER NOTIFY=SUCCESS",
            "RCPT TO:<a@b> ORCPT=a@b",
            "DATA now",
            "BDAT",
            "BDAT -1",
            "BDAT 1 2",
            "BDAT 99999999999999999999",
            "XFORWARD",
            "XFORWARD ADDR",
            "XFORWARD X=1",
            "QUIT x",
            "NO\u{0}OP",
            "RCPT TO:<@a@b>",
            "RCPT TO:<a@b..example>",
            "EXPN list",
        ] {
            assert!(Verb::read(line.as_bytes()).is_err(), "{line}");
        }
        assert!(Verb::read(b"MAIL FROM:<\xff@b.example> SMTPUTF8").is_err());
    }

    #[test]
    fn an_ipv4_client_of_an_ipv6_socket_is_the_same_client() {
        let read = |line: &str| Verb::read(line.as_bytes());
        assert_eq!(read("XFORWARD ADDR=IPV6:::ffff:192.0.2.1"), read("XFORWARD ADDR=192.0.2.1"));
    }

    #[test]
    fn a_client_that_cannot_be_read_is_somebody() {
        let Ok(Verb::Xforward(facts)) = Verb::read(b"XFORWARD ADDR=[TEMPUNAVAIL]") else { panic!() };
        assert!(matches!(&facts[..], [ForwardedFact::Address(Some(address))] if address.is_unspecified()));
    }
}
