//! What fields, notice and transcript say about one recipient, put together.
//!
//! Not here: who the recipients are (`recipients`). Invariant: of the texts the one counts that has
//! the reply in it; what the reporting server put around a reply is left out.

use super::command_frame;
use super::delivery_status::RecipientStatus;
use super::evidence::Evidence;
use super::filler::is_filler;
use super::fold::folded;
use super::mailbox;
use super::mention::Mention;
use super::phrases::{self, Says};
use super::quoted_reply::{QuotedReply, better_status};
use super::reported::{DeliveryAction, Recipient};
use super::session::Exchange;
use super::speakers;
use super::whose_words;
use crate::smtp_reply::EnhancedStatus;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// A diagnostic is kept up to this many characters.
const MAX_DIAGNOSTIC: usize = 2_000;
/// Characters before a reply that may say which command it answered.
const MAX_AROUND: usize = 500;

/// Where something is said about a recipient.
pub(crate) struct Sources<'s> {
    pub(crate) status: Option<&'s RecipientStatus>,
    pub(crate) mention: Option<&'s Mention>,
    pub(crate) exchange: Option<&'s Exchange>,
    /// There is no other recipient, so that all of the notice is about this one.
    pub(crate) sole: bool,
    /// What found the recipient.
    pub(crate) reader: &'static str,
}

impl Evidence<'_> {
    /// The recipient with this address, or with this original one if that is another.
    pub(crate) fn put_together(
        &self,
        address: String,
        original: Option<String>,
        sources: &Sources<'_>,
    ) -> Recipient {
        let texts = self.texts(sources);
        let replies = texts.iter().map(|text| (*text, QuotedReply::find(text)));
        let coded = replies.clone().find(|(_, reply)| reply.code.is_some());
        let best = coded.or_else(|| replies.clone().find(|(_, reply)| reply.is_some()));
        let first = || texts.iter().copied().find(|text| !text.is_empty());
        let whole = || if sources.sole { self.notice.whole() } else { "" };
        let said = best.map(|(text, _)| text).or_else(first).unwrap_or_else(whole);
        let reply = best.map(|(_, reply)| reply).unwrap_or_default();
        let is_told =
            sources.status.and_then(|status| status.status).is_some_and(|status| status.subject > 0);
        let said = if is_told && is_filler(said) { "" } else { said };
        let (before, said, after) = alone(said);

        let Sources { status, mention, exchange, .. } = *sources;
        let field = QuotedReply::find(status.map_or("", |status| status.diagnostic.as_str()));
        let stage = exchange.map(|exchange| exchange.stage).filter(|stage| !stage.is_empty());
        let stage = stage.or_else(|| stage_around(before, after));
        let noted = || mention.map(|mention| mention.stage).filter(|stage| !stage.is_empty());
        let whole_stage = || self.notice.answered_command().filter(|_| sources.sole);
        let own = status.and_then(|status| status.status);
        let codes = (field.code.or(reply.code), better_status(own, field.status.or(reply.status)));
        let host = || speakers::host(before).or_else(|| speakers::host(&mention?.context)).map(str::to_owned);
        Recipient {
            original: original.filter(|original| !mailbox::same(original, &address)),
            is_literal: status.is_some_and(|status| status.is_literal),
            address,
            action: self.action_of(sources, codes),
            status: codes.1,
            reply_code: codes.0,
            diagnostic: said.chars().take(MAX_DIAGNOSTIC).collect(),
            remote_mta: status
                .and_then(|status| status.remote_mta.clone())
                .or_else(|| exchange?.host.clone())
                .or_else(host),
            stage: stage.or_else(noted).or_else(whole_stage).unwrap_or_default(),
            named: None,
            reader: sources.reader,
            line: status.map(|status| status.line).or_else(|| Some(mention?.line)).unwrap_or(1),
        }
    }

    /// What became of the message for the recipient: its own fields say it, or the words. Words
    /// alone make no delivery of a refusal.
    fn action_of(
        &self,
        sources: &Sources<'_>,
        codes: (Option<u16>, Option<EnhancedStatus>),
    ) -> DeliveryAction {
        let Sources { status, mention, .. } = *sources;
        if let Some(action) = status.and_then(|status| status.action) {
            return action;
        }
        if status.and_then(|status| status.status).is_some_and(|status| status.class == 2) {
            return DeliveryAction::Delivered;
        }
        let words = mention.and_then(|mention| mention.action).unwrap_or(self.action);
        let refused =
            codes.0.is_some_and(|code| code >= 400) || codes.1.is_some_and(|status| status.class > 2);
        match words {
            DeliveryAction::Failed | DeliveryAction::Delayed => words,
            _ if refused => DeliveryAction::Failed,
            _ => words,
        }
    }

    /// What is said about the recipient, the most reliable first.
    fn texts<'s>(&'s self, sources: &Sources<'s>) -> Vec<&'s str> {
        let Sources { status, mention, exchange, sole, .. } = *sources;
        let fields = status.map_or("", |status| status.diagnostic.as_str());
        let comment = status.map_or("", |status| status.comment.as_str());
        let entry = mention.map_or("", |mention| mention.text.as_str());
        let spoken = exchange.map_or("", |exchange| exchange.reply.as_str());
        let complete = if is_cut(fields, spoken) { spoken } else { fields };
        let quoted = exchange.is_some_and(|exchange| !exchange.summary && exchange.recipient.is_some());
        // sendmail sums up what it quotes, and what a program of its own said before.
        let longer = spoken.len() > entry.len() && !entry.is_empty() && spoken.starts_with(entry);
        let silent = !spoken.is_empty() && !QuotedReply::find(entry).is_some();
        let (first, second) = if quoted || longer || silent { (spoken, entry) } else { (entry, spoken) };
        let mut texts = vec![complete, comment, first, second];
        if sole && !texts.iter().any(|text| QuotedReply::find(text).is_some()) {
            texts.push(self.notice.refusal());
        }
        texts
    }
}

