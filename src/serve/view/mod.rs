//! What a caller may see: the only way from a request to the files.
//!
//! The files are private here, so a question about mail passes through one of these functions, and
//! each of them asks for the caller's mail only. Whoever sees all mail gets the files themselves
//! (`View::whole`). Not here: how answers look. Invariant: nothing of mail that the caller may not
//! see comes out, not even as a number.

mod readers;
mod seen_deliveries;
mod seen_entries;
mod seen_figures;
mod seen_lines;

pub(crate) use readers::{OpenFiles, Readers};
pub(crate) use seen_deliveries::{NewestAsked, PageAsked};
pub(crate) use seen_lines::{RawLine, RawLines, SeenMessage};

use super::problem::Problem;
use crate::index::{Index, Seen};
use crate::store::Store;
use axum::http::StatusCode;

pub(crate) struct View<'a> {
    files: &'a OpenFiles,
    seen: &'a Seen,
}

/// The files, for whoever sees all mail. `None`: there is no such file yet.
#[derive(Clone, Copy)]
pub(crate) struct Whole<'a> {
    pub(crate) index: Option<&'a Index>,
    pub(crate) store: Option<&'a Store>,
}

impl<'a> View<'a> {
    pub(super) fn new(files: &'a OpenFiles, seen: &'a Seen) -> View<'a> {
        View { files, seen }
    }

    /// Whether all mail may be seen.
    pub(crate) fn is_whole(&self) -> bool {
        self.seen.is_all()
    }

    /// All that there is.
    pub(crate) fn whole(&self) -> Result<Whole<'a>, Problem> {
        match self.is_whole() {
            true => Ok(Whole { index: self.files.index.as_ref(), store: self.files.store.as_ref() }),
            false => {
                let fix = "use a token with the scope read";
                let detail = "this is about all mail, and the token shows that of a customer";
                Err(Problem::new(StatusCode::FORBIDDEN, "not-your-mail", detail, fix))
            }
        }
    }
}
