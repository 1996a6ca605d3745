//! What an operator is told at night, when something is damaged, lost or empty: what can be read is shown, what cannot is named with
//! its fix, and the exit code says that it is not all.

use crate::bounces::{STRANGER, bounce, dsn, hard};
use crate::harness::mail_log::{self, ago};
use crate::harness::{HOUR_MS, Ran, Sandbox, free_port, names, plain, queued};
use crate::statistics::{OTHER, UNKNOWN_USER, append, delivery, tick};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ANN: &str = "ann@there.example";

fn run(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    sandbox.run(arguments, b"")
}

/// Everything after the first page of a database is overwritten.
fn damage(database: &Path) {
    overwrite(database, |at| at >= 4096);
}

fn overwrite(database: &Path, is_lost: impl Fn(usize) -> bool) {
    let (above, name) = (database.parent().unwrap(), database.file_name().unwrap().to_string_lossy());
    let beside = names(above).into_iter().filter(|other| other.starts_with(&format!("{name}-")));
    beside.for_each(|other| fs::remove_file(above.join(other)).unwrap());
    let good = fs::read(database).unwrap();
    let bad: Vec<u8> =
        good.iter().enumerate().map(|(at, byte)| if is_lost(at) { 0xa5 } else { *byte }).collect();
    fs::write(database, bad).unwrap();
}

/// A bounce about Ann is in the message log, in the store and, from the mail log, in the index.
fn with_ann() -> Sandbox {
    let sandbox = mail_log::sandbox(None, "");
    append(&sandbox, &ago(50, &delivery(540, 1, ANN, OTHER, 1.0, UNKNOWN_USER)));
    tick(&sandbox, &[]);
    let to = "x@accept.sink.example";
    sandbox.run(&[&queued(to, "4Qann")[..], &["--policy", "sink"]].concat(), &plain(to));
    sandbox
}

/// `carom find` with one of its databases damaged.
fn found_without(sandbox: &Sandbox, database: &str, key: &str) -> Ran {
    let path = sandbox.path("state").join(database);
    damage(&path);
    let found = run(sandbox, &["find", key]);
    let fix = if database == "index.db" { "move it away" } else { "restore a backup" };
    assert!(
        found.code == 1 && found.stderr.contains("not all is shown: ") && found.stderr.contains(fix),
        "{database}: {found:?}"
    );
    assert!(found.stderr.contains(database) && found.stderr.contains("damaged"), "{database}: {found:?}");
    found
}

