//! The API of `carom serve`: every route as its document says, and what a customer sees of it.

use crate::harness::Sandbox;
use crate::harness::mail_log::ago;
use crate::harness::web::schema::faults;
use crate::harness::web::{WebServer, token};
use crate::serve::read_log;
use crate::serve_actions::read_recent_log;
use crate::statistics::{OTHER, append, delivery, tick};
use serde_json::{Value, json};

const ALERT: &str = "[[alert]]\nname = \"bounces\"\nwhen = \"bounce-rate\"\nabove = 0.5\nwindow = \"1h\"\nmail = [\"ops@sink.example\"]\n";

fn tokens() -> String {
    token("reader", "\"read\"")
        + &token("boss", "\"act\"")
        + &token("shop", "\"client shop\"")
        + &token("rival", "\"client rival\", \"domain rival.example\"")
        + ALERT
}

/// Mail of two customers; what is of the rival has that word in it.
fn two_customers() -> Sandbox {
    let sandbox = read_log(&tokens());
    let failure = "dsn=5.0.0, status=bounced (host mx[192.0.2.9] said: 599 xyzzy rivalry plugh)";
    let of_rival = delivery(550, 7, "rival-customer@there.example", OTHER, 1.0, failure);
    let of_rival = of_rival.replace("98494.7.7@shop", "98494.7.7@rival");
    let of_rival = of_rival.replace("news@mail.shop.example", "news@rival.example");
    append(&sandbox, &of_rival);
    tick(&sandbox, &[]);
    sandbox
}

fn document(server: &WebServer) -> Value {
    server.get("/api/v1/openapi.json").value()
}

/// A path with values in its places.
fn filled(path: &str) -> String {
    path.replace("{id}", "4Xn0y8000002zZ1f")
        .replace("{key}", "bob@there.example")
        .replace("{about}", "bob@there.example")
        .replace("{address}", "bob@there.example")
        .replace("{client}", "shop")
        .replace("{kind}", "rcptEmail")
        .replace("{value}", "bob@there.example")
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let of = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().unwrap().clone();
        let path = path.clone();
        methods.into_iter().map(move |(method, operation)| (path.clone(), method, operation))
    };
    paths.flat_map(of).collect()
}

