//! What is kept in memory, and for how long; and that every line is counted.

use super::*;

#[test]
fn memory_is_bounded_and_what_is_evicted_comes_back() {
    let grammar = Grammar { zone: TimeZone::UTC, client_header: String::new(), ..Grammar::default() };
    let limits = MemoryLimits { bytes: 200_000, message: usize::MAX, age_ms: 6 * DAY_MS };
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
            correlator.drain(&mut shelf, |delivery| story.see(delivery));
            assert!(correlator.correlated.table.weight() <= 201_000);
        }
    }
    assert_eq!(story.seen.len(), 2_000);
    assert!(story.all().iter().all(|seen| seen.attempts == 2 && seen.client.as_deref() == Some("shop")));
    assert_eq!(shelf.0.len() + open_messages(&correlator), 2_000);
}

#[test]
fn sessions_without_a_message_are_not_kept() {
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
    assert!((24..30).contains(&open_messages(&correlator)), "{}", open_messages(&correlator));
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
    correlator.drain(&mut (), |delivery| story.see(delivery));
    assert_eq!(story.emitted, 20_000);
    assert!(story.all().iter().all(|seen| seen.status == LoggedStatus::Sent && seen.attempts == 2));
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
    assert_eq!(correlator.take_reading().lines, want);
    assert_eq!(want.total(), 7);
}

#[test]
fn a_message_in_reused_memory_has_nothing_of_the_one_before() {
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
    correlator.drain(&mut (), |delivery| story.see(delivery));
    for n in 0..3 {
        // Later than what is over is kept, and drained, so that its memory is free.
        correlator
            .read(line(60 + n, "postfix/smtpd[1]: connect from app.example[192.0.2.7]").as_bytes(), &mut ());
        correlator.drain(&mut (), |delivery| story.see(delivery));
        let bare = "to=<>, relay=none, delay=1, delays=1/0/0/0, dsn=4.4.1, status=deferred (later)";
        let bare = line(61 + n, &format!("postfix/smtp[4]: 4Xn0y83s6Zz{n}f: {bare}"));
        correlator.read(bare.as_bytes(), &mut ());
        let mut seen = Vec::new();
        correlator.drain(&mut (), |delivery| {
            let texts =
                [delivery.message_id, delivery.client_id, delivery.sender, delivery.original_recipient];
            assert_eq!(
                texts.into_iter().chain([delivery.notification, delivery.parent]).flatten().next(),
                None
            );
            assert_eq!((delivery.size, delivery.nrcpt, delivery.attempts), (None, None, 1));
            seen.push((
                delivery.recipient.map(str::to_owned),
                delivery.relay.map(str::to_owned),
                delivery.status,
            ));
        });
        assert_eq!(seen, [(Some(String::new()), None, LoggedStatus::Deferred)]);
    }
    assert_eq!(story.all().len(), 1);
}

#[test]
fn of_a_message_to_very_many_each_recipient_keeps_its_delivery_though_few_are_in_memory() {
    let limits = MemoryLimits { message: 4_000_000, ..MemoryLimits::default() };
    let grammar = Grammar { zone: TimeZone::UTC, client_header: String::new(), ..Grammar::default() };
    let mut correlator = Correlator::new(&grammar, limits, NOW, CorrelatorState::default());
    let line = |number: u32, status: &str, reply: &str| {
        format!(
            "2026-01-01T03:00:00Z mx postfix/smtp[7]: 3F1A28C0D2: to=<r{number}@x>, relay=none, dsn=4.2.2, \
             status={status} ({reply})\n"
        )
    };
    let (mut ids, mut heaviest) = (Vec::new(), 0);
    for piece in 0..30 {
        for number in piece * 1_000..(piece + 1) * 1_000 {
            let reply = format!("452 4.2.2 full {number} {}", "x".repeat(500));
            correlator.read(line(number, "deferred", &reply).as_bytes(), &mut ());
        }
        correlator.drain(&mut (), |delivery| {
            assert!(delivery.reply.is_some_and(|reply| reply.len() > 500), "a report is whole");
            ids.push(delivery.id);
        });
        heaviest = heaviest.max(correlator.weight());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 30_000, "no two recipients have one id");
    assert!(heaviest < 8_000_000, "{heaviest}");
    // All are tried again, in another order than before, and the first ones once more.
    for (attempt, last, status) in [(2, 30_000, "deferred"), (3, 1_000, "sent")] {
        let mut story = Story::default();
        for number in (0..last).rev() {
            correlator.read(line(number, status, "later").as_bytes(), &mut ());
            if number % 5_000 == 0 {
                correlator.drain(&mut (), |delivery| {
                    let before = delivery.before.map(|before| (before.status, before.attempts));
                    assert_eq!(before, Some((LoggedStatus::Deferred, attempt - 1)));
                    assert!(ids.binary_search(&delivery.id).is_ok(), "it is the same delivery");
                    story.see(delivery);
                });
            }
        }
        assert_eq!(story.seen.len(), last as usize);
        assert!(story.all().iter().all(|seen| seen.attempts == attempt && seen.status.name() == status));
        assert!(correlator.weight() < 8_000_000, "{}", correlator.weight());
    }
}
