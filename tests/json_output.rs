//! The keys of `--json`, as `docs/json-output.md` lists them, are those that the commands print.

use crate::bounces::hard;
use crate::harness::application::Application;
use crate::harness::policies::{self, counting};
use crate::harness::redis::{Redis, tick as tick_of_host};
use crate::harness::{Sandbox, names, plain};
use crate::statistics::{OTHER, append, delivery, tick};
use crate::wiring::Instance;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

fn page() -> String {
    fs::read_to_string("docs/json-output.md").unwrap()
}

/// The keys in the tables below a heading, and what is said about each.
fn explained(heading: &str) -> BTreeMap<String, String> {
    let text = page();
    let after = text.split_once(&format!("\n{heading}\n")).expect(heading).1;
    let part = after.split("\n## ").next().unwrap().split("\nWith `").next().unwrap();
    let rows = part.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" | "));
    let keys = rows.flat_map(|(cell, said)| {
        cell.split(", ").map(|key| (key.trim_matches('`').to_owned(), said.to_owned()))
    });
    keys.collect()
}

/// The keys in the tables below a heading.
fn documented(heading: &str) -> BTreeSet<String> {
    explained(heading).into_keys().collect()
}

/// Every key that was printed is documented, and every one that is always there was printed.
#[track_caller]
fn fits(heading: &str, lines: &str) {
    let explained = explained(heading);
    let printed: BTreeSet<String> =
        printed(lines).into_iter().filter(|key| !key.contains('.') || explained.contains_key(key)).collect();
    assert!(!printed.is_empty(), "{heading}: nothing was printed");
    let unknown: Vec<&String> = printed.iter().filter(|key| !explained.contains_key(*key)).collect();
    assert!(unknown.is_empty(), "{heading} does not explain {unknown:?}");
    let missing =
        explained.iter().filter(|(key, said)| !said.starts_with("only ") && !printed.contains(*key));
    let missing: Vec<&String> = missing.map(|(key, _)| key).collect();
    assert!(missing.is_empty(), "{heading}: {missing:?} are not in {lines}");
}

/// The keys of printed lines, those of inner objects after the outer key.
fn printed(lines: &str) -> BTreeSet<String> {
    fn walk(value: &Value, outer: &str, keys: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (key, inner) in fields {
                    keys.insert(format!("{outer}{key}"));
                    walk(inner, &format!("{outer}{key}."), keys);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, outer, keys)),
            _ => {}
        }
    }
    let mut keys = BTreeSet::new();
    lines.lines().for_each(|line| walk(&serde_json::from_str(line).unwrap(), "", &mut keys));
    keys
}

#[test]
fn the_documented_keys_are_those_that_are_printed() {
    let sandbox = Sandbox::new();
    let complaint = b"From: fbl@there.example\r\nTo: fbl@example.com\r\nSubject: complaint\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\r\n\r\n\
        --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: x\r\nVersion: 1\r\n\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nFrom: shop@example.com\r\nCFBL-Feedback-ID: 7\r\nSubject: x\r\n\r\nx\r\n--b--\r\n";
    fs::write(sandbox.path("complaint.eml"), complaint).unwrap();
    let complaint = sandbox.path("complaint.eml").display().to_string();
    let all = sandbox.run(&["classify", "--json", "--explain", "tests/reports", &complaint], b"");
    assert_eq!(printed(&all.stdout), documented("## carom classify --json"));
    let replies = b"550 5.1.1 no such user\n550 5.1.0 <a@there.example>: Sender address rejected: unknown\n";
    let all = sandbox.run(&["classify", "--text", "--json"], replies);
    assert_eq!(printed(&all.stdout), documented("## carom classify --text --json"));
    let failure = "dsn=5.0.0, status=bounced (host mx[192.0.2.9] said: 599 xyzzy plugh)";
    let sandbox = crate::harness::mail_log::sandbox(None, "");
    append(&sandbox, &delivery(540, 1, "a@there.example", OTHER, 1.0, failure));
    tick(&sandbox, &[]);
    let deliveries = sandbox.run(&["deliveries", "--json"], b"").stdout;
    assert_eq!(printed(&deliveries), documented("## carom deliveries --json"));
    let shapes = sandbox.run(&["deliveries", "--unclassified", "--json"], b"").stdout;
    assert_eq!(printed(&shapes), documented("With `--unclassified`:"));
    let found: Value =
        serde_json::from_str(&sandbox.run(&["find", "a@there.example", "--json"], b"").stdout).unwrap();
    let keys: BTreeSet<String> = found.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, documented("## carom find --json"));
}

