//! Webhooks as data: the URL, the body, and the signature of a request that notifies an
//! application.
//!
//! Not here: sending it (`action::doors`), and when to try again (`action::doors::retry_time`).

/// How the fields of a notification are written.
mod body;
/// Standard Webhooks: secrets and signatures.
mod signature;
/// The URL, with variables to fill in.
mod url_template;

pub(crate) use body::BodyForm;
pub(crate) use signature::{Secrets, id};
pub(crate) use url_template::{UrlTemplate, encoded, shown};
