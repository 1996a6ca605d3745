//! The mail logs that `carom cron` reads, as configured in `[[logs]]`.
//!
//! Not here: reading them (`maillog`, `ingest`). Invariant: a file-based log has a path, and every
//! time zone exists.

use super::fault::ConfigFault;
use super::own_entry::OwnEntry;
use super::return_paths::check_field_name;
use super::span::Span;
use super::tables::{LogKind, LogsTable, Tables};
use crate::clock;
use jiff::tz::TimeZone;
use std::path::PathBuf;

#[derive(Clone, Debug)]
pub(crate) struct MailLog {
    pub(crate) kind: LogKind,
    /// `None` for the system's journal.
    pub(crate) path: Option<PathBuf>,
    /// The time zone of stamps that name none.
    pub(crate) zone: TimeZone,
    /// The header that carries the client id.
    pub(crate) client_header: String,
    /// The headers that name the campaign.
    pub(crate) campaign_headers: Vec<String>,
    /// Whose mail is our own; `None` for the default.
    pub(crate) own: Option<Vec<OwnEntry>>,
    /// Transports that hand mail to carom; one `*` is any text.
    pub(crate) carom_transports: Vec<String>,
    /// Nothing new for longer is a fault; zero: never.
    pub(crate) silent_after: Span,
}

impl MailLog {
    pub(super) const TABLES: &[&str] = &["logs"];

    pub(super) fn read(tables: Tables) -> Result<Vec<MailLog>, ConfigFault> {
        let mut logs: Vec<MailLog> = Vec::with_capacity(tables.logs.len());
        for (number, table) in tables.logs.into_iter().enumerate() {
            let log = read(table, number)?;
            if logs.iter().any(|other| other.name() == log.name()) {
                let what = "is the log of another [[logs]]";
                return Err(ConfigFault::of_element("logs", number, "path", what, "remove one of the two"));
            }
            logs.push(log);
        }
        Ok(logs)
    }

    /// The name that its position is stored under.
    pub(crate) fn name(&self) -> String {
        let path = self.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        format!("{}:{path}", self.kind.name())
    }
}

fn read(table: LogsTable, number: usize) -> Result<MailLog, ConfigFault> {
    let fault =
        |key: &str, what: &str, fix: &str| Err(ConfigFault::of_element("logs", number, key, what, fix));
    if table.path.is_none() && table.kind != LogKind::Journald {
        return fault("", "has no path", "set path to the file that the mail server writes");
    }
    let zone = match &table.timezone {
        None => clock::local_zone(),
        Some(name) => match clock::zone(name) {
            Some(zone) => zone,
            None => {
                let what = format!("the time zone {name:?} does not exist here");
                return fault("timezone", &what, "use a name like Europe/Berlin, or remove the key");
            }
        },
    };
    let own = match table.own.iter().flatten().map(|entry| OwnEntry::read(entry)).collect() {
        Ok(entries) => table.own.is_some().then_some(entries),
        Err(what) => {
            let fix = "use a network (192.0.2.0/24), a sender domain (example.com, *.example.com), a \
                       stream (transport/smtp-out), \"local\" or \"authenticated\"";
            return fault("own", String::as_str(&what), fix);
        }
    };
    if let Some(odd) = table.carom_transports.iter().find(|name| !is_transport(name)) {
        let fix = "use the name of a service in master.cf, with one * at most: carom*";
        return fault("carom_transports", &format!("{odd:?} is not the name of a transport"), fix);
    }
    let headers = [("client_header", &table.client_header)].into_iter();
    let headers = headers.filter(|(_, name)| !name.is_empty());
    for (key, name) in headers.chain(table.campaign_headers.iter().map(|name| ("campaign_headers", name))) {
        check_field_name(name).map_err(|error| ConfigFault::error_of_element("logs", number, key, &error))?;
    }
    let LogsTable { kind, path, client_header, campaign_headers, carom_transports, silent_after, .. } = table;
    Ok(MailLog { kind, path, zone, client_header, campaign_headers, own, carom_transports, silent_after })
}

fn is_transport(name: &str) -> bool {
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || "[]:,".contains(c);
    !name.is_empty() && name != "*" && name.matches('*').count() < 2 && !name.contains(is_odd)
}
