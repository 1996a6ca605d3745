//! `carom check`: keys, secrets, URLs, policies, outputs and databases that the config names.
//!
//! Not here: users, directories, clock and network (`check`).

use crate::harness::checked_host::{GOOD, Host};
use crate::harness::guest::Guest;
use crate::harness::plain;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

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
fn a_domain_that_is_none_is_found_with_the_one_that_was_meant_and_hides_no_other_fault() {
    for (written, fix) in [
        ("*.audit.example", "write \"audit.example\""),
        ("grüße.example", "write \"xn--gre-6ka8l.example\""),
        (".sink.audit.example", "write \"sink.audit.example\""),
        ("x@audit.example", "write \"audit.example\""),
        ("", "or remove it"),
        (".", "or remove it"),
        (" ", "or remove it"),
    ] {
        let mut host =
            Host::but("domains = [\"sink.example\"]", &format!("domains = [\"sink.example\", {written:?}]"));
        let directory = host.sandbox.path("etc");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("main.cf"), "").unwrap();
        fs::write(directory.join("master.cf"), "smtp unix - - n - - smtp\n").unwrap();
        host.environment.push(("MAIL_CONFIG", directory.display().to_string()));
        let text = format!("[policy.sink.settings] domains: {written:?} is not a domain");
        let found = host.finds(&[], "wrong", &text);
        assert!(found["line"] == 11 && found["fix"].as_str().unwrap().contains(fix), "{found}");
        host.finds(&[], "note", "master.cf has no service that runs carom pipe");
        let enabled = host.run(&["postfix", "enable", "-c", directory.to_str().unwrap()]);
        assert!(enabled.code == 1 && enabled.stderr.contains("is not a domain"), "{enabled:?}");
        // Alone, it is no domain that the sink could have.
        host.edit(&format!("[\"sink.example\", {written:?}]"), &format!("[{written:?}]"));
        let words = ["pipe", "--recipient", "x@accept.sink.example"];
        let taken = host.hand(&words, &plain("x@accept.sink.example"));
        match written {
            // The sink takes the dot off.
            ".sink.audit.example" => assert_eq!(taken.code, 0, "{taken:?}"),
            _ => assert!(taken.code == 75 && taken.stdout.contains("the sink has no domains"), "{taken:?}"),
        }
    }
    let verp = "[verp]\nkeys = [\"a key of this test, long enough\"]\n";
    let host = Host::with(&format!("{verp}domain = \"rück.example\"\n"));
    let found = host.finds(&[], "wrong", "[verp] domain: \"rück.example\" is not a domain");
    assert!(found["fix"].as_str().unwrap().starts_with("write \"xn--rck-"), "{found}");
    let host = Host::with("[policy.bounce.settings]\ndomains = [\"sink.example\"]\n");
    let (code, findings) = host.check(&[]);
    let twice = "sink.example is in the domains of bounce and of sink";
    let found = findings.iter().find(|one| one["found"] == twice);
    assert!(found.is_none_or(|one| one["line"].as_u64().is_some()) && code <= 1, "{findings:#?}");
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

/// GOOD has 13 lines.
#[test]
fn a_fault_in_a_table_names_the_line_of_its_key() {
    for (lines, text, line) in [
        ("[serve]\n[[serve.tokens]]\nname = \"a\"\nsha256 = \"12\"\n", "is not a SHA-256", 17),
        ("[policy.bounce.settings]\nkeep = true\nbogus = 1\n", "unknown setting", 16),
        ("[policy.bounce.settings]\nkeep = true\nthreshold = \"x\"\n", "threshold", 16),
        (
            "[[policy.bounce.settings.rules]]\nname = \"r\"\npattern = \"one\"\nreason = \"nonsense\"\n",
            "nonsense",
            17,
        ),
    ] {
        let host = Host::with(lines);
        let found = host.finds(&[], "wrong", text);
        assert_eq!(found["line"], line, "{found}");
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
        (
            "[export]\ncsv = \"DIR/zone\"\n",
            "zone: it is not a directory, but a file",
            "[export]\ncsv = \"DIR/csv\"\n",
        ),
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
            host.obey(&found, "install -d ");
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
    bytes[4096 * 2..].fill(0xa5);
    fs::write(&store, bytes).unwrap();
    for arguments in [&[][..], &["--quick"]] {
        let (code, findings) = host.check(arguments);
        let said = findings.iter().find(|found| found["subject"] == "store" && found["level"] == "wrong");
        assert!(
            code == 1 && said.is_some_and(|said| said["fix"].as_str().unwrap().contains(".recover")),
            "{arguments:?} {findings:#?}"
        );
    }
}

/// The files that make findings of `carom check`.
fn sources() -> String {
    let mut files: Vec<_> = ["src/check", "src/wiring"]
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.to_string_lossy().contains("src/check/") || path.to_string_lossy().contains("_findings")
        })
        .collect();
    files.extend(["src/check.rs", "src/cli/check.rs"].map(std::path::PathBuf::from));
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

#[test]
fn every_subject_of_a_finding_is_documented_and_every_documented_one_exists() {
    let page = fs::read_to_string("docs/check.md").unwrap();
    let table = page.split("## Findings").nth(1).unwrap();
    let documented: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('|').next())
        .flat_map(|cell| cell.split('`').filter(|word| word.contains(char::is_alphabetic)))
        .collect();
    let sources = sources();
    let starts = [
        "Finding::good(",
        "Finding::wrong(",
        "Finding::note(",
        "Finding::error(",
        "SUBJECT: &str = ",
        "place(",
    ];
    let mut subjects: Vec<&str> = starts
        .iter()
        .flat_map(|start| sources.split(start).skip(1))
        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
        .collect();
    subjects.sort_unstable();
    subjects.dedup();
    assert!(subjects.len() > 12, "{subjects:?}");
    for subject in subjects {
        assert!(documented.contains(&subject), "{subject} is not in docs/check.md");
    }
    let all = sources + &fs::read_to_string("src/workshop/inspect.rs").unwrap();
    for subject in documented {
        assert!(all.contains(&format!("\"{subject}\"")), "no finding is about {subject}");
    }
}
