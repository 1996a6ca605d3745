//! `carom socketmap`: the protocol to the letter, and a real Postfix that looks up with it.

use crate::access::{asked, documented, rcpt, suppress};
use crate::harness::listener::Listener;
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::postfix::Postfix;
use crate::harness::{Sandbox, wait_for};
use crate::statistics::tick;
use std::fs;

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn netstring(text: &str) -> String {
    format!("{}:{text},", text.len())
}

/// Asks all of it at once on standard input; returns the replies.
fn looked_up(sandbox: &Sandbox, requests: &[&str]) -> Vec<String> {
    let all: String = requests.iter().map(|request| netstring(request)).collect();
    let ran = sandbox.run(&["socketmap"], all.as_bytes());
    assert!(ran.code == 0 && ran.stderr.is_empty(), "{ran:?}");
    let (mut rest, mut replies) = (&*ran.stdout, Vec::new());
    while let Some((length, more)) = rest.split_once(':') {
        let (reply, after) = more.split_at(length.parse().unwrap());
        replies.push(reply.to_owned());
        rest = after.strip_prefix(',').unwrap();
    }
    assert_eq!(rest, "");
    replies
}

fn sandbox() -> Sandbox {
    signing_in("b.example")
}

/// With return paths in a domain.
fn signing_in(domain: &str) -> Sandbox {
    let sandbox = Sandbox::new().config(&format!(
        "[verp]\nkeys = [\"{KEY}\"]\ndomain = \"{domain}\"\n[[access.senders]]\ndomain = \"news.example\"\nsuppressed = \"hold\"\n"
    ));
    suppress(&sandbox, &["add", "ann@rcpt.example", "\"john doe\"@rcpt.example", "--reason", "asked us"]);
    suppress(&sandbox, &["add", "bea@rcpt.example", "--sender-domain", "shop.example"]);
    sandbox
}

#[test]
fn an_address_that_was_imported_without_a_reason_is_refused_with_one() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("state")).unwrap();
    let map = sandbox.path("state/suppressed").display().to_string();
    let sandbox = sandbox.config(&format!("[export]\npostfix_access = \"{map}\"\n"));
    let ran = sandbox.run(&["suppress", "import", "-"], b"ann@rcpt.example\n");
    assert_eq!(ran.code, 0, "{ran:?}");
    let refused = "550 5.7.1 this address is suppressed: import";
    assert_eq!(asked(&sandbox, &rcpt("a@any.example", "ann@rcpt.example")), [refused]);
    assert_eq!(looked_up(&sandbox, &["suppressed ann@rcpt.example"]), [format!("OK {refused}")]);
    tick(&sandbox, &[]);
    let written = fs::read_to_string(map).unwrap();
    assert!(written.lines().any(|line| line.ends_with(refused)), "{written}");
}

#[test]
fn every_reply_is_one_of_the_protocol() {
    let sandbox = sandbox();
    let signed = |recipient: &str| sandbox.run(&["verp", "sign", recipient], b"").stdout.trim().to_owned();
    let refused = "OK 550 5.7.1 this address is suppressed: asked us";
    let long = format!("suppressed {}@rcpt.example", "x".repeat(5000));
    let cases = [
        ("suppressed Ann@rcpt.example", refused.to_owned()),
        ("suppressed john doe@rcpt.example", refused.to_owned()),
        ("suppressed ann@rcpt.example.", refused.to_owned()),
        ("suppressed bea@rcpt.example", "NOTFOUND ".to_owned()),
        (
            "suppressed/Shop.example bea@rcpt.example",
            "OK 550 5.7.1 this address is suppressed: operator".to_owned(),
        ),
        ("suppressed/shop.example ann@rcpt.example", refused.to_owned()),
        ("suppressed/shop.example. ann@rcpt.example.", refused.to_owned()),
        (
            "suppressed/news.example ann@rcpt.example",
            "OK HOLD the recipient is suppressed: asked us".to_owned(),
        ),
        ("suppressed rcpt.example", "NOTFOUND ".to_owned()),
        ("suppressed ann@", "NOTFOUND ".to_owned()),
        ("suppressed ", "NOTFOUND ".to_owned()),
        (&long, "NOTFOUND ".to_owned()),
        ("verp/app.example b+joe=example.org@app.example", format!("OK {}", signed("joe@example.org"))),
        ("verp/app.example b+joe=example.org@app.example.", format!("OK {}", signed("joe@example.org"))),
        ("verp/app.example b+joe=example.org@other.example", "NOTFOUND ".to_owned()),
        ("verp/app.example joe@app.example", "NOTFOUND ".to_owned()),
        ("verp/app.example @app.example", "NOTFOUND ".to_owned()),
        ("return-path joe@example.org", format!("OK {}", signed("joe@example.org"))),
        ("return-path joe", "NOTFOUND ".to_owned()),
        ("verp b+joe=example.org@app.example", "PERM there is no map of this name".to_owned()),
        ("other x", "PERM there is no map of this name".to_owned()),
        ("suppressed/nope@@ ann@rcpt.example", "PERM there is no map of this name".to_owned()),
        ("suppressed", "PERM a request is the name of a map, a blank and a key".to_owned()),
    ];
    let requests: Vec<&str> = cases.iter().map(|(request, _)| *request).collect();
    let replies = looked_up(&sandbox, &requests);
    for ((request, reply), found) in cases.iter().zip(&replies) {
        assert_eq!(found, reply, "{request}");
    }
    assert_eq!(replies.len(), cases.len());
    assert_eq!(sandbox.counter("socketmap_found"), 10);
    assert_eq!(sandbox.counter("socketmap_refused"), 4);
    let without = Sandbox::new();
    let said = looked_up(&without, &["return-path joe@example.org"]);
    assert_eq!(said, ["PERM [verp] keys: there is no key to sign return paths with"]);
}

