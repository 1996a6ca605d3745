//! What the packages ship, as far as it can be tried without installing one: the config, the units,
//! the line for cron, manual pages.
//!
//! Not here: installing them (tests/packages/run.sh). Invariant: a package that was just installed
//! loses no mail.

use crate::harness::{CAROM, Ran, SENDER, Sandbox, finish, names, plain, start};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/root");

fn shipped(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

/// carom with this text as its config, and the state of the sandbox.
fn with_config(sandbox: &Sandbox, config: &str, arguments: &[&str], stdin: &[u8]) -> Ran {
    let file = sandbox.path("shipped.toml");
    fs::write(&file, config).unwrap();
    let mut command = Command::new(CAROM);
    command.arg("--config").arg(file).arg("--state").arg(sandbox.path("state")).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(start(command, stdin), Duration::from_secs(60))
}

const TO: &str = "x@accept.sink.example.com";
const PIPE: [&str; 5] = ["pipe", "--sender", SENDER, "--recipient", TO];

#[test]
fn the_shipped_config_is_valid_and_drops_nothing_before_it_names_domains() {
    let sandbox = Sandbox::new();
    let config = shipped("etc/carom/carom.toml");
    let checked = with_config(&sandbox, &config, &["check", "--quick", "--quiet"], b"");
    assert!(checked.stdout.matches("wrong").count() == 1, "{checked:?}");
    assert!(checked.code == 1 && checked.stdout.contains("fix: set domains"), "{checked:?}");
    let deferred = with_config(&sandbox, &config, &PIPE, &plain(TO));
    deferred.says(75, "4.3.0 ");
    assert!(deferred.stdout.contains("shipped.toml: line ") && deferred.stdout.contains("set domains"));
    let named = config.replacen("# domains = ", "domains = ", 1);
    with_config(&sandbox, &named, &PIPE, &plain(TO)).silent();
    with_config(&sandbox, &named, &["check", "--quick", "--quiet"], b"").silent();
}

#[test]
fn a_sink_without_domains_takes_no_mail_and_still_shows_its_plan() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("inbox")).unwrap();
    fs::write(sandbox.path("inbox/a.msg"), plain(TO)).unwrap();
    for config in ["", "policy = \"sink\"\n[policy.sink.settings]\ndomains = []\n"] {
        with_config(&sandbox, config, &PIPE, &plain(TO)).says(75, "4.3.0 ");
        let planned = with_config(&sandbox, config, &[&PIPE[..], &["--dry-run"]].concat(), &plain(TO));
        assert!(planned.code == 0 && planned.stdout.contains("\"verdict\": \"accept\""), "{planned:?}");
        let inbox = sandbox.path("inbox").display().to_string();
        let relayed = with_config(&sandbox, config, &["relay", &inbox], b"");
        assert!(relayed.code == 1 && relayed.stderr.contains("set domains"), "{relayed:?}");
        assert_eq!(names(&sandbox.path("inbox")), ["a.msg"]);
    }
    if !Path::new("/etc/carom/carom.toml").exists() {
        let mut without = Command::new(CAROM);
        without.env_remove("CAROM_CONFIG").arg("--state").arg(sandbox.path("state")).args(PIPE);
        without.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let ran = finish(start(without, &plain(TO)), Duration::from_secs(60));
        ran.says(75, "4.3.0 there is no config");
    }
}

#[test]
fn a_quick_check_looks_at_what_a_message_needs_and_at_nothing_else() {
    let faults = "[dns]\nservers = [\"127.0.0.1:9\"]\ntimeout = 1\n[[alert]]\nname = \"no receiver\"\n";
    let sandbox = Sandbox::new().config(faults);
    let quick = sandbox.run(&["check", "--quick"], b"");
    assert!(quick.code == 0 && !quick.stdout.contains("dns"), "{quick:?}");
    assert_eq!(sandbox.run(&["check", "--quick", "--quiet"], b"").stdout, "");
    let whole = sandbox.run(&["check"], b"");
    assert!(whole.code == 1 && whole.stdout.contains("[[alert]]"), "{whole:?}");
    let bad = Sandbox::new().settings("accept_percent = 250");
    let quick = bad.run(&["check", "--quick", "--quiet"], b"");
    assert!(
        quick.code == 1 && quick.stdout.starts_with("wrong") && quick.stdout.contains("fix: "),
        "{quick:?}"
    );
}

/// The commands below `words`, by help.
fn commands(sandbox: &Sandbox, words: &[&str]) -> Vec<Vec<String>> {
    let help = sandbox.run(&[words, &["--help"]].concat(), b"").stdout;
    let listed = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
    let mut found = Vec::new();
    for line in listed.lines().take_while(|line| !line.is_empty()) {
        let Some(name) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) else { continue };
        let name = name.split_whitespace().next().unwrap();
        let all = [words, &[name]].concat();
        found.push(all.iter().map(|&word| word.to_owned()).collect());
        found.extend(commands(sandbox, &all));
    }
    found
}

