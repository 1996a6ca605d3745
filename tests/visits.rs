//! Opens and clicks, at a loopback tracker.

use crate::harness::peers::{Request, Tracker};
use crate::harness::{SENDER, Sandbox, html, sign_fields, signed};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The chances that are left are none.
const ONCE: &str = "open_again_percent = 0\nclick_percent = 0\nclick_again_percent = 0";
const CLICKS: &str =
    "open_percent = 100\nclick_percent = 100\nopen_again_percent = 100\nclick_again_percent = 100";

#[test]
fn b19_images_are_opened_and_links_clicked_by_one_user_agent_over_one_connection() {
    let tracker = Tracker::start();
    let sandbox = Sandbox::new().settings(&tracker.allowed()).settings(CLICKS);
    let page = html("x@openclick.sink.example", &[tracker.url("/i")], &[tracker.url("/l?a=1&amp;b=2")]);
    sandbox.pipe("x@openclick.sink.example", &page).silent();
    let mut paths = tracker.paths();
    paths.sort();
    assert_eq!(paths, ["/i", "/i", "/l?a=1&b=2", "/l?a=1&b=2"]);
    let agents: Vec<String> =
        tracker.requests.lock().unwrap().iter().map(|request| request.agent.clone()).collect();
    assert!(agents.iter().all(|agent| *agent == agents[0] && !agent.is_empty()), "{agents:?}");
    let counted = |name| sandbox.counter(name);
    assert_eq!(
        (counted("open"), counted("open_again"), counted("click"), counted("click_again")),
        (1, 1, 1, 1)
    );
    assert!(tracker.connections.load(Ordering::SeqCst) <= 2, "b38: connections are kept");
}

#[test]
fn b12_one_bad_link_does_not_stop_the_others() {
    let tracker = Tracker::start();
    let allowed = format!(
        "tracking_domains_allowlist = [\"tracker.example:{}\", \"nowhere.example\", \"tracker.example:1\"]",
        tracker.port
    );
    let sandbox = Sandbox::new().settings(ONCE).settings(&allowed);
    let images = [
        "http://nowhere.example/x".into(),
        "http://tracker.example:1/x".into(),
        "http://[::1:2/x".into(),
        "http://tracker.example:99999/x".into(),
        tracker.url("/missing"),
        tracker.url("/good"),
    ];
    sandbox.pipe("x@openclick.sink.example", &html("x@openclick.sink.example", &images, &[])).silent();
    assert!(tracker.paths().contains(&"/good".to_owned()), "{:?}", tracker.paths());
    assert_eq!((sandbox.counter("open"), sandbox.counter("open_url_error")), (1, 2));
}

#[test]
fn b28_nobody_is_made_to_fetch_from_private_addresses() {
    let tracker = Tracker::start();
    let sandbox = Sandbox::new().settings(&tracker.allowed()).config("");
    let config = std::fs::read_to_string(sandbox.path("carom.toml")).unwrap();
    std::fs::write(sandbox.path("carom.toml"), config.replace("127.0.0.0/8", "10.255.0.0/16")).unwrap();
    let port = tracker.port;
    let urls = [
        tracker.url("/a"),
        format!("http://127.0.0.1:{port}/b"),
        format!("http://[::ffff:127.0.0.1]:{port}/c"),
        format!("http://2130706433:{port}/d"),
    ];
    sandbox.pipe("x@openclick.sink.example", &html("x@openclick.sink.example", &urls, &[])).silent();
    assert_eq!((tracker.connections.load(Ordering::SeqCst), sandbox.counter("open")), (0, 0));
}

#[test]
fn b28_redirects_lead_nowhere() {
    let tracker = Tracker::start();
    let sandbox = Sandbox::new().settings(ONCE).settings(&tracker.allowed());
    sandbox
        .pipe("x@openclick.sink.example", &html("x@openclick.sink.example", &[tracker.url("/redirect")], &[]))
        .silent();
    assert_eq!(tracker.paths(), ["/redirect"]);
    assert_eq!(sandbox.counter("open"), 1);
}

