//! Failures of the log and reports about the same deliveries, through a house with the bounce
//! policy.

use super::failed_delivery::FailedDelivery;
use super::*;
use crate::config::Config;
use crate::deliver;
use crate::envelope::Envelope;
use crate::index::StoredDelivery;
use crate::mail::Mail;
use crate::plan::Verdict;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A house whose bounce policy tells a loopback application, which counts.
struct Place {
    path: PathBuf,
    house: House,
    told: Arc<AtomicUsize>,
}

impl Place {
    fn new() -> Place {
        let path = std::env::temp_dir().join(format!("carom-bounced-{:x}", fastrand::u64(..)));
        std::fs::create_dir_all(&path).unwrap();
        let application = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, told) = (application.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let counted = told.clone();
        std::thread::spawn(move || {
            for mut stream in application.incoming().flatten() {
                let mut request = Vec::new();
                let mut some = [0; 4096];
                while !request.ends_with(b"}") {
                    match stream.read(&mut some) {
                        Ok(0) | Err(_) => break,
                        Ok(read) => request.extend_from_slice(&some[..read]),
                    }
                }
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(b"HTTP/1.1 204 x\r\nConnection: close\r\n\r\n");
            }
        });
        let text = format!(
            "state = {:?}\n[auth]\nown_servers = [\"198.51.100.25/32\"]\n[network]\nallow_private = [\"127.0.0.0/8\"]\n\
             [[notify]]\nsender_domain = \"*\"\nurl = \"http://127.0.0.1:{port}/{{address}}\"\n\
             [policy.bounce.settings]\nthreshold = 2\n",
            path.display()
        );
        let house = House::open(Arc::new(Config::parse(&text).unwrap()), "bounce", 1).unwrap();
        house.start_clock().unwrap();
        Place { path, house, told }
    }

    fn told(&self) -> usize {
        self.told.load(Ordering::SeqCst)
    }

    fn act(&self, failed: &FailedDelivery) -> bool {
        let (house, policy) = (&self.house, self.house.policy());
        let index = Index::open(&house.config.index_path()).unwrap();
        let (watermark, deadline) =
            (Watermark::of(&index, &house.store).unwrap(), Deadline::after(Duration::from_secs(30)));
        std::thread::scope(|scope| {
            let outside = Outside::new(scope, (house, &policy), deadline).unwrap();
            let noted = NotedLines::default();
            let mut acting = Acting {
                house,
                policy: &policy,
                index: &index,
                watermark,
                deadline,
                outside,
                noted,
                acted: 0,
            };
            let wanted = acting.that_matter(vec![failed.clone()]).unwrap();
            acting.act_on(&wanted).unwrap();
            assert_eq!(acting.outside.end().unwrap().0, [""; 0]);
            acting.acted == 1
        })
    }

    /// The report about the same, as our own mail server writes it.
    fn report(&self, failed: &FailedDelivery) {
        let raw = format!(
            "From: MAILER-DAEMON@here.example\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; here.example\r\n\r\n\
             Final-Recipient: rfc822; {}\r\nAction: failed\r\nStatus: 5.0.0\r\nDiagnostic-Code: smtp; {}\r\n\r\n\
             --b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: <{}>\r\nMessage-ID: <{}>\r\n\r\n--b--\r\n",
            failed.recipient,
            failed.reply,
            failed.sender,
            failed.message_id.as_deref().unwrap()
        );
        let envelope = Envelope {
            recipient: failed.sender.clone(),
            client_address: Some([198, 51, 100, 25].into()),
            ..Envelope::default()
        };
        let mail = Mail::arrived(raw.into_bytes(), envelope, 1, clock::now_ms());
        let deadline = Deadline::after(Duration::from_secs(30));
        assert_eq!(deliver::deliver(&self.house, mail, deadline, &|_, _| ()), Verdict::Accept);
    }

    fn is_suppressed(&self, address: &str) -> bool {
        self.house.store.suppressed(address, "shop.example", clock::now_ms()).unwrap().is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn failed(id: u64, recipient: &str, reply: &str) -> FailedDelivery {
    FailedDelivery {
        queue_id: None,
        id,
        message_id: Some(format!("{id}@shop.example")),
        sender: "news@shop.example".into(),
        recipient: recipient.into(),
        final_recipient: None,
        reply: format!("host mx.there.example[192.0.2.9] said: {reply} (in reply to RCPT TO command)"),
        dsn: None,
        relay: Some("mx.there.example[192.0.2.9]:25".into()),
        at_ms: clock::now_ms(),
        reached: Vec::new(),
    }
}

const NO_USER: &str = "550 5.1.1 user unknown";
const FULL: &str = "552 5.2.2 mailbox full";

#[test]
fn a_dead_address_is_suppressed_and_the_application_told_once_whoever_says_so_first() {
    let place = Place::new();
    let gone = failed(1, "Gone@there.example", NO_USER);
    assert!(place.act(&gone) && place.is_suppressed("gone@there.example"));
    assert!(!place.act(&gone), "the same lines, read again");
    place.report(&gone);
    assert_eq!(place.told(), 1);
    let other = failed(2, "other@there.example", NO_USER);
    place.report(&other);
    assert!(place.act(&other));
    assert_eq!(place.told(), 2);
    let counters = place.house.store.counters().unwrap().1;
    assert_eq!((counters["notified"], counters["notified_before"]), (2, 2));
    assert_eq!(
        place.house.store.series().unwrap().iter().map(|(_, many)| many).sum::<u64>(),
        2,
        "log lines are no messages"
    );
}

#[test]
fn a_soft_bounce_counts_once_whether_logged_or_reported_and_a_success_forgives() {
    let place = Place::new();
    let full = "full@there.example";
    let first = failed(1, full, FULL);
    assert!(place.act(&first));
    place.report(&first);
    assert_eq!(place.house.store.strikes(full).unwrap().len(), 1);
    assert_eq!(
        place.house.store.forgive([(full, first.at_ms - 1), ("else@there.example", i64::MAX)]).unwrap(),
        0
    );
    assert_eq!(place.house.store.forgive([("Full@there.example", clock::now_ms())]).unwrap(), 1);
    place.report(&failed(2, full, FULL));
    assert!(!place.is_suppressed(full));
    assert!(place.act(&failed(3, full, FULL)));
    assert!(place.is_suppressed(full) && place.told() == 1, "two since the success");
}

#[test]
fn what_is_about_the_sender_old_or_nobodys_is_left_alone() {
    let place = Place::new();
    let address = "alive@there.example";
    assert!(!place.act(&failed(1, address, "550 5.7.1 message looks like spam")));
    let old = FailedDelivery { at_ms: clock::now_ms() - 10 * clock::DAY_MS, ..failed(2, address, NO_USER) };
    assert!(!place.act(&old) && !place.is_suppressed(address));
    let delivery = StoredDelivery { sender: Some(""), ..bare("bounced") };
    assert_eq!(FailedDelivery::of(7, &delivery), None, "a bounce of a bounce");
    assert_eq!(FailedDelivery::of(7, &bare("deferred")), None);
    let aliased = StoredDelivery { original_recipient: Some("joe@here.example"), ..bare("expired") };
    let found = FailedDelivery::of(7, &aliased).unwrap();
    assert_eq!(
        (found.recipient.as_str(), found.final_recipient.as_deref()),
        ("joe@here.example", Some("box@there.example"))
    );
}

fn bare(status: &str) -> StoredDelivery<&str> {
    StoredDelivery {
        sender: Some("news@shop.example"),
        recipient: Some("box@there.example"),
        status,
        attempts: 1,
        ..StoredDelivery::default()
    }
}
