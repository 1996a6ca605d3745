//! What the sink policy makes of addresses, signatures and chance, seen from outside.

use crate::harness::peers::{ACCEPT, SmtpPeer, Tracker};
use crate::harness::{SENDER, Sandbox, html, plain, sign, signed, wait_for};

#[test]
fn b21_each_subdomain_has_its_answer_whatever_its_case() {
    let peer = SmtpPeer::start(ACCEPT);
    let tracker = Tracker::start();
    let once = "open_again_percent = 0\nclick_percent = 0\nclick_again_percent = 0";
    let sandbox = Sandbox::new().smtp_port(peer.port).settings(&tracker.allowed()).settings(once);
    sandbox.pipe("x@Accept.SINK.example", &plain("x@y.example")).silent();
    sandbox.pipe("x@OOB.sink.example", &plain("x@y.example")).silent();
    sandbox.pipe("x@fbl.sink.EXAMPLE", &plain("x@y.example")).silent();
    let page = html("x@y.example", &[tracker.url("/i")], &[]);
    sandbox.pipe("x@OpenClick.sink.example", &page).silent();
    let counted = |name| sandbox.counter(name);
    assert_eq!((counted("accept"), counted("oob_sent"), counted("fbl_sent"), counted("open")), (1, 1, 1, 1));
    let to: Vec<String> = peer.mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, [SENDER, "fbl@sender.example"]);
    assert_eq!(tracker.paths(), ["/i"]);
}

#[test]
fn b21_the_envelope_recipient_decides_not_the_header() {
    let sandbox = Sandbox::new();
    sandbox
        .pipe(
            "x@accept.sink.example",
            &plain("\"a@oob.sink.example\" <y@oob.sink.example>, z@fbl.sink.example"),
        )
        .silent();
    assert_eq!(sandbox.counter("accept"), 1);
}

#[test]
fn b27_mail_without_a_valid_signature_is_taken_and_dropped() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let mut tampered = plain("x@oob.sink.example");
    tampered.extend_from_slice(b"more\r\n");
    sandbox.pipe("x@oob.sink.example", &tampered).silent();
    let forged = b"Authentication-Results: mx.example; dkim=pass header.d=sender.example\r\nFrom: a@sender.example\r\n\r\nx\r\n";
    sandbox.pipe("x@oob.sink.example", forged).silent();
    assert_eq!((sandbox.counter("fail_dkim"), peer.mails().len()), (2, 0));
}

#[test]
fn b27_trusted_results_are_read_exactly() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox =
        Sandbox::new().smtp_port(peer.port).config("[auth]\ntrusted_authserv_ids = [\"mx.sink.example\"]");
    let with =
        |results: &str| format!("Authentication-Results: {results}\r\nFrom: a@sender.example\r\n\r\nx\r\n");
    let good = "mx.sink.example; dkim=pass header.d=sender.example; spf=pass smtp.mailfrom=sender.example";
    sandbox.pipe("x@oob.sink.example", with(good).as_bytes()).silent();
    assert_eq!(sandbox.counter("oob_sent"), 1);
    for bad in [
        "mx.sink.example; dkim=fail (dkim=pass) header.d=sender.example",
        "other.example; dkim=pass; spf=pass",
        "mx.sink.example; none (dkim=pass)",
    ] {
        sandbox.pipe("x@oob.sink.example", with(bad).as_bytes()).silent();
    }
    assert_eq!((sandbox.counter("oob_sent"), sandbox.counter("fail_dkim")), (1, 3));
}

#[test]
fn b26_a_bounce_that_is_asked_for_needs_spf() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let message = plain("x@oob.sink.example");
    for recipient in ["x@oob.sink.example", "x@fbl.sink.example"] {
        sandbox
            .run(
                &["pipe", "--sender", SENDER, "--recipient", recipient, "--client-address", "198.51.100.7"],
                &message,
            )
            .silent();
    }
    assert_eq!((sandbox.counter("fail_spf"), peer.mails().len()), (2, 0));
    let lenient = Sandbox::new().smtp_port(peer.port).settings("require_spf = false");
    lenient
        .run(
            &[
                "pipe",
                "--sender",
                SENDER,
                "--recipient",
                "x@oob.sink.example",
                "--client-address",
                "198.51.100.7",
            ],
            &message,
        )
        .silent();
    assert_eq!(peer.mails().len(), 1);
}

