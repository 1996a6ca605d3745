//! `carom.toml` → `Config`. Everything has a default; the smallest config is empty.
//!
//! Not here: whether directories exist or servers answer (`check`), and the meaning of a policy's settings, which the
//! policy itself validates. Invariant: an unknown key, a wrong type or an impossible value is an error that names
//! file, line, key and remedy.

mod span;
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use span::Span;
pub(crate) use tables::*;

use crate::error::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where the config stands unless `--config` says otherwise.
pub(crate) const DEFAULT_PATH: &str = "/etc/carom/carom.toml";

/// The whole configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The named policy that decides about messages; `--policy` overrides. `policy = "NAME"` is read as this key.
    pub(crate) default_policy: String,
    /// Directory below which store, spool, log and compiled policies stand unless they are set one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<PathBuf>,
    /// The store.
    pub(crate) store: StoreTable,
    /// DNS.
    pub(crate) dns: DnsTable,
    /// Whom carom may connect to.
    pub(crate) network: NetworkTable,
    /// Whose word is taken on authentication.
    pub(crate) auth: AuthTable,
    /// Limits of one message.
    pub(crate) message: MessageTable,
    /// `carom relay`.
    pub(crate) relay: RelayTable,
    /// Logs.
    pub(crate) log: LogTable,
    /// Mail logs to read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) logs: Vec<LogsTable>,
    /// What is kept of them.
    pub(crate) index: IndexTable,
    /// Files that each tick writes.
    pub(crate) export: ExportTable,
    /// Mail that carom sends.
    pub(crate) send: SendTable,
    /// Links that carom fetches.
    pub(crate) visit: VisitTable,
    /// Limits of every policy.
    pub(crate) limits: LimitsTable,
    /// Installed policies.
    pub(crate) policies: PoliciesTable,
    /// Signed return paths.
    pub(crate) verp: VerpTable,
    /// Applications that are told of bounces and complaints.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) notify: Vec<NotifyTable>,
    /// Values that change by the day of the week.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) cycle: Vec<CycleTable>,
    /// The mail that alerts are told by.
    pub(crate) alerts: AlertsTable,
    /// What operators are told of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) alert: Vec<AlertTable>,
    /// Reports that are kept.
    pub(crate) kept: KeptTable,
    /// Named policies: where they come from, and their settings.
    pub(crate) policy: BTreeMap<String, PolicyTable>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            default_policy: "sink".into(),
            state: None,
            store: StoreTable::default(),
            dns: DnsTable::default(),
            network: NetworkTable::default(),
            auth: AuthTable::default(),
            message: MessageTable::default(),
            relay: RelayTable::default(),
            log: LogTable::default(),
            logs: Vec::new(),
            index: IndexTable::default(),
            export: ExportTable::default(),
            send: SendTable::default(),
            visit: VisitTable::default(),
            limits: LimitsTable::default(),
            policies: PoliciesTable::default(),
            verp: VerpTable::default(),
            notify: Vec::new(),
            cycle: Vec::new(),
            alerts: AlertsTable::default(),
            alert: Vec::new(),
            kept: KeptTable::default(),
            policy: BTreeMap::new(),
        }
    }
}

