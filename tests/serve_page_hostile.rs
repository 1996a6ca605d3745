//! What strangers write is text on the page of `carom serve`, in every field and in a real browser:
//! no script runs, nothing is loaded, and the direction of writing stays.

use crate::harness::browser::Browser;
use crate::harness::mail_log::busy_log::delivery;
use crate::harness::web::{WebServer, token};
use crate::harness::{Sandbox, free_port, mail_log};
use crate::statistics::append;
use url::form_urlencoded::byte_serialize;

/// Markup in every context: text, values in quotes and without, addresses, style.
const MARKUP: [&str; 6] = [
    "<script>window.hit=1</script>",
    "\"><img src=//evil.example/x onerror=window.hit=1>",
    "' onmouseover='window.hit=1' x='",
    "javascript:window.hit=1",
    "</textarea></title><svg onload=window.hit=1>",
    "</style><style>*{background:url(//evil.example)}</style>&lt;script&gt;",
];
/// What reorders, hides or steers.
const ODD: &str = "\u{202e}gnp.exe\u{2066}\u{200b}\u{7}\u{1b}[31m";

/// A log whose every field is hostile, and a config whose names are.
fn hostile() -> Sandbox {
    let long = "w".repeat(10_240);
    let name = toml::Value::from(MARKUP[0]).to_string();
    let file = toml::Value::from(format!("/no/{}", MARKUP[4]));
    // Nobody takes the notifications, so that they stay in the outbox.
    let url = toml::Value::from(format!("http://127.0.0.1:{}/{{address}}", free_port()));
    let config = format!(
        "{}[[alert]]\nname = {name}\nwhen = \"queue\"\nabove = 0\nmail = [\"ops@sink.example\"]\n\
         [[notify]]\nsender_domain = \"*\"\nurl = {url}\n[policy.odd]\npath = {file}\n",
        token("staff", "\"act\"")
    );
    let sandbox = mail_log::sandbox(None, "").config(&config);
    let mut text = String::new();
    for (n, markup) in MARKUP.iter().chain([&ODD, &long.as_str()]).enumerate() {
        let relay = format!("{}[192.0.2.1]:25", markup.replace(['[', ' '], ""));
        let (quoted, plain) =
            (format!("\"{markup}\"@evil.example"), format!("x@{}", markup.replace(' ', "")));
        for (m, (sender, to)) in [(quoted.clone(), plain.clone()), (plain, quoted)].into_iter().enumerate() {
            for (k, status) in ["sent", "bounced", "deferred"].into_iter().enumerate() {
                let said = if m == 0 { "599" } else { "550 5.1.1 user unknown" };
                let end = format!("dsn=5.0.0, status={status} (host {markup} said: {said} {markup} {ODD})");
                let n = n * 10 + m * 3 + k;
                text += &delivery(600 - n as i64, n, &sender, &to, &relay, &end)
                    .replace("@shop>", &format!("{markup}@shop>"));
            }
        }
    }
    append(&sandbox, &text);
    let ran = sandbox.run(&["cron"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    for markup in MARKUP {
        let address = format!("\"{markup}\"@evil.example");
        let ran = sandbox.run(&["suppress", "add", &address, "--reason", &format!("{markup}{ODD}")], b"");
        assert!(ran.code == 0 || !ran.stderr.is_empty(), "{ran:?}");
    }
    sandbox
}

fn views(server: &WebServer) -> Vec<String> {
    let mut views: Vec<String> =
        ["/", "/deliveries", "/providers", "/queue", "/suppressions", "/undo?since=1d"]
            .into_iter()
            .chain(["/outbox", "/unknown", "/alerts", "/policy", "/sign-in?back=%22%3E%3Cscript%3E"])
            .map(str::to_owned)
            .collect();
    for markup in MARKUP.into_iter().chain([ODD]) {
        let value: String = byte_serialize(markup.as_bytes()).collect();
        views.push(format!("/search?q={value}"));
        views.push(format!("/deliveries?reason={value}&recipient={value}&sender_domain={value}"));
        views.push(format!("/suppressions?containing={value}"));
        views.push(format!("/message?id={value}"));
        views.push(format!("/undo?since=1d&rule={value}&reason={value}&provider={value}"));
        views.push(format!(
            "/rule?name={value}&pattern={value}&reason={value}&provider={value}&example={value}"
        ));
        views.push(format!("/zone?zone={value}&back={value}"));
    }
    let list = server.get_as("staff-token", "/deliveries").text();
    for view in ["/search", "/message"] {
        let links = list.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let links = links.filter(|link| link.starts_with(view)).map(|link| link.replace("&amp;", "&"));
        views.extend(links.take(6));
    }
    views
}

#[test]
fn what_strangers_write_is_text() {
    let sandbox = hostile();
    let server = WebServer::start(&sandbox, &[]);
    for (view, text) in
        [("/outbox", "evil.example"), ("/policy", "&lt;svg onload"), ("/alerts", "&lt;script&gt;")]
    {
        let shown = server.get_as("staff-token", view).text();
        assert!(shown.contains(text), "{view} shows {text}: {shown}");
    }
    let mut seen = 0;
    for view in views(&server) {
        let answer = server.get_as("staff-token", &view);
        let text = answer.text();
        if answer.status == 303 {
            continue;
        }
        assert!(answer.field("content-security-policy").starts_with("default-src 'none'; "), "{view}");
        assert_eq!(text.matches("<script").count(), 1, "{view}: {text}");
        for markup in ["<img", "<svg onload", "<style", "</textarea></title>"] {
            assert!(!text.contains(markup), "{view} has {markup}");
        }
        assert!(text.chars().all(|c| !c.is_control() || c == '\n'), "{view}");
        assert!(!text.contains(['\u{202e}', '\u{2066}', '\u{200b}']), "{view}");
        assert!(text.len() < 2_000_000, "{view}");
        seen += text.matches("&lt;script&gt;window.hit=1").count();
    }
    assert!(seen > 50, "the markup is shown as text: {seen}");
}

#[test]
fn no_script_of_a_stranger_runs() {
    let sandbox = hostile();
    let server = WebServer::start(&sandbox, &[]);
    let browser = Browser::start();
    browser.go(&format!("http://127.0.0.1:{}/", server.port));
    browser.keys("#token", "staff-token\u{e007}");
    crate::harness::wait_for(60, "the overview", || browser.has("nav"));
    for view in views(&server) {
        browser.go(&format!("http://127.0.0.1:{}{view}", server.port));
        let found = browser.run(
            "return [window.hit, document.querySelectorAll('[onerror],[onload],[onmouseover],img,iframe,style').length,
                performance.getEntriesByType('resource').filter((one) => !one.name.startsWith(location.origin)).length]",
            &[],
        );
        assert_eq!(found, serde_json::json!([null, 0, 0]), "{view}");
    }
    let complaints = browser.complaints();
    let of_policy =
        complaints.iter().filter(|one| one.contains("Content Security Policy") || one.contains("Refused"));
    assert_eq!(of_policy.count(), 0, "{complaints:?}");
}
