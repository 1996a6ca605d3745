//! What a policy may know about a message, whoever receives it: header, links, DKIM, and what it
//! reports about another message. All recipients of one message share it.
//!
//! Not here: what depends on the envelope (`recipient_facts`), and how answers cross to the guest
//! (`answers`). Invariant: what is not asked for is not computed; what was asked for is computed
//! once.

use crate::auth::{self, AuthResult, Check, Dns, Signature};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::envelope::Envelope;
use crate::mail::Content;
use crate::message::{Link, LinkKind, Message};
use crate::report::{self, Report, ReportKind};
use std::cell::OnceCell;
use std::sync::Arc;

pub(crate) struct MessageFacts {
    pub(crate) content: Arc<Content>,
    pub(crate) config: Arc<Config>,
    pub(crate) dns: Arc<Dns>,
    pub(crate) deadline: Deadline,
    dkim: OnceCell<(AuthResult, Vec<Signature>)>,
    images: OnceCell<Vec<String>>,
    links: OnceCell<Vec<Link>>,
    report: OnceCell<Report>,
    logged: bool,
    /// The envelope sender, where the mail server says it.
    sender: Option<String>,
}

impl MessageFacts {
    /// DNS is asked until `deadline`.
    pub(crate) fn new(
        content: Arc<Content>,
        config: Arc<Config>,
        dns: Arc<Dns>,
        deadline: Deadline,
    ) -> MessageFacts {
        MessageFacts {
            content,
            config,
            dns,
            deadline,
            dkim: OnceCell::new(),
            images: OnceCell::new(),
            links: OnceCell::new(),
            report: OnceCell::new(),
            logged: false,
            sender: None,
        }
    }

    /// Facts of a message that came with this return path.
    pub(crate) fn sent_by(self, sender: &str) -> MessageFacts {
        MessageFacts { sender: Some(sender.to_owned()), ..self }
    }

    /// Facts of a failure in our own mail log: `report` says what the log says, and there is no
    /// message.
    pub(crate) fn of_log_line(self, report: Report) -> MessageFacts {
        MessageFacts { report: OnceCell::from(report), logged: true, ..self }
    }

    pub(crate) fn is_log_line(&self) -> bool {
        self.logged
    }

    pub(crate) fn size(&self) -> usize {
        self.content.raw().len()
    }

    pub(crate) fn message<R>(&self, look: impl FnOnce(&Message<'_>) -> R) -> R {
        self.content.message(look)
    }

    /// DKIM: the best result, and the result of every signature.
    pub(crate) fn dkim(&self) -> &(AuthResult, Vec<Signature>) {
        let verify = |message: &Message<'_>| {
            // Signatures do not depend on the envelope.
            let nobody = Envelope::default();
            let check = Check::new(message, &nobody, &self.config, &self.dns, self.deadline);
            (check.dkim(), check.signatures().to_vec())
        };
        self.dkim.get_or_init(|| self.message(verify))
    }

    /// What the message reports about another message.
    pub(crate) fn report(&self) -> &Report {
        let read = |message: &Message<'_>| match &self.sender {
            Some(sender) => report::read_sent_by(message, sender),
            None => report::read(message),
        };
        self.report.get_or_init(|| self.message(read))
    }

    /// The Message-ID of the message that it reports about, if the report was read.
    pub(crate) fn reported_on(&self) -> Option<&str> {
        let report = self.report.get().filter(|report| report.kind != ReportKind::Other)?;
        report.original.message_id.as_deref()
    }

    /// Sources of the images in the HTML body.
    pub(crate) fn images(&self) -> &[String] {
        self.images.get_or_init(|| self.message(|message| message.images().to_vec()))
    }

    /// Targets of the links in the HTML body.
    pub(crate) fn links(&self) -> &[Link] {
        self.links.get_or_init(|| self.message(|message| message.links().to_vec()))
    }

    /// The links that a click follows: all that unsubscribe nobody, unless the config spares none.
    pub(crate) fn followed_links(&self) -> Vec<String> {
        let links = self.links().iter();
        let followed = links.filter(|link| self.config.visit.unsubscribe || link.kind == LinkKind::Ordinary);
        followed.map(|link| link.url.clone()).collect()
    }

    /// Where the sender wants complaints (RFC 9477), if a DKIM signature covers it.
    pub(crate) fn cfbl_address(&self) -> Option<String> {
        let named = self.message(|message| message.header("CFBL-Address").is_some());
        let signatures = || &self.dkim().1;
        if named { self.message(|message| auth::cfbl_address(message, signatures())) } else { None }
    }

    /// The address for a one-click request to unsubscribe (RFC 8058), if a DKIM signature covers
    /// it.
    pub(crate) fn one_click(&self) -> Option<String> {
        let named = self.message(|message| message.header("List-Unsubscribe-Post").is_some());
        let signatures = || &self.dkim().1;
        if named { self.message(|message| auth::one_click(message, signatures())) } else { None }
    }
}
