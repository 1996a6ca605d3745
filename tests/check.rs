//! `carom check`: every mistake of an operator's first hour is found, what it prints as the fix repairs it, and nothing
//! is created, whatever is wrong.
//!
//! Each mistake begins with a config that is right. Some need root, as the user whose rights are tested is another one;
//! they say so and pass where somebody else runs them. What Postfix hands to carom is in `wiring`.

use crate::harness::guest::Guest;
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{DAY_MS, HOUR_MS, Ran, Sandbox, finish, plain, start};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

const GOOD: &str = r#"state = "DIR/state"
policy = "sink"
[dns]
zone = "DIR/zone"
[network]
allow_private = ["127.0.0.0/8"]
smtp_port = PORT
[policies]
mail_user = "root"
[policy.sink.settings]
domains = ["sink.example"]
[policy.sink.settings.mx_allowlist]
"mx1.sender.example" = "fbl@sender.example"
"#;

/// A host whose config is right, until it is changed.
struct Host {
    sandbox: Sandbox,
    /// Variables of the environment.
    environment: Vec<(&'static str, String)>,
}

impl Host {
    fn new() -> Host {
        let host = Host { sandbox: Sandbox::new(), environment: Vec::new() };
        host.write(GOOD);
        let state = host.sandbox.path("state");
        fs::create_dir(&state).unwrap();
        fs::set_permissions(&state, Permissions::from_mode(0o750)).unwrap();
        let compiled = state.join("compiled");
        fs::create_dir(&compiled).unwrap();
        for (name, code) in compiled_policies() {
            fs::write(compiled.join(name), code).unwrap();
        }
        host
    }

    fn write(&self, config: &str) {
        let port = self.sandbox.smtp_port.to_string();
        let text = config.replace("DIR", &self.sandbox.dir.display().to_string()).replace("PORT", &port);
        let file = self.sandbox.path("carom.toml");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    }

    /// A config with these lines more.
    fn with(more: &str) -> Host {
        let host = Host::new();
        host.write(&format!("{GOOD}{more}"));
        host
    }

    /// A config in which one thing is different.
    fn but(old: &str, new: &str) -> Host {
        let host = Host::new();
        assert!(GOOD.contains(old), "{old}");
        host.write(&GOOD.replace(old, new));
        host
    }

    fn edit(&self, old: &str, new: &str) {
        let file = self.sandbox.path("carom.toml");
        let text = fs::read_to_string(&file).unwrap();
        let dir = self.sandbox.dir.display().to_string();
        let (old, new) = (old.replace("DIR", &dir), new.replace("DIR", &dir));
        assert!(text.contains(&old), "{old}: {text}");
        fs::write(&file, text.replace(&old, &new)).unwrap();
    }

    fn run(&self, words: &[&str]) -> Ran {
        let mut command = self.sandbox.command(words);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        finish(start(command, b""), Duration::from_secs(60))
    }

    /// The exit code and the findings of `carom check`, which has created nothing.
    #[track_caller]
    fn check(&self, words: &[&str]) -> (i32, Vec<Value>) {
        let before = everything(&self.sandbox.dir);
        let ran = self.run(&[&["check", "--json"], words].concat());
        assert_eq!(everything(&self.sandbox.dir), before, "it changed something: {ran:?}");
        let findings: Vec<Value> =
            ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(!findings.is_empty(), "{ran:?}");
        for finding in &findings {
            let has = |key: &str| finding.get(key).is_some();
            assert!(has("subject") && has("found") && has("level"), "{finding}");
            assert_eq!(finding["level"] != "ok", has("fix"), "{finding}");
            assert_eq!(has("file"), has("line"), "{finding}");
        }
        (ran.code, findings)
    }

    /// The finding that has this in its text.
    #[track_caller]
    fn finds(&self, words: &[&str], level: &str, text: &str) -> Value {
        let (code, findings) = self.check(words);
        let is_it = |finding: &&Value| finding["found"].as_str().unwrap().contains(text);
        let found: Vec<&Value> = findings.iter().filter(is_it).collect();
        assert_eq!(found.len(), 1, "{text}: {findings:#?}");
        assert_eq!(found[0]["level"], level, "{findings:#?}");
        assert_eq!(code, i32::from(findings.iter().any(|finding| finding["level"] == "wrong")));
        found[0].clone()
    }

