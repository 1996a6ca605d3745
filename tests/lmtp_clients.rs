//! Real clients of `carom lmtp`: Postfix by LMTP and by SMTP with TLS, smtp-source, and Python.

use crate::bounces::is_suppressed;
use crate::harness::lmtp::Listener;
use crate::harness::peers::{ACCEPT, Manner, SmtpPeer};
use crate::harness::postfix::Postfix;
use crate::harness::{SENDER, Sandbox, plain, wait_for};
use crate::lmtp::{ACCEPTED, REFUSED};
use crate::proof::NO_USER;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

fn settled(postfix: &Postfix) {
    wait_for(60, "an empty queue", || postfix.queued() == 0);
}

#[test]
fn postfix_hands_in_by_lmtp_and_hears_an_answer_for_each_recipient() {
    let bounces = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    let postfix = Postfix::start_lmtp(&sandbox, bounces.port, &listener.path);
    let (mut out, mut reply) = postfix.connect();
    let envelope = format!(
        "EHLO client.sender.example\r\nMAIL FROM:<{SENDER}>\r\nRCPT TO:<{ACCEPTED}>\r\nRCPT TO:<{REFUSED}>\r\n\
         RCPT TO:<y@accept.sink.example>\r\nDATA\r\n"
    );
    out.write_all(envelope.as_bytes()).unwrap();
    (0..6).for_each(|_| drop(reply()));
    out.write_all(&plain(ACCEPTED)).unwrap();
    out.write_all(b".\r\n").unwrap();
    let taken = reply();
    assert!(taken.starts_with("250"), "{taken}");
    settled(&postfix);
    let log = postfix.log();
    let of = |to: &str| log.lines().find(|line| line.contains(&format!("to=<{to}>"))).unwrap_or_default();
    assert!(of(ACCEPTED).contains("status=sent (250 2.0.0"), "{log}");
    assert!(of(REFUSED).contains("status=bounced") && of(REFUSED).contains("said: 550 5."), "{log}");
    assert_eq!((sandbox.counter("accept"), sandbox.counter("rejected")), (2, 1));
    // XFORWARD tells the client and the queue id.
    let queue_id = taken.trim().rsplit(' ').next().unwrap();
    let found = sandbox.run(&["log", "--json"], b"").stdout;
    assert!(found.contains(queue_id) && found.contains("127.0.0.1"), "{queue_id}: {found}");
    let config = sandbox.path("postfix/config").display().to_string();
    let show = || sandbox.run(&["postfix", "show", "-c", &config], b"").stdout;
    let shown = show();
    assert!(shown.contains("goes to carom-lmtp:unix:") && !shown.contains("no service that runs"), "{shown}");
    listener.stop();
    let shown = show();
    assert!(shown.contains("carom lmtp does not answer at unix:"), "{shown}");
}

/// A Postfix that hands in by this protocol, and its log once the message is deferred. The message
/// is from the null sender: returned, it would be lost.
fn log_of_deferral(sandbox: &Sandbox, protocol: &str, port: u16, message: &[u8]) -> String {
    let service = if protocol == "lmtp" { "lmtp unix - - n - - lmtp\n" } else { "" };
    let main = format!(
        "relay_domains = sink.example\nparent_domain_matches_subdomains = relay_domains\n\
         transport_maps = inline:{{ {{accept.sink.example={protocol}:[127.0.0.1]:{port}}} }}\n"
    );
    let postfix = Postfix::start_serving(sandbox, &main, service);
    let reply = postfix.send("", ACCEPTED, message);
    assert!(reply.starts_with("250"), "{reply}");
    wait_for(60, "Postfix to hear a reply", || {
        let log = postfix.log();
        log.contains("status=deferred") || log.contains("status=bounced") || log.contains("status=sent")
    });
    assert_eq!(postfix.queued(), 1, "{}", postfix.log());
    postfix.log()
}

#[test]
fn a_postfix_that_speaks_the_other_protocol_keeps_its_mail() {
    for (arguments, protocol, said) in [
        (&["--smtp"][..], "lmtp", "421 4.3.5 this is SMTP: use EHLO"),
        (&[], "smtp", "421 4.3.5 this is LMTP: use LHLO"),
    ] {
        let sandbox = Sandbox::new();
        let listener = Listener::start(&sandbox, arguments);
        let log = log_of_deferral(&sandbox, protocol, listener.port, &plain(ACCEPTED));
        assert!(log.contains("status=deferred") && log.contains(said), "{log}");
        listener.stop();
    }
}

#[test]
fn postfix_keeps_mail_that_is_too_large_for_carom() {
    let message = [plain(ACCEPTED), b"x\r\n".repeat(20_000)].concat();
    for (arguments, protocol) in [(&["--smtp"][..], "smtp"), (&[], "lmtp")] {
        let sandbox = Sandbox::new().config("[message]\nmax_size = 20000\n");
        let listener = Listener::start(&sandbox, arguments);
        let log = log_of_deferral(&sandbox, protocol, listener.port, &message);
        assert!(log.contains("status=deferred") && log.contains("452 4.3.4 message larger than"), "{log}");
        listener.stop();
    }
}

