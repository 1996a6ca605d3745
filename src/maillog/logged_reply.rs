//! A reply in a log, as a policy is asked about it: text, codes, the command that was answered.
//!
//! Not here: what it means. Invariant: two replies have the same key only if the policy would be
//! asked the same; a reply to an earlier command than RCPT keeps that command.

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
        let asked = exim_answer(self.text);
        let said = asked.map_or(self.text, |(_, said)| said);
        let stage = asked.map_or("", |(stage, _)| stage);
        let [text, dsn, host] = [said, dsn, self.host()].map(str::as_bytes);
        match mentioned(said, self.sender, self.recipient) {
            (None, None) if stage.is_empty() => stable_id(&[text, dsn, host]),
            (sender, recipient) => {
                let [sender, recipient] = [sender, recipient].map(|one| one.unwrap_or_default().as_bytes());
                stable_id(&[text, dsn, host, sender, recipient, stage.as_bytes()])
            }
        }
    }

    fn host(&self) -> &str {
        host(self.relay)
    }

    /// What the policy is asked.
    pub(crate) fn failure(&self) -> DeliveryFailure {
        let in_frame = || self.text.rsplit_once("(in reply to ").map(|(_, stage)| stage);
        let stage = || in_frame().map(|stage| stage.trim_end_matches(')').trim_end_matches(" command"));
        let (stage, text) =
            exim_answer(self.text).unwrap_or_else(|| (stage().unwrap_or_default(), self.text));
        DeliveryFailure {
            text: text.to_owned(),
            status: self.dsn.unwrap_or_default().to_owned(),
            code: code(text),
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

/// The command and the reply in Exim's `SMTP error from remote mail server after MAIL FROM:<…>: 550
/// text`.
fn exim_answer(text: &str) -> Option<(&str, &str)> {
    const COMMANDS: [&str; 5] = ["MAIL FROM", "EHLO", "HELO", "LHLO", "STARTTLS"];
    let (_, framed) = text.split_once(' ')?;
    let framed = framed.strip_prefix("error from remote mail server after ")?;
    let is_reply = |at: &usize| smtp_reply::leading_code(&framed[*at..]).is_some();
    let at = framed.match_indices(": ").map(|(colon, _)| colon + 2).find(is_reply)?;
    let command = framed.strip_prefix("pipelined ").unwrap_or(framed);
    let known = COMMANDS.iter().find(|name| command.starts_with(**name)).copied();
    let stage = known.or(framed.starts_with("initial connection").then_some("CONNECT"));
    // AUTH, and what only later releases name: it is not the recipient that was answered.
    let stage = stage.unwrap_or_else(|| framed[..at - 2].split([' ', ':']).next().unwrap_or_default());
    Some((stage, &framed[at..]))
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
