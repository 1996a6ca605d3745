//! The readers of hostile bytes as plain functions, for the fuzz targets and the mutation tests.
//!
//! Not here: whether what they read is right. Invariant: each function takes any bytes, does not
//! panic, and ends.

use crate::lmtp::conversation::{ConnectedClient, Conversation, ConversationRules, Dialect, Turn};
use crate::maillog::correlate::{Correlator, CorrelatorState, MemoryLimits};
use crate::maillog::journald::JournalExport;
use crate::maillog::kumomta::{RecordLog, RecordState};
use crate::maillog::postfix::{Grammar, LogServer};
use crate::maillog::powermta::{Accounting, AccountingState};
use crate::maillog::tail::Chunk;
use jiff::tz::TimeZone;
use std::path::Path;
use std::sync::Arc;

/// A moment after everything that the corpus tells of, in milliseconds since 1970.
const REFERENCE_MS: i64 = 1_800_000_000_000;

/// One recipient that a report is about.
#[derive(Debug)]
pub struct Reported {
    /// The address.
    pub address: String,
    /// The reply or the notice.
    pub diagnostic: String,
    /// The enhanced status code (RFC 3463).
    pub status: String,
    /// The SMTP reply code, or 0.
    pub code: u16,
    /// The SMTP command that was answered.
    pub stage: &'static str,
    /// The server that answered.
    pub remote_mta: String,
}

/// The recipients that a message reports about.
pub fn report(raw: &[u8]) -> Vec<Reported> {
    let found = crate::report::read_file(raw).recipients.into_iter();
    let reported = found.map(|found| Reported {
        address: found.address,
        diagnostic: found.diagnostic,
        status: found.status.map(|status| status.to_string()).unwrap_or_default(),
        code: found.reply_code.unwrap_or_default(),
        stage: found.stage,
        remote_mta: found.remote_mta.unwrap_or_default(),
    });
    reported.collect()
}

/// The recipients of the deliveries that lines of Postfix tell of.
pub fn postfix(raw: &[u8]) -> Vec<String> {
    lines(LogServer::Postfix, raw)
}

/// The same for lines of Exim.
pub fn exim(raw: &[u8]) -> Vec<String> {
    lines(LogServer::Exim, raw)
}

fn lines(server: LogServer, raw: &[u8]) -> Vec<String> {
    let grammar = Grammar { server, zone: TimeZone::UTC, ..Grammar::default() };
    let mut correlator =
        Correlator::new(&grammar, MemoryLimits::default(), REFERENCE_MS, CorrelatorState::default());
    correlator.read(raw, &mut ());
    let mut recipients = Vec::new();
    correlator.drain(&mut (), |delivery| recipients.extend(delivery.recipient.map(str::to_owned)));
    recipients
}

/// The number of entries that `journalctl -o export` has.
pub fn journald(raw: &[u8]) -> usize {
    let mut journal = JournalExport::new(raw);
    let mut entries = 0;
    while let Ok(Some(entry)) = journal.next_entry() {
        let _ = entry.parse();
        entries += 1;
    }
    entries
}

/// A PowerMTA accounting file, read whole and in two pieces.
pub fn powermta(raw: &[u8]) {
    let first = raw.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut whole = Accounting::new(TimeZone::UTC, REFERENCE_MS, AccountingState::default());
    let chunk = |begins: bool, lines| Chunk {
        path: Path::new("fuzz.csv"),
        lines,
        reference_ms: 0,
        first_line: first,
        begins,
    };
    whole.read(&chunk(true, raw), |_| {});
    let mut pieces = Accounting::new(TimeZone::UTC, REFERENCE_MS, AccountingState::default());
    let cut = raw[..raw.len() / 2].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    pieces.read(&chunk(true, &raw[..cut]), |_| {});
    pieces.read(&chunk(false, &raw[cut..]), |_| {});
    whole.take_reading();
}

/// Records of KumoMTA's log.
pub fn kumomta(raw: &[u8]) {
    let mut records = RecordLog::new(Arc::default(), RecordState::default());
    records.read(raw, |_| {});
    records.take_reading();
}

/// Replies and messages of a conversation in LMTP or SMTP (`smtp`), whose bytes come in pieces of
/// this size. Every message is accepted.
pub fn conversation(raw: &[u8], piece: usize, smtp: bool) -> (Vec<u8>, Vec<Vec<u8>>) {
    let rules = ConversationRules {
        dialect: if smtp { Dialect::Smtp } else { Dialect::Lmtp },
        hostname: "mx.example".into(),
        max_size: 1 << 16,
        recipients: 100,
        errors: 20,
        asks_at_rcpt: true,
        tls: false,
        auth: false,
    };
    let mut conversation = Conversation::new(&rules, ConnectedClient { address: None, may_forward: true });
    let (mut out, mut messages, mut input) = (Vec::new(), Vec::new(), Vec::new());
    for piece in raw.chunks(piece.max(1)) {
        input.extend_from_slice(piece);
        if !matches!(conversation.hear_all(&mut input, &mut out, &mut messages), Turn::More) {
            break;
        }
    }
    let messages = messages.iter().map(|arrived| arrived.content.raw().to_vec()).collect();
    (out, messages)
}
