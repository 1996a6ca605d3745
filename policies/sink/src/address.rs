//! What a recipient's address asks for: by the label of its domain, or by a name or code in its local part.

/// The answer an address asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Accept,
    /// An out-of-band bounce, with this reply or the configured one.
    Bounce(Option<Reply>),
    Complain,
    OpenAndClick,
    /// An in-band 5xx.
    Reject(Option<Reply>),
    /// An in-band 4xx.
    Defer(Option<Reply>),
    AutoReply,
    /// Whatever chance says.
    Mix,
}

/// An SMTP reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    pub status: String,
    pub text: String,
}

impl Reply {
    fn new(code: u16, status: &str, text: &str) -> Reply {
        Reply { code, status: status.into(), text: text.into() }
    }
}

/// What the names of well-known mail simulators ask for: the mailbox simulator of Amazon SES, and Postmark's.
const SIMULATORS: &[(&str, &str, u16, &str, &str)] = &[
    // name, answer, code, status, text
    ("success", "accept", 0, "", ""),
    ("bounce", "reject", 550, "5.1.1", "user unknown"),
    ("complaint", "complain", 0, "", ""),
    ("suppressionlist", "reject", 550, "5.1.1", "recipient is on the suppression list"),
    ("hardbounce", "bounce", 550, "5.1.1", "user unknown"),
    ("softbounce", "bounce", 552, "5.2.2", "mailbox full"),
    ("transient", "bounce", 451, "4.4.1", "no answer from host"),
    ("unsubscribe", "accept", 0, "", ""),
    ("subscribe", "accept", 0, "", ""),
    ("autoresponder", "autoreply", 0, "", ""),
    ("addresschange", "bounce", 551, "5.1.6", "recipient has moved, please update your address book"),
    ("dnserror", "bounce", 550, "5.1.2", "host unknown"),
    ("spamnotification", "bounce", 554, "5.7.1", "message looks like spam"),
    ("openrelaytest", "bounce", 554, "5.7.1", "relay access denied"),
    ("unknown", "bounce", 550, "5.0.0", "undefined error"),
    ("challengeverification", "accept", 0, "", ""),
    ("bademailaddress", "bounce", 553, "5.1.3", "malformed address"),
    ("spamcomplaint", "complain", 0, "", ""),
    ("manuallydeactivated", "bounce", 550, "5.2.1", "mailbox disabled"),
    ("unconfirmed", "bounce", 550, "5.7.1", "recipient has not confirmed"),
    ("blocked", "bounce", 554, "5.7.1", "message blocked by the recipient's policy"),
    ("smtpapierror", "bounce", 554, "5.5.0", "protocol error"),
    ("inbounderror", "bounce", 554, "5.3.0", "inbound processing failed"),
    ("dmarcpolicy", "bounce", 550, "5.7.26", "message failed the domain's DMARC policy"),
    ("templaterenderingfailed", "bounce", 554, "5.6.0", "message content rejected"),
];

/// Texts of common status codes (RFC 3463), and the SMTP code that goes with each.
const STATUSES: &[(&str, u16, &str)] = &[
    ("1.1", 550, "user unknown"),
    ("1.2", 550, "host unknown"),
    ("1.3", 553, "bad destination mailbox address syntax"),
    ("1.6", 551, "mailbox has moved"),
    ("1.8", 553, "bad sender's system address"),
    ("1.10", 556, "recipient address has null MX"),
    ("2.0", 550, "mailbox unavailable"),
    ("2.1", 550, "mailbox disabled"),
    ("2.2", 552, "mailbox full"),
    ("2.3", 552, "message length exceeds the mailbox limit"),
    ("3.1", 552, "mail system full"),
    ("3.2", 521, "system not accepting messages"),
    ("3.4", 552, "message too big for the system"),
    ("4.1", 551, "no answer from host"),
    ("4.4", 550, "unable to route"),
    ("4.7", 554, "delivery time expired"),
    ("5.0", 554, "protocol error"),
    ("6.0", 554, "message content rejected"),
    ("7.1", 554, "delivery not authorized, message refused"),
    ("7.26", 550, "message failed authentication checks"),
];

