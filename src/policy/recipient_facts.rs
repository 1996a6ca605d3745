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
use crate::clock;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::dimension::domain;
use crate::envelope::{Envelope, split_address};
use crate::error::Result;
use crate::mail::Content;
use crate::message::Message;
use crate::return_path::{self, day};
use std::cell::OnceCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct RecipientFacts {
    pub(crate) message: Rc<MessageFacts>,
    envelope: Envelope,
    spf: OnceCell<AuthResult>,
    dmarc: OnceCell<AuthResult>,
    verified_dmarc: OnceCell<AuthResult>,
    suppressed: Option<Box<IsSuppressed>>,
    sent: Option<Box<WasSent>>,
    only_recipient: Option<Box<OnlyRecipient>>,
    own: OnceCell<OwnAndLists>,
    session: Option<SessionFacts>,
    deferrals: Option<Box<LookDeferrals>>,
}

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
            verified_dmarc: OnceCell::new(),
            suppressed: None,
            sent: None,
            only_recipient: None,
            own: OnceCell::new(),
            session: None,
            deferrals: None,
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

    /// The same by what no stranger can write.
    pub(crate) fn verified_dmarc(&self) -> AuthResult {
        let verified_here = self.message.config.auth.trusted_authserv_ids.is_empty();
        *self.verified_dmarc.get_or_init(|| {
            self.check(|check| match verified_here {
                true => check.signed_only().with_signatures(self.message.dkim().1.clone()).dmarc(),
                false => check.signed_only().dmarc(),
            })
        })
    }

    /// The SMTP client's address: from the mail server, or from the Received header it wrote.
    pub(crate) fn client_address(&self) -> Option<IpAddr> {
        client_address(&self.message.content, &self.envelope, &self.message.config)
    }

    /// Whether the envelope recipient is a return path that was signed for this address (`[verp]`),
    /// not too long ago; also if a forwarder rewrote it, a milter tagged it, or an alias hides it.
    pub(crate) fn is_signed_for(&self, address: &str) -> bool {
        let today = day(clock::now_ms());
        let is_for = |path: &str| {
            let verified = self.message.config.return_paths.verify(path, today);
            verified.is_ok_and(|verified| verified.recipient.is(address))
        };
        let envelope = [Some(&self.envelope.recipient), self.envelope.original_recipient.as_ref()];
        let wrapped = |path: &str| return_path::unwrapped(path).is_some_and(|path| is_for(&path));
        envelope.into_iter().flatten().any(|path| is_for(path) || wrapped(path))
    }

    /// The recipient that the envelope recipient was signed for.
    pub(crate) fn signed_recipient(&self) -> Option<String> {
        let today = day(clock::now_ms());
        let envelope = [Some(&self.envelope.recipient), self.envelope.original_recipient.as_ref()];
        let signed_for = |path: &String| {
            let verified = self.message.config.return_paths.verify(path, today).ok()?;
            verified.recipient.address().map(str::to_owned)
        };
        let unwrapped = |path: &String| signed_for(&return_path::unwrapped(path)?);
        envelope.into_iter().flatten().find_map(|path| signed_for(path).or_else(|| unwrapped(path)))
    }

    /// Whether mail of this sender domain to this address is suppressed.
    pub(crate) fn is_suppressed(&self, address: &str, sender_domain: &str) -> bool {
        let (address, domain) = (address.to_lowercase(), sender_domain.to_lowercase());
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

    /// The address that the message that the report is about went to, if it went to no other.
    pub(crate) fn only_recipient(&self) -> Option<String> {
        let id = self.message.report().original.message_id.as_ref()?;
        let (recipient, sender) = self.only_recipient.as_ref().and_then(|only| only(id))?;
        self.is_for_its_author(&sender).then_some(recipient)
    }

    /// Whether an envelope sender in our mail log sends for the author of the message that the
    /// report is about: somebody else may have sent a message with any author and Message-ID. Its
    /// return path is signed by us, or its domain is of the author's organization.
    fn is_for_its_author(&self, sender: &str) -> bool {
        let paths = &self.message.config.return_paths;
        let is_signed = || paths.verify(sender, day(clock::now_ms())).is_ok();
        let author = self.message.report().original.from.as_deref().unwrap_or(&self.envelope.recipient);
        let organization = |address: &str| {
            let (_, domain) = split_address(address)?;
            let organization = domain::registered(domain);
            (!domain::is_registry(organization)).then(|| organization.to_lowercase())
        };
        is_signed() || organization(author).is_some_and(|of| organization(sender) == Some(of))
    }

    /// Whether our own mail server wrote the report, or it is a line of our own log.
    pub(crate) fn is_own_report(&self) -> bool {
        let MessageFacts { config, .. } = &*self.message;
        let is_own = |message: &Message<'_>| auth::is_own_report(message, &self.envelope, config);
        self.message.is_log_line() || self.message.message(is_own)
    }
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
