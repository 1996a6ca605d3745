//! The tables of `carom.toml` as they are written: `XTable` is the table `[x]`. Every key has a default.
//!
//! Not here: what the values mean (the other files of `config`).

mod alert_table;
mod auth_table;
mod cycle_table;
mod dns_table;
mod export_table;
mod index_table;
mod kept_table;
mod limits_table;
mod log_table;
mod logs_table;
mod message_table;
mod network_table;
mod notify_table;
mod policies_table;
mod policy_table;
mod relay_table;
mod send_table;
mod store_table;
mod verp_table;
mod visit_table;

pub(crate) use alert_table::{AlertTable, AlertsTable, Group, Metric, impossible as alerts_impossible};
pub(crate) use auth_table::AuthTable;
pub(crate) use cycle_table::{CycleTable, PurgeTable, impossible as cycles_impossible};
pub(crate) use dns_table::DnsTable;
pub(crate) use export_table::ExportTable;
pub(crate) use index_table::IndexTable;
pub(crate) use kept_table::KeptTable;
pub(crate) use limits_table::{LimitsTable, OnTrap};
pub(crate) use log_table::{LogFormat, LogTable};
pub(crate) use logs_table::{LogKind, LogsTable};
pub(crate) use message_table::MessageTable;
pub(crate) use network_table::NetworkTable;
pub(crate) use notify_table::{NotifyBody, NotifyTable};
pub(crate) use policies_table::PoliciesTable;
pub(crate) use policy_table::PolicyTable;
pub(crate) use relay_table::RelayTable;
pub(crate) use send_table::SendTable;
pub(crate) use store_table::StoreTable;
pub(crate) use verp_table::VerpTable;
pub(crate) use visit_table::VisitTable;
