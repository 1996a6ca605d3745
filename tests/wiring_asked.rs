//! `carom postfix show`: each policy service and socketmap that Postfix asks, and each listener that
//! it hands mail to, is asked once whether it is what Postfix takes it for.

use crate::harness::{Sandbox, free_port, lmtp, wait_for};
use crate::wiring::{Instance, SINK_AND_BOUNCES};
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// `carom access` or `carom socketmap` on a port.
struct Asked {
    child: Child,
    place: String,
}

impl Asked {
    fn start(sandbox: &Sandbox, command: &str) -> Asked {
        let place = format!("127.0.0.1:{}", free_port());
        let child = sandbox.command(&[command, "--listen", &place]).stdin(Stdio::null()).spawn().unwrap();
        wait_for(60, "carom to listen", || TcpStream::connect(&place).is_ok());
        Asked { child, place }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port where connections are taken and nothing is said.
fn mute() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    (listener, place)
}

/// A policy service of somebody else.
fn others() -> String {
    let (listener, place) = mute();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
            if lines.any(|line| line.is_ok_and(|line| line.is_empty())) {
                client.write_all(b"action=DUNNO\n\n").unwrap();
            }
        }
    });
    place
}

/// What `show` says about Postfix with these lines of main.cf.
fn shown(postfix: &Instance, main: &str) -> String {
    std::fs::write(postfix.sandbox.path("etc/main.cf"), main).unwrap();
    let begun = Instant::now();
    let shown = postfix.run(&["show"]).stdout;
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
    shown
}

#[test]
fn every_policy_service_is_asked_whether_it_is_carom() {
    let postfix = Instance::new("");
    postfix.configure(&format!("{SINK_AND_BOUNCES}[access]\nsuppressed = \"discard\"\n"));
    let access = Asked::start(&postfix.sandbox, "access");
    let maps = Asked::start(&postfix.sandbox, "socketmap");
    let mail = lmtp::Listener::start(&postfix.sandbox, &[]);
    let (_listener, silent) = mute();
    let (dead, theirs) = (format!("127.0.0.1:{}", free_port()), others());
    let asks = |place: &str| {
        let service = format!("{{ inet:{place}, default_action=DUNNO, timeout=10s }}");
        shown(&postfix, &format!("smtpd_recipient_restrictions = check_policy_service {service}, reject\n"))
    };
    let list = "smtpd_recipient_restrictions";
    for (place, why) in [
        (&dead, "Connection refused"),
        (&maps.place, "it closes the connection"),
        (&format!("127.0.0.1:{}", mail.port), "it speaks another protocol"),
        (&silent, "it says nothing within 5 s"),
    ] {
        let (said, found) = (asks(place), format!("{list}: inet:{place} does not answer: {why}"));
        assert!(said.contains(&found), "{found}: {said}");
    }
    let said = asks(&theirs);
    assert!(!said.contains(&theirs) && !said.contains("asks only before DATA"), "{said}");
    postfix.run(&["enable", "--access", &format!("inet:{}", access.place)]);
    let said = asks(&theirs);
    let found = format!("carom access at inet:{} is asked no more", access.place);
    assert!(said.contains(&found), "{said}");
    let said = asks(&access.place);
    let (found, drops) =
        (format!("{list} asks inet:{} about", access.place), "Postfix asks only before DATA");
    assert!(said.contains(&found) && said.contains(drops), "{said}");
}