#[test]
fn every_command_is_explained_or_named_as_one_without_json() {
    let sandbox = Sandbox::new();
    let man = sandbox.path("man").display().to_string();
    assert_eq!(sandbox.run(&["man", "--out", &man], b"").code, 0);
    let mut commands: Vec<String> = names(&sandbox.path("man"))
        .iter()
        .filter_map(|name| Some(name.strip_prefix("carom-")?.strip_suffix(".1")?.replace('-', " ")))
        .collect();
    let all = commands.clone();
    let is_group = |name: &String| all.iter().any(|other| other.starts_with(&format!("{name} ")));
    commands.retain(|name| !is_group(name));
    assert!(commands.len() > 40, "{commands:?}");
    let text = page().split_whitespace().collect::<Vec<_>>().join(" ");
    let without = text.split_once("The other commands").unwrap().1.split_once("## ").unwrap().0;
    let is_named = |name: &String| {
        let first = name.split(' ').next().unwrap_or_default();
        let is_without =
            [name.as_str(), &format!("{first} …")].iter().any(|one| without.contains(&format!("`{one}`")));
        is_without || text.contains(&format!("carom {name}"))
    };
    commands.retain(|name| !is_named(name));
    assert!(commands.is_empty(), "docs/json-output.md does not say what --json is for {commands:?}");
}

/// A bounce of `address`, as its mail server reports it.
fn bounce(address: &str) -> Vec<u8> {
    format!(
        "From: MAILER-DAEMON@mx.there.example\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.there.example\r\n\r\n\
         Final-Recipient: rfc822; {address}\r\nAction: failed\r\nStatus: 5.1.1\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 User unknown\r\n\r\n--b--\r\n"
    )
    .into_bytes()
}

/// A sandbox with alerts, events, signed return paths, a log, and what a bounce and a log have left.
fn used() -> Sandbox {
    let sandbox = crate::harness::mail_log::sandbox(None, "keep = true\n");
    let events = sandbox.path("events").display().to_string();
    let sandbox = sandbox.config(&format!(
        "[verp]\nkeys = [\"a key of this test alone, long enough\"]\ndomain = \"b.example\"\n\
         [[alert]]\nname = \"some\"\nwhen = \"volume\"\nabove = 1000\nmail = [\"ops@sender.example\"]\n\
         [[events]]\nkind = \"file\"\npath = \"{events}\"\n"
    ));
    let failure = "dsn=5.0.0, status=bounced (host mx[192.0.2.9] said: 599 xyzzy plugh)";
    append(&sandbox, &delivery(540, 1, "a@there.example", OTHER, 1.0, failure));
    sandbox
}

#[test]
fn the_keys_of_messages_and_the_tick_are_those_that_are_printed() {
    let sandbox = used();
    let run = |arguments: &[&str], input: &[u8]| sandbox.run(arguments, input).stdout;
    fits("## carom cron --json", &run(&["cron", "--json"], b""));
    let signed = run(&["verp", "sign", "--json", "gone@there.example"], b"");
    fits("## carom verp sign --json", &signed);
    fits("## carom verp sign --json", &run(&["verp", "sign", "--stdin", "--json"], b"a@there.example\n"));
    let path: Value = serde_json::from_str(&signed).unwrap();
    let path = path["return_path"].as_str().unwrap();
    fits("## carom verp verify --json", &run(&["verp", "verify", "--json", path], b""));
    fits("## carom verp header --json", &run(&["verp", "header", "--json", "a@there.example"], b""));
    let pipe = ["pipe", "--policy", "bounce", "--sender", "", "--recipient", path];
    let report = bounce("gone@there.example");
    fits("## carom pipe --dry-run --json", &run(&[&pipe[..], &["--dry-run", "--json"]].concat(), &report));
    assert_eq!(sandbox.run(&pipe, &report).code, 0);
    let unsigned = ["pipe", "--policy", "bounce", "--sender", "", "--recipient", "x@b.example"];
    assert_eq!(sandbox.run(&unsigned, &report).code, 0);
    fits("## carom log --json", &run(&["log", "--json"], b""));
    fs::create_dir(sandbox.path("spool")).unwrap();
    fs::write(sandbox.path("spool/one.eml"), &report).unwrap();
    let spool = sandbox.path("spool").display().to_string();
    fits("## carom relay --json", &run(&["relay", &spool, "--policy", "bounce", "--json"], b""));
    fits("## carom alerts --json", &run(&["alerts", "--json"], b""));
    fits("## carom check --json", &run(&["check", "--quick", "--json"], b""));
    fits("## carom report --json", &run(&["report", "2026-03-01", "--json"], b""));
    fits("## carom stats --json", &run(&["stats", "--minutes", "--json"], b""));
    fits("## carom rules suggest --json", &run(&["rules", "suggest", "--days", "3650", "--json"], b""));
    fits("## carom reclassify --json", &run(&["reclassify", "--json"], b""));
    fits("## carom erase --json", &run(&["erase", "gone@there.example", "--dry-run", "--json"], b""));
}

