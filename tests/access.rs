//! Policy delegation: what `carom access` answers about suppressed recipients, alone and to a real Postfix.

use crate::documents::{document, fenced};
use crate::harness::listener::{Listener, sockets};
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::postfix::Postfix;
use crate::harness::{Sandbox, free_port, wait_for};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::time::{Duration, Instant};

/// A request at RCPT.
pub(crate) fn rcpt(from: &str, to: &str) -> String {
    at("RCPT", from, to)
}

/// A request as Postfix 3.7 sends it.
pub(crate) fn at(stage: &str, from: &str, to: &str) -> String {
    format!(
        "request=smtpd_access_policy\nprotocol_state={stage}\nprotocol_name=ESMTP\nclient_address=192.0.2.1\n\
         client_name=client.example\nclient_port=4711\nreverse_client_name=client.example\n\
         server_address=192.0.2.2\nserver_port=25\nhelo_name=client.example\nsender={from}\nrecipient={to}\n\
         recipient_count=0\nqueue_id=\ninstance=1a2b.5f3c.0\nsize=1234\netrn_domain=\nstress=\nsasl_method=\n\
         sasl_username=\nsasl_sender=\nccert_subject=\nccert_issuer=\nccert_fingerprint=\n\
         ccert_pubkey_fingerprint=\nencryption_protocol=\nencryption_cipher=\nencryption_keysize=0\n\
         policy_context=\n\n"
    )
}

/// Asks all of it at once on standard input; returns the actions.
pub(crate) fn asked(sandbox: &Sandbox, requests: &str) -> Vec<String> {
    let ran = sandbox.run(&["access"], requests.as_bytes());
    assert!(ran.code == 0 && ran.stderr.is_empty(), "{ran:?}");
    actions(&ran.stdout)
}

#[track_caller]
fn actions(answers: &str) -> Vec<String> {
    let all = answers.split_terminator("\n\n");
    all.map(|answer| answer.strip_prefix("action=").unwrap_or_else(|| panic!("{answers}")).to_owned())
        .collect()
}

#[track_caller]
pub(crate) fn suppress(sandbox: &Sandbox, arguments: &[&str]) {
    let ran = sandbox.run(&[&["suppress"], arguments].concat(), b"");
    assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
}

fn listed(sandbox: &Sandbox) {
    suppress(sandbox, &["add", "ann@rcpt.example", "\"john doe\"@rcpt.example", "--reason", "asked us"]);
    suppress(sandbox, &["add", "ute@bücher.example", "\"a\\\"b\"@rcpt.example"]);
    suppress(sandbox, &["add", "@gone.example", "@*.below.example", "shop+*@rcpt.example", "--days", "9"]);
    suppress(sandbox, &["add", "bea@rcpt.example", "--sender-domain", "shop.example"]);
    suppress(sandbox, &["add", "ida@dotted.example."]);
    suppress(sandbox, &["add", "eve@rcpt.example", "--reason", "x\n\naction=OK $1 ü"]);
}

