//! Settings that are allowed and seldom meant: a log that is read twice, a directory for two
//! things, signatures that expire while mail is still retried, a port where no mail exchanger
//! listens, a limit that ordinary mail exceeds, two rules of one name.
//!
//! Not here: what cannot work (`config`). Invariant: the defaults are never in doubt.

use super::place_findings::written;
use crate::config::{Application, Config, PolicyTable};
use crate::finding::Finding;
use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Days that mail servers retry a message, and one more for its bounce.
const RETRIED_DAYS: u32 = 6;
/// The port of mail exchangers.
const SMTP: u16 = 25;

pub(super) fn doubt_findings(config: &Config) -> Vec<Finding> {
    let mut findings = same_logs(config);
    findings.extend(same_directory(config));
    findings.extend(short_age(config));
    findings.extend(other_port(config));
    findings.extend(short_hostname(config));
    findings.extend(too_small(config));
    findings.extend(no_second_try(config));
    findings.extend(paused(config));
    findings.extend(without_effect(config));
    findings.extend(owns_nothing(config));
    findings.extend(same_rules(config));
    findings
}

/// Two `[[logs]]` that are one file: by a link, or by another spelling of the path.
fn same_logs(config: &Config) -> Vec<Finding> {
    let mut known: HashMap<(u64, u64), &Path> = HashMap::new();
    let logs = config.mail_logs.get().into_iter().flatten().enumerate();
    let files = logs.filter_map(|(number, log)| Some((number, log.path.as_deref()?)));
    let twice = files.filter_map(|(number, path)| {
        let found = path.metadata().ok()?;
        let other = known.insert((found.dev(), found.ino()), path)?;
        let text =
            format!("{} and {} are one file: every line of it counts twice", other.display(), path.display());
        let finding = Finding::wrong("logs", text, "remove one of the two [[logs]]");
        Some(finding.of_key(config, &["logs", &number.to_string(), "path"]))
    });
    twice.collect()
}

/// What is deleted by age and number in one, is not told from the other.
fn same_directory(config: &Config) -> Option<Finding> {
    let places: [(&[&str], PathBuf); 6] = [
        (&["state"], config.state_dir()),
        (&["log", "directory"], config.log_dir()),
        (&["kept", "directory"], config.kept_dir()),
        (&["unproven", "directory"], config.unproven_dir()),
        (&["relay", "done"], config.done_dir()),
        (&["relay", "failed"], config.relay.failed.clone().unwrap_or_default()),
    ];
    let is_set = |path: &Path| !path.as_os_str().is_empty();
    let pairs =
        places.iter().enumerate().flat_map(|(at, one)| places[at + 1..].iter().map(move |two| (one, two)));
    let (one, two) = pairs.into_iter().find(|(one, two)| is_set(&one.1) && one.1 == two.1)?;
    let found =
        format!("{} is the directory of {} and of {}", one.1.display(), written(one.0), written(two.0));
    let fix = format!("give each another directory: {}", written(two.0));
    Some(Finding::wrong("state", found, fix).of_key(config, two.0))
}

/// Bounces come as long as mail servers retry.
fn short_age(config: &Config) -> Option<Finding> {
    let days = config.return_paths.max_age;
    let found = format!(
        "[verp] max_age is {days}: a bounce that comes after more days is unproven, and mail is retried for five"
    );
    let finding = Finding::note("verp", found, "set max_age to 30");
    let is_short = config.return_paths.has_keys() && days < RETRIED_DAYS;
    is_short.then(|| finding.of_key(config, &["verp", "max_age"]))
}

/// Many mail servers refuse a client whose name is not that of a host on the Internet.
fn short_hostname(config: &Config) -> Option<Finding> {
    let name = config.hostname();
    let sends = config.default_policy == "sink"
        || config.policy.contains_key("sink")
        || config.unproven.forwarded_to().is_some()
        || config
            .alerting
            .get()
            .is_ok_and(|alerting| alerting.rules.iter().any(|rule| !rule.mail.is_empty()));
    let found =
        format!("the name in EHLO is {name}, which is not a full host name: many mail servers refuse it");
    let finding =
        Finding::note("network", found, "set [network] hostname to the name in DNS: mail.example.com");
    // With a zone, peers are part of a test.
    (sends && !name.contains('.') && config.dns.zone.is_none())
        .then(|| finding.of_key(config, &["network", "hostname"]))
}

