//! Answers of `carom serve` that would be wrong rather than refused: files that are gone, parameters
//! that say nothing, and what a customer is told of what is not counted or not shown.

use crate::harness::mail_log::busy_log;
use crate::harness::web::{Answer, WebServer, token};
use crate::harness::{MINUTE_MS, Sandbox};
use crate::serve::read_log;
use crate::statistics::{OTHER, SENT, append, delivery, tick};
use serde_json::{Value, json};
use std::fs;

fn tokens() -> String {
    token("reader", "\"read\"")
        + &token("shop", "\"client shop\", \"domain mail.shop.example\"")
        + &token("client", "\"client shop\"")
        + &token("domain", "\"domain mail.shop.example\"")
}

#[test]
fn files_that_are_gone_are_not_taken_for_empty_ones() {
    let sandbox = read_log("");
    assert_eq!(sandbox.run(&["suppress", "add", "joe@there.example"], b"").code, 0);
    let server = WebServer::start(&sandbox, &[]);
    let targets = [
        "/healthz",
        "/metrics",
        "/api/v1/deliveries",
        "/api/v1/suppressions/joe@there.example",
        "/deliveries",
    ];
    let statuses = || targets.map(|target| server.get(target).status);
    assert_eq!(statuses(), [200; 5]);
    let (state, elsewhere) = (sandbox.path("state"), sandbox.path("elsewhere"));
    fs::rename(&state, &elsewhere).unwrap();
    assert_eq!(statuses(), [503; 5]);
    let problem = server.get("/healthz");
    assert_eq!(problem.field("content-type"), "application/problem+json");
    let detail = problem.value()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("index") && !detail.contains('/'), "{detail}");
    // What was found missing is found again.
    let _ = fs::remove_dir_all(&state);
    fs::rename(&elsewhere, &state).unwrap();
    assert_eq!(statuses(), [200; 5]);
}

#[test]
fn a_server_that_begins_with_nothing_says_so() {
    let sandbox = Sandbox::new();
    let server = WebServer::start(&sandbox, &[]);
    assert_eq!(server.json("/api/v1/deliveries")["deliveries"], json!([]));
    assert_eq!(server.get("/healthz").status, 200);
    // Nothing that was counted is not the same as nothing that happened.
    let metrics = server.get("/metrics");
    assert_eq!(metrics.status, 503);
    for view in ["/", "/json", "/outbox", "/api/v1/outbox", "/api/v1/alerts", "/search?q=a@b.example"] {
        assert_eq!(server.get(view).status, 200, "{view}");
    }
    assert!(!sandbox.path("state/carom.db").exists(), "whoever reads makes no store");
    assert!(metrics.value()["fix"].as_str().unwrap().contains("carom cron"), "{}", metrics.text());
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    assert!(server.get("/metrics").text().contains("carom_outbox_steps"));
}

/// Replaces a database by one of this version; returns the version that it had.
fn set_version(sandbox: &Sandbox, file: &str, version: Option<i64>) -> i64 {
    let (path, copy) = (sandbox.path("state").join(file), sandbox.path("copy"));
    fs::copy(&path, &copy).unwrap();
    let database = rusqlite::Connection::open(&copy).unwrap();
    let before = database.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    if let Some(version) = version {
        database.pragma_update(None, "user_version", version).unwrap();
    }
    database.close().unwrap();
    fs::rename(&copy, &path).unwrap();
    before
}

#[test]
fn a_file_of_another_version_names_the_command_that_helps() {
    let sandbox = read_log("");
    for (file, target) in [("index.db", "/api/v1/deliveries"), ("carom.db", "/api/v1/suppressions")] {
        let server = WebServer::start(&sandbox, &[]);
        let version = set_version(&sandbox, file, None);
        for (other, fix) in [(version - 1, "run `carom cron`"), (version + 1, "restart this process")] {
            set_version(&sandbox, file, Some(other));
            let answer = server.get(target);
            assert_eq!(answer.status, 503, "{file}: {}", answer.text());
            let said = answer.value()["fix"].as_str().unwrap().to_owned();
            assert!(said.starts_with(fix), "{file}: {said}");
        }
        set_version(&sandbox, file, Some(version));
        assert_eq!(server.get(target).status, 200);
    }
}

#[test]
fn a_parameter_that_says_nothing_is_refused() {
    let sandbox = read_log("");
    let from_nobody = delivery(500, 9, "dan@there.example", OTHER, 1.0, SENT);
    append(&sandbox, &from_nobody.replace("news@mail.shop.example", ""));
    tick(&sandbox, &[]);
    let server = WebServer::start(&sandbox, &[]);
    for query in ["failed=", "recipient=", "recipient", "since=", "limit=", "own=", "status="] {
        let answer = server.get(&format!("/api/v1/deliveries?{query}"));
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
        assert_eq!(answer.value()["type"], "urn:carom:bad-value", "{query}");
    }
    // The null sender.
    let found = server.json("/api/v1/deliveries?sender=");
    let found = found["deliveries"].as_array().unwrap();
    assert!(found.len() == 1 && found[0]["recipient"] == "dan@there.example", "{found:?}");
    // A form sends what was left empty.
    let page = server.get("/deliveries?recipient=&sender=&status=sent");
    assert!(page.status == 200 && page.text().contains("ann@there.example"));
}

