//! Rows of an older file, under the one spelling of their sender domain; automatic replies, under a
//! digest of their sender.
//!
//! Not here: the spelling (`mailbox_syntax`). Invariant: a row goes on under its address as long as
//! it did; hosts that share hear of it as of any change.

use crate::digest;
use crate::mailbox_syntax::normal_domain;
use rusqlite::{Connection, params};

/// Tables with sender domains, and what is one row of an address and a sender domain.
const TABLES: [(&str, &str); 3] = [
    ("suppressions", ""),
    ("earlier_suppressions", " AND there.source = old.source AND there.key = old.key"),
    ("strikes", " AND there.key = old.key"),
];

/// Of two entries of an address, the one that ends first makes way.
const ENDS_FIRST: &str = "DELETE FROM suppressions WHERE sender_domain = ?1 AND EXISTS (SELECT 1
    FROM suppressions AS old WHERE old.address = suppressions.address AND old.sender_domain = ?2
    AND suppressions.expires_ms < coalesce(old.expires_ms, 9e18))";

pub(super) fn make_one(db: &Connection) -> rusqlite::Result<()> {
    for (table, same) in TABLES {
        for other in other_spellings(db, table)? {
            let domain = normal_domain(&other);
            if table == "suppressions" {
                db.execute(ENDS_FIRST, params![domain, other])?;
            }
            let columns = columns(db, table)?;
            let values = columns.replace("sender_domain", "?1");
            let add = format!(
                "INSERT INTO {table} ({columns}) SELECT {values} FROM {table} AS old WHERE sender_domain = ?2
                 AND NOT EXISTS (SELECT 1 FROM {table} AS there
                 WHERE there.address = old.address AND there.sender_domain = ?1{same})"
            );
            db.execute(&add, params![domain, other])?;
            db.execute(&format!("DELETE FROM {table} WHERE sender_domain = ?1"), [other])?;
        }
    }
    Ok(())
}

fn other_spellings(db: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let select = format!("SELECT DISTINCT sender_domain FROM {table} WHERE sender_domain GLOB '*[^ -~]*'");
    let mut select = db.prepare(&select)?;
    let domains: Vec<String> = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(domains.into_iter().filter(|domain| *domain != normal_domain(domain)).collect())
}

fn columns(db: &Connection, table: &str) -> rusqlite::Result<String> {
    let select = "SELECT group_concat(name, ', ') FROM pragma_table_info(?1)";
    db.query_row(select, [table], |row| row.get(0))
}

/// In an older file, ids of automatic replies are the addresses of senders. They become digests, as
/// `action/auto_reply` makes them.
pub(super) fn digest_senders(db: &Connection) -> rusqlite::Result<()> {
    const OF_SENDER: &str = "event = 'auto-reply' AND id = ?1";
    let mut select = db.prepare("SELECT id FROM reported WHERE event = 'auto-reply' AND id LIKE '%@%'")?;
    let senders = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    for sender in senders {
        let put = format!(
            "INSERT OR IGNORE INTO reported (event, id, address, key, until_ms)
             SELECT event, ?2, address, key, until_ms FROM reported WHERE {OF_SENDER}"
        );
        db.execute(&put, [&sender, &digest::sha256_hex(&[sender.as_bytes()], 32)])?;
        db.execute(&format!("DELETE FROM reported WHERE {OF_SENDER}"), [&sender])?;
    }
    Ok(())
}
