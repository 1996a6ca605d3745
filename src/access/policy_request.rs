//! A request of Postfix's policy delegation: lines `name=value`, ended by an empty line
//! (SMTPD_POLICY_README).
//!
//! Not here: answers (`access_answer`). Invariant: reading never fails otherwise than with
//! `Malformed`, takes linear time, and no request has more bytes or attributes than the limits.

use crate::envelope::Envelope;
use crate::error::{Error, Result};
use crate::policy::session_facts::{SessionFacts, Stage};
use memchr::{memchr, memchr_iter, memmem};

/// Bytes of a request: Postfix's own limit for one line is 2048.
pub(crate) const LONGEST: usize = 64 << 10;
/// Attributes of a request: Postfix 3.9 sends 27.
const MOST: usize = 200;

/// What the bytes of a client begin with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beginning<'a> {
    /// A request, and its length.
    Whole(PolicyRequest<'a>, usize),
    /// A part of one.
    Part,
    /// No request: what is wrong with it.
    Malformed(&'static str),
}

/// A name and a value.
type Attribute<'a> = (&'a [u8], &'a [u8]);

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PolicyRequest<'a> {
    attributes: Vec<Attribute<'a>>,
}

/// Requests that came together.
pub(crate) struct RequestsRead<'a> {
    pub(crate) requests: Vec<PolicyRequest<'a>>,
    /// Bytes of them.
    pub(crate) used: usize,
    /// What is wrong with what follows them.
    pub(crate) malformed: Option<&'static str>,
}

/// Reads up to `most` requests.
pub(crate) fn read(bytes: &[u8], most: usize) -> RequestsRead<'_> {
    let mut read = RequestsRead { requests: Vec::new(), used: 0, malformed: None };
    while read.requests.len() < most {
        match first(&bytes[read.used..]) {
            Beginning::Whole(request, length) => {
                read.requests.push(request);
                read.used += length;
            }
            Beginning::Part => break,
            Beginning::Malformed(what) => {
                read.malformed = Some(what);
                break;
            }
        }
    }
    read
}

/// Reads the first request.
pub(crate) fn first(bytes: &[u8]) -> Beginning<'_> {
    let within = &bytes[..bytes.len().min(LONGEST)];
    match memmem::find(within, b"\n\n") {
        Some(end) => match attributes(&within[..end]) {
            Ok(attributes) => Beginning::Whole(PolicyRequest { attributes }, end + 2),
            Err(what) => Beginning::Malformed(what),
        },
        None if within.first() == Some(&b'\n') => Beginning::Malformed("an empty request"),
        None if bytes.len() >= LONGEST => Beginning::Malformed("a request that is longer than 64 KiB"),
        None => Beginning::Part,
    }
}

/// A request as it is written in a file: what a policy may know of the session, with the envelope.
pub(crate) fn written_request(text: &str) -> Result<(Envelope, SessionFacts)> {
    let lines: String =
        text.lines().filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect();
    match first(format!("{lines}\n").as_bytes()) {
        Beginning::Whole(request, _) => Ok((request.envelope(), request.session())),
        Beginning::Malformed(what) => Err(Error::new(format_args!("{what}: not a policy request")).remedy(
            "write it as Postfix sends it, a line each: protocol_state=RCPT, sender=a@b.example, recipient=c@d.example",
        )),
        Beginning::Part => Err(Error::new("not a whole policy request")),
    }
}

fn attributes(lines: &[u8]) -> std::result::Result<Vec<Attribute<'_>>, &'static str> {
    let mut attributes = Vec::with_capacity(32);
    let mut begin = 0;
    for end in memchr_iter(b'\n', lines).chain([lines.len()]) {
        let line = &lines[begin..end];
        begin = end + 1;
        let Some(equals) = memchr(b'=', line).filter(|equals| *equals > 0) else {
            return Err("a line without name=value");
        };
        if attributes.len() == MOST {
            return Err("a request with more than 200 attributes");
        }
        attributes.push((&line[..equals], &line[equals + 1..]));
    }
    Ok(attributes)
}

