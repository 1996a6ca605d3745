//! The directories that `carom relay` takes files from: whether it can claim them, by renaming, and
//! move them without copying.
//!
//! Not here: the files (`intake::spool`). Invariant: nothing is claimed.

use super::place_findings::{OWN, user};
use crate::config::Config;
use crate::files::command::shell_word;
use crate::files::{own_place, probe};
use crate::finding::Finding;
use crate::wiring::handed_domains;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where enabled units are linked.
const WANTED: &str = "/etc/systemd/system/multi-user.target.wants";
/// The directory of the spools of packaged units.
const PACKAGED: &str = "/var/spool/carom";

/// The directories that are named, those of enabled units, and those that PowerMTA writes to.
pub(super) fn spool_findings(config: &Config, named: &[PathBuf]) -> Vec<Finding> {
    let units = fs::read_dir(WANTED).into_iter().flatten().flatten();
    let units = units.filter_map(|unit| {
        let name = unit.file_name().into_string().ok()?;
        let instance = name.strip_prefix("carom-relay@")?.strip_suffix(".service")?;
        Some(Path::new(PACKAGED).join(instance))
    });
    let powermta = handed_domains(config).and_then(Result::ok).unwrap_or_default();
    let powermta = powermta.into_iter().filter_map(|domain| domain.spool);
    let spools: BTreeSet<PathBuf> = named.iter().cloned().chain(units).chain(powermta).collect();
    spools.iter().flat_map(|spool| of_spool(config, spool)).collect()
}

fn of_spool(config: &Config, spool: &Path) -> Vec<Finding> {
    let shown = spool.display();
    let device = |path: &Path| path.metadata().ok().map(|found| found.dev());
    if !spool.is_dir() {
        let found = format!("{shown}: there is no such directory for `carom relay`");
        let user = user();
        let fix = format!(
            "make it, and let the mail server write there: install -d -m 2770 -o {user} -g $(id -g {user}) {}",
            shell_word(spool)
        );
        return vec![Finding::wrong("spool", found, fix)];
    }
    if let Err(error) = probe::takes_a_file(spool).and_then(|()| fs::read_dir(spool).map(drop)) {
        let (found, user) = (format!("{shown}: {} cannot claim files there: {error}", user()), user());
        let typed = shell_word(spool);
        let fix = match own_place::is_shared(spool) {
            true => format!("use a directory that nobody else uses for `carom relay`, like {OWN}/relay"),
            false => {
                format!("let {user} read and write it: chgrp $(id -g {user}) {typed} && chmod g+rwx {typed}")
            }
        };
        return vec![Finding::wrong("spool", found, fix)];
    }
    let mut findings = Vec::new();
    for below in ["new", ".claimed"].map(|name| spool.join(name)) {
        if device(&below).is_some_and(|other| Some(other) != device(spool)) {
            let found = format!(
                "{}: it is on another file system than {shown}: files there cannot be claimed",
                below.display()
            );
            findings.push(Finding::wrong(
                "spool",
                found,
                format_args!("unmount it: umount {}", shell_word(&below)),
            ));
        }
    }
    if let Some(failed) = &config.relay.failed {
        let there = failed.ancestors().find(|path| path.exists()).unwrap_or(failed);
        if device(there) != device(spool) {
            let found = format!(
                "{}: it is on another file system than {shown}: files are copied there, not moved",
                failed.display()
            );
            let fix = format!("remove [relay] failed, so that they stay in {shown}/failed");
            findings.push(Finding::note("spool", found, fix).of_key(config, &["relay", "failed"]));
        }
    }
    if findings.is_empty() {
        let state = config.state_dir();
        let with = match device(&state) == device(spool) {
            true => "on the file system of the state directory",
            false => "on another file system than the state directory, which is allowed",
        };
        findings.push(Finding::good("spool", format_args!("{shown} can be written, {with}")));
    }
    findings
}
