//! Stories of messages, told by the lines of a log.

mod cuts;

use super::*;
use crate::clock::DAY_MS;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

const NOW: i64 = 1_767_268_800_000;

/// A delivery, so far as the stories need it.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    queue_id: Option<String>,
    to: Option<String>,
    original: Option<String>,
    status: DeliveryStatus,
    attempts: u32,
    client: Option<String>,
    message: Option<String>,
    dsn: Option<String>,
    parent: Option<String>,
    notification: Option<String>,
    sender: Option<String>,
    size: Option<u64>,
    nrcpt: Option<u32>,
}

#[derive(Default)]
struct Story {
    told: BTreeMap<u64, Told>,
    order: Vec<u64>,
    emitted: usize,
    superseded: Vec<(u64, DeliveryStatus, u32, i64)>,
}

impl Story {
    fn hear(&mut self, delivery: &Delivery<'_>) {
        if delivery.superseded {
            self.superseded.push((delivery.id, delivery.status, delivery.attempts, delivery.last_seen));
            return;
        }
        let text = |text: Option<&str>| text.map(str::to_owned);
        let told = Told {
            queue_id: text(delivery.queue_id),
            to: text(delivery.recipient),
            original: text(delivery.original_recipient),
            status: delivery.status,
            attempts: delivery.attempts,
            client: text(delivery.client_id),
            message: text(delivery.message_id),
            dsn: text(delivery.dsn),
            parent: text(delivery.parent),
            notification: text(delivery.notification),
            sender: text(delivery.sender),
            size: delivery.size,
            nrcpt: delivery.nrcpt,
        };
        if self.told.insert(delivery.id, told).is_none() {
            self.order.push(delivery.id);
        }
        self.emitted += 1;
    }

    /// What another story tells otherwise.
    fn unlike<'a>(&'a self, other: &'a Story) -> Vec<(Option<&'a Told>, Option<&'a Told>)> {
        let ids: BTreeSet<u64> = self.told.keys().chain(other.told.keys()).copied().collect();
        let both = ids.iter().map(|id| (self.told.get(id), other.told.get(id)));
        both.filter(|(one, other)| one != other).collect()
    }

    fn all(&self) -> Vec<&Told> {
        self.order.iter().map(|id| &self.told[id]).collect()
    }

    /// Who, how, attempts, in the order of their first telling.
    fn short(&self) -> Vec<(String, DeliveryStatus, u32)> {
        self.all().iter().map(|t| (t.to.clone().unwrap_or_default(), t.status, t.attempts)).collect()
    }
}

fn correlator(state: CorrelatorState) -> Correlator {
    let grammar = Grammar { zone: TimeZone::UTC, client_header: "client-id".into() };
    Correlator::new(&grammar, MemoryLimits::default(), NOW, state)
}

/// A line a second, from texts like `qmgr: 3F1A28C0D2: removed`.
fn log(texts: &[&str]) -> String {
    let line = |(second, text): (usize, &&str)| {
        let (daemon, text) = text.split_once(": ").unwrap();
        format!("2026-01-01T03:{:02}:{:02}Z mx postfix/{daemon}[7]: {text}\n", second / 60, second % 60)
    };
    texts.iter().enumerate().map(line).collect()
}

/// Tells a story at once; line by line, with what came to its end told first; and line by line in a new process each, which knows
/// what the last one wrote down, or put on a shelf: all must be the same.
fn tell(texts: &[&str]) -> Story {
    let mut one = correlator(CorrelatorState::default());
    let log = log(texts);
    one.read(log.as_bytes(), &mut ());
    assert_eq!(one.take_lines().unknown, 0, "{texts:?}");
    tell_lines(&log)
}