    /// Nothing is wrong, and nothing says this.
    #[track_caller]
    fn is_repaired(&self, words: &[&str], text: &str) {
        let (code, findings) = self.check(words);
        let said = findings.iter().any(|finding| finding["found"].as_str().unwrap().contains(text));
        assert!(code == 0 && !said, "{text}: {findings:#?}");
    }

    /// Runs the command that a fix contains: what begins with `start`, up to another way.
    #[track_caller]
    fn obey(&self, finding: &Value, start: &str) {
        let fix = finding["fix"].as_str().unwrap();
        let at = fix.find(start).unwrap_or_else(|| panic!("no {start:?} in {fix}"));
        let command = fix[at..].split("; ").next().unwrap();
        let output = Command::new("sh").args(["-c", command]).output().unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    }
}

/// The compiled code of the shipped policies: made once, as `carom check` keeps none.
fn compiled_policies() -> &'static [(String, Vec<u8>)] {
    static COMPILED: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let sandbox = Sandbox::new();
        for policy in ["sink", "bounce"] {
            let words = [
                "pipe",
                "--dry-run",
                "--policy",
                policy,
                "--sender",
                "a@b.example",
                "--recipient",
                "x@y.example",
            ];
            assert_eq!(sandbox.run(&words, b"Subject: x\r\n\r\nx\r\n").code, 0);
        }
        let files = fs::read_dir(sandbox.path("state/compiled")).unwrap().flatten();
        let files =
            files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()));
        files.filter(|(name, _)| name.ends_with(".cwasm") || name.ends_with(".sha256")).collect()
    })
}

/// Everything below a directory, with the content of files. The index of a write-ahead log is memory that processes
/// share.
fn everything(below: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(below).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(everything(&path));
        }
        let content = if path.is_file() && !path.to_string_lossy().ends_with("-shm") {
            fs::read(&path).unwrap_or_default()
        } else {
            Vec::new()
        };
        found.insert(path.display().to_string(), content);
    }
    found
}

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("skipped: only root can test as somebody else");
    }
    is_root
}

#[test]
fn a_config_that_is_right_has_nothing_to_repair_and_check_creates_nothing() {
    let host = Host::new();
    for words in [&[][..], &["--quick"]] {
        let (code, findings) = host.check(words);
        let others = findings.iter().filter(|finding| finding["subject"] != "postfix");
        assert!(code == 0 && others.clone().all(|finding| finding["level"] == "ok"), "{findings:#?}");
    }
    assert_eq!(fs::read_dir(host.sandbox.path("state")).unwrap().count(), 1);
    // Not even where nothing is compiled yet.
    fs::remove_dir_all(host.sandbox.path("state/compiled")).unwrap();
    assert_eq!(host.check(&[]).0, 0);
    host.sandbox.pipe("x@accept.sink.example", &plain("x@accept.sink.example")).silent();
    assert_eq!(host.sandbox.run(&["cron"], b"").code, 0);
    assert_eq!(host.check(&[]).0, 0, "with all files there, none changes");
}

#[test]
fn a_user_who_does_not_exist_is_found() {
    if !is_root() {
        return;
    }
    let host = Host::but("\"root\"", "\"carom-of-nowhere\"");
    let found = host.finds(&[], "note", "there is no user carom-of-nowhere");
    assert!(found["fix"].as_str().unwrap().starts_with("useradd --system"), "{found}");
    let refused = host.run(&["check", "--as", "carom-of-nowhere"]);
    assert!(refused.code == 1 && refused.stderr.contains("useradd --system"), "{refused:?}");
    host.edit("carom-of-nowhere", "root");
    host.is_repaired(&[], "there is no user");
}