#[test]
fn what_cannot_be_decoded_is_refused_after_the_token_is_known() {
    let sandbox = read_log(&tokens());
    let server = WebServer::start(&sandbox, &[]);
    for target in [
        "/api/v1/suppressions/%ff",
        "/api/v1/messages/%ff%fe",
        "/api/v1/deliveries?recipient=%ff%fe",
        "/api/v1/deliveries?recipient=%zz",
        "/api/v1/deliveries?recipient=a%4",
        "/api/v1/deliveries?%ff=1",
    ] {
        let answer = server.get_as("reader-token", target);
        assert_eq!(answer.status, 400, "{target}: {}", answer.text());
        assert_eq!(answer.field("content-type"), "application/problem+json", "{target}");
        assert_eq!(server.get(target).status, 401, "{target}");
    }
    let found = server.get_as("reader-token", "/api/v1/deliveries?recipient=ann%40there.example").value();
    assert_eq!(found["deliveries"].as_array().unwrap().len(), 1);
}

#[test]
fn one_delivery_of_each_recipient_says_whether_there_are_more() {
    let sandbox = read_log("");
    let server = WebServer::start(&sandbox, &[]);
    for word in ["latest", "first"] {
        for (limit, truncated) in [(2, true), (3, false)] {
            let list = server.json(&format!("/api/v1/deliveries?{word}=true&limit={limit}"));
            assert_eq!(list["deliveries"].as_array().unwrap().len(), limit, "{list}");
            assert_eq!(
                (&list["next"], &list["truncated"]),
                (&Value::Null, &json!(truncated)),
                "{word} {limit}"
            );
        }
    }
    assert_eq!(server.json("/api/v1/deliveries")["truncated"], Value::Null);
    for query in ["latest=true&order=oldest", "first=true&order=newest"] {
        let answer = server.get(&format!("/api/v1/deliveries?{query}"));
        assert!(answer.status == 400 && answer.text().contains("order: contradicts"), "{}", answer.text());
    }
}

#[test]
fn a_customer_hears_that_an_entry_for_all_senders_covers_an_address() {
    let sandbox = read_log(&tokens());
    let add = |address: &str, more: &[&str]| {
        let arguments = [&["suppress", "add", address, "--reason", "xyzzy"], more].concat();
        assert_eq!(sandbox.run(&arguments, b"").code, 0);
    };
    add("all@there.example", &[]);
    add("own@there.example", &["--sender-domain", "mail.shop.example"]);
    add("other@there.example", &["--sender-domain", "rival.example"]);
    let server = WebServer::start(&sandbox, &[]);
    // What the mail of a client is from, its token does not say: an entry may be of that domain.
    let unknown = Value::Null;
    for (token, name, suppressed, entries) in [
        ("shop-token", "all", json!(true), 0),
        ("shop-token", "own", json!(true), 1),
        ("shop-token", "other", unknown.clone(), 0),
        ("shop-token", "no", unknown.clone(), 0),
        ("client-token", "all", json!(true), 0),
        ("client-token", "own", unknown.clone(), 0),
        ("client-token", "no", unknown.clone(), 0),
        ("domain-token", "own", json!(true), 1),
        ("domain-token", "other", json!(false), 0),
    ] {
        let target = format!("/api/v1/suppressions/{name}@there.example");
        let answer = server.get_as(token, &target).value();
        assert_eq!(answer["suppressed"], suppressed, "{token} {name}: {answer}");
        assert_eq!(answer["suppressions"].as_array().unwrap().len(), entries, "{name}: {answer}");
        let page = server.get_as(token, &format!("/search?q={name}@there.example")).text();
        assert_eq!(page.contains("Nothing suppresses mail to it"), suppressed == false, "{token} {name}");
        assert_eq!(page.contains("No entry covers it"), suppressed == false, "{token} {name}");
        assert_eq!(page.contains("xyzzy"), entries > 0, "{name}");
        let of_domain = |domain: &str| {
            let answer = server.get_as(token, &format!("{target}?sender_domain={domain}")).value();
            answer["suppressed"].clone()
        };
        if name == "no" {
            let known = if token == "client-token" { Value::Null } else { json!(false) };
            assert_eq!(of_domain("mail.shop.example"), known, "{token}");
            assert_eq!(of_domain("rival.example"), Value::Null, "{token}");
        }
    }
    let whole = server.get_as("reader-token", "/api/v1/suppressions/all@there.example").value();
    assert_eq!((&whole["suppressed"], whole["suppressions"].as_array().unwrap().len()), (&json!(true), 1));
}

