//! `[[logs]]`: a mail log that `carom cron` reads. Its rotated neighbors are found.

use crate::config::span::Span;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogsTable {
    pub(crate) kind: LogKind,
    /// The file that grows. For KumoMTA, its log_dir. For journald, a journal file or a directory
    /// of them; default the system's journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<PathBuf>,
    /// The time zone of stamps that name none, like `Europe/Berlin`; default the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timezone: Option<String>,
    /// The header that carries the client id, where header_checks logs it.
    #[serde(default = "client_header")]
    pub(crate) client_header: String,
    /// The headers that name the campaign, where header_checks logs them or PowerMTA writes them
    /// into its file.
    #[serde(default = "campaign_headers")]
    pub(crate) campaign_headers: Vec<String>,
    /// Whose mail is our own: clients, sender domains, streams. Default: what no stranger has
    /// handed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) own: Option<Vec<String>>,
    /// The transports of Postfix that hand mail to carom; one `*` is any text.
    #[serde(default = "carom_transports")]
    pub(crate) carom_transports: Vec<String>,
    /// The log is reported as unreadable when nothing new was in it for this long; 0s: never.
    #[serde(default = "three_days")]
    pub(crate) silent_after: Span,
}

/// Longer than a weekend of a quiet server.
fn three_days() -> Span {
    Span::seconds(3 * 86_400)
}

fn client_header() -> String {
    "client-id".into()
}

fn carom_transports() -> Vec<String> {
    vec!["carom*".into()]
}

fn campaign_headers() -> Vec<String> {
    ["X-Campaign", "X-Campaign-ID", "X-Job", "Feedback-ID"].map(str::to_owned).into()
}

/// What writes a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogKind {
    /// Postfix, through syslog or postlogd.
    Postfix,
    /// Exim: its main log, or what syslog wrote of it.
    Exim,
    /// PowerMTA: an accounting file.
    PowerMta,
    /// KumoMTA: the directory of its segments, or a file of JSON Lines.
    KumoMta,
    /// Postfix, through the journal; journalctl is run.
    Journald,
}

impl LogKind {
    /// The mail server, as people write it.
    pub(crate) fn server(self) -> &'static str {
        match self {
            LogKind::Postfix | LogKind::Journald => "Postfix",
            LogKind::Exim => "Exim",
            LogKind::PowerMta => "PowerMTA",
            LogKind::KumoMta => "KumoMTA",
        }
    }

    /// Whether a line is a record of one attempt, which names no client and no transport.
    pub(crate) fn has_records(self) -> bool {
        matches!(self, LogKind::PowerMta | LogKind::KumoMta)
    }

    /// The word in the config.
    pub(crate) fn name(self) -> &'static str {
        match self {
            LogKind::Postfix => "postfix",
            LogKind::Exim => "exim",
            LogKind::PowerMta => "powermta",
            LogKind::KumoMta => "kumomta",
            LogKind::Journald => "journald",
        }
    }
}
