//! The page of `carom serve` in a real browser: every view can be read by everybody, at every
//! width, with and without the script; and what support staff come for is found in a few steps.

use crate::harness::browser::Browser;
use crate::harness::mail_log::busy_log;
use crate::harness::web::{WebServer, token};
use crate::harness::{Sandbox, wait_for};
use serde_json::{Value, json};

/// Every view.
const VIEWS: [&str; 13] = [
    "/",
    "/deliveries",
    "/deliveries?status=bounced,deferred&sender_domain=shop.example",
    "/search?q=person0@gmail.example",
    "/message?id=4Xn0y8000000zZ1f",
    "/rule?name=parrots&pattern=parrot+*+resting&reason=undetermined",
    "/providers",
    "/queue",
    "/suppressions",
    "/undo?since=1d",
    "/outbox",
    "/unknown",
    "/policy",
];
const WIDTHS: [u32; 4] = [360, 768, 1280, 2560];
/// A4 with margins of a centimetre, in pixels.
const PAPER: u32 = 718;
/// Bytes and requests of the overview.
const BYTES: u64 = 150_000;
const REQUESTS: u64 = 5;

fn url(server: &WebServer, path: &str) -> String {
    format!("http://127.0.0.1:{}{path}", server.port)
}

/// Looks at every view as a person may.
fn look_at(sandbox: &Sandbox) {
    let server = WebServer::start(sandbox, &[]);
    let browser = Browser::start();
    for view in VIEWS.into_iter().chain(["/alerts", "/sign-in"]) {
        for (width, is_dark) in [(1280, false), (360, true)] {
            browser.looks(width, is_dark);
            browser.go(&url(&server, view));
            assert!(!browser.text("h1").is_empty(), "{view}");
            assert_eq!(browser.barriers(), Vec::<String>::new(), "{view}, {width} pixels");
            picture(&browser, view, width);
        }
        let overflow = "const e = document.documentElement; return e.scrollWidth - e.clientWidth";
        for width in WIDTHS {
            browser.looks(width, false);
            assert_eq!(browser.run(overflow, &[]), 0, "{view} is wider than {width} pixels");
            assert_eq!(browser.overlaps(), Vec::<String>::new(), "{view}, {width} pixels");
        }
        browser.prints(PAPER);
        assert_eq!(browser.run(overflow, &[]), 0, "{view} is wider than a sheet of paper");
        assert_eq!(browser.overlaps(), Vec::<String>::new(), "{view} on paper");
    }
    let mut complaints = browser.complaints();
    // A message that nobody knows is not found.
    complaints.retain(|one| !one.contains("/message?"));
    assert_eq!(complaints, Vec::<String>::new());
}

/// Into the directory that `CAROM_PICTURES` names, for people to look at.
fn picture(browser: &Browser, view: &str, width: u32) {
    let Some(directory) = std::env::var_os("CAROM_PICTURES") else { return };
    let name: String = view.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    browser.picture(&std::path::Path::new(&directory).join(format!("{name}-{width}.png")));
}

#[test]
fn every_view_of_nothing_can_be_read_by_everybody() {
    look_at(&busy_log::sandbox(0, ""));
}