/// What `local_part` at `domain` asks for; `domains` are the sink's own. Elsewhere nothing is asked, chance decides.
pub fn asked(local_part: &str, domain: &str, domains: &[String]) -> Asked {
    let Some(label) = label(domain, domains) else {
        return Asked::Mix;
    };
    let local = local_part.trim_matches('"').to_ascii_lowercase();
    let name = local.split('+').next().unwrap_or("");
    if name == "ooto" {
        return Asked::AutoReply;
    }
    let tag = local.rsplit_once('+').map_or("", |(_, tag)| tag);
    let reply = named_reply(tag);
    match label.as_str() {
        "accept" => Asked::Accept,
        "oob" => Asked::Bounce(reply),
        "fbl" => Asked::Complain,
        "openclick" => Asked::OpenAndClick,
        "reject" => Asked::Reject(reply.filter(|reply| reply.code >= 500)),
        "defer" => Asked::Defer(reply.filter(|reply| reply.code < 500)),
        // A number alone names a reply only where replies are asked for: here it is the serial of a test address.
        _ => match (simulated(name), reply.filter(|_| tag.contains('.'))) {
            (Some(asked), _) => asked,
            (None, Some(reply)) if reply.code >= 500 => Asked::Reject(Some(reply)),
            (None, Some(reply)) => Asked::Defer(Some(reply)),
            (None, None) => Asked::Mix,
        },
    }
}

/// The label that names the answer: the one left of a domain of ours, empty at the domain itself. Where no domains
/// are named, the first. None: not a domain of ours.
fn label(domain: &str, domains: &[String]) -> Option<String> {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    if domains.is_empty() {
        return domain.split('.').next().map(str::to_owned);
    }
    let left_of = |own: &String| {
        let own = own.trim_matches('.').to_ascii_lowercase();
        let left = domain.strip_suffix(&own).filter(|_| !own.is_empty())?;
        let below = if left.is_empty() { Some("") } else { left.strip_suffix('.') };
        below.map(str::to_owned)
    };
    // The longest of our domains is the one meant.
    let left = domains.iter().filter_map(left_of).min_by_key(String::len)?;
    left.rsplit('.').next().map(str::to_owned)
}

fn simulated(name: &str) -> Option<Asked> {
    let (_, answer, code, status, text) = SIMULATORS.iter().find(|row| row.0 == name)?;
    let reply = || Some(Reply::new(*code, status, text));
    Some(match *answer {
        "accept" => Asked::Accept,
        "bounce" => Asked::Bounce(reply()),
        "complain" => Asked::Complain,
        "autoreply" => Asked::AutoReply,
        _ => Asked::Reject(reply()),
    })
}

/// `5.2.2`, `550-5.1.1`, `550`: the reply that a tag names.
fn named_reply(tag: &str) -> Option<Reply> {
    let (code, status) = match tag.split_once('-') {
        Some((code, status)) => (Some(smtp_code(code)?), status.to_owned()),
        None if tag.contains('.') => (None, tag.to_owned()),
        None => {
            let code = smtp_code(tag)?;
            (Some(code), format!("{}.0.0", code / 100))
        }
    };
    let temporary = status.starts_with('4');
    if !is_status(&status) || code.is_some_and(|code| temporary != (code < 500)) {
        return None;
    }
    let known = STATUSES.iter().find(|row| status[2..] == *row.0);
    let (usual, text) = match known {
        Some(("2.2" | "3.1", _, text)) if temporary => (452, *text),
        Some((_, _, text)) if temporary => (451, *text),
        Some((_, code, text)) => (*code, *text),
        None if temporary => (451, "try again later"),
        None => (550, "rejected"),
    };
    Some(Reply::new(code.unwrap_or(usual), &status, text))
}

/// Three digits from 400 to 599.
fn smtp_code(digits: &str) -> Option<u16> {
    digits.parse().ok().filter(|code| digits.len() == 3 && (400..600).contains(code))
}