#[test]
fn find_gives_what_can_be_read_if_the_index_is_damaged() {
    let sandbox = with_ann();
    let whole = run(&sandbox, &["find", ANN]);
    assert!(whole.code == 0 && whole.stdout.contains("delivery  "), "{whole:?}");
    let message: Vec<&str> = whole.stdout.lines().filter(|line| line.starts_with("message ")).collect();
    assert!(!message.is_empty(), "{whole:?}");
    let found = found_without(&sandbox, "index.db", ANN);
    assert!(message.iter().all(|line| found.stdout.contains(line)), "{whole:?} {found:?}");
    assert!(found.stdout.contains("suppressed   "), "{found:?}");
    let json = run(&sandbox, &["find", ANN, "--json"]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(json["unread"][0].as_str().unwrap().contains("index.db"), "{json}");
    let exported = run(&sandbox, &["find", ANN, "--export"]);
    let json: Value = serde_json::from_str(&exported.stdout).unwrap();
    assert!(
        exported.code == 1 && json["log"][0].is_object() && json["unread"][0].is_string(),
        "{exported:?}"
    );
}

#[test]
fn find_gives_what_can_be_read_if_the_store_is_damaged() {
    let sandbox = with_ann();
    for key in [ANN, "4Qann"] {
        let whole = run(&sandbox, &["find", key]);
        let rows =
            whole.stdout.lines().filter(|line| line.starts_with("message ") || line.starts_with("delivery "));
        assert!(rows.count() > 0, "{whole:?}");
    }
    let found = found_without(&sandbox, "carom.db", ANN);
    assert!(found.stdout.contains("message ") && found.stdout.contains("delivery "), "{found:?}");
    assert!(run(&sandbox, &["find", "4Qann"]).stdout.contains("4Qann"));
    let nobody = run(&sandbox, &["find", "nobody@there.example"]);
    assert!(nobody.code == 1 && nobody.stdout.starts_with("nothing can be read about "), "{nobody:?}");
    fs::write(sandbox.path("state/carom.db"), "no database".repeat(1000)).unwrap();
    let found = run(&sandbox, &["find", ANN]);
    assert!(found.code == 1 && found.stdout.contains("delivery "), "{found:?}");
    assert!(found.stderr.contains("not a database of SQLite"), "{found:?}");
}

/// Does what an error says in the end: the command after the last colon.
fn obey(said: &str) {
    let command = said[said.find("mv ").unwrap()..].lines().next().unwrap();
    assert!(Command::new("sh").args(["-ec", command]).status().unwrap().success(), "{command}");
}

#[test]
fn a_database_that_lost_its_first_page_is_carom_s_own_and_stays_in_view_once_it_is_moved_away() {
    let sandbox = with_ann();
    for (database, lost) in [("carom.db", "counters are lost"), ("index.db", "reads the logs again")] {
        overwrite(&sandbox.path("state").join(database), |at| at < 4096);
        let found = run(&sandbox, &["find", ANN]);
        let text = format!("{database}: damaged: its first page is overwritten; ");
        assert!(found.code == 1 && found.stderr.contains(&text), "{found:?}");
        assert!(found.stderr.contains(lost) && found.stderr.contains("rm -f "), "{found:?}");
        obey(&found.stderr[found.stderr.find(&text).unwrap()..]);
        assert!(sandbox.path(&format!("state/{database}.damaged")).is_file());
        tick(&sandbox, &[]);
    }
    // Services are started after a quick check.
    for (check, is_wrong) in [(&["check"][..], true), (&["check", "--quick"], false)] {
        let found = run(&sandbox, check);
        let said = found.stdout.lines().find(|line| line.contains("carom.db.damaged knows is here"));
        let kind = if is_wrong { "wrong" } else { "note" };
        assert!(said.is_some_and(|line| line.starts_with(kind)), "{found:?}");
        assert!(found.code == 1 || !is_wrong, "{found:?}");
    }
    // What was moved away may name anybody.
    let json = || serde_json::from_str::<Value>(&run(&sandbox, &["erase", ANN, "--json"]).stdout).unwrap();
    let named = |left: &Value, database: &str| {
        let is_it = |path: &Value| path.as_str().unwrap().ends_with(&format!("{database}.damaged"));
        left["left"]["moved_away"].as_array().unwrap().iter().any(is_it)
    };
    let left = json();
    assert!(named(&left, "carom.db") && named(&left, "index.db"), "{left}");
    let erased = run(&sandbox, &["erase", ANN]);
    assert!(
        erased.code == 1 && erased.stdout.contains("index.db.damaged: moved away; remove it"),
        "{erased:?}"
    );
    for database in ["carom.db", "index.db"] {
        fs::remove_file(sandbox.path(&format!("state/{database}.damaged"))).unwrap();
    }
    assert!(json()["left"]["moved_away"].as_array().unwrap().is_empty());
}

/// Scripts send mail or not by the exit code: 1 is an answer, and an error is none.
#[test]
fn an_error_is_no_answer_of_commands_that_answer_by_their_exit_code() {
    let sandbox = crate::bounces::sandbox(free_port(), "");
    hard(&sandbox, ANN);
    let check = |address: &str| run(&sandbox, &["suppress", "check", address]);
    assert_eq!((check(ANN).code, check("bob@there.example").code), (1, 0));
    for wrong in [
        &["suppress", "check"][..],
        &["--json", "suppress", "check", ANN, "--no-such-option"],
        &["suppress", "check", "no address"],
        &["--config", "/no/such/file", "suppress", "check", ANN],
        &["--config", "/no/such/file", "alerts"],
    ] {
        let ran = run(&sandbox, wrong);
        assert!(ran.code == 75 && !ran.stderr.is_empty(), "{wrong:?}: {ran:?}");
    }
    damage(&sandbox.path("state/carom.db"));
    for address in [ANN, "bob@there.example"] {
        let ran = check(address);
        assert!(ran.code == 75 && ran.stderr.contains("damaged") && ran.stdout.is_empty(), "{ran:?}");
    }
    assert_eq!(run(&sandbox, &["suppress", "list"]).code, 1);
    let help = run(&sandbox, &["suppress", "check", "--help"]).stdout;
    assert!(help.contains("75 not known"), "{help}");
}

#[test]
fn who_was_suppressed_since_a_time_is_listed() {
    let sandbox = crate::bounces::sandbox(free_port(), "");
    hard(&sandbox, "early@there.example");
    sandbox.advance(3 * HOUR_MS);
    hard(&sandbox, "late@there.example");
    let listed = |since: &str| run(&sandbox, &["suppress", "list", "--since", since]).stdout;
    assert!(listed("1h").contains("late@") && !listed("1h").contains("early@"), "{}", listed("1h"));
    assert_eq!(listed("4h").lines().count(), 2);
    let json = run(&sandbox, &["suppress", "list", "there", "--since", "1h", "--json"]).stdout;
    assert!(json.lines().count() == 1 && json.contains("late@"), "{json}");
}

/// What a command prints on a terminal, standard error with it.
fn on_terminal(sandbox: &Sandbox, arguments: &[&str]) -> Option<String> {
    Command::new("script").arg("--version").output().ok()?;
    let inner = sandbox.command(arguments);
    let words: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    let ran = Command::new("script").args(["-qec", &words.join(" "), "/dev/null"]).output().unwrap();
    Some(String::from_utf8_lossy(&ran.stdout).replace('\r', ""))
}

#[test]
fn an_empty_answer_of_the_log_says_from_when_the_log_goes() {
    let sandbox = Sandbox::new();
    let to = "x@accept.sink.example";
    sandbox.run(&queued(to, "4Qone"), &plain(to)).silent();
    let first =
        names(&sandbox.path("state/log")).into_iter().find(|name| name.starts_with("messages-2")).unwrap();
    let first = &first["messages-".len()..first.len() - ".log".len()];
    let nothing = ["log", "--recipient", "nobody@there.example"];
    if let Some(said) = on_terminal(&sandbox, &nothing) {
        assert!(said.contains("no message matches; the log begins on ") && said.contains(first), "{said}");
        let json = on_terminal(&sandbox, &[&nothing[..], &["--json"]].concat()).unwrap();
        assert_eq!(json, "");
    }
    let piped = run(&sandbox, &nothing);
    assert_eq!((piped.code, piped.stdout.as_str(), piped.stderr.as_str()), (0, "", ""), "{piped:?}");
    let wrong = run(&sandbox, &["log", "--since", "soon"]);
    assert!(
        wrong.code == 1 && wrong.stderr.contains("2026-01-31, 22:00, now, today, yesterday, or an age"),
        "{wrong:?}"
    );
}

fn store_findings(sandbox: &Sandbox) -> Vec<String> {
    let checked = run(sandbox, &["check"]).stdout;
    let mut lines = checked.lines().skip_while(|line| !line.contains("  store "));
    lines.by_ref().take(2).map(str::to_owned).collect()
}

fn moved(sandbox: &Sandbox) -> PathBuf {
    let damaged = sandbox.path("state/carom.db.damaged");
    fs::rename(sandbox.path("state/carom.db"), &damaged).unwrap();
    for name in ["carom.db-wal", "carom.db-shm"] {
        let _ = fs::remove_file(sandbox.path("state").join(name));
    }
    damaged
}

#[test]
fn an_empty_store_in_the_place_of_a_damaged_one_is_a_finding() {
    let sandbox = crate::bounces::sandbox(free_port(), "");
    hard(&sandbox, ANN);
    let saved = fs::read(sandbox.path("state/carom.db")).unwrap();
    let damaged = moved(&sandbox);
    let is_found = |found: &[String]| {
        found[0].starts_with("wrong")
            && found[0].contains("carom.db.damaged")
            && found[1].contains("restore a backup")
    };
    assert!(is_found(&store_findings(&sandbox)), "{:?}", store_findings(&sandbox));
    hard(&sandbox, "bob@there.example");
    assert!(is_found(&store_findings(&sandbox)), "{:?}", store_findings(&sandbox));
    // What was saved or restored has an earlier beginning.
    for name in ["carom.db", "carom.db-wal", "carom.db-shm"] {
        let _ = fs::remove_file(sandbox.path("state").join(name));
    }
    fs::write(sandbox.path("state/carom.db"), saved).unwrap();
    assert!(store_findings(&sandbox)[0].starts_with("ok"), "{:?}", store_findings(&sandbox));
    assert!(damaged.exists());
}

/// What may be an address of somebody else stays, and the exit code says that something does.
#[test]
fn a_return_path_that_was_cut_after_the_local_part_is_named_too() {
    let sandbox = crate::bounces::sandbox(free_port(), "");
    let report = dsn("somebody@else.example", "5.1.1", "550 5.1.1 user unknown");
    for cut in ["b+g1g-reatroqprun2-ann", "b+g1g-reatroqprun2-ann="] {
        let path = format!("{cut}@bounces.example.com");
        bounce(&sandbox, &path, STRANGER, &report);
        let erased = run(&sandbox, &["erase", ANN]);
        assert!(
            erased.code == 1 && erased.stdout.contains("cut after ann or within the domain"),
            "{erased:?}"
        );
    }
    let erased = run(&sandbox, &["erase", "an@there.example"]);
    assert!(erased.code == 0 && erased.stdout.starts_with("nothing is known"), "{erased:?}");
}

/// Neither the log nor what it is asked about is taken for whole.
#[test]
fn log_and_find_say_what_of_the_message_log_and_of_the_store_cannot_be_read() {
    let sandbox = with_ann();
    let asked = |why: &[&str]| {
        for words in [&["log"][..], &["log", "--since", "1d"], &["find", "4Qann"]] {
            let shown = run(&sandbox, words);
            let is_said = why.iter().all(|why| shown.stderr.contains(why));
            let code = i32::from(!why.is_empty());
            assert!(shown.code == code && is_said && shown.stdout.contains("4Qann"), "{words:?}: {shown:?}");
        }
    };
    asked(&[]);
    let log = sandbox.path("state/log");
    let name = names(&log).into_iter().find(|name| name.starts_with("messages-2")).unwrap();
    let good = fs::read(log.join(&name)).unwrap();
    fs::write(log.join(&name), [&good[..], b"\xa5\xa5\xa5\n\0\0\0\n"].concat()).unwrap();
    asked(&["not all is shown: ", &name, "2 lines are damaged", "restore the file from a backup"]);
    fs::write(log.join(&name), [&good[..], b"{\"time\":\"cut off by a full di\n"].concat()).unwrap();
    asked(&[]);
    damage(&sandbox.path("state/carom.db"));
    asked(&["not all is shown: ", "carom.db: damaged", "restore a backup"]);
    moved(&sandbox);
    asked(&["not all is shown: ", "nothing of what ", "carom.db.damaged knows is here"]);
}

#[test]
fn find_knows_that_the_mail_logs_were_not_read_or_the_index_is_gone() {
    let sandbox = mail_log::sandbox(None, "");
    append(&sandbox, &ago(50, &delivery(540, 1, ANN, OTHER, 1.0, UNKNOWN_USER)));
    let unread = || {
        let found = run(&sandbox, &["find", "nobody@there.example"]);
        assert!(found.code == 1 && found.stdout.starts_with("nothing can be read about "), "{found:?}");
        assert!(
            found.stderr.contains("no log was read yet") && found.stderr.contains("carom cron"),
            "{found:?}"
        );
    };
    unread();
    tick(&sandbox, &[]);
    let found = run(&sandbox, &["find", ANN]);
    assert!(found.code == 0 && found.stdout.contains("delivery  "), "{found:?}");
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = fs::rename(sandbox.path("state").join(name), sandbox.path("elsewhere"));
    }
    unread();
    let found = run(&sandbox, &["find", ANN]);
    assert!(found.code == 1 && found.stdout.contains("suppressed  "), "{found:?}");
}

#[test]
fn every_command_takes_a_time_without_a_day() {
    let sandbox = with_ann();
    for words in [
        &["log", "--since"][..],
        &["report", "--since"],
        &["deliveries", "--since"],
        &["suppress", "list", "--since"],
    ] {
        let ran = run(&sandbox, &[words, &["00:00"]].concat());
        assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
    }
}