#[test]
fn what_suppress_check_finds_is_refused_with_the_reason_and_nothing_else_is() {
    let sandbox = Sandbox::new();
    listed(&sandbox);
    let any = "a@any.example";
    let refused = [
        (any, "ann@rcpt.example"),
        (any, "Ann@RCPT.example"),
        (any, "john doe@rcpt.example"),
        (any, "\"john doe\"@rcpt.example"),
        (any, "a\"b@rcpt.example"),
        (any, "ute@bücher.example"),
        (any, "ute@xn--bcher-kva.example"),
        (any, "x@gone.example"),
        (any, "x@y.below.example"),
        (any, "shop+1@rcpt.example"),
        ("News@Shop.Example", "bea@rcpt.example"),
        ("", "ann@rcpt.example"),
        // A dot at the end of a domain is no part of it.
        (any, "ann@rcpt.example."),
        (any, "john doe@rcpt.example."),
        (any, "ute@bücher.example."),
        (any, "x@gone.example."),
        (any, "x@y.below.example."),
        (any, "shop+1@rcpt.example."),
        ("news@shop.example.", "bea@rcpt.example."),
        (any, "ida@dotted.example"),
    ];
    let taken = [
        (any, "anna@rcpt.example"),
        (any, "ann@other.rcpt.example"),
        (any, "john@rcpt.example"),
        (any, "x@sub.gone.example"),
        (any, "x@below.example"),
        (any, "bea@rcpt.example"),
        ("", "bea@rcpt.example"),
        (any, "postmaster"),
        (any, "ann@rcpt.example.."),
        (any, ""),
    ];
    let all: String = refused.iter().chain(&taken).map(|(from, to)| rcpt(from, to)).collect();
    let actions = asked(&sandbox, &all);
    assert_eq!(actions.len(), refused.len() + taken.len());
    for (case, action) in refused.iter().zip(&actions) {
        assert!(action.starts_with("550 5.7.1 this address is suppressed: "), "{case:?}: {action}");
    }
    assert_eq!(actions[0], "550 5.7.1 this address is suppressed: asked us");
    for (case, action) in taken.iter().zip(&actions[refused.len()..]) {
        assert_eq!(action, "DUNNO", "{case:?}");
    }
    let odd = asked(&sandbox, &rcpt(any, "eve@rcpt.example"));
    assert_eq!(odd, ["550 5.7.1 this address is suppressed: x??action=OK ?1 ?"]);
    for stage in ["CONNECT", "EHLO", "MAIL"] {
        assert_eq!(asked(&sandbox, &at(stage, any, "")), ["DUNNO"], "{stage}");
    }
    assert_eq!(sandbox.counter("access_rejected"), refused.len() as u64 + 1);
    assert_eq!(sandbox.counter("access_dunno"), taken.len() as u64 + 3);
    let metrics = sandbox.run(&["export", "prometheus"], b"").stdout;
    assert!(metrics.contains("carom_access_requests_total{answer=\"rejected\"} 21"), "{metrics}");
}

#[test]
fn each_sender_domain_has_its_own_answer_and_a_message_to_others_is_never_dropped() {
    let sandbox = Sandbox::new().config(
        "[access]\nreply = \"451 4.7.1 not now: {reason}\"\n\
         [[access.senders]]\ndomain = \"shop.example\"\nreturn_paths = [\"bounces.shop.example\"]\nsuppressed = \"hold\"\n\
         [[access.senders]]\ndomain = \"news.example\"\nsuppressed = \"discard\"\n\
         [[access.senders]]\ndomain = \"mark.example\"\nsuppressed = \"header\"\nheader = \"X-Suppressed\"\n\
         [[access.senders]]\ndomain = \"open.example\"\nsuppressed = \"accept\"\n",
    );
    suppress(&sandbox, &["add", "ann@rcpt.example", "--reason", "user-unknown"]);
    suppress(&sandbox, &["add", "bea@rcpt.example", "--sender-domain", "shop.example"]);
    let (ann, bea) = ("ann@rcpt.example", "bea@rcpt.example");
    for (stage, from, to, action) in [
        ("RCPT", "a@any.example", ann, "451 4.7.1 not now: user-unknown"),
        ("RCPT", "a@shop.example", ann, "HOLD the recipient is suppressed: user-unknown"),
        ("RCPT", "a@bounces.shop.example", bea, "HOLD the recipient is suppressed: operator"),
        ("RCPT", "a@sub.shop.example", bea, "DUNNO"),
        ("RCPT", "a@news.example", ann, "DUNNO"),
        ("DATA", "a@news.example", ann, "DISCARD the recipient is suppressed: user-unknown"),
        ("END-OF-MESSAGE", "a@news.example", ann, "DISCARD the recipient is suppressed: user-unknown"),
        ("DATA", "a@news.example", "", "DUNNO"),
        ("RCPT", "a@mark.example", ann, "PREPEND X-Suppressed: user-unknown"),
        // The field was given at RCPT.
        ("DATA", "a@mark.example", ann, "DUNNO"),
        ("END-OF-MESSAGE", "a@mark.example", ann, "DUNNO"),
        ("RCPT", "a@open.example", ann, "DUNNO"),
    ] {
        assert_eq!(asked(&sandbox, &at(stage, from, to)), [action], "{stage} {from} {to}");
    }
    for counter in ["deferred", "held", "discarded", "prepended"] {
        assert!(sandbox.counter(&format!("access_{counter}")) > 0, "{counter}");
    }
}

