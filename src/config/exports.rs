//! The rules of `[export]`.
//!
//! Not here: whether the directories exist (`check`).

use super::fault::ConfigFault;
use super::tables::{ExportTable, Tables};

impl ExportTable {
    pub(super) const TABLES: &[&str] = &["export"];

    pub(super) fn read(tables: Tables) -> Result<ExportTable, ConfigFault> {
        let export = tables.export;
        let fault = |key: &str, what: &str, fix: &str| Err(ConfigFault::new("export", key, what, fix));
        if export.hours == 0 || export.hours > 24 * 366 {
            return fault("hours", "must be from 1 to 8784", "use 24 for one day");
        }
        if export.top == 0 {
            return fault("top", "must be at least 1", "use 20, or remove the key");
        }
        let prometheus = export.prometheus.as_deref();
        if prometheus.is_some_and(|path| path.extension().is_none_or(|ending| ending != "prom")) {
            return fault(
                "prometheus",
                "node_exporter does not read this file",
                "use a name that ends in .prom",
            );
        }
        let is_domain = |domain: &String| {
            let may_be = |c: char| c.is_alphanumeric() || c == '-' || c == '.' || c == '_';
            domain.chars().all(may_be) && !domain.starts_with('.') && domain.contains('.')
        };
        if let Some(odd) = export.postfix_access_senders.iter().find(|domain| !is_domain(domain)) {
            let what = format!("{odd:?} is not a domain");
            return fault("postfix_access_senders", &what, "use sender domains like shop.example");
        }
        if !export.postfix_access_senders.is_empty() && export.postfix_access.is_none() {
            return fault(
                "postfix_access_senders",
                "there is no map beside which theirs would be",
                "set postfix_access",
            );
        }
        Ok(export)
    }
}
