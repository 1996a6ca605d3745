//! PowerMTA's accounting files: CSV whose first line names the columns.
//!
//! Columns are taken by name, because every `acct-file` has its own, and one file may hold records of several
//! types. Not here: which category a reply would have by our rules; PowerMTA's own is kept. Invariant: a
//! record counts once it is whole, and what is no record is counted and passed over.

use super::Lines;
use super::delivery::{Delivery, DeliveryStatus, ReportedState, client_of_message_id, identify};
use super::postfix::LINE;
use super::stamp::Stamps;
use crate::clock::DAY_MS;
use jiff::tz::TimeZone;
use memchr::memchr2;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Deliveries that wait for their end at most; beyond, their attempts are counted anew.
const DEFERRED: usize = 500_000;
/// A delivery that is not heard of for so long (milliseconds) is not waited for.
const AGE_MS: i64 = 10 * DAY_MS;
/// So many lines are no one record.
const TORN: usize = 64;
/// Most columns of a record.
const COLUMNS: usize = 512;

/// The type of a record: its first column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RecordType {
    /// `d`: delivered.
    Delivered,
    /// `b`: bounced, also expired.
    Bounced,
    /// `t`: one attempt failed for now.
    Transient,
    /// `tq`: a queue failed for now.
    TransientQueue,
    /// `r`: received.
    Received,
    /// `f`: a complaint of a feedback loop.
    Feedback,
    /// `rb`: a bounce came back after delivery.
    RemoteBounce,
    /// `rs`: a status came back after delivery.
    RemoteStatus,
}

impl RecordType {
    fn of(name: &str) -> Option<RecordType> {
        Some(match name {
            "d" | "delivery" => RecordType::Delivered,
            "b" | "bounce" => RecordType::Bounced,
            "t" | "transient" => RecordType::Transient,
            "tq" | "transient-queue" => RecordType::TransientQueue,
            "r" | "receipt" | "received" => RecordType::Received,
            "f" | "feedback-loop" | "fbl" => RecordType::Feedback,
            "rb" | "remote-bounce" => RecordType::RemoteBounce,
            "rs" | "remote-status" => RecordType::RemoteStatus,
            _ => return None,
        })
    }
}

/// A record: its type, its time, and its columns.
pub(crate) struct AccountingRecord<'a> {
    /// The type.
    pub(crate) kind: RecordType,
    /// `timeLogged`, milliseconds since 1970.
    pub(crate) at_ms: i64,
    columns: &'a Columns,
    fields: &'a [Cow<'a, str>],
}

