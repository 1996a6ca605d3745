//! `carom postfix enable --lmtp --access`: Postfix hands mail to listeners of carom and asks them.

use crate::harness::lmtp;
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::postfix::Postfix;
use crate::harness::{Ran, SENDER, Sandbox, free_port, plain, wait_for};
use crate::wiring::{Instance, SINK_AND_BOUNCES};

const ASKED: &str = "check_policy_service { unix:private/carom-access, default_action=DUNNO, timeout=10s }";

#[test]
fn listeners_are_wired_until_disable_and_everything_is_then_as_before_to_the_byte() {
    for (main, restrictions) in [
        ("", ASKED.to_owned()),
        (
            "smtpd_recipient_restrictions = check_policy_service unix:private/other permit_mynetworks,reject\n\
             transport_maps = inline:{ {a.example=smtp:x} }\n",
            format!("{ASKED}, check_policy_service unix:private/other permit_mynetworks,reject"),
        ),
    ] {
        let postfix = Instance::new(main);
        let before = postfix.files();
        let rehearsed = postfix.run(&["enable", "--lmtp", "--access", "--dry-run"]);
        assert!(rehearsed.code == 0 && postfix.files() == before, "{rehearsed:?}");
        let enabled = postfix.run(&["enable", "--lmtp", "--access"]);
        assert!(enabled.stdout.starts_with(&rehearsed.stdout), "{rehearsed:?} {enabled:?}");
        for nobody in [
            "carom lmtp does not answer at unix:/run/carom/lmtp",
            "smtpd_recipient_restrictions: unix:private/carom-access does not answer",
        ] {
            assert!(enabled.code == 1 && enabled.stdout.contains(nobody), "{nobody}: {enabled:?}");
        }
        let (main_cf, master_cf) = (postfix.file("main.cf"), postfix.file("master.cf"));
        for line in [
            "{sink.example=carom-lmtp:unix:/run/carom/lmtp}, {.sink.example=carom-lmtp:unix:/run/carom/lmtp}",
            "{bounces.example=carom-bounce}",
            &format!("smtpd_recipient_restrictions = {restrictions}\n"),
        ] {
            assert!(main_cf.contains(line), "{line}: {main_cf}");
        }
        assert!(!main_cf.contains("carom_time_limit") && !main_cf.contains("smtpd_data"), "{main_cf}");
        for set in ["lmtp_send_xforward_command=yes", "lmtp_connection_cache_on_demand=no"] {
            assert!(master_cf.contains(set), "{set}: {master_cf}");
        }
        let enabled = postfix.files();
        let again = postfix.run(&["enable"]);
        assert!(postfix.files() == enabled && !again.stdout.contains("postconf"), "{again:?}");
        let disabled = postfix.run(&["disable"]);
        assert_eq!((disabled.code, postfix.files()), (0, before), "{disabled:?}");
        postfix.run(&["enable"]);
        assert!(!postfix.file("main.cf").contains("carom-lmtp"), "{}", postfix.file("main.cf"));
    }
}

#[test]
fn edits_of_others_beside_the_question_stay() {
    let postfix = Instance::new("smtpd_recipient_restrictions = permit_mynetworks, reject\n");
    postfix.run(&["enable", "--access"]);
    postfix.replace("main.cf", "permit_mynetworks, reject", "check_policy_service unix:new, reject");
    assert_eq!(postfix.run(&["disable"]).code, 0);
    assert_eq!(
        postfix.file("main.cf"),
        "# of the operator\nsmtpd_recipient_restrictions = check_policy_service unix:new, reject\n"
    );
}

