//! What ticks write and run for others: exports, the files of cycles, and the programs of cycles.
//!
//! Not here: the rules of their tables (`config`), and who else could write them (`permissions`).
//! Invariant: nothing is made and nothing is run.

use super::place_findings::{OWN, elsewhere, user};
use super::place_kind::{PlaceKind, misplaced};
use crate::config::{Config, CycleTable, ExportTable};
use crate::files::command::shell_word;
use crate::files::{command, own_place, probe};
use crate::finding::Finding;
use crate::suppress::SOURCES;
use crate::wiring::similar;
use std::io::ErrorKind;
use std::path::Path;

/// Where exports go.
pub(super) fn exports(config: &Config, export: &ExportTable) -> Vec<Finding> {
    let files = [(&export.prometheus, "prometheus"), (&export.html, "html")];
    let maps = export.postfix_access.iter().map(|map| (map.path.as_path(), "postfix_access"));
    let files = files.into_iter().filter_map(|(path, key)| Some((path.as_deref()?, key))).chain(maps);
    let files =
        files.map(|(path, key)| file("export", path, "[export]", key).of_key(config, &["export", key]));
    let directories = [(&export.json, "json"), (&export.csv, "csv")];
    let directories = directories.into_iter().filter_map(|(path, key)| Some((path.as_deref()?, key)));
    let directories = directories.filter_map(|(path, key)| {
        // A directory of our own is created when it is needed.
        let finding = grows("export", path, &format!("[export] {key}"))?;
        Some(finding.of_key(config, &["export", key]))
    });
    files.chain(directories).collect()
}

/// Outputs that would replace something else.
pub(super) fn replaced(config: &Config) -> Vec<Finding> {
    let files =
        config.wanted_files().into_iter().map(|wanted| (config.may_publish(&wanted.path), wanted.key));
    let directories = config.wanted_directories().into_iter();
    let directories = directories.map(|wanted| (config.may_fill(&wanted.path), wanted.key));
    let mut findings: Vec<Finding> = Vec::new();
    for (allowed, key) in files.chain(directories) {
        let Err(error) = allowed else { continue };
        if findings.iter().any(|known| known.found == error.text()) {
            continue;
        }
        let fix = format!("set {} to another path", key.join("."));
        let key: Vec<&str> = key.iter().map(String::as_str).collect();
        findings.push(Finding::wrong(key[0], error.text(), fix).of_key(config, &key));
    }
    findings
}

/// The directory of a cycle's file, where its purge writes, and the programs that it runs.
pub(super) fn cycle(config: &Config, number: usize, cycle: &CycleTable) -> Vec<Finding> {
    let number = number.to_string();
    let place = |finding: Finding, key: &str| finding.of_key(config, &["cycle", &number, key]);
    let written = cycle.file.as_deref().map(|path| place(file("cycle", path, "[[cycle]]", "file"), "file"));
    let purged = cycle.purge.as_ref().and_then(|purge| purge.directory.as_deref());
    let purged = purged.and_then(|path| grows("cycle", path, "[cycle.purge] directory"));
    let purged = purged.map(|finding| place(finding, "purge"));
    let programs = [(&cycle.reload, "reload"), (&cycle.run, "run")].into_iter().filter_map(|(words, key)| {
        let program = words.first().filter(|program| !command::exists(program))?;
        let found = format!("[[cycle]] {} {key}: there is no program {program:?}", cycle.name);
        Some(place(Finding::wrong("cycle", found, "install it, or write its full path"), key))
    });
    let idle = idle(cycle).map(|(key, finding)| place(finding, key));
    written.into_iter().chain(purged).chain(programs).chain(idle).collect()
}

/// A cycle that never runs, or never purges.
fn idle(cycle: &CycleTable) -> Option<(&'static str, Finding)> {
    let name = &cycle.name;
    let is_daily = !cycle.run.is_empty() || cycle.purge.is_some();
    if is_daily && cycle.values.iter().all(|value| *value == 0.0) {
        let found = format!("[[cycle]] {name}: no day has a value above 0, so it never runs or purges");
        return Some((
            "values",
            Finding::wrong("cycle", found, "give the days on which it runs a value of 1"),
        ));
    }
    let is_unknown = |source: &&String| !SOURCES.iter().any(|known| known.eq_ignore_ascii_case(source));
    let odd = cycle.purge.as_ref()?.sources.iter().find(is_unknown)?;
    let found = format!("[cycle.purge] sources has {odd}, which no entry of the suppression list has");
    let fix = match similar(odd, SOURCES.into_iter()) {
        Some(near) => format!("correct it, if you mean {near}"),
        None => format!("use {}", SOURCES.join(", ")),
    };
    Some(("purge", Finding::wrong("cycle", found, fix)))
}

/// Whether a file can be published: its directory takes another one, which gets its name.
fn file(subject: &str, path: &Path, table: &str, key: &str) -> Finding {
    if let Some(finding) = misplaced(subject, path, PlaceKind::File, &format!("{table} {key}")) {
        return finding;
    }
    let directory = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    takes_files(subject, directory, &format!("{table} {key}"))
}

/// Whether a directory that carom creates when it is needed takes a file, or the one above it does.
pub(super) fn grows(subject: &str, path: &Path, key: &str) -> Option<Finding> {
    if let Some(finding) = misplaced(subject, path, PlaceKind::Directory, key) {
        return Some(finding);
    }
    let there = path.ancestors().find(|path| path.symlink_metadata().is_ok())?;
    Some(takes_files(subject, there, key))
}

/// Whether a directory that carom does not create takes a file.
fn takes_files(subject: &str, directory: &Path, key: &str) -> Finding {
    let (shown, user, typed) = (directory.display(), user(), shell_word(directory));
    let (found, fix) = match probe::takes_a_file(directory) {
        Ok(()) => return Finding::good(subject, format_args!("{shown} can be written")),
        Err(error) if !directory.exists() && error.kind() == ErrorKind::NotFound => (
            format!("{shown}: there is no such directory"),
            format!("make it: install -d -o {user} {typed}; or set {key} to a file in another one"),
        ),
        Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => {
            (format!("{shown}: {error}"), format!("mount it to be written, or set {key} to another place"))
        }
        Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => (
            format!("{shown}: {error}"),
            format!("free space there: df {typed}; or set {key} to another place"),
        ),
        Err(error) if !own_place::is_own(directory) => (
            format!("{shown}: {user} cannot write there: {error}"),
            elsewhere(key, &format!("one in {OWN}/export (make that: install -d -o {user} {OWN}/export)")),
        ),
        Err(error) => (
            format!("{shown}: {user} cannot write there: {error}"),
            format!(
                "let {user} write there: chgrp $(id -g {user}) {typed} && chmod g+rwx {typed}; or set {key} to another place"
            ),
        ),
    };
    Finding::wrong(subject, found, fix)
}
