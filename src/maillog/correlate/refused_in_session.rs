//! A refusal of a session that had no queue id: a delivery that no message comes of.
//!
//! Invariant: equal refusals of one moment are different deliveries, and the same lines give the
//! same ids.

use crate::config::OwnMail;
use crate::maillog::delivery::Delivery;
use crate::maillog::delivery_route::DeliveryRoute;
use crate::maillog::logged_status::LoggedStatus;
use crate::maillog::postfix::{LogLine, SessionDecision};
use crate::maillog::stable_id::stable_id;
use crate::maillog::whose::{Submitter, Whose};
use crate::maillog::whose_delivery::whose;

#[derive(Clone)]
pub(crate) struct RefusedInSession {
    id: u64,
    host: Box<str>,
    sender: Option<Box<str>>,
    recipient: Option<Box<str>>,
    at_ms: i64,
    dsn: Box<str>,
    reply: Box<str>,
    whose: Whose,
}

impl RefusedInSession {
    pub(crate) fn new<'a>(
        id: u64,
        line: &LogLine<'a>,
        decision: &SessionDecision<'a>,
        own: &OwnMail,
    ) -> RefusedInSession {
        let text = |text: Option<&'a [u8]>| text.map(|text| line.text(text).into());
        let mut refused = RefusedInSession {
            id,
            host: line.text(line.host).into(),
            sender: text(decision.envelope.sender),
            recipient: text(decision.envelope.recipient),
            at_ms: line.at_ms,
            dsn: line.text(decision.dsn).into(),
            reply: line.text(decision.reply).into(),
            whose: Whose::Own,
        };
        let submitter = Submitter::of_client(own, decision.client, false);
        refused.whose = whose(own, submitter, &refused.delivery());
        refused
    }

    pub(crate) fn delivery(&self) -> Delivery<'_> {
        Delivery {
            id: self.id,
            sender: self.sender.as_deref(),
            recipient: self.recipient.as_deref(),
            status: LoggedStatus::Rejected,
            first_seen: self.at_ms,
            last_seen: self.at_ms,
            dsn: Some(&*self.dsn).filter(|dsn| !dsn.is_empty()),
            reply: Some(&*self.reply).filter(|reply| !reply.is_empty()),
            host: Some(&*self.host).filter(|host| !host.is_empty()),
            route: DeliveryRoute::default().with_whose(self.whose),
            ..Delivery::default()
        }
    }
}

/// The id of a refusal that this many equal ones of the same moment came before.
pub(crate) fn id_of_refusal(line: &LogLine<'_>, decision: &SessionDecision<'_>, equal_before: u64) -> u64 {
    stable_id(&[
        line.host,
        &line.at_ms.to_le_bytes(),
        &line.pid.to_le_bytes(),
        decision.stage,
        decision.client,
        decision.envelope.sender.unwrap_or_default(),
        decision.envelope.recipient.unwrap_or_default(),
        &equal_before.to_le_bytes(),
    ])
}
