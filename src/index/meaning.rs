//! What replies mean. Each meaning is stored once: there are hundreds of them, and millions of
//! deliveries.
//!
//! Not here: the policy that decides. Invariant: a meaning keeps its number, which is negative if
//! no rule knew the reply.

use super::Index;
use super::filter::Filter;
use crate::class::{About, Class, Severity};
use crate::error::Result;
use rusqlite::{Connection, OptionalExtension, Row, params};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// The numbers that were needed so far.
#[derive(Default)]
pub(crate) struct Meanings(FxHashMap<Class, i64>);

impl Meanings {
    pub(crate) fn number(&mut self, db: &Connection, class: &Class) -> rusqlite::Result<i64> {
        if let Some(number) = self.0.get(class) {
            return Ok(*number);
        }
        let Class { reason, category, rule, .. } = class;
        let (severity, about) = (severity_name(class.severity), class.about.name());
        let known = "SELECT id FROM meanings
            WHERE reason = ?1 AND category = ?2 AND severity = ?3 AND rule = ?4 AND about = ?5";
        let values = params![reason, category, severity, rule, about];
        let number = match db.query_row(known, values, |row| row.get(0)).optional()? {
            Some(number) => number,
            None => {
                let next = "SELECT coalesce(max(abs(id)), 0) + 1 FROM meanings";
                let next: i64 = db.query_row(next, [], |row| row.get(0))?;
                let number = if rule.is_empty() { -next } else { next };
                let put = "INSERT INTO meanings (reason, category, severity, rule, about, id)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                db.execute(put, params![reason, category, severity, rule, about, number])?;
                number
            }
        };
        self.0.insert(class.clone(), number);
        Ok(number)
    }
}

/// Meanings of one reason that are looked up one by one.
const MOST: usize = 100;

impl Index {
    /// The filter with the numbers of the meanings of its reason, if they pick least. No number is
    /// 0.
    pub(super) fn with_meanings(&self, filter: &Filter) -> Result<Filter> {
        let picks_less = filter.picks_few() || filter.client.is_some() || !filter.seen.is_all();
        // The latest of a recipient may have another reason.
        let is_usable = !picks_less && !filter.latest;
        let Some(reason) = filter.reason.as_ref().filter(|_| is_usable) else { return Ok(filter.clone()) };
        let found: rusqlite::Result<Vec<i64>> = (|| {
            let sql = "SELECT id FROM meanings WHERE reason = ?1 COLLATE NOCASE";
            self.connection.prepare_cached(sql)?.query_map([reason], |row| row.get(0))?.collect()
        })();
        let mut found = self.checked(found)?;
        if found.is_empty() {
            found.push(0);
        }
        Ok(Filter { meanings: Some(found).filter(|found| found.len() <= MOST), ..filter.clone() })
    }

    /// Whether a reason is hard, and whether it is soft, in what was logged so far: both where that
    /// depends on the reply.
    pub(crate) fn severities(&self) -> Result<BTreeMap<String, (bool, bool)>> {
        let gathered = (|| {
            let mut select = self.connection.prepare_cached(
                "SELECT reason, max(severity = 'hard'), max(severity = 'soft') FROM meanings GROUP BY reason",
            )?;
            let row = |row: &Row<'_>| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)));
            select.query_map([], row)?.collect()
        })();
        self.checked(gathered)
    }
}

/// Completes the meanings of an earlier release: what they are about follows from the reason, as it
/// does for a policy that does not say it.
pub(crate) fn complete(db: &Connection) -> rusqlite::Result<()> {
    let mut select = db.prepare("SELECT id, reason, severity FROM meanings WHERE about = ''")?;
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let rows: Vec<(i64, String, String)> = select.query_map([], row)?.collect::<rusqlite::Result<_>>()?;
    for (id, reason, severity) in rows {
        let about = About::usual(&reason, severity_of(&severity)).name();
        db.execute("UPDATE meanings SET about = ?2 WHERE id = ?1", params![id, about])?;
    }
    Ok(())
}

/// A class from the columns reason, category, severity, rule and about.
pub(crate) fn class(row: &Row<'_>) -> rusqlite::Result<Class> {
    let (reason, severity, about): (String, String, String) = (row.get(0)?, row.get(2)?, row.get(4)?);
    let severity = severity_of(&severity);
    Ok(Class {
        about: About::named(&about).unwrap_or_else(|| About::usual(&reason, severity)),
        reason,
        category: row.get(1)?,
        severity,
        rule: row.get(3)?,
        evidence: String::new(),
    })
}

pub(crate) fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Hard => "hard",
        Severity::Soft => "soft",
        Severity::None => "none",
        Severity::Unknown => "unknown",
    }
}

fn severity_of(word: &str) -> Severity {
    match word {
        "hard" => Severity::Hard,
        "soft" => Severity::Soft,
        "none" => Severity::None,
        _ => Severity::Unknown,
    }
}
