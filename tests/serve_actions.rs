//! Actions by `carom serve`: what they do is what the commands show, and each is on record.

use crate::harness::web::schema::faults;
use crate::harness::web::{Answer, WebServer, token};
use crate::harness::{Sandbox, mail_log};
use crate::serve::read_log;
use crate::statistics::{OTHER, append, delivery, tick};
use serde_json::{Value, json};

const JSON: &str = "Content-Type: application/json\r\n";

fn tokens() -> String {
    token("reader", "\"read\"") + &token("boss", "\"act\"")
}

/// A log of the last minutes, whose failure is acted on.
pub(crate) fn read_recent_log(config: &str) -> Sandbox {
    let sandbox = mail_log::sandbox(None, "").config(config);
    let failure = "dsn=5.1.1, status=bounced (host mx[192.0.2.9] said: 550 5.1.1 user unknown)";
    append(&sandbox, &mail_log::ago(5, &delivery(540, 2, "bob@there.example", OTHER, 1.0, failure)));
    tick(&sandbox, &[]);
    sandbox
}

fn act(server: &WebServer, target: &str, body: &Value) -> Answer {
    let fields = format!("Authorization: Bearer boss-token\r\n{JSON}");
    server.ask("POST", target, &fields, &body.to_string())
}

#[track_caller]
fn done(server: &WebServer, target: &str, body: Value) -> Value {
    let answer = act(server, target, &body);
    assert_eq!(answer.status, 200, "{target}: {}", answer.text());
    answer.value()
}

fn audit(server: &WebServer) -> Vec<Value> {
    server.get_as("reader-token", "/api/v1/audit").value()["actions"].as_array().unwrap().clone()
}

#[test]
fn an_address_is_suppressed_and_released_with_a_record_of_both() {
    let sandbox = read_log(&tokens());
    let server = WebServer::start(&sandbox, &[]);
    let new = done(
        &server,
        "/api/v1/suppressions",
        json!({ "address": "Dan@There.example", "reason": "asked", "days": 3 }),
    );
    assert_eq!((&new["entry"]["address"], &new["new"]), (&json!("dan@there.example"), &json!(true)));
    let ran = sandbox.run(&["suppress", "check", "dan@there.example", "--json"], b"");
    assert!(ran.code == 1 && ran.stdout.contains("\"asked\""), "{ran:?}");
    let released = done(&server, "/api/v1/suppressions/release", json!({ "address": "dan@there.example" }));
    assert_eq!((&released["released"], &released["still_suppressed_by"]), (&json!(true), &json!([])));
    assert_eq!(sandbox.run(&["suppress", "check", "dan@there.example"], b"").code, 0);
    let record = audit(&server);
    let names: Vec<(&str, &str)> =
        record.iter().map(|one| (one["who"].as_str().unwrap(), one["action"].as_str().unwrap())).collect();
    assert_eq!(names, [("boss", "release"), ("boss", "suppress")]);
    assert_eq!(record[0]["before"][0]["reason"], "asked");
    assert_eq!(record[1]["after"]["entry"]["address"], "dan@there.example");
    for (body, says) in [
        (json!({ "address": "no address" }), "address"),
        (json!({ "address": "@gmail.com", "days": 1 }), "address"),
        (json!({ "address": "@rival.example" }), "address"),
        (
            json!({ "address": "@gmail.com", "days": 1 }),
            "address: gmail.com is a mail provider with many users; send",
        ),
        (json!({ "address": "@rival.example" }), "address: a domain or pattern is suppressed for a term"),
        (json!({ "address": "a@b.example", "reason": "x".repeat(1001) }), "reason"),
        (json!({ "address": "a@b.example", "days": 0 }), "days"),
        (json!({ "address": "a@b.example", "until": "2020-01-01" }), "until"),
        (json!({ "address": "a@b.example", "odd": 1 }), "odd"),
        (json!({ "address": "a@b.example", "sender_domain": "not a domain" }), "sender_domain"),
        (json!({ "address": "a@b.example", "sender_domain": "@shop.example" }), "sender_domain"),
        (json!([]), "body"),
    ] {
        let answer = act(&server, "/api/v1/suppressions", &body);
        let detail = answer.value()["detail"].as_str().unwrap().to_owned();
        assert!(answer.status == 400 && detail.starts_with(says), "{body}: {detail}");
        assert!(!detail.contains("--"), "no options of a command: {detail}");
    }
    let twice = r#"{"address": "a@b.example", "address": "c@b.example"}"#;
    let fields = format!("Authorization: Bearer boss-token\r\n{JSON}");
    let answer = server.ask("POST", "/api/v1/suppressions", &fields, twice);
    assert!(answer.status == 400 && answer.text().contains("address: is there twice"), "{}", answer.text());
    assert_eq!(audit(&server).len(), 2);
    let typed = ["suppress", "add", "a@b.example", "--sender-domain", "not a domain"];
    let ran = sandbox.run(&typed, b"");
    assert!(ran.code != 0 && ran.stderr.contains("invalid sender domain"), "{ran:?}");
}

