//! `carom deliveries`: what the mail logs say about each delivery.
//!
//! Not here: finding them (`index`).

use super::delivery_match::MatchArgs;
use super::terminal::{self, Output, Terminal, fitted, note, print};
use crate::class::About;
use crate::clock;
use crate::clock::typed_time::time;
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::index::{Filter, Index, Seen, StoredDelivery, UnclassifiedShape};
use crate::maillog::LoggedStatus;
use crate::text::one_line;
use clap::Args;

/// Deliveries shown to people unless --limit says otherwise.
const SHOWN: u64 = 100;
/// Columns of a recipient at most, so that the reply begins on the same screen.
const RECIPIENT: usize = 44;

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    carom deliveries --failed --since 1d\n  \
    carom deliveries --recipient ann@example.com --latest\n  \
    carom deliveries --source vmta/mta1 --failed --about sending-host\n  \
    carom deliveries --tls none --since 7d          sent without TLS\n  \
    carom deliveries --reason mailbox-full --provider google\n  \
    carom deliveries --others --failed --since 1d   not our own mail\n  \
    carom deliveries --unclassified --since 7d      replies that deserve a rule\n  \
    carom deliveries --status deferred,held --json")]
pub(crate) struct DeliveriesArgs {
    /// Only failures: bounced, expired, rejected
    #[arg(long)]
    failed: bool,
    /// Only failures that no rule classifies, grouped by the shape of their text; with --shape or
    /// another option about names, one by one
    #[arg(long)]
    unclassified: bool,
    /// Only this status (repeat the option, or separate by commas): sent, bounced, deferred,
    /// expired, deleted, discarded, held, rejected, forwarded
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = status)]
    status: Vec<LoggedStatus>,
    /// Only deliveries to this address, before or after aliases
    #[arg(long, value_name = "ADDRESS")]
    recipient: Option<String>,
    /// Only deliveries of this client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Only deliveries of this source: a vMTA, pool or source IP of PowerMTA, a Postfix instance or
    /// transport, or a campaign, with its kind (vmta/mta1) or without
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Only deliveries sent with this TLS level, as Postfix logs it: none, may, encrypt, dane, …
    #[arg(long, value_name = "LEVEL")]
    tls: Option<String>,
    /// Only our own mail, as `own` of the log says
    #[arg(long, conflicts_with = "others")]
    own: bool,
    /// Only what is not our own: mail that others sent through us, and mail handed to carom
    #[arg(long)]
    others: bool,
    /// Only failures about this: recipient, recipient-domain, sender, sending-host, message, relay,
    /// network, nobody
    #[arg(long, value_name = "WHAT", value_parser = about)]
    about: Option<About>,
    #[command(flatten)]
    names: MatchArgs,
    /// Only this queue id
    #[arg(long, value_name = "ID")]
    queue_id: Option<String>,
    /// Only this Message-ID, with or without angle brackets
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
    /// Only deliveries updated at or after TIME: RFC 3339, a date, 22:00, today, yesterday,
    /// or an age like 90m, 12h, 7d
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    /// Only deliveries updated before TIME
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,
    /// Only the latest delivery to each recipient
    #[arg(long)]
    latest: bool,
    /// Show at most N, newest first [default: 100 for people, all with --json]
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

fn status(word: &str) -> Result<LoggedStatus, String> {
    let word = word.to_lowercase();
    serde_json::from_value(serde_json::Value::String(word)).map_err(|_| {
        "use sent, bounced, deferred, expired, deleted, discarded, held, rejected or forwarded".to_owned()
    })
}

fn about(word: &str) -> Result<About, String> {
    About::named(word).ok_or_else(|| format!("use {}", About::ALL.map(About::name).join(", ")))
}

