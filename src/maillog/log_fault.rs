//! What is wrong with a log, and the fix.
//!
//! Not here: finding it (`log_health`, `unread_form`, `powermta`). Invariant: there is always a
//! fix.

use crate::error::Error;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogFault {
    pub(crate) why: String,
    pub(crate) fix: String,
}

impl LogFault {
    pub(crate) fn new(why: impl ToString, fix: impl ToString) -> LogFault {
        LogFault { why: why.to_string(), fix: fix.to_string() }
    }
}

impl From<&Error> for LogFault {
    fn from(error: &Error) -> LogFault {
        let fix = error.remedy_text().unwrap_or("correct the path of [[logs]], or let carom read the file");
        LogFault::new(error.text(), fix)
    }
}
