//! THE CONVERSATION with one client: bytes in; replies, messages and other events out.
//!
//! A state machine without input or output of its own. Not here: connections, time and memory
//! (`client_session`), and what becomes of a message (`delivery_desk`). Invariants: commands after
//! a message in the same bytes wait until it is answered; every recipient that was accepted gets
//! one answer (LMTP), or the message does (SMTP); 421 is the last reply; nothing grows beyond the
//! limits.

mod commands;
mod incoming_text;
mod own_refusals;
mod taken_back;

use super::dot_reader::DotReader;
use super::mail_transaction::{Forwarded, MailTransaction};
use super::spoken_reply::{common, ends_session, spoken, without_paths};
use super::verbs::{Verb, is_foreign};
use crate::config::ChaosMoment;
use crate::envelope::Envelope;
use crate::mail::Content;
use crate::plan::Verdict;
use crate::smtp_reply::SmtpReply;
use incoming_text::keep;
pub(crate) use own_refusals::OwnRefusal;
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

/// Longest command line, as Postfix has it.
const LINE: usize = 2048;
/// The reply to a recipient.
const RECIPIENT_OK: &str = "250 2.1.5 ok";
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Lmtp,
    Smtp,
}

/// What holds for all conversations.
#[derive(Clone, Debug)]
pub(crate) struct ConversationRules {
    pub(crate) dialect: Dialect,
    pub(crate) hostname: String,
    /// Bytes of a message.
    pub(crate) max_size: u64,
    /// Recipients of a message.
    pub(crate) recipients: usize,
    /// Commands that are refused before the client is sent away.
    pub(crate) errors: usize,
    /// STARTTLS is offered.
    pub(crate) tls: bool,
    /// Each recipient is asked about at RCPT.
    pub(crate) asks_at_rcpt: bool,
    /// AUTH is offered, and always fails.
    pub(crate) auth: bool,
}

/// Who the client is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ConnectedClient {
    /// Its address; `None`: it is a process of this host.
    pub(crate) address: Option<IpAddr>,
    /// It may say whose mail it hands on (XFORWARD).
    pub(crate) may_forward: bool,
}

/// What is to be done next.
pub(crate) enum Turn {
    /// Go on with what is there.
    Next,
    /// More bytes are needed.
    More,
    /// A recipient: decide about it, then call `answer_recipient`.
    Recipient(Envelope),
    /// A message: decide about it, then call `answer`.
    Message(Arrived),
    /// The replies are to be sent, then TLS begins. What the client sent after STARTTLS is void.
    StartTls,
    /// The replies are to be sent, and nothing more.
    Close,
}

/// A message for some recipients.
pub(crate) struct Arrived {
    pub(crate) envelopes: Vec<Envelope>,
    pub(crate) content: Arc<Content>,
}

/// What is being read.
#[derive(Debug, Default)]
enum Reading {
    #[default]
    Command,
    /// After DATA.
    Text(DotReader),
    /// After BDAT: what is left of the piece, and whether it is the last.
    Piece { left: u64, last: bool },
}

pub(crate) struct Conversation<'r> {
    rules: &'r ConversationRules,
    client: ConnectedClient,
    /// The name that the client gave.
    name: Option<String>,
    /// The greeting was a refusal: the client may only quit (RFC 5321 section 3.1).
    is_turned_away: bool,
    secured: bool,
    forwarded: Option<Forwarded>,
    transaction: Option<MailTransaction>,
    reading: Reading,
    body: Vec<u8>,
    /// Why the message that is being read is refused.
    refused: Option<Cow<'static, str>>,
    /// BDAT has begun: DATA is over for this message.
    in_pieces: bool,
    errors: usize,
    /// What the client has said last and carom has done, until somebody asks.
    said: Option<ChaosMoment>,
    /// What carom has refused itself since somebody asked.
    refusals: Vec<OwnRefusal>,
    /// That the message is refused is among them.
    is_noted: bool,
}

