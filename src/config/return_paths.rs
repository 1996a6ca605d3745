//! Signed return paths and tokens as configured in `[verp]`: keys, form, age and header field.
//!
//! Not here: how they are signed (`return_path`). Invariants: without a key nothing is ours; keys
//! that this process cannot have stop who handles mail, before anything is verified.

use super::fault::ConfigFault;
use super::tables::VerpTable;
use super::{handed_domains, secret_source};
use crate::digest::random_token;
use crate::error::{Error, Result};
use crate::return_path::{self, Keys, PathForm, Refused, Tagged, Verified};

#[derive(Clone, Debug)]
pub(crate) struct ReturnPaths {
    /// `None` if no keys are configured.
    signing: Option<Signing>,
    /// The domain that is set although there are no keys.
    domain_alone: Option<String>,
    /// Days that a signature is valid.
    pub(crate) max_age: u32,
    /// The header field for a token.
    pub(crate) header: String,
}

#[derive(Clone, Debug)]
struct Signing {
    /// Error: this process cannot have them.
    keys: Result<Keys>,
    form: PathForm,
    /// Of return paths that are still under way: verified, and no longer signed.
    earlier: Vec<PathForm>,
}

impl Signing {
    fn forms(&self) -> impl Iterator<Item = &PathForm> {
        std::iter::once(&self.form).chain(&self.earlier)
    }
}

impl ReturnPaths {
    pub(super) fn read(table: &VerpTable) -> Result<ReturnPaths, ConfigFault> {
        let wrong = |key: &'static str| move |error: Error| ConfigFault::error("verp", key, &error);
        PathForm::check_prefix(&table.prefix).map_err(wrong("prefix"))?;
        check_field_name(&table.header).map_err(wrong("header"))?;
        let earlier = table.earlier.iter().map(|form| earlier_form(form)).collect::<Result<_>>();
        let earlier = earlier.map_err(wrong("earlier"))?;
        let (max_age, header) = (table.max_age, table.header.clone());
        if table.keys.is_empty() {
            let domain_alone = Some(table.domain.clone()).filter(|domain| !domain.is_empty());
            return Ok(ReturnPaths { signing: None, domain_alone, max_age, header });
        }
        secret_source::check(&table.keys).map_err(wrong("keys"))?;
        let keys = match secret_source::all(&table.keys) {
            Ok(keys) => Ok(Keys::new(&keys).map_err(wrong("keys"))?),
            Err(error) => Err(error.within("[verp] keys")),
        };
        let form = PathForm::new(&table.prefix, &table.domain).map_err(|error| {
            let meant = handed_domains::meant(&table.domain).map(|meant| format!("write {meant:?}"));
            wrong("domain")(meant.into_iter().fold(error, Error::remedy))
        })?;
        Ok(ReturnPaths {
            signing: Some(Signing { keys, form, earlier }),
            domain_alone: None,
            max_age,
            header,
        })
    }

    fn forms(&self) -> impl Iterator<Item = &PathForm> {
        self.signing.iter().flat_map(Signing::forms)
    }

    /// Error: there are keys, and this process cannot have them.
    pub(crate) fn require_keys(&self) -> Result<()> {
        self.signing.as_ref().map_or(Ok(()), |signing| signing.keys.as_ref().map(drop).map_err(Error::clone))
    }

    fn signing(&self) -> Result<(&Keys, &PathForm)> {
        let signing = self.signing.as_ref().ok_or_else(ReturnPaths::no_keys)?;
        Ok((signing.keys.as_ref().map_err(Error::clone)?, &signing.form))
    }

    /// The return path of a message to `recipient`, signed on `today` (days since 1970).
    pub(crate) fn sign(&self, recipient: &str, today: i64) -> Result<String> {
        let (keys, form) = self.signing()?;
        return_path::sign(keys, form, recipient, today)
    }

