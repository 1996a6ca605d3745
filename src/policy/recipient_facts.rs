//! What a policy may know about one recipient of a message: the envelope, SPF, DMARC, and what the
//! store and the mail logs know about addresses. The message's own facts are in `message_facts`.
//!
//! Not here: how answers cross to the guest (`answers`). Invariant: what is not asked for is not
//! computed; what was asked for is computed once.

use super::earlier_deferrals::{DeferralNames, EarlierDeferrals};
use super::message_facts::MessageFacts;
use super::own_and_lists::OwnAndLists;
use super::session_facts::SessionFacts;
use crate::auth::{self, AuthResult, Check, Dns, client_address};
use crate::clock::{self, DAY_MS};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::dimension::domain;
use crate::envelope::Envelope;
use crate::error::Result;
use crate::mail::Content;
use crate::mailbox_syntax::{normal_domain, split_address};
use crate::message::Message;
use crate::report::{self, ReportKind};
use crate::return_path::{self, Verified, day};
use crate::text;
use std::cell::{Cell, OnceCell};
use std::iter::once_with;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long ago a message may have been signed whose author asks for something, in milliseconds:
/// as long as mail is on its way. Later it is somebody's copy.
const REPLAY_MS: i64 = 7 * DAY_MS;

pub(crate) struct RecipientFacts {
    pub(crate) message: Rc<MessageFacts>,
    envelope: Envelope,
    spf: OnceCell<AuthResult>,
    dmarc: OnceCell<AuthResult>,
    written_to_us: OnceCell<bool>,
    returned_signed: OnceCell<bool>,
    suppressed: Option<Box<IsSuppressed>>,
    sent: Option<Box<WasSent>>,
    only_recipient: Option<Box<OnlyRecipient>>,
    own: OnceCell<OwnAndLists>,
    session: Option<SessionFacts>,
    deferrals: Option<Box<LookDeferrals>>,
    later: Option<DnsLater>,
}

/// Facts that DNS is asked for while no instance waits: the one that wants to know one ends, and
/// another is asked the same once it is known.
#[derive(Default)]
pub(super) struct DnsLater {
    wanted: Cell<Option<AskDns>>,
    /// Bytes of the log that instances have written: the next one begins with the same.
    pub(super) logged: Cell<usize>,
}

type AskDns = fn(&RecipientFacts) -> AuthResult;

/// Answers whether mail of a sender domain (second) to an address (first) is suppressed.
pub(crate) type IsSuppressed = dyn Fn(&str, &str) -> bool;
/// Answers who sent a message with this Message-ID (first) to an address (second) not too long ago,
/// and to no other.
pub(crate) type WasSent = dyn Fn(&str, &str) -> Option<String>;
/// Answers which address (first) a message with this Message-ID went to, if it went to no other,
/// and who sent it (second).
pub(crate) type OnlyRecipient = dyn Fn(&str) -> Option<(String, String)>;

/// Answers what is remembered of a message that was deferred.
pub(crate) type LookDeferrals = dyn Fn(&DeferralNames) -> EarlierDeferrals;

impl RecipientFacts {
    pub(crate) fn new(message: Rc<MessageFacts>, envelope: Envelope) -> RecipientFacts {
        RecipientFacts {
            message,
            envelope,
            spf: OnceCell::new(),
            dmarc: OnceCell::new(),
            written_to_us: OnceCell::new(),
            returned_signed: OnceCell::new(),
            suppressed: None,
            sent: None,
            only_recipient: None,
            own: OnceCell::new(),
            session: None,
            deferrals: None,
            later: None,
        }
    }

    /// Facts for a policy that is asked about no message: an empty one, from nobody to nobody.
    pub(crate) fn of_nothing(config: &Arc<Config>) -> Result<RecipientFacts> {
        let dns = Arc::new(Dns::open(&config.dns)?);
        let deadline = Deadline::after(Duration::from_secs(u64::from(config.message.deadline)));
        let message = MessageFacts::new(Content::read(Arc::default()), config.clone(), dns, deadline);
        Ok(RecipientFacts::new(Rc::new(message), Envelope::default()))
    }

    /// With means to find out what is suppressed; without them, nothing is.
    pub(crate) fn with_suppressed(self, suppressed: Box<IsSuppressed>) -> RecipientFacts {
        RecipientFacts { suppressed: Some(suppressed), ..self }
    }

