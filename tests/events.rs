//! Events from the outside: real ticks, files, a strict imitation of ClickHouse's HTTP interface, made after its documents,
//! and an application. Each event is held against docs/events.schema.json.

use crate::bounces::{STRANGER, bounce, dsn, signed_path};
use crate::clickhouse_peer::{ClickHouse, ServerManner};
use crate::harness::application::Application;
use crate::harness::{Sandbox, finish, plain, start};
use crate::logs::{append, bounced, sent};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::time::Duration;

/// A sandbox with a log at `mail.log` and these tables.
pub(crate) fn sandbox(tables: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let config = format!(
        "[[logs]]\nkind = \"postfix\"\npath = \"{0}/mail.log\"\ntimezone = \"UTC\"\n{tables}",
        sandbox.dir.display()
    );
    let config = config.replace("DIR", &sandbox.dir.display().to_string());
    sandbox.config(&config)
}

/// A tick, whatever became of it.
pub(crate) fn tick(sandbox: &Sandbox) -> Value {
    serde_json::from_str(&sandbox.run(&["cron", "--json"], b"").stdout).unwrap()
}

/// The events in a directory of files, in order.
pub(crate) fn in_files(sandbox: &Sandbox, directory: &str) -> Vec<Value> {
    let mut files: Vec<_> = fs::read_dir(sandbox.path(directory))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let text: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn ids(events: &[Value]) -> BTreeSet<String> {
    events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

/// Whether a value is as a schema says: the keywords that docs/events.schema.json has.
fn fits(value: &Value, schema: &Value, whole: &Value) -> Result<(), String> {
    for (keyword, said) in schema.as_object().unwrap() {
        let holds = match keyword.as_str() {
            "$schema" | "title" | "$defs" => true,
            "$ref" => {
                let place = said.as_str().unwrap().trim_start_matches('#');
                fits(value, whole.pointer(place).unwrap(), whole)?;
                true
            }
            "type" => {
                let types: Vec<&Value> = said.as_array().map_or(vec![said], |types| types.iter().collect());
                types.iter().any(|name| match name.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "null" => value.is_null(),
                    other => panic!("the type {other}"),
                })
            }
            "const" => value == said,
            "enum" => said.as_array().unwrap().contains(value),
            "pattern" => {
                let text = value.as_str().unwrap_or_default();
                match said.as_str().unwrap() {
                    "^[0-9a-f]{32}$" => {
                        text.len() == 32 && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
                    }
                    _ => text.parse::<jiff::Timestamp>().is_ok() && text.ends_with('Z'),
                }
            }
            "required" => {
                said.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some())
            }
            "properties" => {
                for (key, schema) in said.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        fits(value, schema, whole)?;
                    }
                }
                true
            }
            "oneOf" => {
                said.as_array().unwrap().iter().filter(|one| fits(value, one, whole).is_ok()).count() == 1
            }
            other => panic!("the keyword {other}"),
        };
        if !holds {
            return Err(format!("{keyword} {said}: {value}"));
        }
    }
    Ok(())
}

#[track_caller]
fn all_fit(events: &[Value]) {
    let path = format!("{}/docs/events.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    for event in events {
        let kind = event["kind"].as_str().unwrap();
        // Of the alternatives nobody would know which was meant.
        fits(&event["data"], &schema["$defs"][kind], &schema).unwrap_or_else(|why| panic!("{event}: {why}"));
        fits(event, &schema, &schema).unwrap_or_else(|why| panic!("{event}: {why}"));
    }
}

pub(crate) const FILES: &str = "[[events]]\nkind = \"file\"\npath = \"DIR/out\"\n";

