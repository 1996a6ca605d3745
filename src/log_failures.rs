//! Deliveries that failed, as our own mail log has it, acted upon as if our mail server had reported them: the bounce policy decides
//! by its settings, its plan is promised under the delivery's id, and done.
//!
//! Not here: reading logs (`logs`, `ingest`), and what a failure means (policies). Invariant: a delivery is acted upon once, however
//! often its lines are read and whatever kills the process; the log line and the report of one bounce count once.

use crate::clock;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::decide::Undecided;
use crate::deliver::{self, Carried, Road};
use crate::envelope::Envelope;
use crate::error::{Error, Result};
use crate::halt::Halt;
use crate::house::House;
use crate::index::{ACTED_ON_FOR_MS, Index, PendingWork, StoredDelivery};
use crate::mail::{Content, Key, Mail};
use crate::maillog::logged_reply::LoggedReply;
use crate::policy::Policy;
use crate::policy::recipient_facts::RecipientFacts;
use crate::report::{self, Original, Report, ReportKind};
use crate::return_path;
use crate::store::Store;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

/// Failures that are looked up, and forgotten, together.
const TOGETHER: usize = 256;
/// What several threads have to write reaches the disk together.
const THREADS: usize = 16;

/// Commands that a server answers.
const STAGES: [&str; 5] = ["RCPT", "DATA", "MAIL", "EHLO", "HELO"];

/// A delivery that failed for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    /// The delivery's id: the same lines give the same.
    pub(crate) id: u64,
    /// The Message-ID without its brackets.
    pub(crate) message_id: Option<String>,
    /// The envelope sender.
    pub(crate) sender: String,
    /// The recipient as it came in.
    pub(crate) recipient: String,
    /// The recipient after aliases, where that is another.
    pub(crate) final_recipient: Option<String>,
    /// What was answered.
    pub(crate) reply: String,
    /// Enhanced status code.
    pub(crate) dsn: Option<String>,
    /// Next hop.
    pub(crate) relay: Option<String>,
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: i64,
}

impl Failed {
    /// The failure that a delivery of the index is; `None`: it is none, or there is nobody who could be told of it. The same lines give
    /// the same row.
    pub(crate) fn of(row: i64, delivery: StoredDelivery) -> Option<Failed> {
        let failed = matches!(delivery.status.as_str(), "bounced" | "expired");
        let sender = delivery.sender.filter(|sender| failed && !sender.is_empty())?;
        let last = delivery.recipient?;
        let (recipient, final_recipient) = match delivery.original_recipient {
            Some(original) => (original, Some(last)),
            None => (last, None),
        };
        Some(Failed {
            id: row.unsigned_abs(),
            message_id: delivery.message_id,
            sender,
            recipient,
            final_recipient,
            reply: delivery.reply.unwrap_or_default(),
            dsn: delivery.dsn,
            relay: delivery.relay,
            at_ms: delivery.last_seen,
        })
    }

    /// The report that our mail server could have written.
    fn report(&self) -> Report {
        let reply = LoggedReply { text: &self.reply, dsn: self.dsn.as_deref(), relay: self.relay.as_deref() };
        let failure = reply.failure();
        let address = self.final_recipient.clone().unwrap_or_else(|| self.recipient.clone());
        let recipient = report::Recipient {
            original: self.final_recipient.is_some().then(|| self.recipient.clone()),
            address,
            action: report::DeliveryAction::Failed,
            status: self.dsn.as_deref().and_then(|dsn| dsn.parse().ok()),
            reply_code: Some(failure.code).filter(|code| *code > 0),
            diagnostic: failure.text,
            remote_mta: Some(failure.remote_mta).filter(|host| !host.is_empty()),
            stage: STAGES.into_iter().find(|stage| failure.stage.contains(stage)).unwrap_or_default(),
            reader: "log",
            line: 0,
        };
        let from = return_path::unwrapped(&self.sender).unwrap_or_else(|| self.sender.clone());
        let original =
            Original { message_id: self.message_id.clone(), from: Some(from), ..Original::default() };
        Report { kind: ReportKind::DeliveryStatus, recipients: vec![recipient], feedback: None, original }
    }
}

/// Does about a failed delivery what `policy` decides. Returns whether it did something: not if that was
/// done before, nor if the failure is too old.
pub(crate) fn act(house: &House, policy: &Policy, failed: &Failed, deadline: Deadline) -> Result<bool> {
    let now_ms = clock::now_ms();
    if failed.at_ms < now_ms - ACTED_ON_FOR_MS {
        return Ok(false);
    }
    let mut mail = Mail {
        content: Content::read(Arc::default()),
        envelope: Envelope { recipient: failed.sender.clone(), ..Envelope::default() },
        key: Key::of_delivery(failed.id),
        seed: failed.id,
        at_ms: failed.at_ms.min(now_ms),
        keep: None,
    };
    let message = house.message_facts(&mail, deadline).of_log_line(failed.report());
    let facts = Rc::new(RecipientFacts::new(Rc::new(message), mail.envelope.clone()));
    let road = Road { is_message: false, at_ms: now_ms, promised: &|_| () };
    match deliver::carry(house, policy, &mut mail, &facts, &road) {
        Ok(Carried::Done(plan)) => Ok(!plan.steps.is_empty()),
        // The tick does what is left.
        Ok(Carried::Before(..)) => Ok(false),
        Err(Halt::Undecided(Undecided::Policy(failure))) => {
            // It would fail again at every tick, and hold up all others.
            tracing::error!(%failure, recipient = failed.recipient, "nothing is done about a failed delivery");
            Ok(false)
        }
        Err(Halt::Store(error)) => Err(error),
        Err(halt) => Err(Error::new(halt.reply().text)),
    }
}

