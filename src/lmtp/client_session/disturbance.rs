//! What goes wrong on purpose in a session, done.
//!
//! Not here: what is to go wrong (`chaos`). Invariants: without settings nothing does; a session in
//! which something may go wrong has a thread for itself, because it rests.

use super::handing_in::message_id;
use super::{ClientSession, Next, Step};
use crate::config::ChaosMoment;
use crate::digest;
use crate::lmtp::chaos::{Drawn, Mishap};
use crate::lmtp::conversation::{Arrived, Turn};
use crate::plan::Verdict;
use crate::smtp_reply::{EnhancedStatus, SmtpReply};

const UNAVAILABLE: &str = "421 4.3.2 not available now";

/// What goes wrong on purpose.
#[derive(Default)]
pub(super) struct Disturbance {
    /// The connection is closed after the reply, with a reset or without.
    leaves: Option<bool>,
    /// The message is taken, and its client hears nothing.
    pub(super) loses: bool,
    /// Bytes a second that are read of a message.
    pub(super) pace: Option<u32>,
    /// The connection is closed without more.
    pub(super) abrupt: bool,
}

impl ClientSession<'_, '_> {
    /// Lets go wrong what is to go wrong with what the client has just said. Its replies begin at
    /// `before`.
    pub(super) fn disturb(&mut self, before: usize, turn: Turn) -> Step {
        let Some(chaos) = &self.means.chaos else { return Step::Does(Next::Turn(turn)) };
        let Some(said) = self.conversation.take_said() else { return Step::Does(Next::Turn(turn)) };
        let session = self.number;
        let mishaps = match &turn {
            Turn::Message(Arrived { envelopes, content }) => {
                let recipients: Vec<&str> = envelopes.iter().map(|one| one.recipient.as_str()).collect();
                let message = message_id(content).unwrap_or_else(|| digest::sha256_hex(&[content.raw()], 32));
                chaos.at(said, Drawn { session, message: &message, recipients: &recipients })
            }
            _ => {
                let (message, recipients) = self.conversation.parties();
                chaos.at(said, Drawn { session, message, recipients: &recipients })
            }
        };
        let (mut turn, mut is_refused) = (turn, false);
        for mishap in mishaps {
            match mishap {
                Mishap::Delay(time) => {
                    if !self.line.rest(self.end.within(time)) {
                        return Step::Ends;
                    }
                }
                Mishap::SlowRead(bytes) => self.disturbance.pace = Some(bytes),
                Mishap::Lose => self.disturbance.loses = true,
                Mishap::Close { reset, after: true } => self.disturbance.leaves = Some(reset),
                Mishap::Close { reset, after: false } => {
                    self.out.truncate(before);
                    self.leave(reset);
                    return Step::Ends;
                }
                Mishap::Unavailable => {
                    self.out.truncate(before);
                    if !is_refused {
                        self.note_refusal(said, &turn, UNAVAILABLE);
                    }
                    self.say(UNAVAILABLE);
                    return Step::Ends;
                }
                // What was refused once is not there any more.
                Mishap::Refuse(_) if is_refused => {}
                Mishap::Refuse(reply) => {
                    is_refused = true;
                    self.out.truncate(before);
                    turn = self.refuse(said, turn, reply);
                }
            }
        }
        Step::Does(Next::Turn(turn))
    }

    /// The client hears that what it said is refused.
    fn refuse(&mut self, said: ChaosMoment, turn: Turn, reply: Option<SmtpReply>) -> Turn {
        let reply = reply.unwrap_or_else(|| usual(said));
        if self.conversation.is_in_piece() {
            self.conversation.refuse_pieces(reply);
            return turn;
        }
        self.note_refusal(said, &turn, &reply.to_string());
        self.conversation.take_back(said);
        match turn {
            Turn::Message(arrived) => {
                let verdicts = vec![Verdict::of_refusal(reply); arrived.envelopes.len()];
                self.conversation.answer(&verdicts, &mut self.out)
            }
            _ => self.conversation.answer_command(reply, &mut self.out),
        }
    }

    /// Notes a refusal of a recipient or a message.
    fn note_refusal(&mut self, said: ChaosMoment, turn: &Turn, reply: &str) {
        let (envelopes, is_of_message) = match turn {
            Turn::Message(arrived) => (arrived.envelopes.clone(), true),
            _ if said == ChaosMoment::Rcpt => {
                (self.conversation.last_envelope().into_iter().collect(), false)
            }
            _ => return,
        };
        self.conversation.note_refusal(reply, envelopes, is_of_message);
    }

    pub(super) fn leave(&mut self, reset: bool) {
        self.flush();
        self.disturbance.abrupt = true;
        if reset {
            self.line.reset();
        }
    }

    /// Whether the connection is closed on purpose after this reply.
    pub(super) fn leaves(&mut self) -> bool {
        if self.conversation.is_in_piece() {
            return false;
        }
        match self.disturbance.leaves.take() {
            Some(reset) => self.leave(reset),
            None => return false,
        }
        true
    }
}

/// The reply of a refusal that has none of its own.
fn usual(said: ChaosMoment) -> SmtpReply {
    let (code, class, subject, detail, text) = match said {
        ChaosMoment::StartTls => (454, 4, 7, 0, "TLS not available now"),
        ChaosMoment::Auth => (535, 5, 7, 8, "authentication failed"),
        _ => return SmtpReply::try_again_later("refused on purpose"),
    };
    SmtpReply { code, enhanced: EnhancedStatus::new(class, subject, detail), text: text.into() }
}
