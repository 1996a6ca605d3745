//! What carom writes for others, and what that must not replace: carom's own files, what it reads,
//! and another output.
//!
//! Not here: the writing (`cycle`, `stats`, `suppress`). Invariant: paths are compared as the file
//! system resolves them, so that no link hides what would be replaced.

use super::{Config, CycleTable, EventSink, ExportTable, SinkPlace};
use crate::error::{Error, Result};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Directories of the state directory that are carom's alone.
const OWN_DIRECTORIES: [&str; 9] =
    ["compiled", "done", "event-queue", "kept", "policies", "running", "unanswered", "unproven", "unsettled"];
/// What SQLite has beside a database.
const OF_DATABASE: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// A file, or a directory of files, that a key of the config asks for.
pub(crate) struct WantedOutput {
    /// From the top: `["cycle", "0", "file"]`.
    pub(crate) key: Vec<String>,
    pub(crate) path: PathBuf,
}

impl Config {
    /// The files that cycles and `[export]` ask for, as far as their tables can be read.
    pub(crate) fn wanted_files(&self) -> Vec<WantedOutput> {
        let mut wanted = Vec::new();
        let mut add = |key: &[&str], path: &Path| {
            let key = key.iter().map(|part| (*part).to_owned()).collect();
            wanted.push(WantedOutput { key, path: path.to_owned() });
        };
        for (number, cycle) in self.cycles.get().into_iter().flatten().enumerate() {
            cycle.file.iter().for_each(|path| add(&["cycle", &number.to_string(), "file"], path));
        }
        if let Ok(export) = self.export.get() {
            export.prometheus.iter().for_each(|path| add(&["export", "prometheus"], path));
            export.html.iter().for_each(|path| add(&["export", "html"], path));
            for name in ["stats.json", "ts-messages.json", "report.json"] {
                export.json.iter().for_each(|place| add(&["export", "json"], &place.join(name)));
            }
            let senders = &export.postfix_access_senders;
            if let Some(first) = &export.postfix_access {
                let maps = senders.iter().map(|sender| first.of_sender(sender)).chain([first.clone()]);
                for map in maps {
                    add(&["export", "postfix_access"], &map.path);
                    add(&["export", "postfix_access"], &map.patterns());
                    map.compiled().iter().for_each(|path| add(&["export", "postfix_access"], path));
                }
            }
        }
        wanted
    }

    /// The directories that `[export]` and `[[events]]` fill and remove old files from, and those
    /// of purges.
    pub(crate) fn wanted_directories(&self) -> Vec<WantedOutput> {
        let of_export = |export: &ExportTable| {
            let directories = [("json", &export.json), ("csv", &export.csv)];
            directories.map(|(key, path)| Some((vec!["export".to_owned(), key.to_owned()], path.clone()?)))
        };
        let of_sink = |(number, sink): (usize, &EventSink)| {
            let SinkPlace::Files { directory, .. } = &sink.place else { return None };
            Some((["events", &number.to_string(), "path"].map(str::to_owned).to_vec(), directory.clone()))
        };
        let of_cycle = |(number, cycle): (usize, &CycleTable)| {
            let key = ["cycle", &number.to_string(), "purge", "directory"].map(str::to_owned).to_vec();
            Some((key, cycle.purge.as_ref()?.directory.clone()?))
        };
        let exports = self.export.get().into_iter().flat_map(of_export).flatten();
        let sinks = self.events.get().into_iter().flatten().enumerate().filter_map(of_sink);
        let purges = self.cycles.get().into_iter().flatten().enumerate().filter_map(of_cycle);
        exports.chain(sinks).chain(purges).map(|(key, path)| WantedOutput { key, path }).collect()
    }

    /// Whether a file that the config asks for may be written: it replaces nothing else.
    pub(crate) fn may_publish(&self, path: &Path) -> Result<()> {
        self.may_replace(path)?;
        let wanted = self.wanted_files();
        let mut same = wanted.iter().filter(|other| is_same(&other.path, path));
        let (Some(one), Some(other)) = (same.next(), same.next()) else { return Ok(()) };
        let (shown, one, other) = (one.path.display(), one.key.join("."), other.key.join("."));
        let what = format!("{shown}: {one} and {other} are the same file, and would replace each other");
        Err(Error::new(what).remedy(format_args!("set {other} to another file")))
    }

