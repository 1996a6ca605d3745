//! What the steps of a plan do, with everything that doing it needs.
//!
//! Not here: doing it (`crate::action`).

use super::grounds::Grounds;
use super::unproven::Unproven;
use crate::feedback_type::FeedbackType;
use crate::smtp_reply::SmtpReply;
use serde::{Deserialize, Serialize};

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "action")]
pub(crate) enum Action {
    /// Fetch the images of allowed trackers.
    Open(Visit),
    /// Fetch the links of allowed trackers.
    Click(Visit),
    /// Ask to be unsubscribed with one request (RFC 8058).
    OneClick(Visit),
    /// Send an out-of-band bounce.
    Bounce(Bounce),
    /// Report that the message is delivered; no policy can ask for it.
    ReportSuccess(SuccessReport),
    /// Send a feedback report.
    Complain(Complaint),
    /// Send an automatic reply.
    AutoReply(AutoReply),
    /// Keep a copy in the done directory.
    Keep,
    /// Keep a copy under an address.
    KeepFor {
        /// The address, lower case.
        address: String,
    },
    /// Keep a copy of a complaint that matches nobody.
    KeepUnmatched(Unmatched),
    /// Forward a message that has no other effect to an operator; no policy can ask for it.
    Forward(Forwarding),
    /// Keep a message that could not be forwarded; no policy can ask for it.
    KeepUnproven(UnprovenCopy),
    /// Count a soft bounce.
    Strike(Strike),
    /// Suppress an address.
    Suppress(Suppression),
    /// Notify the application.
    Notify(Notification),
    /// Send an alert to operators; no policy can ask for it.
    Alert(Tell),
    /// The verdict itself: nothing is done, and it always succeeds.
    Verdict,
    /// Add one to a counter.
    Count {
        /// The counter's name.
        name: String,
    },
}

/// Which links are fetched, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Visit {
    /// Hosts that need no probe.
    pub(crate) trackers: Vec<String>,
    /// Whether other hosts may be probed.
    pub(crate) probe: bool,
    /// The host fills it in before the plan is promised, so that a retry sends the same one.
    pub(crate) user_agent: String,
    /// Seconds for all links together.
    pub(crate) timeout: u32,
    /// The addresses to fetch, taken from the message when the plan is made.
    pub(crate) urls: Vec<String>,
}

/// Where mail about a message may be sent: the answer of the policy's `map`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Route {
    /// Hosts to try, in order. With a `refusal`: the mail exchangers that the policy does not know.
    pub(crate) hosts: Vec<String>,
    /// The envelope recipient of what is sent.
    pub(crate) to: String,
    /// Why nothing may be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<Refusal>,
}

/// Why a message may not be answered. Each has its counter (`oob_…`, `fbl_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Refusal {
    /// The return path is null or not an address.
    MissingReturnPath,
    /// There is no recipient to answer for.
    MissingTo,
    /// The policy does not know the mail exchanger of the return path.
    NotRecognised,
}

impl Refusal {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Refusal::MissingReturnPath => "there is no Return-Path",
            Refusal::MissingTo => "there is no recipient to answer for",
            Refusal::NotRecognised => "the Return-Path is not one that may be answered",
        }
    }
}

/// An out-of-band bounce (RFC 3464).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bounce {
    /// The reply it reports.
    pub(crate) reply: SmtpReply,
    /// Envelope sender and From; `None` is the null sender and MAILER-DAEMON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sender: Option<String>,
    pub(crate) route: Route,
    /// What a classifier should make of it: the field X-Carom-Expect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expect: Option<String>,
}

/// A report that the message is delivered, for a sender that asks for it (RFC 3461).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SuccessReport {
    pub(crate) route: Route,
}

/// A feedback report (RFC 5965).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Complaint {
    pub(crate) feedback_type: FeedbackType,
    /// Envelope sender and From.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sender: Option<String>,
    pub(crate) route: Route,
}

