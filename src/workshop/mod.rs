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

use crate::access::{answer_text, written_request};
use crate::auth::Dns;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::decide::Undecided;
use crate::envelope::Envelope;
use crate::error::Result;
use crate::mail::Mail;
use crate::plan::Plan;
use crate::policy::message_facts::MessageFacts;
use crate::policy::recipient_facts::RecipientFacts;
use crate::policy::session_facts::SessionFacts;
use crate::policy::{Decision, Policy};
use serde::Serialize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What a policy is asked about: a message, or an SMTP session that has none yet.
pub(crate) struct Bench {
    pub(crate) config: Arc<Config>,
    pub(crate) dns: Arc<Dns>,
    pub(crate) mail: Mail,
    pub(crate) session: Option<SessionFacts>,
}

/// A request that any policy can be asked.
const SMALL_REQUEST: &str = "protocol_state=RCPT\nsender=a@sender.example\nrecipient=b@sink.example\n\
    client_address=192.0.2.1\nclient_name=mail.sender.example\nhelo_name=mail.sender.example\nsize=1234\n";

/// What a policy makes of what it is asked about.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Made {
    Plan(Plan),
    Answer {
        /// The action that the mail server would get; `usual`: what `[access]` says.
        answer: String,
        /// What a classifier should make of a refusal.
        #[serde(skip_serializing_if = "Option::is_none")]
        expect: Option<String>,
    },
}

impl Bench {
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
        Ok(Bench { config: config.clone(), dns, mail: Mail::arrived(raw, envelope, 1, 0), session: None })
    }

    /// The same in a session, before there is a message.
    pub(crate) fn with_small_request(config: &Arc<Config>) -> Result<Bench> {
        Bench::with_small_message(config)?.in_session(SMALL_REQUEST)
    }

    /// About the session of a request, as Postfix writes it (`carom access`), with the same seed
    /// and time.
    pub(crate) fn in_session(self, request: &str) -> Result<Bench> {
        let (envelope, session) = written_request(request)?;
        let mail = Mail::arrived(Vec::new(), envelope, self.mail.seed, self.mail.at_ms);
        Ok(Bench { mail, session: Some(session), ..self })
    }

    pub(crate) fn facts(&self) -> Rc<RecipientFacts> {
        let (content, config) = (self.mail.content.clone(), self.config.clone());
        let message = MessageFacts::new(content, config, self.dns.clone(), self.deadline());
        let facts = RecipientFacts::new(Rc::new(message), self.mail.envelope.clone());
        Rc::new(match &self.session {
            Some(session) => facts.in_session(session.clone()),
            None => facts,
        })
    }

    /// What the policy makes of it, the digest of that, and what it cost; an error says why there
    /// is nothing.
    pub(crate) fn ask(
        &self,
        policy: &Policy,
        facts: &Rc<RecipientFacts>,
    ) -> Result<(Made, String, Decision), String> {
        if self.session.is_none() {
            let decided = self.question().ask(policy, facts).map_err(|undecided| match undecided {
                Undecided::Policy(failure) => failure.text,
                Undecided::Dns(text) => text,
            })?;
            let digest = decided.digest();
            return Ok((Made::Plan(decided.plan), digest, decided.decision));
        }
        if !policy.receives() {
            return Err(format!("policy {} does not export `reception`", policy.name));
        }
        let now_ms = u64::try_from(self.mail.at_ms).unwrap_or(0);
        let received = policy.receive(facts, self.mail.seed, now_ms).map_err(|failure| failure.text)?;
        let expect = received.decision.plan.expect.clone();
        let made = Made::Answer { answer: answer_text(received.answer), expect };
        Ok((made, String::new(), received.decision))
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(Duration::from_secs(u64::from(self.config.message.deadline)))
    }

    fn question(&self) -> crate::decide::Question<'_> {
        let (config, dns, deadline) = (&*self.config, &*self.dns, self.deadline());
        crate::decide::Question { config, dns, seed: self.mail.seed, at_ms: self.mail.at_ms, deadline }
    }
}
