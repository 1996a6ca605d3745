//! One client's session: its bytes to the conversation, its messages to the desk, replies back.
//!
//! It goes on as far as it can, and says what it waits for; in a thread for itself, it waits.
//! Not here: the protocol (`conversation`), and sessions that wait together (`session_loop`).
//! Invariants: a command, a message and the session have deadlines that a slow client does not
//! move; a message is read only into memory that was taken for it; a client that has heard no
//! answer finds its message recognized when it comes again.

mod disturbance;
mod handing_in;

use super::chaos::Chaos;
use super::client_line::{ClientLine, ReplyTaken};
use super::conversation::{Conversation, Turn};
use super::loop_bell::SessionBell;
use super::message_room::MessageRoom;
use super::sending_pace::SendingPace;
use super::session_means::SessionMeans;
use crate::deadline::Deadline;
use crate::envelope::Envelope;
use crate::listen::{Heard, Pause, TlsIdentity};
use crate::plan::Verdict;
use disturbance::Disturbance;
use handing_in::{AnsweredMessage, MessageAtDesk};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Bytes that are read together, of a message and of commands. An idle session keeps only the
/// latter.
const BUFFER: usize = 8 << 10;
const COMMANDS: usize = 4 << 10;
/// What a session holds without taking memory for it.
const SMALL: usize = 64 << 10;
/// A longer message is read in a thread for itself.
const LARGE: usize = 256 << 10;
/// Reads before other sessions have their turn.
const IN_TURN: usize = 16;
/// Time for the client to take replies.
const WRITING: Duration = Duration::from_secs(60);
/// Time to wait for memory.
const ROOM: Duration = Duration::from_secs(10);
/// Time for a client to close its side, and reads in that time.
const CLOSING: Duration = Duration::from_secs(2);
const UNHEARD: usize = 256;

const NO_THREAD: &str = "421 4.3.2 cannot start a thread for this session, try again later";
const NO_MEMORY: &str = "452 4.3.1 not enough memory now, try again later";

pub(super) struct ClientSession<'s, 'h> {
    means: &'s SessionMeans<'h>,
    line: ClientLine,
    conversation: Conversation<'s>,
    /// What it does when it goes on.
    next: Next,
    /// Bytes that were read; the first `heard` are used.
    input: Vec<u8>,
    heard: usize,
    out: Vec<u8>,
    room: MessageRoom<'h>,
    /// While a message is being read.
    pace: Option<SendingPace>,
    /// When the session must be over.
    end: Deadline,
    /// When the command or the message that is being read must be there.
    due: Deadline,
    disturbance: Disturbance,
    /// Its number, for chance that can be repeated.
    number: u64,
}

/// What a session does next.
enum Next {
    Greet,
    /// Hear what is there.
    Hear,
    /// What the conversation asks for.
    Turn(Turn),
    /// Take the answers of the desk.
    Answers(MessageAtDesk),
    /// Have the client take the answers.
    Replies(AnsweredMessage),
    /// Have the client take the last reply.
    Part,
    /// Have the client close its side, within this number of reads.
    Leave(Deadline, usize),
    Nothing,
}

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitsFor {
    /// Its client has to say more.
    Client,
    /// The desk has to answer.
    Desk,
    /// Others have their turn first.
    Turn,
    /// Something that it has to wait for in a thread for itself.
    Thread,
    /// It is over.
    Nothing,
}

/// What came of a step.
enum Step {
    Does(Next),
    /// It hears what is there, unless the session ends here on purpose.
    GoesOn,
    /// It has had enough, or its client.
    Ends,
    /// It does this when something is there.
    Waits(Next, WaitsFor),
}

impl<'s, 'h> ClientSession<'s, 'h> {
    pub(super) fn new(
        means: &'s SessionMeans<'h>,
        line: ClientLine,
        conversation: Conversation<'s>,
    ) -> ClientSession<'s, 'h> {
        let end = Deadline::after(means.times.session);
        let due = end.within(means.times.idle);
        let room = MessageRoom::new(means.memory(), &means.shares, conversation.client_address());
        let out = conversation.greeting().into_bytes();
        ClientSession {
            means,
            line,
            conversation,
            next: Next::Greet,
            input: Vec::new(),
            heard: 0,
            out,
            room,
            pace: None,
            end,
            due,
            disturbance: Disturbance::default(),
            number: means.chaos.as_ref().map_or(0, Chaos::begin_session),
        }
    }

