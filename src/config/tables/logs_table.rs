//! `[[logs]]` and `[index]`: the mail logs that `carom cron` reads, and what is kept of them.

use crate::clock;
use crate::config::Fault;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[[logs]]`: one log. Its rotated neighbours are found.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogsTable {
    /// What writes it.
    pub(crate) kind: LogKind,
    /// The file that grows. Of journald: a journal file or a directory of them; none for the system's journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<PathBuf>,
    /// The zone of stamps that name none, `Europe/Berlin`; default the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timezone: Option<String>,
    /// The header that carries the client id, where header_checks logs it.
    #[serde(default = "client_header")]
    pub(crate) client_header: String,
}

fn client_header() -> String {
    "client-id".into()
}

/// What writes a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogKind {
    /// Postfix, through syslog or postlogd.
    Postfix,
    /// PowerMTA: an accounting file.
    PowerMta,
    /// Postfix, through the journal; journalctl is run.
    Journald,
}

impl LogKind {
    /// The word in the config.
    pub(crate) fn name(self) -> &'static str {
        match self {
            LogKind::Postfix => "postfix",
            LogKind::PowerMta => "powermta",
            LogKind::Journald => "journald",
        }
    }
}

impl LogsTable {
    /// What it is remembered by.
    pub(crate) fn name(&self) -> String {
        let path = self.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        format!("{}:{path}", self.kind.name())
    }

    /// The zone of stamps that name none.
    pub(crate) fn zone(&self) -> TimeZone {
        self.timezone.as_deref().and_then(clock::zone).unwrap_or_else(clock::local_zone)
    }

    /// Key, fault and remedy, if it cannot be.
    pub(crate) fn impossible(&self) -> Option<Fault> {
        if self.path.is_none() && self.kind != LogKind::Journald {
            return Some(("[[logs]]", "has no path", "name the file that the mail server writes"));
        }
        let zone = self.timezone.as_deref();
        if zone.is_some_and(|name| clock::zone(name).is_none()) {
            return Some((
                "timezone",
                "is not known here",
                "use a name like Europe/Berlin, or remove the key",
            ));
        }
        None
    }
}