#[test]
fn a_state_that_the_user_cannot_write_is_found_when_root_checks() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    host.sandbox.pipe("x@oob.sink.example", &plain("x@oob.sink.example"));
    let as_nobody = ["--as", "nobody"];
    let (code, findings) = host.check(&as_nobody);
    let said: Vec<&Value> = findings.iter().filter(|finding| finding["level"] == "wrong").collect();
    assert!(code == 1 && said.iter().any(|finding| finding["subject"] == "state"), "{findings:#?}");
    let found = host.finds(&as_nobody, "wrong", "/state: nobody cannot write there");
    host.obey(&found, "chown -R nobody:");
    host.edit("[policies]", "[policies]\n#");
    let file = host.sandbox.path("carom.toml");
    let found = host.finds(&as_nobody, "wrong", "the mail user cannot read the config");
    assert!(found["found"].as_str().unwrap().contains(file.to_str().unwrap()));
    host.obey(&found, "chgrp ");
    host.is_repaired(&as_nobody, "cannot");
}

#[test]
fn mail_logs_that_are_missing_unreadable_or_of_no_journal_are_found() {
    let host = Host::with("[[logs]]\nkind = \"postfix\"\npath = \"DIR/mail.log\"\n");
    let log = host.sandbox.path("mail.log");
    let found = host.finds(&[], "wrong", "mail.log: no such file");
    assert!(
        found["line"].as_u64().is_some() && found["file"].as_str().unwrap().ends_with("carom.toml"),
        "{found}"
    );
    let line = "Nov 21 10:00:00 mx postfix/qmgr[1]: 4QFkX01234z1: from=<a@b.example>, size=1, nrcpt=1\n";
    fs::write(&log, line).unwrap();
    host.is_repaired(&[], "mail.log: no such file");
    if is_root() {
        fs::set_permissions(&log, Permissions::from_mode(0o600)).unwrap();
        let as_nobody = ["--as", "nobody"];
        host.edit("DIR/state", "DIR/nobody");
        let state = host.sandbox.path("nobody");
        fs::create_dir(&state).unwrap();
        std::os::unix::fs::chown(&state, Some(65_534), None).unwrap();
        fs::set_permissions(host.sandbox.path("carom.toml"), Permissions::from_mode(0o644)).unwrap();
        let found = host.finds(&as_nobody, "wrong", "mail.log: Permission denied");
        let fix = found["fix"].as_str().unwrap();
        assert!(fix.ends_with(&format!("setfacl -m u:nobody:r {}", log.display())), "{fix}");
        fs::set_permissions(&log, Permissions::from_mode(0o644)).unwrap();
        host.is_repaired(&as_nobody, "mail.log: Permission denied");
    }
    let host = Host::with("[[logs]]\nkind = \"journald\"\npath = \"DIR/journal\"\n");
    let (code, findings) = host.check(&[]);
    assert!(
        code == 1 && findings.iter().any(|found| found["subject"] == "logs" && found["level"] == "wrong")
    );
}

/// A DNS server that knows no name; what it was asked.
fn dns_server() -> (u16, Arc<Mutex<Vec<Vec<u8>>>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let asked: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let record = asked.clone();
    std::thread::spawn(move || {
        let mut query = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            let mut answer = query[..length].to_vec();
            record.lock().unwrap().push(answer.clone());
            // QR, RA; NXDOMAIN.
            (answer[2], answer[3]) = (answer[2] | 0x80, 0x83);
            let _ = socket.send_to(&answer, from);
        }
    });
    (port, asked)
}

#[test]
fn dns_that_does_not_answer_is_found_by_a_query_that_leaves() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let servers = format!("servers = [\"127.0.0.1:{}\"]\ntimeout = 1", silent.local_addr().unwrap().port());
    let host = Host::but("zone = \"DIR/zone\"", &servers);
    host.finds(&[], "wrong", "no answer in time");
    let (port, asked) = dns_server();
    host.edit(&servers, &format!("servers = [\"127.0.0.1:{port}\"]\ntimeout = 2"));
    host.is_repaired(&[], "no answer in time");
    let first = asked.lock().unwrap().clone();
    assert!(!first.is_empty(), "a server was asked");
    host.finds(&[], "note", "sink.example has neither MX nor address in DNS");
    let second = asked.lock().unwrap()[first.len()..].to_vec();
    let name = |query: &Vec<u8>| query[12..].to_vec();
    assert_ne!(name(&first[0]), name(&second[0]), "no cache can answer");
}