    /// With means to find out what was sent; without them, nothing was.
    pub(crate) fn with_sent(self, sent: Box<WasSent>, only: Box<OnlyRecipient>) -> RecipientFacts {
        RecipientFacts { sent: Some(sent), only_recipient: Some(only), ..self }
    }

    /// With means to find out what was deferred before; without them, nothing was.
    pub(crate) fn with_deferrals(self, deferrals: Box<LookDeferrals>) -> RecipientFacts {
        RecipientFacts { deferrals: Some(deferrals), ..self }
    }

    /// What names the message when it comes again.
    pub(crate) fn deferral_names(&self) -> DeferralNames {
        let id = self.message.message(|message| message.header("Message-ID"));
        let bytes = self.message.content.raw();
        let id = id.as_ref().map_or(&bytes[..], |id| id.as_bytes());
        DeferralNames::of(id, &self.envelope.sender, &self.envelope.recipient, self.client_address())
    }

    /// What is remembered of earlier deliveries of the message.
    pub(crate) fn earlier_deferrals(&self) -> EarlierDeferrals {
        self.deferrals.as_ref().map_or_else(EarlierDeferrals::default, |look| look(&self.deferral_names()))
    }

    /// In an SMTP session, before there is a message.
    pub(crate) fn in_session(self, session: SessionFacts) -> RecipientFacts {
        RecipientFacts { session: Some(session), ..self }
    }

    /// DNS is asked only while no instance waits for it.
    pub(crate) fn with_dns_later(self) -> RecipientFacts {
        RecipientFacts { later: Some(DnsLater::default()), ..self }
    }

    /// `None`: DNS is asked while an instance waits for it.
    pub(super) fn later(&self) -> Option<&DnsLater> {
        self.later.as_ref()
    }

    /// SPF of the envelope sender; `None`: DNS is asked first.
    pub(super) fn spf_or_later(&self) -> Option<AuthResult> {
        self.or_later(&self.spf, RecipientFacts::spf)
    }

    /// DMARC of the From domain; `None`: DNS is asked first.
    pub(super) fn dmarc_or_later(&self) -> Option<AuthResult> {
        self.or_later(&self.dmarc, RecipientFacts::dmarc)
    }

    fn or_later(&self, known: &OnceCell<AuthResult>, ask: AskDns) -> Option<AuthResult> {
        match &self.later {
            Some(later) if known.get().is_none() => {
                later.wanted.set(Some(ask));
                None
            }
            _ => Some(ask(self)),
        }
    }

    /// Asks DNS what an instance wanted to know. `false`: it wanted nothing.
    pub(super) fn ask_dns(&self) -> bool {
        let wanted = self.later.as_ref().and_then(|later| later.wanted.take());
        wanted.map(|ask| ask(self)).is_some()
    }

    /// `None`: the question is not about a session.
    pub(super) fn session(&self) -> Option<&SessionFacts> {
        self.session.as_ref()
    }

    pub(crate) fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    fn check<R>(&self, ask: impl FnOnce(Check<'_, '_>) -> R) -> R {
        let MessageFacts { config, dns, deadline, .. } = &*self.message;
        self.message.message(|message| ask(Check::new(message, &self.envelope, config, dns, *deadline)))
    }

    /// SPF of the envelope sender.
    pub(crate) fn spf(&self) -> AuthResult {
        *self.spf.get_or_init(|| self.check(|check| check.spf()))
    }

    /// DMARC of the From domain, which follows from the signatures and SPF.
    pub(crate) fn dmarc(&self) -> AuthResult {
        *self.dmarc.get_or_init(|| {
            let (signatures, spf) = (self.message.dkim().1.clone(), self.spf());
            self.check(|check| check.with_signatures(signatures).with_spf(spf).dmarc())
        })
    }

    /// Whether the author of the message has written it, to us and in the last days, by what no
    /// stranger can write.
    pub(crate) fn is_written_to_us(&self) -> bool {
        let since_ms = clock::now_ms() - REPLAY_MS;
        *self.written_to_us.get_or_init(|| self.is_written_to_us_since(since_ms))
    }

    /// The same since a time, in milliseconds since 1970.
    fn is_written_to_us_since(&self, since_ms: i64) -> bool {
        let verified_here = self.message.config.auth.trusted_authserv_ids.is_empty();
        let is_ours = |address: &str| self.is_ours(address);
        self.check(|check| {
            let check = check.signed_only();
            let check = match verified_here {
                true => check.with_signatures(self.message.dkim().1.clone()),
                false => check,
            };
            check.is_written_to_us(since_ms, &is_ours)
        })
    }