    /// Return paths in `domain`, one of each form, signed with a key that nobody has: they are ours
    /// in form only.
    pub(crate) fn samples(&self, domain: &str, recipient: &str, today: i64) -> Vec<String> {
        let Ok(nobodys) = Keys::new(&[random_token(Keys::MIN_OCTETS)]) else { return Vec::new() };
        let forms = self.forms().filter(|form| form.is_domain(domain));
        forms.filter_map(|form| return_path::sign(&nobodys, form, recipient, today).ok()).collect()
    }

    pub(crate) fn verify(&self, address: &str, today: i64) -> Result<Verified, Refused> {
        let (keys, _) = self.signing().map_err(|_| Refused::NotOurs)?;
        let mut refused = Refused::NotOurs;
        for form in self.forms() {
            match return_path::verify(keys, form, address, today, self.max_age) {
                Ok(verified) => return Ok(verified),
                Err(Refused::NotOurs) => {}
                Err(why) => refused = why,
            }
        }
        Err(refused)
    }

    /// The token for the header of a message to `recipient`.
    pub(crate) fn sign_token(&self, recipient: &str, today: i64) -> Result<String> {
        let (keys, _) = self.signing()?;
        return_path::sign_token(keys, recipient, today)
    }

    pub(crate) fn verify_token(&self, token: &str, today: i64) -> Result<Verified, Refused> {
        let (keys, _) = self.signing().map_err(|_| Refused::NotOurs)?;
        return_path::verify_token(keys, token, today, self.max_age)
    }

    /// Whether an address has the form of our return paths, whoever has signed it and when.
    pub(crate) fn is_signed(&self, address: &str) -> bool {
        self.forms().any(|form| form.is_path(address))
    }

    /// Whether this is a domain of our return paths, now or earlier.
    pub(crate) fn is_domain(&self, domain: &str) -> bool {
        self.forms().any(|form| form.is_domain(domain))
    }

    /// The domains of our return paths, the one that is signed for first.
    pub(crate) fn domains(&self) -> impl Iterator<Item = &str> {
        self.forms().map(PathForm::domain)
    }

    /// The prefix and the domain of our return paths, now and earlier.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.forms().map(|form| (form.prefix(), form.domain()))
    }

    /// The domain that return paths are signed for.
    pub(crate) fn domain(&self) -> Option<&str> {
        self.signing.as_ref().map(|signing| signing.form.domain())
    }

    /// The same for the tag of a milter that signs with one of our keys.
    pub(crate) fn verify_batv(&self, address: &str, today: i64) -> Result<Tagged, Refused> {
        let (keys, _) = self.signing().map_err(|_| Refused::NotOurs)?;
        return_path::verify_batv(keys, address, today, self.max_age)
    }

    /// A domain in the config that nothing is signed for.
    pub(crate) fn domain_without_keys(&self) -> Option<&str> {
        self.domain_alone.as_deref()
    }

    pub(crate) fn has_keys(&self) -> bool {
        self.signing.is_some()
    }

    pub(crate) fn no_keys() -> Error {
        Error::new("[verp] keys: there is no key to sign return paths with")
            .remedy("make one with: carom secret new")
    }
}

/// `b+@bounces.example.com`: a prefix and a domain that return paths had.
fn earlier_form(written: &str) -> Result<PathForm> {
    let (prefix, domain) = written.rsplit_once('@').ok_or_else(|| {
        Error::new(format_args!("{written:?} is not PREFIX@DOMAIN"))
            .remedy("write the prefix and the domain that they had, like \"b+@bounces.example.com\"")
    })?;
    PathForm::new(prefix, domain)
}

/// A name of a header field (RFC 5322 section 3.6.8).
pub(super) fn check_field_name(name: &str) -> Result<()> {
    let is_valid = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    if is_valid && name.len() < 70 {
        return Ok(());
    }
    Err(Error::new(format_args!("{name:?} is not the name of a header field"))
        .remedy("use letters, digits and hyphens, like CFBL-Feedback-ID"))
}
