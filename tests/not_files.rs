//! What is no file, in the place of one: named pipes, sockets, directories and devices without end are refused with
//! their name, and nothing waits for them.

use crate::harness::memory::{MOST_MIB, peak};
use crate::harness::policies::counting;
use crate::harness::{Ran, SENDER, Sandbox, finish, names, plain, start};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const TO: &str = "x@accept.sink.example";
const KINDS: [&str; 4] = ["pipe", "socket", "directory", "endless"];
/// Less than the deadline of a message.
const SOON: Duration = Duration::from_secs(45);

/// Puts something that is no file at `path`, in place of what is there.
fn put(kind: &str, path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    }
    let _ = fs::remove_file(path);
    match kind {
        "pipe" => mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap(),
        "socket" => drop(UnixListener::bind(path).unwrap()),
        "directory" => fs::create_dir(path).unwrap(),
        _ => symlink("/dev/zero", path).unwrap(),
    }
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    finish(start(sandbox.command(arguments), &plain(TO)), SOON)
}

fn pipe(sandbox: &Sandbox) -> Ran {
    run(sandbox, &["pipe", "--sender", SENDER, "--recipient", TO, "--client-address", "192.0.2.1"])
}

/// A line of Postfix about a message that was delivered.
fn sent(number: u32) -> String {
    format!(
        "{} mx postfix/smtp[2]: 4QFkX0{number:04}z1: to=<u{number}@there.example>, relay=mx.there.example[192.0.2.9]:25, \
         delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n",
        jiff::Timestamp::now()
    )
}

/// A sandbox, with a directory of one message.
fn with_spool(config: &str) -> (Sandbox, String) {
    let sandbox = Sandbox::new().config("[relay]\nsettle = 0\n").config(config);
    let spool = sandbox.path("spool");
    fs::create_dir(&spool).unwrap();
    fs::write(spool.join("a.msg"), plain(TO)).unwrap();
    let spool = spool.display().to_string();
    (sandbox, spool)
}

/// Whatever is started ends, and names the file.
#[track_caller]
fn all_refuse(sandbox: &Sandbox, spool: &str, commands: &[&[&str]], name: &str, kind: &str) {
    let piped = pipe(sandbox);
    piped.says(75, "4.3.0 ");
    assert!(piped.stdout.contains(name) && piped.stdout.contains("not a regular file"), "{kind} {piped:?}");
    for command in commands.iter().copied().chain([&["relay", spool][..], &["check"]]) {
        let ran = run(sandbox, command);
        let said = ran.stdout.clone() + &ran.stderr;
        assert!(ran.code == 1 && said.contains(name), "{kind} {command:?} {ran:?}");
    }
    assert_eq!(names(Path::new(spool)), ["a.msg"]);
}

#[test]
fn b11_a_config_that_is_no_file_is_refused_with_its_name() {
    let (sandbox, spool) = with_spool("");
    for kind in KINDS {
        put(kind, &sandbox.path("carom.toml"));
        all_refuse(&sandbox, &spool, &[&["cron"], &["stats"], &["log"], &["outbox"]], "carom.toml", kind);
    }
}

#[test]
fn b11_a_zone_and_a_policy_that_are_no_files_are_refused_with_their_names() {
    let (sandbox, _) = with_spool("");
    for kind in KINDS {
        put(kind, &sandbox.path("zone"));
        assert_eq!(pipe(&sandbox).code, 75, "{kind}");
        let checked = run(&sandbox, &["check"]);
        assert!(checked.code == 1 && checked.stdout.contains("/zone"), "{kind} {checked:?}");
    }
    let (sandbox, spool) = with_spool("");
    let component = sandbox.path("mine.wasm");
    let sandbox = sandbox.config(&format!("[policy.mine]\npath = \"{}\"\n", component.display()));
    let config = sandbox.path("carom.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(config, format!("policy = \"mine\"\n{text}")).unwrap();
    for kind in KINDS {
        put(kind, &component);
        all_refuse(&sandbox, &spool, &[], "mine.wasm", kind);
    }
}

#[test]
fn b15_compiled_code_that_is_no_file_is_compiled_again() {
    let sandbox = Sandbox::new();
    let component = counting(&sandbox, "one");
    let sandbox = sandbox.config(&format!("[policy.mine]\npath = \"{component}\"\n"));
    let decide = || {
        let arguments = ["pipe", "--policy", "mine", "--sender", SENDER, "--recipient", TO];
        run(&sandbox, &arguments).silent();
    };
    decide();
    let compiled = sandbox.path("state/compiled");
    let code = names(&compiled).into_iter().find(|name| name.ends_with(".cwasm")).unwrap();
    for kind in KINDS {
        put(kind, &compiled.join(&code));
        decide();
        assert_eq!(compiled.join(&code).is_file(), kind != "directory", "{kind}");
        let ticked = run(&sandbox, &["cron"]);
        let is_named = ticked.stderr.contains(&code) && ticked.stderr.contains("remove it");
        assert!(
            (ticked.code == 1, is_named) == (kind == "directory", kind == "directory"),
            "{kind} {ticked:?}"
        );
    }
    assert_eq!(sandbox.counter("one"), 5);
}