#[test]
fn a_state_directory_that_is_a_typo_is_found() {
    let host = Host::but("DIR/state", "DIR/no/such/state");
    let found = host.finds(&[], "wrong", "no/such/state: there is no such directory");
    assert_eq!(found["line"], 1);
    host.obey(&found, "install -d ");
    host.is_repaired(&[], "no such directory");
    let host = Host::but("DIR/state", "DIR/staet");
    let found = host.finds(&[], "note", "staet: there is no such directory yet");
    host.obey(&found, "install -d ");
    host.is_repaired(&[], "no such directory");
    let host = Host::but("DIR/state", "relative/dir");
    let found = host.finds(&[], "wrong", "leads to another place");
    assert!(found["fix"].as_str().unwrap().starts_with("write the whole path: state = \"/"), "{found}");
    host.edit("relative/dir", "DIR/state");
    host.is_repaired(&[], "leads to another place");
    let host = Host::but("DIR/state", "DIR/zone");
    host.finds(&[], "wrong", "zone: it is not a directory");
}

#[test]
fn a_clock_that_was_set_back_or_runs_ahead_is_found() {
    let host = Host::new();
    assert_eq!(host.sandbox.run(&["cron"], b"").code, 0);
    host.sandbox.set_clock(-8 * DAY_MS);
    let found = host.finds(&[], "wrong", "the last tick was at");
    assert!(found["subject"] == "clock" && found["fix"].as_str().unwrap().contains("timedatectl"), "{found}");
    host.sandbox.set_clock(DAY_MS);
    let found = host.finds(&[], "wrong", "ticks have stopped, or the clock runs ahead");
    assert!(found["fix"].as_str().unwrap().contains("timedatectl"), "{found}");
    assert_eq!(host.sandbox.run(&["cron"], b"").code, 0);
    host.is_repaired(&[], "ticks have stopped");
}

#[test]
fn mail_that_cannot_leave_is_found() {
    let host = Host::new();
    let mail = crate::harness::signed("x@oob.sink.example", "", b"hello\r\n");
    host.sandbox.pipe("x@oob.sink.example", &mail);
    assert_eq!(host.sandbox.counter("oob_deferred"), 1);
    host.finds(&[], "note", "1 step is failing and retried; the first, bounce of x@oob.sink.example");
    host.sandbox.set_clock(2 * HOUR_MS);
    let found = host.finds(&[], "wrong", "1 step is failing");
    assert!(found["fix"].as_str().unwrap().contains("carom check --connect"), "{found}");
    // The domain is that of the sender to whom mail waits.
    let port = host.sandbox.smtp_port;
    let text = format!("port {port} of no mail exchanger answers: mx1.sender.example: 127.0.0.1");
    host.finds(&["--connect"], "wrong", &text);
    let peer = SmtpPeer::at("127.0.0.1", port, ACCEPT);
    assert_eq!(host.sandbox.run(&["outbox", "retry", "--all"], b"").code, 0);
    assert_eq!(host.sandbox.run(&["cron"], b"").code, 0);
    assert_eq!(peer.mails().len(), 1);
    let (code, findings) = host.check(&["--connect", "stranger.example"]);
    let said = format!("mx.stranger.example answers on port {port}: 127.0.0.1 220");
    let is_said = findings.iter().any(|found| found["found"].as_str().unwrap().starts_with(&said));
    assert!(code == 0 && is_said, "{findings:#?}");
    host.finds(&["--connect", "nowhere.example"], "wrong", "nowhere.example takes no mail");
    let asked = peer.connections.load(std::sync::atomic::Ordering::SeqCst);
    host.check(&[]);
    assert_eq!(
        peer.connections.load(std::sync::atomic::Ordering::SeqCst),
        asked,
        "without --connect there is none"
    );
}

