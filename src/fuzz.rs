//! The readers of hostile bytes as plain functions, for the fuzz targets and the mutation tests.
//!
//! Not here: whether what they read is right. Invariant: each function takes any bytes, does not
//! panic, and ends.

use crate::access::access_answer::AccessAnswer;
use crate::access::{LONGEST_LOOKUP, netstring, policy_request};
use crate::envelope::Envelope;
use crate::lmtp::conversation::{ConnectedClient, Conversation, ConversationRules, Dialect, Turn};
use crate::maillog::correlate::{Correlator, CorrelatorState, MemoryLimits};
use crate::maillog::journald::JournalExport;
use crate::maillog::kumomta::{RecordLog, RecordState};
use crate::maillog::postfix::{Grammar, LogServer};
use crate::maillog::powermta::{Accounting, AccountingState};
use crate::maillog::tail::Chunk;
use crate::plan::Verdict;
use crate::policy::PolicyAnswer;
use crate::smtp_reply::{EnhancedStatus, SmtpReply};
use crate::text::is_plain;
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

/// What a client connects to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialogue {
    Lmtp,
    Smtp,
    /// Policy delegation.
    Policy,
    Socketmap,
}

/// What comes of the bytes of a client.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct DialogueOutcome {
    /// What the client gets.
    pub replies: Vec<u8>,
    /// The messages or requests that it has sent.
    pub heard: Vec<Vec<u8>>,
    /// It is sent away, or TLS begins.
    pub closed: bool,
}

/// Bytes of a message in a conversation.
const MESSAGE: usize = 1 << 16;
/// Recipients of one.
const RECIPIENTS: usize = 100;

impl Dialogue {
    /// What is wrong with a session of these bytes: it depends on how they are cut, keeps more of
    /// them than is allowed, or has a reply that is none.
    pub fn fault(self, raw: &[u8]) -> Option<&'static str> {
        let (whole, mut kept) = self.session([raw]);
        let mut random = fastrand::Rng::with_seed(raw.len() as u64);
        for bytes_each in [0, 8, 4096] {
            let mut rest = raw;
            let pieces = std::iter::from_fn(|| {
                let (piece, after) =
                    rest.split_at_checked(random.usize(..=bytes_each).max(1)).unwrap_or((rest, b""));
                rest = after;
                (!piece.is_empty()).then_some(piece)
            });
            let (cut, kept_of_cut) = self.session(pieces);
            kept = kept.max(kept_of_cut);
            if cut != whole {
                return Some("it depends on how the bytes are cut");
            }
        }
        let are_replies = match self {
            Dialogue::Lmtp | Dialogue::Smtp => are_smtp_replies(&whole.replies),
            Dialogue::Policy => are_policy_answers(&whole.replies),
            Dialogue::Socketmap => {
                netstring::answer(&whole.replies, usize::MAX, usize::MAX, &mut Vec::new(), |_| String::new())
                    == (whole.replies.len(), true)
            }
        };
        match are_replies {
            _ if kept > self.most_kept() => Some("it keeps too many bytes"),
            true => None,
            false => Some("a reply is none"),
        }
    }

    /// A session whose bytes come in these pieces, and the most of them that were kept between two.
    pub fn session<'p>(self, pieces: impl IntoIterator<Item = &'p [u8]>) -> (DialogueOutcome, usize) {
        match self {
            Dialogue::Lmtp => conversation(Dialect::Lmtp, pieces),
            Dialogue::Smtp => conversation(Dialect::Smtp, pieces),
            Dialogue::Policy => requests(pieces, policy_requests),
            Dialogue::Socketmap => requests(pieces, lookups),
        }
    }

    fn most_kept(self) -> usize {
        match self {
            // Each recipient counts for a kilobyte, and a line may be half read.
            Dialogue::Lmtp | Dialogue::Smtp => MESSAGE + (RECIPIENTS << 10) + (2 << 10),
            Dialogue::Policy => policy_request::LONGEST,
            Dialogue::Socketmap => LONGEST_LOOKUP + "99999:,".len(),
        }
    }
}