/// Key, fault and remedy of what cannot be.
pub(crate) type Fault = (&'static str, &'static str, &'static str);

/// The first fault of several tables, and which of them has it.
fn first(faults: impl Iterator<Item = Option<Fault>>) -> Option<(usize, Fault)> {
    faults.enumerate().find_map(|(number, fault)| fault.map(|fault| (number, fault)))
}

/// The line, counted from 1, where a key stands: the first at or behind line `from` of the text.
fn line_of(text: &str, from: usize, key: &str) -> usize {
    let is_it = |line: &str| {
        let rest = line.trim_start().strip_prefix(key);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let found = text.lines().enumerate().skip(from).find(|(_, line)| is_it(line));
    found.map_or(from.max(1), |(index, _)| index + 1)
}

/// The line of the header of one of several tables of a name.
fn line_of_table(text: &str, table: &str, number: usize) -> usize {
    let lines = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with(table));
    lines.map(|(index, _)| index + 1).nth(number).unwrap_or(1)
}

impl Config {
    /// Reads the config at `path`, or at [`DEFAULT_PATH`] if there is one, else the defaults. `state` is `--state`.
    pub(crate) fn load(path: Option<&Path>, state: Option<&Path>) -> Result<Config> {
        let (mut config, from_file) = match path {
            Some(path) => (Config::read(path)?, true),
            None if Path::new(DEFAULT_PATH).exists() => (Config::read(Path::new(DEFAULT_PATH))?, true),
            None => (Config::default(), false),
        };
        let personal = || {
            let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
            let base = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).or_else(home)?;
            Some(base.join("carom"))
        };
        if let Some(state) = state {
            config.state = Some(state.to_owned());
        } else if config.state.is_none() && !from_file && !rustix::process::geteuid().is_root() {
            config.state = personal();
        }
        Ok(config)
    }

    fn read(path: &Path) -> Result<Config> {
        let text = std::fs::read_to_string(path)
            .context(path.display())
            .map_err(|error| error.remedy("name a readable config with --config"))?;
        Config::parse(&text).map_err(|error| Error::new(format_args!("{}: {error}", path.display())))
    }

    /// Parses the text of a `carom.toml`. Errors read `line 3, column 1: …`.
    pub(crate) fn parse(text: &str) -> Result<Config> {
        let text = name_default_policy(text);
        let config: Config = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            let key = text.lines().nth(line - 1).unwrap_or_default().trim();
            Error::new(format_args!("line {line}: {} (at `{key}`)", error.message().trim()))
                .remedy("see examples/carom.toml for every key, its type and its default")
        })?;
        config.validate(&text)?;
        Ok(config)
    }

    fn validate(&self, text: &str) -> Result<()> {
        let impossible = |key: &str, why: &str, remedy: &str| {
            Err(Error::new(format_args!("line {}: {key}: {why}", line_of(text, 0, key))).remedy(remedy))
        };
        let impossible_one = |table: &str, (number, (key, why, remedy)): (usize, Fault)| {
            let header = line_of_table(text, table, number);
            let line = if key == table { header } else { line_of(text, header, key) };
            Err(Error::new(format_args!("line {line}: {key}: {why}")).remedy(remedy))
        };
        if self.relay.threads == 0 || self.relay.threads > 1024 {
            return impossible("threads", "must be from 1 to 1024", "remove the key for the default, 32");
        }
        if self.message.deadline == 0 {
            return impossible(
                "deadline",
                "a message cannot be handled in no time",
                "give at least 1 second",
            );
        }
        if self.message.max_size == 0 {
            return impossible("max_size", "no message would fit", "give the size in bytes");
        }
        if self.limits.time == 0 || self.limits.steps == 0 || self.limits.memory < 1 << 16 {
            return impossible(
                "[limits]",
                "a policy needs some time, steps and memory",
                "remove the key for the default",
            );
        }
        if self.policies.keep == 0 {
            return impossible("keep", "the policy in force is one of those kept", "give at least 1");
        }
        if self.log.level.parse::<tracing::Level>().is_err() {
            return impossible("level", "is not a level", "use error, warn, info, debug or trace");
        }
        if let Some((key, why, remedy)) = self.export.impossible().or_else(|| self.alerts.impossible()) {
            return impossible(key, why, remedy);
        }
        if let Some(fault) = first(self.logs.iter().map(LogsTable::impossible)) {
            return impossible_one("[[logs]]", fault);
        }
        if let Some(fault) = cycles_impossible(&self.cycle) {
            return impossible_one("[[cycle]]", fault);
        }
        if let Some(fault) = alerts_impossible(&self.alert) {
            return impossible_one("[[alert]]", fault);
        }
        if let Some(fault) = first(self.notify.iter().map(NotifyTable::impossible)) {
            return impossible_one("[[notify]]", fault);
        }
        if self.kept.per_address == 0 {
            return impossible(
                "per_address",
                "nothing would be kept",
                "give at least 1, or leave keep = true out",
            );
        }
        if self.dns.zone.is_some() && !self.dns.servers.is_empty() {
            return impossible("zone", "a zone and servers cannot both answer", "remove one of the two");
        }
        Ok(())
    }

    /// The directory below which everything stands that is not set one by one.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.state.clone().unwrap_or_else(|| PathBuf::from("/var/lib/carom"))
    }

    /// The SQLite file.
    pub(crate) fn store_path(&self) -> PathBuf {
        self.store.path.clone().unwrap_or_else(|| self.state_dir().join("carom.db"))
    }

    /// The SQLite file of what the mail logs say: beside the store.
    pub(crate) fn index_path(&self) -> PathBuf {
        self.index.path.clone().unwrap_or_else(|| self.store_path().with_file_name("index.db"))
    }

    /// The directory of reports that are kept.
    pub(crate) fn kept_dir(&self) -> PathBuf {
        self.kept.directory.clone().unwrap_or_else(|| self.state_dir().join("kept"))
    }

    /// The directory of kept messages, of those that do not come from a relay directory.
    pub(crate) fn done_dir(&self) -> PathBuf {
        self.relay.done.clone().unwrap_or_else(|| self.state_dir().join("done"))
    }

    /// The directory of the logs.
    pub(crate) fn log_dir(&self) -> PathBuf {
        match (&self.log.directory, &self.state) {
            (Some(directory), _) => directory.clone(),
            (None, Some(state)) => state.join("log"),
            (None, None) => PathBuf::from("/var/log/carom"),
        }
    }

    /// The directory of compiled policies. Its code is run: only its owner may write there.
    pub(crate) fn compiled_dir(&self) -> PathBuf {
        self.state_dir().join("compiled")
    }

    /// The directory of installed policies, which only who installs may write to: `policies` in the state directory if the
    /// config or `--state` sets one, else `/etc/carom/policies`.
    pub(crate) fn policies_dir(&self) -> PathBuf {
        match (&self.policies.directory, &self.state) {
            (Some(directory), _) => directory.clone(),
            (None, Some(state)) => state.join("policies"),
            (None, None) => PathBuf::from("/etc/carom/policies"),
        }
    }

    /// The name carom calls itself in SMTP and in reports.
    pub(crate) fn hostname(&self) -> String {
        self.network.hostname.clone().unwrap_or_else(|| {
            let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
            if name.is_empty() || name.contains(|c: char| !c.is_ascii_graphic()) {
                "localhost".into()
            } else {
                name
            }
        })
    }
}

/// TOML cannot hold both `policy = "sink"` and `[policy.sink]`, but people write just that. A top-level `policy` line
/// with a string is read as `default_policy`, on the same line, so that errors still name the right one.
fn name_default_policy(text: &str) -> String {
    let mut top_level = true;
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n') {
        let trimmed = line.trim_start();
        top_level &= !trimmed.starts_with('[');
        let value =
            trimmed.strip_prefix("policy").map(str::trim_start).and_then(|rest| rest.strip_prefix('='));
        match value {
            Some(value) if top_level && value.trim_start().starts_with(['"', '\'']) => {
                lines.push(format!("default_policy ={value}"));
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}
