//! Paths in the config that the units of systemd cannot write or read, though their user could, and
//! paths in units that are not there.
//!
//! Not here: how a unit is read (`systemd_unit`). Invariant: only enabled units that run carom with
//! this config count, and the fix is a drop-in.

use super::place_findings::{own_places, user};
use super::systemd_unit::{MissingPath, SystemdUnit, UnitBar, drop_ins, units};
use crate::config::{Config, SinkPlace};
use crate::files::command::{quoted, shell_word};
use crate::finding::Finding;
use std::path::{Path, PathBuf};

const SUBJECT: &str = "unit";
/// The profile of the packages.
const PROFILE: &str = "/etc/apparmor.d/carom";

/// A directory or a file that a unit needs.
struct NeededPath {
    path: PathBuf,
    key: Vec<String>,
    is_written: bool,
    /// Commands that need it.
    commands: &'static [&'static str],
}

pub(super) fn unit_findings(config: &Config) -> Vec<Finding> {
    let units = units(config);
    if units.is_empty() {
        return Vec::new();
    }
    let barred = needed_paths(config);
    let barred = barred.iter().filter_map(|needed| finding(config, &units, needed));
    barred.chain(units.iter().flat_map(missing_paths)).collect()
}

/// Paths without which systemd does not start a unit.
fn missing_paths(unit: &SystemdUnit) -> Vec<Finding> {
    let finding = |MissingPath { setting, path, place }: MissingPath| {
        let (name, shown) = (&unit.name, path.display());
        let found = format!("{shown}: systemd does not start {name}: {setting} has it, and it is not there");
        let make = format!("install -d -o {} {}", owner([unit].into_iter()), shell_word(&path));
        let fix = format!("run as root: {make}; or correct it: systemctl edit --full {name}");
        Finding { place, ..Finding::wrong(SUBJECT, found, fix) }
    };
    unit.missing_paths().into_iter().map(finding).collect()
}

fn finding(config: &Config, units: &[SystemdUnit], needed: &NeededPath) -> Option<Finding> {
    let path = std::path::absolute(&needed.path).ok()?;
    let real = path.canonicalize().unwrap_or_else(|_| path.clone());
    let bar = |unit: &SystemdUnit| {
        let of = |path: &Path| match needed.is_written {
            true => unit.bar_to_write(path),
            false => unit.bar_to_read(path),
        };
        // A link and what it leads to both have to be open.
        of(&real).or_else(|| of(&path).filter(|bar| !matches!(bar, UnitBar::ReadOnly(_))))
    };
    let using = units.iter().filter(|unit| needed.commands.contains(&unit.command.as_str()));
    let barred: Vec<(&SystemdUnit, UnitBar)> = using.filter_map(|unit| Some((unit, bar(unit)?))).collect();
    let (_, first) = barred.first()?;
    let why = match first {
        UnitBar::ReadOnly(setting) | UnitBar::Home(setting) => setting.clone(),
        UnitBar::Temporary => "PrivateTmp=yes".to_owned(),
    };
    let names: Vec<&str> = barred.iter().map(|(unit, _)| unit.name.as_str()).collect();
    let (shown, names) = (path.display(), names.join(", "));
    let found = match needed.is_written {
        true => format!("{shown}: {names} cannot write there: {why}"),
        false => format!("{shown}: {names} cannot read it: {why}"),
    };
    let key: Vec<&str> = needed.key.iter().map(String::as_str).collect();
    Some(Finding::wrong(SUBJECT, found, fix(&barred, &real, needed)).of_key(config, &key))
}