#[test]
fn who_asks_by_hand_is_left_alone_and_a_config_that_drops_asks_at_data_too() {
    let by_hand = "smtpd_recipient_restrictions = check_policy_service unix:private/carom-access, reject\n";
    let postfix = Instance::new(by_hand);
    postfix.configure(&format!("{SINK_AND_BOUNCES}[access]\nsuppressed = \"discard\"\n"));
    postfix.run(&["enable", "--access"]);
    let main_cf = postfix.file("main.cf");
    assert!(main_cf.contains(by_hand) && main_cf.contains(&format!("smtpd_data_restrictions = {ASKED}\n")));
    // Whose mail has the signed return paths?
    let fix = "[[access.senders]] with domain, and return_paths = [\"bounces.example\"]";
    let shown = postfix.run(&["show"]);
    assert!(shown.stdout.contains(fix), "{shown:?}");
    let senders = "[[access.senders]]\ndomain = \"shop.example\"\nreturn_paths = [\"bounces.example\"]\n";
    postfix.configure(&format!("{SINK_AND_BOUNCES}[access]\nsuppressed = \"discard\"\n{senders}"));
    let shown = postfix.run(&["show"]);
    assert!(!shown.stdout.contains(fix), "{shown:?}");
    postfix.run(&["disable"]);
    assert_eq!(postfix.file("main.cf"), format!("# of the operator\n{by_hand}"));
}

#[test]
fn what_postfix_cannot_read_and_what_carom_lmtp_does_not_run_are_refused() {
    let postfix = Instance::new("");
    let before = postfix.files();
    for odd in ["/run/carom/lmtp", "inet:24", "unix:/a b", "unix:/a}, {x=y"] {
        let refused = postfix.run(&["enable", "--lmtp", odd]);
        assert!(refused.code != 0 && refused.stderr.contains("write unix:PATH or inet:"), "{refused:?}");
    }
    postfix.configure("policy = \"bounce\"\n[policy.sink.settings]\ndomains = [\"sink.example\"]\n");
    let refused = postfix.run(&["enable", "--lmtp"]);
    assert!(refused.stderr.contains("carom lmtp runs no other"), "{refused:?}");
    assert!(postfix.files() == before);
}

#[test]
fn mail_goes_to_the_listeners_of_a_running_postfix() {
    let next = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new();
    let added = sandbox.run(&["suppress", "add", "gone@there.example", "--reason", "asked us"], b"");
    assert_eq!(added.code, 0, "{added:?}");
    let postfix = Postfix::start_unwired_with(&sandbox, next.port, "");
    let lmtp = lmtp::Listener::start(&sandbox, &[]);
    let port = free_port();
    let access = format!("127.0.0.1:{port}");
    let mut command = sandbox.command(&["access", "--listen", &access]);
    let mut child = command.stdin(std::process::Stdio::null()).spawn().unwrap();
    wait_for(60, "carom access to listen", || std::net::TcpStream::connect(&access).is_ok());
    let config = sandbox.path("postfix/config").display().to_string();
    let (to, ask) = (format!("inet:127.0.0.1:{}", lmtp.port), format!("inet:{access}"));
    let run = |words: &[&str]| -> Ran { sandbox.run(&[&["postfix"], words, &["-c", &config]].concat(), b"") };
    let enabled = run(&["enable", "--user", "nobody", "--lmtp", &to, "--access", &ask]);
    let good = [
        format!("mail for sink.example and domains below it goes to carom-lmtp:{to}"),
        format!("smtpd_recipient_restrictions asks {ask} about recipients"),
    ];
    assert!(enabled.code == 0 && good.iter().all(|one| enabled.stdout.contains(one)), "{enabled:?}");
    wait_for(60, "Postfix to ask", || postfix.rcpt(SENDER, "gone@there.example").starts_with("550 5.7.1 "));
    let taken = postfix.send(SENDER, "x@accept.sink.example", &plain("x@accept.sink.example"));
    assert!(taken.starts_with("250 "), "{taken}");
    wait_for(60, "the message", || sandbox.counter("accept") == 1);
    let named = || postfix.log().contains("postfix/carom-lmtp/lmtp[");
    wait_for(60, "the log to name the transport", named);
    child.kill().unwrap();
    child.wait().unwrap();
    lmtp.stop();
    let shown = run(&["show"]);
    for silent in [format!("carom lmtp does not answer at {to}"), format!("{ask} does not answer")] {
        assert!(shown.stdout.contains(&silent), "{silent}: {shown:?}");
    }
    assert_eq!(run(&["disable"]).code, 0);
    wait_for(60, "Postfix to take it", || postfix.rcpt(SENDER, "gone@there.example").starts_with("250 "));
}