/// A conversation. Recipients with a `q` are refused at RCPT, messages to those with a `z` are
/// deferred; the replies quote them.
fn conversation<'p>(
    dialect: Dialect,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> (DialogueOutcome, usize) {
    let rules = ConversationRules {
        dialect,
        hostname: "mx.example".into(),
        max_size: MESSAGE as u64,
        recipients: RECIPIENTS,
        errors: 20,
        asks_at_rcpt: true,
        tls: true,
        auth: false,
    };
    let decide = |envelope: &Envelope, at_rcpt: bool| {
        let text = envelope.recipient.clone();
        let reply = |code: u16, class| SmtpReply { code, enhanced: EnhancedStatus::new(class, 1, 1), text };
        match at_rcpt {
            true if envelope.recipient.contains('q') => Verdict::Reject(reply(550, 5)),
            false if envelope.recipient.contains('z') => Verdict::Defer(reply(450, 4)),
            _ => Verdict::Accept,
        }
    };
    let mut conversation = Conversation::new(&rules, ConnectedClient { address: None, may_forward: true });
    let (mut session, mut messages, mut input, mut kept) =
        (DialogueOutcome::default(), Vec::new(), Vec::new(), 0);
    for piece in pieces {
        input.extend_from_slice(piece);
        let turn = conversation.hear_all(&mut input, &mut session.replies, &mut messages, &decide);
        if !matches!(turn, Turn::More) {
            session.closed = true;
            break;
        }
        kept = kept.max(conversation.held() + input.len());
    }
    session.heard = messages.iter().map(|arrived| arrived.content.raw().to_vec()).collect();
    (session, kept)
}

/// Requests that are answered as they come. `answer` returns how many bytes were, and whether more
/// can follow.
fn requests<'p>(
    pieces: impl IntoIterator<Item = &'p [u8]>,
    answer: impl Fn(&[u8], &mut DialogueOutcome) -> (usize, bool),
) -> (DialogueOutcome, usize) {
    let (mut session, mut input, mut kept) = (DialogueOutcome::default(), Vec::new(), 0);
    for piece in pieces {
        input.extend_from_slice(piece);
        let (used, goes_on) = answer(&input, &mut session);
        input.drain(..used);
        if !goes_on {
            session.closed = true;
            break;
        }
        kept = kept.max(input.len());
    }
    (session, kept)
}

/// Policy requests. The answer to each quotes its recipient.
fn policy_requests(bytes: &[u8], session: &mut DialogueOutcome) -> (usize, bool) {
    let read = policy_request::read(bytes, usize::MAX);
    for request in &read.requests {
        let envelope = request.envelope();
        if let Some(answer) = AccessAnswer::of_policy(PolicyAnswer::Hold(envelope.recipient)) {
            answer.write(&mut session.replies);
        }
        let attributes = request.session().attributes;
        let lines: String = attributes.iter().flat_map(|(name, value)| [name, "=", value, "\n"]).collect();
        session.heard.push(lines.into_bytes());
    }
    (read.used, read.malformed.is_none())
}

/// Look-ups in a map. The reply to each is the request.
fn lookups(bytes: &[u8], session: &mut DialogueOutcome) -> (usize, bool) {
    let DialogueOutcome { replies, heard, .. } = session;
    netstring::answer(bytes, LONGEST_LOOKUP, usize::MAX, replies, |request| {
        heard.push(request.to_vec());
        String::from_utf8_lossy(request).into_owned()
    })
}

/// Whether these are replies of RFC 5321: each line has a code, and is printable ASCII of bounded
/// length; lines of one reply have one code, and the enhanced status is of its class.
fn are_smtp_replies(replies: &[u8]) -> bool {
    let Ok(replies) = str::from_utf8(replies) else { return false };
    let mut begun: Option<&str> = None;
    let mut lines = replies.split_inclusive("\r\n");
    let are_lines = lines.all(|line| {
        let Some(line) = line.strip_suffix("\r\n").filter(|line| line.len() <= 510 && is_plain(line)) else {
            return false;
        };
        let Some((code, rest)) = line.split_at_checked(3) else { return false };
        let is_code = code.parse().is_ok_and(|code: u16| (200..600).contains(&code));
        let goes_on = rest.starts_with('-');
        let is_begun = begun.is_none_or(|begun| begun == code);
        begun = goes_on.then_some(code);
        let status = EnhancedStatus::leading(rest.get(1..).unwrap_or_default());
        let fits = status.is_none_or(|(status, _)| code.starts_with(&status.class.to_string()));
        is_code && is_begun && fits && (goes_on || rest.starts_with(' '))
    });
    are_lines && begun.is_none()
}

/// Whether each answer is one action, and a line of printable ASCII.
fn are_policy_answers(answers: &[u8]) -> bool {
    let Ok(answers) = str::from_utf8(answers) else { return false };
    answers.split_inclusive("\n\n").all(|answer| {
        let action = answer.strip_prefix("action=").and_then(|answer| answer.strip_suffix("\n\n"));
        action.is_some_and(|action| !action.is_empty() && is_plain(action))
    })
}