#[test]
fn every_view_of_a_thousand_deliveries_can_be_read_by_everybody() {
    let sandbox = busy_log::sandbox(1000, "");
    let ran = sandbox.run(&["suppress", "add", "person0@gmail.example", "--reason", "asked"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    look_at(&sandbox);
}

#[test]
#[ignore = "a million deliveries take minutes: make test-page"]
fn every_view_of_a_million_deliveries_can_be_read_by_everybody() {
    look_at(&busy_log::sandbox(1_000_000, ""));
}

#[test]
fn the_overview_is_small_and_asks_nobody_else() {
    let sandbox = busy_log::sandbox(1000, "");
    let server = WebServer::start(&sandbox, &[]);
    let browser = Browser::start();
    browser.go(&url(&server, "/"));
    let loaded = browser.run(
        "return performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
            .map((one) => [one.name, one.decodedBodySize])",
        &[],
    );
    let loaded: Vec<(String, u64)> = serde_json::from_value(loaded).unwrap();
    let here = url(&server, "/");
    assert!(loaded.iter().all(|(name, _)| name.starts_with(&here)), "{loaded:?}");
    assert!(loaded.len() as u64 <= REQUESTS, "{loaded:?}");
    assert!(loaded.iter().map(|(_, bytes)| bytes).sum::<u64>() <= BYTES, "{loaded:?}");
}

#[test]
fn everything_can_be_read_without_the_script() {
    let sandbox = busy_log::sandbox(200, "");
    let server = WebServer::start(&sandbox, &[]);
    let browser = Browser::start();
    browser.scripts(false);
    for view in VIEWS {
        browser.go(&url(&server, view));
        let markup = browser.markup();
        assert!(markup.contains("<h1"), "{view}");
        // Only what refreshes waits for the script.
        let hidden = markup.matches(" hidden").count();
        assert!(hidden == markup.matches("<p class=\"live\" hidden").count(), "{view}: {markup}");
    }
    let answer = "Nothing suppresses mail to it";
    browser.go(&url(&server, "/search?q=person11@outlook.example"));
    assert!(browser.markup().contains(answer));
}

#[test]
fn what_is_under_the_pointer_is_said_and_a_bar_leads_to_its_deliveries() {
    let sandbox = busy_log::sandbox(1000, "");
    let server = WebServer::start(&sandbox, &[]);
    let browser = Browser::start();
    browser.go(&url(&server, "/?since=7d"));
    let point = "const bar = document.querySelector('svg g[data-step] rect');
        const box = bar.getBoundingClientRect();
        bar.dispatchEvent(new PointerEvent('pointermove', { bubbles: true, clientX: box.x, clientY: box.y }));
        const tip = document.querySelector('.tip');
        return [tip.hidden, tip.textContent]";
    let tip = browser.run(point, &[]);
    assert_eq!(tip[0], false);
    assert!(tip[1].as_str().unwrap().contains(" delivered"), "{tip}");
    browser.run("document.querySelector('svg g[data-step] rect').dispatchEvent(new MouseEvent('click', { bubbles: true }))", &[]);
    wait_for(60, "the list", || browser.address().contains("/deliveries?since="));
    assert!(browser.text("main .note").contains("deliver"));
}

#[test]
fn days_are_named_as_they_were_cut() {
    let sandbox = busy_log::sandbox(200, "");
    let server = WebServer::start(&sandbox, &[]);
    let days = |fields: &str| {
        let page = server.ask("GET", "/?since=30d", fields, "").text();
        let table =
            page.split("aria-label=\"Outcomes over time\"").nth(1).unwrap().split("</table>").next().unwrap();
        let names: Vec<String> = table
            .split("<th scope=row>")
            .skip(1)
            .map(|row| row.split("\">").nth(1).unwrap().split('<').next().unwrap().to_owned())
            .collect();
        (names, page.contains("Days begin and end by UTC."))
    };
    let (by_utc, is_said) = days("");
    let today = jiff::Timestamp::now().strftime("%-d %b").to_string();
    assert!(by_utc.contains(&today) && !is_said, "{by_utc:?}");
    for zone in ["America/Los_Angeles", "Pacific/Auckland"] {
        let (names, is_said) = days(&format!("Cookie: carom_zone={zone}\r\n"));
        assert_eq!(names, by_utc, "{zone}");
        assert!(is_said, "{zone}");
    }
}

#[test]
fn a_view_that_is_not_the_present_says_since_when_and_why() {
    let sandbox = busy_log::sandbox(20, "");
    let server = WebServer::start(&sandbox, &[]);
    let browser = Browser::start();
    browser.go(&url(&server, "/zone?zone=Asia/Kathmandu&back=/"));
    let there = jiff::tz::TimeZone::get("Asia/Kathmandu").unwrap();
    let hours: Vec<String> = [-1, 0, 1]
        .map(|minutes| jiff::Timestamp::now() + jiff::SignedDuration::from_mins(minutes))
        .map(|at| at.to_zoned(there.clone()).strftime("%H:").to_string())
        .to_vec();
    let looks_again = "document.dispatchEvent(new Event('visibilitychange'))";
    let port = server.port;
    drop(server);
    browser.run(looks_again, &[]);
    wait_for(60, "the words", || browser.has("p.unreadable[role=status]"));
    let said = browser.text("p.unreadable[role=status]");
    let is_on_that_clock =
        hours.iter().any(|hour| said.starts_with(&format!("This is how it was at {hour}")));
    assert!(is_on_that_clock && said.ends_with(": the server does not answer."), "{said}");
    assert_eq!(browser.barriers(), Vec::<String>::new());
    // It is the present again, and then the token is not known any more.
    let tokens = token("staff", "\"read\"");
    let listen = ["serve", "--listen", &format!("127.0.0.1:{port}")];
    let again = WebServer::of(sandbox.command(&listen).spawn().unwrap(), port);
    browser.run(looks_again, &[]);
    wait_for(60, "the present", || !browser.has("p.unreadable[role=status]"));
    drop(again);
    let sandbox = sandbox.config(&tokens);
    let _again = WebServer::of(sandbox.command(&listen).spawn().unwrap(), port);
    browser.run(looks_again, &[]);
    wait_for(60, "the words", || browser.has("p.unreadable[role=status]"));
    assert!(browser.text("p.unreadable[role=status]").ends_with("so sign in again."));
}

#[test]
fn a_period_is_chosen_where_figures_are_shown() {
    let sandbox = busy_log::sandbox(200, "");
    let server = WebServer::start(&sandbox, &[]);
    for (view, usual) in [("/", "24 hours"), ("/providers", "7 days")] {
        let page = server.get(view).text();
        assert!(page.contains(&format!("aria-current=true>{usual}</a>")), "{page}");
        assert!(page.contains("<code dir=ltr>carom report --since "), "{page}");
        let chosen = server.get(&format!("{view}?since=2026-01-01&until=2026-01-02")).text();
        assert!(
            chosen.contains("name=since value=2026-01-01") && !chosen.contains("aria-current=true"),
            "{chosen}"
        );
        assert!(page.contains(&format!("href=\"{view}?since=30d\"")), "{page}");
    }
}

#[test]
fn an_unknown_place_is_a_page_for_a_browser() {
    let sandbox = Sandbox::new();
    let server = WebServer::start(&sandbox, &[]);
    let browser = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";
    let ask = |target: &str, fields: &str| server.ask("GET", target, fields, "");
    let page = ask("/nowhere", browser);
    assert_eq!((page.status, page.field("content-type")), (404, "text/html; charset=utf-8"));
    assert!(page.text().contains("<h1>") && page.text().contains("href=\"/\""), "{}", page.text());
    for (target, fields) in [("/nowhere", ""), ("/nowhere", "Accept: */*\r\n"), ("/api/v1/nowhere", browser)]
    {
        let problem = ask(target, fields);
        assert_eq!((problem.status, problem.field("content-type")), (404, "application/problem+json"));
    }
}

#[test]
fn why_somebody_did_not_get_our_mail_is_said_in_words() {
    let sandbox = busy_log::sandbox(50, "");
    let late = busy_log::delivery(
        60,
        900_001,
        "orders@shop.example",
        "ann@firm.example",
        "mx.firm.example[192.0.2.3]:25",
        "dsn=5.2.2, status=bounced (host mx[192.0.2.3] said: 552 5.2.2 Mailbox full (in reply to RCPT TO command))",
    );
    crate::statistics::append(&sandbox, &late);
    crate::statistics::tick(&sandbox, &[]);
    let server = WebServer::start(&sandbox, &[]);
    let browser = Browser::start();
    browser.go(&url(&server, "/"));
    browser.keys("#q", "ann@firm.example\u{e007}");
    wait_for(60, "the answer", || browser.address().contains("/search?"));
    let answer = browser.text(".answer");
    assert!(answer.contains("failed") && answer.contains("552 5.2.2 Mailbox full"), "{answer}");
    assert!(answer.contains("mailbox-full"), "{answer}");
}

#[test]
fn what_broke_is_seen_and_leads_to_its_deliveries() {
    let sandbox = busy_log::sandbox(0, "");
    let mut text = String::new();
    for n in 0..40 {
        let end = if n >= 10 { busy_log::OUTAGE } else { "dsn=2.0.0, status=sent (250 2.0.0 OK)" };
        let relay = "gmail-smtp-in.l.google.com[192.0.2.1]:25";
        let to = format!("p{n}@gmail.example");
        text += &busy_log::delivery(2400 - n as i64 * 20, n, "orders@shop.example", &to, relay, end);
    }
    crate::statistics::append(&sandbox, &text);
    crate::statistics::tick(&sandbox, &[]);
    let server = WebServer::start(&sandbox, &[]);
    let browser = Browser::start();
    browser.go(&url(&server, "/?since=1h"));
    let reason = browser.text("#reasons ~ table tbody tr th span");
    browser.click("#reasons ~ table tbody tr th a");
    let shown = browser.text("main");
    assert!(browser.address().contains("/deliveries?"), "{}", browser.address());
    assert!(shown.contains(&reason) && shown.contains("421 4.7.0 Try again later"), "{shown}");
    assert!(shown.contains("30 deliveries."), "{shown}");
    // The command on the page prints the same.
    let command = browser.text(".command code");
    let words: Vec<&str> = command.split(' ').skip(1).chain(["--json"]).collect();
    let ran = sandbox.run(&words, b"");
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 30), "{command}: {ran:?}");
}

