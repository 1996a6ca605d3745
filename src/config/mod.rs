//! `carom.toml` → `Config`: read once, and what it means. Everything has a default; the smallest
//! config is empty.
//!
//! `tables` is the file as written. What a message needs is parsed and checked when the config is
//! loaded; alerts, cycles, exports and mail logs are sections, read by those who need them. Not
//! here: whether directories exist or servers answer (`check`), and the settings of a policy, which
//! it validates itself. Invariant: an unknown key, a wrong type or an impossible value is an error
//! with file, line, key and fix.

mod access_maps;
mod alerting;
mod applications;
mod broken_config;
mod chaos_rules;
mod config_state;
mod cycles;
mod event_sinks;
mod exports;
mod fault;
mod handed_domains;
mod installed_rules;
mod mail_server;
mod mail_logs;
mod metric;
mod outputs;
mod own_entry;
mod own_mail;
mod places;
mod request_secrets;
mod return_paths;
mod rules;
mod secret_source;
mod section;
mod serve_rules;
mod shared_store;
mod suppressed_mail;
mod required_domains;
mod toml_file;
mod toml_words;
mod span;
mod tables;
mod unproven_mail;
#[cfg(test)]
mod tests;

pub(crate) use access_maps::AccessMap;
pub(crate) use alerting::{AlertRule, Alerting};
pub(crate) use applications::{Application, Applications, Endpoint, NOTIFY_VARIABLES};
pub(crate) use config_state::ConfigState;
pub(crate) use event_sinks::{EventSink, SinkPlace};
pub(crate) use installed_rules::{AddedRules, is_named as is_rule_named};
pub(crate) use mail_logs::MailLog;
pub(crate) use mail_server::MailServer;
pub(crate) use metric::{GroupBy, Metric, Of};
pub(crate) use own_mail::OwnMail;
pub(crate) use return_paths::ReturnPaths;
pub(crate) use secret_source::{has_credentials, try_file as try_secret_file};
pub(crate) use section::ConfigSection;
pub(crate) use serve_rules::{ServeRules, ServeToken};
pub(crate) use shared_store::{SharedStore, Topology};
pub(crate) use suppressed_mail::{AccessRules, SuppressedMail, shown as shown_reason};
pub(crate) use tables::{
    AuthTable, ChaosMoment, ChaosTable, CycleTable, DnsTable, EventKind, ExportTable, IndexTable, KeptTable,
    LimitsTable, LmtpTable, LogFormat, LogKind, LogLevel, LogTable, MessageTable, Mischief, NetworkTable,
    OnTrap, PoliciesTable, PolicyTable, PurgeTable, RelayTable, SendTable, ServeTable, StoreTable,
    SuppressedAnswer, SuppressionTable, VisitTable,
};
pub(crate) use unproven_mail::UnprovenMail;

use crate::error::{Context, FilePlace, Result};
use fault::ConfigFault;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tables::Tables;
use toml_file::TomlFile;

/// The config file, unless `--config` names another.
pub(crate) const DEFAULT_PATH: &str = "/etc/carom/carom.toml";

#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The policy that decides about messages; `--policy` overrides.
    pub(crate) default_policy: String,
    /// The directory of everything that is not set individually.
    pub(crate) state: Option<PathBuf>,
    pub(crate) store: StoreTable,
    pub(crate) dns: DnsTable,
    pub(crate) network: NetworkTable,
    pub(crate) auth: AuthTable,
    pub(crate) message: MessageTable,
    pub(crate) relay: RelayTable,
    pub(crate) lmtp: LmtpTable,
    pub(crate) log: LogTable,
    pub(crate) index: IndexTable,
    pub(crate) send: SendTable,
    pub(crate) visit: VisitTable,
    pub(crate) limits: LimitsTable,
    pub(crate) policies: PoliciesTable,
    pub(crate) policy: BTreeMap<String, PolicyTable>,
    /// How many of the rules in its settings were installed beside the config.
    pub(crate) added_rules: usize,
    pub(crate) kept: KeptTable,
    pub(crate) suppression: SuppressionTable,
    pub(crate) unproven: UnprovenMail,
    pub(crate) return_paths: ReturnPaths,
    pub(crate) applications: Applications,
    /// A key or secret that a message needs is a credential of systemd.
    pub(crate) names_credentials: bool,
    /// Files that the keys and secrets which a message needs are read from.
    pub(crate) mail_secret_files: Vec<PathBuf>,
    /// The same for what only `carom cron` needs.
    pub(crate) tick_secret_files: ConfigSection<Vec<PathBuf>>,
    pub(crate) access: ConfigSection<AccessRules>,
    pub(crate) alerting: ConfigSection<Alerting>,
    pub(crate) cycles: ConfigSection<Vec<CycleTable>>,
    pub(crate) events: ConfigSection<Vec<EventSink>>,
    pub(crate) export: ConfigSection<ExportTable>,
    pub(crate) mail_logs: ConfigSection<Vec<MailLog>>,
    pub(crate) serve: ConfigSection<ServeRules>,
    pub(crate) shared: ConfigSection<SharedStore>,
    pub(crate) file: Arc<TomlFile>,
}