#[test]
fn what_it_has_signed_is_not_signed_again() {
    let sandbox = signing_in("app.example");
    let verp = |key: &str| looked_up(&sandbox, &[&format!("verp/app.example {key}")]).remove(0);
    let long = format!("b+{}=example.org@app.example", "x".repeat(50));
    for key in ["b+joe=example.org@app.example", "b+joe+news=example.org@app.example", &long] {
        let found = verp(key);
        let signed = found.strip_prefix("OK ").unwrap_or_else(|| panic!("{key}: {found}"));
        for again in [signed.to_owned(), signed.to_uppercase(), format!("{signed}.")] {
            assert_eq!(verp(&again), "NOTFOUND ", "{again}");
        }
    }
    let old = "b+aaa-abcdefghijkl-joe=example.org@app.example";
    assert_eq!(verp(old), "NOTFOUND ", "signed with another key, or long ago");
}

#[test]
fn a_store_that_cannot_be_read_is_temporary() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("state")).unwrap();
    fs::write(sandbox.path("state/carom.db"), b"this is no database, and it is longer than a header of one")
        .unwrap();
    let said = looked_up(&sandbox, &["suppressed ann@rcpt.example", "suppressed x"]);
    assert_eq!(said, ["TEMP the store of carom cannot be read now", "NOTFOUND "]);
}

#[test]
fn what_is_no_netstring_ends_the_connection_and_the_rest_goes_on() {
    let sandbox = sandbox();
    let maps = Listener::start(&sandbox, "socketmap");
    let good = netstring("suppressed ann@rcpt.example");
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"x", b"01:a,", b"99999999:", b"10001:", b"3:abcd", b"-1:,"]
    {
        assert_eq!(maps.all(garbage), "", "{garbage:?}");
        assert!(maps.all(good.as_bytes()).contains(":OK 550 5.7.1 "));
    }
    let odd = maps.all(b"10:suppressed,6:a\xff\0\n b,");
    assert!(
        odd.contains(":PERM a request is the name") && odd.contains(":PERM there is no map of this name,"),
        "{odd}"
    );
    assert_eq!(maps.stop(), 0);
}

#[test]
fn a_real_postfix_refuses_and_signs_with_it() {
    // Postfix looks up what it was given, too, until nothing is found.
    let sandbox = signing_in("app.example");
    let socket = format!("unix:{}", sandbox.path("run/socketmap").display());
    let main = documented(":suppressed,", &socket) + &documented("sender_canonical_maps", &socket);
    let next = SmtpPeer::start(ACCEPT);
    let postfix = Postfix::start_with(&sandbox, next.port, &main);
    let maps = Listener::start(&sandbox, "socketmap");
    let any = "a@any.example";
    let said = postfix.rcpt(any, "ann@rcpt.example");
    assert!(
        said.starts_with("550 5.7.1 ") && said.contains("this address is suppressed: asked us"),
        "{said}"
    );
    wait_for(20, "the refusal in the log", || postfix.log().contains("this address is suppressed: asked us"));
    assert!(postfix.rcpt(any, "\"john doe\"@rcpt.example").starts_with("550 5.7.1 "));
    assert!(postfix.rcpt(any, "bea@rcpt.example").starts_with("250 "));
    // Postfix rewrites these before it looks them up, as docs/access.md says.
    let host = "[127.0.0.1]";
    for to in [
        format!("ann%rcpt.example@{host}"),
        format!("\"ann@rcpt.example\"@{host}"),
        "rcpt.example!ann".into(),
    ] {
        let said = postfix.rcpt(any, &to);
        assert!(said.starts_with("550 5.7.1 ") && said.contains("suppressed"), "{to}: {said}");
    }

    let signed = sandbox.run(&["verp", "sign", "joe@example.org"], b"").stdout.trim().to_owned();
    let message = b"From: a@app.example\r\nSubject: x\r\n\r\nx\r\n";
    let reply = postfix.send("bounces+joe=example.org@app.example", "joe@example.org", message);
    assert!(reply.starts_with("250 "), "{reply}");
    wait_for(20, "a signed return path", || postfix.log().contains(&format!("from=<{signed}>")));
    let verified = sandbox.run(&["verp", "verify", &signed], b"");
    assert!(
        verified.code == 0 && verified.stdout.starts_with("joe@example.org, signed 0 days ago"),
        "{verified:?}"
    );
    assert_eq!(maps.stop(), 0);
    let said = postfix.rcpt(any, "bea@rcpt.example");
    assert!(said.starts_with("451 4.3."), "a table that cannot be looked up defers: {said}");
}