fn tell_lines(log: &str) -> Story {
    let mut whole = Story::default();
    let mut one = correlator(CorrelatorState::default());
    one.read(log.as_bytes(), &mut ());
    one.drain(&mut (), |delivery| whole.hear(delivery));
    let (mut ended, mut one) = (Story::default(), correlator(CorrelatorState::default()));
    for line in log.split_inclusive('\n') {
        one.read(line.as_bytes(), &mut ());
        one.drain_ended(|delivery| ended.hear(delivery));
    }
    one.drain(&mut (), |delivery| ended.hear(delivery));
    assert_eq!(whole.unlike(&ended), [], "ended\n{log}");
    let mut stepwise = Story::default();
    let mut state = CorrelatorState::default();
    for line in log.split_inclusive('\n') {
        let mut next = correlator(state);
        next.read(line.as_bytes(), &mut ());
        next.drain(&mut (), |delivery| stepwise.hear(delivery));
        state = serde_json::from_str(&serde_json::to_string(&next.state()).unwrap()).unwrap();
    }
    assert_eq!(whole.unlike(&stepwise), [], "stepwise\n{log}");
    let (mut shelved, mut shelf, mut state) =
        (Story::default(), Drawer::default(), CorrelatorState::default());
    for line in log.split_inclusive('\n') {
        let mut next = correlator(state);
        next.read(line.as_bytes(), &mut shelf);
        next.drain(&mut shelf, |delivery| shelved.hear(delivery));
        state = next.shelve(&mut shelf);
    }
    assert_eq!(whole.unlike(&shelved), [], "shelved\n{log}");
    whole
}

fn to(address: &str, status: DeliveryStatus, attempts: u32) -> (String, DeliveryStatus, u32) {
    (address.to_owned(), status, attempts)
}

#[test]
fn each_recipient_has_its_own_fate() {
    let story = tell(&[
        "smtpd: 3F1A28C0D2: client=h[192.0.2.1]",
        "cleanup: 3F1A28C0D2: message-id=<98494.1.2@shop>",
        "qmgr: 3F1A28C0D2: from=<s@example.com>, size=99, nrcpt=3 (queue active)",
        "smtp: 3F1A28C0D2: to=<a@example.com>, relay=mx[192.0.2.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)",
        "smtp: 3F1A28C0D2: to=<b@example.com>, relay=mx[192.0.2.9]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (550 no)",
        "smtp: 3F1A28C0D2: to=<c@example.com>, orig_to=<d@example.com>, relay=none, delay=1, delays=0/0/0/1, dsn=4.4.1, status=deferred (refused)",
        "bounce: 3F1A28C0D2: sender non-delivery notification: 4A00000001",
        "qmgr: 3F1A28C0D2: from=<s@example.com>, size=99, nrcpt=3 (queue active)",
        "smtp: 3F1A28C0D2: to=<c@example.com>, orig_to=<d@example.com>, relay=none, delay=9, delays=9/0/0/0, dsn=4.4.1, status=deferred (refused)",
        "qmgr: 3F1A28C0D2: from=<s@example.com>, status=expired, returned to sender",
        "qmgr: 3F1A28C0D2: removed",
    ]);
    let want = [
        to("a@example.com", DeliveryStatus::Sent, 1),
        to("b@example.com", DeliveryStatus::Bounced, 1),
        to("c@example.com", DeliveryStatus::Expired, 2),
    ];
    assert_eq!(story.short(), want);
    for told in story.all() {
        assert_eq!((told.client.as_deref(), told.message.as_deref()), (Some("shop"), Some("98494.1.2@shop")));
    }
    assert_eq!(story.all()[2].original.as_deref(), Some("d@example.com"));
    assert_eq!(story.emitted, 3, "many changes of one drain are told once");
}

#[test]
fn a_client_header_counts_before_or_after_the_message_id_and_in_either_case() {
    let header = "cleanup: 3F1A28C0D2: info: header Client-Id: shop from h[192.0.2.1]; from=<s@x> to=<a@example.com> proto=ESMTP helo=<h>";
    let id = "cleanup: 3F1A28C0D2: message-id=<1@example.com>";
    let sent =
        "local: 3F1A28C0D2: to=<a@example.com>, relay=local, dsn=2.0.0, status=sent (delivered to mailbox)";
    for lines in [[header, id, sent], [id, header, sent]] {
        assert_eq!(tell(&lines).all()[0].client.as_deref(), Some("shop"));
    }
    let convention = "cleanup: 3F1A28C0D2: message-id=<98494.1.2@other>";
    for lines in [[header, convention, sent], [convention, header, sent]] {
        assert_eq!(tell(&lines).all()[0].client.as_deref(), Some("other"), "the convention counts first");
    }
}

