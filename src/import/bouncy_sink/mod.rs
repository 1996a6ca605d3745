//! Moving from bouncy-sink: its `consume-mail.ini` becomes a `carom.toml`.
//!
//! Not here: reading and writing files. Invariant: `Config::parse` reads the result and the sink
//! policy accepts it; every key of the ini is either in it or in a note that says why not.

mod agents;
mod conversion;
mod ini;
mod random_bounces;

use super::Imported;
use crate::error::{Error, Result};
use conversion::Conversion;

/// Converts the text of a `consume-mail.ini`, and of PowerMTA's `blacklist.dat`; `read` reads a
/// file that the ini names.
pub(crate) fn import(
    ini: &str,
    blacklist: Option<&str>,
    read: impl Fn(&str) -> Option<String>,
) -> Result<Imported> {
    let ini::Ini { mut sections, notes } = ini::read(ini);
    let Some(sink) = sections.remove("Sink") else {
        return Err(Error::new("no section [Sink]").remedy("name bouncy-sink's consume-mail.ini"));
    };
    let mut conversion = Conversion::new(sink, notes);
    conversion.machine(read);
    conversion.mix();
    if let Some(blacklist) = blacklist {
        conversion.refusals(blacklist);
    }
    conversion.cycles();
    conversion.signals();
    conversion.links();
    conversion.exchangers(sections.remove("RP_MX_domain_allowlist").unwrap_or_default());
    conversion.leftovers(sections);
    let toml = conversion.text()?;
    Ok(Imported { toml, notes: conversion.notes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::path::Path;
    use toml::Value;

    const INI: &str = "\
[Sink]
OOB_percent = 0.5
FBL_percent: 0.01
open_percent = 55
Open_Again_percent = 10
Click_percent = 15
Click_Again_percent = 3
Upstream_Handled = 50
Logfile = /var/log/sink/consume-mail.log
Logfile_backup_count = 7
Max_Threads = 32
Tracking_Domains_Allowlist = track.example.com, links.example.net
Open_Click_Timeout = 10
Gather_Timeout = 60
User_Agents_File = ./user-agents.csv
Done_Msg_File_Dest = /var/spool/mail/inbound/done
Signals_Traffic_Prefix = test
Digit0_Days = 1,2,3
Digit9_Days = 0
Weekly_Cycle_Open_Rate = 0.8,0.9,1.0,1.0,0.9,0.5,0.4,
    0.7,0.8,0.9,0.9,0.8,0.4,0.3
Weekly_Cycle_Bounce_Rate = 3,3,3.5,3,3,3,3
Weekly_Cycle_Suppressions_Purge = 0,0,0,0,0,0,1
Colour = blue

[RP_MX_domain_allowlist]
smtp.sparkpostmail.com = fbl@sparkpostmail.com
mx.example.org = nobody

[Extra]
x = 1
";

    fn converted(ini: &str) -> (Config, toml::Table, Vec<String>) {
        let csv =
            |name: &str| (name == "./user-agents.csv").then(|| "Software\rAgent/1\rAgent/2\r".to_owned());
        let imported = import(ini, None, csv).unwrap();
        let mut config =
            Config::parse(&imported.toml).unwrap_or_else(|error| panic!("{error}\n{}", imported.toml));
        let settings = config.policy.remove("sink").unwrap().settings;
        (config, settings, imported.notes)
    }

    #[test]
    fn a_whole_ini_finds_its_place() {
        let (config, settings, notes) = converted(INI);
        assert_eq!(config.default_policy, "sink");
        assert_eq!((config.relay.threads, config.log.keep_days), (32, 7));
        assert_eq!(config.relay.done.as_deref(), Some(Path::new("/var/spool/mail/inbound/done")));
        assert_eq!(config.log.directory.as_deref(), Some(Path::new("/var/log/sink")));
        assert_eq!(config.visit.user_agents, ["Agent/1", "Agent/2"]);
        assert_eq!(settings["open_percent"], Value::from(55.0));
        assert_eq!(settings["weekly_cycle_open_rate"].as_array().map(Vec::len), Some(14));
        assert_eq!(settings["digit_days"]["0"], Value::from(vec![1, 2, 3]));
        assert_eq!(
            settings["tracking_domains_allowlist"],
            Value::from(vec!["track.example.com", "links.example.net"])
        );
        assert_eq!(settings["mx_allowlist"]["smtp.sparkpostmail.com"], Value::from("fbl@sparkpostmail.com"));
        let named = |key: &str| notes.iter().filter(|note| note.contains(key)).count();
        let [rate, purge] = config.cycles.get().unwrap().as_slice() else { panic!("{:?}", config.cycles) };
        assert_eq!((rate.values[2], purge.values[6]), (3.5, 1.0), "b2");
        assert_eq!(rate.text, "dummy-smtp-blacklist-bounce-percent {value}");
        assert_eq!(rate.reload, ["sudo", "pmta", "reload"]);
        assert!(purge.purge.as_ref().is_some_and(|purge| purge.sources == ["report"]));
        for key in [
            "Gather_Timeout",
            "Weekly_Cycle_Bounce_Rate",
            "Weekly_Cycle_Suppressions_Purge",
            "Colour",
            "mx.example.org",
            "[Extra]",
        ] {
            assert_eq!(named(key), 1, "{key} in {notes:#?}");
        }
        assert_eq!(notes.len(), 6, "{notes:#?}");
    }

    #[test]
    fn b17_b18_what_stopped_bouncy_sink_is_noted_and_corrected() {
        let ini = "[Sink]\nOOB_percent = 120\nOpen_percent = 10\nClick_percent = 20\nUpstream_Handled = 100\n\
                   Signals_Traffic_Prefix = test\nWeekly_Cycle_Open_Rate = 1.0\nWeekly_Cycle_Bounce_Rate = 3,3\nDigit1_Days = 32\nMax_Threads = 0\n\
                   Logfile = ./here.log\nUser_Agents_File = gone.csv\n";
        let (config, settings, notes) = converted(ini);
        assert_eq!(config.relay.threads, Config::default().relay.threads);
        assert_eq!(
            (&settings["oob_percent"], &settings["click_percent"]),
            (&Value::from(0.0), &Value::from(10.0))
        );
        for key in ["signals_traffic_prefix", "weekly_cycle_open_rate", "digit_days"] {
            assert!(!settings.contains_key(key), "{key}");
        }
        for key in [
            "OOB_percent",
            "FBL_percent",
            "click_percent",
            "Signals",
            "Weekly",
            "Digit1",
            "Max_",
            "Logfile",
            "gone",
        ] {
            assert!(notes.iter().any(|note| note.contains(key)), "{key} in {notes:#?}");
        }
    }

    #[test]
    fn hostile_values_stay_values() {
        let ini = "[Sink]\nSignals_Traffic_Prefix = a\"]\\\n  [relay]\n  threads = 0\nDigit1_Days = 1\n\
                   [RP_MX_domain_allowlist]\na\"b'c = x@y\n";
        let (config, settings, _) = converted(ini);
        assert_eq!(config.relay.threads, Config::default().relay.threads);
        assert_eq!(settings["signals_traffic_prefix"].as_str(), Some("a\"]\\\n[relay]\nthreads = 0"));
        assert!(settings["mx_allowlist"].as_table().is_some_and(|table| table.contains_key("a\"b'c")));
    }

    #[test]
    fn another_ini_is_refused() {
        assert!(import("[Other]\nx = 1\n", None, |_| None).unwrap_err().to_string().contains("[Sink]"));
    }

    #[test]
    fn b30_the_backup_count_is_read_in_the_spelling_of_the_shipped_ini() {
        for spelling in ["Logfile_backup_count", "Logfile_backupCount"] {
            let ini = format!("[Sink]\n{spelling} = 7\n");
            assert_eq!(converted(&ini).0.log.keep_days, 7, "{spelling}");
        }
    }
}
