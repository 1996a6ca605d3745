//! A line about a message that was decided before: it was delivered again, or steps of it were done
//! later, by the tick, by a relay that follows, or by a command; or its file was given up.
//!
//! Not here: the line of the decision (`message_line`), which has the same `id`.

use super::message_line::shorter_results;
use crate::clock;
use crate::envelope::Envelope;
use crate::files::daily::MAX_LINE;
use crate::journal::StepsDone;
use crate::plan::Verdict;
use crate::store::{Ended, PromisedLine};
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct LaterLine<'a> {
    /// When that was (RFC 3339, UTC).
    time: String,
    /// `redelivery`, `outbox` or `failed`. The line of a decision has no event.
    event: &'static str,
    /// The key of the message, with which the ids in `carom outbox` begin.
    id: &'a str,
    #[serde(flatten)]
    envelope: &'a Envelope,
    /// Its Message-ID, and of a message that was delivered again that of the message that it
    /// reports about. Its first delivery may have died before its line.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<&'a str>,
    /// Addresses that it is about, if no step of it names them.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    addresses: &'a [String],
    /// The file of a relay directory that it was in.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// The answer to the mail server, if it delivered the message again.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'a Verdict>,
    /// How each step ended.
    results: &'a [Ended],
    /// Why its file was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> LaterLine<'a> {
    pub(crate) fn redelivery(
        done: StepsDone<'a>,
        verdict: &'a Verdict,
        before: &'a PromisedLine,
    ) -> LaterLine<'a> {
        let (about, addresses) = (before.about.as_deref(), &before.addresses[..]);
        let line = LaterLine::outbox(done);
        LaterLine { event: "redelivery", verdict: Some(verdict), about, addresses, ..line }
    }

    pub(super) fn outbox(StepsDone { mail, ended }: StepsDone<'a>) -> LaterLine<'a> {
        let line = LaterLine::of_steps(mail.key.text(), &mail.envelope, ended).named(mail.message_id());
        LaterLine { file: mail.file_name(), ..line }
    }

    /// Of the message with this Message-ID.
    pub(super) fn named(self, message_id: Option<String>) -> LaterLine<'a> {
        LaterLine { message_id, ..self }
    }

    /// Steps of a message that ended without a process that has the message itself.
    pub(super) fn of_steps(id: &'a str, envelope: &'a Envelope, results: &'a [Ended]) -> LaterLine<'a> {
        let time = clock::rfc3339(clock::now_ms());
        let (message_id, about, file, verdict, reason) = (None, None, None, None, None);
        let (event, addresses) = ("outbox", &[][..]);
        LaterLine { time, event, id, envelope, message_id, about, addresses, file, verdict, results, reason }
    }

    /// The file of a message was given up.
    pub(super) fn failed(id: &'a str, envelope: &'a Envelope, file: &str, why: &'a str) -> LaterLine<'a> {
        let line = LaterLine::of_steps(id, envelope, &[]);
        LaterLine { event: "failed", file: Some(file.to_owned()), reason: Some(why), ..line }
    }

    /// As a line of JSON without its end. A line that is too long loses its envelope and notes.
    pub(super) fn json(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        if json.len() < MAX_LINE {
            return json;
        }
        let LaterLine { time, event, id, results, file, reason, .. } = self;
        let (results, nothing) = (&shorter_results(results)[..], Envelope::default());
        let (time, file, envelope) = (time.clone(), file.clone(), &nothing);
        let nobody = LaterLine::of_steps(id, envelope, results);
        let short = LaterLine { time, event, file, reason: *reason, ..nobody };
        serde_json::to_string(&short).unwrap_or_default()
    }
}
