//! Root and the mail user: what the mail user puts into its directories never leads root anywhere, and what carom makes
//! is for its own user and group.
//!
//! Only root can play both; the tests say so and pass where somebody else runs them.

use crate::harness::{Ran, Sandbox, finish, names, plain, signed, start};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// The mail user of these tests. It needs no name.
const MAIL: u32 = 60_123;
const TO: &str = "x@accept.sink.example";

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A message of which a copy is kept.
fn kept() -> Vec<u8> {
    signed(TO, "X-Bouncy-Sink: store-done\r\n", b"hello\r\n")
}

/// A sandbox whose state directory is the mail user's; `None`: only root can give it away.
fn given_away() -> Option<Sandbox> {
    let sandbox = Sandbox::new().config("[relay]\nsettle = 0\n");
    let state = sandbox.path("state");
    fs::create_dir(&state).unwrap();
    if !is_root() {
        eprintln!("skipped: only root can give files away");
        return None;
    }
    lchown(&state, Some(MAIL), Some(MAIL)).unwrap();
    Some(sandbox)
}

/// Everything below a directory: permissions, owner and content of each file.
fn everything(below: &Path) -> BTreeMap<String, (u32, u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for name in names(below) {
        let path = below.join(&name);
        let about = fs::symlink_metadata(&path).unwrap();
        if about.is_dir() {
            let inside = everything(&path);
            found.extend(inside.into_iter().map(|(inner, about)| (format!("{name}/{inner}"), about)));
        }
        let content = if about.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        found.insert(name, (about.mode(), about.uid(), content));
    }
    found
}

/// What an operator may run as root.
const COMMANDS: &[&[&str]] = &[
    &["check"],
    &["cron"],
    &["pipe", "--sender", "a@sender.example", "--recipient", TO, "--queue-id", "4QFkX01234z1"],
    &["relay", "SPOOL"],
    &["stats"],
    &["log"],
    &["outbox"],
    &["find", "a@sender.example"],
    &["report"],
    &["suppress", "add", "a@b.example"],
    &["suppress", "list"],
    &["policy", "list"],
    &["policy", "install", "mine", "/nowhere.wasm"],
    &["policy", "rollback", "sink"],
    &["policy", "check", "sink"],
    &["reclassify"],
    &["alerts"],
    &["export", "prometheus", "--output", "STATE/export/carom.prom"],
    &["export", "csv", "--output", "STATE/export/lists"],
];

#[test]
fn b2_root_is_led_nowhere_by_links_of_the_mail_user() {
    let Some(sandbox) = given_away() else { return };
    let (state, vault) = (sandbox.path("state"), sandbox.path("vault"));
    fs::create_dir(&vault).unwrap();
    fs::write(vault.join("file"), "root's\n").unwrap();
    fs::create_dir(vault.join("directory")).unwrap();
    let before = everything(&vault);
    let today = jiff::Timestamp::now().to_string()[..10].to_owned();
    let logs = ["carom", "messages", "records"].map(|name| format!("log/{name}-{today}.log"));
    let files = ["carom.db", "carom.db-wal", "carom.db.soft", "carom.db.tick", "index.db", "index.db.lock"];
    let databases = ["carom.db", "index.db"];
    let directories = ["log", "compiled", "done", "failed", "kept", "policies", "policies/mine", "export"];
    let links: Vec<(&str, &str)> = directories
        .map(|name| (name, "directory"))
        .into_iter()
        .chain(files.map(|name| (name, "file")))
        .chain(databases.map(|name| (name, "directory/missing")))
        .chain(logs.iter().flat_map(|name| [(name.as_str(), "file"), (name, "directory/missing")]))
        .collect();
    for (name, target) in links {
        let link = state.join(name);
        make_as_mail(link.parent().unwrap());
        symlink(vault.join(target), &link).unwrap();
        lchown(&link, Some(MAIL), Some(MAIL)).unwrap();
        for command in COMMANDS {
            let spool = sandbox.path("spool");
            fs::create_dir_all(&spool).unwrap();
            lchown(&spool, Some(MAIL), Some(MAIL)).unwrap();
            fs::write(spool.join("a.msg"), kept()).unwrap();
            lchown(spool.join("a.msg"), Some(MAIL), Some(MAIL)).unwrap();
            let words = command.iter().map(|word| word.replace("SPOOL", &spool.display().to_string()));
            let words: Vec<String> =
                words.map(|word| word.replace("STATE", &state.display().to_string())).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            sandbox.run(&words, &kept());
            assert_eq!(everything(&vault), before, "{command:?} with {name} -> {target}");
        }
        fs::remove_dir_all(&state).unwrap();
        fs::create_dir(&state).unwrap();
        lchown(&state, Some(MAIL), Some(MAIL)).unwrap();
    }
}