pub(crate) fn run(arguments: &DeliveriesArgs, config: &Config, terminal: Terminal) -> Result<Exit> {
    let mut filter = Filter {
        seen: Seen::AllMail,
        failed: arguments.failed,
        statuses: arguments.status.iter().map(|status| status.name().to_owned()).collect(),
        recipient: arguments.recipient.clone(),
        client: arguments.client.clone(),
        source: arguments.source.clone(),
        tls: arguments.tls.clone(),
        own: (arguments.own || arguments.others).then_some(arguments.own),
        about: arguments.about,
        reason: arguments.names.reason(),
        queue_id: arguments.queue_id.clone(),
        message_id: arguments.message_id.clone(),
        since_ms: arguments.since,
        until_ms: arguments.until,
        latest: arguments.latest,
        limit: arguments.limit,
        ..Filter::default()
    };
    let Some(index) = open_index(config)? else { return Ok(Exit::Ok) };
    // Shapes are counted of all; what is looked for one by one is a list.
    if arguments.unclassified && arguments.names.wanted(false).is_anything() {
        return unclassified(&index.unclassified(&filter)?, terminal);
    }
    let wanted = arguments.names.wanted(arguments.unclassified);
    if terminal.json {
        let mut out = Output::open();
        index.matching(&filter, &wanted, |found| out.row(&found))?;
        return out.finish();
    }
    filter.limit = filter.limit.or(Some(SHOWN));
    let mut rows = Vec::new();
    index.matching(&filter, &wanted, |found| {
        rows.push(found);
        Ok(true)
    })?;
    let is_cut = arguments.limit.is_none() && rows.len() as u64 == SHOWN;
    let more = if is_cut { "only the latest are shown: see --limit\n" } else { "" };
    let width = terminal::table_width(terminal);
    let header = if width.is_some() && !rows.is_empty() { header(&rows) } else { String::new() };
    let times = if header.is_empty() { Times::Whole } else { Times::InColumn };
    let text = header + &table(&rows, times);
    let fit = |line: &str| width.map_or(line.to_owned(), |width| fitted(line, width)) + "\n";
    print(text.lines().map(fit).collect::<String>() + more)
}

/// The index, if a log was ever read; else a note says what to do.
pub(crate) fn open_index(config: &Config) -> Result<Option<Index>> {
    let index = Index::to_read(&config.index_path())?;
    if index.is_none() {
        let hint =
            if config.mail_logs.get()?.is_empty() { "add [[logs]] to the config, and run" } else { "run" };
        let path = config.index_path();
        note(format_args!("no log was read yet, so there is no {}; {hint} `carom cron`", path.display()));
    }
    Ok(index)
}

fn header(rows: &[StoredDelivery]) -> String {
    let width = recipient_width(rows);
    format!("{:19}  {:9} {:width$}  {:15}  REASON: REPLY\n", "TIME (UTC)", "STATUS", "RECIPIENT", "QUEUE ID")
}

fn recipient_width(rows: &[StoredDelivery]) -> usize {
    let recipients = rows.iter().map(|row| row.recipient.as_deref().unwrap_or("-").chars().count());
    recipients.max().unwrap_or(0).min(RECIPIENT)
}

/// How times are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    /// RFC 3339.
    Whole,
    /// To the second, below a header that names the zone.
    InColumn,
}

/// Columns: when, status, recipient, queue id, reason and reply.
pub(crate) fn table(rows: &[StoredDelivery], times: Times) -> String {
    let width = recipient_width(rows);
    rows.iter().map(|row| delivery(row, times, width) + "\n").collect()
}

fn delivery(row: &StoredDelivery, times: Times, width: usize) -> String {
    let recipient = one_line(row.recipient.as_deref().unwrap_or("-"));
    let none = if row.status == "rejected" { "NOQUEUE" } else { "-" };
    let queue_id = row.queue_id.as_deref().unwrap_or(none);
    let reason = row.reason.as_deref().map(|reason| format!("{reason}: ")).unwrap_or_default();
    let reply = one_line(row.reply.as_deref().unwrap_or_default());
    let time = clock::rfc3339(row.last_seen);
    let time = match times {
        Times::Whole => time,
        Times::InColumn => time.get(..19).unwrap_or(&time).replace('T', " "),
    };
    format!("{time}  {:9} {recipient:width$}  {queue_id:15}  {reason}{reply}", row.status)
}

fn unclassified(shapes: &[UnclassifiedShape], terminal: Terminal) -> Result<Exit> {
    terminal.rows(shapes, "every failure has a rule\n", |shape| {
        let UnclassifiedShape { count, shape, example, .. } = shape;
        let example =
            if example.is_empty() { String::new() } else { format!("\n{:>8}  {}", "", one_line(example)) };
        format!("{count:>8}  {}{example}", one_line(shape))
    })
}
