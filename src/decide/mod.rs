//! 4 ask, whole: the policy's plan, and where the answers in it may go. The same for a message that
//! is delivered, a dry run, a replay, a policy that only observes, and a policy under test.
//!
//! Invariant: nothing happens here. The same policy, message, settings, seed, time and DNS give the
//! same plan.

mod answer_routes;
/// Policies that only observe.
pub(crate) mod monitor;
/// Why an address is suppressed.
pub(crate) mod report_grounds;

use crate::action;
use crate::auth::{AuthResult, Dns};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::digest;
use crate::envelope::WantedReport;
use crate::plan::{Action, Plan, Step, SuccessReport, Verdict};
use crate::policy::recipient_facts::RecipientFacts;
use crate::policy::{Decision, DecisionSequence, Failure, Policy, PolicyInstance};
use answer_routes::AnswerRoutes;
use std::fmt;
use std::rc::Rc;

/// What is asked about a message, besides its facts.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) config: &'a Config,
    /// DNS, for the mail exchangers of the return path.
    pub(crate) dns: &'a Dns,
    /// Seeds every random choice.
    pub(crate) seed: u64,
    /// The time that the policy is told, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// When there must be an answer.
    pub(crate) deadline: Deadline,
}

/// A plan, complete.
pub(crate) struct Decided {
    /// What is to be done, and where answers go.
    pub(crate) plan: Plan,
    /// What it cost; its own plan is the one above now.
    pub(crate) decision: Decision,
}

/// There is no plan.
#[derive(Debug)]
pub(crate) enum Undecided {
    /// The policy failed.
    Policy(Failure),
    /// DNS does not say now where an answer would go.
    Dns(String),
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Undecided::Policy(failure) => failure.fmt(f),
            Undecided::Dns(text) => f.write_str(text),
        }
    }
}

impl Question<'_> {
    /// Asks the policy for a plan, then where the answers in it may go.
    pub(crate) fn ask(&self, policy: &Policy, facts: &Rc<RecipientFacts>) -> Result<Decided, Undecided> {
        let decided = policy.decide(facts, self.seed, self.now_ms()).map_err(Undecided::Policy)?;
        let (decision, instance) = decided;
        self.complete((policy, Some(instance)), facts, decision)
    }

    /// The same about the next failure of a sequence.
    pub(crate) fn ask_next(
        &self,
        sequence: &mut DecisionSequence<'_>,
        facts: &Rc<RecipientFacts>,
    ) -> Result<Decided, Undecided> {
        let decision = sequence.decide(facts, self.seed, self.now_ms()).map_err(Undecided::Policy)?;
        self.complete((sequence.policy, None), facts, decision)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.at_ms).unwrap_or(0)
    }

    /// Finds out where the answers of a plan may go. The instance is the one that has decided.
    fn complete(
        &self,
        asked: (&Policy, Option<PolicyInstance>),
        facts: &Rc<RecipientFacts>,
        mut decision: Decision,
    ) -> Result<Decided, Undecided> {
        let mut plan = std::mem::take(&mut decision.plan);
        if self.reports_success(&plan, facts)? {
            let action = Action::ReportSuccess(SuccessReport::default());
            plan.steps.push(Step { after: None, delay: 0, action });
        }
        let mut routes = AnswerRoutes::new(self, asked, facts);
        for step in &mut plan.steps {
            match &mut step.action {
                Action::Open(visit) | Action::Click(visit) | Action::OneClick(visit)
                    if visit.user_agent.is_empty() =>
                {
                    visit.user_agent = action::user_agent(self.config, self.seed);
                }
                Action::Bounce(bounce) => bounce.route = routes.answer()?,
                Action::ReportSuccess(report) => report.route = routes.answer()?,
                Action::AutoReply(reply) => reply.route = routes.answer()?,
                Action::Complain(report) => report.route = routes.complaint()?,
                _ => {}
            }
        }
        Ok(Decided { plan, decision })
    }

    /// Whether the sender hears that the message is delivered: it asks for that (NOTIFY=SUCCESS),
    /// and SPF shows that the return path is its own. A message that bounces is not delivered.
    fn reports_success(&self, plan: &Plan, facts: &RecipientFacts) -> Result<bool, Undecided> {
        let envelope = facts.envelope();
        let bounces = plan.steps.iter().any(|step| matches!(step.action, Action::Bounce(_)));
        let is_delivered = plan.verdict == Verdict::Accept && !bounces;
        if !is_delivered || envelope.sender.is_empty() || !envelope.wants(WantedReport::Success) {
            return Ok(false);
        }
        match facts.spf() {
            AuthResult::Pass => Ok(true),
            AuthResult::TempError => {
                let text = "DNS does not say now whether the return path is the sender's, who wants a report";
                Err(Undecided::Dns(text.to_owned()))
            }
            _ => Ok(false),
        }
    }
}

impl Decided {
    /// Sixteen hexadecimal digits that are the same for the same plan: the message log has them,
    /// and a replay is held to them.
    pub(crate) fn digest(&self) -> String {
        let json = serde_json::to_vec(&self.plan).unwrap_or_default();
        digest::sha256_hex(&[&json], 16)
    }
}
