//! What in a message shows that it is a bounce, and how much that is worth.
//!
//! Not here: who the bounce is about (`recipients`). Invariant: words alone are not enough; a form
//! that only bounces have is.

use super::MAX_RECIPIENTS;
use super::daemons::{has_no_return_path, is_by_name_only, is_from_daemon};
use super::delivery_status::{DeliveryStatus, RecipientStatus};
use super::fold::folded;
use super::human_notice::HumanNotice;
use super::mail_words::{says_that_mail_failed, speaks_of_mail};
use super::mailbox;
use super::mention::Mention;
use super::outline::Outline;
use super::own_words::OwnWords;
use super::personal_letter::{asks, is_letter, only_hands_on, tells};
use super::phrases::{self, Hit, Says};
use super::quarantine_digest;
use super::quoted_reply::QuotedReply;
use super::reported::DeliveryAction;
use super::status_reader;
use super::transcript::Transcript;
use super::writer::{self, Writer};
use crate::message::Message;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

/// Fields that list the recipients of a bounce.
const LISTS: [&str; 3] = ["X-Failed-Recipients", "X-Bounced-Address", "X-Mailer-Daemon-Recipients"];

/// Something that speaks for a bounce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    /// Fields of a delivery status.
    StatusFields,
    /// A header field that lists recipients.
    FailedField,
    /// The message says that it is a report on delivery.
    ReportType,
    /// It is from a mail server.
    Daemon,
    /// Its return path is the null sender.
    NullSender,
    /// It says that a program sent it.
    Automatic,
    /// It encloses a message.
    Enclosure,
    /// Its text goes on with the original message.
    Quotation,
    /// Its text quotes a session with a refusal.
    Transcript,
    /// Its text has an SMTP reply.
    Reply,
    /// An entry of its list of recipients has an SMTP reply.
    ListedReply,
    /// Its text has the words of a failure or a delay.
    TextWords,
    /// They speak of mail.
    MailWords,
    /// Its subject has them.
    SubjectWords,
}

/// Each of these decides alone that a message is a bounce.
const CERTAIN: [Sign; 4] = [Sign::StatusFields, Sign::FailedField, Sign::ReportType, Sign::Daemon];
/// With one of these a list of recipients is believed. Words in the subject count as well, unless
/// the message comes from a mailing list.
const LIKELY: [Sign; 6] = [
    Sign::NullSender,
    Sign::Automatic,
    Sign::Enclosure,
    Sign::ListedReply,
    Sign::Transcript,
    Sign::Quotation,
];
/// With one of these the recipient may be guessed. A subject alone is not enough: people write such
/// too.
const GUESSABLE: [Sign; 6] =
    [Sign::NullSender, Sign::Automatic, Sign::Enclosure, Sign::Transcript, Sign::Reply, Sign::Quotation];
/// One of these is needed as well if nobody knows who wrote: statistics and logs have replies too.
const GUESSABLE_OF_UNKNOWN: [Sign; 4] =
    [Sign::SubjectWords, Sign::Enclosure, Sign::Transcript, Sign::Quotation];
/// Each of these says that something was not delivered.
const FAILURE: [Sign; 3] = [Sign::TextWords, Sign::SubjectWords, Sign::Reply];

/// Each of these says it of mail.
const FAILURE_OF_MAIL: [Sign; 2] = [Sign::MailWords, Sign::Reply];
/// Each of these makes a bounce of what a mail server writes, although nobody is named. The first
/// is not enough if nothing but a name says who wrote.
const ANONYMOUS: [Sign; 6] =
    [Sign::SubjectWords, Sign::Reply, Sign::ListedReply, Sign::Transcript, Sign::Enclosure, Sign::Quotation];

