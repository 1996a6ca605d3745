//! `carom serve` for programs of other tools: the calls that their documents show.

use crate::harness::web::{WebServer, token};
use crate::serve::read_log;
use crate::statistics::{OTHER, append, delivery, tick};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

#[test]
fn agents_read_records_in_their_envelope() {
    let sandbox = read_log("");
    let server = WebServer::start(&sandbox, &[]);
    let result = |target: &str| {
        let answer = server.json(target);
        assert_eq!(
            (&answer["status"]["succeeded"], &answer["status"]["message"]),
            (&json!(true), &json!("OK"))
        );
        assert!(answer["status"]["timeStamp"].is_i64());
        answer["result"].clone()
    };
    let all = result("/agent-read/shop");
    let records = all.as_array().unwrap();
    assert_eq!(records.len(), 1, "what was delivered at the first attempt is left out: {all}");
    let record = &records[0];
    assert_eq!(
        (
            &record["rcptEmail"],
            &record["queueId"],
            &record["msgId"],
            &record["status"],
            &record["state"],
            &record["stateInfo"]
        ),
        (
            &json!("bob@there.example"),
            &json!("4Xn0y8000002zZ1f"),
            &json!("98494.2.7"),
            &json!("bounced"),
            &json!(1),
            &json!("user-unknown")
        )
    );
    let date = record["date"].as_i64().unwrap();
    for target in [
        "/agent-read/shop/".to_owned(),
        "/agent-read/shop/rcptEmail/bob@there.example".to_owned(),
        "/agent-read/shop/queue/4Xn0y8000002zZ1f/".to_owned(),
        "/agent-read/shop/message/98494.2.7".to_owned(),
        "/agent-read/shop/message/98494.2.7@shop".to_owned(),
        "/agent-read/shop/message/%3C98494.2.7@shop%3E".to_owned(),
        format!("/agent-read/shop?from={date}&to={date}"),
    ] {
        assert_eq!(result(&target), all, "{target}");
    }
    assert_eq!(result(&format!("/agent-read/shop?from={}", date + 1)), json!([]));
    assert_eq!(result("/agent-read/other"), json!([]));
    assert_eq!(&result("/agent-read/shop?lastOrFirst=true"), record);
    assert_eq!(result("/agent-read/shop?groupBy=rcptEmail"), json!({ "bob@there.example": [record] }));
    assert_eq!(
        result("/agent-read/shop?groupBy=queueId-and-rcptEmail&lastOrFirst=false"),
        json!({ "bob@there.example": { "4Xn0y8000002zZ1f": record } })
    );
    assert_eq!(server.get("/agent-read/shop/rcptEmail/nobody").status, 404);
    assert_eq!(result("/agent-status/rcpt-address-counts"), json!({ "shop": 3 }));
    assert_eq!(result("/agent-status/rcpt-addresses")["shop"].as_array().unwrap().len(), 3);
    assert_eq!(result("/agent-status/unknown-bounces"), json!({}));
    assert!(result("/agent-status/index-age").as_i64().unwrap() <= date);
    assert_eq!(result("/agent-status/indexed-log-files"), json!(["mail.log"]));
    let status = result("/agent-status");
    for key in [
        "Count of indexed client-id log lines from backup",
        "Count of indexed message-id log lines from backup",
        "Count of indexed log entries (delivery attempts regardless of the status) from backup",
    ] {
        assert_eq!(status[key], 3, "{key}: {status}");
    }
    assert!(status["Last line received at"].as_str().unwrap().ends_with(":07.000"), "{status}");
}

