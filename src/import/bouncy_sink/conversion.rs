//! What each key of bouncy-sink becomes, and what happens to values that make no sense.
//!
//! Not here: the grammar of the ini. Invariant: no value is left out in silence, and none that is
//! kept is refused by the sink policy.

use super::agents;
use super::ini::{IniEntry, IniSection};
use super::random_bounces;
use crate::error::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;
use toml::Value;

/// bouncy-sink's percentages, and the names of the same in the sink policy.
const PERCENTAGES: [(&str, &str); 7] = [
    ("OOB_percent", "oob_percent"),
    ("FBL_percent", "fbl_percent"),
    ("Open_percent", "open_percent"),
    ("Open_Again_percent", "open_again_percent"),
    ("Click_percent", "click_percent"),
    ("Click_Again_percent", "click_again_percent"),
    ("Upstream_Handled", "upstream_handled"),
];

/// Percentages that are a part of another: bouncy-sink refused to run with more.
const PARTS: [(&str, &str); 3] = [
    ("open_again_percent", "open_percent"),
    ("click_percent", "open_percent"),
    ("click_again_percent", "click_percent"),
];

/// Keys without a counterpart, and why.
const NOT_CONVERTED: [(&str, &str); 1] =
    [("gather_timeout", "nothing waits for threads one by one: [message] deadline bounds each message")];

/// What bouncerate.py was to do each hour, and never did (B2): key, the cycle it becomes, and what
/// is left to do by hand.
const CYCLES: [(&str, &str, &str); 2] = [
    (
        "Weekly_Cycle_Bounce_Rate",
        "name = \"bounce-rate\"\nfile = \"/etc/pmta/carom-bounce-percent\"\n\
         text = \"dummy-smtp-blacklist-bounce-percent {value}\"\nreload = [\"sudo\", \"pmta\", \"reload\"]\n",
        "becomes a [[cycle]]: replace the line dummy-smtp-blacklist-bounce-percent in /etc/pmta/config by \
         `include /etc/pmta/carom-bounce-percent`, and let this user write that file",
    ),
    (
        "Weekly_Cycle_Suppressions_Purge",
        "name = \"suppressions-purge\"\npurge = { sources = [\"report\"] }\n",
        "becomes a [[cycle]] that purges carom's own suppression list of what reports put there; a list kept elsewhere: set its \
         `run`",
    ),
];

/// A conversion in progress: keys of `[Sink]` are removed as they are converted.
pub(crate) struct Conversion {
    sink: IniSection,
    pub(crate) notes: Vec<String>,
    /// TOML table → its keys and values.
    tables: BTreeMap<&'static str, Vec<(String, Value)>>,
    /// The text of each `[[cycle]]`.
    cycles: Vec<String>,
}

const RELAY: &str = "relay";
const LOG: &str = "log";
const VISIT: &str = "visit";
const SETTINGS: &str = "policy.sink.settings";
const DIGIT_DAYS: &str = "policy.sink.settings.digit_days";
const MX_ALLOWLIST: &str = "policy.sink.settings.mx_allowlist";

impl Conversion {
    pub(crate) fn new(sink: IniSection, notes: Vec<String>) -> Conversion {
        Conversion { sink, notes, tables: BTreeMap::new(), cycles: Vec::new() }
    }

    fn take(&mut self, key: &str) -> Option<IniEntry> {
        self.sink.remove(&key.to_lowercase())
    }

    fn set(&mut self, table: &'static str, key: &str, value: impl Into<Value>) {
        self.tables.entry(table).or_default().push((key.to_owned(), value.into()));
    }

    /// Notes what is wrong with an entry and what happens to it.
    fn note(&mut self, entry: &IniEntry, why: &str) {
        let value = entry.value.replace('\n', " ");
        self.notes.push(format!("line {}: {} = {value}: {why}", entry.line, entry.key));
    }

    /// A whole number from `least` to `most`; any other value is noted and left out.
    fn whole(&mut self, key: &str, least: u32, most: u32) -> Option<u32> {
        let entry = self.take(key)?;
        match entry.value.trim().parse::<f64>() {
            Ok(number) if (f64::from(least)..=f64::from(most)).contains(&number) => {
                Some(number.ceil() as u32)
            }
            _ => {
                self.note(&entry, &format!("not a number from {least} to {most}: using carom's default"));
                None
            }
        }
    }