    /// Whether any output may replace a file of this name.
    pub(crate) fn may_replace(&self, path: &Path) -> Result<()> {
        let file = self.own_files().into_iter().find(|(own, _)| is_same(own, path));
        let place = || self.own_places().into_iter().find(|own| is_within(path, own));
        let what = file.map(|(_, what)| what).or_else(|| place().map(|_| "a file of carom's own"));
        let what = what.or_else(|| is_database(path).then_some("a database"));
        match what {
            Some(what) => Err(refused(path, what)),
            None => Ok(()),
        }
    }

    /// Whether files may be written into a directory, and old ones removed from it.
    pub(crate) fn may_fill(&self, directory: &Path) -> Result<()> {
        let own = self.own_places().into_iter().chain([self.log_dir()]);
        match own.into_iter().any(|own| is_within(directory, &own)) {
            true => Err(refused(directory, "a directory of carom's own")),
            false => Ok(()),
        }
    }

    /// What carom reads, and what it alone writes.
    fn own_files(&self) -> Vec<(PathBuf, &'static str)> {
        let databases = [(self.store_path(), "carom's store"), (self.index_path(), "the index of mail logs")];
        let databases = databases.into_iter().flat_map(|(path, what)| {
            OF_DATABASE.map(|ending| {
                let mut name = path.clone().into_os_string();
                name.push(ending);
                (name.into(), what)
            })
        });
        let logs = self.mail_logs.get().into_iter().flatten().filter_map(|log| log.path.clone());
        let policies = self.policy.values().filter_map(|policy| policy.path.clone());
        let config = self.file.path().map(Path::to_owned);
        let log_files = fs::read_dir(self.log_dir()).into_iter().flatten().flatten();
        let log_files = log_files.map(|entry| entry.path());
        let log_files = log_files.filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
        databases
            .chain(config.map(|path| (path, "the config")))
            .chain(logs.map(|path| (path, "a mail log")))
            .chain(policies.map(|path| (path, "a policy")))
            .chain(self.secret_files().cloned().map(|path| (path, "a file of keys")))
            .chain(self.dns.zone.clone().map(|path| (path, "the zone of [dns]")))
            .chain([(self.relay.powermta.clone(), "the config of PowerMTA")])
            .chain(log_files.map(|path| (path, "carom's log")))
            .collect()
    }

    fn own_places(&self) -> Vec<PathBuf> {
        let state = self.state_dir();
        let own = OWN_DIRECTORIES.iter().map(|name| state.join(name));
        let set = [self.kept_dir(), self.unproven_dir(), self.done_dir(), self.policies_dir()];
        own.chain(set).chain(self.relay.failed.clone()).collect()
    }
}

fn refused(path: &Path, what: &str) -> Error {
    Error::new(format_args!("{}: it is {what}: an output would replace it", path.display()))
        .remedy("give the output another path")
}

/// The path without links, as far as it exists; the last name may be a link.
fn resolved(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (whole.parent(), whole.file_name()) {
        (Some(above), Some(name)) => above.canonicalize().unwrap_or_else(|_| resolved(above)).join(name),
        _ => whole,
    }
}

/// Whether two paths mean one file: by their names, or where links lead.
fn is_same(one: &Path, other: &Path) -> bool {
    if resolved(one) == resolved(other) {
        return true;
    }
    match (one.metadata(), other.metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// Whether a path is in a directory, or is the directory.
fn is_within(path: &Path, directory: &Path) -> bool {
    let followed = path.canonicalize().unwrap_or_else(|_| resolved(path));
    let directory = directory.canonicalize().unwrap_or_else(|_| resolved(directory));
    followed.starts_with(&directory) || resolved(path).starts_with(&directory)
}

/// Whether a database is there, whoever's it is.
fn is_database(path: &Path) -> bool {
    use std::io::Read;
    let mut start = [0; 16];
    let is_file = path.metadata().is_ok_and(|about| about.is_file());
    is_file
        && fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && start == *b"SQLite format 3\0"
}