impl AccountingRecord<'_> {
    /// The value of a column; None if the file has no such column or the record nothing in it.
    pub(crate) fn get(&self, column: &str) -> Option<&str> {
        let at = self.columns.names.iter().position(|name| name.eq_ignore_ascii_case(column))?;
        self.fields.get(at).map(|field| field.trim()).filter(|field| !field.is_empty())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Columns {
    line: Vec<u8>,
    names: Vec<String>,
}

/// What outlasts a tick: deliveries that were put off, and the beginning of a record that was torn.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AccountingState {
    deferred: FxHashMap<u64, Deferred>,
    torn: Vec<u8>,
    /// The header line in force: the last of the file.
    header: Vec<u8>,
    newest_ms: i64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Deferred {
    attempts: u32,
    first_ms: i64,
    last_ms: i64,
}

/// Reads accounting files.
pub(crate) struct Accounting {
    stamps: Stamps,
    columns: Columns,
    state: AccountingState,
    lines: Lines,
}

impl Accounting {
    /// Starts where another stopped. `zone` is that of times that name none.
    pub(crate) fn new(zone: TimeZone, reference_ms: i64, state: AccountingState) -> Accounting {
        let columns = Columns::default();
        Accounting { stamps: Stamps::new(zone, reference_ms), columns, state, lines: Lines::default() }
    }

    /// Reads whole lines of a file. `begins`: they are its first; `first_line` is the file's first line in
    /// any case.
    pub(crate) fn read(
        &mut self,
        first_line: &[u8],
        begins: bool,
        lines: &[u8],
        mut each: impl FnMut(&Delivery<'_>),
    ) {
        if !begins {
            let header = std::mem::take(&mut self.state.header);
            let wanted = if header.is_empty() { first_line } else { &header };
            if self.columns.line != wanted {
                self.header(wanted);
            }
            self.state.header = header;
        }
        if begins {
            // What was torn at the end of another file stays torn, but for whole lines behind it.
            let torn = std::mem::take(&mut self.state.torn);
            if self.columns.names.is_empty() && !torn.is_empty() {
                let header = self.state.header.clone();
                self.header(&header);
            }
            self.records(&torn, false, true, &mut each);
            self.state.header.clear();
        }
        let joined;
        let rest = if self.state.torn.is_empty() {
            lines
        } else {
            joined = [&std::mem::take(&mut self.state.torn), lines].concat();
            &joined
        };
        self.records(rest, begins, false, &mut each);
    }

    /// Reads whole records. What is not whole waits for more, unless there is none (`ends`) or it is too much: then its first line is
    /// given up, as one with a quote that nothing closes.
    fn records(
        &mut self,
        mut rest: &[u8],
        mut begins: bool,
        ends: bool,
        each: &mut impl FnMut(&Delivery<'_>),
    ) {
        while !rest.is_empty() {
            let Some(end) = record_end(&rest[..rest.len().min(LINE)]) else {
                if rest.len() < LINE && !ends && memchr::memchr_iter(b'\n', rest).count() < TORN {
                    self.state.torn = rest.to_vec();
                    return;
                }
                let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
                self.lines.unknown += 1;
                self.lines.cut += 1;
                rest = &rest[end..];
                continue;
            };
            let (record, after) = rest.split_at(end);
            rest = after;
            self.record(record.trim_ascii_end(), begins, each);
            begins = false;
        }
    }

    /// What the next process has to know.
    pub(crate) fn state(&self) -> &AccountingState {
        &self.state
    }

    /// The latest time of a record, milliseconds since 1970.
    pub(crate) fn newest_ms(&self) -> i64 {
        self.state.newest_ms
    }

    /// What the lines were, since the last call; a record counts as one.
    pub(crate) fn take_lines(&mut self) -> Lines {
        std::mem::take(&mut self.lines)
    }

    fn header(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut fields = Vec::new();
        split(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line), &mut fields);
        self.columns.names = fields.iter().map(|name| name.trim().to_owned()).collect();
        self.columns.line = line.to_vec();
    }

    fn record(&mut self, line: &[u8], is_first: bool, each: &mut impl FnMut(&Delivery<'_>)) {
        if line.is_empty() {
            self.lines.ignored += 1;
            return;
        }
        let bare = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        if is_header(bare, is_first) {
            self.lines.ignored += 1;
            self.state.header = line.to_vec();
            return self.header(line);
        }
        let mut fields = Vec::with_capacity(self.columns.names.len());
        split(line, &mut fields);
        let type_at = self.columns.names.iter().position(|name| name.eq_ignore_ascii_case("type"));
        let kind = type_at.and_then(|at| RecordType::of(fields.get(at)?));
        let Some(kind) = kind else {
            self.lines.unknown += 1;
            return;
        };
        self.lines.events += 1;
        let mut record = AccountingRecord { kind, at_ms: 0, columns: &self.columns, fields: &fields };
        let logged = record.get("timeLogged").and_then(|time| read_time(&mut self.stamps, time));
        record.at_ms = logged.unwrap_or(self.state.newest_ms);
        self.state.newest_ms = self.state.newest_ms.max(record.at_ms);
        if let Some(delivery) = delivery(&record, &mut self.state, &mut self.stamps) {
            each(&delivery);
        }
    }
}

/// The delivery that a record is about.
fn delivery<'a>(
    record: &'a AccountingRecord<'a>,
    state: &mut AccountingState,
    stamps: &mut Stamps,
) -> Option<Delivery<'a>> {
    let dsn = record.get("dsnStatus").map(|status| status.split(' ').next().unwrap_or(status));
    let category = record.get("bounceCat");
    let status = match record.kind {
        RecordType::Delivered => DeliveryStatus::Sent,
        // 4.4.7 may be the remote server's word, so PowerMTA's category says it, where there is one.
        RecordType::Bounced
            if category.or(dsn).is_some_and(|why| why == "message-expired" || why == "4.4.7") =>
        {
            DeliveryStatus::Expired
        }
        RecordType::Bounced | RecordType::RemoteBounce => DeliveryStatus::Bounced,
        RecordType::Transient => DeliveryStatus::Deferred,
        RecordType::TransientQueue
        | RecordType::Received
        | RecordType::Feedback
        | RecordType::RemoteStatus => return None,
    };
    let recipient = record.get("rcpt")?;
    let queued = record.get("timeQueued").unwrap_or_default();
    let part = |column| record.get(column).unwrap_or_default().as_bytes();
    // Without the time it was queued, nothing joins two records.
    let own = if queued.is_empty() { record.at_ms.to_string() } else { String::new() };
    let remote = if record.kind == RecordType::RemoteBounce { "rb" } else { "" };
    let (orig, job, envelope) = (part("orig"), part("jobId"), part("envId"));
    let parts =
        [remote.as_bytes(), orig, recipient.as_bytes(), queued.as_bytes(), own.as_bytes(), job, envelope];
    let id = identify(&parts);
    let first_ms = read_time(stamps, queued).unwrap_or(record.at_ms);
    let before = state.deferred.get(&id).copied();
    let attempts = before.map_or(0, |before| before.attempts).saturating_add(1);
    let first_ms = before.map_or(first_ms, |before| before.first_ms);
    if status == DeliveryStatus::Deferred {
        if state.deferred.len() >= DEFERRED {
            let oldest = state.newest_ms - AGE_MS;
            state.deferred.retain(|_, deferred| deferred.last_ms > oldest);
        }
        if state.deferred.len() < DEFERRED {
            state.deferred.insert(id, Deferred { attempts, first_ms, last_ms: record.at_ms });
        }
    } else {
        state.deferred.remove(&id);
    }
    let message_id =
        record.get("header_Message-Id").map(|id| id.trim_start_matches('<').trim_end_matches('>'));
    let client = message_id.and_then(client_of_message_id).or_else(|| record.get("header_client-id"));
    // A remote bounce has no sender because nobody knows it.
    let null_sender = record.kind != RecordType::RemoteBounce
        && record.columns.names.iter().any(|name| name.eq_ignore_ascii_case("orig"));
    let original =
        record.get("orcpt").map(|orcpt| orcpt.split_once(';').map_or(orcpt, |(_, address)| address));
    Some(Delivery {
        id,
        queue_id: None,
        message_id,
        client_id: client,
        sender: record.get("orig").or(null_sender.then_some("")),
        recipient: Some(recipient),
        original_recipient: original.filter(|original| !original.eq_ignore_ascii_case(recipient)),
        status,
        attempts,
        first_seen: first_ms,
        last_seen: record.at_ms,
        relay: record.get("dsnMta"),
        dsn,
        reply: record.get("dsnDiag").map(|text| text.strip_prefix("smtp;").unwrap_or(text).trim()),
        category,
        delay: (!queued.is_empty()).then(|| (record.at_ms - first_ms) as f64 / 1000.0),
        delays: None,
        size: record.get("dlvSize").and_then(|size| size.parse().ok()),
        nrcpt: None,
        host: None,
        requeued_as: None,
        parent: None,
        notification: None,
        superseded: false,
        before: before.map(|before| ReportedState {
            status: DeliveryStatus::Deferred,
            attempts: before.attempts,
            last_seen: before.last_ms,
        }),
    })
}

/// Seconds since 1970, `2026-01-02 03:04:05+0100`, or any other form of a log's stamp.
fn read_time(stamps: &mut Stamps, text: &str) -> Option<i64> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..1e11).contains(&seconds) => Some((seconds * 1000.0) as i64),
        Ok(milliseconds) if (1e11..1e15).contains(&milliseconds) => Some(milliseconds as i64),
        _ => stamps.read(format!("{text} ").as_bytes()).map(|(at_ms, _)| at_ms),
    }
}