#[test]
fn b11_a_log_that_is_no_file_holds_up_no_other_log() {
    let sandbox = Sandbox::new();
    let (odd, good) = (sandbox.path("odd.log"), sandbox.path("good.log"));
    let log = |path: &Path| format!("[[logs]]\nkind = \"postfix\"\npath = \"{}\"\n", path.display());
    let sandbox = sandbox.config(&(log(&odd) + &log(&good)));
    for (number, kind) in KINDS.into_iter().enumerate() {
        put(kind, &odd);
        let lines = fs::read_to_string(&good).unwrap_or_default() + &sent(number as u32 + 1);
        fs::write(&good, lines).unwrap();
        let ran = run(&sandbox, &["cron"]);
        assert!(ran.code == 1 && ran.stderr.contains("odd.log"), "{kind} {ran:?}");
        let checked = run(&sandbox, &["check"]);
        assert!(checked.code == 1 && checked.stdout.contains("odd.log"), "{kind} {checked:?}");
        let seen = run(&sandbox, &["deliveries", "--json"]).stdout.lines().count();
        assert_eq!(seen, number + 1, "{kind}");
    }
    fs::remove_file(&odd).unwrap();
    fs::write(&odd, sent(100)).unwrap();
    for kind in KINDS {
        put(kind, &sandbox.path("odd.log.1"));
        assert_eq!(run(&sandbox, &["cron"]).code, 0, "{kind}");
    }
}

#[test]
fn b11_own_logs_that_are_no_files_lose_no_message() {
    let sandbox = Sandbox::new();
    pipe(&sandbox).silent();
    let today = &jiff::Timestamp::now().to_string()[..10];
    for (count, kind) in KINDS.into_iter().enumerate() {
        for name in ["messages", "carom"] {
            put(kind, &sandbox.path("state/log").join(format!("{name}-{today}.log")));
        }
        pipe(&sandbox).silent();
        for command in ["stats", "log", "cron", "outbox"] {
            run(&sandbox, &[command]);
        }
        assert!(sandbox.counter("accept") > count as u64, "{kind}");
    }
}

#[test]
fn b11_a_message_that_is_no_file_is_left_and_named() {
    for kind in KINDS {
        let (sandbox, spool) = with_spool("");
        put(kind, &Path::new(&spool).join("b.msg"));
        let ran = run(&sandbox, &["relay", &spool, "--json"]);
        assert!(ran.code == 0 && ran.stdout.contains("\"messages\":1"), "{kind} {ran:?}");
        assert_eq!(names(Path::new(&spool)), ["b.msg"], "{kind}");
        let log = fs::read_to_string(sandbox.path("state/log/carom.log")).unwrap();
        assert!(log.contains("b.msg") && log.contains("not a regular file"), "{kind}: {log}");
    }
}

#[test]
fn b15_a_new_store_that_another_process_reads_ends_with_the_deadline() {
    let sandbox = Sandbox::new().config("[message]\ndeadline = 2");
    let state = sandbox.path("state");
    fs::create_dir(&state).unwrap();
    fs::write(state.join("carom.db"), "").unwrap();
    // A lock as SQLite takes it to read (its file format, section 1.2: the shared range).
    let held = fs::File::options().read(true).write(true).open(state.join("carom.db")).unwrap();
    rustix::fs::fcntl_lock(&held, rustix::fs::FlockOperation::NonBlockingLockShared).unwrap();
    let to = "x@oob.sink.example";
    let arguments = ["pipe", "--sender", SENDER, "--recipient", to, "--client-address", "192.0.2.1"];
    finish(start(sandbox.command(&arguments), &plain(to)), SOON).says(75, "4.3.0 ");
    let ran = finish(start(sandbox.command(&["cron"]), b""), SOON);
    assert!(ran.code == 1 && ran.stderr.contains("locked"), "{ran:?}");
}

#[test]
fn what_is_beside_compiled_code_holds_up_nobody() {
    let sandbox = Sandbox::new().config("[message]\ndeadline = 20\n");
    let recipient = "x@accept.sink.example";
    sandbox.pipe(recipient, &plain(recipient)).silent();
    let compiled = sandbox.path("state/compiled");
    let beside = |ending: &str| {
        let entries = fs::read_dir(&compiled).unwrap().flatten().map(|entry| entry.path());
        entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect::<Vec<_>>()
    };
    assert!(!beside(".sha256").is_empty());
    for odd in ["pipe", "endless"] {
        for path in [beside(".sha256"), beside(".verified")].concat() {
            fs::remove_file(&path).unwrap();
            match odd {
                "pipe" => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
                _ => symlink("/dev/zero", &path).unwrap(),
            }
        }
        assert_eq!(sandbox.pipe(recipient, &plain(recipient)).code, 0, "{odd}");
    }
}

