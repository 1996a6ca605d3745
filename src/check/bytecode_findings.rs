//! Services that may not run machine code (`MemoryDenyWriteExecute` of systemd): policies run there
//! as bytecode. Whether each policy decides so, and in time, is tried.
//!
//! Not here: the choice between machine code and bytecode (`policy::ready`). Invariant: systemd is
//! not asked, so that it works in a container and before a unit has ever run; nothing is kept.

use super::systemd_unit::{names, unit_directories, unit_files};
use crate::config::Config;
use crate::files::regular;
use crate::finding::Finding;
use crate::policy::{Use, Wanted};
use crate::workshop::inspect;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// How the names of services begin that run carom.
const RUN_CAROM: [&str; 3] = ["carom", "postfix", "pmta"];
const SETTING: &str = "MemoryDenyWriteExecute";
/// Largest unit file that is read.
const LONGEST: u64 = 1 << 20;

pub(super) fn bytecode_findings(config: &Config) -> Vec<Finding> {
    let services = denying_services(&unit_directories());
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
    let files = unit_files(directories, service).into_iter();
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