#[test]
fn a_sink_that_answers_nobody_is_found() {
    let host = Host::but("\"mx1.sender.example\" = \"fbl@sender.example\"\n", "");
    let found = host.finds(&[], "note", "mx_allowlist of the sink is empty");
    assert_eq!(found["line"], 12);
    host.edit("mx_allowlist]\n", "mx_allowlist]\n\"mx.example.com\" = \"\"\n");
    host.is_repaired(&[], "mx_allowlist");
}

#[test]
fn a_domain_that_powermta_does_not_hand_on_is_found() {
    let host = Host::with("[relay]\npowermta = \"DIR/pmta\"\n");
    let file = host.sandbox.path("pmta");
    let block = |domain: &str, spool: &Path| {
        format!("<domain {domain}>\n  type file\n  file-destination {}\n</domain>\n", spool.display())
    };
    let spool = host.sandbox.path("inbound");
    fs::write(&file, block("*.sink.exmaple", &spool)).unwrap();
    fs::create_dir(&spool).unwrap();
    let found = host.finds(&[], "wrong", "no <domain *.sink.example> of type file or pipe");
    assert!(
        found["fix"].as_str().unwrap().starts_with("correct the domain: PowerMTA has sink.exmaple"),
        "{found}"
    );
    host.finds(&[], "note", "<domain *.sink.exmaple> hands mail on, and no policy has this domain");
    fs::write(&file, block("*.sink.example", &spool)).unwrap();
    host.is_repaired(&[], "<domain");
    fs::remove_dir(&spool).unwrap();
    let found = host.finds(&[], "wrong", "inbound: there is no such directory for `carom relay`");
    host.obey(&found, "install -d ");
    host.is_repaired(&[], "no such directory");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let found = host.finds(&[], "note", "whether PowerMTA hands carom its domains is not known");
    assert!(found["fix"].as_str().unwrap().contains("setfacl -m u:root:r /"), "{found}");
}

#[test]
fn a_domain_that_postfix_takes_under_a_similar_name_is_named() {
    let mut host = Host::new();
    let directory = host.sandbox.path("etc");
    fs::create_dir(&directory).unwrap();
    let main = "relay_domains = sink.exmaple\ntransport_maps = inline:{ {sink.exmaple=carom} }\n";
    fs::write(directory.join("main.cf"), main).unwrap();
    let service = "carom unix - n n - - pipe flags=DORX user=nobody argv=/usr/bin/carom pipe\n";
    fs::write(directory.join("master.cf"), service).unwrap();
    host.environment.push(("MAIL_CONFIG", directory.display().to_string()));
    let found = host.finds(&[], "wrong", "mail for sink.example goes not to carom");
    assert!(
        found["fix"].as_str().unwrap().starts_with("correct the domain, if you mean sink.exmaple"),
        "{found}"
    );
}

#[test]
fn spools_that_carom_cannot_use_are_found() {
    let host = Host::new();
    let spool = host.sandbox.path("spool");
    let words = ["--spool", spool.to_str().unwrap()];
    let found = host.finds(&words, "wrong", "spool: there is no such directory");
    host.obey(&found, "install -d ");
    host.is_repaired(&words, "no such directory");
    // Shared memory is another file system.
    let elsewhere = Path::new("/dev/shm");
    if elsewhere.is_dir() {
        host.edit("[policies]", "[relay]\nfailed = \"/dev/shm/carom-check-failed\"\n[policies]");
        let found = host.finds(&words, "note", "on another file system than");
        assert!(found["fix"].as_str().unwrap().starts_with("remove [relay] failed"), "{found}");
        host.edit("failed = \"/dev/shm/carom-check-failed\"", "");
        host.is_repaired(&words, "on another file system than DIR");
    }
}

