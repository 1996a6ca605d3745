//! The life of a message as `carom serve` tells it: with the reports that came by mail, and by what
//! the mail server says. And lists that have what their figure counts.

use crate::bounces::{STRANGER, bounce, dsn_of, signed_path};
use crate::harness::Sandbox;
use crate::harness::application::Application;
use crate::harness::mail_log;
use crate::harness::web::WebServer;
use crate::statistics::{OTHER, SENT, UNKNOWN_USER, append, delivery, tick};
use serde_json::{Value, json};

const ANN: &str = "ann@there.example";
const QUEUE_ID: &str = "4Xn0y8000001zZ1f";
const MESSAGE_ID: &str = "98494.1.7@shop";

fn read(log: &str) -> Sandbox {
    let sandbox = mail_log::sandbox(None, "");
    append(&sandbox, log);
    tick(&sandbox, &[]);
    sandbox
}

#[test]
fn a_life_has_the_reports_that_came_by_mail() {
    let application = Application::at(0);
    let verp = "[verp]\nkeys = [\"a key of this test, long enough\"]\ndomain = \"bounces.example.com\"\n";
    let sandbox = mail_log::sandbox(Some(&application), "").config(verp);
    append(&sandbox, &delivery(540, 1, ANN, OTHER, 1.0, SENT));
    tick(&sandbox, &[]);
    let report = dsn_of(MESSAGE_ID, ANN, "5.1.1", "550 5.1.1 User unknown");
    bounce(&sandbox, "bounces@bounces.example.com", STRANGER, &report);
    bounce(&sandbox, &signed_path(&sandbox, ANN), STRANGER, &report);
    assert_eq!(application.told().len(), 1);
    let server = WebServer::start(&sandbox, &[]);
    for id in [MESSAGE_ID, QUEUE_ID] {
        let life = server.json(&format!("/api/v1/messages/{id}"));
        let of = |what: &str| {
            let timeline = life["timeline"].as_array().unwrap().iter();
            timeline
                .filter(|moment| moment["what"] == what)
                .map(|one| one["text"].to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(of("report").len(), 2, "{id}: {life}");
        let steps = of("step").concat();
        assert!(steps.contains("suppress succeeded") && steps.contains("notify succeeded"), "{id}: {steps}");
        assert_eq!(life["known"]["kept"].as_array().unwrap().len(), 1, "{id}: the unproven one: {life}");
        assert_eq!(life["known"]["suppressed"][0]["address"], ANN, "{id}: {life}");
        let page = server.get(&format!("/message?id={id}")).text();
        assert!(page.contains("What carom did") && page.contains("notify succeeded"), "{page}");
    }
    let other = server.get("/api/v1/messages/98494.11.7@shop");
    assert_eq!(other.status, 404, "{}", other.text());
}

#[test]
fn a_line_means_what_its_status_says() {
    let failure =
        "dsn=5.0.0, status=bounced (host mx[192.0.2.9] said: 550 no; last status=sent (250 ok): removed)";
    let sandbox = read(&delivery(540, 1, ANN, OTHER, 1.0, failure));
    let server = WebServer::start(&sandbox, &[]);
    let page = server.get(&format!("/message?id={QUEUE_ID}")).text();
    assert!(page.contains("Failed.") && !page.contains("Delivered."), "{page}");
}

#[test]
fn an_address_is_found_in_both_spellings_of_its_domain() {
    let log = delivery(540, 1, "hans@xn--mnchen-3ya.example", OTHER, 1.0, SENT)
        + &delivery(541, 2, "Jörg@münchen.example", OTHER, 1.0, SENT);
    let sandbox = read(&log);
    let server = WebServer::start(&sandbox, &[]);
    for (asked, found) in [
        ("hans@m%C3%BCnchen.example", 1),
        ("Hans@xn--mnchen-3ya.example", 1),
        ("hans@M%C3%9CNCHEN.example", 1),
        ("j%C3%B6rg@xn--mnchen-3ya.example", 1),
        ("J%C3%96RG@m%C3%BCnchen.example", 1),
        ("jorg@m%C3%BCnchen.example", 0),
    ] {
        let list = server.json(&format!("/api/v1/deliveries?recipient={asked}"));
        assert_eq!(list["deliveries"].as_array().unwrap().len(), found, "{asked}: {list}");
        let page = server.get(&format!("/search?q={asked}")).text();
        assert_eq!(page.contains("The latest message to it"), found == 1, "{asked}");
    }
}

#[test]
fn a_figure_and_its_list_have_the_same_deliveries() {
    let waits = "dsn=4.4.1, status=deferred (connect to mx.dest.example[192.0.2.9]:25: Connection timed out)";
    let parrot = "dsn=5.0.0, status=bounced (host mx[192.0.2.9] said: 599 the parrot on 7 is resting)";
    let log = delivery(540, 1, "a@dest.example", "MX.Corp.Example[192.0.2.9]:25", 1.0, SENT)
        + &delivery(541, 2, "b@dest.example", "mx.corp.example[192.0.2.9]:25", 1.0, SENT)
        + &delivery(542, 3, "c@dest.example", "none", 1.0, waits)
        + &delivery(543, 4, "ops@dest.example", "none", 1.0, waits)
            .replace("98494.4.7@shop", "carom-alert.1@mx")
        + &delivery(544, 5, "d@dest.example", OTHER, 1.0, parrot);
    let sandbox = read(&log);
    let server = WebServer::start(&sandbox, &[]);
    let listed = |query: &str| {
        let list = server.json(&format!("/api/v1/deliveries?{query}"));
        list["deliveries"].as_array().unwrap().len()
    };
    let figures = server.json("/api/v1/statistics?since=2026-03-01&until=2026-03-02");
    let relays = figures["relays"].as_array().unwrap();
    let corp: Vec<&Value> = relays.iter().filter(|one| one["name"] == "mx.corp.example").collect();
    assert_eq!((corp.len(), &corp[0]["outcomes"]["sent"]), (1, &json!(2)), "{figures}");
    assert_eq!(listed("relay=MX.corp.example&status=sent"), 2);
    assert_eq!(figures["totals"]["deferred"], 1);
    assert_eq!(listed("status=deferred"), 1, "the mail of an alert is in no figure");
    assert_eq!(listed("recipient=ops@dest.example"), 1, "and it is found by its recipient");
    // A shape that no rule knows, as the page and the command list it.
    let unknown = server.json("/api/v1/unknown?since=2026-03-01");
    let shape = unknown["unknown"][0]["shape"].as_str().unwrap_or_else(|| panic!("{unknown}"));
    let page = server.get("/unknown?since=2026-03-01").text();
    assert!(page.contains("/deliveries?unclassified=true"), "{page}");
    let ran = sandbox.run(&["deliveries", "--shape", shape, "--unclassified", "--json"], b"");
    assert!(ran.code == 0 && ran.stdout.contains("d@dest.example"), "{ran:?}");
}

#[test]
fn the_list_of_the_page_ignores_no_filter() {
    let log = delivery(540, 1, ANN, OTHER, 1.0, SENT)
        + &delivery(541, 2, "bob@there.example", OTHER, 1.0, UNKNOWN_USER)
            .replace("<news@mail.shop.example>", "<>");
    let sandbox = read(&log);
    let server = WebServer::start(&sandbox, &[]);
    for query in ["sender=", "sender=%3C%3E", "recipient=&sender=%3C%3E"] {
        let page = server.get(&format!("/deliveries?{query}")).text();
        assert!(page.contains("bob@there.example") && !page.contains(ANN), "{query}: {page}");
        assert!(
            page.contains("--sender &#39;&lt;&gt;&#39;") || page.contains("--sender '&lt;&gt;'"),
            "{page}"
        );
    }
    // What a form sends that nobody has filled in.
    let page = server.get("/deliveries?recipient=&sender=&client=").text();
    assert!(page.contains("bob@there.example") && page.contains(ANN), "{page}");
    let page = server.get("/deliveries?failed=true").text();
    assert!(page.contains("name=failed value=true") && !page.contains(ANN), "{page}");
    for query in ["latest=true", "limit=1", "format=csv", "group=status"] {
        assert_eq!(server.get(&format!("/deliveries?{query}")).status, 400, "{query}");
    }
}