#[test]
fn every_kind_of_event_fits_the_published_schema() {
    let sandbox = sandbox(FILES);
    append(&sandbox.path("mail.log"), &[sent(1), bounced(2)].concat());
    sandbox.run(&["cron"], b"");
    for recipient in ["accept@sink.example", "fail@sink.example", "bounce@sink.example"] {
        sandbox.pipe(recipient, &plain(recipient));
    }
    assert_eq!(sandbox.run(&["suppress", "add", "gone@dest.example", "--reason", "asked"], b"").code, 0);
    assert_eq!(sandbox.run(&["suppress", "remove", "gone@dest.example"], b"").code, 0);
    let report = fs::read(format!("{}/tests/reports/powermta.eml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    sandbox.run(&["pipe", "--policy", "bounce", "--sender", "", "--recipient", "r@bounces.example"], &report);
    let ticked = tick(&sandbox);
    assert_eq!(ticked["problems"], serde_json::json!([]), "{ticked}");
    let events = in_files(&sandbox, "out");
    all_fit(&events);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    events.iter().for_each(|event| *kinds.entry(event["kind"].as_str().unwrap()).or_default() += 1);
    assert_eq!(kinds["delivery"], 2, "{kinds:?}");
    for kind in ["verdict", "step", "suppression"] {
        assert!(kinds.contains_key(kind), "{kind}: {kinds:?}");
    }
    assert!(events.iter().all(|event| event["host"] == "sink.example"));
    assert_eq!(ids(&events).len(), events.len(), "each has an id of its own");
    let listed: Vec<_> =
        events.iter().filter(|event| event["data"]["address"] == "gone@dest.example").collect();
    let changes: Vec<_> = listed.iter().map(|event| event["data"]["change"].as_str().unwrap()).collect();
    assert_eq!(changes, ["added", "removed"]);
    assert_eq!(tick(&sandbox)["events"][0]["sent"], 0);
    assert_eq!(in_files(&sandbox, "out").len(), events.len(), "nothing is sent again");
}

/// With ClickHouse's password in its file.
pub(crate) fn with_clickhouse(server: &ClickHouse, more: &str) -> Sandbox {
    let sandbox = sandbox(&format!("{}{more}", server.table()));
    fs::write(sandbox.path("password"), "secret\n").unwrap();
    sandbox
}

#[test]
fn clickhouse_has_each_event_once_although_answers_are_lost_and_it_fails_for_a_while() {
    let server = ClickHouse::start();
    let sandbox = with_clickhouse(&server, FILES);
    let log = sandbox.path("mail.log");
    append(&log, &sent(1));
    assert_eq!(tick(&sandbox)["problems"], serde_json::json!([]));
    assert_eq!(server.rows().len(), 1);
    server.behave(ServerManner::StoresAndIsSilent);
    append(&log, &sent(2));
    let ran = sandbox.run(&["cron", "--json"], b"");
    assert!(ran.code == 1 && ran.stderr.contains("events: clickhouse:http://127.0.0.1:"), "{ran:?}");
    // More comes while the answer is missing: the batch that may have arrived stays as it was.
    append(&log, &sent(3));
    tick(&sandbox);
    server.behave(ServerManner::Fails);
    append(&log, &bounced(4));
    tick(&sandbox);
    let checked = sandbox.run(&["check", "--json"], b"").stdout;
    assert!(checked.contains("answered 500") && checked.contains("bytes wait"), "{checked}");
    let exposed = sandbox.run(&["export", "prometheus"], b"").stdout;
    let failing = exposed.lines().find(|line| line.starts_with("carom_sink_failing{sink=\"clickhouse"));
    assert!(failing.is_some_and(|line| line.ends_with(" 1")), "{exposed}");
    // The other sink has everything.
    assert_eq!(in_files(&sandbox, "out").len(), 4);
    server.behave(ServerManner::Stores);
    let ticked = tick(&sandbox);
    assert_eq!((&ticked["problems"], &ticked["events"][0]["waiting"]), (&serde_json::json!([]), &0.into()));
    let rows = server.rows();
    assert_eq!((rows.len(), ids(&rows)), (4, ids(&in_files(&sandbox, "out"))));
    all_fit(&rows);
    let password = fs::read_to_string(sandbox.path("state/log/carom.log")).unwrap_or_default();
    assert!(!password.contains("secret"));
}

#[test]
fn a_slow_sink_takes_its_share_of_the_tick_and_no_more() {
    let server = ClickHouse::start();
    server.behave(ServerManner::IsSlow);
    let sandbox = with_clickhouse(&server, FILES);
    append(&sandbox.path("mail.log"), &[sent(1), sent(2)].concat());
    let ticked = tick(&sandbox);
    assert_eq!(ticked["events"][1]["sent"], 2, "{ticked}");
    let fault = ticked["events"][0]["fault"].as_str().unwrap();
    assert!(fault.contains("127.0.0.1"), "{fault}");
    server.behave(ServerManner::Stores);
    tick(&sandbox);
    assert_eq!(server.rows().len(), 2);
}

#[test]
fn events_survive_ticks_that_are_killed_anywhere() {
    let server = ClickHouse::start();
    let sandbox = with_clickhouse(&server, FILES);
    let log = sandbox.path("mail.log");
    for round in 0..12_u32 {
        let lines: String = (round * 40 + 1..=round * 40 + 40).map(sent).collect();
        append(&log, &lines);
        let mut ticking = start(sandbox.command(&["cron"]), b"");
        std::thread::sleep(Duration::from_millis(u64::from(40 + round * 45)));
        let _ = ticking.kill();
        finish(ticking, Duration::from_secs(60));
    }
    tick(&sandbox);
    let ticked = tick(&sandbox);
    assert_eq!(ticked["problems"], serde_json::json!([]), "{ticked}");
    let (rows, files) = (server.rows(), in_files(&sandbox, "out"));
    let of = |events: &[Value]| -> BTreeSet<String> {
        events.iter().map(|event| event["data"]["recipient"].to_string()).collect()
    };
    assert_eq!((of(&rows).len(), of(&files).len()), (480, 480));
    // What came again has the same id.
    assert_eq!((ids(&rows).len(), ids(&files).len()), (480, 480));
}

#[test]
fn what_waits_is_bounded_and_only_dropped_where_the_config_says_so() {
    let server = ClickHouse::start();
    server.behave(ServerManner::Fails);
    let sandbox = sandbox(&format!("{}max_backlog = 1048576\n", server.table()));
    fs::write(sandbox.path("password"), "secret\n").unwrap();
    let log = sandbox.path("mail.log");
    let many = |from: u32| -> String { (from..from + 1500).map(bounced).collect() };
    append(&log, &many(1));
    tick(&sandbox);
    append(&log, &many(2001));
    let ran = sandbox.run(&["cron", "--json"], b"");
    assert!(ran.stderr.contains(" bytes wait for it, and max_backlog is 1048576: "), "{ran:?}");
    let uncollected = |ticked: &str| -> Value {
        let ticked: Value = serde_json::from_str(ticked).unwrap();
        ticked["events"][0]["uncollected"].clone()
    };
    assert_eq!(uncollected(&ran.stdout), true, "{ran:?}");
    let exposed = || sandbox.run(&["export", "prometheus"], b"").stdout;
    let left = |exposed: &str| {
        exposed
            .lines()
            .any(|line| line.starts_with("carom_sink_uncollected{sink=\"clickhouse") && line.ends_with(" 1"))
    };
    assert!(left(&exposed()));
    server.behave(ServerManner::Stores);
    assert_eq!(tick(&sandbox)["problems"], serde_json::json!([]), "it has taken what waited");
    tick(&sandbox);
    tick(&sandbox);
    assert_eq!(ids(&server.rows()).len(), 3000, "nothing is lost");
    assert!(uncollected(&sandbox.run(&["cron", "--json"], b"").stdout).is_null());
    assert!(!left(&exposed()));
    let queue: u64 = fs::read_dir(sandbox.path("state/event-queue"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(queue < 1000, "what every sink has is gone: {queue}");
}

#[test]
fn a_report_that_counts_is_an_event() {
    let host = crate::bounces::sandbox(crate::harness::free_port(), "");
    let files = format!("[[events]]\nkind = \"file\"\npath = \"{}/out\"\n", host.dir.display());
    let host = host.config(&files);
    let report = dsn("gone@there.example", "5.1.1", "550 5.1.1 user unknown");
    bounce(&host, &signed_path(&host, "gone@there.example"), STRANGER, &report);
    assert_eq!(tick(&host)["problems"], serde_json::json!([]));
    let events = in_files(&host, "out");
    all_fit(&events);
    let reports: Vec<&Value> = events.iter().filter(|event| event["kind"] == "report").collect();
    assert_eq!(reports.len(), 1, "{events:?}");
    assert_eq!(reports[0]["data"]["counted"]["bounce_hard"], 1, "{}", reports[0]);
}

#[test]
fn a_webhook_gets_signed_batches_under_the_same_id_until_it_takes_them() {
    let application = Application::at(0);
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let sandbox = sandbox(&format!(
        "[[events]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{}/events\"\nsecrets = [\"{secret}\"]\n\
         include = [\"delivery\"]\n",
        application.port
    ));
    application.answer(503);
    append(&sandbox.path("mail.log"), &[sent(1), bounced(2)].concat());
    assert!(tick(&sandbox)["problems"][0].as_str().unwrap().contains("answered 503"));
    application.answer(202);
    assert_eq!(tick(&sandbox)["problems"], serde_json::json!([]));
    let told = application.told();
    assert_eq!(told.len(), 2);
    assert_eq!((told[0].header("webhook-id"), &told[0].body), (told[1].header("webhook-id"), &told[1].body));
    assert!(told[1].header("webhook-signature").starts_with("v1,"));
    let body: Value = serde_json::from_str(&told[1].body).unwrap();
    assert_eq!(body["type"], "carom.events");
    let events = body["data"].as_array().unwrap();
    all_fit(events);
    assert_eq!(events.len(), 2);
    assert_eq!(tick(&sandbox)["events"][0]["sent"], 0);
}

#[test]
fn files_of_events_are_divided_by_size_and_keep_no_line_that_was_cut_off() {
    let sandbox = sandbox("[[events]]\nkind = \"file\"\npath = \"DIR/out\"\nmax_size = 65536\n");
    let log = sandbox.path("mail.log");
    for round in 0..4_u32 {
        append(&log, &(round * 100 + 1..=round * 100 + 60).map(bounced).collect::<String>());
        tick(&sandbox);
    }
    let names = crate::harness::names(&sandbox.path("out"));
    assert!(names.len() > 1 && names.iter().all(|name| name.starts_with("events-20")), "{names:?}");
    assert_eq!(in_files(&sandbox, "out").len(), 240);
    let newest = sandbox.path("out").join(names.iter().max().unwrap());
    let mut torn = fs::File::options().append(true).open(&newest).unwrap();
    torn.write_all(b"{\"schema\":1,\"ki").unwrap();
    append(&log, &sent(900));
    tick(&sandbox);
    let text = fs::read_to_string(&newest).unwrap();
    for line in text.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
}

#[test]
fn faults_in_the_table_name_the_key_and_the_fix() {
    for (lines, says) in [
        ("kind = \"file\"\n", "has no path"),
        ("kind = \"webhook\"\n", "has no url"),
        ("kind = \"clickhouse\"\nurl = \"ftp://x\"\n", "is not an http or https URL"),
        ("kind = \"clickhouse\"\nurl = \"http://x/\"\ntable = \"a b\"\n", "is not a name of letters"),
        ("kind = \"file\"\npath = \"/x\"\nseconds = 0\n", "must be from 1 to 300"),
        ("kind = \"file\"\npath = \"/x\"\ninclude = []\n", "names no kind of event"),
        ("kind = \"file\"\npath = \"/x\"\ninclude = [\"deliveries\"]\n", "deliveries"),
        (
            "kind = \"clickhouse\"\nurl = \"http://h.example\"\n[[events]]\nkind = \"clickhouse\"\nurl = \"http://H.example/\"\n",
            "goes where another [[events]] goes",
        ),
        ("kind = \"kafka\"\n", "kafka"),
    ] {
        let sandbox = sandbox(&format!("[[events]]\n{lines}"));
        let ran = sandbox.run(&["check"], b"");
        assert!(
            ran.code == 1 && ran.stdout.contains(says) && ran.stdout.contains("events"),
            "{says}: {ran:?}"
        );
    }
}
