//! Errors and exit codes: what went wrong, in words an operator can act on, and what the mail
//! server is told.
//!
//! Not here: a policy's failure, which is a value (`policy::Failure`), and defects of a message,
//! which are listed by reading. Invariant: no other exit code than those of `Exit` ever leaves the
//! program under a mail server.

use std::fmt;

/// Exit status of the process, from sysexits, with the meaning Postfix pipe(8) and PowerMTA give
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// 0: what was promised is durable.
    Ok = 0,
    /// 1: a command for people failed. Never used by `pipe`, where Postfix would return the mail.
    Failure = 1,
    /// 65 (EX_DATAERR): the message cannot be read, and the policy says so for good.
    DataErr = 65,
    /// 67 (EX_NOUSER): no such recipient.
    NoUser = 67,
    /// 69 (EX_UNAVAILABLE): rejected by the policy.
    Unavailable = 69,
    /// 75 (EX_TEMPFAIL): try again later.
    TempFail = 75,
    /// 77 (EX_NOPERM): refused for want of authentication.
    NoPerm = 77,
}

/// What could not be done, why, and the fix.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    what: String,
    remedy: Option<String>,
}

/// The result of anything that can fail for a reason outside the program.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that says what went wrong: `"/etc/carom/carom.toml: permission denied"`.
    pub(crate) fn new(what: impl fmt::Display) -> Error {
        Error { what: what.to_string(), remedy: None }
    }

    /// Adds the fix: an imperative sentence without a period.
    pub(crate) fn remedy(mut self, remedy: impl fmt::Display) -> Error {
        self.remedy = Some(remedy.to_string());
        self
    }

    /// Puts in front what the error is about; the remedy stays.
    pub(crate) fn within(mut self, what: impl fmt::Display) -> Error {
        self.what = format!("{what}: {}", self.what);
        self
    }

    /// What went wrong, without the remedy.
    pub(crate) fn text(&self) -> &str {
        &self.what
    }

    /// How to mend it, if that is known.
    pub(crate) fn remedy_text(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// Says what was being done, or to what, in front of an error's own text.
pub(crate) trait Context<T> {
    /// `context` comes first: `read(path).context(path.display())` gives `"/x: permission denied"`.
    fn context(self, context: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, context: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Error::new(format_args!("{context}: {error}")))
    }
}