impl<'r> Conversation<'r> {
    pub(crate) fn new(rules: &'r ConversationRules, client: ConnectedClient) -> Conversation<'r> {
        Conversation {
            rules,
            client,
            name: None,
            is_turned_away: false,
            secured: false,
            forwarded: None,
            transaction: None,
            reading: Reading::Command,
            body: Vec::new(),
            refused: None,
            in_pieces: false,
            errors: 0,
            said: Some(ChaosMoment::Connect),
            refusals: Vec::new(),
            is_noted: false,
        }
    }

    pub(crate) fn greeting(&self) -> String {
        let protocol = if self.rules.dialect == Dialect::Lmtp { "LMTP" } else { "ESMTP" };
        format!("220 {} {protocol} carom\r\n", self.rules.hostname)
    }

    /// The address of the client that is connected; `None`: it is a process of this host.
    pub(crate) fn client_address(&self) -> Option<IpAddr> {
        self.client.address
    }

    /// Whether a message or a command is begun and not ended. `waiting` bytes have not been heard.
    pub(crate) fn is_within(&self, waiting: usize) -> bool {
        waiting > 0 || self.transaction.is_some()
    }

    /// Whether the text of a message is being read.
    pub(crate) fn is_in_body(&self) -> bool {
        !matches!(self.reading, Reading::Command) || self.in_pieces
    }

    /// TLS has begun: what was said before is forgotten (RFC 3207).
    pub(crate) fn secure(&mut self) {
        let errors = self.errors;
        *self = Conversation::new(self.rules, self.client);
        (self.secured, self.errors, self.said) = (true, errors, None);
    }

    /// Hears the first of these bytes; replies go to `out`. Returns how many were heard, and what
    /// is next.
    pub(crate) fn hear(&mut self, input: &[u8], out: &mut Vec<u8>) -> (usize, Turn) {
        match &mut self.reading {
            Reading::Command => self.hear_line(input, out),
            Reading::Text(reader) => {
                let room = self.rules.max_size;
                let (body, refused) = (&mut self.body, &mut self.refused);
                let (used, ended) = reader.read(input, |text| keep(body, refused, text, room));
                if reader.is_stray() {
                    self.refused = Some("550 5.5.2 only CR LF may end a line".into());
                    self.body = Vec::new();
                }
                match ended {
                    false => (used, Turn::More),
                    true => (used, self.end_of_body(out)),
                }
            }
            Reading::Piece { left, last } => {
                let many = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= many as u64;
                let (over, last) = (*left == 0, *last);
                keep(&mut self.body, &mut self.refused, &input[..many], self.rules.max_size);
                if !over {
                    return (many, Turn::More);
                }
                self.reading = Reading::Command;
                (many, self.end_of_piece(last, out))
            }
        }
    }

    /// Hears all that is there, until the client has to say more, TLS begins, or it is over: for
    /// who has no sessions (`crate::fuzz`). `decide` is asked at RCPT (`true`) and for each
    /// recipient of a message.
    pub(crate) fn hear_all(
        &mut self,
        input: &mut Vec<u8>,
        out: &mut Vec<u8>,
        messages: &mut Vec<Arrived>,
        decide: &dyn Fn(&Envelope, bool) -> Verdict,
    ) -> Turn {
        loop {
            let (used, turn) = self.hear(input, out);
            input.drain(..used);
            self.refusals.clear();
            let turn = match turn {
                Turn::Recipient(envelope) => self.answer_recipient(&decide(&envelope, true), out),
                Turn::Message(arrived) => {
                    let verdicts: Vec<Verdict> =
                        arrived.envelopes.iter().map(|one| decide(one, false)).collect();
                    messages.push(arrived);
                    self.answer(&verdicts, out)
                }
                other => other,
            };
            if !matches!(turn, Turn::Next) {
                return turn;
            }
        }
    }

    /// The answer to the last RCPT.
    pub(crate) fn answer_recipient(&mut self, verdict: &Verdict, out: &mut Vec<u8>) -> Turn {
        if *verdict == Verdict::Accept {
            return ok(out, RECIPIENT_OK);
        }
        self.take_back(ChaosMoment::Rcpt);
        say_all(out, &[self.spoken(verdict)])
    }

    /// The answers for the recipients of the message, in their order.
    pub(crate) fn answer(&mut self, verdicts: &[Verdict], out: &mut Vec<u8>) -> Turn {
        let answers: Vec<String> = match self.rules.dialect {
            Dialect::Smtp => vec![self.spoken(common(verdicts))],
            Dialect::Lmtp => verdicts.iter().map(|verdict| self.spoken(verdict)).collect(),
        };
        say_all(out, &answers)
    }

    /// The answer to a command that is refused on purpose.
    pub(crate) fn answer_command(&self, reply: SmtpReply, out: &mut Vec<u8>) -> Turn {
        say_all(out, &[self.spoken(&Verdict::of_refusal(reply))])
    }

    /// As this client may hear it.
    fn spoken(&self, verdict: &Verdict) -> String {
        match self.client.address {
            Some(_) => spoken(&without_paths(verdict)),
            None => spoken(verdict),
        }
    }

    /// Whether each recipient's mail comes again after these answers.
    pub(crate) fn come_again(&self, verdicts: &[Verdict]) -> Vec<bool> {
        let comes_again = |verdict: &Verdict| matches!(verdict, Verdict::Defer(_));
        match self.rules.dialect {
            Dialect::Smtp => vec![comes_again(common(verdicts)); verdicts.len()],
            Dialect::Lmtp => verdicts.iter().map(comes_again).collect(),
        }
    }

    fn hear_line(&mut self, input: &[u8], out: &mut Vec<u8>) -> (usize, Turn) {
        let window = &input[..input.len().min(LINE)];
        let Some(end) = memchr::memchr(b'\n', window) else {
            if window.len() == LINE {
                say(out, "500 5.5.6 line too long");
                say(out, "421 4.5.6 line too long");
                return (input.len(), Turn::Close);
            }
            return (0, Turn::More);
        };
        let Some(line) = window[..end].strip_suffix(b"\r").filter(|line| !line.contains(&b'\r')) else {
            say(out, "521 5.5.2 only CR LF may end a line");
            return (input.len(), Turn::Close);
        };
        if is_foreign(line) {
            say(out, "521 5.5.1 this is no mail client");
            return (input.len(), Turn::Close);
        }
        let turn = match Verb::read(line) {
            verb if self.is_turned_away && verb != Ok(Verb::Quit) => {
                self.refuse("503 5.5.1 no service after this greeting", out)
            }
            Ok(verb) => self.obey(verb, out),
            Err(refused) => self.refuse(refused, out),
        };
        (end + 1, turn)
    }

    fn reset(&mut self) {
        (self.forwarded, self.transaction, self.refused, self.is_noted) = (None, None, None, false);
        (self.reading, self.in_pieces, self.body) = (Reading::Command, false, Vec::new());
    }

    /// What carom refuses itself does not go wrong on purpose.
    fn refuse(&mut self, reply: &str, out: &mut Vec<u8>) -> Turn {
        say(out, reply);
        self.said = None;
        if ends_session(reply) {
            return Turn::Close;
        }
        self.errors += 1;
        if self.errors < self.rules.errors {
            return Turn::Next;
        }
        say(out, "421 4.7.0 too many errors");
        Turn::Close
    }
}

fn ok(out: &mut Vec<u8>, reply: &str) -> Turn {
    say(out, reply);
    Turn::Next
}

/// Whether the session goes on is what the replies say; each is given.
fn say_all(out: &mut Vec<u8>, replies: &[String]) -> Turn {
    replies.iter().for_each(|reply| say(out, reply));
    if replies.iter().any(|reply| ends_session(reply)) { Turn::Close } else { Turn::Next }
}

fn say(out: &mut Vec<u8>, reply: &str) {
    out.extend_from_slice(reply.as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
