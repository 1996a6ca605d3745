//! One client's session: its bytes to the conversation, its messages to the desk, replies back.
//!
//! Not here: the protocol (`conversation`). Invariants: a command, a message and the session have
//! deadlines that a slow client does not move; a message is read only into memory that was taken
//! for it; a client that has heard no answer finds its message recognized when it comes again.

use super::chaos::{self, Drawn, Mishap};
use super::client_line::ClientLine;
use super::conversation::{Arrived, Conversation, Turn};
use super::message_room::MessageRoom;
use super::sending_pace::SendingPace;
use super::session_means::SessionMeans;
use crate::clock;
use crate::config::ChaosMoment;
use crate::deadline::Deadline;
use crate::envelope::Envelope;
use crate::intake::unanswered_slots::UnansweredSlot;
use crate::listen::{Heard, Pause, TlsIdentity};
use crate::mail::{Content, Mail};
use crate::plan::Verdict;
use crate::smtp_reply::SmtpReply;
use std::time::{Duration, Instant};

/// Bytes that are read together, of a message and of commands. An idle session keeps only the
/// latter.
const BUFFER: usize = 8 << 10;
const COMMANDS: usize = 4 << 10;
/// What a session holds without taking memory for it.
const SMALL: usize = 64 << 10;
/// Time for the client to take replies.
const WRITING: Duration = Duration::from_secs(60);
/// Time to wait for memory.
const ROOM: Duration = Duration::from_secs(10);

const NO_MEMORY: &str = "452 4.3.1 not enough memory now, try again later";

pub(super) struct ClientSession<'s, 'h> {
    means: &'s SessionMeans<'h>,
    line: ClientLine<'s>,
    conversation: Conversation<'s>,
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
}

/// What goes wrong on purpose.
#[derive(Default)]
struct Disturbance {
    /// The connection is closed after the reply, with a reset or without.
    leaves: Option<bool>,
    /// The message is taken, and its client hears nothing.
    loses: bool,
    /// Bytes a second that are read of a message.
    pace: Option<u32>,
    /// The connection is closed without more.
    abrupt: bool,
}

impl<'s, 'h> ClientSession<'s, 'h> {
    pub(super) fn new(
        means: &'s SessionMeans<'h>,
        line: ClientLine<'s>,
        conversation: Conversation<'s>,
    ) -> ClientSession<'s, 'h> {
        let end = Deadline::after(means.times.session);
        let due = end.within(means.times.idle);
        let room = MessageRoom::new(means.memory(), &means.shares, conversation.client_address());
        let (input, out) = (Vec::new(), Vec::new());
        ClientSession {
            means,
            line,
            conversation,
            input,
            heard: 0,
            out,
            room,
            pace: None,
            end,
            due,
            disturbance: Disturbance::default(),
        }
    }

    /// Serves the client until one of the two has had enough.
    pub(super) fn run(mut self) {
        self.out.extend_from_slice(self.conversation.greeting().as_bytes());
        let mut next = self.disturb(0, Turn::Next);
        while let Some(turn) = next {
            let goes_on = match turn {
                Turn::Next => true,
                Turn::More => self.take_room() && self.flush() && self.read(),
                Turn::Recipient(envelope) => self.ask_about(envelope),
                Turn::Message(arrived) => self.deliver(arrived),
                Turn::StartTls => self.start_tls(),
                Turn::Close => false,
            };
            if !goes_on || self.leaves() {
                break;
            }
            next = self.hear();
        }
        if self.flush() && !self.disturbance.abrupt {
            self.line.close();
        }
    }

    /// Lets the conversation hear what is there; `None`: the session ends.
    fn hear(&mut self) -> Option<Turn> {
        let (was_in_body, before) = (self.conversation.is_in_body(), self.out.len());
        let (used, turn) = self.conversation.hear(&self.input[self.heard..], &mut self.out);
        self.heard += used;
        if was_in_body != self.conversation.is_in_body() || (used > 0 && !was_in_body) {
            self.set_due();
        }
        self.disturb(before, turn)
    }