#[test]
fn a_customers_figures_have_whole_hours_and_nothing_that_is_not_counted() {
    let sandbox = read_log(&tokens());
    let server = WebServer::start(&sandbox, &[]);
    // Deliveries at 8:40, 8:50 and 9:00; from the middle of an hour.
    let period = "since=2026-03-01T08:45:00Z&until=2026-03-01T20:15:00Z";
    let of = |token: &str| server.get_as(token, &format!("/api/v1/statistics?{period}")).value();
    let (own, whole) = (of("shop-token"), of("reader-token"));
    for name in ["from", "to", "step", "totals", "series"] {
        assert_eq!(own[name], whole[name], "{name}");
    }
    assert_eq!((&own["from"], &own["totals"]["sent"]), (&json!("2026-03-01T08:00:00.000Z"), &json!(2)));
    for name in
        ["deferrals", "oldest_deferred", "delay", "bytes", "unclassified", "unknown", "relays", "lines"]
    {
        assert!(own.get(name).is_none() && whole.get(name).is_some(), "{name}: {own}");
    }
    let group = own["recipient_domains"][0].as_object().unwrap();
    assert_eq!(group.keys().collect::<Vec<_>>(), ["name", "outcomes"]);
    let sheet =
        |token: &str, name: &str| server.get_as(token, &format!("/api/v1/statistics?{period}&sheet={name}"));
    for (name, status) in [("series", 200), ("recipient-domains", 200), ("clients", 400), ("unknown", 400)] {
        assert_eq!(sheet("shop-token", name).status, status, "{name}");
        assert_eq!(sheet("reader-token", name).status, 200, "{name}");
    }
    let head = sheet("shop-token", "recipient-domains").text();
    assert!(head.starts_with("domain,sent,") && !head.contains("deferrals"), "{head}");
    // The page counts the first hour, and does not say what nobody counted.
    let page = server.get_as("shop-token", &format!("/?{period}")).text();
    assert!(!page.contains("attempts deferred") && !page.contains(">Deferrals<"), "{page}");
    assert!(server.get_as("reader-token", &format!("/?{period}")).text().contains("attempts deferred"));
}

#[test]
fn statistics_and_lists_know_the_provider_that_was_not_reached() {
    let sandbox = read_log(&tokens());
    let waits = "dsn=4.4.1, status=deferred (connect to mx.gmail.com[192.0.2.8]:25: Connection timed out)";
    append(&sandbox, &delivery(505, 8, "tim@gmail.com", "none", 30.0, waits));
    let failed = "dsn=4.4.1, status=expired (connect to mx.gmail.com[192.0.2.8]:25: Connection timed out)";
    append(&sandbox, &delivery(506, 9, "tom@googlemail.com", "none", 30.0, failed));
    append(&sandbox, &delivery(507, 10, "sue@a.example", "mx.google.com[192.0.2.8]:25", 1.0, SENT));
    // Who was reached is what counts.
    append(&sandbox, &delivery(508, 11, "kim@gmail.com", OTHER, 1.0, SENT));
    tick(&sandbox, &[]);
    let server = WebServer::start(&sandbox, &[]);
    let period = "since=2026-03-01T00:00:00Z&until=2026-03-02T00:00:00Z";
    for token in ["reader-token", "shop-token"] {
        let figures = server.get_as(token, &format!("/api/v1/statistics?{period}")).value();
        let google = figures["providers"].as_array().unwrap().iter().find(|one| one["name"] == "google");
        let outcomes = &google.unwrap_or_else(|| panic!("{figures}"))["outcomes"];
        for status in ["sent", "deferred", "expired", "bounced"] {
            let list = format!("/api/v1/deliveries?{period}&provider=google&status={status}");
            let list = server.get_as(token, &list).value()["deliveries"].as_array().unwrap().len();
            assert_eq!(outcomes[status], list, "{token} {status}: {outcomes}");
            assert_eq!(list, usize::from(status != "bounced"), "{token} {status}");
        }
    }
}