#[test]
fn a_live_process_sees_the_list_change_and_counts_what_it_answers() {
    let sandbox = Sandbox::new();
    let access = Listener::start(&sandbox, "access");
    let mut stream = access.connect();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut ask = |to: &str| {
        stream.write_all(rcpt("a@any.example", to).as_bytes()).unwrap();
        let mut answer = String::new();
        lines.read_line(&mut answer).unwrap();
        lines.read_line(&mut answer).unwrap();
        answer.starts_with("action=550 5.7.1 ")
    };
    assert!(!ask("ann@rcpt.example") && !ask("x@gone.example") && !ask("shop+1@rcpt.example"));
    suppress(&sandbox, &["add", "ann@rcpt.example"]);
    assert!(ask("ann@rcpt.example"), "an address is seen by the next look-up");
    suppress(&sandbox, &["add", "@gone.example", "shop+*@rcpt.example", "--days", "9"]);
    wait_for(5, "a domain", || ask("x@gone.example"));
    wait_for(5, "a pattern", || ask("shop+1@rcpt.example"));
    suppress(&sandbox, &["remove", "ann@rcpt.example"]);
    suppress(&sandbox, &["remove", "@gone.example"]);
    assert!(!ask("ann@rcpt.example") && !ask("x@gone.example"));
    wait_for(20, "counters", || sandbox.counter("access_rejected") >= 3);
    assert_eq!(access.stop(), 0);
    assert!(!sandbox.path("run/access").exists());
}

#[test]
fn without_its_store_it_answers_dunno_logs_why_and_counts_it_later() {
    let sandbox = Sandbox::new();
    suppress(&sandbox, &["add", "ann@rcpt.example"]);
    let access = Listener::start(&sandbox, "access");
    let asks = || access.all(rcpt("a@any.example", "ann@rcpt.example").as_bytes());
    assert!(asks().starts_with("action=550 "), "{}", asks());
    let store = sandbox.path("state/carom.db");
    let good = fs::read(&store).unwrap();
    let wal = fs::read(sandbox.path("state/carom.db-wal")).unwrap_or_default();
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(sandbox.path(&format!("state/carom.db{ending}")));
    }
    fs::write(&store, b"this is no database, and it is longer than a header of one").unwrap();
    wait_for(10, "DUNNO", || asks() == "action=DUNNO\n\n");
    let log = || fs::read_to_string(sandbox.path("state/log/carom.log")).unwrap_or_default();
    wait_for(10, "the fault in the log", || log().contains("carom.db: "));
    fs::write(sandbox.path("state/carom.db-wal"), wal).unwrap();
    fs::remove_file(&store).unwrap();
    fs::write(&store, good).unwrap();
    wait_for(10, "the list again", || asks().starts_with("action=550 "));
    access.stop();
}

/// The lines of main.cf or master.cf in docs/access.md that have these words, with another socket than the packages'.
pub(crate) fn documented(words: &str, socket: &str) -> String {
    let page = document("docs/access.md").text;
    let (_, lines) = fenced(&page).into_iter().find(|(_, block)| block.contains(words)).expect(words);
    lines.replace("unix:private/carom-access", socket).replace("unix:private/carom-socketmap", socket)
}

fn socket(sandbox: &Sandbox) -> String {
    format!("unix:{}", sandbox.path("run/access").display())
}

