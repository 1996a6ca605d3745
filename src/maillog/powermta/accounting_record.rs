//! A record of an accounting file: its type, its time, and its columns by name.
//!
//! Not here: the syntax of CSV (`csv_records`). Invariant: columns are found by the names in the
//! header line, in any order and in any case.

use super::csv_records::Fields;

/// The type of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordType {
    Delivered,
    /// Bounced, or expired.
    Bounced,
    /// One attempt failed for now.
    Transient,
    /// A queue failed for now.
    TransientQueue,
    Received,
    /// A complaint from a feedback loop.
    Feedback,
    /// A bounce came back after delivery.
    RemoteBounce,
    /// A status came back after delivery.
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

/// The columns that carom reads.
#[derive(Clone, Copy)]
pub(crate) enum Column {
    Type,
    TimeLogged,
    TimeQueued,
    TimeImprinted,
    TimeFirstAttempt,
    Orig,
    Rcpt,
    DsnStatus,
    DsnDiag,
    DsnMta,
    BounceCat,
    JobId,
    EnvId,
    DlvSize,
    MessageId,
    ClientId,
    Vmta,
    VmtaPool,
    DlvSourceIp,
}

/// Their names, in the same order.
const NAMES: [&str; 19] = [
    "type",
    "timeLogged",
    "timeQueued",
    "timeImprinted",
    "timeFirstAttempt",
    "orig",
    "rcpt",
    "dsnStatus",
    "dsnDiag",
    "dsnMta",
    "bounceCat",
    "jobId",
    "envId",
    "dlvSize",
    "header_Message-Id",
    "header_client-id",
    "vmta",
    "vmtaPool",
    "dlvSourceIp",
];

/// Where the columns of a file are.
#[derive(Default)]
pub(crate) struct Columns {
    positions: [Option<usize>; NAMES.len()],
    /// Those of headers that name the campaign, the preferred one first.
    campaign: Vec<usize>,
}

impl Columns {
    /// The columns that a header line names; `campaign_headers` name the campaign of a message.
    pub(crate) fn named(header: &Fields, campaign_headers: &[String]) -> Columns {
        let position = |name: &str| header.iter().position(|field| is_name(field, name));
        let of_header = |name: &String| position(&format!("header_{}", name.trim_end_matches(':')));
        Columns {
            positions: NAMES.map(position),
            campaign: campaign_headers.iter().filter_map(of_header).collect(),
        }
    }

    pub(crate) fn has(&self, column: Column) -> bool {
        self.positions[column as usize].is_some()
    }
}

fn is_name(field: &str, name: &str) -> bool {
    field.trim().eq_ignore_ascii_case(name)
}

/// Whether a record names columns: the first of a file, if one of them is the type; a later one, if
/// the type comes first, as PowerMTA writes it.
pub(crate) fn is_header(fields: &Fields, is_first: bool) -> bool {
    let is_type = |field: &str| is_name(field, NAMES[Column::Type as usize]);
    let type_comes_first = fields.len() > 1 && fields.get(0).is_some_and(is_type);
    type_comes_first || is_first && fields.iter().any(is_type)
}

pub(crate) struct AccountingRecord<'a> {
    pub(crate) record_type: RecordType,
    columns: &'a Columns,
    fields: &'a Fields,
}

impl<'a> AccountingRecord<'a> {
    /// None if the record has no known type.
    pub(crate) fn new(columns: &'a Columns, fields: &'a Fields) -> Option<AccountingRecord<'a>> {
        let name = fields.get(columns.positions[Column::Type as usize]?)?;
        Some(AccountingRecord { record_type: RecordType::of(name.trim())?, columns, fields })
    }

    /// The value of a column; None if the file has no such column, or the record no value.
    pub(crate) fn get(&self, column: Column) -> Option<&'a str> {
        self.value(self.columns.positions[column as usize]?)
    }

    /// The job, or what a header says of the campaign.
    pub(crate) fn campaign(&self) -> Option<&'a str> {
        let header = |at: &usize| self.value(*at);
        self.get(Column::JobId).or_else(|| self.columns.campaign.iter().find_map(header))
    }

    fn value(&self, at: usize) -> Option<&'a str> {
        Some(self.fields.get(at)?.trim()).filter(|field| !field.is_empty())
    }

    /// The name of a column and the value in it.
    pub(crate) fn named(&self, column: Column) -> Option<(&'static str, &'a str)> {
        Some((NAMES[column as usize], self.get(column)?))
    }

    /// Whether the file has the column.
    pub(crate) fn has_column(&self, column: Column) -> bool {
        self.columns.has(column)
    }
}