#[test]
fn a_request_is_for_one_host_and_loopback_has_many_names() {
    let sandbox = read_log("");
    let server = WebServer::start(&sandbox, &[]);
    let ask = |fields: &str| {
        let request = format!("GET /api/v1/deliveries HTTP/1.1\r\nConnection: close\r\n{fields}\r\n");
        Answer::read(&server.send(request.as_bytes())).status
    };
    for fields in ["", "Host: localhost\r\nHost: localhost\r\n"] {
        assert_eq!(ask(fields), 400, "{fields}");
    }
    for name in ["localhost", "LOCALHOST.:80", "127.0.0.1", "127.8.8.8:1523", "[::1]:1523"] {
        assert_eq!(ask(&format!("Host: {name}\r\n")), 200, "{name}");
    }
    for name in ["localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.1", ""] {
        assert_eq!(ask(&format!("Host: {name}\r\n")), 403, "{name}");
    }
    let blank = server.get("/api/v1/deliveries?since=2026-03-01T00:00:00+00:00");
    assert!(
        blank.status == 400 && blank.value()["fix"].as_str().unwrap().contains("%2B"),
        "{}",
        blank.text()
    );
}

#[test]
fn what_is_no_address_is_neither_looked_up_nor_suppressed() {
    let sandbox = read_log(&token("boss", "\"act\""));
    let server = WebServer::start(&sandbox, &[]);
    let fields = "Authorization: Bearer boss-token\r\nContent-Type: application/json\r\n";
    let post = |body: &str| server.ask("POST", "/api/v1/suppressions", fields, body);
    for address in ["a", "/@", "@", "a@b@"] {
        let looked =
            server.get_as("boss-token", &format!("/api/v1/suppressions/{}", address.replace('/', "%2F")));
        assert_eq!(looked.status, 400, "{address}: {}", looked.text());
        let body = format!("{{\"address\": \"{address}\"}}");
        assert_eq!(post(&body).status, 400, "{address}");
    }
    let both = r#"{"address": "a@b.example", "days": 5, "until": "2030-01-01"}"#;
    let answer = post(both);
    assert!(answer.status == 400 && answer.text().contains("contradicts days"), "{}", answer.text());
}

#[test]
fn a_list_for_spreadsheets_has_the_same_deliveries_page_by_page() {
    let sandbox = read_log("");
    let formula = delivery(500, 9, "\"=1+1\"@there.example", OTHER, 1.0, SENT);
    append(&sandbox, &formula.replace("news@mail.shop.example", "=cmd|x@mail.shop.example"));
    tick(&sandbox, &[]);
    let server = WebServer::start(&sandbox, &[]);
    let all = server.json("/api/v1/deliveries")["deliveries"].as_array().unwrap().clone();
    assert_eq!(all.len(), 4);
    let (mut target, mut read) = ("/api/v1/deliveries?format=csv&limit=3".to_owned(), Vec::new());
    loop {
        let answer = server.get(&target);
        assert_eq!(answer.field("content-type"), "text/csv; charset=utf-8");
        let mut reader = csv::Reader::from_reader(&answer.body[..]);
        let head = reader.headers().unwrap().clone();
        for row in reader.records().map(Result::unwrap) {
            let cell = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            read.push(head.iter().zip(&row).map(cell).collect::<std::collections::BTreeMap<_, _>>());
        }
        let Some(next) = answer.field("link").strip_suffix(">; rel=\"next\"") else { break };
        target = next.trim_start_matches('<').to_owned();
    }
    assert_eq!(read.len(), all.len());
    for (row, one) in read.iter().zip(&all) {
        for (name, cell) in row {
            let is_same = match &one[name] {
                Value::Null => cell.is_empty(),
                Value::String(text) => cell.trim_start_matches('\'') == text,
                number => cell.parse::<f64>().ok() == number.as_f64(),
            };
            assert!(is_same, "{name}: {cell} is not {}", one[name]);
        }
    }
    assert!(read.iter().any(|row| row["sender"].starts_with("'=cmd")), "no cell is a formula");
    let grouped = server.get("/api/v1/deliveries?format=csv&group=status");
    assert_eq!(grouped.status, 400);
}

#[test]
fn a_view_says_that_the_logs_were_not_read_for_long() {
    let sandbox = busy_log::sandbox(20, &(token("staff", "\"read\"") + &token("shop", "\"client shop\"")));
    let said = |token: &str| {
        let server = WebServer::start(&sandbox, &[]);
        ["/", "/queue", "/deliveries"].map(|view| {
            let page = server.get_as(token, view).text();
            let warning = page.split("The logs were last read at <time datetime=\"").nth(1);
            warning.map(|rest| rest.split("</p>").next().unwrap().to_owned())
        })
    };
    assert_eq!(said("staff-token"), [None, None, None]);
    let before = jiff::Timestamp::now().strftime("%Y-%m-").to_string();
    sandbox.advance(3 * 60 * MINUTE_MS);
    for warning in said("staff-token") {
        let warning = warning.unwrap();
        assert!(warning.starts_with(&before) && warning.contains("<code>carom cron</code>"), "{warning}");
    }
    assert!(said("shop-token")[0].as_ref().unwrap().ends_with("newer mail is not shown yet."));
    tick(&sandbox, &[]);
    assert_eq!(said("staff-token"), [None, None, None]);
}
