//! `carom check`: every mistake of an operator's first hour is found, what it prints as the fix repairs it, and nothing
//! is created, whatever is wrong.
//!
//! Some mistakes need root, as the user whose rights are tested is another one; they say so and pass where somebody else
//! runs them. Not here: the config and what it names (`check_config`), and what Postfix hands to carom (`wiring`).

use crate::harness::checked_host::Host;
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{DAY_MS, HOUR_MS, SENDER, Sandbox, plain, signed};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

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
    // Also where the state directory has another owner, or that of a user who is gone.
    let state = host.sandbox.path("state");
    let owned_by = |uid: u32| std::os::unix::fs::chown(&state, Some(uid), None).unwrap();
    for (uid, tester, fix) in [
        (65_534, "nobody", "or set [policies] mail_user = \"nobody\""),
        (61_234, "61234", "useradd --system --uid 61234 "),
    ] {
        owned_by(uid);
        let text =
            format!("there is no user carom-of-nowhere: tested as {tester}, who owns {}", state.display());
        let found = host.finds(&[], "note", &text);
        assert!(found["fix"].as_str().unwrap().contains(fix), "{found}");
    }
    owned_by(0);
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
        // What is closed is the directory.
        let closed = host.sandbox.path("closed");
        fs::create_dir(&closed).unwrap();
        fs::rename(&log, closed.join("mail.log")).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
        host.edit("DIR/mail.log", "DIR/closed/mail.log");
        let found = host.finds(&as_nobody, "wrong", "mail.log: Permission denied");
        let fix = found["fix"].as_str().unwrap();
        assert!(fix.ends_with(&format!("setfacl -m u:nobody:x {}", closed.display())), "{fix}");
    }
    let host = Host::with("[[logs]]\nkind = \"journald\"\npath = \"DIR/journal\"\n");
    let (code, findings) = host.check(&[]);
    assert!(
        code == 1 && findings.iter().any(|found| found["subject"] == "logs" && found["level"] == "wrong")
    );
    // A directory in which no journal is.
    fs::create_dir(host.sandbox.path("journal")).unwrap();
    if Path::new("/usr/bin/journalctl").exists() {
        let found = host.finds(&[], "wrong", "there is no journal in ");
        assert!(found["fix"].as_str().unwrap().contains("postconf -h maillog_file"), "{found}");
        let ticked = host.run(&["cron"]);
        assert!(ticked.code == 1 && ticked.stderr.contains("there is no journal in "), "{ticked:?}");
    }
}

/// A DNS server that knows no name; what it was asked.
pub(crate) fn dns_server() -> (u16, Arc<Mutex<Vec<Vec<u8>>>>) {
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
    host.finds(&[], "wrong", "MX of carom-check-");
    let (port, asked) = dns_server();
    host.edit(&servers, &format!("servers = [\"127.0.0.1:{port}\"]\ntimeout = 2"));
    host.is_repaired(&[], "MX of carom-check-");
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
    let mail = signed("x@oob.sink.example", "", b"hello\r\n");
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
fn port_25_that_a_provider_blocks_is_found() {
    let mut host = Host::with("[send]\ntimeout = 2\n");
    let port = host.sandbox.smtp_port;
    host.network = "ip link set lo up && nft add table ip t && \
        nft 'add chain ip t out { type filter hook output priority 0 ; }' && \
        nft add rule ip t out tcp dport PORT drop"
        .replace("PORT", &port.to_string());
    let words =
        ["pipe", "--sender", SENDER, "--recipient", "x@oob.sink.example", "--client-address", "192.0.2.1"];
    let ran = host.hand(&words, &signed("x@oob.sink.example", "", b"hello\r\n"));
    if ran.stderr.contains("unshare") || ran.stderr.contains("not found") {
        return eprintln!("skipped: it needs root, iproute2 and nftables: {}", ran.stderr);
    }
    ran.silent();
    let found =
        host.finds(&[], "note", "1 step is failing and retried; the first, bounce of x@oob.sink.example");
    assert!(found["found"].as_str().unwrap().contains("did not answer in time"), "{found}");
    host.sandbox.set_clock(2 * HOUR_MS);
    let found = host.finds(&[], "wrong", "1 step is failing");
    assert!(found["fix"].as_str().unwrap().contains("carom check --connect"), "{found}");
    let said = format!("port {port} of no mail exchanger answers: mx1.sender.example: 127.0.0.1");
    let found = host.finds(&["--connect"], "wrong", &said);
    assert!(
        found["found"].as_str().unwrap().contains("mx2.sender.example: 127.0.0.2"),
        "each is tried: {found}"
    );
    let fix = format!("let this host connect to port {port} of others: many providers block it");
    assert!(found["fix"].as_str().unwrap().starts_with(&fix), "{found}");
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
    assert_eq!(found["fix"], "set [relay] powermta to the config of PowerMTA", "{found}");
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
    let found = host.finds(&[], "wrong", "mail for sink.example does not go to carom");
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
fn a_tick_that_never_came_is_found_when_the_store_is_not_new() {
    let host = Host::new();
    host.sandbox.pipe("x@oob.sink.example", &plain("x@oob.sink.example"));
    let text = "there was none since ";
    host.is_repaired(&[], text);
    host.sandbox.advance(10 * DAY_MS);
    let found = host.finds(&[], "wrong", text);
    assert!(found["subject"] == "tick" && found["fix"].as_str().unwrap().contains("carom.timer"), "{found}");
    assert!(host.run(&["cron"]).code <= 1);
    host.is_repaired(&[], text);
}

#[test]
fn a_sink_with_the_domain_of_return_paths_is_found() {
    let key = "0f8a2b5d9c3e4f7a1b6c8d0e2f4a6b8c";
    let found = |domain: &str| {
        let config = format!("[verp]\nkeys = [\"{key}\"]\ndomain = \"{domain}\"\n");
        let ran = Sandbox::new().config(&config).run(&["check"], b"");
        ran.stdout.contains("the sink has the domain of return paths")
    };
    assert!(found("Sink.example") && !found("bounces.example"));
}

#[test]
fn files_of_root_in_the_state_directory_are_found_with_one_command() {
    if !is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    let state = sandbox.path("state");
    let chown = |path: &Path| std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    chown(&state);
    let check = || sandbox.run(&["check", "--quick"], b"").stdout;
    assert!(check().contains(&format!("chown -R nobody: {}", state.display())), "{}", check());
    for entry in fs::read_dir(&state).unwrap().flatten() {
        chown(&entry.path());
    }
    assert!(!check().contains("chown -R nobody"), "{}", check());
    // A log in it, or elsewhere: what nobody can write there has no line.
    let log = sandbox.path("state/log");
    fs::create_dir_all(&log).unwrap();
    chown(&log);
    fs::write(log.join("messages-2026-03-01.log"), "").unwrap();
    assert!(check().contains(&format!("chown -R nobody: {}", state.display())), "{}", check());
    let elsewhere = sandbox.path("logs");
    fs::rename(&log, &elsewhere).unwrap();
    let sandbox = sandbox.config(&format!("[log]\ndirectory = \"{}\"\n", elsewhere.display()));
    let found = sandbox.run(&["check", "--quick"], b"").stdout;
    assert!(found.contains(&format!("chown -R nobody {}", elsewhere.display())), "{found}");
}