/// Makes a directory that the mail user could have made.
fn make_as_mail(path: &Path) {
    if !path.is_dir() {
        fs::create_dir_all(path).unwrap();
        lchown(path, Some(MAIL), Some(MAIL)).unwrap();
    }
}

#[test]
fn b2_what_root_runs_is_done_by_the_mail_user() {
    let Some(sandbox) = given_away() else { return };
    sandbox.pipe(TO, &plain(TO)).silent();
    for command in [&["cron"][..], &["check"], &["suppress", "add", "a@b.example"], &["stats"]] {
        assert_eq!(sandbox.run(command, b"").code, 0, "{command:?}");
    }
    let made = everything(&sandbox.path("state"));
    assert!(made.contains_key("carom.db") && made.contains_key("compiled"), "{:?}", made.keys());
    for (name, (mode, owner, _)) in made {
        assert_eq!(owner, MAIL, "{name} {mode:o}");
    }
}

#[test]
fn b2_root_writes_no_output_through_a_link_of_somebody_else() {
    if !is_root() {
        return eprintln!("skipped: only root can give files away");
    }
    let sandbox = Sandbox::new();
    sandbox.pipe(TO, &plain(TO)).silent();
    let (theirs, vault) = (sandbox.path("theirs"), sandbox.path("vault"));
    fs::create_dir(&vault).unwrap();
    fs::create_dir(&theirs).unwrap();
    symlink(&vault, theirs.join("link")).unwrap();
    [&theirs, &theirs.join("link")].iter().for_each(|path| lchown(path, Some(MAIL), Some(MAIL)).unwrap());
    let (file, directory) = (theirs.join("link/made"), theirs.join("link/made/deeper"));
    let (file, directory) = (file.to_str().unwrap(), directory.to_str().unwrap());
    for command in [
        &["export", "csv", "--output", directory][..],
        &["export", "csv", "--output", file],
        &["export", "json", "--output", file],
        &["export", "html", "--output", file],
        &["export", "prometheus", "--output", file],
        &["man", "--out", file],
        &["policy", "wit", file],
        &["policy", "new", "--language", "c", file],
    ] {
        let ran = sandbox.run(command, b"");
        assert!(ran.code == 1 && ran.stderr.contains("run carom as the mail user"), "{command:?} {ran:?}");
        assert!(names(&vault).is_empty(), "{command:?} {:?}", names(&vault));
    }
}

/// Root may read what the mail user may not, and the mail user chooses what has the name of the file.
#[test]
fn b2_installed_rules_are_read_by_the_mail_user() {
    let Some(sandbox) = given_away() else { return };
    let (rules, report) = (sandbox.path("state/rules.toml"), sandbox.path("report.eml"));
    let rule =
        "[[rules]]\nname = \"ours\"\npattern = \"user unknown\"\ncodes = [\"5xx\"]\nreason = \"blocked\"\n";
    fs::write(&rules, rule).unwrap();
    fs::set_permissions(&rules, Permissions::from_mode(0o600)).unwrap();
    fs::write(&report, crate::bounces::dsn("a@there.example", "5.1.1", "550 5.1.1 user unknown")).unwrap();
    let classified = || sandbox.run(&["classify", "--json", report.to_str().unwrap()], b"").stdout;
    assert!(!classified().contains("\"ours\""), "{}", classified());
    lchown(&rules, Some(MAIL), Some(MAIL)).unwrap();
    assert!(classified().contains("\"ours\""), "{}", classified());
}