#[test]
fn a_policy_that_cannot_be_used_is_shown_with_its_fault_beside_the_others() {
    let sandbox = busy_log::sandbox(0, "[policy.\"No name\"]\npath = \"/nowhere.wasm\"\n");
    std::fs::write(sandbox.path("state/rules.toml"), "[[rules]\n").unwrap();
    let server = WebServer::start(&sandbox, &[]);
    let shown = server.get("/policy");
    let text = shown.text();
    assert_eq!(shown.status, 200);
    for part in ["invalid policy name `No name`", "rules.toml", "shipped with carom", "Limits"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let listed = server.json("/api/v1/policies");
    let faults = listed["policies"].as_array().unwrap().iter().filter(|one| one["fault"].is_string());
    assert_eq!(faults.count(), 1, "{listed}");
    let ran = sandbox.run(&["policy", "list"], b"");
    assert!(ran.code == 0 && ran.stdout.contains("invalid policy name"), "{ran:?}");
}

#[test]
fn a_browser_signs_in_and_a_customer_sees_only_his_mail() {
    let tokens = token("staff", "\"read\"") + &token("shop", "\"client shop\"");
    let sandbox = busy_log::sandbox(60, &tokens);
    let server = WebServer::start(&sandbox, &[]);
    let refused = server.get("/deliveries?status=sent");
    assert_eq!(refused.status, 401);
    assert!(refused.text().contains("value=\"/deliveries?status=sent\""), "{}", refused.text());
    assert_eq!(refused.field("www-authenticate"), "");
    let browser = Browser::start();
    browser.go(&url(&server, "/deliveries?status=sent"));
    browser.keys("#token", "wrong\u{e007}");
    wait_for(60, "a refusal", || browser.has("[role=alert]"));
    browser.keys("#token", "shop-token\u{e007}");
    wait_for(60, "the list", || browser.has("table.rows"));
    assert!(browser.address().ends_with("/deliveries?status=sent"), "{}", browser.address());
    assert_eq!(browser.run("return document.cookie", &[]), "", "no script reads the token");
    let clients = "return [...document.querySelectorAll('.top nav a')].map((a) => a.textContent)";
    let views = browser.run(clients, &[]);
    assert!(!views.as_array().unwrap().contains(&json!("Outbox")), "{views}");
    browser.click(".bottom form button");
    wait_for(60, "the form again", || browser.has("#token"));
    only_of_shop(&server);
}

/// Every view shows a customer the deliveries of that customer only.
fn only_of_shop(server: &WebServer) {
    let all = server.get_as("staff-token", "/api/v1/deliveries").value();
    let of = |client: &str| -> Vec<String> {
        let found = all["deliveries"].as_array().unwrap().iter().filter(|one| one["client_id"] == client);
        found.map(|one| one["queue_id"].as_str().unwrap().to_owned()).collect()
    };
    let (own, others): (Vec<String>, Vec<String>) = (of("shop"), of("news"));
    assert!(own.len() > 30 && others.len() > 10);
    let list = server.get_as("shop-token", "/deliveries").text();
    assert!(own.iter().all(|id| list.contains(id.as_str())));
    for view in VIEWS.into_iter().chain(["/deliveries?client=news", "/alerts"]) {
        let shown = server.get_as("shop-token", view);
        let text = shown.text();
        assert!(others.iter().all(|id| !text.contains(id.as_str())), "{view}");
        assert!([200, 403, 404].contains(&shown.status), "{view}: {}", shown.status);
    }
    let hidden: Value =
        server.get_as("shop-token", &format!("/api/v1/deliveries?queue_id={}", others[0])).value();
    assert_eq!(hidden["deliveries"], json!([]));
}

#[test]
fn a_form_of_another_site_signs_nobody_in() {
    let sandbox = busy_log::sandbox(0, &token("staff", "\"read\""));
    let server = WebServer::start(&sandbox, &[]);
    let form = "token=staff-token&back=//evil.example";
    let own = format!("Origin: http://127.0.0.1:{}\r\n", server.port);
    let good = server.ask("POST", "/sign-in", &own, form);
    assert_eq!((good.status, good.field("location")), (303, "/"));
    let cookie = good.field("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    for fields in ["Origin: http://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        let bad = server.ask("POST", "/sign-in", fields, form);
        assert_eq!((bad.status, bad.field("set-cookie")), (403, ""), "{fields}");
    }
    let fields = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap());
    assert_eq!(server.ask("GET", "/", &fields, "").status, 200);
}

#[test]
fn times_are_shown_in_the_zone_that_is_chosen() {
    let sandbox = busy_log::sandbox(20, "");
    let server = WebServer::start(&sandbox, &[]);
    let browser = Browser::start();
    browser.go(&url(&server, "/deliveries"));
    let before = browser.text("table time");
    browser.go(&url(&server, "/zone?zone=Asia/Kathmandu&back=/deliveries"));
    let after = browser.text("table time");
    let (before, after) = (before.replace(' ', "T") + "Z", after.replace(' ', "T") + "+05:45");
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    assert_eq!(at(&before), at(&after));
    assert!(browser.text(".bottom").contains("Asia/Kathmandu"));
}