/// A limit that ordinary mail, or an ordinary day, exceeds.
fn too_small(config: &Config) -> Vec<Finding> {
    let limits: [(&[&str; 2], u64, u64, &str); 11] = [
        (
            &["message", "max_size"],
            config.message.max_size,
            64 << 10,
            "bounces of ordinary mail are larger, and deferred",
        ),
        (
            &["log", "max_size"],
            or_most(config.log.max_size),
            1 << 20,
            "the log of a day is larger, and deleted",
        ),
        (
            &["unproven", "max_size"],
            config.unproven.table.max_size,
            1 << 20,
            "one message is kept for each reason, and the others are deleted",
        ),
        (
            &["unproven", "per_reason"],
            config.unproven.table.per_reason as u64,
            10,
            "what is kept is soon displaced",
        ),
        (
            &["unproven", "days"],
            or_most(config.unproven.table.days.into()),
            3,
            "what is kept over a weekend is deleted before anybody reads it",
        ),
        (
            &["index", "keep_days"],
            or_most(config.index.keep_days.into()),
            7,
            "complaints and bounces come later, and find no delivery",
        ),
        (
            &["index", "max_rows"],
            or_most(config.index.max_rows),
            10_000,
            "deliveries are deleted before bounces and complaints come",
        ),
        (&["visit", "max_links"], config.visit.max_links as u64, 1, "no link is followed"),
        (&["limits", "time"], config.limits.time, 10, "on a busy host policies fail, and mail is deferred"),
        (
            &["lmtp", "command_time"],
            config.lmtp.command_time.into(),
            10,
            "clients that wait for DNS are sent away",
        ),
        (&["visit", "max_bytes"], config.visit.max_bytes, 1024, "no page is read to its end"),
    ];
    let small = limits.into_iter().filter(|(_, is, least, _)| is < least);
    let finding = |(key, is, least, what): (&[&str; 2], u64, u64, &str)| {
        let found = format!("{} is {is}: {what}", written(key));
        Finding::note(key[0], found, format_args!("set it to {least} or more, or remove the key"))
            .of_key(config, key)
    };
    small.map(finding).collect()
}

/// What fails once is given up.
fn no_second_try(config: &Config) -> Vec<Finding> {
    let once = |key: &[&str]| {
        let found =
            format!("{} is 0: what fails once is given up, and hosts are down for hours", written(key));
        Finding::note(key[0], found, "remove the key, or set it to what you can wait").of_key(config, key)
    };
    let hours = [("relay", config.relay.give_up_hours), ("send", config.send.give_up_hours)];
    let of_tables = hours.into_iter().filter(|(_, hours)| *hours == 0);
    let of_tables = of_tables.map(|(table, _)| once(&[table, "give_up_hours"]));
    let applications = config.applications.all().iter().enumerate();
    let of_applications = applications.filter(|(_, one)| one.give_up_days == 0);
    let of_applications =
        of_applications.map(|(number, _)| once(&["notify", &number.to_string(), "give_up_days"]));
    of_tables.chain(of_applications).collect()
}

/// Applications that are notified of nothing now.
fn paused(config: &Config) -> Vec<Finding> {
    let paused = config.applications.all().iter().enumerate().filter(|(_, one)| one.paused);
    let finding = |(number, one): (usize, &Application)| {
        let name = one.sender_domain().unwrap_or("*");
        let found = format!("[[notify]] for {name} is paused: its notifications wait, and none is sent");
        let fix = "remove paused when the application is well";
        Finding::note("notify", found, fix).of_key(config, &["notify", &number.to_string(), "paused"])
    };
    paused.map(finding).collect()
}

/// Settings that others make void.
fn without_effect(config: &Config) -> Option<Finding> {
    let (anonymous, kept) = (config.index.anonymous_days, config.index.keep_days);
    let found = format!(
        "[index] anonymous_days is {anonymous}, and deliveries are deleted after keep_days, {kept}: none is ever \
         made anonymous"
    );
    let finding = Finding::note("index", found, "set anonymous_days to less than keep_days, or remove it");
    (kept > 0 && anonymous >= kept).then(|| finding.of_key(config, &["index", "anonymous_days"]))
}

/// A log of which no mail is ours.
fn owns_nothing(config: &Config) -> Option<Finding> {
    let logs = config.mail_logs.get().ok()?;
    let number = logs.iter().position(|log| log.own.as_ref().is_some_and(Vec::is_empty))?;
    let found =
        "[[logs]] own is empty: no mail in the log is ours, so there are no figures and nothing is acted on";
    let finding = Finding::note("logs", found, "name what is yours, or remove own");
    Some(finding.of_key(config, &["logs", &number.to_string(), "own"]))
}

/// 0 is no limit.
fn or_most(limit: u64) -> u64 {
    if limit == 0 { u64::MAX } else { limit }
}

/// Rules of one name: figures, and `carom rules`, do not tell them apart.
fn same_rules(config: &Config) -> Vec<Finding> {
    let of_policy = |(policy, table): (&String, &PolicyTable)| {
        let rules = table.settings.get("rules").and_then(toml::Value::as_array);
        let mut known = HashSet::new();
        let names = rules.into_iter().flatten().enumerate();
        let names = names.filter_map(|(number, rule)| Some((number, rule.get("name")?.as_str()?.to_owned())));
        let twice = names.filter(|(_, name)| !known.insert(name.clone()));
        let finding = |(number, name): (usize, String)| {
            let found =
                format!("two rules of policy {policy} are called {name}: figures do not tell them apart");
            let key = ["policy", policy.as_str(), "settings", "rules", &number.to_string(), "name"];
            Finding::note("settings", found, "give each rule another name").of_key(config, &key)
        };
        twice.map(finding).collect::<Vec<_>>()
    };
    config.policy.iter().flat_map(of_policy).collect()
}

/// Bounces are sent to mail exchangers, which listen on one port.
fn other_port(config: &Config) -> Option<Finding> {
    let port = config.network.smtp_port;
    let found = format!("[network] smtp_port is {port}: mail exchangers listen on port {SMTP}");
    let finding = Finding::note(
        "network",
        found,
        "remove smtp_port; a mail server of yours is named with its port elsewhere",
    );
    // With a zone, peers are part of a test.
    (port != SMTP && config.dns.zone.is_none()).then(|| finding.of_key(config, &["network", "smtp_port"]))
}
