//! The tables of `carom.toml` as they are written: `XTable` is the table `[x]`. Every key has a
//! default.
//!
//! Not here: what the values mean (the other files of `config`). Invariant: a table is written as
//! it was read.

mod access_table;
mod alert_table;
mod auth_table;
mod chaos_table;
mod cycle_table;
mod dns_table;
mod events_table;
mod export_table;
mod index_table;
mod kept_table;
mod limits_table;
mod lmtp_table;
mod log_table;
mod logs_table;
mod message_table;
mod network_table;
mod notify_table;
mod policies_table;
mod policy_table;
mod relay_table;
mod send_table;
mod serve_table;
mod shared_table;
mod store_table;
mod suppression_table;
mod unproven_table;
mod verp_table;
mod visit_table;

pub(crate) use access_table::{AccessSenderTable, AccessTable, SuppressedAnswer};
pub(crate) use alert_table::{AlertTable, AlertsTable};
pub(crate) use auth_table::AuthTable;
pub(crate) use chaos_table::{ChaosMoment, ChaosTable, Mischief};
pub(crate) use cycle_table::{CycleTable, PurgeTable};
pub(crate) use dns_table::DnsTable;
pub(crate) use events_table::{EventKind, EventsTable, SinkKind};
pub(crate) use export_table::ExportTable;
pub(crate) use index_table::IndexTable;
pub(crate) use kept_table::KeptTable;
pub(crate) use limits_table::{LimitsTable, OnTrap};
pub(crate) use lmtp_table::LmtpTable;
pub(crate) use log_table::{LogFormat, LogLevel, LogTable};
pub(crate) use logs_table::{LogKind, LogsTable};
pub(crate) use message_table::MessageTable;
pub(crate) use network_table::NetworkTable;
pub(crate) use notify_table::NotifyTable;
pub(crate) use policies_table::PoliciesTable;
pub(crate) use policy_table::PolicyTable;
pub(crate) use relay_table::RelayTable;
pub(crate) use send_table::SendTable;
pub(crate) use serve_table::{ServeTable, ServeTokenTable};
pub(crate) use shared_table::SharedTable;
pub(crate) use store_table::StoreTable;
pub(crate) use suppression_table::SuppressionTable;
pub(crate) use unproven_table::{UnprovenAction, UnprovenTable};
pub(crate) use verp_table::VerpTable;
pub(crate) use visit_table::VisitTable;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The whole file. The defaults are those of an empty one: `Tables::default()` names no policy.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tables {
    /// The policy that decides about messages; `--policy` overrides. `policy = "NAME"` is read as
    /// this key.
    #[serde(default = "sink")]
    pub(crate) default_policy: String,
    /// The directory of store, spool, logs and compiled policies, unless they are set individually.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<PathBuf>,
    pub(crate) store: StoreTable,
    pub(crate) dns: DnsTable,
    pub(crate) network: NetworkTable,
    pub(crate) auth: AuthTable,
    pub(crate) message: MessageTable,
    pub(crate) relay: RelayTable,
    pub(crate) lmtp: LmtpTable,
    pub(crate) log: LogTable,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) logs: Vec<LogsTable>,
    pub(crate) index: IndexTable,
    pub(crate) export: ExportTable,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) events: Vec<EventsTable>,
    pub(crate) send: SendTable,
    pub(crate) visit: VisitTable,
    pub(crate) limits: LimitsTable,
    pub(crate) policies: PoliciesTable,
    pub(crate) verp: VerpTable,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) notify: Vec<NotifyTable>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) cycle: Vec<CycleTable>,
    pub(crate) alerts: AlertsTable,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) alert: Vec<AlertTable>,
    pub(crate) kept: KeptTable,
    pub(crate) suppression: SuppressionTable,
    pub(crate) shared: SharedTable,
    pub(crate) access: AccessTable,
    pub(crate) serve: ServeTable,
    pub(crate) unproven: UnprovenTable,
    pub(crate) policy: BTreeMap<String, PolicyTable>,
}

/// The policy that decides without a choice.
fn sink() -> String {
    "sink".to_owned()
}