/// Keeps each recipient once: the first entry about it, or the first that has a reply in it.
pub(crate) fn once_each(recipients: &mut Vec<Recipient>) {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut kept: Vec<Recipient> = Vec::new();
    for recipient in recipients.drain(..) {
        match places.entry(recipient.address.to_lowercase()) {
            Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push(recipient);
            }
            Entry::Occupied(place) => {
                let known = &mut kept[*place.get()];
                if known.reply_code.is_none() && known.status.is_none() && recipient.reply_code.is_some() {
                    *known = recipient;
                }
            }
        }
    }
    *recipients = kept;
}

/// What is said before a reply, the reply itself with the words that say whose it is, and which
/// command it answered.
fn alone(said: &str) -> (&str, &str, &str) {
    let reply = QuotedReply::find(said);
    let begins = reply.begins_in(said) && QuotedReply::find(&said[..reply.at]).code.is_none();
    let at = if begins { reply.at } else { 0 };
    let tail = command_frame::tail(&said[at..]).map_or(said.len(), |tail| at + tail);
    let start = if begins { whose_words::start(said, at) } else { 0 };
    (&said[..at], &said[start..tail], &said[tail..])
}

/// The command that was answered, by the words that the reporting server put around the reply.
fn stage_around(before: &str, after: &str) -> Option<&'static str> {
    const REPLY_TO: &str = " (in reply to";
    let command = speakers::command(after.strip_prefix(REPLY_TO).unwrap_or(after).trim());
    let command = command.or_else(|| speakers::command(before.trim_start()));
    let stage_in = |text: &str| {
        let hits = phrases::find(&folded(text));
        hits.iter().rev().find_map(|hit| match hit.says {
            Says::Stage(stage) => Some(stage),
            _ => None,
        })
    };
    let start = before.char_indices().rev().nth(MAX_AROUND).map_or(0, |(at, _)| at);
    let command = command.or_else(|| stage_in(after)).or_else(|| command_frame::after(after));
    command.or_else(|| stage_in(&before[start..])).or_else(|| command_frame::before(before))
}

/// Whether a reply in the fields is only the first line of what was said.
fn is_cut(fields: &str, spoken: &str) -> bool {
    let code = fields.get(..3).unwrap_or("-");
    fields.as_bytes().get(3) == Some(&b'-') && spoken.starts_with(code) && spoken.len() > fields.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_is_taken_from_the_words_around_it() {
        let said = "host mx.example said: 550 5.1.1 no (in reply to RCPT TO command)";
        assert_eq!(alone(said), ("host mx.example said: ", "550 5.1.1 no", " (in reply to RCPT TO command)"));
        assert_eq!(alone("no reply at all"), ("", "no reply at all", ""));
        assert!(is_cut("550-first", "550-first second") && !is_cut("550 first", "550 first second"));
    }

    #[test]
    fn the_command_that_was_answered_is_in_the_words_around_a_reply() {
        for (said, stage) in [
            ("host mx.example said: 550 5.1.1 user unknown (in reply to MAIL FROM command)", "MAIL"),
            ("550 5.1.1 user unknown (in reply to end of DATA command)", "DATA"),
            ("550 5.1.1 user unknown (in reply to EHLO command)", "EHLO"),
            ("MAIL FROM:<s@a.example>: 550 5.1.1 user unknown", "MAIL"),
            ("550 5.1.1 user unknown for command MAIL FROM:<s@a.example>", "MAIL"),
            ("SMTPSenderFailedException: 550 5.1.1 user unknown", "MAIL"),
            ("SMTP error from remote mail server after MAIL FROM:<s@a.example> SIZE=9: 550 no user", "MAIL"),
            ("SMTP error from remote mail server after RCPT TO:<b@x.example>: 550 no user", "RCPT"),
        ] {
            let (before, _, after) = alone(said);
            assert_eq!(stage_around(before, after), Some(stage), "{said}");
        }
        assert_eq!(stage_around("host mx.example said: ", ""), None);
    }

    #[test]
    fn an_entry_with_a_reply_counts_before_one_without() {
        let recipient = |address: &str, reply_code| Recipient {
            address: address.to_owned(),
            reply_code,
            ..Recipient::default()
        };
        let mut recipients =
            vec![recipient("a@x", None), recipient("b@x", Some(550)), recipient("A@x", Some(551))];
        once_each(&mut recipients);
        assert_eq!(recipients, [recipient("A@x", Some(551)), recipient("b@x", Some(550))]);
    }
}