    /// Threads, directories, logs, User-Agents: settings of carom itself.
    pub(crate) fn machine(&mut self, read: impl Fn(&str) -> Option<String>) {
        if let Some(threads) = self.whole("Max_Threads", 1, 1024) {
            self.set(RELAY, "threads", i64::from(threads));
        }
        if let Some(done) = self.take("Done_Msg_File_Dest").filter(|entry| !entry.value.is_empty()) {
            match Path::new(&done.value).is_absolute() {
                true => self.set(RELAY, "done", done.value),
                false => {
                    self.note(&done, "a path below whatever directory bouncy-sink ran in: set [relay] done")
                }
            }
        }
        if let Some(logfile) = self.take("Logfile") {
            match Path::new(&logfile.value).parent().filter(|directory| directory.is_absolute()) {
                Some(directory) => self.set(LOG, "directory", directory.to_string_lossy().into_owned()),
                None => self.note(
                    &logfile,
                    "a path below whatever directory bouncy-sink ran in: set [log] directory",
                ),
            }
        }
        // The first is the name that bouncy-sink read, the second the one that its ini wrote (B30).
        let spellings = ["Logfile_backupCount", "Logfile_backup_count"];
        let days: Vec<u32> = spellings.iter().filter_map(|key| self.whole(key, 0, 36_500)).collect();
        if let Some(days) = days.first() {
            self.set(LOG, "keep_days", i64::from(*days));
        }
        if let Some(file) = self.take("User_Agents_File").filter(|entry| !entry.value.is_empty()) {
            match read(&file.value).map(|csv| agents::read(&csv)) {
                Some(agents) if !agents.is_empty() => self.set(VISIT, "user_agents", agents),
                Some(_) => {
                    self.note(&file, "no column Software with User-Agents in it: carom's own are used")
                }
                None => self.note(&file, "cannot be read: carom's own User-Agents are used"),
            }
        }
    }

    /// Percentages and the weekly cycle.
    pub(crate) fn mix(&mut self) {
        let mut given: BTreeMap<&str, f64> = BTreeMap::new();
        for (key, name) in PERCENTAGES {
            match self.take(key) {
                Some(entry) => match entry.value.trim().parse::<f64>() {
                    Ok(percent) if (0.0..=100.0).contains(&percent) => drop(given.insert(name, percent)),
                    _ => self.note(&entry, "not a percentage from 0 to 100: 0 is used"),
                },
                None => self
                    .notes
                    .push(format!("{key} is absent, and bouncy-sink did not run without it: 0 is used")),
            }
        }
        let of = |given: &BTreeMap<&str, f64>, name: &str| given.get(name).copied().unwrap_or(0.0);
        for (part, whole) in PARTS {
            let (share, most) = (of(&given, part), of(&given, whole));
            if share > most {
                self.notes.push(format!(
                    "{part} = {share} is more than {whole} = {most}, of which it is a part: lowered to it"
                ));
                given.insert(part, most);
            }
        }
        let (oob, fbl) = (of(&given, "oob_percent"), of(&given, "fbl_percent"));
        if oob + fbl > 100.0 {
            self.notes.push(format!("oob_percent = {oob} and fbl_percent = {fbl} are more than 100 together: the latter is lowered"));
            given.insert("fbl_percent", 100.0 - oob);
        }
        for (_, name) in PERCENTAGES {
            self.set(SETTINGS, name, of(&given, name));
        }
        if let Some(entry) = self.take("Weekly_Cycle_Open_Rate") {
            match weekly(&entry.value) {
                Some(rates) => self.set(SETTINGS, "weekly_cycle_open_rate", rates),
                None => self.note(&entry, "not seven factors for each week: 1.0 is used for every day"),
            }
        }
    }

    /// In-band bounces, which PowerMTA gave: its replies, and on which day how many.
    pub(crate) fn refusals(&mut self, blacklist: &str) {
        let (replies, notes) = random_bounces::replies(blacklist);
        self.notes.extend(notes);
        if !replies.is_empty() {
            self.set(SETTINGS, "replies", replies);
        }
        let Some(entry) = self.take("Weekly_Cycle_Bounce_Rate") else { return };
        match weekly(&entry.value).filter(|rates| rates.iter().all(|rate| *rate <= 100.0)) {
            Some(rates) => self.set(SETTINGS, "weekly_cycle_bounce_rate", rates),
            None => self.note(&entry, "not seven percentages for each week: left out"),
        }
    }

    /// What changes by the day of the week, apart from the policy.
    pub(crate) fn cycles(&mut self) {
        for (key, text, note) in CYCLES {
            let Some(entry) = self.take(key) else { continue };
            match weekly(&entry.value) {
                Some(values) => {
                    self.cycles.push(format!("{text}values = {values:?}\n"));
                    self.note(&entry, note);
                }
                None => self.note(&entry, "not seven numbers for each week: left out"),
            }
        }
    }