/// All that is known.
pub(crate) struct Evidence<'n> {
    pub(crate) statuses: Vec<RecipientStatus>,
    /// The recipients in a field of the header.
    pub(crate) failed: Vec<String>,
    pub(crate) notice: &'n HumanNotice<'n>,
    pub(crate) transcript: Transcript,
    /// The entries of the lists in the notice.
    pub(crate) listed: Vec<Mention>,
    /// The addresses in the header of the message, which is hardly about them.
    pub(crate) parties: Vec<String>,
    outline: &'n Outline<'n, 'n>,
    /// To whom the original went.
    addressees: OnceCell<Vec<String>>,
    /// The addresses in the notice by their local parts.
    pub(crate) own_addresses: OnceCell<HashMap<String, String>>,
    /// The domain of the mail server that wrote the message, if it has its address from it.
    pub(crate) daemon_domain: Option<String>,
    pub(crate) subject: String,
    folded_subject: String,
    /// The phrases in the subject.
    subject_hits: Vec<Hit>,
    /// What became of the message, by the words of notice and subject.
    pub(crate) action: DeliveryAction,
    /// Signs in the header and the structure.
    outside: Vec<Sign>,
    /// Nothing but the name of the writer is a mail server's, which anybody can write.
    is_named_only: bool,
    writer: Writer,
}