#[test]
fn a_requeued_message_stays_the_same_delivery() {
    let story = tell(&[
        "smtpd: 4Xn0y83s5Zz1f: client=h[192.0.2.1]",
        "cleanup: 4Xn0y83s5Zz1f: message-id=<98494.1.2@shop>",
        "qmgr: 4Xn0y83s5Zz1f: from=<s@example.com>, size=99, nrcpt=1 (queue active)",
        "smtp: 4Xn0y83s5Zz1f: to=<a@example.com>, orig_to=<b@example.com>, relay=none, dsn=4.4.1, status=deferred (x)",
        "postsuper: 4Xn0y83s5Zz1f: requeued",
        "pickup: 4Xn0yC2rQlz1k: uid=103 from=<s@example.com> orig_id=4Xn0y83s5Zz1f",
        "cleanup: 4Xn0yC2rQlz1k: message-id=<98494.1.2@shop>",
        "qmgr: 4Xn0yC2rQlz1k: from=<s@example.com>, size=120, nrcpt=1 (queue active)",
        "smtp: 4Xn0yC2rQlz1k: to=<a@example.com>, relay=none, dsn=4.4.1, status=deferred (x)",
        "postsuper: 4Xn0yC2rQlz1k: requeued",
        "pickup: 4Xn0yF5c1Yz1m: uid=103 from=<s@example.com> orig_id=4Xn0yC2rQlz1k",
        "smtp: 4Xn0yF5c1Yz1m: to=<a@example.com>, relay=none, dsn=2.0.0, status=sent (x)",
        "qmgr: 4Xn0yF5c1Yz1m: removed",
    ]);
    assert_eq!(story.short(), [to("a@example.com", DeliveryStatus::Sent, 3)]);
    assert_eq!(story.all()[0].queue_id.as_deref(), Some("4Xn0y83s5Zz1f"));
}

#[test]
fn operators_delete_hold_and_expire() {
    let begun = [
        "smtpd: 3F1A28C0D2: client=h[192.0.2.1]",
        "cleanup: 3F1A28C0D2: message-id=<1@example.com>",
        "qmgr: 3F1A28C0D2: from=<s@example.com>, size=99, nrcpt=2 (queue active)",
        "smtp: 3F1A28C0D2: to=<a@example.com>, relay=none, dsn=2.0.0, status=sent (x)",
        "smtp: 3F1A28C0D2: to=<b@example.com>, relay=none, dsn=4.4.1, status=deferred (x)",
    ];
    let ends = |lines: &[&str]| tell(&[&begun[..], lines].concat()).short();
    let sent = to("a@example.com", DeliveryStatus::Sent, 1);
    let with = |status| vec![sent.clone(), to("b@example.com", status, 1)];
    assert_eq!(ends(&["postsuper: 3F1A28C0D2: removed"]), with(DeliveryStatus::Deleted));
    assert_eq!(ends(&["postsuper: 3F1A28C0D2: placed on hold"]), with(DeliveryStatus::Held));
    let released = ["postsuper: 3F1A28C0D2: placed on hold", "postsuper: 3F1A28C0D2: released from hold"];
    assert_eq!(ends(&released), with(DeliveryStatus::Deferred));
    let expired = [
        "postsuper: 3F1A28C0D2: expired",
        "qmgr: 3F1A28C0D2: from=<s@example.com>, status=force-expired, returned to sender",
    ];
    assert_eq!(ends(&expired), with(DeliveryStatus::Expired));
    let nobody = tell(&["smtpd: 3F1A28C0D2: client=h[192.0.2.1]", "postsuper: 3F1A28C0D2: removed"]);
    assert_eq!(nobody.short(), [to("", DeliveryStatus::Deleted, 0)]);
}