#[test]
fn postfix_starts_carom_for_each_connection() {
    let sandbox = Sandbox::new();
    let documented = fs::read_to_string("docs/lmtp.md").unwrap();
    let spawned = documented.split_once("carom-inbox unix").unwrap().1.split_once("```").unwrap().0;
    let service = fs::read_to_string("examples/postfix-lmtp/master.cf").unwrap();
    let transport = "carom-lmtp:unix:private/carom-inbox";
    assert!(documented.contains(&format!("`{transport}`")));
    let main = format!(
        "relay_domains = sink.example\nparent_domain_matches_subdomains = relay_domains\n\
         transport_maps = inline:{{ {{accept.sink.example={transport}}} }}\ncarom-inbox_time_limit = 3600\n"
    );
    let postfix = Postfix::start_serving(&sandbox, &main, &format!("carom-inbox unix{spawned}{service}"));
    let reply = postfix.send(SENDER, ACCEPTED, &plain(ACCEPTED));
    assert!(reply.starts_with("250"), "{reply}");
    settled(&postfix);
    assert!(postfix.log().contains("status=sent (250 2.0.0"), "{}", postfix.log());
    assert_eq!(sandbox.counter("accept"), 1);
}

/// Postfix reports the success of a delivery to a server that it takes for one without DSN.
#[test]
fn postfix_reports_success_where_it_is_told_that_carom_does_not() {
    let senders = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    let postfix = Postfix::start_lmtp(&sandbox, senders.port, &listener.path);
    let documented = fs::read_to_string("docs/lmtp.md").unwrap();
    let options = documented.split_once("  -o lmtp_discard_lhlo_keywords").unwrap().1;
    let options = format!("  -o lmtp_discard_lhlo_keywords{}", options.split_once("```").unwrap().0);
    let config = sandbox.path("postfix/config");
    let mut master_cf = fs::read_to_string(config.join("master.cf")).unwrap();
    let service = "  -o lmtp_send_xforward_command=yes\n";
    assert!(master_cf.contains(service), "{master_cf}");
    master_cf = master_cf.replace(service, &format!("{service}{options}"));
    fs::write(config.join("master.cf"), master_cf).unwrap();
    let reloaded = Command::new("/usr/sbin/postfix").arg("-c").arg(&config).arg("reload").status();
    assert!(reloaded.unwrap().success());
    let (mut out, mut reply) = postfix.connect();
    let envelope = format!(
        "EHLO client.sender.example\r\nMAIL FROM:<{SENDER}> RET=HDRS ENVID=e1\r\n\
         RCPT TO:<{ACCEPTED}> NOTIFY=SUCCESS,FAILURE\r\nDATA\r\n"
    );
    out.write_all(envelope.as_bytes()).unwrap();
    (0..4).for_each(|_| drop(reply()));
    out.write_all(&plain(ACCEPTED)).unwrap();
    out.write_all(b".\r\n").unwrap();
    assert!(reply().starts_with("250"));
    wait_for(60, "the report", || !senders.mails().is_empty());
    settled(&postfix);
    let [report] = &senders.mails()[..] else { panic!("{} reports", senders.mails().len()) };
    let text = String::from_utf8_lossy(&report.data);
    for line in ["Action: delivered", "Status: 2.0.0", "Original-Envelope-Id: e1", ACCEPTED] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert_eq!((report.to.as_str(), sandbox.counter("accept")), (SENDER, 1));
}

/// Postfix tells no queue id of what its bounce(8) has created.
#[test]
fn the_report_of_our_own_postfix_is_not_proven_by_lmtp_alone() {
    let there = SmtpPeer::start(Manner { at: "RCPT", reply: NO_USER });
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &["--policy", "bounce"]);
    let postfix = Postfix::start_lmtp(&sandbox, there.port, &listener.path);
    let bounces = "bounces@sink.example";
    let message =
        "From: shop@shop.example\r\nTo: gone@there.example\r\nMessage-ID: <m1@shop.example>\r\n\r\nhello\r\n";
    let reply = postfix.send(bounces, "gone@there.example", message.as_bytes());
    assert!(reply.starts_with("250"), "{reply}");
    wait_for(60, "the report of bounce(8)", || sandbox.counter("unproven_no_queue_id") == 1);
    let forged = crate::proof::report(&crate::proof::created("4QKnown1"), "victim@there.example");
    let reply = postfix.send("", bounces, &forged);
    assert!(reply.starts_with("250"), "{reply}");
    wait_for(60, "what a stranger sends", || sandbox.counter("bounce_unproven") == 2);
    for address in ["gone@there.example", "victim@there.example"] {
        assert!(!is_suppressed(&sandbox, address), "{address}");
    }
    listener.stop();
}