/// Has mail reached the address since it failed? Then it is alive, and nothing is held against it: what a first reading, or one after
/// an outage, finds together happened one after the other.
fn is_over(index: &Index, failed: &Failed) -> Result<bool> {
    for address in [Some(&failed.recipient), failed.final_recipient.as_ref()].into_iter().flatten() {
        if index.last_success(address)?.is_some_and(|at_ms| at_ms > failed.at_ms) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Forgives the soft bounces of addresses that mail has reached since.
pub(crate) fn forgive(store: &Store, index: &Index) -> Result<usize> {
    let mut alive = Vec::new();
    for address in store.struck()? {
        alive.extend(index.last_success(&address)?.map(|at_ms| (address, at_ms)));
    }
    store.forgive(alive.iter().map(|(address, at_ms)| (address.as_str(), *at_ms)))
}

/// Acts upon all failures that the index owes. Returns how many were acted upon; what the deadline leaves is the next tick's.
pub(crate) fn act_on_log(config: &Arc<Config>, index: &Index, deadline: Deadline) -> Result<usize> {
    let mut opened = None;
    let mut acted = 0;
    while !deadline.passed()
        && let Some(due) = index.pending_work(PendingWork::Failure, TOGETHER)?
    {
        let house = match &opened {
            Some(house) => house,
            None => {
                let house = House::open(config.clone(), &config.index.policy, THREADS)?;
                house.start_clock()?;
                opened.insert(house)
            }
        };
        let mut failures = Vec::new();
        for failed in due.deliveries.into_iter().filter_map(|(row, found)| Failed::of(row, found)) {
            if !is_over(index, &failed)? {
                failures.push(failed);
            }
        }
        let failures = Mutex::new(failures.into_iter());
        let policy = house.policy();
        let work = || -> Result<usize> {
            let next = || failures.lock().unwrap_or_else(PoisonError::into_inner).next();
            let mut acted = 0;
            while let Some(failed) = next() {
                acted += usize::from(act(house, &policy, &failed, deadline)?);
            }
            Ok(acted)
        };
        acted += std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
            let ended = threads.into_iter().map(|thread| thread.join());
            ended
                .map(|ended| ended.unwrap_or_else(|_| Err(Error::new("a thread has panicked"))))
                .sum::<Result<usize>>()
        })?;
        index.finish_work(PendingWork::Failure, due.last)?;
    }
    Ok(acted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
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
                "state = {:?}\n[network]\nallow_private = [\"127.0.0.0/8\"]\n\
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

        fn act(&self, failed: &Failed) -> bool {
            act(&self.house, &self.house.policy(), failed, Deadline::after(Duration::from_secs(30))).unwrap()
        }

        /// The report about the same, as our own mail server writes it.
        fn report(&self, failed: &Failed) {
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
                client_address: Some([127, 0, 0, 1].into()),
                ..Envelope::default()
            };
            let key = Key::of_message(&envelope, raw.as_bytes());
            let (content, at_ms) = (Content::read(Arc::new(raw.into_bytes())), clock::now_ms());
            let mut mail = Mail { content, envelope, key, seed: 1, at_ms, keep: None };
            let deadline = Deadline::after(Duration::from_secs(30));
            assert_eq!(deliver::deliver(&self.house, &mut mail, deadline, &|_| ()), Verdict::Accept);
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

    fn failed(id: u64, recipient: &str, reply: &str) -> Failed {
        Failed {
            id,
            message_id: Some(format!("{id}@shop.example")),
            sender: "news@shop.example".into(),
            recipient: recipient.into(),
            final_recipient: None,
            reply: format!("host mx.there.example[192.0.2.9] said: {reply} (in reply to RCPT TO command)"),
            dsn: None,
            relay: Some("mx.there.example[192.0.2.9]:25".into()),
            at_ms: clock::now_ms(),
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
        let old = Failed { at_ms: clock::now_ms() - 10 * clock::DAY_MS, ..failed(2, address, NO_USER) };
        assert!(!place.act(&old) && !place.is_suppressed(address));
        let delivery = StoredDelivery { sender: Some("".into()), ..bare("bounced") };
        assert_eq!(Failed::of(7, delivery), None, "a bounce of a bounce");
        assert_eq!(Failed::of(7, bare("deferred")), None);
        let aliased =
            StoredDelivery { original_recipient: Some("joe@here.example".into()), ..bare("expired") };
        let found = Failed::of(7, aliased).unwrap();
        assert_eq!(
            (found.recipient.as_str(), found.final_recipient.as_deref()),
            ("joe@here.example", Some("box@there.example"))
        );
    }

    fn bare(status: &str) -> StoredDelivery {
        StoredDelivery {
            sender: Some("news@shop.example".into()),
            recipient: Some("box@there.example".into()),
            status: status.into(),
            attempts: 1,
            ..StoredDelivery::default()
        }
    }
}
