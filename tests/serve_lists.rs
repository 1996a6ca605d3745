//! Every figure of the page of `carom serve` that is a number leads to a list, and the list has as many
//! deliveries.

use crate::harness::Sandbox;
use crate::harness::mail_log::busy_log::{self, delivery};
use crate::harness::web::{WebServer, token};
use crate::statistics::{append, tick};
use std::fmt::Write as _;

const NOT_PROVEN: &str = "dsn=5.7.26, status=bounced (host mx[192.0.2.1] said: 550-5.7.26 Unauthenticated email from \
    shop.example is not accepted due to domain's DMARC policy (in reply to end of DATA command))";
const WAITS: &str =
    "dsn=4.4.1, status=deferred (connect to mx.slow.example[192.0.2.5]:25: Connection timed out)";
const GONE: &str = "dsn=5.1.1, status=bounced (host mx[192.0.2.1] said: 550 5.1.1 User unknown (in reply to RCPT TO command))";
const GOOGLE: &str = "gmail-smtp-in.l.google.com[192.0.2.1]:25";

/// A stranger is refused in the session, `seconds` ago.
fn refused(seconds: i64, n: usize) -> String {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds);
    let at = at.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00");
    format!(
        "{at} mx postfix/smtpd[10]: NOQUEUE: reject: RCPT from bad.example[198.51.100.66]: 554 5.7.1 Service \
         unavailable; Client host [198.51.100.66] blocked using list.example; from=<x{n}@bad.example> \
         to=<me@shop.example> proto=ESMTP helo=<bad.example>\n"
    )
}

/// Our own mail, that of strangers, and what both make the logs say, in the order of time.
fn sandbox() -> Sandbox {
    let tokens = token("reader", "\"read\"") + &token("shop", "\"client shop\"");
    let sandbox = busy_log::sandbox(300, &tokens);
    let mut text = String::new();
    for n in 0..40 {
        let seconds = 80_000 - n as i64 * 1900;
        let (id, to) = (800_000 + n * 10, format!("p{n}@gmail.example"));
        let sender = if n % 2 == 0 { "news@mail.shop.example" } else { "root@crm.example" };
        let _ = write!(text, "{}", refused(seconds, n));
        // Strangers' mail, of which the same becomes.
        for (more, end) in [(1, NOT_PROVEN), (2, GONE), (3, WAITS)] {
            let others = delivery(seconds, id + more, "x@bad.example", &to, GOOGLE, end);
            let stranger = others.replace("app.shop.example[10.0.0.200]", "bad.example[198.51.100.66]");
            text += &stranger.replace(".7@", ".7.mail@").replace("<98494.", "<");
        }
        if n % 3 == 0 {
            text += &delivery(seconds, id + 4, sender, &to, GOOGLE, NOT_PROVEN);
        }
        if n % 5 == 0 {
            text += &delivery(seconds, id + 5, sender, "root", "none", WAITS);
        }
    }
    // In the middle of the last whole hour.
    let seconds = jiff::Timestamp::now().as_second() % 3600 + 1800;
    let others = delivery(seconds, 900_001, "x@bad.example", "me@shop.example", GOOGLE, GONE);
    let stranger = others.replace("app.shop.example[10.0.0.200]", "bad.example[198.51.100.66]");
    text += &stranger.replace(".7@", ".7.mail@").replace("<98494.", "<");
    append(&sandbox, &text);
    tick(&sandbox, &[]);
    sandbox
}

/// Addresses of lists, each with the figure that leads there.
fn figures(page: &str) -> Vec<(String, usize)> {
    let each = page.split("<a href=\"/deliveries?").skip(1);
    let read = |link: &str| {
        let (address, rest) = link.split_once('"')?;
        let text = rest.split_once('>')?.1.split_once("</a>")?.0;
        let text: String = text.chars().filter(|c| *c != ',').collect();
        Some((address.replace("&amp;", "&"), text.parse().ok()?))
    };
    each.filter_map(read).collect()
}