#[test]
fn keys_that_cannot_sign_are_found() {
    let key = "keys = [\"a key of this test, long enough\"]\n";
    let domain = "domain = \"bounces.example\"\n";
    for (lines, text, fix) in [
        (
            "keys = [\"short\"]\ndomain = \"bounces.example\"\n",
            "[verp] keys: key 1 has less than 16 octets",
            "make one with: carom secret new",
        ),
        (key, "[verp] domain: \"\" is not a domain", "use a domain"),
        (domain, "there are no keys", "carom secret new"),
    ] {
        let host = Host::with(&format!("[verp]\n{lines}"));
        let found = host.finds(&[], "wrong", text);
        assert!(
            found["fix"].as_str().unwrap().contains(fix) && found["line"].as_u64().unwrap() > 13,
            "{found}"
        );
        let made = host.run(&["secret", "new"]);
        assert!(made.code == 1 || made.stdout.len() > 40);
        host.write(&format!("{GOOD}[verp]\n{key}{domain}"));
        host.is_repaired(&[], text);
    }
}

#[test]
fn webhooks_that_cannot_be_called_are_found() {
    for (line, text, fix) in [
        ("secrets = [\"whsec_short\"]", "webhook secret 1 is not whsec_", "carom secret new --webhook"),
        ("url = \"ftp://app.example.com/{address}\"", "ftp is not http or https", "begin it with https://"),
        ("url = \"app.example.com/{address}\"", "does not begin with https://", "begin it with https://"),
        ("url = \"https://app.example.com/{addr}\"", "unknown variable {addr}", "use {address}"),
        (
            "url = \"https://user@app.example.com/{address}\"",
            "URLs with user names are not allowed",
            "remove `user@`",
        ),
    ] {
        let good = "url = \"https://app.example.com/{address}\"";
        let lines = if line.starts_with("url") { line.to_owned() } else { format!("{good}\n{line}") };
        let host = Host::with(&format!("[[notify]]\nsender_domain = \"*\"\n{lines}\n"));
        let found = host.finds(&[], "wrong", text);
        assert!(found["fix"].as_str().unwrap().contains(fix), "{found}");
        host.edit(&lines, good);
        host.is_repaired(&[], text);
    }
}

#[test]
fn faults_of_the_config_are_said_in_plain_words_with_line_and_key() {
    for (lines, text, fix) in [
        ("[message]\ndeadline = \"x\"\n", "[message] deadline: must be a whole number", "without quotes"),
        ("[message]\ndeadline = -1\n", "[message] deadline: must be a whole number", "whole number"),
        ("[mesage]\ndeadline = 60\n", "unknown key `mesage`", "message"),
        ("[auth]\nown_servers = \"192.0.2.1\"\n", "[auth] own_servers: must be a list", "[…]"),
        ("[send]\nstarttls = \"yes\"\n", "[send] starttls: must be true or false", "without quotes"),
        ("[[logs]]\nkind = \"postfx\"\n", "[[logs]] kind: `postfx` is not a value", "postfix"),
        ("[[alert]]\nname = \"a\"\nwhen = \"volume\"\nabove = 1\n", "[[alert]]: alerts nobody", "set mail"),
        ("[policy.sink.settings.x]\n", "x = {}: unknown setting", "change it in [policy.sink.settings]"),
    ] {
        let host = Host::with(lines);
        let found = host.finds(&[], "wrong", text);
        assert!(found["fix"].as_str().unwrap().contains(fix), "{found}");
        assert!(found["line"].as_u64().unwrap() >= 14, "{found}");
        host.edit(lines, "");
        host.is_repaired(&[], text);
    }
}

#[test]
fn policies_that_are_missing_fail_or_are_compiled_for_another_carom_are_found() {
    let host = Host::but("policy = \"sink\"", "policy = \"snik\"");
    let found = host.finds(&[], "wrong", "there is no policy `snik`");
    assert!(found["fix"].as_str().unwrap().contains("one of those shipped: sink"), "{found}");
    let host = Host::with("[policy.mine]\npath = \"DIR/mine.wasm\"\n");
    Guest::new("(unreachable)").write(&host.sandbox.path("mine.wasm"));
    host.finds(&[], "wrong", "policy mine (");
    Guest::new("(drop (call $accept))").write(&host.sandbox.path("mine.wasm"));
    host.is_repaired(&[], "trap");
    Guest::new("(drop (call $accept))").version("9.0.0").write(&host.sandbox.path("mine.wasm"));
    let found = host.finds(&[], "wrong", "this carom offers carom:policy@");
    assert!(found["fix"].as_str().unwrap().contains("carom policy wit"), "{found}");
}

