//! New lines of the message log as they are written, for `carom log --follow`: each with what is
//! known about its message by then, as `carom log` would show it.
//!
//! Not here: the lines that are there already (`trail`). Invariant: a line that is still being
//! written is left until it is whole; a file is known by its inode, so that neither another name
//! nor a new day repeats a line.

use super::log_files;
use super::trail::trail;
use super::trail_filter::TrailFilter;
use super::trail_row::TrailRow;
use crate::config::Config;
use crate::error::{Context, Result};
use crate::files::daily::DayFile;
use crate::files::regular;
use crate::store::Store;
use std::collections::{HashMap, HashSet};
use std::os::unix::fs::{FileExt, MetadataExt};

/// Bytes that are read of one file at a time.
const PIECE: u64 = 4 << 20;
/// Deferred messages whose tries are counted.
const MOST: usize = 100_000;

pub(crate) struct Following {
    /// By inode.
    positions: HashMap<u64, u64>,
    /// How often a message was deferred, and when first.
    deferred: HashMap<String, (u32, String)>,
}

impl Following {
    /// From the ends that the files have now.
    pub(crate) fn begin(config: &Config) -> Result<Following> {
        let mut positions = HashMap::new();
        for DayFile { path, .. } in log_files::readable(config)? {
            if let Ok(found) = std::fs::metadata(&path) {
                positions.insert(found.ino(), found.len());
            }
        }
        Ok(Following { positions, deferred: HashMap::new() })
    }

    /// The tries that a row shows are counted from there.
    pub(crate) fn know(&mut self, row: &TrailRow) {
        let message = row.event.as_ref().and_then(|event| event.same_try());
        if let (Some(message), Some(deferred)) = (message, &row.deferred) {
            self.deferred.insert(message, deferred.clone());
        }
    }

    /// The lines since the last call.
    pub(crate) fn new_rows(&mut self, config: &Config, store: Option<&Store>) -> Result<Vec<TrailRow>> {
        let mut rows = Vec::new();
        for DayFile { path, .. } in log_files::readable(config)? {
            let Ok(file) = regular::open(&path) else { continue };
            let found = file.metadata().context(path.display())?;
            let position = self.positions.entry(found.ino()).or_insert(0);
            if found.len() < *position {
                *position = 0;
            }
            let size = found.len().saturating_sub(*position).min(PIECE);
            let mut piece = vec![0; usize::try_from(size).unwrap_or_default()];
            file.read_exact_at(&mut piece, *position).context(path.display())?;
            let whole = match memchr::memrchr(b'\n', &piece) {
                Some(end) => end + 1,
                None if size == PIECE => piece.len(),
                None => continue,
            };
            *position += whole as u64;
            let lines = piece[..whole].split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{"));
            rows.extend(lines.map(|line| TrailRow::alone(&String::from_utf8_lossy(line))));
        }
        rows.iter_mut().for_each(|row| self.count(row));
        rows.sort_by_key(|row| row.at_ms);
        know_now(&mut rows, config, store)?;
        Ok(rows)
    }

    fn count(&mut self, row: &mut TrailRow) {
        let Some(event) = row.event.as_ref().filter(|event| event.is_deferral()) else { return };
        let Some(message) = event.same_try() else { return };
        if self.deferred.len() >= MOST {
            self.deferred.clear();
        }
        let known = self.deferred.entry(message).or_insert((0, event.time.clone()));
        known.0 += 1;
        row.deferred = Some(known.clone());
    }
}

/// Adds what is known about the messages of lines now. A line about a message that was decided
/// before may stand for the decision, of which the log has no line if a kill came before it.
fn know_now(rows: &mut [TrailRow], config: &Config, store: Option<&Store>) -> Result<()> {
    let later = rows.iter().filter_map(|row| row.event.as_ref()).filter(|event| event.event.is_some());
    let messages: HashSet<String> =
        later.filter_map(|event| event.message()).filter(|key| !key.is_empty()).map(str::to_owned).collect();
    let told = match messages.is_empty() {
        true => Vec::new(),
        false => trail(config, store, &TrailFilter { messages, ..TrailFilter::default() })?.rows,
    };
    let mut told: HashMap<String, TrailRow> = told.into_iter().map(|row| (row.line.clone(), row)).collect();
    for row in rows {
        match told.remove(&row.line) {
            Some(told) => *row = told,
            // Why a store cannot be asked is said before its log is followed.
            None => store.into_iter().for_each(|store| drop(row.look_up(store))),
        }
    }
    Ok(())
}