/// How many deliveries a list has.
fn listed(server: &WebServer, token: &str, address: &str) -> usize {
    let (mut found, mut cursor) = (0, String::new());
    loop {
        let page = server.get_as(token, &format!("/api/v1/deliveries?{address}&limit=1000{cursor}"));
        assert_eq!(page.status, 200, "{address}: {}", page.text());
        let page = page.value();
        found += page["deliveries"].as_array().unwrap().len();
        let Some(next) = page["next"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

#[test]
fn a_figure_leads_to_as_many_deliveries_as_it_says() {
    let sandbox = sandbox();
    let server = WebServer::start(&sandbox, &[]);
    for (token, views) in [
        ("reader-token", &["/?since=24h", "/?since=7d", "/?since=30d", "/providers?since=7d", "/queue"][..]),
        // What changed is of an hour that is not in this period.
        ("reader-token", &["/?since=2026-01-01&until=2026-01-02"]),
        ("shop-token", &["/?since=24h", "/providers?since=7d", "/queue"]),
    ] {
        for view in views {
            let page = server.get_as(token, view).text();
            let figures = figures(&page);
            assert!(figures.len() > 3, "{token} {view}: {page}");
            let differs = |(address, figure): &&(String, usize)| listed(&server, token, address) != *figure;
            let wrong: Vec<_> = figures.iter().filter(differs).collect();
            assert!(wrong.is_empty(), "{token} {view}: {wrong:#?}");
            for link in page.split("<a href=\"/deliveries?").skip(1) {
                let address = link.split('"').next().unwrap();
                assert!(!address.contains("=&") && !address.ends_with('='), "{view}: {address}");
            }
        }
    }
}

#[test]
fn a_refusal_in_the_session_is_in_the_list_of_our_own_mail() {
    let sandbox = sandbox();
    let server = WebServer::start(&sandbox, &[]);
    let page = server.get_as("reader-token", "/?since=24h").text();
    let rejected: Vec<_> =
        figures(&page).into_iter().filter(|(to, _)| to.contains("status=rejected&")).collect();
    assert!(rejected.iter().any(|(_, figure)| *figure == 40), "{rejected:?}");
    let printed = |option: &str| {
        let arguments = ["deliveries", option, "--status", "rejected", "--since", "2d", "--json"];
        let ran = sandbox.run(&arguments, b"");
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.lines().all(|line| line.contains("\"whose\":\"own\"")), "{}", ran.stdout);
        ran.stdout.lines().count()
    };
    assert_eq!((printed("--own"), printed("--others")), (40, 0));
    let others = listed(&server, "reader-token", "own=false&since=2d");
    assert_eq!(others, 121, "the mail of others is listed apart");
}

#[test]
fn what_waits_without_a_domain_leads_nowhere_wrong() {
    let sandbox = sandbox();
    let server = WebServer::start(&sandbox, &[]);
    let page = server.get_as("reader-token", "/queue").text();
    assert!(page.contains("<th scope=row>(none)"), "{page}");
    assert_eq!(server.get_as("reader-token", "/deliveries?status=deferred,held").status, 200);
}

#[test]
fn the_exported_report_has_what_the_overview_has() {
    let sandbox = sandbox();
    let server = WebServer::start(&sandbox, &[]);
    let heads = |page: &str| -> Vec<String> {
        page.split("<h2 id=").skip(1).map(|head| head.split('<').next().unwrap().to_owned()).collect()
    };
    let overview = heads(&server.get_as("reader-token", "/?since=24h").text());
    let exported = sandbox.run(&["export", "html", "--since", "24h"], b"").stdout;
    assert_eq!(heads(&exported), overview);
    for head in ["change>What changed", "slowest>Slowest", "quality>Quality", "reasons>Why"] {
        assert!(overview.iter().any(|one| one.starts_with(head)), "{head}: {overview:?}");
    }
    assert!(!exported.contains("<a "), "it leads nowhere");
}

#[test]
fn twenty_four_hours_are_twenty_four_hours_everywhere() {
    let sandbox = sandbox();
    let server = WebServer::start(&sandbox, &[]);
    let hours = |figures: &serde_json::Value| {
        let at = |name: &str| figures[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        (at("to").as_millisecond() - at("from").as_millisecond()) / 3_600_000
    };
    for (age, length) in [("24h", 24), ("7d", 168), ("30d", 720)] {
        for token in ["reader-token", "shop-token"] {
            let figures = server.get_as(token, &format!("/api/v1/statistics?since={age}")).value();
            assert_eq!(hours(&figures), length, "{token} {age}");
        }
        let ran = sandbox.run(&["report", "--since", age, "--json"], b"");
        assert_eq!(hours(&serde_json::from_str(&ran.stdout).unwrap()), length, "report {age}");
    }
}