    /// Whether the author has written to us since then, also as a server says whose results the
    /// config trusts.
    pub(crate) fn shows_life_since(&self, since_ms: i64) -> bool {
        let is_ours = |address: &str| self.is_ours(address);
        self.is_written_to_us_since(since_ms)
            || self.check(|check| check.is_written_to_us(since_ms, &is_ours))
    }

    /// Whether an address is one that the message came to, or is in a domain of ours.
    fn is_ours(&self, address: &str) -> bool {
        let envelope = [Some(&self.envelope.recipient), self.envelope.original_recipient.as_ref()];
        let came_to = |ours: &String| address.eq_ignore_ascii_case(ours);
        envelope.into_iter().flatten().any(came_to) || self.is_in_own_domain(address)
    }

    /// The SMTP client's address: from the mail server, or from the Received header it wrote.
    pub(crate) fn client_address(&self) -> Option<IpAddr> {
        client_address(&self.message.content, &self.envelope, &self.message.config)
    }

    /// Whether the envelope recipient is a return path that was signed for this address (`[verp]`),
    /// not too long ago; also if a forwarder rewrote it, a milter tagged it, or an alias hides it.
    pub(crate) fn is_signed_for(&self, address: &str) -> bool {
        self.signed_paths().any(|signed| signed.recipient.is(address))
    }

    /// The recipient that the envelope recipient was signed for.
    pub(crate) fn signed_recipient(&self) -> Option<String> {
        self.signed_paths().find_map(|signed| signed.recipient.address().map(str::to_owned))
    }

    /// The signed return paths that it came to, as they are and without what others wrapped them
    /// in.
    fn signed_paths(&self) -> impl Iterator<Item = Verified> {
        let (paths, today) = (&self.message.config.return_paths, day(clock::now_ms()));
        let came_to = [Some(&self.envelope.recipient), self.envelope.original_recipient.as_ref()];
        came_to.into_iter().flatten().flat_map(move |path| {
            let as_it_is = move || paths.verify(path, today).ok();
            let unwrapped = move || paths.verify(&return_path::unwrapped(path)?, today).ok();
            once_with(as_it_is).chain(once_with(unwrapped)).flatten()
        })
    }

    /// Whether mail of this sender domain to this address is suppressed.
    pub(crate) fn is_suppressed(&self, address: &str, sender_domain: &str) -> bool {
        let (address, domain) = (address.to_lowercase(), normal_domain(sender_domain));
        self.suppressed.as_ref().is_some_and(|suppressed| suppressed(&address, &domain))
    }

    /// Whether the message that the report is about went to this address not too long ago, and to
    /// no other, according to the mail logs.
    pub(crate) fn was_sent_to(&self, address: &str) -> bool {
        let id = &self.message.report().original.message_id;
        let sender = self.sent.as_ref().zip(id.as_ref()).and_then(|(sent, id)| sent(id, address));
        sender.is_some_and(|sender| self.is_for_its_author(&sender))
    }

    /// Addresses that do not complain.
    pub(super) fn own(&self) -> &OwnAndLists {
        self.own.get_or_init(|| OwnAndLists::of(&self.message, &self.envelope))
    }

    /// Who sent the message that the report is about: its author, or else the address that the
    /// report came to, as a report goes to the sender.
    pub(super) fn original_sender(&self) -> Option<String> {
        let report = self.message.report();
        let is_returned = report.kind == ReportKind::DeliveryStatus && !self.message.is_log_line();
        let has_domain = |address: &&String| split_address(address).is_some();
        let came_to = || Some(&self.envelope.recipient).filter(has_domain).filter(|_| is_returned);
        report.original.from.as_ref().or_else(came_to).cloned()
    }

    /// The address that the message that the report is about went to, if it went to no other.
    pub(crate) fn only_recipient(&self) -> Option<String> {
        let id = self.message.report().original.message_id.as_ref()?;
        let (recipient, sender) = self.only_recipient.as_ref().and_then(|only| only(id))?;
        self.is_for_its_author(&sender).then_some(recipient)
    }

    /// Whether an envelope sender in our mail log sends for the author of the message that the
    /// report is about: somebody else may have sent a message with any author and Message-ID. Its
    /// return path is signed by us, or its domain is related to the author's.
    fn is_for_its_author(&self, sender: &str) -> bool {
        let paths = &self.message.config.return_paths;
        let is_signed = || paths.verify(sender, day(clock::now_ms())).is_ok();
        let author = self.message.report().original.from.as_deref().unwrap_or(&self.envelope.recipient);
        is_signed() || self.is_related(domain_of(sender), domain_of(author))
    }

