//! A mail server and an address that an operator names in the config.
//!
//! Not here: the keys that name them (`alerting`, `unproven_mail`).

use super::fault::ConfigFault;

/// A mail server that the operator has named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MailServer {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl MailServer {
    /// `host` or `host:port`, the value of `[table] key`.
    pub(super) fn read(table: &str, key: &str, text: &str) -> Result<MailServer, ConfigFault> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port.parse().ok()),
            _ => (text, Some(25)),
        };
        match port {
            Some(port) if !host.is_empty() && port > 0 => Ok(MailServer { host: host.to_owned(), port }),
            _ => {
                let fix = "use a host, or a host and a port: mail.example.com:25";
                Err(ConfigFault::new(table, key, "is not a mail server", fix))
            }
        }
    }
}

pub(super) fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once('@').filter(|(local, domain)| !local.is_empty() && !domain.is_empty());
    parts.is_some() && !text.contains(|c: char| c.is_control() || c.is_whitespace() || "<>".contains(c))
}