impl<'n> Evidence<'n> {
    pub(crate) fn of(
        message: &Message<'_>,
        outline: &'n Outline<'n, 'n>,
        mut statuses: Vec<RecipientStatus>,
        notice: &'n HumanNotice<'n>,
    ) -> Evidence<'n> {
        let is_daemon = is_from_daemon(message);
        let transcript = Transcript::read(notice.own());
        let mut listed = notice.listed();
        if listed.is_empty() && !statuses.is_empty() {
            listed = notice.answered();
        }
        let has_form = !statuses.is_empty() || transcript.is_spoken() || shows_form(outline, notice, &listed);
        let writer = if has_form { writer_of(message, notice) } else { writer_of_words(message, notice) };
        // Who asks something shows the fields of a report, and reports nothing.
        let shows_only = || writer == Writer::Unknown && asks(notice.written());
        if statuses.is_empty() && writer != Writer::Person && !shows_only() {
            statuses.extend(in_text(notice));
        }
        statuses.truncate(MAX_RECIPIENTS);
        let parties = ["To", "From", "X-Original-To", "Reply-To"];
        let subject = message.subject().unwrap_or_default();
        let folded_subject = folded(&subject);
        let subject_hits = phrases::find(&folded_subject);
        let delayed = subject_hits.iter().any(|hit| hit.says == Says::Delayed);
        Evidence {
            statuses,
            failed: failed(message),
            notice,
            transcript,
            listed,
            parties: parties.iter().flat_map(|name| message.addresses(name)).take(100).collect(),
            outline,
            addressees: OnceCell::new(),
            own_addresses: OnceCell::new(),
            daemon_domain: if is_daemon { domain_of_author(message) } else { None },
            subject,
            folded_subject,
            subject_hits,
            action: if delayed { DeliveryAction::Delayed } else { notice.action().unwrap_or_default() },
            outside: signs_outside(message, outline, is_daemon),
            is_named_only: !has_no_return_path(message) && is_by_name_only(message),
            writer,
        }
    }

    /// To whom the original went, as far as its header shows.
    pub(crate) fn addressees(&self) -> &[String] {
        self.addressees.get_or_init(|| self.outline.addressees(self.notice))
    }

    /// Whether it lists what a spam filter holds back for its reader, and has no form of a bounce.
    pub(crate) fn is_quarantine_digest(&self) -> bool {
        quarantine_digest::is_titled(&self.folded_subject)
            && !self.shows_any(&[Sign::StatusFields, Sign::FailedField, Sign::ReportType])
    }

    /// Whether the form of the message says that it is a bounce.
    pub(crate) fn is_certain(&self) -> bool {
        self.shows_any(&CERTAIN)
    }

    /// Whether it is about mail: nobody knows what the failures of some other program are about.
    fn is_of_mail(&self) -> bool {
        const SHOWN: [Sign; 4] = [Sign::MailWords, Sign::Enclosure, Sign::Transcript, Sign::Quotation];
        self.writer != Writer::Unknown || self.shows_any(&CERTAIN) || self.shows_any(&SHOWN)
    }

    /// Whether anything beside the words of the text says so.
    pub(crate) fn is_likely(&self) -> bool {
        if !self.is_of_mail() {
            return false;
        }
        self.shows_any(&CERTAIN)
            || self.shows_any(&LIKELY)
            || (self.shows(Sign::SubjectWords) && self.shows_any(&[Sign::TextWords, Sign::Reply]))
    }

    /// Whether the recipient may be guessed where none is named as such.
    pub(crate) fn allows_guesses(&self) -> bool {
        if self.writer == Writer::Unknown && !self.shows_any(&GUESSABLE_OF_UNKNOWN) {
            return false;
        }
        let failed = if self.writer == Writer::Unknown { &FAILURE_OF_MAIL[..] } else { &FAILURE[..] };
        self.shows_any(failed) && (self.shows_any(&CERTAIN) || self.shows_any(&GUESSABLE))
    }

    /// Whether a mail server wrote it whom nobody can answer: then a recipient is believed in words
    /// that no phrase knows.
    pub(crate) fn is_unanswerable(&self) -> bool {
        self.writer == Writer::Server && self.shows(Sign::Daemon) && self.shows(Sign::NullSender)
    }

    /// Whether it is a bounce although it calls itself an automatic reply.
    pub(crate) fn outweighs_reply(&self) -> bool {
        self.shows(Sign::ListedReply)
    }

    /// Whether it is a bounce although it names no recipient.
    pub(crate) fn is_anonymous_bounce(&self) -> bool {
        self.shows_any(&[Sign::StatusFields, Sign::FailedField, Sign::ReportType])
            || (self.shows_any(&[Sign::Daemon, Sign::NullSender])
                && self.is_of_mail()
                && self.shows_any(&FAILURE)
                && self.shows_any(if self.is_named_only { &ANONYMOUS[1..] } else { &ANONYMOUS }))
    }

    /// Whether somebody wrote it who can only quote or hand on a report.
    pub(crate) fn is_of_person(&self) -> bool {
        self.writer == Writer::Person
    }

    fn says_failure(&self) -> bool {
        self.notice.says(Says::Failed) || self.notice.says(Says::Delayed)
    }

    fn shows_any(&self, signs: &[Sign]) -> bool {
        signs.iter().any(|sign| self.shows(*sign))
    }

    /// What a person writes shows nothing.
    fn shows(&self, sign: Sign) -> bool {
        match sign {
            Sign::StatusFields => !self.statuses.is_empty(),
            Sign::FailedField => !self.failed.is_empty(),
            Sign::ReportType => self.outside.contains(&sign),
            _ if self.is_of_person() => false,
            Sign::Automatic if self.writer == Writer::Unknown => {
                self.outside.contains(&sign) && self.shows_any(&GUESSABLE_OF_UNKNOWN)
            }
            Sign::Daemon | Sign::NullSender | Sign::Automatic | Sign::Enclosure => {
                self.outside.contains(&sign)
            }
            Sign::Quotation => !self.notice.original().is_empty(),
            Sign::Transcript if self.writer == Writer::Unknown => self.transcript.is_spoken(),
            Sign::Transcript => !self.transcript.is_empty(),
            Sign::Reply => !self.notice.refusal().is_empty(),
            Sign::ListedReply => {
                self.listed.iter().any(|mention| QuotedReply::find(&mention.text).code.is_some())
            }
            Sign::MailWords => {
                says_that_mail_failed(self.notice)
                    || ((self.says_failure() || self.shows(Sign::NullSender))
                        && speaks_of_mail(&self.folded_subject)
                        && self.shows(Sign::SubjectWords))
            }
            Sign::TextWords if self.writer == Writer::Unknown => self.shows(Sign::MailWords),
            Sign::TextWords => self.says_failure(),
            Sign::SubjectWords => {
                self.subject_hits.iter().any(|hit| matches!(hit.says, Says::Failed | Says::Delayed))
            }
        }
    }
}

/// The domain of From.
fn domain_of_author(message: &Message<'_>) -> Option<String> {
    let from = message.header("From")?;
    let address = mailbox::first(&from)?.address;
    Some(address.rsplit_once('@')?.1.to_ascii_lowercase())
}

