//! The secrets that requests to a web server are signed with, and passwords of servers, as far as
//! this process can have them: a prompt has no credentials of systemd, and another user may not
//! read their files.
//!
//! Not here: where a secret is (`secret_source`), and signing (`webhook`). Invariant: a secret that
//! cannot be had stops who needs it, and nobody else.

use super::fault::ConfigFault;
use super::secret_source;
use crate::error::{Error, Result};
use crate::webhook::Secrets;

/// `None`: requests are not signed.
#[derive(Clone, Debug)]
pub(crate) struct RequestSecrets(Option<Result<Secrets>>);

impl RequestSecrets {
    /// Those of a `[[table]]`.
    pub(super) fn read(
        table: &str,
        number: usize,
        written: &[String],
    ) -> Result<RequestSecrets, ConfigFault> {
        let wrong = |error: Error| ConfigFault::error_of_element(table, number, "secrets", &error);
        secret_source::check(written).map_err(wrong)?;
        let read = match secret_source::all(written) {
            Ok(secrets) if secrets.is_empty() => return Ok(RequestSecrets(None)),
            Ok(secrets) => Ok(Secrets::new(&secrets).map_err(wrong)?),
            Err(error) => Err(error.within(format_args!("[[{table}]] secrets"))),
        };
        Ok(RequestSecrets(Some(read)))
    }

    /// Error: there are some, and this process cannot have them.
    pub(crate) fn get(&self) -> Result<Option<&Secrets>> {
        self.0.as_ref().map(Result::as_ref).transpose().map_err(Error::clone)
    }

    pub(crate) fn is_signing(&self) -> bool {
        self.0.is_some()
    }
}

/// The password of a server of a `[[table]]`, the same way.
#[derive(Clone, Debug)]
pub(crate) struct ServerPassword(Option<Result<String>>);

impl ServerPassword {
    pub(super) fn read(
        table: &str,
        number: usize,
        written: Option<&String>,
    ) -> Result<ServerPassword, ConfigFault> {
        let wrong = |error: Error| ConfigFault::error_of_element(table, number, "password", &error);
        let written = written.map(std::slice::from_ref).unwrap_or_default();
        secret_source::check(written).map_err(wrong)?;
        let read = secret_source::all(written).map(|all| all.into_iter().next());
        let read = read.map_err(|error| error.within(format_args!("[[{table}]] password")));
        Ok(ServerPassword(read.transpose()))
    }

    /// Error: there is one, and this process cannot have it.
    pub(crate) fn get(&self) -> Result<Option<&str>> {
        self.0.as_ref().map(|read| read.as_ref().map(String::as_str)).transpose().map_err(Error::clone)
    }
}
