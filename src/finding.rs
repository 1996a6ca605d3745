//! What a check found: the subject, what it is like, and the fix if something is wrong.
//!
//! Not here: the checks (`check`, `workshop::inspect`). Invariant: whatever is wrong comes with a
//! fix.

use crate::error::Error;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    /// `policy`, `store`, `dns`, …
    pub(crate) subject: String,
    pub(crate) found: String,
    /// `None` if all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
    /// It works, and the remedy would make it better.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) note: bool,
}

impl Finding {
    pub(crate) fn good(subject: &str, found: impl ToString) -> Finding {
        Finding { subject: subject.into(), found: found.to_string(), remedy: None, note: false }
    }

    pub(crate) fn wrong(subject: &str, found: impl ToString, remedy: impl ToString) -> Finding {
        let remedy = Some(remedy.to_string());
        Finding { subject: subject.into(), found: found.to_string(), remedy, note: false }
    }

    pub(crate) fn note(subject: &str, found: impl ToString, remedy: impl ToString) -> Finding {
        Finding { note: true, ..Finding::wrong(subject, found, remedy) }
    }

    pub(crate) fn error(subject: &str, error: &Error) -> Finding {
        Finding::wrong(subject, error.text(), error.remedy_text().unwrap_or("see the text of the error"))
    }

    pub(crate) fn is_wrong(&self) -> bool {
        self.remedy.is_some() && !self.note
    }
}
