//! Where policies are made: scaffolded, built, checked, tried on a message, tested, measured. For authors, at a terminal.
//!
//! Not here: what installs a policy (`policy::life`) and what a message goes through (`deliver`). Invariant: nothing here acts;
//! plans are made and shown, never run.

/// A project to begin a policy from.
pub(crate) mod scaffold;
/// From sources to a component.
pub(crate) mod build;
/// Is it a policy that this carom can run, and does it behave?
pub(crate) mod inspect;
/// One message, and all there is to see.
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
use crate::mail::Content;
use crate::policy::message_facts::MessageFacts;
use crate::policy::recipient_facts::RecipientFacts;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A message laid out to be decided about.
pub(crate) struct Bench {
    /// The configuration; its `[dns]` answers for the world.
    pub(crate) config: Arc<Config>,
    /// DNS.
    pub(crate) dns: Arc<Dns>,
    /// Who sent it to whom.
    pub(crate) envelope: Envelope,
    /// Its bytes.
    pub(crate) raw: Arc<Vec<u8>>,
    /// Decides every chance.
    pub(crate) seed: u64,
    /// The time that the policy is told, in milliseconds since 1970.
    pub(crate) at_ms: i64,
}

impl Bench {
    /// A bench with nothing on it but a small message from nobody to nobody.
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
        Ok(Bench { config: config.clone(), dns, envelope, raw: Arc::new(raw), seed: 1, at_ms: 0 })
    }

    /// Facts about the message, that nobody has asked for yet.
    pub(crate) fn facts(&self) -> Rc<RecipientFacts> {
        let (content, config) = (Content::read(self.raw.clone()), self.config.clone());
        let message = MessageFacts::new(content, config, self.dns.clone(), self.deadline());
        Rc::new(RecipientFacts::new(Rc::new(message), self.envelope.clone()))
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(Duration::from_secs(u64::from(self.config.message.deadline)))
    }

    fn question(&self) -> crate::decide::Question<'_> {
        let (config, dns, deadline) = (&*self.config, &*self.dns, self.deadline());
        crate::decide::Question { config, dns, seed: self.seed, at_ms: self.at_ms, deadline }
    }
}