#[test]
fn the_keys_of_suppressions_and_policies_are_those_that_are_printed() {
    let sandbox = used();
    let run = |arguments: &[&str]| sandbox.run(arguments, b"").stdout;
    fits("## carom suppress add --json", &run(&["suppress", "add", "joe@there.example", "--json"]));
    for shown in [["suppress", "list", "--json"], ["suppress", "export", "--json"]] {
        fits("## carom suppress list --json", &run(&shown));
    }
    fits("## carom suppress list --json", &run(&["suppress", "check", "joe@there.example", "--json"]));
    let undo = ["suppress", "undo", "--since", "1h", "--source", "operator", "--dry-run", "--json"];
    fits("## carom suppress undo --json", &run(&undo));
    let list = b"email,reason\nanother@there.example,550 5.1.1 user unknown\nnobody,x\n";
    let import = sandbox.run(&["suppress", "import", "-", "--dry-run", "--json"], list).stdout;
    fits("## carom suppress import --json", &import);
    let remove = ["suppress", "remove", "joe@there.example", "nobody@there.example", "--json"];
    assert_eq!(run(&remove), "{\"left\":[],\"removed\":1,\"unlisted\":1}\n");
    fits("## carom suppress remove --json", &run(&remove));
    fits("## carom policy list --json", &run(&["policy", "list", "--json"]));
    fits("## carom policy show --json", &run(&["policy", "show", "bounce", "--json"]));
    let message = sandbox.path("report.eml").display().to_string();
    fs::write(&message, bounce("gone@there.example")).unwrap();
    fits("## carom policy run --json", &run(&["policy", "run", "bounce", &message, "--json"]));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/dist/sink.wasm");
    fits("## carom policy install --json", &run(&["policy", "install", "mine", file, "--json"]));
    fits("## carom policy install --json", &run(&["policy", "list", "mine", "--json"]));
}

#[test]
fn the_keys_of_the_outbox_are_those_that_are_printed() {
    let application = Application::at(0);
    application.answer(422);
    let sandbox = crate::bounces::sandbox(application.port, "");
    hard(&sandbox, "a@there.example");
    let run = |arguments: &[&str]| sandbox.run(&[&["outbox"], arguments, &["--json"]].concat(), b"").stdout;
    fits("## carom outbox --json", &run(&[]));
    fits("## carom outbox retry --json", &run(&["retry", "--all"]));
    fits("## carom outbox --json", &run(&[]));
    fits("## carom outbox retry --json", &run(&["drop", "--all"]));
}

#[test]
fn the_keys_of_the_shared_state_are_those_that_are_printed() {
    let redis = Redis::start(&[]);
    let host = crate::shared::host(&redis, "");
    tick_of_host(&host);
    let run = |command: &str| host.run(&["shared", command, "--json"], b"").stdout;
    fits("## carom shared status --json", &run("status"));
    fits("## carom shared diff --json", &run("diff"));
    fits("## carom shared diff --json", &run("resync"));
}

#[test]
fn the_keys_of_wiring_are_those_that_are_printed() {
    let postfix = Instance::new("");
    let enable = "## carom postfix enable --json";
    fits(enable, &postfix.run(&["enable", "--dry-run", "--json"]).stdout);
    let enabled = postfix.run(&["enable", "--json"]).stdout;
    let (commands, findings) = enabled.split_once('\n').unwrap();
    fits(enable, commands);
    fits("## carom check --json", findings);
    fits("## carom check --json", &postfix.run(&["show", "--json"]).stdout);
    fits(enable, &postfix.run(&["disable", "--json"]).stdout);
}

#[test]
fn the_keys_for_authors_of_policies_are_those_that_are_printed() {
    let sandbox = policies::sandbox().config("[policy.other]\nmonitor = true\n");
    let (one, two) = (counting(&sandbox, "one"), counting(&sandbox, "two"));
    let run = |words: &[&str]| sandbox.run(&[&["policy"], words, &["--json"]].concat(), b"").stdout;
    fits("## carom check --json", &run(&["check", &one]));
    fits("## carom policy bench --json", &run(&["bench", "sink", "--runs", "1"]));
    fs::create_dir(sandbox.path("tests")).unwrap();
    fs::write(sandbox.path("tests/a.toml"), "text = \"Subject: x\\n\\nx\\n\"\nseed = 3\n").unwrap();
    fits("## carom policy test --json", &run(&["test", &one]));
    fits("## carom policy test --json", &run(&["test", &one, "--accept"]));
    let install = "## carom policy install --json";
    fits(install, &run(&["install", "other", &one]));
    run(&["install", "other", &two]);
    fits(install, &run(&["rollback", "other"]));
    run(&["install", "sink", &one]);
    let shipped = run(&["rollback", "sink"]);
    assert!(shipped == "{\"shipped\":true}\n" && documented(install).contains("shipped"), "{shipped}");
    let to = "b@accept.sink.example";
    sandbox.pipe(to, &plain(to)).silent();
    fits("## carom policy diff --json", &run(&["diff"]));
}