/// A complaint that matches nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unmatched {
    /// The same for the same complaint.
    pub(crate) id: String,
    /// Message-ID and feedback ids of the message that it is about.
    pub(crate) found_by: Vec<String>,
    /// Its type: `abuse`, `opt-out` …
    pub(crate) feedback_type: String,
    /// Who reports.
    pub(crate) reporter: String,
}

/// A message that is accepted without an effect, on its way to an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Forwarding {
    pub(crate) to: String,
    pub(crate) reason: Unproven,
}

/// A message that is kept because it has no other effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnprovenCopy {
    pub(crate) reason: Unproven,
    /// Addresses and ids that it can be found by.
    pub(crate) about: Vec<String>,
}

/// What a report is about, so that one report counts once, however often and whichever way it
/// comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bounced {
    /// A digest of the message and the address.
    pub(crate) id: String,
    /// Our mail log says so, not a report.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) logged: bool,
}

/// A soft bounce to be counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Strike {
    /// The address that bounced, lower case.
    pub(crate) address: String,
    /// The sender domain, lower case.
    pub(crate) sender_domain: String,
    /// The step succeeds when this many are in the window.
    pub(crate) threshold: u32,
    /// Days after which a soft bounce no longer counts.
    pub(crate) window: u32,
    /// Whether the report is proven to be about the address. What is not is noted, and counts for
    /// nothing.
    pub(crate) proven: bool,
    /// What bounced, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bounce: Option<Bounced>,
}

/// An address that gets no more mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Suppression {
    /// The address, lower case.
    pub(crate) address: String,
    /// The sender domain it gets no more mail from, lower case; empty: all.
    pub(crate) sender_domain: String,
    pub(crate) reason: String,
    /// Expires after this many days; 0: never.
    pub(crate) days: u32,
    /// Nothing proves that the report is about the address: it is not suppressed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unproven: bool,
    /// What is known of the report.
    #[serde(default, skip_serializing_if = "Grounds::is_empty")]
    pub(crate) grounds: Grounds,
}

/// An event for an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notification {
    /// Its name.
    pub(crate) event: String,
    /// The address it happened to.
    pub(crate) address: String,
    /// The sender domain, lower case.
    pub(crate) sender_domain: String,
    /// More names and values, in order.
    pub(crate) fields: Vec<(String, String)>,
    /// What bounced, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bounce: Option<Bounced>,
    /// An application was configured when it was promised.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) has_application: bool,
    /// When that happened, in milliseconds since 1970; `None`: when the message came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) happened_ms: Option<i64>,
}

/// An alert for operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tell {
    pub(crate) rule: String,
    /// The same at every attempt.
    pub(crate) id: String,
    /// The address it is mailed to; `None`: the rule's webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    /// Subject of the mail.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) subject: String,
    /// Text of the mail, or JSON.
    pub(crate) body: String,
}

/// An automatic reply (RFC 3834).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AutoReply {
    pub(crate) subject: String,
    /// Plain text body.
    pub(crate) text: String,
    pub(crate) route: Route,
}

impl Action {
    /// The action's name, as plans and logs show it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Action::Open(_) => "open",
            Action::Click(_) => "click",
            Action::OneClick(_) => "one-click",
            Action::Bounce(_) => "bounce",
            Action::ReportSuccess(_) => "report-success",
            Action::Complain(_) => "complain",
            Action::AutoReply(_) => "auto-reply",
            Action::Keep => "keep",
            Action::KeepFor { .. } => "keep-for",
            Action::KeepUnmatched(_) => "keep-unmatched",
            Action::Forward(_) => "forward",
            Action::KeepUnproven(_) => "keep-unproven",
            Action::Strike(_) => "strike",
            Action::Suppress(_) => "suppress",
            Action::Notify(_) => "notify",
            Action::Alert(_) => "alert",
            Action::Verdict => "verdict",
            Action::Count { .. } => "count",
        }
    }
}
