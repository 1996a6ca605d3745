//! What a client has said, for who lets it go wrong on purpose, and how it is taken back.
//!
//! Not here: what goes wrong (`chaos`). Invariant: only what has been done is taken back: one
//! recipient for one RCPT, and nothing for a command that carom has refused itself.

use super::{Conversation, Reading};
use crate::config::ChaosMoment;
use crate::lmtp::mail_transaction::MailTransaction;
use crate::plan::Verdict;
use crate::smtp_reply::SmtpReply;

impl Conversation<'_> {
    /// What the client has said since this was asked last; `None`: nothing, or carom has refused
    /// it.
    pub(crate) fn take_said(&mut self) -> Option<ChaosMoment> {
        self.said.take()
    }

    /// The sender and the recipients so far.
    pub(crate) fn parties(&self) -> (&str, Vec<&str>) {
        let Some(MailTransaction { mail, recipients }) = &self.transaction else { return ("", Vec::new()) };
        (&mail.sender, recipients.iter().map(|one| one.recipient.as_str()).collect())
    }

    /// What was said last has not happened: its reply says so.
    pub(crate) fn take_back(&mut self, said: ChaosMoment) {
        match (said, &mut self.transaction) {
            (ChaosMoment::Connect, _) => self.is_turned_away = true,
            (ChaosMoment::Rcpt, Some(transaction)) => drop(transaction.recipients.pop()),
            (ChaosMoment::Mail, _) => self.transaction = None,
            (ChaosMoment::Data, _) => self.reading = Reading::Command,
            (ChaosMoment::Hello, _) => self.name = None,
            _ => {}
        }
    }

    /// Whether the text of a BDAT is being read: its reply comes after it (RFC 3030).
    pub(crate) fn is_in_piece(&self) -> bool {
        matches!(self.reading, Reading::Piece { .. })
    }

    /// The message that comes in pieces is refused with this reply: to each piece, after its text.
    pub(crate) fn refuse_pieces(&mut self, reply: SmtpReply) {
        let reply = self.spoken(&Verdict::of_refusal(reply));
        self.refuse_body(reply);
    }
}