#[test]
fn places_that_ticks_write_to_are_found() {
    for (lines, text, good) in [
        ("[export]\nhtml = \"DIR/no/page.html\"\n", "no: there is no such directory", ""),
        ("[export]\nprometheus = \"DIR/no/carom.prom\"\n", "no: there is no such directory", ""),
        (
            "[[cycle]]\nname = \"a\"\nvalues = [1, 1, 1, 1, 1, 1, 1]\nfile = \"DIR/no/x\"\ntext = \"{value}\"\n",
            "no: there is no such directory",
            "",
        ),
        ("[export]\ncsv = \"DIR/zone\"\n", "zone: Not a directory", "[export]\ncsv = \"DIR/csv\"\n"),
        (
            "[export]\nhtml = \"DIR/state\"\n",
            "state: it is a directory",
            "[export]\nhtml = \"DIR/page.html\"\n",
        ),
    ] {
        let host = Host::with(lines);
        let found = host.finds(&[], "wrong", text);
        assert!(found["line"].as_u64().unwrap() >= 14, "{found}");
        if good.is_empty() {
            host.obey(&found, "mkdir -p ");
        } else {
            host.edit(lines, good);
        }
        host.is_repaired(&[], text);
    }
}

#[test]
fn a_bounce_policy_that_can_prove_nothing_is_found() {
    let host = Host::but("policy = \"sink\"", "policy = \"bounce\"");
    let found = host.finds(&[], "wrong", "no report can ever be proven");
    assert_eq!(found["line"], 2);
    host.edit(
        "[dns]",
        "[verp]\nkeys = [\"a key of this test, long enough\"]\ndomain = \"bounces.example\"\n[dns]",
    );
    host.is_repaired(&[], "no report can ever be proven");
}

#[test]
fn files_that_cannot_be_the_store_are_found_and_no_fix_loses_them() {
    let host = Host::but("[dns]", "[store]\npath = \"DIR/store\"\n[dns]");
    let store = host.sandbox.path("store");
    fs::create_dir(&store).unwrap();
    let found = host.finds(&[], "wrong", "store: it is a directory, not a database");
    assert_eq!(found["line"], 4);
    let path = found["fix"].as_str().unwrap().rsplit(' ').next().unwrap();
    host.edit("DIR/store", path);
    host.is_repaired(&[], "not a database");
    host.edit(path, "DIR/notes");
    let notes = host.sandbox.path("notes");
    fs::write(&notes, "notes of somebody\n".repeat(100)).unwrap();
    fs::set_permissions(&notes, Permissions::from_mode(0o640)).unwrap();
    let found = host.finds(&[], "wrong", "notes: not a database of SQLite");
    host.obey(&found, "mv ");
    host.is_repaired(&[], "not a database");
    assert!(fs::read(host.sandbox.path("notes.other")).unwrap().starts_with(b"notes of somebody"));
    host.edit("[dns]", "[index]\npath = \"DIR/notes\"\n[dns]");
    let found = host.finds(&[], "wrong", "it is the path of the store and of the index");
    let path = found["fix"].as_str().unwrap().rsplit(' ').next().unwrap();
    host.edit("[index]\npath = \"DIR/notes\"", &format!("[index]\npath = \"{path}\""));
    host.is_repaired(&[], "the path of the store and of the index");
    // A database that is damaged.
    host.edit("[store]\npath = \"DIR/notes\"\n", "");
    host.sandbox.pipe("x@oob.sink.example", &plain("x@oob.sink.example"));
    let store = host.sandbox.path("state/carom.db");
    let mut bytes = fs::read(&store).unwrap();
    bytes[4096 * 2..4096 * 4].fill(0xa5);
    fs::write(&store, bytes).unwrap();
    let (code, findings) = host.check(&[]);
    let said = findings.iter().find(|found| found["subject"] == "store" && found["level"] == "wrong");
    assert!(
        code == 1 && said.is_some_and(|said| said["fix"].as_str().unwrap().contains(".recover")),
        "{findings:#?}"
    );
}
