//! What is answered for mail to a suppressed recipient, by sender domain: `[access]`.
//!
//! Not here: who is suppressed (`store`), and the words of the mail server (`crate::access`).
//! Invariant: a reply has a code and a status of one class; text of strangers in an answer is
//! printable ASCII, in one line, and bounded.

use super::fault::ConfigFault;
use super::tables::{AccessSenderTable, AccessTable, SuppressedAnswer, Tables};
use crate::error::Error;
use crate::mailbox_syntax::{is_domain, normal_domain};
use crate::smtp_reply::leading_codes;
use crate::text::{bounded, printable};
use std::collections::BTreeMap;

/// Characters of a reason that the client is sent.
const REASON: usize = 80;
/// Bytes of a configured reply: a line of SMTP has 512.
const LONGEST_REPLY: usize = 400;
/// Where the reason goes.
const PLACE: &str = "{reason}";

#[derive(Clone, Debug)]
pub(crate) struct AccessRules {
    /// The policy that is asked first; `None`: the default policy.
    pub(crate) policy: Option<String>,
    /// Connections at the same time.
    pub(crate) sessions: usize,
    usual: SuppressedMail,
    /// By the domain of return paths: the sender domain, and what is answered.
    senders: BTreeMap<String, (String, SuppressedMail)>,
}

/// What is answered about suppressed recipients of one sender domain.
#[derive(Clone, Debug)]
pub(crate) struct SuppressedMail {
    pub(crate) answer: SuppressedAnswer,
    reply: String,
    header: String,
}

impl SuppressedMail {
    /// Code, status and text.
    pub(crate) fn reply(&self, reason: &str) -> String {
        self.reply.replace(PLACE, shown(reason).trim())
    }

    /// A header field in one line.
    pub(crate) fn header(&self, reason: &str) -> String {
        format!("{}: {}", self.header, shown(reason).trim())
    }
}

/// A reason as the client and maps of Postfix may see it.
pub(crate) fn shown(reason: &str) -> String {
    printable(bounded(reason, REASON)).replace('$', "?")
}

impl AccessRules {
    pub(super) const TABLES: &[&str] = &["access"];

    pub(super) fn read(tables: Tables) -> Result<AccessRules, ConfigFault> {
        let AccessTable { suppressed, reply, header, policy, sessions, senders } = tables.access;
        let fault = |key: &str, what: &str, fix: &str| ConfigFault::new("access", key, what, fix);
        check_reply(&reply).map_err(|what| fault("reply", what, REPLY_FIX))?;
        check_header(&header).map_err(|error| ConfigFault::error("access", "header", &error))?;
        if sessions == 0 || sessions > 100_000 {
            return Err(fault("sessions", "must be from 1 to 100000", "use 1000, or remove the key"));
        }
        let usual = SuppressedMail { answer: suppressed, reply, header };
        let mut rules = AccessRules { policy, sessions, usual, senders: BTreeMap::new() };
        for (number, sender) in senders.into_iter().enumerate() {
            rules.add(sender).map_err(|(key, error)| {
                let mut fault = ConfigFault::error("access", key, &error);
                fault.path.splice(1..1, ["senders".to_owned(), number.to_string()]);
                fault
            })?;
        }
        Ok(rules)
    }

    /// The sender domain that mail of this return path's domain is of, and what is answered. The
    /// domain is written as `normal_domain` does.
    pub(crate) fn of(&self, domain: &str) -> (String, &SuppressedMail) {
        match self.senders.get(domain) {
            Some((sender_domain, mail)) => (sender_domain.clone(), mail),
            None => (domain.to_owned(), &self.usual),
        }
    }

    /// The domains of `[[access.senders]]`.
    pub(crate) fn sender_domains(&self) -> impl Iterator<Item = &str> {
        self.senders.keys().map(String::as_str)
    }

    /// Whether an answer drops messages: for the tests of the wiring.
    pub(crate) fn discards(&self) -> bool {
        let mut all = self.senders.values().map(|(_, mail)| mail).chain([&self.usual]);
        all.any(|mail| mail.answer == SuppressedAnswer::Discard)
    }

    fn add(&mut self, sender: AccessSenderTable) -> Result<(), (&'static str, Error)> {
        let AccessSenderTable { domain, return_paths, suppressed, reply, header } = sender;
        let usual = self.usual.clone();
        let mail = SuppressedMail {
            answer: suppressed.unwrap_or(usual.answer),
            reply: reply.unwrap_or(usual.reply),
            header: header.unwrap_or(usual.header),
        };
        let wrong = |what: &str, fix: &str| Error::new(what).remedy(fix);
        check_reply(&mail.reply).map_err(|what| ("reply", wrong(what, REPLY_FIX)))?;
        check_header(&mail.header).map_err(|error| ("header", error))?;
        let domains = [domain.clone()].into_iter().chain(return_paths).enumerate();
        for (number, name) in domains {
            let key = if number == 0 { "domain" } else { "return_paths" };
            if !is_domain(&name) {
                let what = format!("{name:?} is not a domain");
                return Err((key, wrong(&what, "use a sender domain like shop.example")));
            }
            let entry = (normal_domain(&domain), mail.clone());
            if self.senders.insert(normal_domain(&name), entry).is_some() {
                let what = format!("{name} is in [[access.senders]] already");
                return Err((key, wrong(&what, "name each domain once")));
            }
        }
        Ok(())
    }
}

