//! A message from its last byte to the replies that its client has taken.
//!
//! Not here: what becomes of it (`delivery_desk`). Invariant: a client that has not taken the
//! replies for certain finds its message recognized when it comes again.

use super::{ClientSession, Next, Step, WaitsFor};
use crate::clock;
use crate::deadline::Deadline;
use crate::envelope::Envelope;
use crate::intake::unanswered_slots::{UnansweredSlot, UnansweredSlots};
use crate::lmtp::answer_slot::AwaitedAnswers;
use crate::lmtp::chaos;
use crate::lmtp::client_line::ReplyTaken;
use crate::lmtp::conversation::{Arrived, Turn};
use crate::lmtp::loop_bell::SessionBell;
use crate::mail::{Content, Mail};
use std::time::Instant;

/// A message that the desk decides about.
pub(super) struct MessageAtDesk {
    answers: AwaitedAnswers,
    /// When it must be answered.
    deadline: Deadline,
    began: Instant,
    /// Of its recipients.
    unanswered: Vec<Option<UnansweredSlot>>,
}

/// A message whose replies the client takes.
pub(super) struct AnsweredMessage {
    unanswered: Vec<Option<UnansweredSlot>>,
    /// Whether the mail of each recipient comes again.
    come_again: Vec<bool>,
    has_left: bool,
    goes_on: bool,
}

impl AnsweredMessage {
    /// No reply is given any more.
    pub(super) fn comes_again(self, slots: &UnansweredSlots) {
        self.unanswered.into_iter().flatten().for_each(|one| slots.left(one));
    }
}

impl ClientSession<'_, '_> {
    pub(super) fn hand_in(&mut self, arrived: Arrived, bell: Option<SessionBell>) -> Step {
        let Arrived { envelopes, content } = arrived;
        let (seed, at_ms) = (self.means.seed, clock::now_ms());
        let message_id = seed.and_then(|_| message_id(&content)).unwrap_or_default();
        let word = self.means.house.config.message.seed.as_deref().filter(|_| seed.is_none());
        let mail = |envelope: Envelope| {
            let seed = chaos::seed_of(seed, &message_id, &envelope.recipient);
            let seed = seed.unwrap_or_else(|| fastrand::u64(..));
            Mail::for_recipient(content.clone(), envelope, seed, at_ms).seeded_by(word)
        };
        let mut mails: Vec<Mail> = envelopes.into_iter().map(mail).collect();
        drop(content);
        let unanswered = mails.iter_mut().map(|mail| self.means.unanswered.begin(mail)).collect();
        let (began, room) = (Instant::now(), self.room.take());
        let (answers, deadline) = self.means.desk.hand_in(mails, room, bell);
        Step::Does(Next::Answers(MessageAtDesk { answers, deadline, began, unanswered }))
    }

    /// Takes the answers when that they are is durable, or it is time.
    pub(super) fn take_answers(&mut self, message: MessageAtDesk) -> Step {
        let is_over = message.answers.are_there() || message.deadline.passed() || self.line.must_end();
        if !self.line.waits() && !is_over {
            return Step::Waits(Next::Answers(message), WaitsFor::Desk);
        }
        let MessageAtDesk { answers, deadline, began, unanswered } = message;
        let verdicts = answers.take(deadline, || self.line.must_end());
        self.means.counts.answered(&verdicts, began.elapsed());
        self.disturbance.pace = None;
        if self.disturbance.loses {
            unanswered.into_iter().flatten().for_each(|one| self.means.unanswered.left(one));
            self.leave(false);
            return Step::Ends;
        }
        let goes_on = !matches!(self.conversation.answer(&verdicts, &mut self.out), Turn::Close);
        let come_again = self.conversation.come_again(&verdicts);
        // A client that has closed its side does not take the answer for certain.
        let has_left = self.line.has_left();
        Step::Does(Next::Replies(AnsweredMessage { unanswered, come_again, has_left, goes_on }))
    }

    pub(super) fn give_replies(&mut self, message: AnsweredMessage) -> Step {
        let written = match self.flush() {
            ReplyTaken::Part => return Step::Waits(Next::Replies(message), WaitsFor::Thread),
            written => written == ReplyTaken::All,
        };
        let AnsweredMessage { unanswered, come_again, has_left, goes_on } = message;
        for (one, comes_again) in unanswered.into_iter().zip(come_again) {
            let Some(one) = one else { continue };
            match written && !has_left && !comes_again {
                true => self.means.unanswered.answered(one),
                false => self.means.unanswered.left(one),
            }
        }
        self.set_due();
        if written && goes_on { Step::GoesOn } else { Step::Ends }
    }
}

pub(super) fn message_id(content: &Content) -> Option<String> {
    content.message(|message| message.header("Message-ID"))
}
