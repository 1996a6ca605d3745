//! Sessions between two servers that a notice quotes: which command got which reply.
//!
//! Not here: what was said about a recipient in words. Invariant: only refusals are kept; a reply belongs to the last
//! command before it.

use super::lines::NumberedLine;
use super::mailbox;
use super::quoted_reply::QuotedReply;
use super::speakers;
use super::tidied::tidy;
use std::collections::{HashMap, HashSet};

/// Refusals that are kept, at most.
const MAX_EXCHANGES: usize = 10_000;
/// A reply is kept up to about this many bytes.
const MAX_REPLY: usize = 4 * 1024;

/// A command and its refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// The command, as stages are named; empty for what the reporting server says itself.
    pub(crate) stage: &'static str,
    /// The recipient that command or reply names.
    pub(crate) recipient: Option<String>,
    /// The reply, its lines joined.
    pub(crate) reply: String,
    /// The server that gave it.
    pub(crate) host: Option<String>,
    /// Whether it is the summary that sendmail adds about a recipient.
    pub(crate) summary: bool,
    /// Where it stands.
    pub(crate) line: u32,
}

impl Exchange {
    /// With the words of the program that it sums up.
    fn with(mut self, local: &str) -> Exchange {
        if !local.is_empty() && local.len() < MAX_REPLY {
            self.reply = format!("{} {local}", self.reply);
        }
        self
    }
}

/// Who speaks on a line.
enum Speaker<'a> {
    Client(&'a str),
    /// What it says, and whether a mark says that it does.
    Server(&'a str, bool),
    Nobody,
}

/// The refusals in some lines.
pub(crate) fn read(lines: &[NumberedLine<'_>]) -> Vec<Exchange> {
    let mut found: Vec<Exchange> = Vec::new();
    let (mut stage, mut host, mut recipient) = ("", None, None);
    // What a program on the reporting server itself said.
    let mut local = String::new();
    let (mut open, mut any_marked) = (None, false);
    for line in lines {
        if found.len() >= MAX_EXCHANGES {
            break;
        }
        let text = line.trimmed();
        let talk =
            text.strip_prefix("... while talking to").or_else(|| text.strip_prefix("While talking to"));
        if talk.is_some() {
            (stage, host, recipient, open) = ("", speakers::host(text).map(str::to_owned), None, None);
            continue;
        }
        match speaker(text) {
            Speaker::Client(command) => {
                stage = speakers::command(command).unwrap_or(stage);
                if stage == "RCPT" {
                    recipient = mailbox::first(command).map(|found| found.address.to_owned());
                }
                open = None;
            }
            Speaker::Server(text, marked) => {
                let refused = matches!(text.as_bytes().first(), Some(b'4' | b'5'))
                    && QuotedReply::find(text).code.is_some();
                let follows = !found.is_empty() && (is_consequence(text) || (any_marked && !marked));
                any_marked |= marked;
                match found.last_mut() {
                    Some(last) if open == Some(marked) && refused && last.reply.get(..3) == text.get(..3) => {
                        let room = MAX_REPLY.saturating_sub(last.reply.len());
                        last.reply.push(' ');
                        last.reply.push_str(text.get(..room).unwrap_or(text));
                    }
                    _ if refused && !follows => {
                        let host = host.clone();
                        let recipient = recipient.clone();
                        let reply = text.to_owned();
                        found.push(Exchange {
                            stage,
                            recipient,
                            reply,
                            host,
                            summary: false,
                            line: line.number,
                        });
                    }
                    _ => {}
                }
                open = refused.then_some(marked);
            }
            Speaker::Nobody => {
                let summary = summary(text, line.number).map(|summary| summary.with(&local));
                let server =
                    starts_with_code(text) || text.starts_with(['-', '.', '(']) || text.contains("... ");
                local = if server { String::new() } else { text.to_owned() };
                found.extend(summary);
                open = None;
            }
        }
    }
    for exchange in &mut found {
        exchange.reply = tidy(&exchange.reply);
    }
    found
}

/// Who speaks: `>>> RCPT TO:<a@x>`, `<<< 550 no`, `In:`, `Out:`, `C:`, `S:`, or a bare command or reply.
fn speaker(text: &str) -> Speaker<'_> {
    for mark in [">>>", "In:", "C:", "-->", "Sent:", "SENT:"] {
        if let Some(rest) = text.strip_prefix(mark) {
            return Speaker::Client(rest.trim());
        }
    }
    for mark in ["<<<", "Out:", "S:", "<--", "Received:", "RECEIVED:"] {
        if let Some(rest) = text.strip_prefix(mark).map(str::trim).filter(|rest| starts_with_code(rest)) {
            return Speaker::Server(rest, true);
        }
    }
    if speakers::command(text).is_some() && (text.len() < 5 || text.contains('<')) {
        Speaker::Client(text)
    } else if starts_with_code(text) && !text.contains("... ") {
        Speaker::Server(text, false)
    } else {
        Speaker::Nobody
    }
}

/// Whether a refusal only follows from one before: without recipients there is no data.
fn is_consequence(text: &str) -> bool {
    text.starts_with("503") || text.contains("valid recipients")
}

fn starts_with_code(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 3
        && matches!(bytes[0], b'2'..=b'5')
        && bytes[1..3].iter().all(u8::is_ascii_digit)
        && matches!(bytes.get(3), None | Some(b' ' | b'-'))
}

/// `550 5.1.1 <a@x.example>... User unknown`, `<a@x.example>... Deferred: Connection refused`. The reply that the text
/// quotes counts before the code in front of it.
fn summary(text: &str, line: u32) -> Option<Exchange> {
    let (front, said) = text.split_once("... ")?;
    let named = mailbox::first(front).filter(|found| front[found.end..].trim_matches('>').is_empty())?;
    let code = &front[..named.start];
    let coded = starts_with_code(code) && code.len() < 24;
    if !coded && !code.trim_matches(['<', ' ']).is_empty() {
        return None;
    }
    let reply = if starts_with_code(said) || !coded { said } else { text };
    let recipient = Some(named.address.to_owned());
    let success = code.starts_with('2') || said.starts_with("Connecting to");
    (!success).then(|| Exchange {
        recipient,
        reply: reply.to_owned(),
        summary: true,
        line,
        ..Exchange::default()
    })
}

/// The refusals, found by whom they are about.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    exchanges: Vec<Exchange>,
    /// By address in small letters: the last refusal that names it, and the first summary about it.
    spoken: HashMap<String, usize>,
    summaries: HashMap<String, usize>,
}