#[test]
fn every_route_answers_as_the_document_says() {
    let sandbox = two_customers();
    let server = WebServer::start(&sandbox, &[]);
    let document = document(&server);
    let (mut good, mut broken) = (0, Vec::new());
    for (path, method, operation) in operations(&document) {
        let answer = match method.as_str() {
            "get" => server.get_as("reader-token", &filled(&path)),
            // Nothing is in the body: each is a problem, as the document has it.
            _ => server.ask(
                "POST",
                &path,
                "Authorization: Bearer boss-token\r\nContent-Type: application/json\r\n",
                "{\"odd\": 1}",
            ),
        };
        let kind = answer.field("content-type").split(';').next().unwrap().to_owned();
        let of = if answer.status == 200 { "200" } else { "default" };
        let schema = &operation["responses"][of]["content"][&kind]["schema"];
        good += u32::from(answer.status == 200);
        if schema.is_null() {
            broken.push(format!("{method} {path}: {} {kind} is not documented", answer.status));
        } else if kind.contains("json") {
            let found = faults(&document, schema, &answer.value());
            broken.extend(found.into_iter().map(|fault| format!("{method} {path}: {fault}")));
        }
        if method == "post" {
            assert!((400..500).contains(&answer.status), "{path}: {}", answer.text());
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(good > 20, "{good} routes answered");
}

#[test]
fn a_customer_sees_that_customers_mail_and_nothing_else() {
    let sandbox = two_customers();
    let server = WebServer::start(&sandbox, &[]);
    let (mut seen, mut refused) = (0, 0);
    let operations = operations(&document(&server));
    for (path, method, _) in operations.into_iter().filter(|(path, ..)| !path.ends_with("openapi.json")) {
        let targets = [
            filled(&path),
            filled(&path).replace("bob@", "rival-customer@"),
            path.replace("{id}", "4Xn0y8000007zZ1f")
                .replace("{client}", "rival")
                .replace("{kind}/{value}", "queue/4Xn0y8000007zZ1f")
                .replace("{key}", "98494.7.7")
                .replace("{about}", "rival-customer@there.example")
                .replace("{address}", "rival-customer@there.example"),
        ];
        for target in targets {
            let answer = match method.as_str() {
                "get" => server.get_as("shop-token", &target),
                _ => server.post_as("shop-token", &target, "{}"),
            };
            let text = answer.text().to_lowercase();
            // What was asked for is in the answer, and in no other way.
            let text =
                text.replace(&target.to_lowercase(), "").replace("rival-customer@there.example", "asked");
            let is_echo = answer.status == 404 || target.contains("suppressions/");
            assert!(is_echo || !text.contains("rival") && !text.contains("asked"), "{target}: {text}");
            assert!(!text.contains("xyzzy"), "{target}: {text}");
            assert!(answer.status != 200 || method == "get", "{target}");
            seen += u32::from(answer.status == 200);
            refused += u32::from(answer.status == 403);
        }
    }
    assert!(seen > 10 && refused > 20, "{seen} {refused}");
    let own = server.get_as("shop-token", "/api/v1/deliveries").value();
    assert_eq!(own["deliveries"].as_array().unwrap().len(), 3);
    let of_rival = server.get_as("rival-token", "/api/v1/deliveries").value();
    assert_eq!(of_rival["deliveries"].as_array().unwrap().len(), 1);
    let period = "since=2026-03-01&until=2026-03-03";
    let figures = server.get_as("rival-token", &format!("/api/v1/statistics?{period}")).value();
    assert_eq!((&figures["totals"]["bounced"], &figures["totals"]["sent"]), (&json!(1), &json!(0)));
    let figures = server.get_as("shop-token", &format!("/api/v1/statistics?{period}")).value();
    assert_eq!((&figures["totals"]["bounced"], &figures["totals"]["sent"]), (&json!(1), &json!(2)));
    let life = server.get_as("rival-token", "/api/v1/messages/4Xn0y8000007zZ1f").value();
    assert_eq!(life["lines"].as_array().unwrap().len(), 3, "{life}");
    let other = server.get_as("rival-token", "/api/v1/messages/4Xn0y8000002zZ1f");
    assert_eq!(other.status, 404);
}

#[test]
fn pages_show_a_customer_that_customers_mail_and_nothing_else() {
    let sandbox = two_customers();
    let server = WebServer::start(&sandbox, &[]);
    let period = "since=2026-03-01&until=2026-03-03";
    let mut seen = 0;
    for target in [
        "/",
        "/deliveries",
        "/search",
        "/providers",
        "/queue",
        "/suppressions",
        "/undo",
        "/outbox",
        "/unknown",
        "/alerts",
        "/policy",
    ] {
        for target in
            [target.to_owned(), format!("{target}?{period}"), format!("{target}?q=4Xn0y8000007zZ1f")]
        {
            let answer = server.get_as("shop-token", &target);
            let text = answer.text().to_lowercase().replace("arrival", "");
            assert!(!text.contains("rival") && !text.contains("xyzzy"), "{target}: {text}");
            seen += u32::from(answer.status == 200);
        }
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn one_messages_life_has_its_lines() {
    let sandbox = read_log("");
    let server = WebServer::start(&sandbox, &[]);
    for id in ["4Xn0y8000002zZ1f", "98494.2.7@shop", "%3C98494.2.7@shop%3E"] {
        let life = server.json(&format!("/api/v1/messages/{id}"));
        let lines = life["lines"].as_array().unwrap();
        let lines: Vec<&str> = lines.iter().map(|line| line["line"].as_str().unwrap()).collect();
        assert_eq!(lines.len(), 3, "{life}");
        assert!(
            lines[0].contains("message-id=<98494.2.7@shop>") && lines[2].contains("550 5.1.1"),
            "{lines:?}"
        );
        assert_eq!(life["deliveries"][0]["recipient"], "bob@there.example");
        let timeline = life["timeline"].as_array().unwrap();
        let whats: Vec<&str> = timeline.iter().map(|moment| moment["what"].as_str().unwrap()).collect();
        assert!(whats.starts_with(&["seen", "delivery"]), "{whats:?}");
    }
    assert_eq!(server.get("/api/v1/messages/4Xn0y8999999zZ1f").status, 404);
}

#[test]
fn one_messages_life_says_whom_it_had_suppressed_and_no_other_does() {
    let sandbox = read_recent_log("");
    let sent = "dsn=2.0.0, status=sent (250 2.0.0 ok)";
    append(&sandbox, &ago(4, &delivery(541, 3, "bob@there.example", OTHER, 1.0, sent)));
    tick(&sandbox, &[]);
    let server = WebServer::start(&sandbox, &[]);
    let moments = |id: &str| -> Vec<Value> {
        let life = server.json(&format!("/api/v1/messages/{id}"));
        life["timeline"].as_array().unwrap().clone()
    };
    let failed = moments("4Xn0y8000002zZ1f");
    let last = failed.iter().find(|moment| moment["what"] == "suppressed").unwrap();
    assert_eq!(
        (&last["recipient"], &last["text"]),
        (&json!("bob@there.example"), &json!("suppressed: user-unknown"))
    );
    assert!(moments("4Xn0y8000003zZ1f").iter().all(|moment| moment["what"] != "suppressed"));
}

#[test]
fn statistics_are_those_of_the_report() {
    let sandbox = read_log("");
    let server = WebServer::start(&sandbox, &[]);
    let period = ["--since", "2026-03-01", "--until", "2026-03-02"];
    let printed = sandbox.run(&[&["report", "--json"], &period[..]].concat(), b"").stdout;
    let served = server.json("/api/v1/statistics?since=2026-03-01&until=2026-03-02");
    assert_eq!(served, serde_json::from_str::<Value>(&printed).unwrap());
    let csv = server.get("/api/v1/statistics?since=2026-03-01&until=2026-03-02&sheet=reasons");
    assert_eq!(csv.field("content-type"), "text/csv; charset=utf-8");
    assert_eq!(csv.text().replace('\r', ""), "reason,category,count\nuser-unknown,bad-mailbox,1\n");
    let health = server.json("/api/v1/health");
    assert_eq!(health["index"]["newest_deliveries"]["deliveries"], 3);
    assert_eq!(health["index"]["correlation_rate"], 1.0);
}
