//! Who is not believed: reports that name somebody else, return paths that a forwarder rewrote or somebody made up, messages that
//! we did not send; and what is believed without a signed return path, where an operator wants that.

use crate::bounces::{OWN, STRANGER, bounce, dsn, dsn_of, is_suppressed, sandbox, sandbox_with, signed_path};
use crate::harness::{Sandbox, free_port, key, sign_for};
use mail_auth::arc::ArcSealer;
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::Signature;
use mail_auth::{ArcOutput, AuthenticatedMessage, AuthenticationResults, DkimOutput};
use std::fs;
use std::io::Write;

const GONE: &str = "gone@there.example";
const NO_USER: &str = "550 5.1.1 user unknown";
const BOUNCES: &str = "bounces@bounces.example.com";

/// A report about `last` that says it was sent to `original`.
fn redirected(last: &str, original: &str) -> Vec<u8> {
    let text = String::from_utf8(dsn(last, "5.1.1", NO_USER)).unwrap();
    text.replace("Final-Recipient:", &format!("Original-Recipient: rfc822; {original}\r\nFinal-Recipient:"))
        .into_bytes()
}

#[test]
fn who_has_an_address_cannot_report_that_its_mail_was_meant_for_another() {
    let sandbox = sandbox(free_port(), "");
    let (own, victim) = ("own@stranger.example", "victim@there.example");
    bounce(&sandbox, &signed_path(&sandbox, own), STRANGER, &redirected(own, victim));
    assert!(!is_suppressed(&sandbox, victim));
    assert!(is_suppressed(&sandbox, own), "what was proven is that mail to this address bounced");
    // The other way round it is the usual forwarding: the mail was sent to the one, and refused to the other.
    bounce(&sandbox, &signed_path(&sandbox, GONE), STRANGER, &redirected(victim, GONE));
    assert!(is_suppressed(&sandbox, GONE) && !is_suppressed(&sandbox, victim));
}

#[test]
fn a_signed_return_path_that_was_rewritten_on_the_way_is_still_proof() {
    let sandbox = sandbox(free_port(), "");
    let rewrite = |path: &str| {
        let (local, domain) = path.rsplit_once('@').unwrap();
        format!("SRS0=JvSE=IT={domain}={local}@forwarder.example")
    };
    for (number, wrap) in [|path: String| path, |path: String| path.to_uppercase()].into_iter().enumerate() {
        let gone = format!("gone{number}@there.example");
        let path = wrap(rewrite(&signed_path(&sandbox, &gone)));
        bounce(&sandbox, &path, STRANGER, &dsn(&gone, "5.1.1", NO_USER));
        assert!(is_suppressed(&sandbox, &gone), "{path}");
    }
    // An alias hides it, and the mail server says what stood there before.
    let path = signed_path(&sandbox, GONE);
    let arguments = ["pipe", "--policy", "bounce", "--sender", "", "--recipient", "carom@here.example"];
    let more = ["--original-recipient", &path, "--client-address", STRANGER];
    sandbox.run(&[&arguments[..], &more].concat(), &dsn(GONE, "5.1.1", NO_USER)).silent();
    assert!(is_suppressed(&sandbox, GONE));
    // What nobody signed proves nothing, however it is wrapped.
    let alive = "alive@there.example";
    for forged in
        ["b+aaa-aaaaaaaaaaaa-alive=there.example@bounces.example.com", "bounces@bounces.example.com"]
    {
        bounce(&sandbox, &rewrite(forged), STRANGER, &dsn(alive, "5.1.1", NO_USER));
        assert!(!is_suppressed(&sandbox, alive), "{forged}");
    }
}

#[test]
fn a_rewritten_address_says_whom_it_means_and_proves_nothing() {
    let sandbox = sandbox(free_port(), "");
    let made_up = "srs0=aaaa=bb=there.example=victim@stranger.example";
    // Our own mail server says that this address is dead: it is, and nobody else.
    bounce(&sandbox, BOUNCES, OWN, &dsn(made_up, "5.1.1", NO_USER));
    bounce(&sandbox, &signed_path(&sandbox, made_up), STRANGER, &dsn(made_up, "5.1.1", NO_USER));
    assert!(!is_suppressed(&sandbox, "victim@there.example"));
    assert!(is_suppressed(&sandbox, made_up));
    // Where the one before is proven, it is the one that is meant.
    let rewritten = "SRS0=aaaa=bb=there.example=gone@forwarder.example";
    bounce(&sandbox, &signed_path(&sandbox, GONE), STRANGER, &dsn(rewritten, "5.1.1", NO_USER));
    assert!(is_suppressed(&sandbox, GONE));
    let verdict = sandbox.run(&["classify", "--json"], &dsn(rewritten, "5.1.1", NO_USER)).stdout;
    assert!(verdict.contains("\"original\":\"gone@there.example\""), "{verdict}");
    let found = sandbox.run(&["find", rewritten], b"").stdout;
    assert!(found.contains("carom find gone@there.example"), "{found}");
}

