//! A reply in a log, as a policy is asked about it: text, codes, the command that was answered.
//!
//! Not here: what it means. Invariant: two replies have the same key only if the policy would be
//! asked the same.

use super::stable_id::stable_id;
use crate::class::{DeliveryFailure, mentioned};
use crate::smtp_reply;

#[derive(Clone, Copy, Debug)]
pub(crate) struct LoggedReply<'a> {
    pub(crate) text: &'a str,
    /// Enhanced status code.
    pub(crate) dsn: Option<&'a str>,
    /// Next hop: `mx.example.com[192.0.2.1]:25`.
    pub(crate) relay: Option<&'a str>,
    /// From whom and to whom the message was.
    pub(crate) sender: Option<&'a str>,
    pub(crate) recipient: Option<&'a str>,
}

impl LoggedReply<'_> {
    pub(crate) fn key(&self) -> u64 {
        let dsn = self.dsn.unwrap_or_default();
        let [text, dsn, host] = [self.text, dsn, self.host()].map(str::as_bytes);
        match mentioned(self.text, self.sender, self.recipient) {
            (None, None) => stable_id(&[text, dsn, host]),
            (sender, recipient) => {
                let [sender, recipient] = [sender, recipient].map(|one| one.unwrap_or_default().as_bytes());
                stable_id(&[text, dsn, host, sender, recipient])
            }
        }
    }

    fn host(&self) -> &str {
        host(self.relay)
    }

    /// What the policy is asked.
    pub(crate) fn failure(&self) -> DeliveryFailure {
        let stage = self.text.rsplit_once("(in reply to ").map(|(_, stage)| stage);
        let stage = stage.map_or("", |stage| stage.trim_end_matches(')').trim_end_matches(" command"));
        DeliveryFailure {
            text: self.text.to_owned(),
            status: self.dsn.unwrap_or_default().to_owned(),
            code: code(self.text),
            stage: stage.to_owned(),
            remote_mta: self.host().to_owned(),
            ..DeliveryFailure::default()
        }
        .between(self.sender, self.recipient)
    }
}

/// The name of the next hop without address and port; empty if none was reached.
pub(crate) fn host(relay: Option<&str>) -> &str {
    let host = relay.unwrap_or_default().split(['[', ' ', ':']).next().unwrap_or_default();
    if host == "none" { "" } else { host }
}

/// The code of another server's reply, or the one that the text begins with; 0 if there is none.
fn code(text: &str) -> u16 {
    const INTRODUCTIONS: [&str; 2] = [" said: ", " refused to talk to me: "];
    let reply =
        INTRODUCTIONS.iter().find_map(|words| text.split_once(words)).map_or(text, |(_, reply)| reply);
    smtp_reply::leading_code(reply).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_taken_apart() {
        let text = "host mx.a.example[192.0.2.1] said: 550 5.1.1 no such user (in reply to RCPT TO command)";
        let reply = LoggedReply {
            text,
            dsn: Some("5.1.1"),
            relay: Some("mx.a.example[192.0.2.1]:25"),
            sender: Some("news@shop.example"),
            recipient: Some("x@b.example"),
        };
        let failure = reply.failure();
        assert_eq!(
            (failure.code, failure.stage.as_str(), failure.remote_mta.as_str()),
            (550, "RCPT TO", "mx.a.example")
        );
        assert_ne!(reply.key(), LoggedReply { dsn: None, ..reply }.key());
        assert_eq!(reply.key(), LoggedReply { relay: Some("mx.a.example[192.0.2.2]:25"), ..reply }.key());
        assert_eq!(
            LoggedReply { text: "connect to x[192.0.2.1]:25: timed out", relay: Some("none"), ..reply }
                .failure()
                .code,
            0
        );
        assert_eq!(code("451 4.7.1 later"), 451);
    }
}
