//! Sessions between two servers that a notice quotes: which command got which reply.
//!
//! Not here: who a refusal is about (`transcript`). Invariant: only refusals are kept; a reply
//! belongs to the last command before it.

use super::lines::NumberedLine;
use super::mailbox;
use super::quoted_reply::QuotedReply;
use super::speakers::{self, Speaker, speaker, starts_with_code};
use super::tidied::tidy;
use memchr::memmem;

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
    /// It is the summary that sendmail adds about a recipient.
    pub(crate) summary: bool,
    /// The line of the message.
    pub(crate) line: u32,
}

/// The refusals in some lines.
pub(crate) fn read(lines: &[NumberedLine<'_>]) -> Vec<Exchange> {
    let mut session = Session::default();
    for line in lines {
        if session.found.len() >= MAX_EXCHANGES {
            break;
        }
        session.take(line.trimmed(), line.number);
    }
    session.found.iter_mut().for_each(|exchange| exchange.reply = tidy(&exchange.reply));
    session.found
}

/// A session that is being read.
#[derive(Default)]
struct Session {
    found: Vec<Exchange>,
    /// What the next refusal answers, and who gives it.
    stage: &'static str,
    recipient: Option<String>,
    host: Option<String>,
    /// What a program on the reporting server itself said.
    local: String,
    /// A refusal that may go on in the next line; whether a mark said who speaks.
    open: Option<bool>,
    any_marked: bool,
}

impl Session {
    fn take(&mut self, text: &str, line: u32) {
        if text.starts_with("... while talking to") || text.starts_with("While talking to") {
            self.host = speakers::host(text).map(str::to_owned);
            (self.stage, self.recipient, self.open) = ("", None, None);
            return;
        }
        match speaker(text) {
            Speaker::Client(command) => self.take_command(command),
            Speaker::Server(reply, marked) => self.take_reply(reply, marked, line),
            Speaker::Nobody => self.take_other(text, line),
        }
    }

    fn take_command(&mut self, command: &str) {
        self.stage = speakers::command(command).unwrap_or(self.stage);
        if self.stage == "RCPT" {
            self.recipient = mailbox::first(command).map(|found| found.address.to_owned());
        }
        self.open = None;
    }

    fn take_reply(&mut self, text: &str, marked: bool, line: u32) {
        let refused = text.starts_with(['4', '5']) && QuotedReply::find(text).code.is_some();
        let follows = !self.found.is_empty() && (is_consequence(text) || (self.any_marked && !marked));
        self.any_marked |= marked;
        let last = self.found.last_mut().filter(|last| last.reply.get(..3) == text.get(..3));
        match last {
            Some(last) if refused && self.open == Some(marked) => last.go_on(text),
            _ if refused && !follows => self.found.push(Exchange {
                stage: self.stage,
                recipient: self.recipient.clone(),
                reply: text.to_owned(),
                host: self.host.clone(),
                summary: false,
                line,
            }),
            _ => {}
        }
        self.open = refused.then_some(marked);
    }

    /// A line that nobody speaks may be sendmail's summary of what the last lines said.
    fn take_other(&mut self, text: &str, line: u32) {
        self.found.extend(summary(text, line).map(|summary| summary.with(&self.local)));
        let server = starts_with_code(text)
            || text.starts_with(['-', '.', '('])
            || text.ends_with(':')
            || text.contains("... ");
        self.local = if server { String::new() } else { text.to_owned() };
        self.open = None;
    }
}

impl Exchange {
    /// With the words of the program that it sums up.
    fn with(mut self, local: &str) -> Exchange {
        if !local.is_empty() && local.len() < MAX_REPLY {
            self.reply = format!("{} {local}", self.reply);
        }
        self
    }

    /// Adds the next line of the reply.
    fn go_on(&mut self, text: &str) {
        let room = MAX_REPLY.saturating_sub(self.reply.len());
        self.reply.push(' ');
        self.reply.push_str(text.get(..room).unwrap_or(text));
    }
}

/// Whether a refusal only follows from one before: without recipients there is no data.
fn is_consequence(text: &str) -> bool {
    text.starts_with("503") || text.contains("valid recipients")
}

/// `550 5.1.1 <a@x.example>... User unknown`, `<a@x.example>... Deferred: Connection refused`. The
/// reply that the text quotes counts before the code in front of it.
fn summary(text: &str, line: u32) -> Option<Exchange> {
    let at = memmem::find(text.as_bytes(), b"... ")?;
    let (front, said) = (&text[..at], &text[at + 4..]);
    let named = mailbox::first(front).filter(|found| front[found.end..].trim_matches('>').is_empty())?;
    let code = &front[..named.start];
    let coded = starts_with_code(code) && code.len() < 24;
    if !coded && !code.trim_matches(['<', ' ']).is_empty() {
        return None;
    }
    let reply = if starts_with_code(said) || !coded { said } else { text };
    let success = code.starts_with('2') || said.starts_with("Connecting to");
    (!success).then(|| Exchange {
        recipient: Some(named.address.to_owned()),
        reply: reply.to_owned(),
        summary: true,
        line,
        ..Exchange::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    #[test]
    fn servers_mark_the_speakers_in_their_ways() {
        let exchanges = |text: &str| read(&PartText::plain(text, 1).lines());
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