/// What a log says became of a message to `recipient`, an hour ago.
pub(crate) fn logged(id: &str, recipient: &str, status: &str) -> String {
    let time = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1)).to_string();
    let queue_id = format!("4Xn0y8{:06}zZ1f", fastrand::u32(..1_000_000));
    format!(
        "{time} mx postfix/cleanup[11]: {queue_id}: message-id=<{id}>\n\
         {time} mx postfix/qmgr[12]: {queue_id}: from=<shop@shop.example>, size=1000, nrcpt=1 (queue active)\n\
         {time} mx postfix/smtp[13]: {queue_id}: to=<{recipient}>, relay=mx.there.example[192.0.2.9]:25, delay=1, \
         delays=0/0/0/1, dsn=2.0.0, status={status} (250 ok)\n\
         {time} mx postfix/qmgr[12]: {queue_id}: removed\n"
    )
}

/// A sandbox whose logs know what `bounces::dsn_of` reports on.
pub(crate) fn with_log(settings: &str, log: &str) -> Sandbox {
    let sandbox = sandbox(free_port(), settings);
    let path = sandbox.path("mail.log");
    fs::write(&path, log).unwrap();
    let sandbox = sandbox.config(&format!(
        "[[logs]]\nkind = \"postfix\"\npath = \"{}\"\ntimezone = \"UTC\"\n",
        path.display()
    ));
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    sandbox
}

#[test]
fn a_message_that_the_logs_know_is_proof_where_an_operator_says_so() {
    let log = logged("sent1@shop.example", GONE, "sent")
        + &logged("sent1@shop.example", "refused@there.example", "bounced")
        + &logged("sent2@shop.example", "alive@there.example", "sent");
    let report = |sandbox: &Sandbox, address: &str| {
        bounce(sandbox, BOUNCES, STRANGER, &dsn_of("sent1@shop.example", address, "5.1.1", NO_USER));
        is_suppressed(sandbox, address)
    };
    let preferred = with_log("trust = \"preferred\"", &log);
    assert!(report(&preferred, "Gone@there.example"), "sent to this very address, and not refused");
    assert!(!report(&preferred, "refused@there.example"), "it was refused here: nobody else can refuse it");
    assert!(!report(&preferred, "alive@there.example"), "that was another message");
    assert!(!report(&preferred, "stranger@there.example"), "it was never sent there");
    let required = with_log("trust = \"required\"", &log);
    assert!(!report(&required, GONE), "whoever has seen a message knows its Message-ID");
}

/// A report by the mail system of `from`, signed by its domain.
fn by_its_host(from: &str, recipient: &str) -> Vec<u8> {
    let text = String::from_utf8(dsn(recipient, "5.1.1", NO_USER)).unwrap();
    let message = text.replace("MAILER-DAEMON@mx.there.example", from);
    sign_for("there.example", message.as_bytes())
}

/// A forwarder changes the report, and seals that it had verified it.
fn forwarded(report: &[u8], sealer: &str) -> Vec<u8> {
    let changed = [report, b"-- \r\nForwarded for you.\r\n"].concat();
    let message = AuthenticatedMessage::parse(&changed).unwrap();
    let signature = Signature { d: "there.example".into(), ..Signature::default() };
    let verified = [DkimOutput::pass().with_signature(&signature)];
    let results =
        AuthenticationResults::new("mx.forwarder.example").with_dkim_results(&verified, "there.example");
    let sealer = ArcSealer::from_key(key()).domain(sealer).selector("s1").headers(["From", "To", "Subject"]);
    let set = sealer.seal(&message, &results, &ArcOutput::default()).unwrap();
    [set.to_header().as_bytes(), &changed].concat()
}