#[test]
fn what_is_on_hold_is_the_same_delivery_when_it_goes_on() {
    let story = tell(&[
        "smtpd: NOQUEUE: hold: RCPT from h[192.0.2.1]: <s@x>: Sender address triggers HOLD action; from=<s@x> to=<b@example.com> proto=ESMTP helo=<h>",
        "smtpd: 3F1A28C0D2: client=h[192.0.2.1]",
        "cleanup: 3F1A28C0D2: message-id=<1@example.com>",
    ]);
    assert_eq!(story.short(), [to("b@example.com", DeliveryStatus::Held, 0)]);
    let hold = "smtpd: NOQUEUE: hold: RCPT from h[192.0.2.1]: <s@x>: x; from=<s@x> to=<b@example.com> proto=ESMTP helo=<h>";
    let reject = "smtpd: NOQUEUE: reject: RCPT from h[192.0.2.1]: 550 x; from=<s@x> to=<b@example.com> proto=ESMTP helo=<h>";
    let other = "smtpd: 3F1A28C0D2: client=h[192.0.2.1]";
    assert_eq!(
        tell(&[hold, "smtpd: disconnect from h[192.0.2.1]", "smtpd: connect from h[192.0.2.1]", other])
            .short(),
        []
    );
    assert_eq!(tell(&[hold, reject, other]).short(), [to("b@example.com", DeliveryStatus::Rejected, 0)]);
    let story = tell(&[
        "smtpd: 3F1A28C0D2: client=h[192.0.2.1]",
        "cleanup: 3F1A28C0D2: message-id=<1@example.com>",
        "cleanup: 3F1A28C0D2: milter-hold: END-OF-MESSAGE from h[192.0.2.1]: milter triggers HOLD action; from=<s@x> to=<b@example.com> proto=ESMTP helo=<h>",
        "qmgr: 3F1A28C0D2: from=<s@x>, size=9, nrcpt=2 (queue active)",
        "smtp: 3F1A28C0D2: to=<c@example.com>, orig_to=<b@example.com>, relay=none, dsn=2.0.0, status=sent (x)",
        "smtp: 3F1A28C0D2: to=<d@example.com>, orig_to=<b@example.com>, relay=none, dsn=2.0.0, status=sent (x)",
        "qmgr: 3F1A28C0D2: removed",
    ]);
    assert_eq!(
        story.short(),
        [to("c@example.com", DeliveryStatus::Sent, 1), to("d@example.com", DeliveryStatus::Sent, 1)]
    );
}

#[test]
fn refusals_are_deliveries_with_or_without_a_queue_id() {
    let reject = "smtpd: NOQUEUE: reject: RCPT from h[192.0.2.1]: 554 5.7.1 <a@example.com>: Relay access denied; from=<s@x> to=<a@example.com> proto=ESMTP helo=<h>";
    let story = tell(&[reject, reject]);
    assert_eq!(story.short(), vec![to("a@example.com", DeliveryStatus::Rejected, 0); 2]);
    assert_eq!((&story.all()[0].queue_id, story.all()[0].dsn.as_deref()), (&None, Some("5.7.1")));
    let story = tell(&[
        "smtpd: 3F1A28C0D2: client=h[192.0.2.1]",
        "smtpd: 3F1A28C0D2: reject: RCPT from h[192.0.2.1]: 550 5.1.1 <no@example.com>: unknown; from=<s@x> to=<no@example.com> proto=ESMTP helo=<h>",
        "cleanup: 3F1A28C0D2: message-id=<1@example.com>",
        "smtp: 3F1A28C0D2: to=<b@example.com>, relay=none, dsn=4.4.1, status=deferred (x)",
        "qmgr: 3F1A28C0D2: from=<s@x>, status=expired, returned to sender",
    ]);
    assert_eq!(
        story.short(),
        [to("no@example.com", DeliveryStatus::Rejected, 0), to("b@example.com", DeliveryStatus::Expired, 1)]
    );
    for (action, status) in
        [("milter-reject", DeliveryStatus::Rejected), ("milter-discard", DeliveryStatus::Discarded)]
    {
        let line = format!(
            "cleanup: 3F1A28C0D2: {action}: END-OF-MESSAGE from h[192.0.2.1]: 5.7.1 x; from=<s@x> to=<b@example.com> proto=ESMTP helo=<h>"
        );
        let story = tell(&["cleanup: 3F1A28C0D2: message-id=<1@example.com>", &line]);
        assert_eq!(story.short(), [to("b@example.com", status, 0)]);
    }
    let note = "smtpd: NOQUEUE: filter: RCPT from h[192.0.2.1]: <s@x>: triggers FILTER x; from=<s@x> to=<a@example.com> proto=ESMTP helo=<h>";
    assert_eq!(tell(&[note]).short(), []);
}