    /// Serves the client until one of the two has had enough.
    pub(super) fn run(mut self) {
        self.line.wait();
        while self.advance(|| None) != WaitsFor::Nothing {}
    }

    /// There is no thread for it: its client is to come again. Returns whether it goes on with
    /// that.
    pub(super) fn turn_away(&mut self) -> bool {
        match std::mem::replace(&mut self.next, Next::Part) {
            Next::Part | Next::Leave(..) | Next::Nothing => return false,
            // The client has heard no answer, or part of it.
            Next::Replies(message) => {
                message.comes_again(self.means.unanswered);
                return false;
            }
            _ => self.say(NO_THREAD),
        }
        true
    }

    /// What its client writes to.
    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.line.socket()
    }

    /// Goes on until it has to wait, if its line does not: then `bell` is rung with the answers of
    /// the desk.
    pub(super) fn advance(&mut self, bell: impl Fn() -> Option<SessionBell>) -> WaitsFor {
        let mut reads = 0;
        loop {
            let step = match std::mem::replace(&mut self.next, Next::Nothing) {
                Next::Greet => self.disturb(0, Turn::Next),
                Next::Hear => self.hear(),
                Next::Turn(Turn::More) if reads == IN_TURN && !self.line.waits() => {
                    Step::Waits(Next::Turn(Turn::More), WaitsFor::Turn)
                }
                Next::Turn(turn) => {
                    reads += usize::from(matches!(turn, Turn::More));
                    self.act(turn, &bell)
                }
                Next::Answers(message) => self.take_answers(message),
                Next::Replies(message) => self.give_replies(message),
                Next::Part => self.part(),
                Next::Leave(until, reads) => self.leave_client(until, reads),
                Next::Nothing => return WaitsFor::Nothing,
            };
            self.next = match step {
                Step::Does(next) => next,
                Step::GoesOn if self.leaves() => Next::Part,
                Step::GoesOn => Next::Hear,
                Step::Ends => Next::Part,
                Step::Waits(next, waits_for) => {
                    self.next = next;
                    return waits_for;
                }
            };
        }
    }

    /// Lets the conversation hear what is there.
    fn hear(&mut self) -> Step {
        let (was_in_body, before) = (self.conversation.is_in_body(), self.out.len());
        let (used, turn) = self.conversation.hear(&self.input[self.heard..], &mut self.out);
        self.heard += used;
        if was_in_body != self.conversation.is_in_body() || (used > 0 && !was_in_body) {
            self.set_due();
        }
        let step = self.disturb(before, turn);
        self.conversation.take_refusals().iter().for_each(|refusal| self.means.note(refusal));
        step
    }

    fn act(&mut self, turn: Turn, bell: &impl Fn() -> Option<SessionBell>) -> Step {
        match turn {
            Turn::Next => Step::GoesOn,
            Turn::More => self.take_more(),
            Turn::Message(arrived) => self.hand_in(arrived, bell()),
            Turn::Recipient(_) | Turn::StartTls if !self.line.waits() => {
                Step::Waits(Next::Turn(turn), WaitsFor::Thread)
            }
            Turn::Recipient(envelope) => self.ask_about(envelope),
            Turn::StartTls => self.start_tls(),
            Turn::Close => Step::Ends,
        }
    }

    fn set_due(&mut self) {
        let times = self.means.times;
        self.pace = match self.conversation.is_in_body() {
            true => self
                .pace
                .take()
                .or_else(|| Some(SendingPace::new(self.conversation.announced(), times.transfer))),
            false => None,
        };
        self.due = self.end.within(if self.pace.is_some() { times.transfer } else { times.idle });
    }

    /// Has the client say more.
    fn take_more(&mut self) -> Step {
        let more = |waits_for| Step::Waits(Next::Turn(Turn::More), waits_for);
        let is_large = self.conversation.held() > LARGE;
        if !self.line.waits() && (is_large || !self.take_room_now()) {
            return more(WaitsFor::Thread);
        }
        if self.line.waits() {
            self.take_room();
        }
        match self.flush() {
            ReplyTaken::Part => return more(WaitsFor::Thread),
            ReplyTaken::Broken => return Step::Ends,
            ReplyTaken::All => {}
        }
        match self.read() {
            None => more(WaitsFor::Client),
            Some(true) => Step::GoesOn,
            Some(false) => Step::Ends,
        }
    }

    /// The memory that the message takes after the next bytes. `None`: it is not taken.
    fn needed(&self) -> Option<usize> {
        let held = self.conversation.held() + BUFFER;
        let is_small = !self.conversation.is_in_body() && held <= SMALL;
        (!is_small && !self.conversation.is_refused()).then_some(held)
    }

    /// Takes memory for what the message will be after the next bytes.
    fn take_room(&mut self) {
        let Some(held) = self.needed() else { return self.room.give_back() };
        let (began, until, announced) =
            (Instant::now(), self.due.within(ROOM), self.conversation.announced());
        if !self.room.hold(held as u64, announced, until, || self.line.must_end()) {
            self.room.give_back();
            self.conversation.refuse_body(NO_MEMORY);
        }
        if let Some(pace) = &mut self.pace {
            pace.held_up(began.elapsed());
        }
    }

    /// The same, if it need not be waited for.
    fn take_room_now(&mut self) -> bool {
        match self.needed() {
            None => self.room.give_back(),
            Some(held) => return self.room.hold_now(held as u64, self.conversation.announced()),
        }
        true
    }

    /// `None`: nothing is there yet.
    fn read(&mut self) -> Option<bool> {
        self.input.drain(..std::mem::take(&mut self.heard));
        let before = self.input.len();
        let pause = if self.conversation.is_within(before) { Pause::Within } else { Pause::Between };
        let in_body = self.conversation.is_in_body();
        let pace = self.disturbance.pace.filter(|_| in_body);
        if pace.is_some() && !self.line.rest(self.due.within(Duration::from_secs(1))) {
            return Some(false);
        }
        let most = if in_body { BUFFER } else { COMMANDS };
        let most = pace.map_or(most, |bytes| most.min(bytes as usize));
        if !in_body {
            self.input.shrink_to(before + COMMANDS);
        }
        self.input.resize(before + most, 0);
        let is_paced = self.disturbance.pace.is_none();
        let due =
            self.pace.as_ref().filter(|_| is_paced).map_or(self.due, |pace| self.due.within(pace.left()));
        let heard = self.line.read(&mut self.input[before..], due, pause);
        let many = if let Some(Heard::Bytes(many)) = heard { many } else { 0 };
        if let Some(pace) = &mut self.pace {
            pace.heard(many);
        }
        self.input.truncate(before + many);
        match heard? {
            Heard::Bytes(_) => return Some(true),
            Heard::End => {}
            Heard::Late => self.say("421 4.4.2 timeout"),
            Heard::Stop => self.say("421 4.3.2 stopping, try again later"),
        }
        Some(false)
    }

    /// Answers to a recipient.
    fn ask_about(&mut self, envelope: Envelope) -> Step {
        let verdict = self.means.recipients.verdict(envelope);
        if verdict != Verdict::Accept {
            self.means.counts.refused(&verdict);
        }
        let turn = self.conversation.answer_recipient(&verdict, &mut self.out);
        self.set_due();
        if matches!(turn, Turn::Close) { Step::Ends } else { Step::GoesOn }
    }

    fn start_tls(&mut self) -> Step {
        // What was sent in the clear after the command is not heard (RFC 3207).
        self.heard = self.input.len();
        let tls = self.means.tls.map(TlsIdentity::current);
        if self.flush() != ReplyTaken::All || !self.line.secure(tls, self.due) {
            return Step::Ends;
        }
        self.conversation.secure();
        Step::GoesOn
    }

    /// Has the client take the last reply; nothing more is written.
    fn part(&mut self) -> Step {
        match self.flush() {
            ReplyTaken::Part => Step::Waits(Next::Part, WaitsFor::Thread),
            ReplyTaken::All if !self.disturbance.abrupt => {
                let until = Deadline::after(CLOSING);
                self.line.finish(until);
                Step::Does(Next::Leave(until, UNHEARD))
            }
            ReplyTaken::All | ReplyTaken::Broken => Step::Does(Next::Nothing),
        }
    }

    /// What the client sends meanwhile is read, because a connection that is closed with bytes
    /// unread takes the last reply with it.
    fn leave_client(&mut self, until: Deadline, reads: usize) -> Step {
        match self.line.ignore(until) {
            None => Step::Waits(Next::Leave(until, reads), WaitsFor::Client),
            Some(true) if reads > 1 => Step::Does(Next::Leave(until, reads - 1)),
            Some(_) => Step::Does(Next::Nothing),
        }
    }

    fn say(&mut self, reply: &str) {
        self.out.extend_from_slice(reply.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    fn flush(&mut self) -> ReplyTaken {
        self.line.write(&mut self.out, self.end.within(WRITING))
    }
}