    /// Whether domains are of one organization, as far as they show it: they are the same, or one
    /// is below the other. Two that are side by side are, below a domain that is configured as
    /// ours; elsewhere, as below `eu.org`, strangers are side by side.
    fn is_related(&self, one: &str, other: &str) -> bool {
        let config = &self.message.config;
        let (one, other) = (normal_domain(one), normal_domain(other));
        let above = |domain: &str| -> Vec<String> {
            let names = domain.match_indices('.').map(|(at, _)| domain[at + 1..].to_owned());
            [domain.to_owned()].into_iter().chain(names).filter(|name| !domain::is_registry(name)).collect()
        };
        let (above_one, above_other) = (above(&one), above(&other));
        let is_ours = |name: &String| config.return_paths.is_domain(name) || config.applications.names(name);
        above_one.contains(&other)
            || above_other.contains(&one)
            || above_one.iter().any(|name| above_other.contains(name) && is_ours(name))
    }

    /// Whether the report returns the header of a message of its author's organization, as that
    /// organization signed it: who has it has the message, and cannot have guessed it.
    pub(crate) fn returns_signed_header(&self) -> bool {
        *self.returned_signed.get_or_init(|| {
            let MessageFacts { dns, deadline, .. } = &*self.message;
            let Some(header) = self.message.message(report::returned_header) else { return false };
            let returned = Message::read(&header);
            let original = &self.message.report().original;
            let author = returned.author().filter(|author| {
                let is_it = |from: &String| from.eq_ignore_ascii_case(author);
                original.from.as_ref().is_some_and(is_it) && returned.message_id() == original.message_id
            });
            let Some(author) = author else { return false };
            let is_signer = |signer: &str| self.is_related(signer, domain_of(&author));
            auth::is_signed_header(&text::crlf(&header), is_signer, dns, *deadline)
        })
    }

    /// Whether our own mail server wrote the report, or it is a line of our own log.
    pub(crate) fn is_own_report(&self) -> bool {
        let MessageFacts { config, .. } = &*self.message;
        let is_own = |message: &Message<'_>| auth::is_own_report(message, &self.envelope, config);
        self.message.is_log_line() || self.message.message(is_own)
    }
}

/// The domain of an address; empty if it has none.
fn domain_of(address: &str) -> &str {
    split_address(address).map_or("", |(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::test_server::{Reply, serve};
    use crate::digest;

    #[test]
    fn two_recipients_of_a_message_share_what_is_the_messages_own() {
        let (server, questions) = serve(|_, _| Reply::Records(Vec::new()));
        let config = Config::parse(&format!("[dns]\nservers = [\"{server}\"]\n")).unwrap();
        let dns = Arc::new(Dns::open(&config.dns).unwrap());
        let body = "<a href=\"http://b.example/\">\r\n";
        let raw = format!(
            "DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=sender.example; s=s1; h=From; bh={}; b=AAAA\r\n\
             From: a@sender.example\r\nSubject: x\r\n\r\n{body}",
            digest::base64(&digest::sha256(&[body.as_bytes()]))
        );
        let content = Content::read(Arc::new(raw.into_bytes()));
        let deadline = Deadline::after(Duration::from_secs(10));
        let message = Rc::new(MessageFacts::new(content, Arc::new(config), dns, deadline));
        let facts = |recipient: &str| {
            let envelope = Envelope { recipient: recipient.into(), ..Envelope::default() };
            RecipientFacts::new(message.clone(), envelope)
        };
        let (first, second) = (facts("a@here.example"), facts("b@here.example"));
        assert_ne!(first.envelope(), second.envelope());
        let verified = first.message.dkim();
        assert_eq!(verified.1.len(), 1);
        let asked = || {
            let questions = questions.lock().unwrap();
            questions.iter().filter(|((name, _), _)| name.contains("_domainkey")).map(|(_, many)| many).sum()
        };
        let once: usize = asked();
        assert!(once > 0);
        first.dmarc();
        second.dmarc();
        assert!(std::ptr::eq(verified, second.message.dkim()), "verified once");
        assert_eq!(asked(), once, "also for DMARC");
        let raw = |facts: &RecipientFacts| facts.message.message(|message| message.raw().as_ptr());
        assert_eq!(raw(&first), raw(&second), "parsed once");
        assert!(std::ptr::eq(first.message.report(), second.message.report()));
    }
}