#[test]
fn nothing_is_lost_or_counted_twice_when_carom_is_killed_under_postfix() {
    let bounces = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new();
    let mut listener = Listener::start(&sandbox, &[]);
    let postfix = Postfix::start_lmtp(&sandbox, bounces.port, &listener.path);
    let path = listener.path.clone();
    for round in 0..5 {
        for _ in 0..8 {
            let reply = postfix.send(SENDER, ACCEPTED, &plain(ACCEPTED));
            assert!(reply.starts_with("250"), "{round}: {reply}");
        }
        listener.kill();
        listener = Listener::start(&sandbox, &[]);
        Postfix::let_in(&path);
    }
    // A queue run passes over a message that is still being delivered.
    wait_for(90, "an empty queue", || {
        postfix.flush();
        std::thread::sleep(Duration::from_secs(1));
        postfix.queued() == 0
    });
    listener.stop();
    assert_eq!((sandbox.counter("accept"), sandbox.counter("total_messages")), (40, 40), "{}", postfix.log());
}

/// Runs a program that has to succeed.
#[track_caller]
fn run(program: &str, arguments: &[&str], stdin: &str) {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn smtp_source_sends_by_lmtp_and_smtp_in_many_sessions() {
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    let common = ["-s", "8", "-l", "6000", "-f", SENDER, "-t", ACCEPTED];
    let source = |arguments: &[&str]| run("/usr/sbin/smtp-source", &[&common[..], arguments].concat(), "");
    let unix = format!("unix:{}", listener.path.display());
    source(&["-L", "-d", "-m", "60", &unix]);
    source(&["-L", "-m", "40", &unix]);
    listener.stop();
    let listener = Listener::start(&sandbox, &["--smtp"]);
    source(&["-m", "50", "-r", "3", &format!("inet:127.0.0.1:{}", listener.port)]);
    listener.stop();
    assert_eq!(sandbox.counter("total_messages"), 60 + 40 + 150);
}

/// The tables of a certificate for this name, and of its key, that openssl makes now.
pub(crate) fn tls(sandbox: &Sandbox, name: &str) -> String {
    let file = |name: &str| sandbox.path(name).display().to_string();
    let (certificate, key) = (file("certificate.pem"), file("key.pem"));
    let new =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    let (subject, names) = (format!("/CN={name}"), format!("subjectAltName=DNS:{name},IP:127.0.0.1"));
    run(
        "openssl",
        &[&new[..], &["-subj", &subject, "-addext", &names], &["-keyout", &key, "-out", &certificate]]
            .concat(),
        "",
    );
    format!("[lmtp]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n")
}

#[test]
fn postfix_hands_in_by_smtp_with_tls() {
    let sandbox = Sandbox::new();
    let config = tls(&sandbox, "sink.example");
    let sandbox = sandbox.config(&config);
    let listener = Listener::start(&sandbox, &["--smtp"]);
    let main = format!(
        "relay_domains = sink.example\ntransport_maps = inline:{{ {{accept.sink.example=smtp:[127.0.0.1]:{}}} }}\n\
         parent_domain_matches_subdomains = relay_domains\nsmtp_tls_security_level = encrypt\nsmtp_tls_loglevel = 1\n",
        listener.port
    );
    let postfix = Postfix::start_unwired_with(&sandbox, 1, &main);
    for _ in 0..3 {
        let reply = postfix.send(SENDER, ACCEPTED, &plain(ACCEPTED));
        assert!(reply.starts_with("250"), "{reply}");
    }
    settled(&postfix);
    let log = postfix.log();
    assert!(log.contains("TLS connection established to 127.0.0.1") && log.contains("status=sent"), "{log}");
    listener.stop();
    assert_eq!(sandbox.counter("accept"), 3, "{log}");
}

#[test]
fn python_sends_by_lmtp_and_by_smtp_with_tls() {
    let sandbox = Sandbox::new();
    let config = tls(&sandbox, "sink.example");
    let sandbox = sandbox.config(&config);
    let message = String::from_utf8(plain(ACCEPTED)).unwrap();
    fs::write(sandbox.path("message.eml"), &message).unwrap();
    let script = r#"
import smtplib, ssl, sys
kind, where, file, certificate = sys.argv[1:5]
message = open(file, "rb").read()
if kind == "lmtp":
    client = smtplib.LMTP(where)
else:
    client = smtplib.SMTP("127.0.0.1", int(where))
    client.starttls(context=ssl.create_default_context(cafile=certificate))
assert client.sendmail("alice@sender.example", ["x@accept.sink.example"], message) == {}
try:
    client.sendmail("alice@sender.example", ["x@reject.sink.example"], message)
    sys.exit("it was accepted")
except smtplib.SMTPDataError as refused:
    assert refused.smtp_code == 550, refused
client.quit()
"#;
    let file = |name: &str| sandbox.path(name).display().to_string();
    let (message, certificate) = (file("message.eml"), file("certificate.pem"));
    let python = |kind: &str, at: &str| run("python3", &["-", kind, at, &message, &certificate], script);
    let listener = Listener::start(&sandbox, &[]);
    python("lmtp", &listener.path.display().to_string());
    listener.stop();
    let listener = Listener::start(&sandbox, &["--smtp"]);
    python("smtp", &listener.port.to_string());
    listener.stop();
    assert_eq!((sandbox.counter("accept"), sandbox.counter("rejected")), (2, 2));
}