const REPLY_FIX: &str = "use a code, a status of its class and a text: 550 5.7.1 suppressed: {reason}";

/// What is wrong with a reply.
fn check_reply(reply: &str) -> Result<(), &'static str> {
    let (code, status) = leading_codes(reply);
    let classes = code.map(|code| code / 100).zip(status.map(|status| u16::from(status.class)));
    match classes {
        Some((4, 4) | (5, 5)) => {}
        _ => return Err("does not begin with a code and a status that refuse mail"),
    }
    if reply.replace(PLACE, "").contains(['{', '}']) {
        return Err("has a variable that does not exist: there is {reason}");
    }
    if reply.len() > LONGEST_REPLY || printable(reply) != reply || reply.as_bytes().get(3) != Some(&b' ') {
        return Err("is longer than 400 characters, or not one line of printable ASCII");
    }
    Ok(())
}

/// Fields that mean something to everybody who gets the message, or that it may have only once.
const TAKEN: [&str; 22] = [
    "authentication-results",
    "auto-submitted",
    "bcc",
    "cc",
    "date",
    "delivered-to",
    "disposition-notification-to",
    "dkim-signature",
    "domainkey-signature",
    "from",
    "in-reply-to",
    "message-id",
    "mime-version",
    "precedence",
    "received",
    "references",
    "reply-to",
    "return-path",
    "return-receipt-to",
    "sender",
    "subject",
    "to",
];
/// The same for all that begin like this.
const TAKEN_FAMILIES: [&str; 6] = ["arc-", "bimi-", "content-", "list-", "received-", "resent-"];

fn check_header(name: &str) -> Result<(), Error> {
    let fix = "use a name of letters, digits and hyphens that no other program uses: X-Carom-Suppressed";
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if !is_name || !name.starts_with(|first: char| first.is_ascii_alphabetic()) || name.len() >= 70 {
        return Err(Error::new(format_args!("{name:?} is not the name of a header field")).remedy(fix));
    }
    let lower = name.to_ascii_lowercase();
    if TAKEN.contains(&&*lower) || TAKEN_FAMILIES.iter().any(|family| lower.starts_with(family)) {
        let what = format!("{name} means something else in a message");
        return Err(Error::new(what).remedy(fix));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn rules(text: &str) -> AccessRules {
        Config::parse(text).unwrap().access.get().unwrap().clone()
    }

    #[test]
    fn a_sender_domain_has_its_own_answer_and_its_return_paths() {
        let rules = rules(
            "[access]\nreply = \"451 4.7.1 later\"\n[[access.senders]]\ndomain = \"Shop.example\"\n\
             return_paths = [\"bounces.shop.example\"]\nsuppressed = \"hold\"\n",
        );
        let (domain, mail) = rules.of("bounces.shop.example");
        assert_eq!((&*domain, mail.answer), ("shop.example", SuppressedAnswer::Hold));
        assert_eq!(mail.reply("x"), "451 4.7.1 later");
        assert_eq!(rules.of("shop.example").1.answer, SuppressedAnswer::Hold);
        let (domain, mail) = rules.of("other.example");
        assert_eq!((&*domain, mail.answer), ("other.example", SuppressedAnswer::Reject));
    }

    #[test]
    fn a_reason_of_strangers_stays_in_its_line() {
        let rules = rules("");
        let (_, mail) = rules.of("");
        let said = mail.reply(" x\r\naction=OK $1 ü\0 ");
        assert_eq!(said, "550 5.7.1 this address is suppressed: x??action=OK ?1 ??");
        assert_eq!(mail.header("a\nb"), "X-Carom-Suppressed: a?b");
        assert!(mail.reply(&"x".repeat(500)).len() < 130);
    }

    #[test]
    fn what_no_mail_server_can_say_is_refused_with_its_place() {
        for (text, says) in [
            ("[access]\nreply = \"250 2.0.0 ok\"\n", "line 2"),
            ("[access]\nreply = \"550 4.7.1 no\"\n", "line 2"),
            ("[access]\nreply = \"550 5.7.1 \\n\"\n", "line 2"),
            ("[access]\nreply = \"550 5.7.1 no {raeson}\"\n", "there is {reason}"),
            ("[access]\nheader = \"a b\"\n", "line 2"),
            ("[access]\nheader = \"\"\n", "is not the name of a header field"),
            ("[access]\nheader = \"X{a}\"\n", "is not the name of a header field"),
            ("[access]\nheader = \"1\"\n", "is not the name of a header field"),
            ("[access]\nheader = \"Reply-To\"\n", "line 2"),
            ("[access]\nsuppressed = \"header\"\nheader = \"DKIM-Signature\"\n", "line 3"),
            ("[[access.senders]]\ndomain = \"a.example\"\nheader = \"FROM\"\n", "means something else"),
            ("[access]\nheader = \"Content-Type\"\n", "means something else"),
            ("[access]\nheader = \"mime-version\"\n", "means something else"),
            ("[access]\nheader = \"List-Unsubscribe\"\n", "means something else"),
            ("[access]\nsessions = 0\n", "line 2"),
            ("[[access.senders]]\ndomain = \"a b\"\n", "is not a domain"),
            ("[[access.senders]]\ndomain = \"a.example\"\nreturn_paths = [\"a.example\"]\n", "once"),
        ] {
            let error = Config::parse(text).unwrap().access.get().err().unwrap().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