#[test]
fn a_real_postfix_refuses_suppressed_recipients_and_takes_mail_while_carom_is_stopped() {
    let sandbox = Sandbox::new();
    listed(&sandbox);
    let main = documented("default_action=DUNNO, timeout=10s", &socket(&sandbox));
    let postfix = Postfix::start_with(&sandbox, 1, &main);
    let access = Listener::start(&sandbox, "access");
    let any = "a@any.example";
    let said = postfix.rcpt(any, "ann@rcpt.example");
    assert!(
        said.starts_with("550 5.7.1 ") && said.contains("this address is suppressed: asked us"),
        "{said}"
    );
    let line = "Recipient address rejected: this address is suppressed: asked us; from=<a@any.example> to=<ann@rcpt.example>";
    wait_for(20, "the refusal in the log", || postfix.log().contains(line));
    for to in [
        "\"john doe\"@rcpt.example",
        "ann@rcpt.example.",
        "\"a\\\"b\"@rcpt.example",
        "ute@xn--bcher-kva.example",
        "x@gone.example",
    ] {
        assert!(postfix.rcpt(any, to).starts_with("550 5.7.1 "), "{to}: {}", postfix.rcpt(any, to));
    }
    for to in ["anna@rcpt.example", "bea@rcpt.example"] {
        assert!(postfix.rcpt(any, to).starts_with("250 "), "{to}");
    }
    assert!(postfix.rcpt("a@shop.example", "bea@rcpt.example").starts_with("550 5.7.1 "));
    assert_eq!(access.stop(), 0);
    let said = postfix.rcpt(any, "ann@rcpt.example");
    assert!(said.starts_with("250 "), "carom is stopped, and mail flows: {said}");
}

#[test]
fn postfix_starts_it_by_spawn_as_documented() {
    let sandbox = Sandbox::new();
    listed(&sandbox);
    let main = documented("default_action=DUNNO, timeout=10s", "unix:private/carom-access");
    let spawn = documented("spawn", "");
    let postfix =
        Postfix::start_serving(&sandbox, &format!("{main}carom-access_time_limit = 3600\n"), &spawn);
    for _ in 0..3 {
        let said = postfix.rcpt("a@any.example", "ann@rcpt.example");
        assert!(said.starts_with("550 5.7.1 "), "{said}");
    }
    assert!(postfix.rcpt("a@any.example", "bea@rcpt.example").starts_with("250 "));
    assert!(!postfix.log().contains("fatal"), "{}", postfix.log());
}

#[test]
fn one_service_of_postfix_asks_and_the_others_do_not() {
    let sandbox = Sandbox::new();
    listed(&sandbox);
    let port = free_port();
    let service = documented("submission inet", &socket(&sandbox))
        .replace("submission inet n       -       y", &format!("127.0.0.1:{port} inet n - n"));
    let mut postfix = Postfix::start_serving(&sandbox, "", &service);
    let access = Listener::start(&sandbox, "access");
    assert!(postfix.rcpt("a@any.example", "ann@rcpt.example").starts_with("250 "));
    let usual = std::mem::replace(&mut postfix.port, port);
    let said = postfix.rcpt("a@any.example", "ann@rcpt.example");
    assert!(said.starts_with("550 5.7.1 "), "{said}");
    postfix.port = usual;
    access.stop();
}

#[test]
fn postfix_holds_marks_and_drops_as_the_config_says() {
    let sandbox = Sandbox::new().config(
        "[[access.senders]]\ndomain = \"shop.example\"\nsuppressed = \"hold\"\n\
         [[access.senders]]\ndomain = \"news.example\"\nsuppressed = \"discard\"\n\
         [[access.senders]]\ndomain = \"mark.example\"\nsuppressed = \"header\"\n",
    );
    listed(&sandbox);
    let next = SmtpPeer::start(ACCEPT);
    let socket = socket(&sandbox);
    let main = documented("default_action=DUNNO, timeout=10s", &socket)
        + &documented("smtpd_data_restrictions", &socket);
    let postfix = Postfix::start_with(&sandbox, next.port, &main);
    let access = Listener::start(&sandbox, "access");
    let message = b"Subject: x\r\n\r\nx\r\n";
    for sender in ["a@shop.example", "a@news.example", "a@mark.example"] {
        assert!(postfix.send(sender, "ann@rcpt.example", message).starts_with("250 "), "{sender}");
    }
    wait_for(20, "the marked message", || !next.mails().is_empty());
    let [marked] = &next.mails()[..] else { panic!("{} messages", next.mails().len()) };
    let text = String::from_utf8_lossy(&marked.data).into_owned();
    assert!(text.contains("X-Carom-Suppressed: asked us\r\n") && !text.contains("news.example"), "{text}");
    assert_eq!(text.matches("X-Carom-Suppressed").count(), 1, "{text}");
    let log = || postfix.log();
    wait_for(20, "a message on hold", || log().contains("hold: RCPT from"));
    wait_for(20, "a dropped message", || log().contains("discard: DATA from"));
    assert_eq!(postfix.queued(), 1);
    access.stop();
}