impl<'a> PolicyRequest<'a> {
    /// The value of an attribute; empty if it is not there.
    fn raw(&self, name: &str) -> &'a [u8] {
        let named = self.attributes.iter().find(|(known, _)| *known == name.as_bytes());
        named.map_or(b"", |(_, value)| value)
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(self.raw(name)).into_owned()
    }

    /// Whether it is the kind of request that there is an answer to.
    pub(crate) fn is_access(&self) -> bool {
        self.raw("request") == b"smtpd_access_policy"
    }

    pub(crate) fn stage(&self) -> Stage {
        match self.raw("protocol_state") {
            b"CONNECT" => Stage::Connect,
            b"EHLO" | b"HELO" => Stage::Helo,
            b"MAIL" => Stage::Mail,
            b"RCPT" => Stage::Rcpt,
            b"DATA" | b"BDAT" => Stage::Data,
            b"END-OF-MESSAGE" => Stage::EndOfMessage,
            b"VRFY" => Stage::Vrfy,
            b"ETRN" => Stage::Etrn,
            _ => Stage::Other,
        }
    }

    /// Empty: the null sender, or none yet.
    pub(crate) fn sender(&self) -> String {
        Envelope::normal_sender(&self.text("sender"))
    }

    /// Empty: there is none yet, or there are several.
    pub(crate) fn recipient(&self) -> String {
        self.text("recipient")
    }

    /// As much of an envelope as there is.
    pub(crate) fn envelope(&self) -> Envelope {
        let some = |name: &str| Some(self.text(name)).filter(|value| !value.is_empty());
        Envelope {
            sender: self.sender(),
            recipient: self.recipient(),
            client_address: Envelope::client_address_in(&self.text("client_address")),
            client_helo: some("helo_name"),
            queue_id: some("queue_id"),
            ..Envelope::default()
        }
    }

    pub(crate) fn session(&self) -> SessionFacts {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let attributes = self.attributes.iter().map(|(name, value)| (text(name), text(value))).collect();
        SessionFacts { stage: self.stage(), attributes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RCPT: &[u8] = b"request=smtpd_access_policy\nprotocol_state=RCPT\nsender=a@b.example\n\
        recipient=x=y@c.example\nhelo_name=\nclient_address=192.0.2.1\nsize=0\n\nrequest=";

    #[test]
    fn a_request_ends_with_an_empty_line_and_the_next_may_follow() {
        let Beginning::Whole(request, length) = first(RCPT) else { panic!() };
        assert_eq!(&RCPT[length..], b"request=");
        assert!(request.is_access());
        assert_eq!(request.stage(), Stage::Rcpt);
        let envelope = request.envelope();
        assert_eq!((&*envelope.sender, &*envelope.recipient), ("a@b.example", "x=y@c.example"));
        assert_eq!(envelope.client_helo, None);
        for cut in 0..length {
            assert_eq!(first(&RCPT[..cut]), Beginning::Part, "{cut}");
        }
    }

    #[test]
    fn what_is_no_request_is_told_from_a_part_of_one() {
        for bytes in [&b"\n"[..], b"\n\n", b"x\n\n", b"a=b\nx\n\n", b"=b\n\n", b"GET / HTTP/1.1\r\n\n\n"] {
            assert!(matches!(first(bytes), Beginning::Malformed(_)), "{bytes:?}");
        }
        assert!(matches!(first(&vec![b'x'; LONGEST]), Beginning::Malformed(_)));
        assert_eq!(first(&vec![b'x'; LONGEST - 1]), Beginning::Part);
        let many = [&b"a=\n".repeat(MOST + 1)[..], b"\n"].concat();
        assert!(matches!(first(&many), Beginning::Malformed(_)));
        let odd = b"request=x\nsender=\xff\x00\n\n";
        let Beginning::Whole(request, _) = first(odd) else { panic!() };
        assert!(!request.is_access());
        assert_eq!(request.sender(), "\u{fffd}\0");
    }
}
