//! Who else could read the secrets and the mail, or write the config and the programs that carom
//! runs.
//!
//! Not here: whether carom itself can read and write (the other checks try it), and policies, which
//! are refused when they are loaded. Invariant: nothing is changed.

use crate::config::{Config, CycleTable};
use crate::error::Error;
use crate::files::command::shell_word;
use crate::files::{command, others, own_place, private, probe, regular};
use crate::finding::Finding;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What a finding is about.
const SUBJECT: &str = "access";

pub(super) fn permissions(config: &Config) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        config.file.path().into_iter().flat_map(|file| of_config(config, file)).collect();
    findings.extend(config.cycles.get().into_iter().flatten().flat_map(programs));
    let secrets = config.secret_files().cloned().map(|file| (file, "key or secret"));
    let places = private_places(config).into_iter().map(|place| (place, "addresses and messages"));
    findings.extend(secrets.chain(places).filter_map(|(place, what)| readable_by_all(&place, what)));
    match findings.is_empty() {
        true => vec![Finding::good(
            SUBJECT,
            "others can neither read secrets and mail, nor write config and programs",
        )],
        false => findings,
    }
}

fn of_config(config: &Config, file: &Path) -> Vec<Finding> {
    let (shown, typed) = (file.display(), shell_word(file));
    // The user's own group has the user's name or not: chgrp takes a number too.
    let group = rustix::process::getegid().as_raw();
    let mut findings = Vec::new();
    if let Err(error) = regular::open(file) {
        let found = format!("{shown}: the mail user cannot read the config: {error}");
        let fix = match probe::barred_by(file) {
            Some(bar) => format!("chmod a+x {}", shell_word(bar)),
            None => format!("chgrp {group} {typed} && chmod 640 {typed}"),
        };
        findings.push(Finding::wrong(SUBJECT, found, fix));
    }
    if let Err(error) = others::refuse(file) {
        let what = format!("{}, and so name commands, servers and policies", error.text());
        let fix = error.remedy_text().unwrap_or("let only root write there");
        findings.push(Finding::error(SUBJECT, &Error::new(what).remedy(fix)));
    }
    let has_secrets = config.return_paths.has_keys()
        || config.applications.have_secrets()
        || config.alerting.get().is_ok_and(|alerting| alerting.has_secrets());
    if has_secrets && fs::metadata(file).is_ok_and(|found| found.mode() & 0o004 != 0) {
        let found = format!("{shown}: everyone can read the keys and secrets in it");
        let fix = format!("chgrp {group} {typed} && chmod 640 {typed}, and then make new keys and secrets");
        findings.push(Finding::wrong(SUBJECT, found, fix));
    }
    findings
}

/// The programs that a cycle runs.
fn programs(cycle: &CycleTable) -> Vec<Finding> {
    let programs = [&cycle.reload, &cycle.run].into_iter().filter_map(|command| command.first());
    let refused = |program: &String| others::refuse(&command::find(program)?).err();
    let finding = |error: Error| {
        let what = format!("[[cycle]] {}: {}, and carom runs it", cycle.name, error.text());
        Finding::wrong(SUBJECT, what, error.remedy_text().unwrap_or("let only root write there"))
    };
    programs.filter_map(refused).map(finding).collect()
}

/// Where addresses and whole messages are.
fn private_places(config: &Config) -> Vec<PathBuf> {
    let logs = fs::read_dir(config.log_dir()).into_iter().flatten().flatten().map(|entry| entry.path());
    let own_logs = own_place::is_own(&config.log_dir());
    // A directory in place of the store is found as that.
    let store = Some(config.store_path()).filter(|store| !store.is_dir());
    let directories = [config.done_dir(), config.kept_dir(), config.unproven_dir()];
    let directories = directories.into_iter().filter(|directory| own_place::is_own(directory));
    let logs = logs.filter(|log| own_logs && !log.is_symlink());
    store.into_iter().chain([config.index_path()]).chain(directories).chain(logs).collect()
}

fn readable_by_all(place: &Path, held: &str) -> Option<Finding> {
    let all = |found: &Metadata, right: u32| found.mode() & right == right;
    // What is neither is found as that.
    let found = fs::metadata(place).ok().filter(|found| found.is_dir() || found.is_file())?;
    let reads = if found.is_dir() { 0o005 } else { 0o004 };
    let reached = |above: &Path| fs::metadata(above).is_ok_and(|found| all(&found, 0o001));
    if !all(&found, reads) || !place.ancestors().skip(1).filter(|above| above.is_absolute()).all(reached) {
        return None;
    }
    let (shown, typed) = (place.display(), shell_word(place));
    let mode = if found.is_dir() { private::DIRECTORY } else { private::FILE };
    let what = format!("{shown}: everyone can read the {held} in it");
    // Without others, this user may be left with nothing.
    let own = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    let kept = if found.uid() == own { String::new() } else { format!("chgrp {group} {typed} && ") };
    Some(Finding::wrong(SUBJECT, what, format_args!("{kept}chmod {mode:o} {typed}")))
}