#[test]
fn b2_a_spool_of_others_is_refused_where_carom_is_root() {
    let sandbox = Sandbox::new().config("[relay]\nsettle = 0\n");
    let spool = sandbox.path("spool");
    fs::create_dir(&spool).unwrap();
    fs::write(spool.join("a.msg"), plain(TO)).unwrap();
    if !is_root() || lchown(&spool, Some(MAIL), Some(MAIL)).is_err() {
        return eprintln!("skipped: only root can give files away");
    }
    let relay = || sandbox.run(&["relay", spool.to_str().unwrap()], b"");
    let refused = relay();
    assert!(refused.code == 1 && refused.stderr.contains("does not work as root"), "{refused:?}");
    assert_eq!(names(&spool), ["a.msg"]);
    lchown(&spool, Some(0), Some(0)).unwrap();
    assert_eq!(relay().code, 0);
}

#[test]
fn b2_a_state_of_root_that_others_can_write_is_refused() {
    if !is_root() {
        return eprintln!("skipped: only root can give files away");
    }
    let sandbox = Sandbox::new();
    sandbox.pipe(TO, &plain(TO)).silent();
    assert_eq!(sandbox.counter("accept"), 1);
    let state = sandbox.path("state");
    let refuses = |why: &str| {
        sandbox.pipe(TO, &plain(TO)).says(75, "4.3.0 ");
        for command in [&["cron"][..], &["check"], &["stats"], &["outbox"]] {
            let ran = sandbox.run(command, b"");
            let said = ran.stderr.contains("does not work as root") && ran.stderr.contains(why);
            assert!(ran.code == 1 && said, "{command:?} {ran:?}");
        }
    };
    for (name, mode, right) in
        [("", 0o777, 0o750), ("", 0o1777, 0o750), ("log", 0o770, 0o750), ("carom.db", 0o666, 0o640)]
    {
        let path = state.join(name);
        lchown(&path, None, Some(MAIL)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        refuses("chmod go-w");
        fs::set_permissions(&path, Permissions::from_mode(right)).unwrap();
    }
    lchown(state.join("log"), Some(MAIL), None).unwrap();
    refuses("chown -R");
    lchown(state.join("log"), Some(0), None).unwrap();
    sandbox.pipe(TO, &plain(TO)).silent();
}

#[test]
fn check_run_by_root_says_what_the_mail_user_will_meet() {
    if !is_root() {
        return eprintln!("skipped: only root can become somebody else");
    }
    let sandbox = Sandbox::new().config("[policies]\nmail_user = \"nobody\"\n");
    sandbox.pipe(TO, &plain(TO)).silent();
    let wrong = |subject: &str| {
        let ran = sandbox.run(&["check", "--json"], b"");
        let found = ran
            .stdout
            .lines()
            .find(|line| line.contains(&format!("\"subject\":\"{subject}\"")) && line.contains("remedy"));
        assert!(ran.code == 1 && found.is_some(), "{subject} {ran:?}");
    };
    // The logs are in the state directory, and found with it.
    wrong("state");
    wrong("store");
    fs::set_permissions(sandbox.path("carom.toml"), Permissions::from_mode(0o600)).unwrap();
    wrong("access");
}

/// Runs carom with this umask.
fn with_umask(sandbox: &Sandbox, umask: &str, arguments: &[&str], stdin: &[u8]) -> Ran {
    let carom = sandbox.command(arguments);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"]).arg(carom.get_program());
    command.args(carom.get_args()).env_clear().env("PATH", "/usr/bin:/bin");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(start(command, stdin), Duration::from_secs(60))
}

#[test]
fn b19_what_carom_makes_is_private_whatever_the_umask() {
    for umask in ["000", "022", "077"] {
        let sandbox = Sandbox::new();
        let (state, log) = (sandbox.path("state"), sandbox.path("mail.log"));
        let sandbox = sandbox.config(&format!(
            "[export]\nprometheus = \"{0}/export.prom\"\ncsv = \"{0}/csv\"\n\
             [[events]]\nkind = \"file\"\npath = \"{0}/events\"\n[relay]\nsettle = 0\n[[logs]]\nkind = \"postfix\"\npath = \"{1}\"\n",
            state.display(),
            log.display()
        ));
        fs::write(
            &log,
            "Nov 21 10:00:00 mx postfix/qmgr[1]: 4QFkX01234z1: from=<a@b.example>, size=1, nrcpt=1\n",
        )
        .unwrap();
        let spool = sandbox.path("spool");
        fs::create_dir(&spool).unwrap();
        fs::write(spool.join("a.msg"), kept()).unwrap();
        fs::write(spool.join("b.msg"), "no envelope\n").unwrap();
        let run = |arguments: &[&str], stdin: &[u8]| with_umask(&sandbox, umask, arguments, stdin);
        run(&["pipe", "--sender", "alice@sender.example", "--recipient", TO], &kept()).silent();
        run(&["cron"], b"");
        run(&["suppress", "add", "a@b.example"], b"");
        run(&["relay", spool.to_str().unwrap()], b"");
        let exports =
            |name: &str| ["export.prom", "csv", "events"].iter().any(|export| name.starts_with(export));
        let made = everything(&state);
        for expected in
            ["carom.db", "carom.db-wal", "carom.db-shm", "index.db", "log", "done", "compiled", "export.prom"]
        {
            assert!(made.contains_key(expected), "{expected}: {:?}", made.keys());
        }
        for (name, (mode, _, _)) in made.iter().chain(&everything(&spool)) {
            let (kind, mode) = (mode & 0o170_000, mode & 0o7777);
            let (file, directory) = if exports(name) { (0o644, 0o755) } else { (0o640, 0o750) };
            match kind {
                0o040_000 => assert_eq!(mode, directory, "umask {umask}: {name} {mode:o}"),
                0o100_000 if !name.ends_with(".msg") => {
                    assert_eq!(mode, file, "umask {umask}: {name} {mode:o}")
                }
                _ => {}
            }
        }
        assert_eq!(fs::metadata(&state).unwrap().mode() & 0o7777, 0o750);
    }
}

#[test]
fn b20_check_finds_secrets_that_others_read_and_programs_that_others_write() {
    let sandbox = Sandbox::new();
    let (program, file) = (sandbox.path("reload"), sandbox.path("x"));
    let sandbox = sandbox.config(&format!(
        "[verp]\ndomain = \"bounces.example.com\"\nkeys = [\"a key of the tests of access\"]\n\
         [[cycle]]\nname = \"a\"\nvalues = [1, 1, 1, 1, 1, 1, 1]\nfile = \"{}\"\ntext = \"{{value}}\"\nreload = [\"{}\"]\n",
        file.display(),
        program.display()
    ));
    let config = sandbox.path("carom.toml");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    // The check makes no store.
    assert_eq!(sandbox.run(&["suppress", "add", "a@b.example"], b"").code, 0);
    let check = |says: &str| {
        let ran = sandbox.run(&["check"], b"");
        let lines: Vec<&str> = ran.stdout.lines().filter(|line| line.contains(" access ")).collect();
        assert!(lines.iter().any(|line| line.contains(says)), "{says}: {ran:?}");
        (ran.code, lines.len())
    };
    mode(&program, 0o755);
    mode(&config, 0o640);
    check("others can neither read secrets");
    mode(&config, 0o644);
    assert_eq!(check("everyone can read the keys and secrets"), (1, 1));
    mode(&config, 0o646);
    assert_eq!(check("anyone could write to"), (1, 2));
    mode(&config, 0o640);
    mode(&program, 0o757);
    assert_eq!(check("reload (mode 757), and carom runs it"), (1, 1));
    mode(&program, 0o755);
    let state = sandbox.path("state");
    mode(&state, 0o755);
    mode(&state.join("carom.db"), 0o644);
    assert_eq!(check("carom.db: everyone can read the addresses and messages"), (1, 1));
}
