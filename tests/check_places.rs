//! `carom check`: something else in the place of a file or directory that the config names, mail that carom sends to
//! itself, hosts that it may not connect to, services that may not run machine code, and clients that Postfix trusts.
//!
//! Not here: what is missing or belongs to somebody else (`check`), keys and policies (`check_config`).

use crate::harness::checked_host::Host;
use crate::harness::peers::{ACCEPT, SmtpPeer};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs;
use std::os::unix::fs::symlink;

fn pipe(host: &Host, name: &str) {
    let path = host.sandbox.path(name);
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
}

const CYCLE: &str = "[[cycle]]\nname = \"a\"\nvalues = [1, 1, 1, 1, 1, 1, 1]\n";

#[test]
fn a_pipe_in_the_place_of_anything_is_found() {
    for lines in [
        "[unproven]\ndirectory = \"DIR/odd\"\n",
        "[kept]\ndirectory = \"DIR/odd\"\n",
        "[log]\ndirectory = \"DIR/odd\"\n",
        "[relay]\ndone = \"DIR/odd\"\n",
        "[relay]\nfailed = \"DIR/odd\"\n",
        "[relay]\npowermta = \"DIR/odd\"\n",
        "[store]\npath = \"DIR/odd\"\n",
        "[index]\npath = \"DIR/odd\"\n",
        "[export]\nhtml = \"DIR/odd\"\n",
        "[export]\nprometheus = \"DIR/odd.prom\"\n",
        "[export]\njson = \"DIR/odd\"\n",
        "[export]\ncsv = \"DIR/odd\"\n",
        "[[events]]\nkind = \"file\"\npath = \"DIR/odd\"\n",
        "[export]\npostfix_access = \"DIR/odd\"\n",
        "[[logs]]\nkind = \"postfix\"\npath = \"DIR/odd\"\n",
        "[policy.mine]\npath = \"DIR/odd\"\n",
    ] {
        let host = Host::with(lines);
        pipe(&host, "odd");
        pipe(&host, "odd.prom");
        let (code, findings) = host.check(&[]);
        let said = findings
            .iter()
            .find(|finding| finding["level"] != "ok" && finding["found"].as_str().unwrap().contains("/odd"));
        let said = said.unwrap_or_else(|| panic!("{lines}: {findings:#?}"));
        // PowerMTA's file is not carom's: without it, less is known.
        assert!(said["level"] == "wrong" && code == 1 || lines.contains("powermta"), "{said}");
        let names = said["found"].as_str().unwrap().contains("pipe") || said["file"].is_string();
        assert!(names && said["line"].as_u64().is_some_and(|line| line >= 14), "{lines}: {said}");
    }
    for (old, new) in [("zone = \"DIR/zone\"", "zone = \"DIR/odd\""), ("DIR/state", "DIR/odd")] {
        let host = Host::but(old, new);
        pipe(&host, "odd");
        let (code, findings) = host.check(&[]);
        let is_said =
            |finding: &serde_json::Value| finding["found"].as_str().unwrap().contains("a named pipe");
        assert!(code == 1 && findings.iter().any(is_said), "{new}: {findings:#?}");
    }
    let host = Host::but("mail_user = \"root\"", "mail_user = \"root\"\ndirectory = \"DIR/odd\"");
    pipe(&host, "odd");
    let (_, findings) = host.check(&[]);
    assert!(findings.iter().any(|one| one["level"] == "wrong" && one["line"] == 10), "{findings:#?}");
}

#[test]
fn the_fix_for_what_is_in_the_way_clears_it() {
    for (lines, text) in [
        ("[unproven]\ndirectory = \"DIR/odd\"\n", "odd: it is not a directory, but a named pipe"),
        ("[index]\npath = \"DIR/odd\"\n", "odd: it is not a regular file, but a named pipe"),
        ("[export]\nhtml = \"DIR/odd\"\n", "odd: it is not a regular file, but a named pipe"),
        (&format!("{CYCLE}file = \"DIR/odd\"\ntext = \"{{value}}\"\n"), "odd: it is not a regular file"),
    ] {
        let host = Host::with(lines);
        pipe(&host, "odd");
        let found = host.finds(&[], "wrong", text);
        host.obey(&found, "mv ");
        host.is_repaired(&[], "odd: it is not");
    }
    // Directories of carom's own, in the state directory.
    for name in ["kept", "unproven", "running", "log"] {
        let host = Host::new();
        fs::write(host.sandbox.path("state").join(name), "in the way").unwrap();
        let found = host.finds(&[], "wrong", &format!("state/{name}: it is not a directory, but a file"));
        host.obey(&found, "mv ");
        host.is_repaired(&[], "it is not a directory");
    }
    let host = Host::with("[index]\npath = \"DIR/state\"\n");
    host.finds(&[], "wrong", "state: it is a directory, not a file");
    let host = Host::with("[index]\npath = \"DIR/no/index.db\"\n");
    let found = host.finds(&[], "note", "/no: there is no such directory");
    host.obey(&found, "install -d ");
    host.is_repaired(&[], "no such directory");
}