#[test]
fn every_socketmap_is_asked_for_the_map_that_it_is_named_with() {
    let postfix = Instance::new("");
    let senders = "[[access.senders]]\ndomain = \"shop.example\"\nsuppressed = \"discard\"\n";
    postfix.configure(&format!("{SINK_AND_BOUNCES}{senders}"));
    let maps = Asked::start(&postfix.sandbox, "socketmap");
    let (_listener, silent) = mute();
    let dead = format!("127.0.0.1:{}", free_port());
    let at = |place: &str, map: &str| format!("socketmap:inet:{place}:{map}");
    let looks_up = |table: &str| {
        shown(&postfix, &format!("smtpd_recipient_restrictions = check_recipient_access {table}\n"))
    };
    let typo = at(&maps.place, "suppresed");
    let said = looks_up(&typo);
    let answers = format!("{typo} answers PERM there is no map of this name: mail is deferred");
    let fix = format!("write {}", at(&maps.place, "suppressed"));
    assert!(said.contains(&answers) && said.contains(&fix), "{said}");
    for (place, why) in [(&dead, "Connection refused"), (&silent, "it says nothing within 5 s")] {
        let table = at(place, "suppressed");
        let found = format!("mail is deferred, because {table} does not answer: {why}");
        let said = looks_up(&table);
        assert!(said.contains(&found), "{found}: {said}");
    }
    let dropped = at(&maps.place, "suppressed/shop.example");
    let said = looks_up(&dropped);
    assert!(said.contains(&format!("{dropped} lets it through")), "{said}");
    let said = looks_up(&at(&maps.place, "suppressed"));
    let good = format!("smtpd_recipient_restrictions looks up suppressed at inet:{}", maps.place);
    assert!(said.contains(&good) && !said.contains("lets it through"), "{said}");

    let signs = |place: &str, more: &str| {
        let table = at(place, "verp/app.example");
        shown(&postfix, &format!("sender_canonical_maps = {table}\n{more}"))
    };
    let only = "sender_canonical_classes = envelope_sender\n";
    let said = signs(&dead, only);
    assert!(said.contains("sender_canonical_maps: mail is deferred, because"), "{said}");
    let said = signs(&maps.place, only);
    let good = format!("sender_canonical_maps looks up verp/app.example at inet:{}", maps.place);
    assert!(said.contains(&good) && !said.contains("sender_canonical_classes"), "{said}");
    let said = signs(&maps.place, "");
    let found = "sender_canonical_classes is envelope_sender, header_sender: ";
    assert!(said.contains(found), "{said}");
}

#[test]
fn a_host_that_gives_carom_no_domain_is_checked_for_what_it_asks() {
    let sandbox = Sandbox::new();
    let directory = sandbox.path("etc");
    std::fs::create_dir_all(&directory).unwrap();
    let dead = format!("127.0.0.1:{}", free_port());
    let main = format!("smtpd_recipient_restrictions = check_policy_service inet:{dead}, reject\n");
    std::fs::write(directory.join("main.cf"), main).unwrap();
    std::fs::write(directory.join("master.cf"), "smtp inet n - y - - smtpd\n").unwrap();
    // Whoever it tests as reads them.
    std::fs::set_permissions(&sandbox.dir, Permissions::from_mode(0o755)).unwrap();
    let checked = sandbox.command(&["check"]).env("MAIL_CONFIG", &directory).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    let found = format!("smtpd_recipient_restrictions: inet:{dead} does not answer: ");
    assert!(said.contains(&found) && !said.contains("master.cf has no service"), "{said}");
}

#[test]
fn a_listener_of_the_other_protocol_is_named_with_its_answer() {
    let postfix = Instance::new("");
    for (arguments, client, hello) in [(&["--smtp"][..], "lmtp", "LHLO"), (&[][..], "smtp", "EHLO")] {
        let listener = lmtp::Listener::start(&postfix.sandbox, arguments);
        let to = format!("inet:127.0.0.1:{}", listener.port);
        let enabled = postfix.run(&["enable", "--lmtp", &to]);
        assert_eq!(enabled.stdout.contains(" says LHLO at "), client == "lmtp", "{enabled:?}");
        let services = postfix.file("master.cf");
        let changed: String = services
            .lines()
            .map(|line| match line.starts_with("carom-lmtp") {
                true => format!("carom-lmtp unix - - n - - {client}\n"),
                false => format!("{line}\n"),
            })
            .collect();
        std::fs::write(postfix.sandbox.path("etc/master.cf"), changed).unwrap();
        let said = postfix.run(&["show"]).stdout;
        let found = format!("carom-lmtp says {hello} at {to}, which answers ");
        assert!(said.contains(&found), "{found}: {said}");
        std::fs::write(postfix.sandbox.path("etc/master.cf"), services).unwrap();
        listener.stop();
    }
}