    /// Lets go wrong what is to go wrong with what the client has just said. Its replies begin at
    /// `before`.
    fn disturb(&mut self, before: usize, turn: Turn) -> Option<Turn> {
        let Some(chaos) = &self.means.chaos else { return Some(turn) };
        let Some(said) = self.conversation.take_said() else { return Some(turn) };
        let mishaps = match &turn {
            Turn::Message(Arrived { envelopes, content }) => {
                let recipients: Vec<&str> = envelopes.iter().map(|one| one.recipient.as_str()).collect();
                chaos.at(said, Drawn { message: &message_id(content), recipients: &recipients })
            }
            _ => {
                let (message, recipients) = self.conversation.parties();
                chaos.at(said, Drawn { message, recipients: &recipients })
            }
        };
        let mut turn = turn;
        for mishap in mishaps {
            match mishap {
                Mishap::Delay(time) => {
                    if !self.line.rest(self.end.within(time)) {
                        return None;
                    }
                }
                Mishap::SlowRead(bytes) => self.disturbance.pace = Some(bytes),
                Mishap::Lose => self.disturbance.loses = true,
                Mishap::Close { reset, after: true } => self.disturbance.leaves = Some(reset),
                Mishap::Close { reset, after: false } => {
                    self.out.truncate(before);
                    self.leave(reset);
                    return None;
                }
                Mishap::Unavailable => {
                    self.out.truncate(before);
                    self.say("421 4.3.2 not available now");
                    return None;
                }
                Mishap::Refuse(reply) => {
                    self.out.truncate(before);
                    turn = self.refuse(said, turn, reply);
                }
            }
        }
        Some(turn)
    }

    /// The client hears that what it said is refused.
    fn refuse(&mut self, said: ChaosMoment, turn: Turn, reply: Option<SmtpReply>) -> Turn {
        self.conversation.take_back(said);
        match (said, turn, reply) {
            (_, Turn::Message(arrived), reply) => {
                let reply = reply.unwrap_or_else(|| SmtpReply::try_again_later("refused on purpose"));
                let verdicts = vec![Verdict::of_refusal(reply); arrived.envelopes.len()];
                return self.conversation.answer(&verdicts, &mut self.out);
            }
            (_, _, Some(reply)) => return self.conversation.answer_command(reply, &mut self.out),
            (ChaosMoment::StartTls, ..) => self.say("454 4.7.0 TLS not available now"),
            (ChaosMoment::Auth, ..) => self.say("535 5.7.8 authentication failed"),
            _ => self.say("451 4.3.0 refused on purpose"),
        }
        Turn::Next
    }

    fn leave(&mut self, reset: bool) {
        self.flush();
        self.disturbance.abrupt = true;
        if reset {
            self.line.reset();
        }
    }

