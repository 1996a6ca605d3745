//! `carom check`: paths that the units of systemd cannot write or read, with drop-ins that let them.
//!
//! Not here: what the user of the units may (`check_mail_user`). systemd itself is not asked, so none has to run.

use crate::harness::checked_host::Host;
use std::fs;
use std::os::unix::fs::symlink;

/// A host with the packaged unit of ticks, which runs carom with the config of this test.
fn host(more: &str, old: &str, new: &str) -> Host {
    let mut host = Host::with(more);
    let units = host.sandbox.path("units");
    let wants = units.join("timers.target.wants");
    fs::create_dir_all(&wants).unwrap();
    symlink("../carom.timer", wants.join("carom.timer")).unwrap();
    let unit = fs::read_to_string("packaging/root/usr/lib/systemd/system/carom.service").unwrap();
    let config = host.sandbox.path("carom.toml").display().to_string();
    let unit =
        unit.replace("ExecStart=/usr/bin/carom", &format!("ExecStart=/usr/bin/carom --config {config}"));
    assert!(unit.contains(old), "{old}");
    let unit = unit.replace("PrivateTmp=yes", "PrivateTmp=no").replace("User=carom", "User=root");
    // What packages make is not on every host.
    let unit = unit.replace(
        "ReadWritePaths=/var/lib/carom /var/log/carom ",
        "ReadWritePaths=-/var/lib/carom -/var/log/carom -",
    );
    fs::write(units.join("carom.service"), unit.replace(old, new)).unwrap();
    host.environment.push(("SYSTEMD_UNIT_PATH", units.display().to_string()));
    host
}

#[test]
fn what_a_unit_cannot_write_is_found_and_the_drop_in_opens_it() {
    let more = "[export]\njson = \"DIR/out of 100%'s/json\"\n[log]\ndirectory = \"DIR/log\"\n";
    let host = host(more, "ProtectSystem=strict", "ProtectSystem=strict");
    fs::create_dir_all(host.sandbox.path("out of 100%'s/json")).unwrap();
    fs::create_dir_all(host.sandbox.path("log")).unwrap();
    for (path, line) in [("/state", 1), ("/json", 15), ("/log", 17)] {
        let text = format!("{path}: carom.service cannot write there: ProtectSystem=strict");
        let found = host.finds(&[], "wrong", &text);
        assert_eq!((&found["subject"], &found["line"]), (&"unit".into(), &line.into()), "{found}");
        assert!(found["fix"].as_str().unwrap().contains("; then: systemctl daemon-reload"), "{found}");
        host.obey(&found, "install -d ");
    }
    host.is_repaired(&[], "cannot write there");
    let drop_in = fs::read_to_string(host.sandbox.path("units/carom.service.d/carom-paths.conf")).unwrap();
    assert!(
        drop_in.starts_with("[Service]\nReadWritePaths=/") && drop_in.contains("100%%'s/json\""),
        "{drop_in}"
    );
}

#[test]
fn homes_and_temporary_directories_of_units_are_others() {
    let more = "[export]\njson = \"/home/nobody-of-carom/json\"\n[[logs]]\nkind = \"postfix\"\n\
                path = \"/root/nothing/mail.log\"\n";
    let host = host(more, "ProtectSystem=strict", "");
    let found = host.finds(&[], "wrong", "/json: carom.service cannot write there: ProtectHome=yes");
    let fix = found["fix"].as_str().unwrap();
    assert!(fix.contains("ProtectHome=tmpfs BindPaths=/home/nobody-of-carom/json >> "), "{fix}");
    let found = host.finds(&[], "wrong", "mail.log: carom.service cannot read it: ProtectHome=yes");
    assert!(found["fix"].as_str().unwrap().contains("BindReadOnlyPaths=/root/nothing >> "), "{found}");
    if host.sandbox.dir.starts_with("/tmp") {
        let unit = host.sandbox.path("units/carom.service");
        let text = fs::read_to_string(&unit).unwrap();
        fs::write(&unit, text.replace("PrivateTmp=no", "PrivateTmp=yes")).unwrap();
        let found = host.finds(&[], "wrong", "/state: carom.service cannot write there: PrivateTmp=yes");
        assert!(found["fix"].as_str().unwrap().starts_with("set state to a path"), "{found}");
    }
}

/// systemd starts no service whose paths it cannot find.
#[test]
fn a_path_in_a_unit_that_is_not_there_is_found_with_its_line() {
    let host = host("", "ProtectSystem=strict", "ProtectSystem=full");
    let (gone, there) = (host.sandbox.path("gone dir"), host.sandbox.path("there"));
    fs::create_dir_all(&there).unwrap();
    let drop_ins = host.sandbox.path("units/carom.service.d");
    fs::create_dir_all(&drop_ins).unwrap();
    let drop_in = drop_ins.join("more.conf");
    let text = format!(
        "[Service]\n# theirs\nReadWritePaths=-/srv/nothing {} \"{}\"\nBindPaths=-/nowhere:/srv/x /%i/y\n",
        there.display(),
        gone.display()
    );
    fs::write(&drop_in, text).unwrap();
    let text = "/gone dir: systemd does not start carom.service: ReadWritePaths has it, and it is not there";
    let found = host.finds(&[], "wrong", text);
    let place = (&found["file"], &found["line"]);
    assert_eq!(place, (&drop_in.display().to_string().into(), &3.into()), "{found}");
    host.obey(&found, "install -d ");
    host.is_repaired(&[], "does not start");
    let (_, findings) = host.check(&[]);
    assert!(findings.iter().all(|finding| finding["subject"] != "unit"), "{findings:#?}");
}

#[test]
fn units_that_do_not_run_or_have_another_config_say_nothing() {
    let is_silent = |host: &Host| {
        let (_, findings) = host.check(&[]);
        assert!(findings.iter().all(|finding| finding["subject"] != "unit"), "{findings:#?}");
    };
    let other = host("", "cron --quiet", "cron --quiet");
    other.finds(&[], "wrong", "/state: carom.service cannot write there");
    fs::remove_file(other.sandbox.path("units/timers.target.wants/carom.timer")).unwrap();
    is_silent(&other);
    is_silent(&host(
        "",
        "ExecStart=/usr/bin/carom",
        "ExecStart=/usr/bin/carom --config /etc/carom/none.toml #",
    ));
    is_silent(&host("", "ProtectSystem=strict", "ProtectSystem=full"));
}
