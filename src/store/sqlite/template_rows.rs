//! URL templates of applications, as last looked up. Not here: looking them up (`crate::action`).

use super::connection::SharedConnection;
use crate::error::Result;
use crate::store::observed::TemplateLookup;
use rusqlite::{OptionalExtension, params};

pub(crate) fn template(shared: &SharedConnection, source: &str) -> Result<Option<TemplateLookup>> {
    shared.read(|db| {
        db.prepare_cached("SELECT template, etag, fresh_ms, note FROM templates WHERE source = ?1")?
            .query_row([source], |row| {
                Ok(TemplateLookup {
                    template: row.get(0)?,
                    etag: row.get(1)?,
                    fresh_ms: row.get(2)?,
                    note: row.get(3)?,
                })
            })
            .optional()
    })
}

pub(crate) fn put_template(shared: &SharedConnection, source: &str, lookup: &TemplateLookup) -> Result<()> {
    let (source, lookup) = (source.to_owned(), lookup.clone());
    shared.write(move |db| {
        db.prepare_cached(
            "INSERT OR REPLACE INTO templates (source, template, etag, fresh_ms, note)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![source, lookup.template, lookup.etag, lookup.fresh_ms, lookup.note])?;
        Ok(())
    })
}
