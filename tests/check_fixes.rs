//! `carom check`: fixes that can be carried out as they are printed: commands with paths of any name, the kind of a log, the
//! group of a file.
//!
//! Not here: fixes of what is in the way (`check_places`), and of Postfix's wiring (`wiring_tables`).

use crate::harness::checked_host::{GOOD, Host};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};

const ODD: &str = "an odd one's $(true)";

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn commands_have_paths_that_a_shell_reads_as_they_are() {
    for (lines, text) in [
        ("[unproven]\ndirectory = \"DIR/ODD\"\n", "it is not a directory, but a named pipe"),
        ("[export]\nhtml = \"DIR/ODD\"\n", "it is not a regular file, but a named pipe"),
        ("[index]\npath = \"DIR/ODD\"\n", "it is not a regular file, but a named pipe"),
    ] {
        let host = Host::with(&lines.replace("ODD", ODD));
        mknodat(CWD, host.sandbox.path(ODD), FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
        let found = host.finds(&[], "wrong", text);
        host.obey(&found, "mv ");
        host.is_repaired(&[], text);
        assert!(host.sandbox.path(&format!("{ODD}.other")).symlink_metadata().is_ok());
    }
    let host = Host::with(&format!("[export]\nhtml = \"DIR/{ODD}\"\n"));
    symlink(host.sandbox.path("two"), host.sandbox.path(ODD)).unwrap();
    symlink(host.sandbox.path(ODD), host.sandbox.path("two")).unwrap();
    let found = host.finds(&[], "wrong", "its symbolic links lead in a circle");
    host.obey(&found, "rm ");
    assert!(host.sandbox.path(ODD).symlink_metadata().is_err());
    // A file that is no database.
    let host = Host::new();
    host.sandbox.run(&["cron"], b"");
    let host = Host::with(&format!("[store]\npath = \"DIR/{ODD}/carom.db\"\n"));
    fs::create_dir(host.sandbox.path(ODD)).unwrap();
    fs::write(host.sandbox.path(ODD).join("carom.db"), "no database ".repeat(100)).unwrap();
    let found = host.finds(&[], "wrong", "not a database of SQLite");
    host.obey(&found, "mv ");
    host.is_repaired(&[], "not a database");
}

#[test]
fn files_that_are_closed_to_the_mail_user_are_opened_whatever_their_name() {
    if !is_root() {
        eprintln!("skipped: only root can test as somebody else");
        return;
    }
    let host = Host::new();
    let wasm = format!("{ODD}.wasm");
    let more = format!("[policy.mine]\npath = \"DIR/{wasm}\"\n");
    let good = GOOD.replace("\"root\"", "\"nobody\"").replace("DIR/zone", &format!("DIR/{ODD}.zone"));
    host.write(&format!("{good}{more}"));
    fs::set_permissions(host.sandbox.path("carom.toml"), Permissions::from_mode(0o644)).unwrap();
    let chowned =
        std::process::Command::new("chown").args(["-R", "nobody:"]).arg(host.sandbox.path("state")).status();
    assert!(chowned.unwrap().success());
    fs::copy("policies/dist/sink.wasm", host.sandbox.path(&wasm)).unwrap();
    fs::copy(host.sandbox.path("zone"), host.sandbox.path(&format!("{ODD}.zone"))).unwrap();
    for name in [wasm, format!("{ODD}.zone")] {
        fs::set_permissions(host.sandbox.path(&name), Permissions::from_mode(0o600)).unwrap();
        let text = format!("{name}: Permission denied");
        let found = host.finds(&[], "wrong", &text);
        host.obey(&found, "chmod 644 ");
        host.is_repaired(&[], &text);
    }
}

#[test]
fn a_mail_log_of_any_group_is_opened_to_that_group() {
    if !is_root() {
        eprintln!("skipped: only root can test as somebody else");
        return;
    }
    let host = Host::but("DIR/state", "DIR/nobody");
    let state = host.sandbox.path("nobody");
    fs::create_dir(&state).unwrap();
    chown(&state, Some(65_534), None).unwrap();
    let config = fs::read_to_string(host.sandbox.path("carom.toml")).unwrap();
    let logs = format!("{config}[[logs]]\nkind = \"postfix\"\npath = \"DIR/mail log's\"\n");
    host.write(&logs);
    fs::set_permissions(host.sandbox.path("carom.toml"), Permissions::from_mode(0o644)).unwrap();
    let log = host.sandbox.path("mail log's");
    fs::write(
        &log,
        "Nov 21 10:00:00 mx postfix/qmgr[1]: 4QFkX01234z1: from=<a@b.example>, size=1, nrcpt=1\n",
    )
    .unwrap();
    let list = format!("setfacl -m u:nobody:r '{}'", log.display().to_string().replace('\'', r"'\''"));
    // Groups of Debian's base system; root's is nobody else's.
    for (gid, mode, way) in [
        (8, 0o640, ": usermod -aG mail nobody (on Debian: adduser nobody mail); or "),
        (4, 0o640, ": usermod -aG adm nobody (on Debian: adduser nobody adm); or "),
        (0, 0o640, "read it: "),
        (8, 0o600, ", which its group may not either: "),
    ] {
        chown(&log, Some(0), Some(gid)).unwrap();
        fs::set_permissions(&log, Permissions::from_mode(mode)).unwrap();
        let found = host.finds(&["--as", "nobody"], "wrong", "mail log's: Permission denied");
        let fix = found["fix"].as_str().unwrap();
        assert!(fix.ends_with(&format!("{way}{list}")), "{fix}");
    }
}

#[test]
fn a_log_of_another_mail_server_has_its_kind_in_the_fix() {
    let postfix = "Nov 21 10:00:00 mx postfix/qmgr[1]: 4QFkX01234z1: from=<a@b.example>, size=1, nrcpt=1\n";
    let exim =
        "2026-11-21 10:00:00 1abcde-000001-AB <= a@b.example H=mx.b.example [192.0.2.1] P=esmtp S=1000\n";
    let by_syslog = format!("Nov 21 10:00:00 mx exim[12]: {exim}");
    let powermta = "type,timeLogged,orig,rcpt\nd,2026-11-21 10:00:00+0000,a@b.example,c@d.example\n";
    let kumomta =
        "{\"type\":\"Delivery\",\"id\":\"1\",\"delivery_protocol\":\"ESMTP\",\"timestamp\":1700000000}\n";
    for (kind, text, right) in [
        ("exim", postfix, "postfix"),
        ("powermta", postfix, "postfix"),
        ("kumomta", postfix, "postfix"),
        ("postfix", exim, "exim"),
        ("postfix", &by_syslog, "exim"),
        ("powermta", exim, "exim"),
        ("postfix", powermta, "powermta"),
        ("exim", powermta, "powermta"),
        ("postfix", kumomta, "kumomta"),
    ] {
        let host = Host::with(&format!(
            "[[logs]]\nkind = \"{kind}\"\npath = \"DIR/mail.log\"\ntimezone = \"UTC\"\n"
        ));
        fs::write(host.sandbox.path("mail.log"), text).unwrap();
        let (code, findings) = host.check(&[]);
        let fix = format!("set kind = \"{right}\" in [[logs]]");
        let is_it = |one: &&serde_json::Value| one["subject"] == "logs" && one["level"] == "wrong";
        let found = findings.iter().find(is_it).unwrap_or_else(|| panic!("{kind} {text}: {findings:#?}"));
        assert!(code == 1 && found["fix"].as_str().unwrap().starts_with(&fix), "{kind} {text}: {found}");
        host.edit(&format!("kind = \"{kind}\""), &format!("kind = \"{right}\""));
        let (_, findings) = host.check(&[]);
        assert!(!findings.iter().any(|one| is_it(&one)), "{right} {text}: {findings:#?}");
    }
}

#[test]
fn a_config_of_powermta_that_does_not_exist_is_found() {
    let host = Host::with("[relay]\npowermta = \"DIR/pmta\"\n");
    let found =
        host.finds(&[], "wrong", "/pmta: there is no such file, so carom knows no domain of PowerMTA");
    assert_eq!(found["line"], 15, "{found}");
    fs::write(host.sandbox.path("pmta"), "<domain *.sink.example>\n  type pipe\n</domain>\n").unwrap();
    host.is_repaired(&[], "pmta: there is no such file");
}

#[test]
fn a_new_host_that_knows_no_domain_to_connect_to_is_not_wrong() {
    let host = Host::but("\"mx1.sender.example\" = \"fbl@sender.example\"\n", "");
    let found = host.finds(&["--connect"], "note", "no domain is known that carom would send mail to");
    assert_eq!(found["fix"], "name one: carom check --connect example.com");
    assert_eq!(host.check(&["--connect"]).0, 0);
}
