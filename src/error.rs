//! Errors that an operator can act on, and the exit codes that the mail server reads.
//!
//! Not here: a policy's failure, which is a value (`policy::Failure`), and defects of a message,
//! which the reader of the message lists. Invariant: under a mail server, the program exits only
//! with a code of `Exit`.

use std::fmt;
use std::path::{Path, PathBuf};

/// Exit status of the process: codes of sysexits, as Postfix pipe(8) and PowerMTA read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// 0: what was promised is durable.
    Ok = 0,
    /// 1: a command for people failed. Never used by `pipe`, where Postfix would return the mail.
    Failure = 1,
    /// 65 (EX_DATAERR): the policy rejects the message because of its content.
    DataErr = 65,
    /// 67 (EX_NOUSER): no such recipient.
    NoUser = 67,
    /// 69 (EX_UNAVAILABLE): rejected by the policy.
    Unavailable = 69,
    /// 75 (EX_TEMPFAIL): try again later. Of a command for people: its answer is not known.
    TempFail = 75,
    /// 77 (EX_NOPERM): rejected because authentication is required.
    NoPerm = 77,
}

/// An error: what failed, why, and the fix if there is one.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    what: String,
    remedy: Option<String>,
    place: Option<FilePlace>,
    is_lasting: bool,
}

/// A line of a file, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilePlace {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
}

/// The result of work that can fail for a reason outside the program.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that says what went wrong: `"/etc/carom/carom.toml: permission denied"`.
    pub(crate) fn new(what: impl fmt::Display) -> Error {
        Error { what: what.to_string(), remedy: None, place: None, is_lasting: false }
    }

    /// Adds the fix: an imperative sentence without a period.
    pub(crate) fn remedy(mut self, remedy: impl fmt::Display) -> Error {
        self.remedy = Some(remedy.to_string());
        self
    }

    /// Names the line that it is about, for those who do not read the text.
    pub(crate) fn at(mut self, file: &Path, line: usize) -> Error {
        self.place = Some(FilePlace { file: file.to_owned(), line });
        self
    }

    /// Says that waiting does not help: another try fails as well.
    pub(crate) fn lasting(mut self) -> Error {
        self.is_lasting = true;
        self
    }

    /// Prefixes what the error is about; keeps the remedy.
    pub(crate) fn within(mut self, what: impl fmt::Display) -> Error {
        self.what = format!("{what}: {}", self.what);
        self
    }

    /// What went wrong, without the remedy.
    pub(crate) fn text(&self) -> &str {
        &self.what
    }

    pub(crate) fn place(&self) -> Option<&FilePlace> {
        self.place.as_ref()
    }

    pub(crate) fn is_lasting(&self) -> bool {
        self.is_lasting
    }

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

/// Prefixes an error's own text with the operation, or with its object.
pub(crate) trait Context<T> {
    /// `context` comes first: `read(path).context(path.display())` gives `"/x: permission denied"`.
    fn context(self, context: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, context: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Error::new(format_args!("{context}: {error}")))
    }
}
