//! Where an application wants to be told, looked up in a document of its own.

use crate::bounces::hard;
use crate::harness::application::Application;
use crate::harness::{HOUR_MS, MINUTE_MS, Sandbox};

/// A sandbox whose application has a document.
fn sandbox(application: &Application, more: &str) -> Sandbox {
    Sandbox::new().config(&format!(
        "[verp]\nkeys = [\"a key of at least sixteen octets\"]\ndomain = \"bounces.example.com\"\n\
         [[notify]]\nsender_domain = \"*\"\nlookup = \"http://127.0.0.1:{}/api\"\n{more}\n",
        application.port
    ))
}

fn document(application: &Application, path: &str) -> String {
    format!(
        r#"{{"email_suspensions_url": "http://127.0.0.1:{}/{path}/{{address}}/suspend"}}"#,
        application.port
    )
}

#[test]
fn the_application_says_where_and_is_asked_no_more_often_than_need_be() {
    let application = Application::at(0);
    application.publish(200, "ETag: \"one\"\r\n", &document(&application, "emails"));
    let sandbox = sandbox(&application, "");
    hard(&sandbox, "a@there.example");
    hard(&sandbox, "b@there.example");
    let told = application.told();
    assert_eq!(told[0].path, "/emails/a%40there.example/suspend");
    assert_eq!((told.len(), application.asked().len()), (2, 1), "the document holds for an hour");
    // It has not changed.
    sandbox.advance(HOUR_MS + MINUTE_MS);
    application.publish(304, "", "");
    hard(&sandbox, "c@there.example");
    assert_eq!(application.asked()[1].header("if-none-match"), "\"one\"");
    assert_eq!(application.told()[2].path, "/emails/c%40there.example/suspend");
    // It has changed.
    sandbox.advance(HOUR_MS + MINUTE_MS);
    application.publish(200, "Cache-Control: max-age=600\r\n", &document(&application, "moved"));
    hard(&sandbox, "d@there.example");
    assert_eq!(application.told()[3].path, "/moved/d%40there.example/suspend");
    // It cannot be had, or is nonsense: what was said before holds.
    for (status, body) in [(500, ""), (200, "<html>"), (200, "{}"), (302, "")] {
        sandbox.advance(HOUR_MS + MINUTE_MS);
        application.publish(status, "Location: http://127.0.0.1/\r\n", body);
        let before = application.told().len();
        hard(&sandbox, &format!("e{before}@there.example"));
        let told = application.told();
        assert!(
            told.len() == before + 1 && told[before].path.starts_with("/moved/"),
            "{status} {body}: {told:?}"
        );
    }
}

#[test]
fn without_an_answer_it_is_told_later_and_the_document_is_left_in_peace_meanwhile() {
    let application = Application::at(0);
    application.publish(503, "", "");
    let sandbox = sandbox(&application, "");
    for address in ["a@there.example", "b@there.example", "c@there.example"] {
        hard(&sandbox, address);
    }
    assert_eq!((application.asked().len(), application.told().len()), (1, 0), "asked once a minute at most");
    let owed = sandbox.run(&["outbox"], b"").stdout;
    assert!(owed.lines().count() == 3 && owed.contains("/api: answered 503"), "{owed}");
    application.publish(200, "", &document(&application, "emails"));
    sandbox.advance(2 * MINUTE_MS);
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    assert_eq!(application.told().len(), 3);
}

#[test]
fn a_document_that_is_too_large_or_lies_elsewhere_is_not_followed() {
    let application = Application::at(0);
    let large =
        format!(r#"{{"x": "{}", "email_suspensions_url": "http://127.0.0.1/"}}"#, "x".repeat(200_000));
    application.publish(200, "", &large);
    let sandbox = sandbox(&application, "");
    hard(&sandbox, "a@there.example");
    assert_eq!(application.told().len(), 0);
    sandbox.advance(HOUR_MS + MINUTE_MS);
    application.publish(200, "", r#"{"email_suspensions_url": "http://10.1.2.3/{address}"}"#);
    hard(&sandbox, "b@there.example");
    let owed = sandbox.run(&["outbox"], b"").stdout;
    assert!(owed.contains("10.1.2.3"), "a private address that is not allowed is not connected to: {owed}");
    let other = self::sandbox(&application, "pointer = \"/links/0/href\"");
    application.publish(
        200,
        "",
        &format!(r#"{{"links": [{{"href": "http://127.0.0.1:{}/x/{{address}}"}}]}}"#, application.port),
    );
    hard(&other, "c@there.example");
    assert_eq!(application.told()[0].path, "/x/c%40there.example");
}

#[test]
fn a_target_without_or_with_two_places_is_an_error_with_a_remedy() {
    for (table, key) in [
        ("", "[[notify]]"),
        ("url = \"https://a.example/{address}\"\nlookup = \"https://a.example/\"\n", "lookup"),
        ("lookup = \"a.example\"\n", "lookup"),
        ("lookup = \"https://a.example/\"\npointer = \"x\"\n", "pointer"),
    ] {
        let ran = Sandbox::new()
            .config(&format!("[[notify]]\nsender_domain = \"*\"\n{table}"))
            .run(&["stats"], b"");
        assert!(
            ran.code == 1 && ran.stderr.contains(key) && ran.stderr.contains("line "),
            "{table}: {ran:?}"
        );
    }
}