#[test]
fn each_command_has_a_manual_page() {
    let sandbox = Sandbox::new();
    let directory = sandbox.path("man");
    let ran = sandbox.run(&["man", "--out", &directory.display().to_string()], b"");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
    let mut wanted: Vec<String> =
        commands(&sandbox, &[]).iter().map(|words| format!("carom-{}.1", words.join("-"))).collect();
    assert!(wanted.len() > 40 && wanted.contains(&"carom-policy-install.1".into()), "{wanted:?}");
    wanted.push("carom.1".into());
    wanted.sort();
    assert_eq!(names(&directory), wanted);
    let page = fs::read_to_string(directory.join("carom-check.1")).unwrap();
    assert!(page.contains(".TH") && page.contains("quick"), "{page}");
}

#[test]
fn the_line_for_cron_ticks_only_where_no_systemd_runs_and_carom_is_installed() {
    let sandbox = Sandbox::new();
    let file = shipped("etc/cron.d/carom");
    let lines: Vec<&str> = file.lines().filter(|line| !line.starts_with('#')).collect();
    let [line] = lines[..] else { panic!("{file}") };
    let command = line.strip_prefix("* * * * * carom ").expect("each minute, as carom");
    let (systemd, binary) = (sandbox.path("systemd"), sandbox.path("carom-stub"));
    let command = command
        .replace("/run/systemd/system", &systemd.display().to_string())
        .replace("/usr/bin/carom", &binary.display().to_string());
    let ticked = || {
        let ran = Command::new("/bin/sh").args(["-c", &command]).output().unwrap();
        assert!(ran.status.success(), "{command}: {ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    };
    assert_eq!(ticked(), "", "carom is removed");
    std::os::unix::fs::symlink("/bin/echo", &binary).unwrap();
    assert_eq!(ticked(), "cron --quiet\n");
    fs::create_dir(&systemd).unwrap();
    assert_eq!(ticked(), "", "systemd runs");
}

/// Copies of the shipped units, with programs that exist.
fn units(sandbox: &Sandbox) -> Vec<PathBuf> {
    let directory = "usr/lib/systemd/system";
    let copy = |name: String| {
        let text = shipped(&format!("{directory}/{name}"));
        let text = text.replace("/usr/bin/carom", "/bin/true").replace("/etc/carom/reload/%i", "/bin/true");
        let unit = sandbox.path(&name);
        fs::write(&unit, text).unwrap();
        unit
    };
    names(&Path::new(ROOT).join(directory)).into_iter().map(copy).collect()
}

#[test]
fn units_are_valid_and_hardened() {
    let sandbox = Sandbox::new();
    let units = units(&sandbox);
    assert_eq!(units.len(), 13, "{units:?}");
    let analyze = |arguments: &[&str], units: &[PathBuf]| {
        let ran = Command::new("systemd-analyze").arg("--no-pager").args(arguments).args(units).output();
        ran.ok().map(|ran| (ran.status.success(), String::from_utf8_lossy(&ran.stderr).into_owned(), ran))
    };
    let Some((is_valid, said, _)) = analyze(&["verify", "--man=no"], &units) else {
        eprintln!("skipped: systemd-analyze is not installed");
        return;
    };
    assert!(is_valid && !said.contains("carom"), "{said}");
    for unit in units.into_iter().filter(|unit| unit.extension().is_some_and(|kind| kind == "service")) {
        let text = fs::read_to_string(&unit).unwrap();
        for line in ["NoNewPrivileges=yes", "MemoryDenyWriteExecute=yes", "ProtectSystem=strict"] {
            assert!(text.lines().any(|has| has == line), "{}: {line}", unit.display());
        }
        // The threshold is in tenths.
        let rated = analyze(&["security", "--offline=yes", "--threshold=20"], &[unit]);
        assert!(rated.as_ref().is_some_and(|(is_low, ..)| *is_low), "{rated:?}");
    }
}

#[test]
fn only_what_takes_mail_is_kept_from_starting_by_a_check() {
    let checks = |name: &str| shipped(&format!("usr/lib/systemd/system/{name}")).contains("\nExecStartPre=");
    assert!(checks("carom-relay@.service") && !checks("carom.service"));
    for name in ["carom-relay@.service", "carom-lmtp.service"] {
        assert!(shipped(&format!("usr/lib/systemd/system/{name}")).contains("carom check --quick"), "{name}");
    }
}
