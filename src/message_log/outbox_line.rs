//! A line about steps that were done after their message was answered: by the tick, by a relay that
//! follows, or by a command.
//!
//! Not here: the line of the message itself (`message_line`), which has the same `id`.

use super::message_line::shorter_results;
use crate::clock;
use crate::envelope::Envelope;
use crate::files::daily::MAX_LINE;
use crate::mail::Mail;
use crate::store::Ended;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct OutboxLine<'a> {
    /// When the last of them ended (RFC 3339, UTC).
    time: String,
    /// Tells it from the line of a message.
    event: &'static str,
    /// The key of the message, with which the ids in `carom outbox` begin.
    id: &'a str,
    #[serde(flatten)]
    envelope: &'a Envelope,
    /// How each ended.
    results: &'a [Ended],
}

impl<'a> OutboxLine<'a> {
    pub(super) fn new(mail: &'a Mail, results: &'a [Ended]) -> OutboxLine<'a> {
        let (time, event, id) = (clock::rfc3339(clock::now_ms()), "outbox", mail.key.text());
        OutboxLine { time, event, id, envelope: &mail.envelope, results }
    }

    /// As a line of JSON without its end.
    pub(super) fn json(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        if json.len() < MAX_LINE {
            return json;
        }
        let OutboxLine { time, event, id, .. } = self;
        let results = &shorter_results(self.results)[..];
        let nothing = Envelope::default();
        let short = OutboxLine { time: time.clone(), event, id, envelope: &nothing, results };
        serde_json::to_string(&short).unwrap_or_default()
    }
}
