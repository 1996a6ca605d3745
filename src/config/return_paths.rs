//! Signed return paths as configured in `[verp]`: keys, form and age.
//!
//! Not here: how they are signed (`return_path`). Invariant: without a key nothing is ours.

use super::fault::ConfigFault;
use super::tables::VerpTable;
use crate::error::{Error, Result};
use crate::return_path::{self, Keys, PathForm, Refused, Tagged, Verified};

#[derive(Clone, Debug)]
pub(crate) struct ReturnPaths {
    /// `None` if no keys are configured.
    signing: Option<(Keys, PathForm)>,
    /// Days that a signature is valid.
    pub(crate) max_age: u32,
}

impl ReturnPaths {
    pub(super) fn read(table: &VerpTable) -> Result<ReturnPaths, ConfigFault> {
        let wrong = |key: &'static str| move |error: Error| ConfigFault::error("verp", key, &error);
        PathForm::check_prefix(&table.prefix).map_err(wrong("prefix"))?;
        if table.keys.is_empty() {
            return Ok(ReturnPaths { signing: None, max_age: table.max_age });
        }
        let keys = Keys::new(&table.keys).map_err(wrong("keys"))?;
        let form = PathForm::new(&table.prefix, &table.domain).map_err(wrong("domain"))?;
        Ok(ReturnPaths { signing: Some((keys, form)), max_age: table.max_age })
    }

    /// The return path of a message to `recipient`, signed on `today` (days since 1970).
    pub(crate) fn sign(&self, recipient: &str, today: i64) -> Result<String> {
        let (keys, form) = self.signing.as_ref().ok_or_else(ReturnPaths::no_keys)?;
        return_path::sign(keys, form, recipient, today)
    }

    pub(crate) fn verify(&self, address: &str, today: i64) -> Result<Verified, Refused> {
        let (keys, form) = self.signing.as_ref().ok_or(Refused::NotOurs)?;
        return_path::verify(keys, form, address, today, self.max_age)
    }

    /// The same for the tag of a milter that signs with one of our keys.
    pub(crate) fn verify_batv(&self, address: &str, today: i64) -> Result<Tagged, Refused> {
        let (keys, _) = self.signing.as_ref().ok_or(Refused::NotOurs)?;
        return_path::verify_batv(keys, address, today, self.max_age)
    }

    pub(crate) fn has_keys(&self) -> bool {
        self.signing.is_some()
    }

    pub(crate) fn no_keys() -> Error {
        Error::new("[verp] keys: there is no key to sign return paths with")
            .remedy("make one with: openssl rand -base64 32")
    }
}
