//! THE DESK: sessions hand in messages and wait for their answers; threads decide about them, and
//! deliver those together that come together.
//!
//! Not here: the road of a message (`deliver`), and which messages go together (`desk_queue`).
//! Invariants: an answer is given when it is durable, and "try again later" at the deadline;
//! messages that come in while others are put on record share a commit; what goes wrong with one
//! message gives it alone "try again later".

use super::answer_slot::{AwaitedAnswers, GivenAnswers, answers};
use super::desk_queue::{BatchTurn, Committing, DeskQueue};
use super::loop_bell::SessionBell;
use super::message_room::HeldRoom;
use crate::deadline::Deadline;
use crate::deliver::{self, Asked, Carried, LastLineOf};
use crate::house::House;
use crate::mail::Mail;
use crate::plan::Verdict;
use crate::policy::Policy;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(super) struct DeliveryDesk<'h> {
    house: &'h House,
    queue: DeskQueue<HandedIn<'h>>,
}

/// A message for some recipients.
struct HandedIn<'h> {
    mails: Vec<Mail>,
    answers: GivenAnswers,
    /// When it must be answered. Later nobody waits, and it comes again.
    deadline: Deadline,
    _room: Option<HeldRoom<'h>>,
}

/// Messages that were decided, and are delivered together.
#[derive(Default)]
struct DecidedBatch<'h> {
    messages: Vec<HandedIn<'h>>,
    asked: Vec<Asked>,
    /// The message and the recipient of each that was asked about.
    places: Vec<(usize, usize)>,
}

impl<'h> DeliveryDesk<'h> {
    pub(super) fn new(house: &'h House) -> DeliveryDesk<'h> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        DeliveryDesk { house, queue: DeskQueue::new(processors) }
    }

    /// Takes a message, one mail for each recipient. Its answers come in their order, by the
    /// deadline.
    pub(super) fn hand_in(
        &self,
        mails: Vec<Mail>,
        room: Option<HeldRoom<'h>>,
        bell: Option<SessionBell>,
    ) -> (AwaitedAnswers, Deadline) {
        let (awaited, given) = answers(mails.len(), bell);
        let deadline = self.house.deadline();
        self.queue.put(HandedIn { mails, answers: given, deadline, _room: room });
        (awaited, deadline)
    }

    /// Delivers until the desk is closed and nothing waits.
    pub(super) fn work(&self) {
        while let Some((first, mut open)) = self.queue.first() {
            let (policy, mut batch) = (self.house.policy(), DecidedBatch::default());
            self.ask(&policy, first, &mut batch);
            loop {
                match self.queue.next(&mut open) {
                    BatchTurn::More(more) => self.ask(&policy, more, &mut batch),
                    BatchTurn::Commit(committing) => break self.deliver(&policy, batch, committing),
                }
            }
        }
    }

    pub(super) fn close(&self) {
        self.queue.close();
    }

    /// What becomes of a message, for each recipient alone.
    fn ask(&self, policy: &Policy, mut handed: HandedIn<'h>, batch: &mut DecidedBatch<'h>) {
        let (mails, deadline) = (std::mem::take(&mut handed.mails), handed.deadline);
        if deadline.passed() {
            return;
        }
        let ask = || deliver::ask_about_each(self.house, policy, mails, deadline);
        match catch_unwind(AssertUnwindSafe(ask)) {
            Ok(each) => {
                let number = batch.messages.len();
                batch.places.extend((0..each.len()).map(|recipient| (number, recipient)));
                batch.asked.extend(each);
                batch.messages.push(handed);
            }
            // Its answers are given when it is dropped.
            Err(_) => tracing::error!("carom failed on a message: please report it"),
        }
    }

    fn deliver(&self, policy: &Policy, batch: DecidedBatch<'h>, committing: Committing<'_, HandedIn<'h>>) {
        let DecidedBatch { messages, asked, places } = batch;
        let committing = Cell::new(Some(committing));
        let answer = |place: usize, verdict: &Verdict| {
            // All of them are on record with the first answer; what follows are steps.
            committing.take();
            let (number, recipient) = places[place];
            messages[number].answers.give(recipient, verdict);
        };
        let promised = |place: usize, verdict: &Verdict, _: LastLineOf<'_>| answer(place, verdict);
        let mut ended = |carried: Carried| answer(carried.index, &carried.verdict);
        let deadline = self.house.deadline();
        let carry = || deliver::carry(self.house, policy, asked, &promised, deadline, &mut ended);
        if catch_unwind(AssertUnwindSafe(carry)).is_err() {
            tracing::error!("carom failed on a batch: what was not promised comes again");
        }
    }
}