#[test]
fn agents_hear_what_is_wrong_in_their_envelope() {
    let sandbox = read_log(&token("pda", "\"read\""));
    let server = WebServer::start(&sandbox, &[]);
    let basic = format!("Authorization: Basic {}\r\n", data_encoding::BASE64.encode(b"pda:pda-token"));
    let ask = |method: &str, target: &str, fields: &str| server.ask(method, target, fields, "");
    for (status, method, target, fields) in [
        (401, "GET", "/agent-read/shop", ""),
        (400, "GET", "/agent-read/shop?lastOrFirst=maybe", &*basic),
        (400, "GET", "/agent-read/shop?from=abc", &basic),
        (400, "GET", "/agent-read/shop?from=1&from=2", &basic),
        (400, "GET", "/agent-read/shop?groupBy=nothing", &basic),
        (404, "GET", "/agent-read/shop/nothing/x", &basic),
        (404, "GET", "/agent-status/memory-usage", &basic),
        (405, "POST", "/agent-status", &basic),
    ] {
        let answer = ask(method, target, fields);
        assert_eq!((answer.status, answer.field("content-type")), (status, "application/json"), "{target}");
        let said = answer.value();
        assert_eq!((&said["result"], &said["status"]["succeeded"]), (&Value::Null, &json!(false)), "{said}");
        assert!(said["status"]["message"].as_str().is_some_and(|text| text.len() > 10), "{said}");
        assert_eq!(status == 401, !answer.field("www-authenticate").is_empty(), "{target}");
    }
    // Its state is gone.
    fs::rename(sandbox.path("state"), sandbox.path("elsewhere")).unwrap();
    let gone = ask("GET", "/agent-read/shop", &format!("{basic}client-version: 1.0\r\n"));
    assert_eq!((gone.status, &gone.value()["status"]["succeeded"]), (503, &json!(false)));
    assert!(gone.value()["status"]["version"].is_string());
}

#[test]
fn a_message_id_of_no_client_keeps_its_brackets() {
    let sandbox = read_log("");
    let failure = "dsn=5.1.1, status=bounced (host mx[192.0.2.9] said: 550 5.1.1 user unknown)";
    let failed = delivery(525, 7, "dan@there.example", OTHER, 1.0, failure);
    // A header names its client, and not its Message-ID.
    let named = "2026-03-01T08:45:06.000000+00:00 mx postfix/cleanup[11]: 4Xn0y8000007zZ1f: info: header Client-Id: shop \
        from h[192.0.2.1]; from=<news@mail.shop.example> to=<dan@there.example> proto=ESMTP helo=<h>\n";
    append(&sandbox, &(failed.replace("98494.7.7@shop", "seven@mail.example") + named));
    tick(&sandbox, &[]);
    let server = WebServer::start(&sandbox, &[]);
    for id in ["seven@mail.example", "%3Cseven@mail.example%3E"] {
        let answer = server.json(&format!("/agent-read/shop/message/{id}"));
        assert_eq!(answer["result"][0]["msgId"], "<seven@mail.example>", "{answer}");
    }
}

#[test]
fn dashboards_of_the_sink_read_counters_and_minutes() {
    let sandbox = crate::harness::Sandbox::new();
    let server = WebServer::start(&sandbox, &[]);
    let before = server.json("/json");
    assert_eq!(before["startedRunning"], "Not yet - waiting for scheduled running to begin");
    assert_eq!(server.json("/json/ts-messages"), json!([]));
    assert_eq!(sandbox.pipe("x@accept.sink.example", b"Subject: x\r\n\r\nx\r\n").code, 0);
    crate::harness::wait_for(30, "the message to count", || server.json("/json")["total_messages"] == 1);
    let printed: Value = serde_json::from_str(&sandbox.run(&["stats", "--json"], b"").stdout).unwrap();
    assert_eq!(server.json("/json"), printed);
    let minute = &server.json("/json/ts-messages")[0];
    assert_eq!(minute["messages"], 1);
    let time = minute["time"].as_str().unwrap();
    assert!(time.len() == "2026-11-21T02:33:00+00:00".len() && time.ends_with(":00+00:00"), "{time}");
}

/// Names of metrics in a text.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    words.filter(|word| word.starts_with("carom_")).map(str::to_owned).collect()
}