/// A sandbox in which mail for three domains goes to an exchanger that may be answered: the domain
/// that signs, one below it, and a victim's.
fn with_a_victim(port: u16, settings: &str) -> Sandbox {
    let sandbox = Sandbox::new().smtp_port(port).settings(settings);
    let more = "bounces.sender.example. 300 IN MX 10 mx1.sender.example.\n\
                victim.example. 300 IN MX 10 mx1.sender.example.\n\
                victim.example. 300 IN TXT \"v=spf1 ip4:192.0.2.99 -all\"\n";
    std::fs::write(sandbox.path("zone"), format!("{}{more}", crate::harness::ZONE)).unwrap();
    sandbox
}

#[test]
fn nothing_that_chance_draws_goes_to_a_return_path_that_the_sender_does_not_own() {
    let peer = SmtpPeer::start(ACCEPT);
    for drawn in ["oob_percent = 100\nfbl_percent = 0", "oob_percent = 0\nfbl_percent = 100"] {
        let sent = |settings: &str, sender: &str, client: &str| {
            let sandbox = with_a_victim(peer.port, &format!("{drawn}\n{settings}"));
            let (before, to) = (peer.mails().len(), "x@mix.sink.example");
            let arguments = ["pipe", "--sender", sender, "--recipient", to, "--client-address", client];
            sandbox.run(&arguments, &plain(to)).silent();
            let (sent, refused) = (peer.mails().len() - before, sandbox.counter("fail_spf") as usize);
            assert_eq!(sent + refused, 1, "{settings} {sender} {client}");
            sent
        };
        let (anywhere, victims_own) = ("198.51.100.7", "192.0.2.99");
        assert_eq!(sent("", "a@victim.example", anywhere), 0, "a signature of any domain is not enough");
        assert_eq!(sent("", "a@victim.example", victims_own), 1, "SPF");
        assert_eq!(sent("", "a@bounces.sender.example", anywhere), 1, "an aligned signature");
        assert_eq!(sent("require_spf_in_mix = true", "a@bounces.sender.example", anywhere), 0);
        assert_eq!(sent("require_dkim = false\nrequire_spf = false", "a@victim.example", anywhere), 0);
        assert_eq!(sent("require_owner_in_mix = false", "a@victim.example", anywhere), 1, "the setting");
    }
}

#[test]
fn a_refusal_makes_no_mail_server_return_a_message_to_who_did_not_send_it() {
    let refused = |settings: &str, sender: &str, recipient: &str| {
        let sandbox = with_a_victim(1, settings);
        let client = ["--client-address", "198.51.100.7"];
        let arguments = ["pipe", "--sender", sender, "--recipient", recipient];
        let code = sandbox.run(&[&arguments[..], &client].concat(), &plain(recipient)).code;
        assert_eq!(sandbox.counter("fail_spf"), u64::from(code == 0), "{sender} {recipient}");
        code
    };
    for (recipient, code) in
        [("x@reject.sink.example", 67), ("bounce@sink.example", 67), ("x@defer.sink.example", 75)]
    {
        assert_eq!(refused("", "a@victim.example", recipient), 0, "{recipient}");
        assert_eq!(refused("", "a@bounces.sender.example", recipient), code, "{recipient}");
        assert_eq!(refused("", "<>", recipient), code, "{recipient}");
        assert_eq!(refused("require_spf = false", "a@victim.example", recipient), code, "{recipient}");
    }
}

#[test]
fn b26_the_client_address_is_taken_from_the_received_header_the_mail_server_wrote() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    for (address, sent) in [("192.0.2.1", 1), ("198.51.100.7", 1)] {
        let mut message =
            format!("Received: from c.example (c.example [{address}])\r\n\tby mx.sink.example (Postfix) with ESMTP id 1\r\n").into_bytes();
        message.extend(plain("x@oob.sink.example"));
        sandbox.run(&["pipe", "--sender", SENDER, "--recipient", "x@oob.sink.example"], &message).silent();
        assert_eq!(peer.mails().len(), sent, "{address}");
    }
}

