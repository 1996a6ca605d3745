//! Complaints: which types suppress, and whom. Nobody is guessed: neither from the header of the message that a complaint encloses,
//! nor ever one of our own addresses or a list's.

use crate::bounces::{STRANGER, sandbox};
use crate::forgery::{logged, with_log};
use crate::harness::application::Application;
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{Ran, SENDER, Sandbox, free_port, sign_fields};
use serde_json::Value;

/// Where complaints come in.
const FBL: &str = "fbl@shop.example";
const ANNA: &str = "anna@there.example";

/// A feedback report of this type about a message, with further fields of the report and of the header of the message.
pub(crate) fn complaint(kind: &str, fields: &str, header: &str) -> Vec<u8> {
    format!(
        "From: feedback@isp.example\r\nTo: <{FBL}>\r\nSubject: complaint\r\nMessage-ID: <{:x}@isp.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nSomebody pressed a button.\r\n\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: {kind}\r\nUser-Agent: isp/2\r\nVersion: 1\r\n{fields}\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\nFrom: Shop <news@shop.example>\r\n{header}Subject: news\r\n\r\nBuy.\r\n--b--\r\n",
        fastrand::u64(..)
    )
    .into_bytes()
}

pub(crate) fn complain(sandbox: &Sandbox, message: &[u8]) {
    let arguments = ["pipe", "--policy", "bounce", "--sender", "feedback@isp.example", "--recipient", FBL];
    sandbox.run(&[&arguments[..], &["--client-address", STRANGER]].concat(), message).silent();
}

fn listed(sandbox: &Sandbox) -> Vec<String> {
    let ran = sandbox.run(&["suppress", "export"], b"");
    ran.stdout.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect()
}