#[test]
fn metrics_are_those_of_the_export_and_what_grafana_asks_for() {
    let sandbox = read_log("");
    let server = WebServer::start(&sandbox, &[]);
    let served = server.get("/metrics");
    assert!(served.field("content-type").starts_with("text/plain; version=0.0.4"));
    let served = metrics(&served.text());
    let exported = metrics(&sandbox.run(&["export", "prometheus"], b"").stdout);
    assert_eq!(served, exported);
    for metric in ["carom_outbox_steps", "carom_suppressions", "carom_alerts", "carom_deliveries_total"] {
        assert!(served.contains(metric), "{metric}");
    }
    let documented = metrics(&fs::read_to_string("docs/operate.md").unwrap());
    for file in ["examples/grafana/dashboard.json", "examples/grafana/alerts.yml"] {
        let asked = metrics(&fs::read_to_string(file).unwrap());
        assert!(asked.len() > 4 && asked.is_subset(&documented), "{file}: {asked:?}");
    }
}

#[test]
fn agents_get_all_records_or_hear_which_period_fits() {
    let sandbox = crate::harness::mail_log::sandbox(None, "");
    let failure =
        format!("dsn=4.0.0, status=deferred (host mx[192.0.2.9] said: 450 {})", "parrot ".repeat(120));
    let mut log = String::new();
    let (messages, recipients) = (250, 60);
    for n in 0..messages {
        let at = format!("2026-03-01T{:02}:{:02}:00+00:00 mx postfix", n / 60, n % 60);
        let id = format!("4Xn0y8{n:06}zZ1f");
        log += &format!("{at}/cleanup[11]: {id}: message-id=<98494.{n}.7@big>\n");
        log += &format!(
            "{at}/qmgr[12]: {id}: from=<a@shop.example>, size=9, nrcpt={recipients} (queue active)\n"
        );
        for to in 0..recipients {
            log += &format!(
                "{at}/smtp[13]: {id}: to=<r{n}.{to}@d.example>, relay={OTHER}, delay=1, delays=0/0/0/1, {failure}\n"
            );
        }
    }
    append(
        &sandbox,
        &(log + &delivery(600, 1, "old@d.example", OTHER, 1.0, "dsn=2.0.0, status=sent (250 ok)")),
    );
    tick(&sandbox, &[]);
    let server = WebServer::start(&sandbox, &[]);
    let counts = server.json("/agent-status/rcpt-address-counts");
    assert_eq!(counts["result"], json!({ "big": messages * recipients, "shop": 1 }));
    let last = server.json("/agent-read/big?lastOrFirst=true")["result"].clone();
    assert!(last["rcptEmail"].as_str().unwrap().starts_with(&format!("r{}.", messages - 1)), "{last}");
    let grouped = server.json("/agent-read/big?groupBy=queueId&lastOrFirst=false")["result"].clone();
    assert_eq!(grouped.as_object().unwrap().len(), messages);
    // All of them are too many for one answer, which says what fits.
    let (mut seen, mut from) = (0, String::new());
    for part in 0.. {
        let answer = server.get(&format!("/agent-read/big?{from}"));
        if answer.status == 200 {
            seen += answer.value()["result"].as_array().unwrap().len();
            assert!(part > 0, "all in one answer");
            break;
        }
        assert_eq!((answer.status, &answer.value()["status"]["succeeded"]), (413, &json!(false)));
        let said = answer.value()["status"]["message"].as_str().unwrap().to_owned();
        let number = |name: &str| {
            said.split(name).nth(1).unwrap().split(|c: char| !c.is_ascii_digit()).next().unwrap().to_owned()
        };
        let fits = server.json(&format!("/agent-read/big?{from}&to={}", number("to=")));
        seen += fits["result"].as_array().unwrap().len();
        from = format!("from={}", number("from="));
    }
    assert_eq!(seen, messages * recipients);
}
