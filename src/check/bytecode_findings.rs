//! Services that may not run machine code (`MemoryDenyWriteExecute` of systemd): policies run there
//! as bytecode. Whether each policy decides so, and in time, is tried.
//!
//! Not here: the choice between machine code and bytecode (`policy::ready`). Invariant: systemd is
//! not asked, so that it works in a container and before a unit has ever run; nothing is kept.

use crate::config::Config;
use crate::files::regular;
use crate::finding::Finding;
use crate::policy::{Use, Wanted};
use crate::workshop::inspect;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where units are, the strongest first; systemd's own variable replaces them.
const UNITS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
const UNITS_VARIABLE: &str = "SYSTEMD_UNIT_PATH";
/// How the names of services begin that run carom.
const RUN_CAROM: [&str; 3] = ["carom", "postfix", "pmta"];
const SETTING: &str = "MemoryDenyWriteExecute";
/// Largest unit file that is read.
const LONGEST: u64 = 1 << 20;

pub(super) fn bytecode_findings(config: &Config) -> Vec<Finding> {
    let services = denying_services(&directories());
    if services.is_empty() {
        return Vec::new();
    }
    let named = services.join(", ");
    let config = Arc::new(config.clone());
    let names = config.policies_in_use().into_iter();
    let failures = names.flat_map(|name| {
        let wanted = Wanted { name, file: None, settings: None };
        let findings = inspect::inside(&config, &wanted, Use::LookInterpreted).into_iter();
        findings.filter(|finding| finding.subject == "smoke run" && finding.is_wrong())
    });
    let failures: Vec<Finding> = failures.map(|failure| of_failure(&failure, &services)).collect();
    if !failures.is_empty() {
        return failures;
    }
    let found = format!("{named}: {SETTING} is set, so policies run there as bytecode, and it was tried");
    vec![Finding::good("policy", found)]
}

/// A policy that decides as machine code may be too slow as bytecode.
fn of_failure(failure: &Finding, services: &[String]) -> Finding {
    let found = format!("{} has {SETTING} set; as bytecode, {}", services.join(", "), failure.found);
    let fix = format!(
        "raise [limits] time, or allow machine code: systemctl edit {}, with [Service] and {SETTING}=no",
        services[0]
    );
    Finding::wrong("smoke run", found, fix)
}

fn directories() -> Vec<PathBuf> {
    let standard = || UNITS.map(PathBuf::from).to_vec();
    std::env::var_os(UNITS_VARIABLE).map_or_else(standard, |path| std::env::split_paths(&path).collect())
}

/// The services that run carom and may not make memory executable.
fn denying_services(directories: &[PathBuf]) -> Vec<String> {
    let runs_carom =
        |name: &str| RUN_CAROM.iter().any(|start| name.starts_with(start)) && name.ends_with(".service");
    let entries = directories.iter().flat_map(|directory| names(directory));
    let services: BTreeSet<String> = entries.filter(|name| runs_carom(name)).collect();
    services.into_iter().filter(|service| denies(directories, service)).collect()
}

/// Whether the unit, as its files and what extends them say, sets it.
fn denies(directories: &[PathBuf], service: &str) -> bool {
    let unit = directories.iter().map(|directory| directory.join(service)).find(|file| file.exists());
    let mut extensions: Vec<(String, PathBuf)> = Vec::new();
    for directory in directories.iter().map(|directory| directory.join(format!("{service}.d"))) {
        for name in names(&directory).filter(|name| name.ends_with(".conf")) {
            // A file hides those of its name in weaker directories.
            if !extensions.iter().any(|(known, _)| *known == name) {
                extensions.push((name.clone(), directory.join(name)));
            }
        }
    }
    extensions.sort();
    let files = unit.into_iter().chain(extensions.into_iter().map(|(_, file)| file));
    let said = files.filter_map(|file| regular::read_text(&file, LONGEST).ok());
    let values = said.flat_map(|text| text.lines().filter_map(value).collect::<Vec<_>>());
    values.last().unwrap_or(false)
}

/// What a line of a unit says about it.
fn value(line: &str) -> Option<bool> {
    let (key, value) = line.split_once('=')?;
    let is_set = ["yes", "true", "on", "1"].iter().any(|word| value.trim().eq_ignore_ascii_case(word));
    (key.trim() == SETTING).then_some(is_set)
}

fn names(directory: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).filter_map(|name: OsString| name.into_string().ok())
}