    /// The days on which Signals traffic is opened.
    pub(crate) fn signals(&mut self) {
        let mut some_day = false;
        for digit in 0..10 {
            let Some(entry) = self.take(&format!("Digit{digit}_Days")) else {
                continue;
            };
            let days = entry.value.split(',').map(str::trim).filter(|day| !day.is_empty());
            let days: Option<Vec<u8>> = days.map(|day| day.parse().ok().filter(|day| *day <= 31)).collect();
            match days {
                Some(days) => {
                    some_day |= days.iter().any(|day| *day > 0);
                    let days: Vec<i64> = days.into_iter().map(i64::from).collect();
                    self.set(DIGIT_DAYS, &digit.to_string(), days);
                }
                None => self.note(&entry, "not days of the month: never opened"),
            }
        }
        if let Some(prefix) = self.take("Signals_Traffic_Prefix").filter(|entry| !entry.value.is_empty()) {
            match some_day {
                true => self.set(SETTINGS, "signals_traffic_prefix", prefix.value),
                false => self.note(
                    &prefix,
                    "no DigitN_Days names a day: left out, so that this mail is opened like any other",
                ),
            }
        }
    }

    /// Which links are fetched, and for how long.
    pub(crate) fn links(&mut self) {
        if let Some(hosts) = self.take("Tracking_Domains_Allowlist") {
            let hosts = hosts.value.split([',', '\n']).map(str::trim).filter(|host| !host.is_empty());
            self.set(SETTINGS, "tracking_domains_allowlist", hosts.map(str::to_owned).collect::<Vec<_>>());
        }
        if let Some(timeout) = self.whole("Open_Click_Timeout", 1, 600) {
            self.set(SETTINGS, "open_click_timeout", i64::from(timeout));
        }
    }

    /// Mail exchangers that may be answered.
    pub(crate) fn exchangers(&mut self, allowlist: IniSection) {
        for entry in allowlist.into_values() {
            match entry.value.contains('@') && !entry.value.contains(char::is_whitespace) {
                true => self.set(MX_ALLOWLIST, &entry.key, entry.value),
                false => {
                    self.note(&entry, "not an address for complaints: this mail exchanger is not answered")
                }
            }
        }
    }

    /// Names every key and section that was not converted.
    pub(crate) fn leftovers(&mut self, sections: BTreeMap<String, IniSection>) {
        for (key, entry) in std::mem::take(&mut self.sink) {
            let known = NOT_CONVERTED.iter().find(|(name, _)| *name == key);
            self.note(&entry, known.map_or("not a key of bouncy-sink: left out", |(_, why)| why));
        }
        let unknown =
            sections.into_keys().map(|name| format!("[{name}]: not a section of bouncy-sink: left out"));
        self.notes.extend(unknown);
    }

    /// The `carom.toml`, sections in the order in which a message meets them.
    pub(crate) fn text(&self) -> Result<String> {
        let mut text = String::from(
            "# Converted from a consume-mail.ini of bouncy-sink. Choices that differ from bouncy-sink are comments here.\n\n\
             default_policy = \"sink\"\n",
        );
        for table in [RELAY, LOG, VISIT, SETTINGS, DIGIT_DAYS, MX_ALLOWLIST] {
            let Some(entries) = self.tables.get(table) else {
                continue;
            };
            text += &format!("\n[{table}]\n");
            if table == SETTINGS {
                text += CHOICES;
            }
            for (key, value) in entries {
                // A list of tables, too, is in the line of its key.
                text += &match value {
                    Value::Array(_) => format!("{key} = {value}\n"),
                    _ => toml::to_string(&toml::Table::from_iter([(key.clone(), value.clone())]))
                        .context(key)?,
                };
            }
        }
        for cycle in &self.cycles {
            text += &format!("\n[[cycle]]\n{cycle}");
        }
        Ok(text)
    }
}

/// Numbers for the days of whole weeks.
fn weekly(value: &str) -> Option<Vec<f64>> {
    let numbers: Option<Vec<f64>> = value.split(',').map(|number| number.trim().parse().ok()).collect();
    numbers.filter(|all| all.len() % 7 == 0 && all.iter().all(|number| (0.0..1e6).contains(number)))
}

/// Where carom's default differs from what bouncy-sink did, the line that brings bouncy-sink's
/// behaviour back.
const CHOICES: &str = "\
# Required: your domains. Until they are set, every message is deferred. The label left of one names the answer.
# domains = [\"sink.example.com\"]
# bouncy-sink sent bounces in the recipient's name; carom uses the null sender, which cannot loop (RFC 3464).
# bounce_sender = \"recipient\"
# bouncy-sink never looked at SPF; carom sends the bounces and complaints that an address asks for only if it passes.
# require_spf = false
# Those drawn by chance need SPF or an aligned DKIM signature. false sends mail to forged return paths.
# require_owner_in_mix = false
";
