//! What a right classifier makes of a reply, and when a mail server gives it.

/// The words of the bounce policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    pub reason: &'static str,
    /// `hard` or `soft`.
    pub severity: &'static str,
    /// The rule that knows the reply.
    pub rule: &'static str,
    /// When a mail server gives it.
    pub stage: Stage,
}

impl Expected {
    /// As the header field X-Carom-Expect and the message log have it.
    pub fn text(&self) -> String {
        let Expected { reason, severity, rule, .. } = self;
        format!("reason={reason}; severity={severity}; rule={rule}")
    }
}

/// When a mail server gives a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Rcpt,
    /// After the text of the message.
    Data,
}

/// Reasons that only the message shows.
const OF_THE_MESSAGE: [&str; 8] = [
    "auth-failure",
    "content-error",
    "exceed-limit",
    "message-too-big",
    "not-compliant-rfc",
    "policy-violation",
    "spam-detected",
    "virus-detected",
];

impl Stage {
    /// That of a reply of which no more is known than its reason.
    pub fn of(reason: &str) -> Stage {
        if OF_THE_MESSAGE.contains(&reason) {
            Stage::Data
        } else {
            Stage::Rcpt
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Stage::Rcpt => "rcpt",
            Stage::Data => "data",
        }
    }
}