#[test]
fn notifications_and_forwarded_messages_know_where_they_come_from() {
    let story = tell(&[
        "cleanup: 4Xn0y83s5Zz1f: message-id=<1@example.com>",
        "cleanup: 4Xn0y83s5Zz1f: info: header client-id: shop from h[192.0.2.1]; from=<s@x> to=<a@example.com> proto=ESMTP helo=<h>",
        "cleanup: 4Xn0yC2rQlz1k: message-id=<1@example.com>",
        "local: 4Xn0y83s5Zz1f: to=<a@example.com>, relay=local, dsn=2.0.0, status=sent (forwarded as 4Xn0yC2rQlz1k)",
        "smtp: 4Xn0yC2rQlz1k: to=<b@example.com>, orig_to=<a@example.com>, relay=none, dsn=5.1.1, status=bounced (x)",
        "cleanup: 4Xn0yF5c1Yz1m: message-id=<2@mx>",
        "bounce: 4Xn0yC2rQlz1k: sender non-delivery notification: 4Xn0yF5c1Yz1m",
        "smtp: 4Xn0yF5c1Yz1m: to=<s@x>, relay=none, dsn=2.0.0, status=sent (x)",
        "cleanup: 4Xn0yG2b8Rz1n: message-id=<1@example.com>",
        "smtp: 4Xn0yG2b8Rz1n: to=<e@example.com>, relay=mx.evil[192.0.2.66]:25, dsn=2.0.0, status=sent (250 queued as 4Xn0yF5c1Yz1m)",
    ]);
    let told = story.all();
    assert_eq!((told[1].parent.as_deref(), told[1].client.as_deref()), (Some("4Xn0y83s5Zz1f"), Some("shop")));
    assert_eq!((told[2].parent.as_deref(), told[2].client.as_deref()), (Some("4Xn0yC2rQlz1k"), None));
}

#[test]
fn a_short_queue_id_is_used_again_for_another_message() {
    let first = [
        "smtpd: 3F1A28C0D2: client=h[192.0.2.1]",
        "cleanup: 3F1A28C0D2: message-id=<98494.1.2@shop>",
        "qmgr: 3F1A28C0D2: from=<s@example.com>, size=99, nrcpt=1 (queue active)",
        "smtp: 3F1A28C0D2: to=<a@example.com>, relay=none, dsn=2.0.0, status=sent (x)",
    ];
    let second = [
        "cleanup: 3F1A28C0D2: message-id=<2@example.com>",
        "smtp: 3F1A28C0D2: to=<a@example.com>, relay=none, dsn=5.1.1, status=bounced (x)",
    ];
    for between in [&["qmgr: 3F1A28C0D2: removed"][..], &["smtpd: 3F1A28C0D2: client=h[192.0.2.1]"], &[]] {
        let story = tell(&[&first[..], between, &second].concat());
        assert_eq!(
            story.short(),
            [to("a@example.com", DeliveryStatus::Sent, 1), to("a@example.com", DeliveryStatus::Bounced, 1)]
        );
        assert_eq!(
            (story.all()[0].client.as_deref(), story.all()[1].client.as_deref()),
            (Some("shop"), None)
        );
    }
}

#[test]
fn the_same_short_queue_id_on_two_hosts_is_two_messages() {
    let log = "2026-01-01T03:00:00Z a postfix/cleanup[7]: 3F1A28C0D2: message-id=<98494.1.1@shop>\n\
        2026-01-01T03:00:00Z b postfix/cleanup[7]: 3F1A28C0D2: message-id=<98494.1.1@other>\n\
        2026-01-01T03:00:00Z b postfix/smtp[7]: 3F1A28C0D2: to=<a@x>, relay=none, dsn=2.0.0, status=sent (x)\n";
    let mut correlator = correlator(CorrelatorState::default());
    let mut story = Story::default();
    correlator.read(log.as_bytes(), &mut ());
    correlator.drain(&mut (), |delivery| story.hear(delivery));
    assert_eq!(story.all()[0].client.as_deref(), Some("other"));
    assert_eq!(story.told.len(), 1);
}

