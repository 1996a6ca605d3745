//! What the store knows about an address goes: rows that are about it, and its name in the rest.
//!
//! Not here: other places that know it (`crate::erase`). Invariant: what is to be done still stays
//! as it is; what is removed is overwritten in the file and in its log.

use super::connection::SharedConnection;
use super::free_pages;
use super::report_rows;
use crate::error::Result;
use crate::named_address::NamedAddress;
use crate::store::erasure::{StoreErasure, ToErase};
use rusqlite::{Connection, params};

/// Columns that quote addresses: table, key, column, and which rows.
const QUOTING: [(&str, &str, &str, &str); 11] = [
    ("journal", "key", "envelope", "state = 'finished'"),
    ("journal", "key", "plan", "state = 'finished'"),
    ("steps", "key || ' ' || step", "note", "note <> ''"),
    ("unmatched_complaints", "id", "found_by", "found_by <> ''"),
    ("suppressions", "address || ' ' || sender_domain", "reason", "reason <> ''"),
    ("earlier_suppressions", "address || ' ' || source || ' ' || key", "reason", "reason <> ''"),
    ("audit", "CAST(id AS TEXT)", "what", "what <> ''"),
    ("audit", "CAST(id AS TEXT)", "before", "before <> ''"),
    ("audit", "CAST(id AS TEXT)", "after", "after <> ''"),
    ("suppression_changes", "CAST(number AS TEXT)", "entry", "entry <> ''"),
    ("noted_lines", "CAST(batch AS TEXT)", "lines", "lines <> ''"),
];

/// Where the rows of a table are counted.
type Counted = fn(&mut StoreErasure) -> &mut usize;

/// Rows that are about one address.
const ABOUT: [(&str, Counted); 3] = [
    ("suppressions", |erased| &mut erased.suppressions),
    ("earlier_suppressions", |erased| &mut erased.suppressions),
    ("strikes", |erased| &mut erased.soft_bounces),
];

/// A text that quotes the address, and where it is.
struct Quote {
    place: usize,
    key: String,
    blanked: String,
}

/// All that the store knows about an address.
struct Traces {
    quotes: Vec<Quote>,
    differences: Vec<i64>,
    counted: StoreErasure,
}

fn traces(shared: &SharedConnection, what: &ToErase<'_>) -> Result<Traces> {
    let ((quotes, cut), differences) = (quotes(shared, what.named)?, differences(shared, what.named)?);
    let mut counted = StoreErasure {
        pending: pending(shared, what.named)?,
        messages: messages(&quotes),
        differences: differences.len(),
        cut,
        ..StoreErasure::default()
    };
    for (table, count) in tables(what) {
        let sql = format!("SELECT count(*) FROM {table} WHERE address = ?1");
        let many: i64 = shared.read(|db| db.query_row(&sql, [what.address], |row| row.get(0)))?;
        *count(&mut counted) += many as usize;
    }
    Ok(Traces { quotes, differences, counted })
}

/// What the store has; nothing is changed.
pub(crate) fn find(shared: &SharedConnection, what: &ToErase<'_>) -> Result<StoreErasure> {
    Ok(traces(shared, what)?.counted)
}

/// Removes it. How many rows there were is in the answer.
pub(crate) fn erase(shared: &SharedConnection, what: &ToErase<'_>) -> Result<StoreErasure> {
    let Traces { quotes, differences, counted } = traces(shared, what)?;
    let (address, tables) = (what.address.to_owned(), tables(what));
    shared.write(move |db| {
        for (table, _) in &tables {
            db.execute(&format!("DELETE FROM {table} WHERE address = ?1"), [&address])?;
        }
        report_rows::forget_address(db, &address)?;
        db.execute("DELETE FROM new_soft WHERE address = ?1", [&address])?;
        db.execute(
            "UPDATE steps SET address = NULL WHERE address = ?1
             AND key IN (SELECT key FROM journal WHERE state = 'finished')",
            [&address],
        )?;
        differences
            .iter()
            .try_for_each(|id| db.execute("DELETE FROM differences WHERE id = ?1", [id]).map(drop))?;
        blank(db, &quotes)
    })?;
    shared.read(free_pages::overwrite)?;
    Ok(counted)
}

fn tables(what: &ToErase<'_>) -> Vec<(&'static str, Counted)> {
    let is_kept = |table: &str| what.keeps_suppressions && table != "strikes";
    ABOUT.into_iter().filter(|(table, _)| !is_kept(table)).collect()
}

/// Finished messages that name the address, each once however many columns do.
fn messages(quotes: &[Quote]) -> usize {
    let is_message = |quote: &&Quote| matches!(QUOTING[quote.place].0, "journal" | "steps");
    let messages = quotes.iter().filter(is_message);
    let mut keys: Vec<&str> = messages.filter_map(|quote| quote.key.split(' ').next()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.len()
}

/// Messages with work that is to be done, which name the address.
fn pending(shared: &SharedConnection, named: &NamedAddress) -> Result<Vec<String>> {
    let select = "SELECT key, coalesce(envelope, '') || char(10) || coalesce(plan, '') FROM journal WHERE state <> 'finished'";
    shared.read(|db| {
        let mut select = db.prepare(select)?;
        let mut rows = select.query([])?;
        let mut pending = Vec::new();
        while let Some(row) = rows.next()? {
            if named.is_in(row.get_ref(1)?.as_bytes()?) {
                pending.push(row.get(0)?);
            }
        }
        Ok(pending)
    })
}

/// And how many return paths there are that were cut, and may name the address.
fn quotes(shared: &SharedConnection, named: &NamedAddress) -> Result<(Vec<Quote>, usize)> {
    let (mut quotes, mut cut) = (Vec::new(), 0);
    for (place, (table, key, column, rows)) in QUOTING.into_iter().enumerate() {
        let sql = format!("SELECT {key}, {column} FROM {table} WHERE {rows} AND {column} IS NOT NULL");
        shared.read(|db| {
            // Changes of the list are noted only while events tell them.
            if !db.table_exists(None, table)? {
                return Ok(());
            }
            let mut select = db.prepare(&sql)?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                let text = row.get_ref(1)?.as_str()?;
                cut += named.cut_places(text.as_bytes()).len();
                if let Some(blanked) = named.blanked(text) {
                    quotes.push(Quote { place, key: row.get(0)?, blanked });
                }
            }
            Ok(())
        })?;
    }
    Ok((quotes, cut))
}

fn blank(db: &Connection, quotes: &[Quote]) -> rusqlite::Result<()> {
    for Quote { place, key, blanked } in quotes {
        let (table, of, column, rows) = QUOTING[*place];
        let put = match table {
            // An index finds the key.
            "steps" => format!(
                "UPDATE steps SET {column} = ?2 WHERE key = substr(?1, 1, instr(?1, ' ') - 1) AND {of} = ?1"
            ),
            _ => format!("UPDATE {table} SET {column} = ?2 WHERE {of} = ?1 AND {rows}"),
        };
        db.prepare_cached(&put)?.execute(params![key, blanked])?;
    }
    Ok(())
}

/// Recorded differences between policies that name the address.
fn differences(shared: &SharedConnection, named: &NamedAddress) -> Result<Vec<i64>> {
    shared.read(|db| {
        let mut select = db.prepare("SELECT id, envelope, plan, other_plan FROM differences")?;
        let mut rows = select.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let mut names = false;
            for column in 1..4 {
                names |= named.is_in(row.get_ref(column)?.as_bytes()?);
            }
            if names {
                found.push(row.get(0)?);
            }
        }
        Ok(found)
    })
}
