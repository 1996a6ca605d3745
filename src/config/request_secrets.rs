//! The secrets that requests to a web server are signed with, as far as this process can have them:
//! a prompt has no credentials of systemd, and another user may not read their files.
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