#[test]
fn probes_are_no_deliveries() {
    let story = tell(&[
        "cleanup: 3F1A28C0D2: message-id=<1@mx>",
        "smtp: 3F1A28C0D2: to=<a@example.com>, relay=none, dsn=5.1.1, status=undeliverable (x)",
        "qmgr: 3F1A28C0D2: removed",
    ]);
    assert_eq!(story.short(), []);
}

#[derive(Default)]
struct Drawer(Vec<QueuedMessage>);

impl Shelf for Drawer {
    fn put(&mut self, message: &QueuedMessage) {
        self.0.retain(|other| other.queue_ids().last() != message.queue_ids().last());
        self.0.push(message.clone());
    }

    fn take(&mut self, _: &str, queue_id: &str) -> Option<QueuedMessage> {
        let named = |message: &QueuedMessage| message.queue_ids().any(|id| id == queue_id);
        let current = |message: &QueuedMessage| message.queue_ids().last() == Some(queue_id);
        let at = self.0.iter().position(current).or_else(|| self.0.iter().position(named))?;
        Some(self.0.swap_remove(at))
    }
}

#[test]
fn memory_is_bounded_and_what_is_evicted_comes_back() {
    let grammar = Grammar { zone: TimeZone::UTC, client_header: String::new() };
    let limits = MemoryLimits { bytes: 200_000, age_ms: 6 * DAY_MS };
    let mut correlator = Correlator::new(&grammar, limits, NOW, CorrelatorState::default());
    let mut shelf = Drawer::default();
    let mut story = Story::default();
    for round in 0..2 {
        for number in 0..2_000 {
            let stamp =
                format!("2026-01-01T{:02}:{:02}:{:02}Z mx postfix", 3 + round, number / 60, number % 60);
            let id = format!("3F1A2{number:05}");
            let mut log =
                format!("{stamp}/smtp[7]: {id}: to=<a@x>, relay=none, dsn=4.0.0, status=deferred (x)\n");
            if round == 0 {
                log = format!("{stamp}/cleanup[7]: {id}: message-id=<98494.{number}.1@shop>\n{log}");
            }
            correlator.read(log.as_bytes(), &mut shelf);
            correlator.drain(&mut shelf, |delivery| story.hear(delivery));
            assert!(correlator.table.weight() <= 201_000);
        }
    }
    assert_eq!(story.told.len(), 2_000);
    assert!(story.all().iter().all(|told| told.attempts == 2 && told.client.as_deref() == Some("shop")));
    assert_eq!(shelf.0.len() + correlator.under_way(), 2_000);
}

#[test]
fn sessions_that_came_to_nothing_are_not_kept() {
    let mut log = String::new();
    for day in 1..=3 {
        for hour in 0..24 {
            let stamp = format!("2026-01-0{day}T{hour:02}:00:00Z mx postfix/");
            log += &format!("{stamp}smtpd[7]: 3F1A0{day}{hour:02}: client=h[192.0.2.1]\n");
            log += &format!("{stamp}cleanup[7]: 4F1A0{day}{hour:02}: message-id=<{hour}@example.com>\n");
        }
    }
    let mut correlator = correlator(CorrelatorState::default());
    correlator.set_reference(NOW + 3 * DAY_MS);
    for line in log.split_inclusive('\n') {
        correlator.read(line.as_bytes(), &mut ());
        correlator.drain(&mut (), |_| panic!("nothing became of them"));
    }
    assert!((24..30).contains(&correlator.under_way()), "{}", correlator.under_way());
}