#[test]
fn hosts_that_are_not_listed_are_asked_once_and_remembered() {
    let tracker = Tracker::start();
    let sandbox = Sandbox::new().settings(ONCE);
    let page = || html("x@openclick.sink.example", &[tracker.url("/i")], &[]);
    for _ in 0..2 {
        sandbox.pipe("x@openclick.sink.example", &page()).silent();
    }
    assert_eq!(tracker.paths(), ["/f/a"]);
    assert_eq!(sandbox.counter("open_url_not_sparkpost"), 2);
    let willing = Tracker::start();
    willing.msys.store(true, Ordering::SeqCst);
    let sandbox = Sandbox::new().settings(ONCE);
    for _ in 0..2 {
        sandbox.pipe("x@openclick.sink.example", &html("x@y.example", &[willing.url("/i")], &[])).silent();
    }
    assert_eq!(willing.paths(), ["/f/a", "/i", "/i"]);
    let strict = Sandbox::new().settings("probe_trackers = false");
    strict.pipe("x@openclick.sink.example", &page()).silent();
    assert_eq!(tracker.paths().len(), 1);
}

/// A failure has the word of a failure, also where a host was only asked whether it is a tracker.
#[test]
fn a_host_that_cannot_be_reached_is_given_up_and_one_that_is_no_tracker_is_noted() {
    let tracker = Tracker::start();
    let sandbox = Sandbox::new().settings(ONCE);
    let to = "x@openclick.sink.example";
    for (url, word) in [("http://tracker.example:1/i".to_owned(), "given up"), (tracker.url("/i"), "noted")] {
        sandbox.pipe(to, &html(to, std::slice::from_ref(&url), &[])).silent();
        let row = sandbox.run(&["log", "-n", "1"], b"").stdout;
        assert!(row.contains(&format!("open {word}: ")), "{url}: {row}");
    }
}

#[test]
fn b29_endless_and_dripping_answers_are_cut_off() {
    let tracker = Tracker::start();
    let sandbox =
        Sandbox::new().settings(ONCE).settings(&tracker.allowed()).settings("open_click_timeout = 3");
    let images = [tracker.url("/endless"), tracker.url("/drip"), tracker.url("/good")];
    let began = Instant::now();
    sandbox.pipe("x@openclick.sink.example", &html("x@openclick.sink.example", &images, &[])).silent();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert!(tracker.paths().contains(&"/good".to_owned()));
    assert_eq!(sandbox.counter("open"), 1);
}

#[test]
fn b29_ten_thousand_links_are_capped() {
    let tracker = Tracker::start();
    let sandbox = Sandbox::new().settings(ONCE).settings(&tracker.allowed());
    let images: Vec<String> = (0..10_000).map(|number| tracker.url(&format!("/{number}"))).collect();
    sandbox.pipe("x@openclick.sink.example", &html("x@openclick.sink.example", &images, &[])).silent();
    assert_eq!((tracker.paths().len(), sandbox.counter("open_url_over_limit")), (100, 1));
    let log = std::fs::read_to_string(sandbox.path("state/log/messages.log")).unwrap();
    assert!(log.lines().all(|line| line.len() <= 16 << 10));
}

#[test]
fn list_unsubscribe_is_never_touched() {
    let tracker = Tracker::start();
    let sandbox = Sandbox::new().settings(&tracker.allowed()).settings(CLICKS);
    let extra = format!(
        "MIME-Version: 1.0\r\nContent-Type: text/html\r\nList-Unsubscribe: <{}>\r\n",
        tracker.url("/unsubscribe")
    );
    let body = format!(
        "<img src=\"{}\"><a href=\"{}\">x</a><a href=\"{}\">y</a>",
        tracker.url("/i"),
        tracker.url("/unsubscribe"),
        tracker.url("/l")
    );
    sandbox.pipe("x@openclick.sink.example", &signed("x@y.example", &extra, body.as_bytes())).silent();
    let paths = tracker.paths();
    assert!(paths.contains(&"/l".to_owned()) && !paths.contains(&"/unsubscribe".to_owned()), "{paths:?}");
}

#[test]
fn b36_a_message_without_html_is_no_open() {
    let sandbox = Sandbox::new().settings(ONCE);
    sandbox.pipe("x@openclick.sink.example", &crate::harness::plain("x@y.example")).silent();
    assert_eq!(
        (sandbox.counter("open"), sandbox.counter("no_html"), sandbox.counter("total_messages")),
        (0, 1, 1)
    );
}

