//! Where the answers to a message go: each is found out when a step needs it, once.
//!
//! Not here: which steps answer (`decide`), and whether a host may be connected to
//! (`action::doors`). Invariant: nothing is sent to mail exchangers that the policy does not know.

use super::{Question, Undecided};
use crate::auth::DnsFailure;
use crate::mailbox_syntax::split_address;
use crate::plan::{Refusal, Route};
use crate::policy::recipient_facts::RecipientFacts;
use crate::policy::{Policy, PolicyInstance};
use std::rc::Rc;

pub(super) struct AnswerRoutes<'a> {
    question: &'a Question<'a>,
    policy: &'a Policy,
    /// The instance that has decided about the message.
    decided: Option<PolicyInstance>,
    facts: &'a Rc<RecipientFacts>,
    by_return_path: Option<RoutesOfReturnPath>,
    /// Where the sender itself wants complaints; `Some(None)`: it does not say.
    by_sender: Option<Option<Route>>,
}

/// What the return path is for.
struct RoutesOfReturnPath {
    answer: Route,
    complaint: Route,
}

impl<'a> AnswerRoutes<'a> {
    pub(super) fn new(
        question: &'a Question<'a>,
        (policy, decided): (&'a Policy, Option<PolicyInstance>),
        facts: &'a Rc<RecipientFacts>,
    ) -> AnswerRoutes<'a> {
        AnswerRoutes { question, policy, decided, facts, by_return_path: None, by_sender: None }
    }

    /// For an answer to the return path.
    pub(super) fn answer(&mut self) -> Result<Route, Undecided> {
        Ok(self.by_return_path()?.answer.clone())
    }

    /// For a complaint about the message.
    pub(super) fn complaint(&mut self) -> Result<Route, Undecided> {
        let usual = self.by_return_path()?.complaint.clone();
        let by_sender = match self.by_sender.take() {
            Some(known) => known,
            None => self.find_by_sender()?,
        };
        Ok(self.by_sender.insert(by_sender).clone().unwrap_or(usual))
    }

    fn by_return_path(&mut self) -> Result<&RoutesOfReturnPath, Undecided> {
        let known = match self.by_return_path.take() {
            Some(known) => known,
            None => self.find_by_return_path()?,
        };
        Ok(self.by_return_path.insert(known))
    }

    fn find_by_return_path(&mut self) -> Result<RoutesOfReturnPath, Undecided> {
        let envelope = self.facts.envelope();
        let Some((_, domain)) = split_address(&envelope.sender) else {
            return Ok(RoutesOfReturnPath::refused(Refusal::MissingReturnPath));
        };
        if split_address(&envelope.recipient).is_none() {
            return Ok(RoutesOfReturnPath::refused(Refusal::MissingTo));
        }
        let Some(exchangers) = self.exchangers(domain)? else {
            return Ok(RoutesOfReturnPath::refused(Refusal::NotRecognised));
        };
        let mapped = self.policy.map(&mut self.decided, self.facts, &envelope.sender, &exchangers);
        let mapped = mapped.map_err(Undecided::Policy)?;
        let Some(mapping) = mapped.filter(|mapping| !mapping.hosts.is_empty()) else {
            let unknown = Route { hosts: exchangers, ..refused(Refusal::NotRecognised) };
            return Ok(RoutesOfReturnPath { answer: unknown.clone(), complaint: unknown });
        };
        let to = |to: String| Route { hosts: mapping.hosts.clone(), to, refusal: None };
        Ok(RoutesOfReturnPath {
            answer: to(envelope.sender.clone()),
            complaint: mapping.feedback_address.map_or(refused(Refusal::NotRecognised), to),
        })
    }

    /// Where the sender itself wants complaints (RFC 9477), if the policy knows its mail
    /// exchangers. `None`: complaints go where the policy says.
    fn find_by_sender(&mut self) -> Result<Option<Route>, Undecided> {
        let Some(to) = self.facts.message.cfbl_address() else { return Ok(None) };
        let Some((_, domain)) = split_address(&to) else { return Ok(None) };
        let Some(exchangers) = self.exchangers(domain)? else { return Ok(None) };
        let mapped = self.policy.map(&mut self.decided, self.facts, &to, &exchangers);
        let mapped = mapped.map_err(Undecided::Policy)?;
        let hosts = mapped.map(|mapping| mapping.hosts).filter(|hosts| !hosts.is_empty());
        Ok(hosts.map(|hosts| Route { hosts, to, refusal: None }))
    }

    /// The mail exchangers of a domain; `None`: it takes no mail.
    fn exchangers(&self, domain: &str) -> Result<Option<Vec<String>>, Undecided> {
        match self.question.dns.mx(domain, self.question.deadline) {
            Ok(hosts) => Ok(Some(hosts)),
            Err(DnsFailure::NotFound | DnsFailure::NoMail) => Ok(None),
            Err(DnsFailure::Temporary(text)) => {
                Err(Undecided::Dns(format!("DNS for {domain} does not answer now: {text}")))
            }
        }
    }
}

impl RoutesOfReturnPath {
    fn refused(why: Refusal) -> RoutesOfReturnPath {
        RoutesOfReturnPath { answer: refused(why), complaint: refused(why) }
    }
}

fn refused(why: Refusal) -> Route {
    Route { refusal: Some(why), ..Route::default() }
}