impl Transcript {
    /// Reads some lines.
    pub(crate) fn read(lines: &[NumberedLine<'_>]) -> Transcript {
        let mut transcript = Transcript { exchanges: read(lines), ..Transcript::default() };
        for (at, exchange) in transcript.exchanges.iter().enumerate() {
            let recipient = exchange.recipient.iter().map(|address| address.to_lowercase());
            if exchange.summary {
                recipient.for_each(|address| _ = transcript.summaries.entry(address).or_insert(at));
            } else {
                let in_reply =
                    mailbox::all(&exchange.reply).take(20).map(|found| found.address.to_lowercase());
                recipient.chain(in_reply).for_each(|address| _ = transcript.spoken.insert(address, at));
            }
        }
        transcript
    }

    /// Whether nothing was refused.
    pub(crate) fn is_empty(&self) -> bool {
        self.exchanges.is_empty()
    }

    /// The refusal that is about a recipient: one that names it, one right before sendmail's summary about it, or, if
    /// there is only one recipient, the first.
    pub(crate) fn about(&self, address: &str, only: bool) -> Option<&Exchange> {
        let address = address.to_lowercase();
        let summary = self.summaries.get(&address).copied();
        let before = summary.and_then(|at| self.exchanges[..at].last());
        let before = before.filter(|before| !before.summary && before.recipient.is_none());
        let spoken = self.spoken.get(&address).map(|at| &self.exchanges[*at]);
        let first = || self.exchanges.iter().find(|exchange| !exchange.summary && only);
        spoken.or(before).or(summary.map(|at| &self.exchanges[at])).or_else(first)
    }

    /// The recipients that refusals name, for a notice without a list.
    pub(crate) fn recipients(&self) -> Vec<(String, u32)> {
        let summaries = self.exchanges.iter().any(|exchange| exchange.summary);
        let named = self.exchanges.iter().filter(|exchange| exchange.summary == summaries);
        let mut seen = HashSet::new();
        named
            .filter_map(|exchange| Some((exchange.recipient.clone()?, exchange.line)))
            .filter(|(address, _)| seen.insert(address.to_lowercase()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    fn exchanges(text: &str) -> Vec<Exchange> {
        read(&PartText::plain(text, 1).lines())
    }

    fn transcript(text: &str) -> Transcript {
        Transcript::read(&PartText::plain(text, 1).lines())
    }

    #[test]
    fn sendmail_says_what_it_was_told() {
        let found = transcript(
            "... while talking to mx.x.example.:\n>>> RCPT To:<a@x.example>\n<<< 550-5.1.1 no such\n<<< 550 5.1.1 user\n\
             550 5.1.1 <a@x.example>... User unknown\n>>> DATA\n<<< 503 no recipients\n",
        );
        let first = found.about("a@x.example", false).unwrap();
        assert_eq!((first.stage, first.reply.as_str()), ("RCPT", "550-5.1.1 no such user"));
        assert_eq!(first.host.as_deref(), Some("mx.x.example"));
        assert_eq!(found.recipients(), [("a@x.example".to_owned(), 5)]);
    }

    #[test]
    fn a_summary_alone_is_read() {
        let found = transcript(
            "550 x.example (smtp)... 550 Host unknown\n554 <a@x.example>... 550 Host unknown (no)\n<b@x.example>... Deferred: refused\n",
        );
        assert_eq!(found.about("a@x.example", false).unwrap().reply, "550 Host unknown (no)");
        assert_eq!(found.about("b@x.example", false).unwrap().reply, "Deferred: refused");
        assert_eq!(found.about("c@x.example", false), None);
    }

    #[test]
    fn other_servers_mark_the_speakers_in_their_way() {
        for text in [
            " In:  RCPT TO:<a@x>\n Out: 250 2.1.5 Ok\n In:  DATA\n Out: 354 go\n Out: 451 4.3.0 write error\n",
            " RCPT To:<a@x>\n 250 ok\n DATA\n 451 4.3.0 write error\n QUIT\n",
        ] {
            let found = exchanges(text);
            assert_eq!(
                (found.len(), found[0].stage, found[0].recipient.as_deref()),
                (1, "DATA", Some("a@x"))
            );
        }
        assert_eq!(exchanges("Nothing was said.\nDATA is lost\n"), []);
    }
}
