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

/// What `local_part` at `domain` asks for; `domains` are the sink's own.
pub fn asked(local_part: &str, domain: &str, domains: &[String]) -> Asked {
    let local = local_part.trim_matches('"').to_ascii_lowercase();
    let name = local.split('+').next().unwrap_or("");
    if name == "ooto" {
        return Asked::AutoReply;
    }
    let reply = local.rsplit_once('+').and_then(|(_, tag)| named_reply(tag));
    match label(domain, domains).as_str() {
        "accept" => Asked::Accept,
        "oob" => Asked::Bounce(reply),
        "fbl" => Asked::Complain,
        "openclick" => Asked::OpenAndClick,
        "reject" => Asked::Reject(reply.filter(|reply| reply.code >= 500)),
        "defer" => Asked::Defer(reply.filter(|reply| reply.code < 500)),
        _ => match (simulated(name), reply) {
            (Some(asked), _) => asked,
            (None, Some(reply)) if reply.code >= 500 => Asked::Reject(Some(reply)),
            (None, Some(reply)) => Asked::Defer(Some(reply)),
            (None, None) => Asked::Mix,
        },
    }
}

/// The label that names the answer: the one left of a domain of ours, or the first where none are named.
fn label(domain: &str, domains: &[String]) -> String {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    if domains.is_empty() {
        return domain.split('.').next().unwrap_or("").to_owned();
    }
    let below = |own: &String| {
        let own = own.trim_end_matches('.').to_ascii_lowercase();
        domain.strip_suffix(&own).and_then(|left| left.strip_suffix('.')).map(str::to_owned)
    };
    // The longest of our domains is the one meant.
    let left = domains.iter().filter_map(below).min_by_key(String::len);
    left.and_then(|left| left.rsplit('.').next().map(str::to_owned)).unwrap_or_default()
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
        Some((code, status)) => (Some(code), Some(status)),
        None if tag.contains('.') => (None, Some(tag)),
        None => (Some(tag), None),
    };
    let code = code.map(|code| code.parse::<u16>().ok().filter(|code| (400..600).contains(code)));
    let code = match code {
        Some(None) => return None,
        Some(Some(code)) => Some(code),
        None => None,
    };
    if let Some(status) = status {
        if !is_status(status) {
            return None;
        }
    }
    let class = status.map(|status| u16::from(status.as_bytes()[0] - b'0')).or(code.map(|code| code / 100))?;
    if code.is_some_and(|code| code / 100 != class) {
        return None;
    }
    let detail = status.map_or("", |status| &status[2..]);
    let known = STATUSES.iter().find(|row| row.0 == detail);
    let text = known.map_or(if class == 4 { "try again later" } else { "rejected" }, |row| row.2);
    let usual = known.map_or(550, |row| row.1);
    let fallback = if class == 4 { 451 } else { usual };
    let bare = if class == 4 { "4.0.0" } else { "5.0.0" };
    Some(Reply::new(code.unwrap_or(fallback), status.unwrap_or(bare), text))
}

/// class.subject.detail of class 4 or 5 (RFC 3463 section 2).
fn is_status(text: &str) -> bool {
    let fields: Vec<&str> = text.split('.').collect();
    let number = |field: &&str| !field.is_empty() && field.len() <= 3 && field.bytes().all(|byte| byte.is_ascii_digit());
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
        assert_eq!(of("x+550-5.7.1@oob.sink.example.com"), Asked::Bounce(full(550, "5.7.1", "delivery not authorized, message refused")));
        assert_eq!(of("x+4.2.2@sink.example.com"), Asked::Defer(full(451, "4.2.2", "mailbox full")));
        assert_eq!(of("x+550@reject.sink.example.com"), Asked::Reject(full(550, "5.0.0", "rejected")));
        assert_eq!(of("x+450-5.1.1@oob.sink.example.com"), Asked::Bounce(None));
        assert_eq!(of("x+9.9.9@sink.example.com"), Asked::Mix);
        assert_eq!(of("OOTO+label@accept.sink.example.com"), Asked::AutoReply);
        assert_eq!(of("HardBounce@sink.example.com"), Asked::Bounce(full(550, "5.1.1", "user unknown")));
        assert_eq!(of("complaint+l@any.sink.example.com"), Asked::Complain);
    }
}
