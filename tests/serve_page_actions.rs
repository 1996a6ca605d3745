//! The buttons of the page of `carom serve`, pressed in a real browser: each does what its command
//! does, is on record, and is not there for whoever may not act.

use crate::bounces;
use crate::harness::application::Application;
use crate::harness::browser::Browser;
use crate::harness::mail_log::busy_log;
use crate::harness::web::{WebServer, token};
use crate::harness::{MINUTE_MS, Sandbox, wait_for};

const ADDRESS: &str = "person11@gmail.example";
const ENTER: &str = "\u{e007}";

/// A server of a sandbox with one suppressed address, and a browser that has signed in.
fn signed_in(sandbox: &Sandbox, arguments: &[&str]) -> (WebServer, Browser) {
    let ran = sandbox.run(&["suppress", "add", ADDRESS, "--reason", "asked"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    let server = WebServer::start(sandbox, arguments);
    let browser = Browser::start();
    browser.go(&format!("http://127.0.0.1:{}/", server.port));
    browser.keys("#token", &format!("staff-token{ENTER}"));
    wait_for(60, "the overview", || browser.has("nav"));
    (server, browser)
}

fn staff() -> String {
    token("staff", "\"act\"")
}

fn is_suppressed(sandbox: &Sandbox, address: &str) -> bool {
    sandbox.run(&["suppress", "check", address], b"").code == 1
}

fn done(browser: &Browser) {
    wait_for(60, "the action", || browser.shows("#said", "Done."));
}

#[test]
fn an_address_is_released_and_suppressed_again() {
    let sandbox = busy_log::sandbox(50, &staff());
    let (server, browser) = signed_in(&sandbox, &[]);
    browser.keys("#q", &format!("{ADDRESS}{ENTER}"));
    wait_for(60, "the answer", || browser.address().contains("/search?"));
    assert!(browser.text(".answer").contains("suppressed"));
    browser.click("form[data-post='/api/v1/suppressions/release'] button");
    done(&browser);
    assert!(!is_suppressed(&sandbox, ADDRESS));
    assert!(browser.text(".answer").contains("Nothing suppresses mail to it"));
    assert_eq!(browser.run("return document.activeElement.id", &[]), "main", "where the button was");
    browser.keys("form[data-post='/api/v1/suppressions'] input[name=days]", &format!("7{ENTER}"));
    done(&browser);
    assert!(is_suppressed(&sandbox, ADDRESS));
    let record = server.get_as("staff-token", "/api/v1/audit").value();
    let actions: Vec<&str> =
        record["actions"].as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["suppress", "release", "suppress"], "the first one is of the command");
}

#[test]
fn a_button_releases_the_entry_of_its_row() {
    let sandbox = busy_log::sandbox(20, &staff());
    let of_shop = ["suppress", "add", ADDRESS, "--sender-domain", "shop.example"];
    assert_eq!(sandbox.run(&of_shop, b"").code, 0);
    let (server, browser) = signed_in(&sandbox, &[]);
    browser.go(&format!("http://127.0.0.1:{}/suppressions?containing={ADDRESS}", server.port));
    assert!(browser.text("tbody tr").contains("any sender"));
    browser.click("form[data-post$=release] button");
    done(&browser);
    let left = browser.text("tbody");
    assert!(left.contains("shop.example") && !left.contains("any sender"), "{left}");
    // Somebody else was faster.
    assert_eq!(sandbox.run(&["suppress", "remove", ADDRESS], b"").code, 0);
    browser.click("form[data-post$=release] button");
    wait_for(60, "the answer", || browser.shows("#said", "Nothing to do: it was gone already."));
}

#[test]
fn everything_is_pressed_by_keyboard() {
    let sandbox = busy_log::sandbox(20, &staff());
    let (_server, browser) = signed_in(&sandbox, &[]);
    // The first stop is the way past the views.
    browser.press("\u{e004}");
    assert_eq!(browser.run("return document.activeElement.className", &[]), "skip");
    browser.press("\u{e007}");
    browser.keys("#q", &format!("{ADDRESS}{ENTER}"));
    wait_for(60, "the answer", || browser.address().contains("/search?"));
    let on_release = "return Boolean(document.activeElement.closest('form[data-post$=release]'))";
    for _ in 0..60 {
        browser.press("\u{e004}");
        if browser.run(on_release, &[]) == true {
            break;
        }
    }
    assert_eq!(browser.run(on_release, &[]), true, "the button is reached with the tab key");
    let outline = "return getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.run(outline, &[]), "solid", "the focus is seen");
    browser.press(ENTER);
    done(&browser);
    assert!(!is_suppressed(&sandbox, ADDRESS));
}

/// Looks at a view as on small and usual screens.
fn fits(server: &WebServer, browser: &Browser, view: &str) {
    for width in [360, 1280] {
        browser.looks(width, false);
        browser.go(&format!("http://127.0.0.1:{}{view}", server.port));
        let overflow = "const e = document.documentElement; return e.scrollWidth - e.clientWidth";
        assert_eq!(browser.run(overflow, &[]), 0, "{view} is wider than {width} pixels");
    }
    assert!(browser.has("form[data-post]"), "{view} has a button");
}

#[test]
fn a_view_with_buttons_is_not_wider_than_the_screen() {
    let rule =
        "[[alert]]\nname = \"queue\"\nwhen = \"queue\"\nabove = 0\nwebhook = \"http://127.0.0.1:1/\"\n";
    let sandbox = busy_log::sandbox(300, &(staff() + rule));
    let (server, browser) = signed_in(&sandbox, &[]);
    for view in ["/suppressions", "/alerts", &format!("/search?q={ADDRESS}"), "/undo?since=1d"] {
        fits(&server, &browser, view);
    }
}

#[test]
fn a_bad_hour_is_shown_before_it_is_undone() {
    let sandbox = busy_log::sandbox(300, &staff());
    let (server, browser) = signed_in(&sandbox, &[]);
    let go = |path: &str| browser.go(&format!("http://127.0.0.1:{}{path}", server.port));
    go("/undo?since=1d");
    let shown = browser.text("#preview ~ p");
    let many: u64 = shown.split(' ').next().unwrap().parse().unwrap();
    assert!(many > 0, "{shown}");
    assert!(is_suppressed(&sandbox, ADDRESS), "a look changes nothing");
    browser.click("form[data-post$=undo] button");
    browser.accept();
    done(&browser);
    assert!(browser.text("#preview ~ p").starts_with("0 entries"));
    assert!(is_suppressed(&sandbox, ADDRESS), "what an operator suppressed stays");
}

#[test]
fn a_rule_shows_its_effect_before_it_is_installed() {
    let sandbox = busy_log::sandbox(300, &staff());
    let (server, browser) = signed_in(&sandbox, &[]);
    browser.go(&format!("http://127.0.0.1:{}/unknown", server.port));
    browser.click("a[href^='/rule?']");
    wait_for(60, "the editor", || browser.has("#pattern"));
    browser.keys("select[name=reason]", "policy-violation");
    browser.click("main form button");
    wait_for(60, "the effect", || browser.has("#effect"));
    let effect = browser.text("#effect ~ p");
    assert!(effect.contains("it would decide") && !effect.contains("decide 0 "), "{effect}");
    browser.click("form[data-post='/api/v1/rules'] button");
    wait_for(60, "the view with the rule", || browser.address().ends_with("/policy"));
    let said = "Done. For failures that are in the index already: carom reclassify.";
    wait_for(60, "the action", || browser.shows("#said", said));
    assert!(!browser.has("[role=alert]") && browser.has("#rules"), "{}", browser.text("main"));
    let rules = server.get_as("staff-token", "/api/v1/rules").value();
    assert_eq!(rules["rules"].as_array().unwrap().len(), 1, "{rules}");
}

#[test]
fn a_rule_that_takes_over_what_is_known_says_so_and_is_asked_about() {
    let sandbox = busy_log::sandbox(300, &staff());
    let (server, browser) = signed_in(&sandbox, &[]);
    let rule = "name=not-ours&pattern=Mailbox+full&reason=policy-violation";
    browser.go(&format!("http://127.0.0.1:{}/rule?{rule}", server.port));
    let effect = browser.text("section:has(#effect)");
    assert!(
        effect.contains("A rule knows ") && effect.contains("It changes what is known today."),
        "{effect}"
    );
    // Whoever installs it without a look is refused.
    let body = "{\"name\": \"not-ours\", \"pattern\": \"Mailbox full\", \"reason\": \"policy-violation\"}";
    let fields = "Authorization: Bearer staff-token\r\nContent-Type: application/json\r\n";
    let refused = server.ask("POST", "/api/v1/rules", fields, body);
    assert!(
        refused.status == 409 && refused.text().contains("force"),
        "{}: {}",
        refused.status,
        refused.text()
    );
    browser.click("form[data-post='/api/v1/rules'] button");
    browser.accept();
    wait_for(60, "the view with the rule", || browser.address().ends_with("/policy"));
    assert!(browser.text("section:has(#rules)").contains("not-ours"));
}

#[test]
fn the_short_answer_says_for_whose_mail_an_address_is_suppressed() {
    let sandbox = busy_log::sandbox(20, &staff());
    let of_shop = ["suppress", "add", "person1@firm.example", "--sender-domain", "shop.example"];
    assert_eq!(sandbox.run(&of_shop, b"").code, 0);
    let (server, browser) = signed_in(&sandbox, &[]);
    let answer = |address: &str| {
        browser.go(&format!("http://127.0.0.1:{}/search?q={address}", server.port));
        browser.text(".answer")
    };
    let of_one = answer("person1@firm.example");
    assert!(of_one.contains("Mail of shop.example to it is suppressed since"), "{of_one}");
    assert!(
        of_one.contains("Mail of sender domains that are not in the list below is not suppressed."),
        "{of_one}"
    );
    let of_any = answer(ADDRESS);
    assert!(of_any.contains("Mail of any sender to it is suppressed since"), "{of_any}");
    assert!(!of_any.contains("sender domains that are not"), "{of_any}");
    let of_none = answer("person2@firm.example");
    assert!(of_none.contains("Nothing suppresses mail to it."), "{of_none}");
    // All mail to a provider is suppressed only by who ticks the box.
    let form = "form[data-post='/api/v1/suppressions']";
    answer("@gmail.com");
    browser.keys(&format!("{form} input[name=days]"), "7");
    browser.click(&format!("{form} button"));
    wait_for(60, "the refusal", || browser.text("#said").starts_with("Not done:"));
    assert!(!is_suppressed(&sandbox, "somebody@gmail.com"));
    browser.click(&format!("{form} input[name=force]"));
    browser.click(&format!("{form} button"));
    done(&browser);
    assert!(is_suppressed(&sandbox, "somebody@gmail.com"));
}

#[test]
fn a_step_is_tried_again_and_another_is_dropped() {
    let application = Application::at(0);
    application.answer(422);
    let sandbox = bounces::sandbox(application.port, "").config(&staff());
    bounces::hard(&sandbox, "ann@there.example");
    bounces::hard(&sandbox, "bob@there.example");
    sandbox.advance(2 * MINUTE_MS);
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    let (server, browser) = signed_in(&sandbox, &[]);
    let go = || browser.go(&format!("http://127.0.0.1:{}/outbox", server.port));
    fits(&server, &browser, "/outbox");
    go();
    assert!(browser.text("main").contains("2 parked"), "{}", browser.text("main"));
    browser.click("form[data-post$=retry] button");
    done(&browser);
    assert!(browser.text("main").contains("1 parked"), "{}", browser.text("main"));
    browser.click("form[data-post$=drop] button");
    browser.accept();
    done(&browser);
    assert_eq!(sandbox.counter("outbox_dropped"), 1);
    assert!(browser.text("main").contains("0 parked"), "{}", browser.text("main"));
}

#[test]
fn an_alert_is_silenced() {
    let rule =
        "[[alert]]\nname = \"queue\"\nwhen = \"queue\"\nabove = 0\nwebhook = \"http://127.0.0.1:1/\"\n";
    let sandbox = busy_log::sandbox(50, &(staff() + rule));
    let (server, browser) = signed_in(&sandbox, &[]);
    browser.go(&format!("http://127.0.0.1:{}/alerts", server.port));
    browser.click("form[data-post$=silence] button");
    done(&browser);
    let alerts = server.get_as("staff-token", "/api/v1/alerts").value();
    assert!(alerts["alerts"][0]["silent_until"].is_string(), "{alerts}");
    assert!(browser.text("table").contains("silent"));
    browser.click("tbody form:last-of-type button");
    wait_for(60, "the end", || !browser.text("table").contains("silent until"));
}

#[test]
fn who_may_not_act_sees_no_buttons() {
    let sandbox = busy_log::sandbox(20, &(staff() + &token("reader", "\"read\"")));
    let (server, _browser) = signed_in(&sandbox, &["--read-only"]);
    let other = WebServer::start(&sandbox, &[]);
    let views = ["/suppressions", "/search?q=person11@gmail.example", "/outbox", "/alerts", "/undo?since=1d"];
    for view in views {
        for (server, token) in [(&server, "staff-token"), (&other, "reader-token")] {
            let shown = server.get_as(token, view);
            assert_eq!(shown.status, 200, "{view}");
            assert!(!shown.text().contains("data-post"), "{view}");
        }
    }
    assert!(other.get_as("staff-token", "/suppressions").text().contains("data-post"));
}

#[test]
fn a_page_of_another_site_presses_no_button() {
    let sandbox = busy_log::sandbox(0, &staff());
    let ran = sandbox.run(&["suppress", "add", ADDRESS], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    let server = WebServer::start(&sandbox, &[]);
    let body = format!("{{\"address\": \"{ADDRESS}\"}}");
    let json = "Content-Type: application/json\r\nCookie: carom_token=staff-token\r\n";
    let evil = "Origin: http://evil.example\r\nX-Carom-Action: 1\r\n";
    for fields in [
        json.to_owned(),
        format!("{json}{evil}"),
        format!("{json}Sec-Fetch-Site: cross-site\r\nX-Carom-Action: 1\r\n"),
    ] {
        let answer = server.ask("POST", "/api/v1/suppressions/release", &fields, &body);
        assert_eq!(answer.status, 403, "{fields}: {}", answer.text());
    }
    assert!(is_suppressed(&sandbox, ADDRESS));
    let own = format!("{json}X-Carom-Action: 1\r\n");
    assert_eq!(server.ask("POST", "/api/v1/suppressions/release", &own, &body).status, 200);
    assert!(!is_suppressed(&sandbox, ADDRESS));
}