#[test]
fn links_that_lead_in_a_circle_are_found() {
    for lines in ["[unproven]\ndirectory = \"DIR/one/x\"\n", "[export]\nhtml = \"DIR/one\"\n"] {
        let host = Host::with(lines);
        symlink(host.sandbox.path("two"), host.sandbox.path("one")).unwrap();
        symlink(host.sandbox.path("one"), host.sandbox.path("two")).unwrap();
        let found = host.finds(&[], "wrong", "its symbolic links lead in a circle");
        host.obey(&found, "rm ");
        let (_, findings) = host.check(&[]);
        assert!(
            !findings.iter().any(|one| one["found"].as_str().unwrap().contains("circle")),
            "{findings:#?}"
        );
    }
}

#[test]
fn operators_in_a_domain_that_does_not_exist_are_found() {
    let alert = "[[alert]]\nname = \"a\"\nwhen = \"volume\"\nbelow = 1\nmail = [\"ops@gone.example\"]\n";
    let forward = "[unproven]\naction = \"forward\"\nto = \"ops@gone.example\"\n";
    for lines in [alert, forward] {
        let host = Host::with(lines);
        let found =
            host.finds(&[], "note", "mail for ops@gone.example is never delivered: gone.example has neither");
        assert!(found["line"].as_u64().is_some_and(|line| line >= 14), "{found}");
    }
}

#[test]
fn mail_that_carom_would_send_to_itself_is_found() {
    let verp = "[verp]\nkeys = [\"a key of this test, long enough\"]\ndomain = \"bounces.example\"\n";
    for (to, is_loop) in [
        ("postmaster@bounces.example", true),
        ("me@Sink.example", true),
        ("me@accept.sink.example", true),
        ("postmaster@othersink.example", false),
        ("postmaster@example.com", false),
    ] {
        let host = Host::with(&format!("{verp}[unproven]\naction = \"forward\"\nto = \"{to}\"\n"));
        if is_loop {
            let found =
                host.finds(&[], "wrong", &format!("[unproven] to: mail for {to} comes back to carom"));
            assert_eq!(found["line"], 19, "{found}");
            host.edit(to, "postmaster@example.com");
        }
        host.is_repaired(&[], "comes back to carom");
        // It is not used.
        host.edit("action = \"forward\"", "action = \"keep\"");
        host.edit("postmaster@", "me@");
        host.is_repaired(&[], "comes back to carom");
    }
    let alert = "[[alert]]\nname = \"a\"\nwhen = \"volume\"\nbelow = 1\nmail = [\"ops@sink.example\"]\n";
    let host = Host::with(alert);
    let found = host.finds(&[], "wrong", "[[alert]] a: mail for ops@sink.example comes back to carom");
    assert_eq!(found["line"], 18, "{found}");
    host.edit("ops@sink.example", "ops@example.com");
    host.is_repaired(&[], "comes back to carom");
}

#[test]
fn webhooks_that_carom_may_not_connect_to_are_found() {
    let notify = |url: &str| format!("[[notify]]\nsender_domain = \"*\"\nurl = \"{url}/{{address}}\"\n");
    let host = Host::with(&notify("http://10.1.2.3:8080"));
    let found = host.finds(&[], "wrong", "10.1.2.3 has the private address 10.1.2.3");
    assert!(found["line"] == 16 && found["subject"] == "webhook", "{found}");
    let allowed = found["fix"].as_str().unwrap().rsplit("allow_private = ").next().unwrap();
    host.edit("allow_private = [\"127.0.0.0/8\"]", &format!("allow_private = {allowed}"));
    host.is_repaired(&[], "private address");
    // By name; these tests allow loopback.
    let host = Host::with(&notify("https://tracker.example"));
    host.is_repaired(&[], "address");
    host.edit("allow_private = [\"127.0.0.0/8\"]", "");
    host.finds(&[], "wrong", "tracker.example has the private address 127.0.0.1");
    host.edit("tracker.example", "nowhere.example");
    // A zone of tests need not have the hosts of applications.
    host.finds(&[], "note", "nowhere.example has no address");
    let alert = "[[alert]]\nname = \"a\"\nwhen = \"volume\"\nbelow = 1\nwebhook = \"https://[fd00::1]/\"\n";
    let found = Host::with(alert).finds(&[], "wrong", "has the private address fd00::1");
    assert!(found["line"] == 18 && found["fix"].as_str().unwrap().contains("fd00::1/128"), "{found}");
}