#[test]
fn b22_b32_only_listed_mail_exchangers_are_answered() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port).settings("require_spf = false");
    let message = plain("x@oob.sink.example");
    for sender in ["x@stranger.example", "x@nowhere.example"] {
        for recipient in ["x@oob.sink.example", "x@fbl.sink.example"] {
            sandbox.run(&["pipe", "--sender", sender, "--recipient", recipient], &message).silent();
        }
    }
    sandbox.run(&["pipe", "--sender", "", "--recipient", "x@oob.sink.example"], &message).silent();
    assert_eq!(peer.mails().len(), 0);
    let counted = |name| sandbox.counter(name);
    assert_eq!((counted("oob_return_path_not_sparkpost"), counted("fbl_return_path_not_sparkpost")), (2, 2));
    assert_eq!(counted("oob_missing_return_path"), 1, "b22");
}

#[test]
fn b15_chance_meets_its_percentages() {
    let sandbox = Sandbox::new().settings("oob_percent = 30\nfbl_percent = 20\nopen_percent = 25\nopen_again_percent = 0\nclick_percent = 0\nclick_again_percent = 0");
    let page = html("x@mix.sink.example", &["http://tracker.example/i".into()], &[]);
    let (mut bounces, mut complaints, mut opens) = (0, 0, 0);
    for seed in 0..400u32 {
        let seed = seed.to_string();
        let arguments = [
            "pipe",
            "--sender",
            SENDER,
            "--recipient",
            "x@mix.sink.example",
            "--dry-run",
            "--json",
            "--seed",
            &seed,
        ];
        let plan = sandbox.run(&arguments, &page).stdout;
        bounces += u32::from(plan.contains("\"bounce\""));
        complaints += u32::from(plan.contains("\"complain\""));
        opens += u32::from(plan.contains("\"open\""));
    }
    // Four standard deviations around 120, 80 and 100 of 400.
    assert!(
        (84..=156).contains(&bounces) && (48..=112).contains(&complaints) && (65..=135).contains(&opens),
        "{bounces} {complaints} {opens}"
    );
}

#[test]
fn b17_b18_zeroes_work_and_nonsense_is_named() {
    let zero = "oob_percent = 0\nfbl_percent = 0\nopen_percent = 0\nopen_again_percent = 0\nclick_percent = 0\nclick_again_percent = 0\nupstream_handled = 100\nsignals_traffic_prefix = \"\"";
    let sandbox = Sandbox::new().settings(zero);
    sandbox.pipe("x@mix.sink.example", &plain("x@mix.sink.example")).silent();
    assert_eq!(sandbox.counter("accept"), 1);
    let wrong = Sandbox::new().settings("click_percent = 50\nopen_percent = 10");
    let ran = wrong.pipe("x@mix.sink.example", &plain("x@mix.sink.example"));
    ran.says(75, "4.3.0 policy sink");
    assert!(ran.stdout.contains("click_percent = 50"), "{ran:?}");
    let checked = wrong.run(&["check"], b"");
    assert!(
        checked.code == 1 && checked.stdout.contains("click_percent = 50") && checked.stdout.contains("fix:"),
        "{checked:?}"
    );
}

#[test]
fn the_local_part_may_name_the_answer() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    sandbox.pipe("x+5.2.2@oob.sink.example", &plain("x@y.example")).silent();
    sandbox.pipe("ooto@sink.example", &plain("x@y.example")).silent();
    sandbox.pipe("HardBounce@sink.example", &plain("x@y.example")).silent();
    sandbox.pipe("complaint+label@sink.example", &plain("x@y.example")).silent();
    sandbox.pipe("bounce@sink.example", &plain("x@y.example")).says(67, "5.1.1 ");
    sandbox.pipe("success@sink.example", &plain("x@y.example")).silent();
    let texts: Vec<String> =
        peer.mails().iter().map(|mail| String::from_utf8_lossy(&mail.data).into_owned()).collect();
    assert!(
        texts[0].contains("Status: 5.2.2\r\n")
            && texts[0].contains("Diagnostic-Code: smtp; 552 5.2.2 mailbox full"),
        "{}",
        texts[0]
    );
    assert!(
        texts[1].contains("Auto-Submitted: auto-replied") && texts[1].contains("In-Reply-To: <"),
        "{}",
        texts[1]
    );
    assert!(texts[2].contains("Status: 5.1.1\r\n"));
    assert!(texts[3].contains("Feedback-Type: abuse\r\n"));
    assert_eq!(sandbox.counter("accept"), 1);
}