fn token(sandbox: &Sandbox, address: &str) -> String {
    let ran = sandbox.run(&["verp", "header", address], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout.replace('\n', "\r\n")
}

pub(crate) const NAMED: &str = "Original-Rcpt-To: <anna@there.example>\r\n";

#[test]
fn only_types_that_ask_for_no_more_mail_suppress_and_each_other_has_its_counter() {
    for (kind, suppresses, counter) in [
        ("abuse", true, "complaint"),
        ("Abuse", true, "complaint"),
        ("opt-out", true, "complaint"),
        ("fraud", false, "complaint_fraud"),
        ("auth-failure", false, "complaint_auth_failure"),
        ("dkim", false, "complaint_dkim"),
        ("virus", false, "complaint_virus"),
        ("not-spam", false, "complaint_not_spam"),
        ("other", false, "complaint_other"),
        ("miscategorized", false, "complaint_miscategorized"),
        ("x-some-new-type", false, "complaint_unknown"),
    ] {
        let sandbox = sandbox(free_port(), "trust = \"off\"");
        complain(
            &sandbox,
            &complaint(kind, NAMED, "To: anna@there.example\r\nMessage-ID: <m1@shop.example>\r\n"),
        );
        let expected: &[&str] = if suppresses { &[ANNA] } else { &[] };
        assert_eq!(listed(&sandbox), expected, "{kind}");
        assert_eq!(sandbox.counter(counter), 1, "{kind}: {:?}", sandbox.counters());
        assert_eq!(sandbox.counter("complaint"), u64::from(suppresses), "{kind}");
    }
    let strict = sandbox(free_port(), "trust = \"off\"\nfraud_suppresses = true");
    complain(&strict, &complaint("fraud", NAMED, "Message-ID: <m1@shop.example>\r\n"));
    assert_eq!((listed(&strict), strict.counter("complaint_fraud")), (vec![ANNA.to_owned()], 1));
}

#[test]
fn a_complaint_with_two_types_that_differ_suppresses_nobody() {
    for (kind, suppresses) in [
        ("auth-failure\r\nFeedback-Type: abuse", false),
        ("abuse\r\nFeedback-Type: not-spam", false),
        ("abuse, not-spam", false),
        ("abuse\r\nfeedback-type: Abuse", true),
    ] {
        let sandbox = sandbox(free_port(), "");
        let header = token(&sandbox, ANNA);
        complain(&sandbox, &complaint(kind, "", &header));
        assert_eq!(!listed(&sandbox).is_empty(), suppresses, "{kind}");
        assert_eq!(sandbox.counter("complaint_other"), u64::from(!suppresses), "{kind}");
    }
}

#[test]
fn a_token_of_ours_proves_who_complains_whatever_the_report_leaves_out() {
    let application = Application::at(0);
    for named in ["", NAMED, "Original-Rcpt-To: <redacted@there.example>\r\n"] {
        let sandbox = sandbox(application.port, "");
        let header = token(&sandbox, "Max@there.example");
        assert!(header.starts_with("CFBL-Feedback-ID: "), "{header}");
        let raw = complaint("abuse", named, &format!("To: <news@shop.example>\r\n{header}"));
        complain(&sandbox, &raw);
        assert_eq!(listed(&sandbox), ["max@there.example"], "{named}");
        let explained = sandbox.run(&["classify", "--explain"], &raw).stdout;
        let whose = if named == NAMED { "names one recipient" } else { "names nobody" };
        assert!(
            explained.contains("  feedback-report  abuse\n  ") && explained.contains(whose),
            "{explained}"
        );
        let token = header.trim_end().split(' ').nth(1).unwrap().to_owned();
        for given in [token.as_str(), header.trim_end()] {
            let verified = sandbox.run(&["verp", "verify", given], b"").stdout;
            assert!(verified.contains("max@there.example, signed 0 days ago"), "{verified}");
        }
    }
    let bodies: Vec<Value> =
        application.told().iter().map(|told| serde_json::from_str(&told.body).unwrap()).collect();
    assert!(bodies.len() == 3 && bodies.iter().all(|body| body["event"] == "complaint"), "{bodies:?}");
    assert!(bodies.iter().all(|body| body["evidence"] == "signed" && body["feedback_type"] == "abuse"));
}

#[test]
fn a_token_is_read_in_the_header_of_choice_and_only_if_it_is_ours() {
    let sandbox = Sandbox::new().config(
        "[verp]\nkeys = [\"a key of at least sixteen octets\"]\ndomain = \"bounces.example.com\"\nheader = \"X-Campaign-Token\"\n",
    );
    let header = token(&sandbox, ANNA);
    assert!(header.starts_with("X-Campaign-Token: "), "{header}");
    let forged = header.replace("anna", "alma");
    complain(&sandbox, &complaint("abuse", "", &forged));
    complain(&sandbox, &complaint("abuse", "", &header.replace("X-Campaign-Token", "X-Other")));
    assert!(listed(&sandbox).is_empty());
    complain(&sandbox, &complaint("abuse", "", &header));
    assert_eq!(listed(&sandbox), [ANNA]);
    sandbox.run(&["suppress", "remove", ANNA], b"");
    sandbox.advance(40 * crate::harness::DAY_MS);
    complain(&sandbox, &complaint("opt-out", "", &header));
    assert!(listed(&sandbox).is_empty(), "the token has expired");
    let wrong = Sandbox::new().config("[verp]\nheader = \"X Token:\"\n").run(&["check"], b"");
    assert!(wrong.code != 0 && format!("{wrong:?}").contains("not the name of a header field"), "{wrong:?}");
}

#[test]
fn the_log_matches_a_complaint_that_names_nobody_if_one_address_got_the_message() {
    let log = logged("one@shop.example", ANNA, "sent")
        + &logged("two@shop.example", ANNA, "sent")
        + &logged("two@shop.example", "max@there.example", "sent")
        + &logged("own@shop.example", "team@shop.example", "sent")
        + &logged("list@shop.example", "talk-request@there.example", "sent");
    let suppressed = |message_id: &str, fields: &str| {
        let sandbox = with_log("trust = \"preferred\"", &log);
        let header = format!("To: news@shop.example\r\nMessage-ID: <{message_id}>\r\n");
        complain(&sandbox, &complaint("abuse", fields, &header));
        (listed(&sandbox), sandbox.counter("complaint_unmatched"))
    };
    assert_eq!(suppressed("one@shop.example", ""), (vec![ANNA.to_owned()], 0));
    // What the report says about another address does not change what we know.
    let other = "Original-Rcpt-To: <victim@there.example>\r\n";
    assert_eq!(suppressed("one@shop.example", other), (vec![ANNA.to_owned()], 0));
    for message_id in ["two@shop.example", "unknown@shop.example", "own@shop.example", "list@shop.example"] {
        assert_eq!(suppressed(message_id, ""), (vec![], 1), "{message_id}");
    }
}

#[test]
fn a_logged_message_of_a_foreign_or_empty_sender_is_no_evidence_of_who_complains() {
    let suppressed = |sender: &str| {
        let log = logged("one@shop.example", ANNA, "sent").replace("<shop@shop.example>", sender);
        let sandbox = with_log("trust = \"preferred\"", &log);
        complain(
            &sandbox,
            &complaint("abuse", "", "To: news@shop.example\r\nMessage-ID: <one@shop.example>\r\n"),
        );
        listed(&sandbox)
    };
    assert_eq!(suppressed("<news@mail.shop.example>"), [ANNA]);
    for stranger in ["<eve@foreign.example>", "<>", "<shop@shop.example.foreign.example>", "<shop>"] {
        assert_eq!(suppressed(stranger), [""; 0], "{stranger}");
    }
}

/// The DKIM-Signature of a domain over From and Message-ID of what `complaint` encloses with this header.
fn signature(domain: &str, header: &str, body: &str) -> String {
    let message = format!("From: Shop <news@shop.example>\r\n{header}Subject: news\r\n\r\n{body}");
    let signed = sign_fields(domain, &["From", "Message-ID"], message.as_bytes());
    String::from_utf8(signed).unwrap().strip_suffix(&message).unwrap().to_owned()
}

#[test]
fn a_guessed_message_id_suppresses_nobody_and_a_header_that_the_author_signed_does() {
    let log = logged("one@shop.example", ANNA, "sent");
    let suppressed = |header: &str| {
        let sandbox = with_log("", &log);
        let mut zone = std::fs::read_to_string(sandbox.path("zone")).unwrap();
        let key = "\"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"";
        zone += &format!("s1._domainkey.shop.example. 300 IN TXT {key}\n");
        std::fs::write(sandbox.path("zone"), zone).unwrap();
        complain(&sandbox, &complaint("abuse", "", header));
        let list = listed(&sandbox);
        assert_eq!(sandbox.counter("complaint_unmatched"), u64::from(list.is_empty()), "{header}");
        list
    };
    let (one, two) = ("Message-ID: <one@shop.example>\r\n", "Message-ID: <two@shop.example>\r\n");
    let signed = |header: &str, body: &str| signature("shop.example", header, body);
    assert_eq!(suppressed(&(signed(one, "Buy.\r\n") + one)), [ANNA]);
    assert_eq!(suppressed(&(signed(one, "A provider returns no body.\r\n") + one)), [ANNA]);
    for guessed in [
        one.to_owned(),
        signed(two, "Buy.\r\n") + one,
        // The signature covers the last of two fields.
        signed(two, "Buy.\r\n") + one + two,
        signature("sender.example", one, "Buy.\r\n") + one,
        signed(one, "Buy.\r\n").replace("b=", "b=AAAA") + one,
    ] {
        assert_eq!(suppressed(&guessed), [""; 0], "{guessed}");
    }
}

#[test]
fn our_own_addresses_and_lists_never_complain() {
    for (named, header) in [
        ("", "To: anna@there.example\r\n"),
        ("", "To: anna@there.example\r\nDelivered-To: anna@there.example\r\n"),
        ("", "X-Original-To: anna@there.example\r\n"),
        ("news@shop.example", ""),
        (FBL, ""),
        ("other@shop.example", ""),
        ("someone@bounces.example.com", ""),
        ("answers@elsewhere.example", "Reply-To: Answers <answers@elsewhere.example>\r\n"),
        ("path@elsewhere.example", "Return-Path: <path@elsewhere.example>\r\n"),
        ("talk@lists.example", "List-Post: <mailto:talk@lists.example>\r\n"),
        ("talk@lists.example", "List-Id: Talk <talk.lists.example>\r\n"),
        ("talk-bounces@lists.example", ""),
        ("owner-talk@lists.example", ""),
        ("redacted@there.example", ""),
        ("xxxx@there.example", ""),
    ] {
        let sandbox = sandbox(free_port(), "trust = \"off\"");
        let fields =
            if named.is_empty() { String::new() } else { format!("Original-Rcpt-To: <{named}>\r\n") };
        complain(
            &sandbox,
            &complaint("abuse", &fields, &format!("{header}Message-ID: <m1@shop.example>\r\n")),
        );
        assert!(listed(&sandbox).is_empty(), "{named} {header} {:?}", listed(&sandbox));
        assert_eq!(sandbox.counter("complaint_unmatched"), 1, "{named} {header}");
    }
}

#[test]
fn what_matches_nobody_is_kept_found_and_can_fire_an_alert() {
    let application = Application::at(0);
    let sandbox = sandbox(
        free_port(),
        &format!(
            "[[alert]]\nname = \"complaints\"\nwhen = \"complaint-unmatched\"\nabove = 1\n\
             webhook = \"http://127.0.0.1:{}/alert\"\n",
            application.port
        ),
    );
    let header = "Message-ID: <m7@shop.example>\r\nFeedback-ID: spring:shop:mail:7\r\n";
    for _ in 0..3 {
        complain(&sandbox, &complaint("abuse", "", header));
    }
    assert_eq!(sandbox.counter("complaint_unmatched"), 1, "it is one complaint: {:?}", sandbox.counters());
    for key in ["<m7@shop.example>", "spring:shop:mail:7", "complaint-unmatched"] {
        let found = sandbox.run(&["find", key], b"").stdout;
        assert!(found.contains("kept"), "{key}: {found}");
    }
    let kept = sandbox.run(&["find", "m7@shop.example", "--mail"], b"").stdout;
    assert!(kept.contains("Feedback-Type: abuse"), "{kept}");
    let report = sandbox.run(&["report", "--since", "1h"], b"").stdout;
    assert!(report.contains("complaints that match nobody: 1"), "{report}");
    let cron = |sandbox: &Sandbox| -> Ran { sandbox.run(&["cron"], b"") };
    assert_eq!(cron(&sandbox).code, 0);
    assert!(application.told().is_empty(), "one is not above one");
    complain(&sandbox, &complaint("abuse", "", "Message-ID: <m8@shop.example>\r\n"));
    assert_eq!(cron(&sandbox).code, 0);
    let told = application.told();
    assert!(told.len() == 1 && told[0].body.contains("\"complaint-unmatched\""), "{told:?}");
}

#[test]
fn an_unsubscribe_by_mail_notifies_the_application_whether_its_author_is_proven() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "");
    let request = |from: &str| {
        format!(
            "From: {from}\r\nTo: <leave@shop.example>\r\nDate: Thu, 5 Mar 2026 10:00:00 +0000\r\nSubject: unsubscribe\r\n\r\nunsubscribe\r\n"
        )
    };
    let send = |recipient: &str, message: &[u8]| {
        let arguments =
            ["pipe", "--policy", "bounce", "--sender", "anna@sender.example", "--recipient", recipient];
        sandbox.run(&[&arguments[..], &["--client-address", STRANGER]].concat(), message).silent();
    };
    send("leave@shop.example", request("anna@stranger.example").as_bytes());
    assert_eq!(sandbox.counter("unsubscribe_unproven"), 1, "{:?}", sandbox.counters());
    let path = crate::bounces::signed_path(&sandbox, ANNA);
    send(&path, request("somebody@else.example").as_bytes());
    let bodies = || -> Vec<Value> {
        application.told().iter().map(|told| serde_json::from_str(&told.body).unwrap()).collect()
    };
    let told = bodies();
    let said: Vec<[&str; 3]> = told
        .iter()
        .map(|body| ["event", "address", "proven"].map(|key| body[key].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(said, [["unsubscribe", "anna@stranger.example", "no"], ["unsubscribe", ANNA, "yes"]]);
    assert!(listed(&sandbox).is_empty());
}

/// RFC 9477: the sink complains where a signed CFBL-Address says, and nowhere else that a message names.
#[test]
fn the_sink_honours_a_cfbl_address_that_the_author_signed() {
    let covered: &[&str] = &["From", "To", "Subject", "Message-ID", "CFBL-Address"];
    for (address, fields, to) in [
        ("cfbl@sender.example", covered, "cfbl@sender.example"),
        ("cfbl@sender.example", &covered[..4], "fbl@sender.example"),
        ("cfbl@victim.example", covered, "fbl@sender.example"),
    ] {
        let peer = SmtpPeer::start(ACCEPT);
        let sandbox = Sandbox::new().smtp_port(peer.port);
        let message = format!(
            "From: Alice <{SENDER}>\r\nTo: <x@fbl.sink.example>\r\nSubject: a test\r\nMessage-ID: <1@sender.example>\r\n\
             CFBL-Address: {address}; report=arf\r\n\r\nhello\r\n"
        );
        let message = sign_fields("sender.example", fields, message.as_bytes());
        sandbox.pipe("x@fbl.sink.example", &message).silent();
        assert_eq!(peer.mails()[0].to, to, "{address} {fields:?}");
    }
}