#[test]
fn a_domain_that_the_zone_has_under_a_similar_name_is_named() {
    let host = Host::but("domains = [\"sink.example\"]", "domains = [\"strangre.example\"]");
    let found = host.finds(&[], "note", "strangre.example is not in ");
    assert!(found["fix"] == "correct strangre.example, if you mean stranger.example", "{found}");
    assert_eq!(found["line"], 11);
    host.edit("strangre.example", "stranger.example");
    host.is_repaired(&[], "is not in");
}

#[test]
fn services_that_may_not_run_machine_code_are_named_and_policies_tried_as_bytecode() {
    let mut host = Host::new();
    let units = host.sandbox.path("units");
    fs::create_dir(&units).unwrap();
    host.environment.push(("SYSTEMD_UNIT_PATH", units.display().to_string()));
    fs::write(units.join("other.service"), "[Service]\nMemoryDenyWriteExecute=yes\n").unwrap();
    let says = |host: &Host| {
        let (code, findings) = host.check(&[]);
        let text = |one: &serde_json::Value| one["found"].as_str().unwrap().to_owned();
        let found = findings.iter().find(|one| text(one).contains("MemoryDenyWriteExecute"));
        (code, found.map(|one| format!("{} {}", one["level"].as_str().unwrap(), text(one))))
    };
    assert_eq!(says(&host), (0, None));
    fs::write(units.join("postfix@.service"), "[Service]\nMemoryDenyWriteExecute=yes\n").unwrap();
    let found = "ok postfix@.service: MemoryDenyWriteExecute is set, so policies run there as bytecode, and it was tried";
    assert_eq!(says(&host), (0, Some(found.to_owned())));
    // What extends a unit decides.
    fs::create_dir(units.join("postfix@.service.d")).unwrap();
    fs::write(units.join("postfix@.service.d/mine.conf"), "[Service]\nMemoryDenyWriteExecute=no\n").unwrap();
    assert_eq!(says(&host), (0, None));
}

/// Postfix with these lines in main.cf and master.cf.
fn with_postfix(host: &mut Host, main: &str, master: &str) {
    let directory = host.sandbox.path("etc");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("main.cf"), main).unwrap();
    fs::write(directory.join("master.cf"), master).unwrap();
    host.environment.push(("MAIL_CONFIG", directory.display().to_string()));
    fs::write(host.sandbox.path("mail.log"), "").unwrap();
}

const LOG: &str = "[[logs]]\nkind = \"postfix\"\npath = \"DIR/mail.log\"\n";

#[test]
fn clients_that_postfix_trusts_and_own_lacks_are_found() {
    let mut host = Host::with(LOG);
    with_postfix(
        &mut host,
        "mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128 198.51.100.0/24\n",
        "",
    );
    let found =
        host.finds(&[], "note", "mynetworks of Postfix has 198.51.100.0/24, and [[logs]] own does not");
    let own = found["fix"].as_str().unwrap().rsplit("set: ").next().unwrap();
    assert!(own.starts_with("own = [\"local\", \"authenticated\", \"127.0.0.0/8\""), "{found}");
    host.edit("kind = \"postfix\"\n", &format!("kind = \"postfix\"\n{own}\n"));
    host.is_repaired(&[], "mynetworks");
    // Who goes by senders alone means it.
    host.edit(own, "own = [\"example.com\"]");
    host.is_repaired(&[], "mynetworks");
}

