//! What a message reports about another one: a bounce, a complaint, an automatic reply, a
//! challenge, a request to unsubscribe. The formats that carom also writes are written by the types
//! that read them.
//!
//! Not here: what a reason means; a policy classifies it by the text, the codes and the command
//! found here. Invariant: reading never fails, takes linear time, and looks at the form, not at who
//! sent the message.

// Ground: text as lines, addresses, replies.
mod fold;
mod html_text;
mod lines;
pub(crate) mod fields;
mod mailbox;
mod masked;
mod reply_position;
mod quoted_reply;
mod whose_words;
mod speakers;
mod command_frame;
mod tidied;
mod reported;
mod original;

// Formats, read and written.
pub(crate) mod delivery_status;
mod status_reader;
pub(crate) mod feedback;
pub(crate) mod automatic_reply;
pub(crate) mod multipart;
mod complained_about;
mod ses_notification;

// Text for people.
mod phrase_index;
mod phrases;
mod original_start;
mod footers;
mod own_words;
mod subject_line;
mod list_entry;
mod entry_lines;
mod received_by;
mod human_notice;
mod mention;
mod entries;
mod sentences;
mod group_member;
mod coded_lines;
mod session;
mod transcript;
mod daemons;
mod unsubscribe_address;
mod writer;
mod personal_letter;
mod mail_words;
mod quarantine_digest;
mod postmaster_notice;
mod reply_shape;
mod absence;
mod challenge;
mod unsubscribe_words;

// A message as a whole.
mod failure_report;
mod other_report;
mod repair;
mod outline;
mod unsubscribe;
mod evidence;
mod local_parts;
mod mentions;
mod filler;
mod one_recipient;
mod recipients;
mod whole;

#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod tests;

pub(crate) use feedback::Feedback;
pub(crate) use original::Original;
pub(crate) use reported::{DeliveryAction, Recipient, Report, ReportKind, Unsubscribing};

use crate::message::{Message, mbox};

/// Recipients that are listed, at most.
const MAX_RECIPIENTS: usize = 10_000;
/// Messages of one mbox that are read, at most.
const MAX_MESSAGES: usize = 1_000;

/// Reads what a message reports.
pub(crate) fn read(message: &Message<'_>) -> Report {
    whole::read(message, 0)
}

/// The first field of this name in the header of the message that `message` reports on.
pub(crate) fn original_header(message: &Message<'_>, name: &str) -> Option<String> {
    whole::original_header(message, name, 0)
}

/// The header of the message that a report encloses, as it is enclosed.
pub(crate) fn returned_header(message: &Message<'_>) -> Option<Vec<u8>> {
    whole::returned_header(message)
}

/// Reads what a message reports that came with this envelope sender, which its header may not
/// repeat.
pub(crate) fn read_sent_by(message: &Message<'_>, sender: &str) -> Report {
    let is_known = message.header("Return-Path").is_some() || message.raw().starts_with(b"From ");
    if is_known || sender.contains(['\r', '\n', '<', '>']) {
        return read(message);
    }
    let path = format!("Return-Path: <{sender}>\r\n");
    let raw = [path.as_bytes(), message.raw()].concat();
    read(&Message::read(&raw)).shifted(0)
}

/// Reads a file: one message, or an mbox whose messages report together. The first that is a report
/// gives the kind.
pub(crate) fn read_file(raw: &[u8]) -> Report {
    let mut merged = Report::default();
    let mut first = 1;
    for raw in messages(raw) {
        let mut report = read(&Message::read(raw)).shifted(first);
        first = lines::count(raw).saturating_add(first);
        let recipients = std::mem::take(&mut report.recipients);
        if merged.kind == ReportKind::Other {
            merged = Report { recipients: merged.recipients, ..report };
        }
        let room = MAX_RECIPIENTS - merged.recipients.len().min(MAX_RECIPIENTS);
        merged.recipients.extend(recipients.into_iter().take(room));
    }
    merged
}

/// The messages of an mbox, each with its `From ` line, or the only one.
fn messages(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    let parts = mbox::is_mbox(raw).then(|| mbox::split(raw).take(MAX_MESSAGES));
    let only = if parts.is_none() { Some(raw) } else { None };
    let parts = parts.into_iter().flatten();
    parts.map(|part| &raw[part.from_line.start..part.message.end]).chain(only)
}
