//! The rules of tables with plain values: limits, timeouts, names.
//!
//! Not here: the rules of tables with a file of their own meaning (`return_paths`, `applications`,
//! …).

use super::chaos_rules;
use super::fault::ConfigFault;
use super::tables::{
    AuthTable, DnsTable, KeptTable, LimitsTable, LmtpTable, MessageTable, NetworkTable, PoliciesTable,
    RelayTable, SendTable, Tables, VisitTable,
};

type Checked = Result<(), ConfigFault>;

/// Recipients of a message that clients hand in.
const MOST_RECIPIENTS: usize = 10_000;

/// The rules of all tables that a message needs.
pub(super) fn check(tables: &Tables) -> Checked {
    has_paths(tables)?;
    tables.dns.check()?;
    tables.network.check()?;
    tables.auth.check()?;
    tables.message.check()?;
    tables.relay.check()?;
    tables.send.check()?;
    tables.lmtp.check()?;
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
        if self.servers.iter().any(|server| server.port() == 0) {
            return fault("dns", "servers", "no server answers on port 0", "use port 53, as in 127.0.0.1:53");
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

impl AuthTable {
    fn check(&self) -> Checked {
        let is_odd =
            |name: &&String| name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == ';');
        for (key, names) in [
            ("trusted_authserv_ids", &self.trusted_authserv_ids),
            ("received_by", &self.received_by),
            ("arc_sealers", &self.arc_sealers),
        ] {
            if let Some(odd) = names.iter().find(is_odd) {
                let what = format!("{odd:?} is more than a name, or none");
                return fault(
                    "auth",
                    key,
                    &what,
                    "write the name of the host or domain alone: mx.example.com",
                );
            }
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

impl SendTable {
    fn check(&self) -> Checked {
        if self.timeout == 0 {
            return fault("send", "timeout", "must be at least 1 second", "use 20, or remove the key");
        }
        Ok(())
    }
}

impl LmtpTable {
    fn check(&self) -> Checked {
        if self.threads == 0 || self.threads > 1024 {
            return fault("lmtp", "threads", "must be from 1 to 1024", "use 16, or remove the key");
        }
        let fix = "use at least 1, or remove the key";
        for (key, is_none) in [
            ("sessions", self.sessions == 0),
            ("sessions_per_client", self.sessions_per_client == 0),
            ("recipients", self.recipients == 0),
            ("command_time", self.command_time == 0),
            ("data_time", self.data_time == 0),
            ("session_time", self.session_time == 0),
        ] {
            if is_none {
                return fault("lmtp", key, "nobody could hand in a message", fix);
            }
        }
        if self.recipients > MOST_RECIPIENTS {
            let what = "a message is decided for each recipient before its client is answered";
            return fault("lmtp", "recipients", what, "use 10000 at most: clients send the others apart");
        }
        chaos_rules::check(self)?;
        let (what, fix) = ("a certificate needs its key, and a key its certificate", "set both");
        match (&self.certificate, &self.key) {
            (Some(_), None) => fault("lmtp", "certificate", what, fix),
            (None, Some(_)) => fault("lmtp", "key", what, fix),
            _ => Ok(()),
        }
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