/// The tables of the sections, which `pipe` does not read.
const SECTIONS: [&[&str]; 8] = [
    AccessRules::TABLES,
    Alerting::TABLES,
    CycleTable::TABLES,
    EventSink::TABLES,
    ExportTable::TABLES,
    MailLog::TABLES,
    ServeRules::TABLES,
    SharedStore::TABLES,
];

/// The tables with secrets.
const SECRETS: [&str; 6] = ["verp", "notify", "store", "shared", "events", "alert"];
/// The tables with secrets that only `carom cron` needs.
const TICK_SECRETS: &[&str] = &["alert", "events", "shared"];

impl Config {
    /// Reads the config at `path`, or at [`DEFAULT_PATH`] if it exists, else the defaults. `state`
    /// is `--state`. Rules that were installed beside it are not in it yet.
    pub(crate) fn load(path: Option<&Path>, state: Option<&Path>) -> Result<Config> {
        let default = Path::new(DEFAULT_PATH);
        // A default config that this user cannot reach is an error: the defaults are something
        // else.
        let is_there = || {
            let there = default.try_exists().context(DEFAULT_PATH);
            there.map_err(|error| error.remedy("let this user search the directory /etc/carom"))
        };
        let path = match path {
            None if is_there()? => Some(default),
            named => named,
        };
        let mut config = match path {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        if let Some(state) = state {
            config.state = Some(std::path::absolute(state).unwrap_or_else(|_| state.to_owned()));
        } else if config.state.is_none() && path.is_none() && !rustix::process::geteuid().is_root() {
            config.state = personal_state();
        }
        Ok(config)
    }

    fn read(path: &Path) -> Result<Config> {
        let text = toml_file::text(path)?;
        Config::from_file(TomlFile::new(&text, Some(path.to_owned())))
    }

    /// Parses the text of a `carom.toml`. Errors read `line 3: [verp] keys: …`.
    pub(crate) fn parse(text: &str) -> Result<Config> {
        Config::from_file(TomlFile::new(text, None))
    }

    fn from_file(file: TomlFile) -> Result<Config> {
        let file = Arc::new(file);
        let tables = file.tables(|name| !SECTIONS.iter().any(|section| section.contains(&name)))?;
        Config::of_tables(tables, &file).map_err(|fault| file.explain(&fault))
    }

    fn of_tables(tables: Tables, file: &Arc<TomlFile>) -> Result<Config, ConfigFault> {
        rules::check(&tables)?;
        Ok(Config {
            return_paths: ReturnPaths::read(&tables.verp)?,
            applications: Applications::read(&tables.notify)?,
            names_credentials: secret_source::names_credentials(&tables),
            mail_secret_files: secret_source::files(&tables),
            tick_secret_files: ConfigSection::new(file, TICK_SECRETS, |tables| {
                Ok(secret_source::files(&tables))
            }),
            access: ConfigSection::new(file, AccessRules::TABLES, AccessRules::read),
            alerting: ConfigSection::new(file, Alerting::TABLES, Alerting::read),
            cycles: ConfigSection::new(file, CycleTable::TABLES, CycleTable::read),
            events: ConfigSection::new(file, EventSink::TABLES, EventSink::read),
            export: ConfigSection::new(file, ExportTable::TABLES, ExportTable::read),
            mail_logs: ConfigSection::new(file, MailLog::TABLES, MailLog::read),
            serve: ConfigSection::new(file, ServeRules::TABLES, ServeRules::read),
            shared: ConfigSection::new(file, SharedStore::TABLES, SharedStore::read),
            default_policy: tables.default_policy,
            state: tables.state,
            store: tables.store,
            dns: tables.dns,
            network: tables.network,
            auth: tables.auth,
            message: tables.message,
            relay: tables.relay,
            lmtp: tables.lmtp,
            log: tables.log,
            index: tables.index,
            send: tables.send,
            visit: tables.visit,
            limits: tables.limits,
            policies: tables.policies,
            policy: tables.policy,
            added_rules: 0,
            kept: tables.kept,
            suppression: tables.suppression,
            unproven: UnprovenMail::read(tables.unproven)?,
            file: file.clone(),
        })
    }

    /// The key that the databases are encrypted with, or why this process cannot have it.
    pub(crate) fn store_key(&self) -> Result<Option<Result<String>>> {
        let placed = |error| self.file.explain(&ConfigFault::error("store", "key", &error));
        let key = self.store.key.as_deref().map(secret_source::store_key).transpose();
        Ok(key.map_err(placed)?.map(|key| key.map_err(placed)))
    }

    /// The line that names a file with a key or secret.
    pub(crate) fn place_of_secret(&self, file: &Path) -> Option<FilePlace> {
        let mut tables = SECRETS.iter().filter_map(|name| self.file.tables(|other| other == *name).ok());
        let key = tables.find_map(|tables| secret_source::key_of(&tables, file))?;
        self.place_of(&key.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Files that any keys and secrets are read from.
    pub(crate) fn secret_files(&self) -> impl Iterator<Item = &PathBuf> {
        self.mail_secret_files.iter().chain(self.tick_secret_files.get().into_iter().flatten())
    }

    /// Error: this process cannot have the keys and secrets that mail is handled with.
    pub(crate) fn require_secrets(&self) -> Result<()> {
        self.return_paths.require_keys()?;
        self.applications.require_secrets()
    }

    /// The default policy, those that classify log lines and that receive, and every one that has a
    /// table.
    pub(crate) fn policies_in_use(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.policy.keys().map(String::as_str).collect();
        let classifies = Some(self.index.policy.as_str()).filter(|name| !name.is_empty());
        let reads_logs = self.mail_logs.get().is_ok_and(|logs| !logs.is_empty());
        let receives = self.access.get().ok().and_then(|access| access.policy.as_deref());
        let used = [Some(self.default_policy.as_str()), classifies.filter(|_| reads_logs), receives];
        for name in used.into_iter().flatten() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The line of a key, or of its nearest table; `None` if neither is written.
    pub(crate) fn place_of(&self, path: &[&str]) -> Option<FilePlace> {
        let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
        Some(FilePlace { file: self.file.path()?.to_owned(), line: self.file.line_of(&path)? })
    }

    /// The line of the setting that a complaint begins with, as in `rules[1] (name): …`, or of the
    /// key in it that the complaint names.
    pub(crate) fn place_of_complaint(&self, policy: &str, complaint: &str) -> Option<FilePlace> {
        let mut path: Vec<String> = ["policy", policy, "settings"].map(str::to_owned).to_vec();
        let key = complaint.split([':', ' ']).next().unwrap_or_default();
        path.extend(key.split(['[', ']', '.']).filter(|part| !part.is_empty()).map(str::to_owned));
        let rest = complaint[key.len()..].split_once(": ").map_or("", |(_, rest)| rest);
        let words = rest.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-'));
        path.extend(words.map(str::to_owned).find(|word| self.file.has_key(&path, word)));
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        self.place_of(&path)
    }

    /// Whether a sink wants events of this kind. While `[[events]]` is wrong they are kept until it
    /// is right.
    pub(crate) fn keeps_events(&self, kind: EventKind) -> bool {
        self.events.get().map_or(true, |sinks| sinks.iter().any(|sink| sink.takes(kind)))
    }
}

impl Default for Config {
    fn default() -> Config {
        // The defaults obey the rules: a test holds them to it.
        Config::parse("").unwrap_or_else(|error| unreachable!("the defaults are wrong: {error}"))
    }
}

/// Where people without a config keep their state.
fn personal_state() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
    Some(std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).or_else(home)?.join("carom"))
}