fn fix(barred: &[(&SystemdUnit, UnitBar)], path: &Path, needed: &NeededPath) -> String {
    if barred.iter().any(|(_, bar)| *bar == UnitBar::Temporary) {
        let key = needed.key.join(".");
        return format!("set {key} to a path that is not temporary: each service has another /tmp");
    }
    // A setting that opens a path has to find it.
    let is_file = path.is_file() || !needed.is_written;
    let directory = if is_file { path.parent().unwrap_or(path) } else { path };
    let make =
        format!("install -d -o {} {}", owner(barred.iter().map(|(unit, _)| *unit)), shell_word(directory));
    let made = (needed.is_written && !directory.exists()).then_some(make);
    let drop_in = |(unit, bar): &(&SystemdUnit, UnitBar)| {
        let words = unit_word(directory);
        let lines = match bar {
            UnitBar::Home(_) => {
                let bind = if needed.is_written { "BindPaths" } else { "BindReadOnlyPaths" };
                vec!["ProtectHome=tmpfs".to_owned(), format!("{bind}={words}")]
            }
            _ => vec![format!("ReadWritePaths={words}")],
        };
        let lines = lines.iter().map(|line| quoted(line)).collect::<Vec<_>>().join(" ");
        let place = drop_ins(&unit.name);
        let file = place.join("carom-paths.conf");
        format!(
            "install -d {} && printf '%s\\n' '[Service]' {lines} >> {}",
            shell_word(&place),
            shell_word(&file)
        )
    };
    let commands = made.into_iter().chain(barred.iter().map(drop_in));
    let commands = commands.collect::<Vec<_>>().join(" && ");
    let served = barred.iter().filter(|(unit, _)| unit.command != "cron" && !unit.name.contains('@'));
    let restarted: String = served.map(|(unit, _)| format!(" && systemctl restart {}", unit.name)).collect();
    let profile = match Path::new(PROFILE).exists() {
        true => {
            format!("; with AppArmor, /etc/apparmor.d/local/carom needs {}/** rwk, too", directory.display())
        }
        false => String::new(),
    };
    format!("run as root: {commands}; then: systemctl daemon-reload{restarted}{profile}")
}

fn owner<'u>(mut units: impl Iterator<Item = &'u SystemdUnit>) -> String {
    let named = units.find_map(|unit| Some(unit.user()).filter(|name| !name.is_empty()));
    named.map_or_else(user, str::to_owned)
}

/// A path as a word of a unit's setting.
fn unit_word(path: &Path) -> String {
    let text = path.to_string_lossy().replace('%', "%%");
    match text.contains(|letter: char| letter.is_whitespace() || "\"'\\".contains(letter)) {
        true => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        false => text,
    }
}

/// Commands that decide about messages.
const OF_MAIL: &[&str] = &["cron", "lmtp", "relay"];
const OF_ALL: &[&str] = &["access", "cron", "lmtp", "relay", "serve", "socketmap"];
const OF_TICKS: &[&str] = &["cron"];

fn needed_paths(config: &Config) -> Vec<NeededPath> {
    let own = own_places(config).into_iter().map(|place| {
        let commands = if matches!(place.subject, "state" | "store" | "index") { OF_ALL } else { OF_MAIL };
        let key = place.key.iter().map(|&part| part.to_owned()).collect();
        NeededPath { path: place.path, key, is_written: true, commands }
    });
    let written = |path: &Path, key: &[&str]| NeededPath {
        path: path.to_owned(),
        key: key.iter().map(|&part| part.to_owned()).collect(),
        is_written: true,
        commands: OF_TICKS,
    };
    let above = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
    let mut needed: Vec<NeededPath> = own.collect();
    for export in config.export.get().into_iter() {
        let files = [(&export.prometheus, "prometheus"), (&export.html, "html")];
        let files = files.into_iter().filter_map(|(path, key)| Some((above(path.as_deref()?), key)));
        let maps = export.postfix_access.iter().map(|map| (above(&map.path), "postfix_access"));
        let directories = [(&export.json, "json"), (&export.csv, "csv")];
        let directories = directories.into_iter().filter_map(|(path, key)| Some((path.clone()?, key)));
        let all = files.chain(maps).chain(directories);
        needed.extend(all.map(|(path, key)| written(&path, &["export", key])));
    }
    for (number, cycle) in config.cycles.get().into_iter().flatten().enumerate() {
        let number = number.to_string();
        let purged = cycle.purge.as_ref().and_then(|purge| purge.directory.as_deref());
        needed.extend(cycle.file.as_deref().map(|file| written(&above(file), &["cycle", &number, "file"])));
        needed.extend(purged.map(|path| written(path, &["cycle", &number, "purge"])));
    }
    for (number, sink) in config.events.get().into_iter().flatten().enumerate() {
        if let SinkPlace::Files { directory, .. } = &sink.place {
            needed.push(written(directory, &["events", &number.to_string(), "path"]));
        }
    }
    for (number, log) in config.mail_logs.get().into_iter().flatten().enumerate() {
        let read = log.path.iter().map(|path| NeededPath {
            is_written: false,
            ..written(path, &["logs", &number.to_string(), "path"])
        });
        needed.extend(read);
    }
    needed
}