#[test]
fn a_period_is_undone_after_a_preview_that_changes_nothing() {
    let sandbox = read_recent_log(&tokens());
    let server = WebServer::start(&sandbox, &[]);
    let suppressed = || sandbox.run(&["suppress", "check", "bob@there.example"], b"").code == 1;
    assert!(suppressed(), "the failure in the log has suppressed bob");
    let period = json!({ "since": "2026-01-01", "dry_run": true });
    let preview = done(&server, "/api/v1/suppressions/undo", period);
    assert_eq!((&preview["released"], &preview["dry_run"]), (&json!(1), &json!(true)));
    assert!(suppressed() && audit(&server).is_empty());
    let undone = done(&server, "/api/v1/suppressions/undo", json!({ "since": "2026-01-01" }));
    assert_eq!(undone["entries"], preview["entries"]);
    assert!(!suppressed());
    let record = audit(&server);
    assert_eq!((record.len(), &record[0]["action"]), (1, &json!("undo")));
    assert_eq!(record[0]["before"][0]["entry"]["address"], "bob@there.example");
    let narrow = json!({ "since": "2026-01-01", "reason": "spam", "sender_domain": "shop.example" });
    done(&server, "/api/v1/suppressions/undo", narrow);
    let what = audit(&server)[0]["what"].as_str().unwrap().to_owned();
    assert!(what.ends_with(", reason spam, sender_domain shop.example"), "{what}");
    assert_eq!(server.get_as("boss-token", "/undo?since=1d&source=foo").status, 400);
}

#[test]
fn nobody_acts_who_may_not() {
    let sandbox = read_log(&tokens());
    let body = json!({ "address": "dan@there.example" }).to_string();
    let server = WebServer::start(&sandbox, &[]);
    let target = "/api/v1/suppressions";
    let status = |fields: &str| server.ask("POST", target, fields, &body).status;
    let basic =
        format!("Authorization: Basic {}\r\n{JSON}", data_encoding::BASE64.encode(b"boss:boss-token"));
    assert_eq!(status(JSON), 401);
    assert_eq!(status(&format!("Authorization: Bearer reader-token\r\n{JSON}")), 403);
    assert_eq!(status("Authorization: Bearer boss-token\r\n"), 415);
    // What a browser sends for a page of another site.
    assert_eq!(status(&basic), 403);
    assert_eq!(status(&format!("{basic}X-Carom-Action: 1\r\nOrigin: https://evil.example\r\n")), 403);
    assert_eq!(status(&format!("{basic}X-Carom-Action: 1\r\nSec-Fetch-Site: cross-site\r\n")), 403);
    assert_eq!(sandbox.run(&["suppress", "check", "dan@there.example"], b"").code, 0);
    let own = format!(
        "{basic}X-Carom-Action: 1\r\nSec-Fetch-Site: same-origin\r\nOrigin: http://127.0.0.1:{}\r\n",
        server.port
    );
    assert_eq!(status(&own), 200);
    assert_eq!(sandbox.run(&["suppress", "check", "dan@there.example"], b"").code, 1);
    let large = format!("Authorization: Bearer boss-token\r\n{JSON}");
    assert_eq!(server.ask("POST", target, &large, &"x".repeat(70_000)).status, 413);
    let reading = WebServer::start(&sandbox, &["--read-only"]);
    let refused = act(&reading, target, &json!({ "address": "x@there.example" }));
    assert_eq!((refused.status, &refused.value()["type"]), (403, &json!("urn:carom:read-only")));
}

