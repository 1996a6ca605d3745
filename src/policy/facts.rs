//! What a policy may know of the message at hand, computed when it asks and remembered for the rest of the run.
//!
//! Not here: how the answers cross to the guest (`host`). Invariant: what is not asked for is not computed.

use crate::auth::{AuthResult, Check, Dns, Signature};
use crate::clock;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::digest;
use crate::envelope::Envelope;
use crate::error::Result;
use crate::message::Message;
use crate::plan::Bounced;
use crate::report::{self, Report};
use crate::return_path::{self, day};
use std::cell::OnceCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

self_cell::self_cell! {
    /// A message together with the bytes it is read from.
    struct Mail {
        owner: Arc<Vec<u8>>,
        #[not_covariant]
        dependent: Message,
    }
}

/// The message, its envelope, and the means to find out more.
pub(crate) struct Facts {
    mail: Mail,
    envelope: Envelope,
    config: Arc<Config>,
    dns: Arc<Dns>,
    deadline: Deadline,
    dkim: OnceCell<(AuthResult, Vec<Signature>)>,
    spf: OnceCell<AuthResult>,
    dmarc: OnceCell<AuthResult>,
    images: OnceCell<Vec<String>>,
    links: OnceCell<Vec<String>>,
    report: OnceCell<Report>,
    suppressed: Option<Box<Suppressed>>,
    sent: Option<Box<Sent>>,
    logged: bool,
}

/// Answers whether mail of a sender domain (second) to an address (first) is suppressed.
pub(crate) type Suppressed = dyn Fn(&str, &str) -> bool;
/// Answers whether a message with this Message-ID (first) went to an address (second) not too long ago, and was not refused.
pub(crate) type Sent = dyn Fn(&str, &str) -> bool;

impl Facts {
    /// Facts about `raw`, brought for `envelope`. DNS is asked until `deadline`.
    pub(crate) fn new(
        raw: Arc<Vec<u8>>,
        envelope: Envelope,
        config: Arc<Config>,
        dns: Arc<Dns>,
        deadline: Deadline,
    ) -> Facts {
        Facts {
            mail: Mail::new(raw, |raw| Message::read(raw)),
            envelope,
            config,
            dns,
            deadline,
            dkim: OnceCell::new(),
            spf: OnceCell::new(),
            dmarc: OnceCell::new(),
            images: OnceCell::new(),
            links: OnceCell::new(),
            report: OnceCell::new(),
            suppressed: None,
            sent: None,
            logged: false,
        }
    }

    /// Facts for a policy that is asked about no message: an empty one, from nobody to nobody.
    pub(crate) fn of_nothing(config: &Arc<Config>) -> Result<Facts> {
        let dns = Arc::new(Dns::open(&config.dns)?);
        let deadline = Deadline::after(Duration::from_secs(u64::from(config.message.deadline)));
        Ok(Facts::new(Arc::new(Vec::new()), Envelope::default(), config.clone(), dns, deadline))
    }

    /// Facts of a delivery that our own mail log tells of: what it says stands for the report that there may be or not.
    pub(crate) fn of_log(mut self, report: Report) -> Facts {
        self.report = OnceCell::from(report);
        self.logged = true;
        self
    }

    /// With means to find out what is suppressed; without, nothing is.
    pub(crate) fn with_suppressed(mut self, suppressed: Box<Suppressed>) -> Facts {
        self.suppressed = Some(suppressed);
        self
    }

    /// With means to find out what was sent; without, nothing was.
    pub(crate) fn with_sent(mut self, sent: Box<Sent>) -> Facts {
        self.sent = Some(sent);
        self
    }

    /// Whether mail of this sender domain to this address is suppressed.
    pub(crate) fn is_suppressed(&self, address: &str, sender_domain: &str) -> bool {
        let (address, domain) = (address.to_lowercase(), sender_domain.to_lowercase());
        self.suppressed.as_ref().is_some_and(|suppressed| suppressed(&address, &domain))
    }

