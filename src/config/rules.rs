//! The rules of tables with plain values: limits, timeouts, names.
//!
//! Not here: the rules of tables with a file of their own meaning (`return_paths`, `applications`,
//! …).

use super::fault::ConfigFault;
use super::tables::{
    DnsTable, KeptTable, LimitsTable, MessageTable, NetworkTable, PoliciesTable, RelayTable, Tables,
    VisitTable,
};

type Checked = Result<(), ConfigFault>;

/// The rules of all tables that a message needs.
pub(super) fn check(tables: &Tables) -> Checked {
    has_paths(tables)?;
    tables.dns.check()?;
    tables.network.check()?;
    tables.message.check()?;
    tables.relay.check()?;
    tables.limits.check()?;
    tables.policies.check()?;
    tables.visit.check()?;
    tables.kept.check()
}

/// An empty path is the current directory, which is nobody's intention.
fn has_paths(tables: &Tables) -> Checked {
    let (store, log) = (tables.store.path.as_deref(), tables.log.directory.as_deref());
    for (table, key, path) in [("store", "path", store), ("log", "directory", log)] {
        if path.is_some_and(|path| path.as_os_str().is_empty()) {
            return fault(table, key, "is empty", "set a path, or remove the key");
        }
    }
    Ok(())
}

fn fault(table: &str, key: &str, what: &str, fix: &str) -> Checked {
    Err(ConfigFault::new(table, key, what, fix))
}

impl DnsTable {
    fn check(&self) -> Checked {
        if self.timeout == 0 {
            return fault("dns", "timeout", "must be at least 1 second", "use 5, or remove the key");
        }
        if self.zone.is_some() && !self.servers.is_empty() {
            return fault("dns", "zone", "a zone and servers cannot both answer", "remove one of the two");
        }
        Ok(())
    }
}

impl NetworkTable {
    fn check(&self) -> Checked {
        if self.smtp_port == 0 {
            return fault("network", "smtp_port", "is not a port", "use 25, or remove the key");
        }
        let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic());
        if self.hostname.as_deref().is_some_and(|name| !is_name(name)) {
            return fault("network", "hostname", "is not a host name", "use a name like mail.example.com");
        }
        Ok(())
    }
}

impl MessageTable {
    fn check(&self) -> Checked {
        if self.deadline == 0 {
            return fault("message", "deadline", "must be at least 1 second", "use 60, or remove the key");
        }
        if self.max_size == 0 {
            return fault("message", "max_size", "no message would fit", "set the size in bytes");
        }
        if self.memory < 128 << 20 {
            let fix = "use at least 134217728, or remove the key";
            return fault("message", "memory", "is less than carom takes without a message", fix);
        }
        Ok(())
    }
}

impl RelayTable {
    fn check(&self) -> Checked {
        if self.threads == 0 || self.threads > 1024 {
            return fault("relay", "threads", "must be from 1 to 1024", "use 32, or remove the key");
        }
        Ok(())
    }
}

impl LimitsTable {
    fn check(&self) -> Checked {
        let fix = "use a larger number, or remove the key";
        if self.time == 0 {
            return fault("limits", "time", "a policy needs at least 1 millisecond", fix);
        }
        if self.steps == 0 {
            return fault("limits", "steps", "a plan needs at least 1 step", fix);
        }
        if self.memory < 1 << 16 {
            return fault("limits", "memory", "a policy needs at least 65536 bytes", fix);
        }
        Ok(())
    }
}

impl PoliciesTable {
    fn check(&self) -> Checked {
        if self.keep == 0 {
            return fault("policies", "keep", "the current release is one of those kept", "use at least 1");
        }
        Ok(())
    }
}

impl VisitTable {
    fn check(&self) -> Checked {
        let is_header = |agent: &String| {
            !agent.trim().is_empty() && agent.chars().all(|c| c.is_ascii_graphic() || c == ' ')
        };
        if !self.user_agents.iter().all(is_header) {
            let what = "a User-Agent is empty, or has characters that a header cannot have";
            return fault("visit", "user_agents", what, "use printable ASCII characters");
        }
        Ok(())
    }
}

impl KeptTable {
    fn check(&self) -> Checked {
        if self.per_address == 0 {
            let fix = "use at least 1; to keep nothing, remove keep = true from the policy's settings";
            return fault("kept", "per_address", "nothing would be kept", fix);
        }
        Ok(())
    }
}
