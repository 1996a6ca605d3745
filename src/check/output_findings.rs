//! What ticks write and run for others: exports, the files of cycles, and the programs of cycles.
//!
//! Not here: the rules of their tables (`config`), and who else could write them (`permissions`).
//! Invariant: nothing is made and nothing is run.

use super::place_findings::user;
use crate::config::{Config, CycleTable, ExportTable};
use crate::files::{command, probe};
use crate::finding::Finding;
use std::io::ErrorKind;
use std::path::Path;

/// Where exports go.
pub(super) fn exports(config: &Config, export: &ExportTable) -> Vec<Finding> {
    let files = [(&export.prometheus, "prometheus"), (&export.html, "html")];
    let maps = export.postfix_access.iter().map(|map| (map.path.as_path(), "postfix_access"));
    let files = files.into_iter().filter_map(|(path, key)| Some((path.as_deref()?, key))).chain(maps);
    let files =
        files.map(|(path, key)| file("export", path, "[export]", key).of_key(config, &["export", key]));
    let directories = [(&export.json, "json"), (&export.csv, "csv"), (&export.events, "events")];
    let directories = directories.into_iter().filter_map(|(path, key)| Some((path.as_deref()?, key)));
    let directories = directories.filter_map(|(path, key)| {
        // A directory of our own is created when it is needed.
        let there = path.ancestors().find(|path| path.symlink_metadata().is_ok())?;
        let finding = takes_files("export", there, &format!("[export] {key}"));
        Some(finding.of_key(config, &["export", key]))
    });
    files.chain(directories).collect()
}

/// The directory of a cycle's file, where its purge writes, and the programs that it runs.
pub(super) fn cycle(config: &Config, number: usize, cycle: &CycleTable) -> Vec<Finding> {
    let number = number.to_string();
    let place = |finding: Finding, key: &str| finding.of_key(config, &["cycle", &number, key]);
    let written = cycle.file.as_deref().map(|path| place(file("cycle", path, "[[cycle]]", "file"), "file"));
    let purged = cycle.purge.as_ref().and_then(|purge| purge.directory.as_deref());
    let purged = purged.and_then(|path| path.ancestors().find(|path| path.symlink_metadata().is_ok()));
    let purged = purged.map(|there| place(takes_files("cycle", there, "[cycle.purge] directory"), "purge"));
    let programs = [(&cycle.reload, "reload"), (&cycle.run, "run")].into_iter().filter_map(|(words, key)| {
        let program = words.first().filter(|program| !command::exists(program))?;
        let found = format!("[[cycle]] {} {key}: there is no program {program:?}", cycle.name);
        Some(place(Finding::wrong("cycle", found, "install it, or write its full path"), key))
    });
    written.into_iter().chain(purged).chain(programs).collect()
}

/// Whether a file can be published: its directory takes another one, which gets its name.
fn file(subject: &str, path: &Path, table: &str, key: &str) -> Finding {
    if path.is_dir() {
        let found = format!("{}: it is a directory", path.display());
        return Finding::wrong(subject, found, format_args!("set {table} {key} to a file in it"));
    }
    let directory = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    takes_files(subject, directory, &format!("{table} {key}"))
}

/// Whether a directory that carom does not create takes a file.
fn takes_files(subject: &str, directory: &Path, key: &str) -> Finding {
    let (shown, user) = (directory.display(), user());
    let (found, fix) = match probe::takes_a_file(directory) {
        Ok(()) => return Finding::good(subject, format_args!("{shown} can be written")),
        Err(error) if !directory.exists() && error.kind() == ErrorKind::NotFound => (
            format!("{shown}: there is no such directory"),
            format!("make it: mkdir -p {shown}; or set {key} to a file in another one"),
        ),
        Err(error) if directory.exists() && !directory.is_dir() => {
            (format!("{shown}: {error}"), format!("set {key} to another place: {shown} is not a directory"))
        }
        Err(error) => (
            format!("{shown}: {user} cannot write there: {error}"),
            format!(
                "let {user} write there: chgrp $(id -g {user}) {shown} && chmod g+rwx {shown}; or set {key} to another place"
            ),
        ),
    };
    Finding::wrong(subject, found, fix)
}