/// Does a line name columns? The first of a file does if one of them is the type; a later one begins with it, as PowerMTA writes it.
fn is_header(line: &[u8], is_first: bool) -> bool {
    let begins = |name: &[u8]| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let names_type = || {
        let mut fields = Vec::new();
        split(line, &mut fields);
        fields.iter().any(|field| field.trim().eq_ignore_ascii_case("type"))
    };
    begins(b"type,") || begins(b"\"type\",") || is_first && names_type()
}

/// Where the record ends that the text begins with, past its newline; a newline within quotes does not end
/// it.
fn record_end(text: &[u8]) -> Option<usize> {
    let (mut at, mut quoted) = (0, false);
    loop {
        let found = at + memchr2(b'"', b'\n', &text[at..])?;
        at = found + 1;
        match text[found] {
            b'"' => quoted = !quoted,
            _ if !quoted => return Some(at),
            _ => {}
        }
    }
}

/// The fields of a record (RFC 4180).
fn split<'a>(mut line: &'a [u8], fields: &mut Vec<Cow<'a, str>>) {
    while fields.len() < COLUMNS {
        if let Some(quoted) = line.strip_prefix(b"\"") {
            let mut value = Vec::new();
            let mut rest = quoted;
            loop {
                let end = memchr::memchr(b'"', rest).unwrap_or(rest.len());
                value.extend_from_slice(&rest[..end]);
                rest = rest.get(end + 1..).unwrap_or_default();
                match rest.strip_prefix(b"\"") {
                    Some(after) => {
                        value.push(b'"');
                        rest = after;
                    }
                    None => break,
                }
            }
            fields.push(Cow::Owned(String::from_utf8_lossy(&value).into_owned()));
            let comma = memchr::memchr(b',', rest);
            match comma {
                Some(comma) => line = &rest[comma + 1..],
                None => return,
            }
        } else {
            let comma = memchr::memchr(b',', line);
            fields.push(String::from_utf8_lossy(&line[..comma.unwrap_or(line.len())]));
            match comma {
                Some(comma) => line = &line[comma + 1..],
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DeliveryStatus, recipient, attempts, first and last seen.
    type Told = (DeliveryStatus, String, u32, i64, i64);

    /// The deliveries of a file, and how many other records.
    fn read(parts: &[&str]) -> (Vec<Told>, usize) {
        let mut state = AccountingState::default();
        let (mut told, mut records) = (Vec::new(), 0);
        let first_line = parts[0].split('\n').next().unwrap();
        for (number, part) in parts.iter().enumerate() {
            let mut accounting = Accounting::new(TimeZone::UTC, 1_800_000_000_000, state);
            accounting.read(first_line.as_bytes(), number == 0, part.as_bytes(), |d| {
                told.push((d.status, d.recipient.unwrap().to_owned(), d.attempts, d.first_seen, d.last_seen));
            });
            records += accounting.take_lines().events as usize;
            state = serde_json::from_str(&serde_json::to_string(accounting.state()).unwrap()).unwrap();
        }
        let others = records - told.len();
        (told, others)
    }

    const HEADER: &str = "type,timeLogged,timeQueued,orig,rcpt,orcpt,dsnStatus,dsnDiag,bounceCat,jobId\r\n";

    #[test]
    fn columns_are_found_by_name_and_times_in_every_form() {
        for times in [
            "1767225610,1767225600",
            "2026-01-01 00:00:10+0000,2026-01-01 00:00:00+0000",
            "2026-01-01T01:00:10+01:00,2026-01-01T00:00:00Z",
            "2026-01-01 00:00:10,1767225600000",
        ] {
            let file = format!("{HEADER}d,{times},s@x,r@x,,2.0.0 (success),smtp;250 ok,,\r\n");
            let want = (DeliveryStatus::Sent, "r@x".to_owned(), 1, 1_767_225_600_000, 1_767_225_610_000);
            assert_eq!(read(&[&file]), (vec![want], 0), "{times}");
        }
        let other = "type,rcpt,timeLogged\nb,r@x,1767225610\n\"d\",\"r@x\",1767225611\n";
        let (told, _) = read(&[other]);
        assert_eq!((told[0].0, told[1].0), (DeliveryStatus::Bounced, DeliveryStatus::Sent));
    }

    #[test]
    fn every_type_of_record_is_what_it_is() {
        let row = |kind: &str, cat: &str| format!("{kind},1767225610,1767225600,s@x,r@x,,4.4.7,x,{cat},\n");
        for (kind, cat, want) in [
            ("d", "", Some(DeliveryStatus::Sent)),
            ("b", "bad-mailbox", Some(DeliveryStatus::Bounced)),
            ("b", "message-expired", Some(DeliveryStatus::Expired)),
            ("b", "", Some(DeliveryStatus::Expired)),
            ("t", "quota-issues", Some(DeliveryStatus::Deferred)),
            ("rb", "bad-mailbox", Some(DeliveryStatus::Bounced)),
            ("tq", "", None),
            ("r", "", None),
            ("f", "", None),
            ("rs", "", None),
        ] {
            let (told, others) = read(&[&format!("{HEADER}{}", row(kind, cat))]);
            assert_eq!(
                (told.first().map(|told| told.0), others),
                (want, usize::from(want.is_none())),
                "{kind}"
            );
        }
    }

    #[test]
    fn attempts_are_counted_until_the_end_across_ticks() {
        let row = |kind: &str, at: u32| format!("{kind},{at},1767225600,s@x,r@x,,4.2.2,x,,\n");
        let parts = [
            format!("{HEADER}{}", row("t", 1_767_225_610)),
            row("t", 1_767_225_620),
            row("d", 1_767_225_630),
        ];
        let (told, _) = read(&[&parts[0], &parts[1], &parts[2]]);
        let attempts: Vec<_> = told.iter().map(|told| (told.0, told.2)).collect();
        assert_eq!(
            attempts,
            [(DeliveryStatus::Deferred, 1), (DeliveryStatus::Deferred, 2), (DeliveryStatus::Sent, 3)]
        );
    }

    #[test]
    fn quoted_fields_may_hold_anything_even_across_ticks() {
        let parts = [
            format!("{HEADER}b,1767225610,1767225600,s@x,r@x,,5.1.1,\"smtp;550-a, \"\"b\"\"\r\n"),
            "550 c\",bad-mailbox,\r\nd,1767225610,1767225600,s@x,q@x,,2.0.0,ok,,\r\n".to_owned(),
        ];
        let (told, _) = read(&[&parts[0], &parts[1]]);
        assert_eq!((told.len(), told[0].1.as_str(), told[1].1.as_str()), (2, "r@x", "q@x"));
        let mut fields = Vec::new();
        split(b"\"a,\"\"b\"\"\",,c,\"\"", &mut fields);
        assert_eq!(fields, ["a,\"b\"", "", "c", ""]);
    }

    #[test]
    fn what_is_no_record_is_counted_and_passed_over() {
        let mut accounting = Accounting::new(TimeZone::UTC, 0, AccountingState::default());
        let open = format!("b,\"{}\nd,1767225610,,s@x,r@x\n", "x".repeat(LINE + 5));
        let text = format!("{HEADER}\nzz,1\n\"\n\"\n{open}");
        let mut told = 0;
        accounting.read(HEADER.trim().as_bytes(), true, text.as_bytes(), |_| told += 1);
        let lines = accounting.take_lines();
        assert_eq!((told, lines.unknown, lines.ignored, lines.events), (1, 3, 2, 1));
        accounting.read(b"", true, &[b','; 1 << 20], |_| told += 1);
        accounting.read(b"", true, &[b'"'; 1 << 20], |_| told += 1);
        assert_eq!(told, 1);
    }

    #[test]
    fn a_second_header_counts_until_the_end_of_the_file() {
        let mut accounting = Accounting::new(TimeZone::UTC, 1_800_000_000_000, AccountingState::default());
        let mut told = Vec::new();
        let first = b"type,timeLogged,rcpt";
        let chunks: [(&[u8], bool, &str); 4] = [
            (first, true, "type,timeLogged,rcpt\nd,1767225600,a@x.example\ntype,rcpt,timeLogged\n"),
            (first, false, "d,b@x.example,1767225601\n"),
            (first, false, "d,c@x.example,1767225602\n"),
            (first, true, "type,timeLogged,rcpt\nd,1767225603,d@x.example\n"),
        ];
        for (first_line, begins, lines) in chunks {
            let state = serde_json::from_str(&serde_json::to_string(accounting.state()).unwrap()).unwrap();
            accounting = Accounting::new(TimeZone::UTC, 1_800_000_000_000, state);
            accounting.read(first_line, begins, lines.as_bytes(), |delivery| {
                told.extend(delivery.recipient.map(str::to_owned));
            });
        }
        assert_eq!(told, ["a@x.example", "b@x.example", "c@x.example", "d@x.example"]);
    }

    #[test]
    fn the_type_may_be_any_column_in_any_case() {
        for header in ["timeLogged,type,rcpt", "Type,timeLogged,Rcpt", "rcpt,timeLogged,\"type\""] {
            let mut accounting =
                Accounting::new(TimeZone::UTC, 1_800_000_000_000, AccountingState::default());
            let of = |name: &str| match name.trim_matches('"').to_lowercase().as_str() {
                "type" => "d",
                "rcpt" => "a@x.example",
                _ => "1767225600",
            };
            let row: Vec<&str> = header.split(',').map(of).collect();
            let text = format!("{header}\n{}\n", row.join(","));
            let mut told = Vec::new();
            accounting.read(header.as_bytes(), true, text.as_bytes(), |delivery| {
                told.extend(delivery.recipient.map(str::to_owned));
            });
            assert_eq!(told, ["a@x.example"], "{header}");
        }
    }

    #[test]
    fn a_quote_that_nothing_closes_takes_its_own_line_only() {
        let mut accounting = Accounting::new(TimeZone::UTC, 1_800_000_000_000, AccountingState::default());
        let mut told = 0;
        let rows = |many: usize| "d,1767225600,a@x.example\n".repeat(many);
        let header = "type,timeLogged,rcpt\n";
        let chunks = [format!("{header}d,1767225600,\"b@x.exa\n{}", rows(5)), format!("{header}{}", rows(1))];
        for text in &chunks {
            let state = serde_json::from_str(&serde_json::to_string(accounting.state()).unwrap()).unwrap();
            let lines = accounting.take_lines();
            accounting = Accounting::new(TimeZone::UTC, 1_800_000_000_000, state);
            accounting.lines = lines;
            accounting.read(header.trim_end().as_bytes(), true, text.as_bytes(), |_| told += 1);
        }
        assert_eq!((told, accounting.take_lines().unknown), (6, 1), "the next file begins");
        let text = format!("{header}d,1767225600,\"b@x.exa\n{}", rows(100));
        accounting.read(header.trim_end().as_bytes(), true, text.as_bytes(), |_| told += 1);
        assert_eq!(told, 106, "too much to be one record");
    }
}