#[test]
fn an_endless_file_on_the_command_line_ends_every_command_soon_with_its_name() {
    let sandbox = Sandbox::new();
    for kind in ["pipe", "device"] {
        put(kind, &sandbox.path(kind));
    }
    // Nothing but zeros, more than any memory.
    fs::File::create(sandbox.path("sparse")).unwrap().set_len(200 << 30).unwrap();
    let commands: [&[&str]; 7] = [
        &["classify"],
        &["classify", "--text"],
        &["suppress", "import"],
        &["sink", "import"],
        &["import", "bes"],
        &["rules", "import"],
        &["policy", "run", "sink"],
    ];
    for name in ["pipe", "device", "sparse"] {
        let path = sandbox.path(name);
        for command in commands {
            let arguments = [command, &[path.to_str().unwrap()]].concat();
            let (ran, mib) = peak(sandbox.command(&arguments), Path::new("/dev/null"));
            let said = ran.stdout + &ran.stderr;
            let why = match name {
                "pipe" => "a named pipe",
                "device" => "a device",
                _ => " ",
            };
            assert!(ran.code == 1 && said.contains(name) && said.contains(why), "{arguments:?}: {said}");
            assert!(mib < MOST_MIB, "{arguments:?}: {mib} MiB");
        }
    }
    // What the shell opens, as in `<(zcat list.gz)`, is read.
    let list = sandbox.path("list");
    fs::write(&list, "a@x.example\n").unwrap();
    let shell = format!(
        "{} --config {} suppress import --json <(cat {})",
        crate::harness::CAROM,
        sandbox.path("carom.toml").display(),
        list.display()
    );
    let ran = std::process::Command::new("bash").args(["-c", &shell]).output().unwrap();
    assert!(String::from_utf8_lossy(&ran.stdout).contains("\"new\":1"), "{ran:?}");
}

#[test]
fn a_pipe_in_the_place_of_a_database_or_beside_it_holds_up_no_command() {
    for place in [
        "carom.db",
        "carom.db-journal",
        "carom.db-wal",
        "index.db",
        "rules.toml",
        "unsettled/carom.db-1-2.json",
    ] {
        let sandbox = Sandbox::new();
        let log = sandbox.path("mail.log");
        fs::write(&log, sent(1)).unwrap();
        let sandbox =
            sandbox.config(&format!("[[logs]]\nkind = \"postfix\"\npath = \"{}\"\n", log.display()));
        pipe(&sandbox).silent();
        assert_eq!(run(&sandbox, &["cron"]).code, 0);
        let path = sandbox.path("state").join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        put("pipe", &path);
        let commands: [&[&str]; 5] =
            [&["stats"], &["outbox"], &["find", TO], &["suppress", "list"], &["cron"]];
        let said: String = commands.iter().map(|command| run(&sandbox, command).stderr).collect();
        // The ends of steps that wait are read when steps are claimed.
        assert!(said.contains(place) || place.starts_with("unsettled"), "{place}: {said}");
    }
}

/// What root may read is not read through a link that the mail user has made.
#[test]
fn installed_rules_are_not_read_through_a_link() {
    let sandbox = Sandbox::new();
    let secret = sandbox.path("secret");
    fs::write(&secret, "rules = \"a word that nobody may see").unwrap();
    symlink(&secret, sandbox.path("state/rules.toml")).unwrap_or_else(|_| {
        fs::create_dir_all(sandbox.path("state")).unwrap();
        symlink(&secret, sandbox.path("state/rules.toml")).unwrap();
    });
    for command in [&["check"][..], &["cron"], &["stats"]] {
        let ran = run(&sandbox, command);
        assert!(!format!("{ran:?}").contains("nobody may see"), "{ran:?}");
    }
    let ran = run(&sandbox, &["check"]);
    assert!(ran.stdout.contains("rules.toml"), "{ran:?}");
}

#[test]
fn b11_fixtures_of_a_policy_that_are_no_files_are_refused_with_their_names() {
    let sandbox = Sandbox::new();
    let directory = sandbox.path("fixtures");
    for kind in KINDS {
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir(&directory).unwrap();
        // Named itself, in a directory, and as the message of a fixture.
        let (fixture, message) = (directory.join("odd.toml"), directory.join("odd.eml"));
        put(kind, &fixture);
        let places = [fixture.to_str().unwrap(), directory.to_str().unwrap()];
        let tests = || places.map(|place| run(&sandbox, &["policy", "test", "sink", place]));
        let is_empty = kind == "directory";
        for ran in tests() {
            assert!(is_empty || ran.code == 1 && ran.stderr.contains("odd.toml"), "{kind} {ran:?}");
        }
        if kind == "directory" {
            fs::remove_dir(&fixture).unwrap()
        } else {
            fs::remove_file(&fixture).unwrap()
        }
        fs::write(&fixture, "message = \"odd.eml\"\n").unwrap();
        put(kind, &message);
        for ran in tests() {
            assert!(ran.code == 1 && ran.stderr.contains("odd.eml"), "{kind} {ran:?}");
        }
    }
}
