//! A line about a message that was decided before: it was delivered again, or steps of it were done
//! later, by the tick, by a relay that follows, or by a command.
//!
//! Not here: the line of the decision (`message_line`), which has the same `id`.

use super::message_line::shorter_results;
use crate::clock;
use crate::envelope::Envelope;
use crate::files::daily::MAX_LINE;
use crate::journal::StepsDone;
use crate::plan::Verdict;
use crate::store::Ended;
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct LaterLine<'a> {
    /// When that was (RFC 3339, UTC).
    time: String,
    /// `redelivery` or `outbox`. The line of a decision has no event.
    event: &'static str,
    /// The key of the message, with which the ids in `carom outbox` begin.
    id: &'a str,
    #[serde(flatten)]
    envelope: &'a Envelope,
    /// The answer to the mail server, if it delivered the message again.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'a Verdict>,
    /// How each step ended.
    results: &'a [Ended],
}

impl<'a> LaterLine<'a> {
    pub(crate) fn redelivery(done: StepsDone<'a>, verdict: &'a Verdict) -> LaterLine<'a> {
        LaterLine { event: "redelivery", verdict: Some(verdict), ..LaterLine::outbox(done) }
    }

    pub(super) fn outbox(StepsDone { mail, ended }: StepsDone<'a>) -> LaterLine<'a> {
        let (time, event, id) = (clock::rfc3339(clock::now_ms()), "outbox", mail.key.text());
        LaterLine { time, event, id, envelope: &mail.envelope, verdict: None, results: ended }
    }

    /// Steps of a message that were given up without another try.
    pub(super) fn given_up(id: &'a str, envelope: &'a Envelope, results: &'a [Ended]) -> LaterLine<'a> {
        let time = clock::rfc3339(clock::now_ms());
        LaterLine { time, event: "outbox", id, envelope, verdict: None, results }
    }

    /// As a line of JSON without its end. A line that is too long loses its envelope and notes.
    pub(super) fn json(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        if json.len() < MAX_LINE {
            return json;
        }
        let LaterLine { time, event, id, results, .. } = self;
        let (results, nothing) = (&shorter_results(results)[..], Envelope::default());
        let (time, envelope) = (time.clone(), &nothing);
        let short = LaterLine { time, event, id, envelope, verdict: None, results };
        serde_json::to_string(&short).unwrap_or_default()
    }
}