#[test]
fn links_that_unsubscribe_are_spared_unless_the_config_follows_them() {
    let page = |tracker: &Tracker| {
        let body = format!(
            "<html><body><a href=\"{}\">Shop</a><a href=\"{}\">Abmelden</a><a href=\"{}\">here</a>\r\n\
             <a href=\"{}\">click</a></body></html>\r\n",
            tracker.url("/shop"),
            tracker.url("/q7"),
            tracker.url("/unsubscribe?id=7"),
            tracker.url("/listed"),
        );
        let extra = format!(
            "MIME-Version: 1.0\r\nContent-Type: text/html\r\nList-Unsubscribe: <{}>\r\n",
            tracker.url("/listed")
        );
        signed("x@openclick.sink.example", &extra, body.as_bytes())
    };
    let clicks = "open_percent = 100\nclick_percent = 100\nclick_again_percent = 0";
    let tracker = Tracker::start();
    let sandbox = Sandbox::new().settings(&tracker.allowed()).settings(clicks);
    sandbox.pipe("x@openclick.sink.example", &page(&tracker)).silent();
    assert_eq!(tracker.paths(), ["/shop"]);
    let tracker = Tracker::start();
    let sandbox =
        Sandbox::new().settings(&tracker.allowed()).settings(clicks).config("[visit]\nunsubscribe = true");
    sandbox.pipe("x@openclick.sink.example", &page(&tracker)).silent();
    let mut paths = tracker.paths();
    paths.sort();
    assert_eq!(paths, ["/listed", "/q7", "/shop", "/unsubscribe?id=7"]);
}

#[test]
fn one_click_is_one_post_and_needs_a_signature_over_the_offer() {
    let offer = |tracker: &Tracker| {
        format!(
            "List-Unsubscribe: <mailto:u@sender.example>, <{}>\r\n\
             List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
            tracker.url("/u?id=7")
        )
    };
    let fields = ["From", "Subject", "List-Unsubscribe", "List-Unsubscribe-Post"];
    let message =
        |extra: &str| format!("From: Alice <{SENDER}>\r\nSubject: news\r\n{extra}\r\nhello\r\n").into_bytes();
    let tracker = Tracker::start();
    let sandbox = Sandbox::new().settings(&tracker.allowed());
    let covered = sign_fields("sender.example", &fields, &message(&offer(&tracker)));
    sandbox.pipe("x@unsubscribe.sink.example", &covered).silent();
    sandbox.pipe("unsubscribe+1@sink.example", &covered).silent();
    let requests = tracker.requests.lock().unwrap().clone();
    assert_eq!(requests.len(), 2, "{requests:?}");
    for request in &requests {
        let Request { method, path, body, .. } = request;
        assert_eq!((&**method, &**path, &**body), ("POST", "/u?id=7", "List-Unsubscribe=One-Click"));
    }
    assert_eq!(sandbox.counter("unsubscribe"), 2);
    let added_later = sign_fields("sender.example", &fields[..2], &message(&offer(&tracker)));
    sandbox.pipe("x@unsubscribe.sink.example", &added_later).silent();
    sandbox.pipe("x@unsubscribe.sink.example", &signed("x@y.example", "", b"hello\r\n")).silent();
    assert_eq!((tracker.paths().len(), sandbox.counter("unsubscribe")), (2, 2));
}

#[test]
fn one_click_goes_over_http_only_to_a_listed_host() {
    let tracker = Tracker::start();
    tracker.msys.store(true, Ordering::SeqCst);
    let sandbox = Sandbox::new().settings("probe_trackers = true");
    let message = format!(
        "From: Alice <{SENDER}>\r\nList-Unsubscribe: <{}>\r\n\
         List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\nhello\r\n",
        tracker.url("/u")
    );
    let fields = ["From", "List-Unsubscribe", "List-Unsubscribe-Post"];
    let message = sign_fields("sender.example", &fields, message.as_bytes());
    sandbox.pipe("x@unsubscribe.sink.example", &message).silent();
    assert_eq!(tracker.paths(), [""; 0]);
}
