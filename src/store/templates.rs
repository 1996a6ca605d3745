//! URL templates of applications, as they were last looked up.
//!
//! Not here: looking them up (`action`).

use super::Store;
use crate::error::Result;
use rusqlite::{OptionalExtension, params};

/// What a look-up came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Looked {
    /// The template; `None`: there was none so far.
    pub(crate) template: Option<String>,
    /// What the server calls this state of the document.
    pub(crate) etag: Option<String>,
    /// It need not, or is not to, be looked up anew before this time, in milliseconds since 1970.
    pub(crate) fresh_ms: i64,
    /// What went wrong the last time; empty: nothing.
    pub(crate) note: String,
}

impl Store {
    /// What the last look-up at a source came to.
    pub(crate) fn looked_up(&self, source: &str) -> Result<Option<Looked>> {
        self.shared.read(|db| {
            db.prepare_cached("SELECT template, etag, fresh_ms, note FROM templates WHERE source = ?1")?
                .query_row([source], |row| {
                    Ok(Looked {
                        template: row.get(0)?,
                        etag: row.get(1)?,
                        fresh_ms: row.get(2)?,
                        note: row.get(3)?,
                    })
                })
                .optional()
        })
    }

    /// Remembers what a look-up came to.
    pub(crate) fn look_up(&self, source: &str, looked: &Looked) -> Result<()> {
        let (source, looked) = (source.to_owned(), looked.clone());
        self.shared.write(move |db| {
            db.prepare_cached("INSERT OR REPLACE INTO templates VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![source, looked.template, looked.etag, looked.fresh_ms, looked.note])?;
            Ok(())
        })
    }
}