#[test]
fn automatic_mail_gets_no_automatic_reply() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    sandbox
        .pipe("ooto@sink.example", &signed("x@y.example", "Auto-Submitted: auto-replied\r\n", b"x\r\n"))
        .silent();
    assert_eq!((peer.mails().len(), sandbox.counter("autoreply_suppressed")), (0, 1));
}

#[test]
fn a_step_may_be_due_later_and_is_done_by_the_tick() {
    let tracker = Tracker::start();
    let sandbox = Sandbox::new()
        .settings(&tracker.allowed())
        .settings("open_delay = 2\nopen_again_percent = 0\nclick_percent = 0\nclick_again_percent = 0");
    let page = html("x@openclick.sink.example", &[tracker.url("/late")], &[]);
    sandbox.pipe("x@openclick.sink.example", &page).silent();
    let owed = sandbox.run(&["outbox", "--json"], b"").stdout;
    assert!(owed.contains("\"action\":\"open\""), "{owed}");
    sandbox.run(&["cron"], b"").silent();
    assert_eq!(tracker.paths().len(), 0);
    wait_for(20, "the open", || {
        sandbox.run(&["cron"], b"").silent();
        tracker.paths() == ["/late"]
    });
    assert_eq!(sandbox.counter("open"), 1);
    sandbox.run(&["cron"], b"").silent();
    assert_eq!(tracker.paths().len(), 1);
}

#[test]
fn b4_b24_binary_bodies_and_unknown_charsets_are_messages_like_any_other() {
    let sandbox = Sandbox::new();
    for (extra, body) in [
        ("Content-Type: text/plain; charset=iso-8859-1\r\n", &b"Gr\xfc\xdfe\r\n"[..]),
        ("Content-Type: text/html; charset=no-such-charset\r\n", &b"<img src=x>\xff\xfe\r\n"[..]),
        ("Content-Type: application/octet-stream\r\n", &b"\0\x01\x02\xff\r\n"[..]),
    ] {
        sandbox.pipe("x@accept.sink.example", &signed("x@accept.sink.example", extra, body)).silent();
    }
    let lf: Vec<u8> = plain("x@accept.sink.example").into_iter().filter(|byte| *byte != b'\r').collect();
    sandbox.pipe("x@accept.sink.example", &lf).silent();
    let no_to = sign(b"From: a@sender.example\r\nSubject: x\r\nMessage-ID: <1@x>\r\n\r\nx\r\n");
    sandbox.pipe("x@accept.sink.example", &no_to).silent();
    assert_eq!((sandbox.counter("accept"), sandbox.counter("fail_dkim")), (5, 0));
}

#[test]
fn a_bounce_that_may_not_be_sent_names_the_mail_exchangers_and_the_key() {
    let sandbox = Sandbox::new().settings("require_dkim = false\nrequire_spf = false");
    let message = b"Subject: x\r\n\r\nx\r\n";
    let envelope = ["--sender", "a@stranger.example", "--recipient", "x@oob.sink.example"];
    assert_eq!(sandbox.run(&[&["pipe"][..], &envelope].concat(), message).code, 0);
    let log = sandbox.run(&["log"], b"").stdout;
    let named =
        "the policy knows none of its mail exchangers: mx.stranger.example (of the sink: mx_allowlist)";
    assert!(log.contains(named), "{log}");
    let shown = sandbox.run(&[&["policy", "run", "sink", "-"][..], &envelope].concat(), message).stdout;
    assert!(shown.contains("(not sent: the Return-Path is not one that may be answered)"), "{shown}");
}
