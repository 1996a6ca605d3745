//! What is done with messages that are accepted without an effect, as `[unproven]` says.
//!
//! Not here: doing it (`crate::deliver`, `crate::archive`). Invariant: whatever is set, such a
//! message is kept if nothing else can be done with it.

use super::fault::ConfigFault;
use super::mail_server::{MailServer, is_address};
use super::tables::{UnprovenAction, UnprovenTable};

#[derive(Clone, Debug)]
pub(crate) struct UnprovenMail {
    pub(crate) table: UnprovenTable,
    /// `None` for the mail exchangers of the address.
    pub(crate) server: Option<MailServer>,
}

impl UnprovenMail {
    pub(super) fn read(table: UnprovenTable) -> Result<UnprovenMail, ConfigFault> {
        let fault = |key: &str, what: &str, fix: &str| Err(ConfigFault::new("unproven", key, what, fix));
        let fix = "set to = \"postmaster@example.com\", with your own address";
        match (&table.to, table.action) {
            (None, UnprovenAction::Forward) => return fault("to", "names no address to forward to", fix),
            (Some(to), _) if !is_address(to) => return fault("to", "is not an address", fix),
            _ => {}
        }
        if table.per_reason == 0 {
            let fix = "use at least 1: what is accepted without an effect is always kept or forwarded";
            return fault("per_reason", "nothing would be kept", fix);
        }
        let server = table.server.as_deref();
        let server = server.map(|server| MailServer::read("unproven", "server", server)).transpose()?;
        Ok(UnprovenMail { table, server })
    }

    /// Where messages are forwarded to.
    pub(crate) fn forwarded_to(&self) -> Option<&str> {
        self.table.to.as_deref().filter(|_| self.table.action == UnprovenAction::Forward)
    }

    pub(crate) fn may_refuse(&self) -> bool {
        self.table.action == UnprovenAction::Refuse
    }
}