/// Who wrote a message, by its header and the form of its text. What is forwarded with hardly a
/// word, or quoted without any, is read as if nobody had.
fn writer_of(message: &Message<'_>, notice: &HumanNotice<'_>) -> Writer {
    // An invitation and its answer may be about mail that failed; whoever sends one is a person.
    if message.parts().iter().any(|part| part.content_type.kind == "text/calendar") {
        return Writer::Person;
    }
    let writer = Writer::of(message);
    // Programs greet too; no person's mail has a null return path.
    if writer == Writer::Server || has_no_return_path(message) {
        return writer;
    }
    let subject = folded(&message.subject().unwrap_or_default());
    let quotes = notice.written().quotes;
    let answers = writer::is_answer_to(&subject) && !notice.written().text.is_empty();
    if quotes && !answers && !writer::is_handed_on(message) && notice.forwards() {
        let is_handed_on =
            only_hands_on(notice.written()) && (notice.marks_forward() || writer::has_prefix(&subject));
        return if is_handed_on { Writer::Unknown } else { Writer::Person };
    }
    // A mail server may greet and say goodbye too, under a subject that says what happened.
    let letter = is_letter(notice.written()) && (asks(notice.written()) || !writer::says_failure(&subject));
    let letter = letter || (quotes && writer::has_prefix(&subject)) || tells(notice.written());
    let letter = letter || only_quotes_failure(notice.written());
    if letter { Writer::Person } else { writer }
}

/// Whether only lines that are marked as quoted say that something failed: the writer of the others
/// reports nothing.
fn only_quotes_failure(words: &OwnWords) -> bool {
    let fails = |hit: &Hit| matches!(hit.says, Says::Failed | Says::Delayed | Says::Gone | Says::Object);
    let says_more = words.marks && !words.text.trim().is_empty();
    says_more
        && !QuotedReply::find(&words.text).is_some()
        && !phrases::find(&folded(&words.text)).iter().any(fails)
}

/// The same of a message that has words and no form of a report: a postmaster may have written it.
fn writer_of_words(message: &Message<'_>, notice: &HumanNotice<'_>) -> Writer {
    let is_letter = writer::is_by_postmaster(message) && !writer::is_automatic(message);
    if is_letter { Writer::Person } else { writer_of(message, notice) }
}

/// Whether a message encloses or repeats another one, or lists recipients with replies.
fn shows_form(outline: &Outline<'_, '_>, notice: &HumanNotice<'_>, listed: &[Mention]) -> bool {
    let is_answered = |mention: &Mention| QuotedReply::find(&mention.text).is_some();
    outline.encloses() || !notice.original().is_empty() || listed.iter().any(is_answered)
}

/// The signs in the header and the structure of a message.
fn signs_outside(message: &Message<'_>, outline: &Outline<'_, '_>, is_daemon: bool) -> Vec<Sign> {
    let shown = [
        (Sign::ReportType, outline.report && !outline.receipt),
        (Sign::Daemon, is_daemon),
        (Sign::NullSender, has_no_return_path(message)),
        (Sign::Automatic, writer::is_automatic(message)),
        (Sign::Enclosure, outline.encloses()),
    ];
    shown.into_iter().filter(|(_, shown)| *shown).map(|(sign, _)| sign).collect()
}

/// The fields of a delivery status that the text for people has.
fn in_text(notice: &HumanNotice<'_>) -> Vec<RecipientStatus> {
    let own = notice.own();
    let first = own.iter().position(|line| status_reader::is_recipient_field(line.trimmed()));
    let Some(at) = first else { return Vec::new() };
    let before = own[..at].iter().rposition(|line| line.is_blank()).map_or(0, |blank| blank + 1);
    let mut recipients = DeliveryStatus::read(&own[before..]).recipients;
    // The text for people is no field for programs, although it looks like one.
    recipients.iter_mut().for_each(|recipient| recipient.is_literal = false);
    recipients
}

/// The recipients in the fields of the header that list them, each once.
fn failed(message: &Message<'_>) -> Vec<String> {
    let listed = LISTS.iter().flat_map(|name| message.addresses(name));
    let mut failed: Vec<String> =
        listed.filter(|address| mailbox::is_address(address)).take(MAX_RECIPIENTS).collect();
    let mut seen = HashSet::new();
    failed.retain(|address| seen.insert(address.to_lowercase()));
    failed
}