    /// Whether the connection is closed on purpose after this reply.
    fn leaves(&mut self) -> bool {
        match self.disturbance.leaves.take() {
            Some(reset) => self.leave(reset),
            None => return false,
        }
        true
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

    /// Takes memory for what the message will be after the next bytes.
    fn take_room(&mut self) -> bool {
        let held = self.conversation.held() + BUFFER;
        let is_small = !self.conversation.is_in_body() && held <= SMALL;
        if is_small || self.conversation.is_refused() {
            self.room.give_back();
            return true;
        }
        let (began, until, announced) =
            (Instant::now(), self.due.within(ROOM), self.conversation.announced());
        if !self.room.hold(held as u64, announced, until, || self.line.must_end()) {
            self.room.give_back();
            self.conversation.refuse_body(NO_MEMORY);
        }
        if let Some(pace) = &mut self.pace {
            pace.held_up(began.elapsed());
        }
        true
    }

    fn read(&mut self) -> bool {
        self.input.drain(..std::mem::take(&mut self.heard));
        let before = self.input.len();
        let pause = if self.conversation.is_within(before) { Pause::Within } else { Pause::Between };
        let in_body = self.conversation.is_in_body();
        let pace = self.disturbance.pace.filter(|_| in_body);
        if pace.is_some() && !self.line.rest(self.due.within(Duration::from_secs(1))) {
            return false;
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
        let many = if let Heard::Bytes(many) = heard { many } else { 0 };
        if let Some(pace) = &mut self.pace {
            pace.heard(many);
        }
        self.input.truncate(before + many);
        match heard {
            Heard::Bytes(_) => return true,
            Heard::End => {}
            Heard::Late => self.say("421 4.4.2 timeout"),
            Heard::Stop => self.say("421 4.3.2 stopping, try again later"),
        }
        false
    }

    /// Answers to a recipient.
    fn ask_about(&mut self, envelope: Envelope) -> bool {
        let verdict = self.means.recipients.verdict(envelope);
        if verdict != Verdict::Accept {
            self.means.counts.refused(&verdict);
        }
        let turn = self.conversation.answer_recipient(&verdict, &mut self.out);
        self.set_due();
        !matches!(turn, Turn::Close)
    }

    /// Hands the message in, and answers when that is durable.
    fn deliver(&mut self, arrived: Arrived) -> bool {
        let Arrived { envelopes, content } = arrived;
        let (seed, at_ms) = (self.means.seed, clock::now_ms());
        let message_id = if seed.is_some() { message_id(&content) } else { String::new() };
        let word = self.means.house.config.message.seed.as_deref().filter(|_| seed.is_none());
        let mail = |envelope: Envelope| {
            let seed = chaos::seed_of(seed, &message_id, &envelope.recipient);
            let seed = seed.unwrap_or_else(|| fastrand::u64(..));
            Mail::for_recipient(content.clone(), envelope, seed, at_ms).seeded_by(word)
        };
        let mut mails: Vec<Mail> = envelopes.into_iter().map(mail).collect();
        drop(content);
        let unanswered = mails.iter_mut().map(|mail| self.means.unanswered.begin(mail));
        let unanswered: Vec<Option<UnansweredSlot>> = unanswered.collect();
        let began = Instant::now();
        let room = self.room.take();
        let verdicts = self.means.desk.decide(mails, room, || self.line.must_end());
        self.means.counts.answered(&verdicts, began.elapsed());
        self.disturbance.pace = None;
        if self.disturbance.loses {
            unanswered.into_iter().flatten().for_each(|one| self.means.unanswered.left(one));
            self.leave(false);
            return false;
        }
        let turn = self.conversation.answer(&verdicts, &mut self.out);
        // A client that has closed its side does not take the answer for certain.
        let (has_left, written) = (self.line.has_left(), self.flush());
        for (one, comes_again) in unanswered.into_iter().zip(self.conversation.come_again(&verdicts)) {
            let Some(one) = one else { continue };
            match written && !has_left && !comes_again {
                true => self.means.unanswered.answered(one),
                false => self.means.unanswered.left(one),
            }
        }
        self.set_due();
        written && !matches!(turn, Turn::Close)
    }

    fn start_tls(&mut self) -> bool {
        // What was sent in the clear after the command is not heard (RFC 3207).
        self.heard = self.input.len();
        let tls = self.means.tls.map(TlsIdentity::current);
        let is_secured = self.flush() && self.line.secure(tls, self.due);
        if is_secured {
            self.conversation.secure();
        }
        is_secured
    }

    fn say(&mut self, reply: &str) {
        self.out.extend_from_slice(reply.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    fn flush(&mut self) -> bool {
        let taken = self.out.is_empty() || self.line.write(&self.out, self.end.within(WRITING));
        self.out.clear();
        taken
    }
}

/// Its Message-ID, or nothing.
fn message_id(content: &Content) -> String {
    content.message(|message| message.header("Message-ID")).unwrap_or_default()
}
