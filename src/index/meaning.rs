//! What replies mean. Each meaning is stored once: there are hundreds of them, and millions of
//! deliveries.
//!
//! Not here: the policy that decides. Invariant: a meaning keeps its number, which is negative if
//! no rule knew the reply.

use crate::class::{About, Class, Severity};
use rusqlite::{Connection, OptionalExtension, Row, params};
use rustc_hash::FxHashMap;

/// The numbers that were needed so far.
#[derive(Default)]
pub(crate) struct Meanings(FxHashMap<Class, i64>);

impl Meanings {
    pub(crate) fn number(&mut self, db: &Connection, class: &Class) -> rusqlite::Result<i64> {
        if let Some(number) = self.0.get(class) {
            return Ok(*number);
        }
        let severity = severity_name(class.severity);
        let values = params![class.reason, class.category, severity, class.rule, about_name(class)];
        let known = "SELECT id FROM meanings
            WHERE reason = ?1 AND category = ?2 AND severity = ?3 AND rule = ?4 AND about = ?5";
        let number = match db.query_row(known, values, |row| row.get(0)).optional()? {
            Some(number) => number,
            None => {
                let next = "SELECT coalesce(max(abs(id)), 0) + 1 FROM meanings";
                let next: i64 = db.query_row(next, [], |row| row.get(0))?;
                let number = if class.rule.is_empty() { -next } else { next };
                let put = "INSERT INTO meanings (reason, category, severity, rule, about, id)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                let (reason, category, rule) = (&class.reason, &class.category, &class.rule);
                db.execute(put, params![reason, category, severity, rule, about_name(class), number])?;
                number
            }
        };
        self.0.insert(class.clone(), number);
        Ok(number)
    }
}

/// What a failure is about, as stored.
pub(crate) fn about_name(_class: &Class) -> &'static str {
    ""
}

/// A class from the columns reason, category, severity, rule and about.
pub(crate) fn class(row: &Row<'_>) -> rusqlite::Result<Class> {
    let severity: String = row.get(2)?;
    let (reason, severity) = (row.get::<_, String>(0)?, severity_of(&severity));
    Ok(Class {
        about: About::usual(&reason, severity),
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
