//! For authors of policies, at a terminal: scaffold, build, inspect, try, test, measure.
//!
//! Not here: installing a policy (`policy::staging`), and messages from the mail server
//! (`deliver`). Invariant: plans are made and shown, never run.

/// A project to start a policy from.
pub(crate) mod scaffold;
/// From sources to a component.
pub(crate) mod build;
/// Is it a policy that this carom can run, and does it behave?
pub(crate) mod inspect;
/// One message, with everything that can be seen of the decision.
pub(crate) mod trial;
/// What a policy should decide, written down.
pub(crate) mod expectation;
/// What a policy costs.
pub(crate) mod measure;
/// A plan as people read it.
pub(crate) mod render;

use crate::auth::Dns;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::envelope::Envelope;
use crate::error::Result;
use crate::mail::Mail;
use crate::policy::message_facts::MessageFacts;
use crate::policy::recipient_facts::RecipientFacts;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A message to decide about.
pub(crate) struct Bench {
    pub(crate) config: Arc<Config>,
    pub(crate) dns: Arc<Dns>,
    pub(crate) mail: Mail,
}

impl Bench {
    /// A small message.
    pub(crate) fn with_small_message(config: &Arc<Config>) -> Result<Bench> {
        let raw =
            b"From: a@sender.example\r\nTo: b@sink.example\r\nSubject: a small message\r\n\r\nhello\r\n"
                .to_vec();
        let envelope = Envelope {
            sender: "a@sender.example".into(),
            recipient: "b@sink.example".into(),
            ..Envelope::default()
        };
        let dns = Arc::new(Dns::open(&config.dns)?);
        Ok(Bench { config: config.clone(), dns, mail: Mail::arrived(raw, envelope, 1, 0) })
    }

    pub(crate) fn facts(&self) -> Rc<RecipientFacts> {
        let (content, config) = (self.mail.content.clone(), self.config.clone());
        let message = MessageFacts::new(content, config, self.dns.clone(), self.deadline());
        Rc::new(RecipientFacts::new(Rc::new(message), self.mail.envelope.clone()))
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(Duration::from_secs(u64::from(self.config.message.deadline)))
    }

    fn question(&self) -> crate::decide::Question<'_> {
        let (config, dns, deadline) = (&*self.config, &*self.dns, self.deadline());
        crate::decide::Question { config, dns, seed: self.mail.seed, at_ms: self.mail.at_ms, deadline }
    }
}