/// class.subject.detail of class 4 or 5 (RFC 3463 section 2).
pub fn is_status(text: &str) -> bool {
    let fields: Vec<&str> = text.split('.').collect();
    let number = |field: &&str| {
        !field.is_empty() && field.len() <= 3 && field.bytes().all(|byte| byte.is_ascii_digit())
    };
    fields.len() == 3 && fields.iter().all(number) && matches!(fields[0], "4" | "5")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> Asked {
        let (local, domain) = address.rsplit_once('@').unwrap();
        asked(local, domain, &["sink.example.com".into()])
    }

    #[test]
    fn b21_labels_ignore_case() {
        assert_eq!(of("x@ACCEPT.sink.example.com"), Asked::Accept);
        assert_eq!(of("x@oob.Sink.Example.Com"), Asked::Bounce(None));
        assert_eq!(of("x@a.b.fbl.sink.example.com"), Asked::Complain);
        assert_eq!(of("x@openclick.sink.example.com"), Asked::OpenAndClick);
        assert_eq!(of("x@sink.example.com"), Asked::Mix);
        assert_eq!(of("x@oob.other.example.com"), Asked::Mix);
        assert_eq!(of("x@oobsink.example.com"), Asked::Mix);
        assert_eq!(asked("x", "oob.anything.example", &[]), Asked::Bounce(None));
    }

    #[test]
    fn the_local_part_may_name_the_answer() {
        let full = |code, status: &str, text: &str| Some(Reply::new(code, status, text));
        assert_eq!(of("x+5.2.2@oob.sink.example.com"), Asked::Bounce(full(552, "5.2.2", "mailbox full")));
        assert_eq!(
            of("x+550-5.7.1@oob.sink.example.com"),
            Asked::Bounce(full(550, "5.7.1", "delivery not authorized, message refused"))
        );
        assert_eq!(of("x+4.2.2@sink.example.com"), Asked::Defer(full(452, "4.2.2", "mailbox full")));
        assert_eq!(
            of("x+451-4.3.0@defer.sink.example.com"),
            Asked::Defer(full(451, "4.3.0", "try again later"))
        );
        assert_eq!(of("x+550@defer.sink.example.com"), Asked::Defer(None));
        assert_eq!(of("x+550@reject.sink.example.com"), Asked::Reject(full(550, "5.0.0", "rejected")));
        assert_eq!(of("x+450-5.1.1@oob.sink.example.com"), Asked::Bounce(None));
        assert_eq!(of("x+9.9.9@sink.example.com"), Asked::Mix);
        assert_eq!(of("OOTO+label@accept.sink.example.com"), Asked::AutoReply);
        assert_eq!(of("HardBounce@sink.example.com"), Asked::Bounce(full(550, "5.1.1", "user unknown")));
        assert_eq!(of("complaint+l@any.sink.example.com"), Asked::Complain);
    }

    #[test]
    fn serial_numbers_are_not_replies() {
        for local in
            ["test+512", "test+0512", "test+00450", "x+5", "x+550-", "x+-5.1.1", "x+5.1.1.1", "x+5.é.1"]
        {
            assert_eq!(of(&format!("{local}@sink.example.com")), Asked::Mix, "{local}");
        }
        assert_eq!(of("test+0550@oob.sink.example.com"), Asked::Bounce(None));
    }

    #[test]
    fn elsewhere_nothing_is_asked() {
        for address in [
            "bounce@other.example",
            "ooto@other.example",
            "x+5.1.1@other.example",
            "x@",
            "x@.",
            "complaint@com",
        ] {
            assert_eq!(of(address), Asked::Mix, "{address}");
        }
        let two = ["example.com".to_owned(), "oob.example.com".to_owned()];
        assert_eq!(asked("x", "fbl.oob.example.com", &two), Asked::Complain);
        assert_eq!(asked("x", "oob.example.com", &two), Asked::Mix);
    }
}