#[test]
fn a_message_to_very_many_takes_linear_time() {
    let begun = std::time::Instant::now();
    let mut log = String::new();
    for round in 0..2 {
        for number in 0..20_000 {
            let status = if round == 0 { "deferred" } else { "sent" };
            log += &format!(
                "2026-01-01T03:00:0{round}Z mx postfix/smtp[7]: 3F1A28C0D2: to=<r{number}@x>, relay=none, dsn=2.0.0, status={status} (x)\n"
            );
        }
    }
    let mut correlator = correlator(CorrelatorState::default());
    let mut story = Story::default();
    correlator.read(log.as_bytes(), &mut ());
    correlator.drain(&mut (), |delivery| story.hear(delivery));
    assert_eq!(story.emitted, 20_000);
    assert!(story.all().iter().all(|told| told.status == DeliveryStatus::Sent && told.attempts == 2));
    assert!(begun.elapsed().as_secs() < 60);
}

#[test]
fn every_line_is_accounted_for() {
    let log = "2026-01-01T03:00:00Z mx postfix/qmgr[7]: 3F1A28C0D2: removed\n\
        2026-01-01T03:00:00Z mx postfix/smtpd[7]: lost connection after DATA from h[192.0.2.1]\n\
        2026-01-01T03:00:00Z mx dovecot: imap\n\n\tcontinued\nlast\n";
    let mut correlator = correlator(CorrelatorState::default());
    correlator.read(log.as_bytes(), &mut ());
    correlator.read(&[b'x'; 100_000], &mut ());
    let want = Lines { events: 1, ignored: 1, foreign: 1, unknown: 4, cut: 1 };
    assert_eq!(correlator.take_lines(), want);
    assert_eq!(want.total(), 7);
}

#[test]
fn a_message_in_the_memory_of_another_has_nothing_of_it() {
    let mut correlator = correlator(CorrelatorState::default());
    let mut story = Story::default();
    let line = |at: u32, text: &str| format!("Jan  1 10:{:02}:{:02} mx {text}\n", at / 60, at % 60);
    let full = [
        "postfix/smtpd[1]: 4Xn0y83s5Zz1f: client=app.example[192.0.2.7]",
        "postfix/cleanup[2]: 4Xn0y83s5Zz1f: message-id=<98494.1.7@shop>",
        "postfix/qmgr[3]: 4Xn0y83s5Zz1f: from=<a@shop.example>, size=100, nrcpt=2 (queue active)",
        "postfix/local[4]: 4Xn0y83s5Zz1f: to=<x@d.example>, orig_to=<alias@d.example>, relay=local, delay=1, delays=1/0/0/0, \
         dsn=5.1.1, status=bounced (unknown user)",
        "postfix/bounce[5]: 4Xn0y83s5Zz1f: sender non-delivery notification: 4Xn0y83s5Zz2g",
        "postfix/qmgr[3]: 4Xn0y83s5Zz1f: removed",
    ];
    let full: String = full.iter().map(|text| line(0, text)).collect();
    correlator.read(full.as_bytes(), &mut ());
    correlator.drain(&mut (), |delivery| story.hear(delivery));
    for n in 0..3 {
        // Later than what is over is kept, and drained, so that its memory is free.
        correlator
            .read(line(60 + n, "postfix/smtpd[1]: connect from app.example[192.0.2.7]").as_bytes(), &mut ());
        correlator.drain(&mut (), |delivery| story.hear(delivery));
        let bare = "to=<>, relay=none, delay=1, delays=1/0/0/0, dsn=4.4.1, status=deferred (later)";
        let bare = line(61 + n, &format!("postfix/smtp[4]: 4Xn0y83s6Zz{n}f: {bare}"));
        correlator.read(bare.as_bytes(), &mut ());
        let mut told = Vec::new();
        correlator.drain(&mut (), |delivery| {
            let texts =
                [delivery.message_id, delivery.client_id, delivery.sender, delivery.original_recipient];
            assert_eq!(
                texts.into_iter().chain([delivery.notification, delivery.parent]).flatten().next(),
                None
            );
            assert_eq!((delivery.size, delivery.nrcpt, delivery.attempts), (None, None, 1));
            told.push((
                delivery.recipient.map(str::to_owned),
                delivery.relay.map(str::to_owned),
                delivery.status,
            ));
        });
        assert_eq!(told, [(Some(String::new()), None, DeliveryStatus::Deferred)]);
    }
    assert_eq!(story.all().len(), 1);
}
