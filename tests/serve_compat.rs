//! `carom serve` for programs of other tools: the calls that their documents show.

use crate::harness::web::WebServer;
use crate::serve::read_log;
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
            &json!("98494.2.7@shop"),
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
        "/agent-read/shop/message/98494.2.7@shop".to_owned(),
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
    assert_eq!(result("/agent-status")["Count of indexed log entries (delivery attempts …) from backup"], 3);
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
    assert_eq!(server.json("/json/ts-messages")[0]["messages"], 1);
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