#[test]
fn a_filter_that_makes_mail_local_is_found() {
    let mut host = Host::with(LOG);
    let filter =
        "filter unix - n n - 10 pipe flags=Rq user=nobody argv=/bin/filter -f ${sender} -- ${recipient}\n";
    with_postfix(&mut host, "mynetworks = 127.0.0.0/8\ncontent_filter = filter:dummy\n", filter);
    let found = host.finds(&[], "note", "content_filter = filter:dummy is a pipe(8) service");
    let own =
        found["fix"].as_str().unwrap().trim_start_matches("leave out local: ").split(';').next().unwrap();
    host.edit("kind = \"postfix\"\n", &format!("kind = \"postfix\"\n{own}\n"));
    host.is_repaired(&[], "content_filter");
    // A filter that speaks SMTP leaves mail to whoever sent it.
    host.edit(own, "");
    let main = "mynetworks = 127.0.0.0/8\ncontent_filter = smtp:[127.0.0.1]:10025\n";
    fs::write(host.sandbox.path("etc/main.cf"), main).unwrap();
    host.is_repaired(&[], "pipe(8)");
}

#[test]
fn addresses_that_are_logged_without_their_quotes_are_found() {
    let mut host = Host::with(LOG);
    with_postfix(&mut host, "mynetworks = 127.0.0.0/8\ninfo_log_address_format = internal\n", "");
    host.finds(&[], "note", "info_log_address_format = internal: Postfix logs quoted addresses without");
    fs::write(host.sandbox.path("etc/main.cf"), "mynetworks = 127.0.0.0/8\n").unwrap();
    host.is_repaired(&[], "info_log_address_format");
}

#[test]
fn settings_that_are_allowed_and_seldom_meant_are_found() {
    // One log under two names.
    let other = LOG.replace("mail.log", "syslog");
    let host = Host::with(&format!("{LOG}{other}"));
    fs::write(host.sandbox.path("mail.log"), "").unwrap();
    symlink("mail.log", host.sandbox.path("syslog")).unwrap();
    let found = host.finds(&[], "wrong", "syslog are one file: every line of it counts twice");
    assert_eq!(found["line"], 19, "{found}");
    host.edit(&other.replace("DIR", &host.sandbox.dir.display().to_string()), "");
    host.is_repaired(&[], "one file");
    // One directory for two things.
    let host = Host::with("[kept]\ndirectory = \"DIR/kept\"\n[unproven]\ndirectory = \"DIR/kept\"\n");
    let found =
        host.finds(&[], "wrong", "kept is the directory of [kept] directory and of [unproven] directory");
    assert_eq!(found["line"], 17, "{found}");
    host.edit("[unproven]\ndirectory = \"DIR/kept\"\n", "");
    host.is_repaired(&[], "is the directory of");
    // Signatures that expire first.
    let verp =
        "[verp]\nkeys = [\"a key of this test, long enough\"]\ndomain = \"bounces.example\"\nmax_age = 2\n";
    let host = Host::with(verp);
    assert_eq!(host.finds(&[], "note", "[verp] max_age is 2: ")["line"], 17);
    host.edit("max_age = 2", "max_age = 30");
    host.is_repaired(&[], "max_age");
    // An alert about nobody.
    let alert = "[[alert]]\nname = \"a\"\nwhen = \"bounce-rate\"\nof = \"provider:gogle\"\nabove = 1\n";
    let host = Host::with(&format!("{alert}mail = [\"ops@example.com\"]\n"));
    let found = host.finds(&[], "note", "[[alert]] a: no provider is called gogle, so it never fires");
    assert_eq!(found["fix"], "correct it, if you mean provider:google");
    host.edit("gogle", "google");
    host.is_repaired(&[], "never fires");
    // A port where nobody listens, where mail goes to others.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let servers = format!("servers = [\"127.0.0.1:{}\"]\ntimeout = 1", silent.local_addr().unwrap().port());
    let host = Host::but("zone = \"DIR/zone\"", &servers);
    host.finds(&[], "note", "mail exchangers listen on port 25");
}

#[test]
fn servers_that_the_config_names_are_tried_too() {
    let peer = SmtpPeer::at("127.0.0.1", 0, ACCEPT);
    let port = peer.port;
    let host = Host::with(&format!(
        "[alerts]\nserver = \"127.0.0.1:{port}\"\n[unproven]\nserver = \"127.0.0.1:9\"\n"
    ));
    let words = ["--connect", "nowhere.example"];
    host.finds(&words, "ok", &format!("[alerts] server, 127.0.0.1 on port {port}, answers: "));
    let found = host.finds(&words, "wrong", "[unproven] server, 127.0.0.1 on port 9, does not answer: ");
    assert_eq!(found["line"], 17, "{found}");
    assert!(peer.mails().is_empty());
}