#[test]
fn steps_are_retried_and_dropped() {
    // Nobody answers the notification.
    let notify = "[[notify]]\nsender_domain = \"*\"\nurl = \"http://127.0.0.1:9/{address}\"\n";
    let sandbox = read_recent_log(&(tokens() + notify));
    let server = WebServer::start(&sandbox, &[]);
    let steps =
        || server.get_as("reader-token", "/api/v1/outbox").value()["steps"].as_array().unwrap().clone();
    let step = steps().into_iter().find(|step| step["action"] == "notify").expect("a step that waits");
    assert_eq!(act(&server, "/api/v1/outbox/retry", &json!({ "id": "nothing" })).status, 404);
    let id = step["id"].as_str().unwrap();
    let page = |query: &str| server.get_as("reader-token", &format!("/api/v1/outbox?{query}"));
    assert_eq!((page("cursor=nope").status, page("cursor=00ff").status), (400, 400));
    let document = server.get_as("reader-token", "/api/v1/openapi.json").value();
    let schema = &document["components"]["schemas"]["Outbox"];
    let found = faults(&document, schema, &page("limit=10").value());
    assert!(found.is_empty(), "{found:?}");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let some = page(&format!("limit=1{cursor}")).value();
        seen.extend(some["steps"].as_array().unwrap().clone());
        let Some(next) = some["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, steps());
    assert_eq!(done(&server, "/api/v1/outbox/retry", json!({ "id": id }))["done"], 1);
    assert_eq!(done(&server, "/api/v1/outbox/drop", json!({ "id": id }))["done"], 1);
    assert!(steps().iter().all(|step| step["id"] != id));
    let names: Vec<Value> = audit(&server).iter().map(|one| one["action"].clone()).collect();
    assert_eq!(names, [json!("drop"), json!("retry")]);
    let log = sandbox.run(&["find", "bob@there.example"], b"").stdout;
    assert!(log.contains("dropped by an operator"), "{log}");
}

#[test]
fn a_silent_alert_tells_nobody() {
    let alert = "[[alert]]\nname = \"low\"\nwhen = \"volume\"\nbelow = 10\nwindow = \"1h\"\nmail = [\"ops@sink.example\"]\n";
    let sandbox = read_log(&tokens()).config(alert);
    let server = WebServer::start(&sandbox, &[]);
    assert_eq!(act(&server, "/api/v1/alerts/silence", &json!({ "alert": "other", "hours": 1 })).status, 404);
    assert_eq!(act(&server, "/api/v1/alerts/silence", &json!({ "alert": "low", "hours": 9999 })).status, 400);
    let both = json!({ "alert": "low", "hours": 1, "until": "2099-01-01" });
    assert!(act(&server, "/api/v1/alerts/silence", &both).text().contains("contradicts hours"));
    for until in ["2020-01-01T00:00:00Z", "1h"] {
        let past = act(&server, "/api/v1/alerts/silence", &json!({ "alert": "low", "until": until }));
        assert!(past.status == 400 && past.text().contains("is in the past"), "{}", past.text());
    }
    let silent = done(&server, "/api/v1/alerts/silence", json!({ "alert": "low", "hours": 2 }));
    let listed = sandbox.run(&["alerts"], b"").stdout;
    let until = silent["silent_until"].as_str().unwrap();
    assert!(listed.contains(&format!("silent until {until}")), "{listed}");
    assert!(silent["silent_until"].is_string());
    let alerts = server.get_as("reader-token", "/api/v1/alerts").value();
    assert_eq!(alerts["alerts"][0]["silent_until"], silent["silent_until"]);
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    let told = |server: &WebServer| {
        let steps = server.get_as("reader-token", "/api/v1/outbox").value()["steps"].clone();
        let log = sandbox.run(&["log", "--json"], b"").stdout;
        steps.to_string().contains("alert") || log.contains("alert")
    };
    assert!(!told(&server));
}

#[test]
fn a_rule_is_tried_before_it_is_installed() {
    let sandbox = read_log(&tokens());
    let failure = "dsn=5.0.0, status=bounced (host mx[192.0.2.9] said: 599 xyzzy plugh)";
    let line = delivery(550, 8, "eve@there.example", OTHER, 1.0, failure);
    append(&sandbox, &line);
    tick(&sandbox, &[]);
    let server = WebServer::start(&sandbox, &[]);
    let drafts = server.get_as("reader-token", "/api/v1/rules/drafts?days=3000").value();
    assert_eq!(drafts["deliveries"], 1, "{drafts}");
    let rule = json!({ "name": "parrot", "pattern": "xyzzy", "reason": "message-too-big", "severity": "soft", "days": 3000 });
    let tried = done(&server, "/api/v1/rules/test", rule.clone());
    assert_eq!(tried["changes"], json!({ "deliveries": 1, "addresses": 1, "known": 0, "hard": 0 }));
    assert_eq!(server.get_as("reader-token", "/api/v1/rules").value()["rules"], json!([]));
    let wrong = json!({ "name": "wrong", "pattern": "x(", "reason": "message-too-big" });
    assert_eq!(act(&server, "/api/v1/rules", &wrong).status, 400);
    let unknown = json!({ "name": "wrong", "pattern": "xyzzy", "reason": "no-such-reason" });
    let problem = act(&server, "/api/v1/rules/test", &unknown).value();
    assert!(problem["detail"].as_str().unwrap().contains("no-such-reason"), "{problem}");
    assert!(problem["fix"].as_str().unwrap().contains("user-unknown, "), "{problem}");
    let wide = json!({ "name": "wide", "pattern": "said", "reason": "user-unknown", "severity": "hard", "days": 3000 });
    assert_eq!(act(&server, "/api/v1/rules", &wide).status, 409);
    done(&server, "/api/v1/rules", rule.clone());
    assert_eq!(act(&server, "/api/v1/rules", &rule).status, 400, "its name is in use");
    assert_eq!(sandbox.run(&["reclassify"], b"").code, 0);
    let of_rule = sandbox.run(&["deliveries", "--recipient", "eve@there.example", "--json"], b"").stdout;
    let of_rule: Value = serde_json::from_str(&of_rule).unwrap();
    assert_eq!((&of_rule["rule"], &of_rule["reason"]), (&json!("parrot"), &json!("message-too-big")));
    done(&server, "/api/v1/rules/remove", json!({ "name": "parrot" }));
    assert_eq!(server.get_as("reader-token", "/api/v1/rules").value()["rules"], json!([]));
    let checked = sandbox.run(&["check"], b"").stdout;
    assert!(!checked.contains("rules.toml"), "{checked}");
}

#[test]
fn one_entry_is_released_without_those_of_other_senders() {
    let sandbox = read_log(&tokens());
    let server = WebServer::start(&sandbox, &[]);
    let address = "btn@x.example";
    let all = ["", "b.example", "shop.example"];
    let suppress = || {
        for sender_domain in all {
            let ran = sandbox.run(&["suppress", "add", address, "--sender-domain", sender_domain], b"");
            assert_eq!(ran.code, 0, "{ran:?}");
        }
    };
    let left = || {
        let list = server.get_as("reader-token", "/api/v1/suppressions").value()["suppressions"].clone();
        let domains = list.as_array().unwrap().iter().map(|one| one["sender_domain"].as_str().unwrap());
        domains.map(str::to_owned).collect::<Vec<_>>()
    };
    suppress();
    assert_eq!(left(), all);
    let release = |body: Value| done(&server, "/api/v1/suppressions/release", body)["released"].clone();
    assert_eq!(release(json!({ "address": address, "sender_domain": "" })), true);
    assert_eq!(left(), ["b.example", "shop.example"]);
    assert_eq!(release(json!({ "address": address, "sender_domain": "" })), false);
    assert_eq!(release(json!({ "address": address, "sender_domain": "Shop.example" })), true);
    assert_eq!(left(), ["b.example"]);
    suppress();
    assert_eq!(release(json!({ "address": address })), true);
    assert_eq!(left(), [""; 0]);
}

#[test]
fn rules_that_are_installed_together_are_all_kept() {
    let sandbox = read_log(&tokens());
    let server = WebServer::start(&sandbox, &[]);
    let names: Vec<String> = (0..6).map(|n| format!("together-{n}")).collect();
    let rules = || {
        let rules = server.get_as("reader-token", "/api/v1/rules").value()["rules"].clone();
        let names = rules.as_array().unwrap().iter().map(|rule| rule["name"].as_str().unwrap().to_owned());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let all_at_once = |each: &(dyn Fn(&str) + Sync)| {
        std::thread::scope(|scope| names.iter().for_each(|name| _ = scope.spawn(move || each(name))));
    };
    all_at_once(&|name| {
        let rule = json!({ "name": name, "pattern": format!("plugh {name}"), "reason": "message-too-big" });
        done(&server, "/api/v1/rules", rule);
    });
    assert_eq!(rules(), names.iter().cloned().collect());
    all_at_once(&|name| _ = done(&server, "/api/v1/rules/remove", json!({ "name": name })));
    assert_eq!(rules().len(), 0);
}