fn with_keys(auth: &str, settings: &str) -> Sandbox {
    let sandbox = sandbox_with(auth, free_port(), settings);
    let mut zone = fs::File::options().append(true).open(sandbox.path("zone")).unwrap();
    for domain in ["there.example", "forwarder.example", "stranger.example"] {
        let record = "\"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"";
        writeln!(zone, "s1._domainkey.{domain}. 300 IN TXT {record}").unwrap();
    }
    writeln!(zone, "_dmarc.there.example. 300 IN TXT \"v=DMARC1; p=reject\"").unwrap();
    sandbox
}

const DAEMON: &str = "MAILER-DAEMON@there.example";

#[test]
fn the_mail_system_of_the_address_itself_is_believed_where_an_operator_says_so() {
    let sandbox = with_keys("", "trust = \"preferred\"");
    let report = |address: &str, message: &[u8]| {
        bounce(&sandbox, BOUNCES, STRANGER, message);
        is_suppressed(&sandbox, address)
    };
    assert!(report(GONE, &by_its_host(DAEMON, GONE)));
    let alive = "alive@there.example";
    assert!(!report(alive, &by_its_host("joe@there.example", alive)), "a user is no mail system");
    assert!(
        !report("b@else.example", &by_its_host(DAEMON, "b@else.example")),
        "it knows nothing of other domains"
    );
    let unsigned = dsn(alive, "5.1.1", NO_USER);
    let unsigned = String::from_utf8(unsigned).unwrap().replace("MAILER-DAEMON@mx.there.example", DAEMON);
    assert!(!report(alive, unsigned.as_bytes()));
    let required = with_keys("", "");
    bounce(&required, BOUNCES, STRANGER, &by_its_host(DAEMON, GONE));
    assert!(!is_suppressed(&required, GONE));
}

/// DMARC passes for the domain of the last address, and a lenient reader takes the one in angle brackets.
#[test]
fn a_from_that_two_readers_read_differently_proves_nothing() {
    let sandbox = with_keys("", "trust = \"preferred\"");
    let mut zone = fs::File::options().append(true).open(sandbox.path("zone")).unwrap();
    writeln!(zone, "_dmarc.sender.example. 300 IN TXT \"v=DMARC1; p=reject\"").unwrap();
    let report = |from: &str| {
        let text = String::from_utf8(dsn(GONE, "5.1.1", NO_USER)).unwrap();
        let message = text.replace("MAILER-DAEMON@mx.there.example", from);
        bounce(&sandbox, BOUNCES, STRANGER, &sign_for("sender.example", message.as_bytes()));
        is_suppressed(&sandbox, GONE)
    };
    for from in [
        "<MAILER-DAEMON@there.example>x@sender.example",
        "name <MAILER-DAEMON@there.example>x@sender.example",
        "<MAILER-DAEMON@there.example>(c)x@sender.example",
        "<MAILER-DAEMON@there.example>\"x\" y@sender.example",
        "g:<MAILER-DAEMON@there.example>x@sender.example;",
        "<MAILER-DAEMON@there.example>\r\n x@sender.example",
        "x@sender.example <MAILER-DAEMON@there.example>",
        "x@sender.example\r\nFrom: <MAILER-DAEMON@there.example>",
    ] {
        assert!(!report(from), "{from}");
    }
    bounce(&sandbox, BOUNCES, STRANGER, &by_its_host("Mail System <MAILER-DAEMON@there.example>", GONE));
    assert!(is_suppressed(&sandbox, GONE), "one mailbox is believed");
}

#[test]
fn a_report_that_a_trusted_forwarder_changed_and_sealed_is_still_authenticated() {
    let trusting = with_keys("arc_sealers = [\"Forwarder.example\"]", "trust = \"preferred\"");
    bounce(&trusting, BOUNCES, STRANGER, &forwarded(&by_its_host(DAEMON, GONE), "forwarder.example"));
    assert!(is_suppressed(&trusting, GONE));
    let alive = "alive@there.example";
    let sealed = |sealer: &str| forwarded(&by_its_host(DAEMON, alive), sealer);
    // Anybody can seal, and a seal that was taken over from another message does not fit.
    bounce(&trusting, BOUNCES, STRANGER, &sealed("stranger.example"));
    let broken =
        String::from_utf8(sealed("forwarder.example")).unwrap().replace("Forwarded for you", "Forwarded");
    bounce(&trusting, BOUNCES, STRANGER, broken.as_bytes());
    assert!(!is_suppressed(&trusting, alive));
    let doubting = with_keys("", "trust = \"preferred\"");
    bounce(&doubting, BOUNCES, STRANGER, &sealed("forwarder.example"));
    assert!(!is_suppressed(&doubting, alive), "nobody's seals are trusted unless named");
}