#[test]
fn check_knows_whether_postfix_asks_and_what_happens_while_carom_is_stopped() {
    let sandbox = Sandbox::new();
    listed(&sandbox);
    let directory = sockets(&sandbox);
    let socket = format!("unix:{}", directory.join("carom-access").display());
    let good = documented("default_action=DUNNO, timeout=10s", &socket);
    let late = "permit_mynetworks, check_policy_service ";
    let postfix =
        Postfix::start_serving(&sandbox, &format!("{good}smtpd_sender_restrictions = {late}{socket}\n"), "");
    let config = sandbox.path("postfix/config").display().to_string();
    let shown = || sandbox.run(&["postfix", "show", "-c", &config], b"").stdout;
    let text = shown();
    for says in [
        "smtpd_recipient_restrictions: unix:",
        "does not answer",
        "smtpd_sender_restrictions: mail is deferred while ",
        "write check_policy_service { unix:",
        "mail that permit_mynetworks lets through is not asked about",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    let mut started = sandbox.command(&["access", "--listen", &socket]);
    let mut child = started.stdin(std::process::Stdio::null()).spawn().unwrap();
    wait_for(20, "an answer", || {
        shown().contains(&format!("smtpd_recipient_restrictions asks {socket} about recipients"))
    });
    child.kill().unwrap();
    child.wait().unwrap();
    drop(postfix);
}

#[test]
fn a_store_that_another_process_writes_is_read_as_it_was_before() {
    let sandbox = Sandbox::new();
    listed(&sandbox);
    let access = Listener::start(&sandbox, "access");
    let asks = |to: &str| access.all(rcpt("a@any.example", to).as_bytes());
    for round in 1..3 {
        // In the middle of a transaction, as a tick or an import.
        let writer = rusqlite::Connection::open(sandbox.path("state/carom.db")).unwrap();
        writer.execute_batch("BEGIN IMMEDIATE; DELETE FROM suppressions").unwrap();
        for _ in 0..50 {
            assert!(asks("ann@rcpt.example").starts_with("action=550 5.7.1 "), "{round}");
            assert_eq!(asks("bob@rcpt.example"), "action=DUNNO\n\n", "{round}");
        }
    }
    assert_eq!(access.stop(), 0);
    assert_eq!(sandbox.counter("access_failed"), 0);
}

#[test]
fn a_store_that_is_locked_holds_up_no_mail() {
    let sandbox = Sandbox::new();
    listed(&sandbox);
    let (access, maps) = (Listener::start(&sandbox, "access"), Listener::start(&sandbox, "socketmap"));
    let request = rcpt("a@any.example", "ann@rcpt.example");
    // As a process that has it for itself alone.
    let store = fs::File::options().read(true).write(true).open(sandbox.path("state/carom.db")).unwrap();
    rustix::fs::fcntl_lock(&store, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                let began = Instant::now();
                assert_eq!(access.all(request.as_bytes()), "action=DUNNO\n\n");
                let answer = maps.all(b"27:suppressed ann@rcpt.example,");
                assert!(answer.contains(":TEMP "), "{answer}");
                // Postfix waits 10 s at least.
                assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
            });
        }
    });
    drop(store);
    assert!(access.all(request.as_bytes()).contains("is suppressed"), "the store can be read again");
    assert_eq!((access.stop(), maps.stop()), (0, 0));
    assert_eq!(sandbox.counter("access_failed"), 12);
}