    /// Looks at the message.
    pub(crate) fn message<R>(&self, look: impl FnOnce(&Message<'_>) -> R) -> R {
        self.mail.with_dependent(|_, message| look(message))
    }

    /// The bytes of the message.
    pub(crate) fn raw(&self) -> &Arc<Vec<u8>> {
        self.mail.borrow_owner()
    }

    /// The envelope.
    pub(crate) fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    fn check<R>(&self, ask: impl FnOnce(&Check<'_, '_>) -> R) -> R {
        self.message(|message| {
            ask(&Check::new(message, &self.envelope, &self.config, &self.dns, self.deadline))
        })
    }

    /// DKIM: the best verdict, and every signature's own.
    pub(crate) fn dkim(&self) -> &(AuthResult, Vec<Signature>) {
        self.dkim.get_or_init(|| self.check(|check| (check.dkim(), check.signatures().to_vec())))
    }

    /// SPF of the envelope sender.
    pub(crate) fn spf(&self) -> AuthResult {
        *self.spf.get_or_init(|| self.check(|check| check.spf()))
    }

    /// DMARC of the From domain. It rests on the other two, so they are remembered with it.
    pub(crate) fn dmarc(&self) -> AuthResult {
        *self.dmarc.get_or_init(|| {
            self.check(|check| {
                let _ = self.dkim.set((check.dkim(), check.signatures().to_vec()));
                let _ = self.spf.set(check.spf());
                check.dmarc()
            })
        })
    }

    /// The SMTP client's address: from the mail server, or from the Received header it wrote.
    pub(crate) fn client_address(&self) -> Option<IpAddr> {
        self.envelope.client_address.or_else(|| self.check(|check| check.client_address()))
    }

    /// What the message reports about another one.
    pub(crate) fn report(&self) -> &Report {
        self.report.get_or_init(|| self.message(report::read))
    }

    /// Whether the envelope recipient is a return path that was signed for this address (`[verp]`), not too long ago; also if a
    /// forwarder rewrote it, a milter tagged it, or an alias hides it.
    pub(crate) fn is_signed_for(&self, address: &str) -> bool {
        let today = day(clock::now_ms());
        let is_for = |path: &str| {
            let verified = self.config.return_paths.verify(path, today);
            verified.is_ok_and(|verified| verified.recipient.is(address))
        };
        let envelope = [Some(&self.envelope.recipient), self.envelope.original_recipient.as_ref()];
        let wrapped = |path: &str| return_path::unwrapped(path).is_some_and(|path| is_for(&path));
        envelope.into_iter().flatten().any(|path| is_for(path) || wrapped(path))
    }

    /// Whether the message that the report is about went to this address not too long ago, as the mail logs have it.
    pub(crate) fn was_sent_to(&self, address: &str) -> bool {
        let (Some(sent), Some(id)) = (&self.sent, &self.report().original.message_id) else { return false };
        sent(id, address)
    }

    /// What bounced, if the message is a report about one with a Message-ID.
    pub(crate) fn bounced(&self, address: &str) -> Option<Bounced> {
        let id = self.report().original.message_id.as_deref()?;
        let address = address.to_lowercase();
        let id = digest::sha256_hex(&[id.as_bytes(), b"\0", address.as_bytes()], 32);
        Some(Bounced { id, logged: self.logged })
    }

    /// Whether our own mail server wrote the message: the mail server says that it came from one of `[auth] own_servers`.
    pub(crate) fn is_from_own_server(&self) -> bool {
        if self.logged {
            return true;
        }
        let own =
            |address: IpAddr| self.config.auth.own_servers.iter().any(|network| network.contains(&address));
        self.client_address().is_some_and(own)
    }

    /// Sources of the images in the HTML body.
    pub(crate) fn images(&self) -> &[String] {
        self.images.get_or_init(|| self.message(|message| message.images().to_vec()))
    }

    /// Targets of the links in the HTML body.
    pub(crate) fn links(&self) -> &[String] {
        self.links.get_or_init(|| self.message(|message| message.links().to_vec()))
    }
}
