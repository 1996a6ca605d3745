//! Stories that say the same wherever they are cut: what a tick happens to read together must not
//! matter.

use super::*;

#[test]
fn damaged_lines_give_the_same_deliveries_read_together_or_one_by_one() {
    let texts = [
        "smtpd[1]: 3F1A28C0D2: client=h[192.0.2.1]",
        "cleanup[2]: 3F1A28C0D2: message-id=<98494.1.2@shop>",
        "qmgr[3]: 3F1A28C0D2: from=<s@mx.example>, size=99, nrcpt=3 (queue active)",
        "smtp[4]: 3F1A28C0D2: to=<a@x.example>, relay=mx.x.example[192.0.2.9]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 ok)",
        "smtp[4]: 3F1A28C0D2: to=<b@x.example>, orig_to=<all@x.example>, relay=none, delay=1, delays=0/0/1/0, dsn=5.1.1, status=bounced (x)",
        "smtp[5]: 3F1A28C0D2: to=<c@x.example>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, status=deferred (x)",
        "bounce[6]: 3F1A28C0D2: sender non-delivery notification: 4F1A28C0D3",
        "qmgr[3]: 4F1A28C0D3: from=<>, size=9, nrcpt=1 (queue active)",
        "local[7]: 4F1A28C0D3: to=<s@mx.example>, relay=local, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (delivered)",
        "qmgr[3]: 4F1A28C0D3: removed",
        "postsuper[8]: 3F1A28C0D2: placed on hold",
        "postsuper[8]: 3F1A28C0D2: released from hold",
        "qmgr[3]: 3F1A28C0D2: from=<s@mx.example>, status=expired, returned to sender",
        "qmgr[3]: 3F1A28C0D2: removed",
        "pickup[9]: 8F1A28C0D7: uid=0 from=<s@mx.example> orig_id=9F1A28C0D8",
        "smtpd[1]: NOQUEUE: reject: RCPT from h[192.0.2.1]: 554 5.7.1 no; from=<s@mx.example> to=<d@x.example> proto=ESMTP helo=<h>",
        "cleanup[2]: 6F1A28C0D5: reject: header Subject: x from h[192.0.2.1]; from=<s@mx.example> to=<e@x.example> proto=ESMTP helo=<h>: 5.7.1 no",
        "postsuper[8]: 7F1A28C0D6: removed",
    ];
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..500 {
        let mut texts: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        for _ in 0..random.usize(0..8) {
            let (line, other) = (random.usize(0..texts.len()), random.usize(0..texts.len()));
            let at = random.usize(0..texts[line].len().max(1));
            match random.u8(0..5) {
                0 => texts.swap(line, other),
                1 => texts[line].truncate(at),
                2 => drop(texts[line].drain(..).take(0)),
                3 => texts[line].insert(at, b"<>[]():,= \xff"[random.usize(0..11)]),
                _ => texts[line] = texts[other].clone(),
            }
        }
        let stamped = |(n, text): (usize, &Vec<u8>)| {
            [format!("2026-01-01T03:00:00.{n:03}Z mx postfix/").as_bytes(), text, b"\n"].concat()
        };
        let log: Vec<u8> = texts.iter().enumerate().flat_map(stamped).collect();
        story_of_lines(&String::from_utf8_lossy(&log));
    }
}

#[test]
fn a_notification_belongs_to_the_recipients_it_reports() {
    let story = story_of(&[
        "qmgr: 3F1A28C0D2: from=<s@mx>, size=1, nrcpt=3 (queue active)",
        "smtp: 3F1A28C0D2: to=<a@x.example>, relay=none, dsn=2.0.0, status=sent (x)",
        "smtp: 3F1A28C0D2: to=<b@x.example>, relay=none, dsn=5.1.1, status=bounced (x)",
        "smtp: 3F1A28C0D2: to=<c@x.example>, relay=none, dsn=4.4.1, status=deferred (x)",
        "bounce: 3F1A28C0D2: sender non-delivery notification: 4F1A28C0D3",
        "bounce: 3F1A28C0D2: sender delay notification: 5F1A28C0D4",
        "qmgr: 3F1A28C0D2: from=<s@mx>, size=1, nrcpt=1 (queue active)",
        "qmgr: 3F1A28C0D2: from=<s@mx>, status=expired, returned to sender",
        "bounce: 3F1A28C0D2: sender non-delivery notification: 6F1A28C0D5",
        "qmgr: 3F1A28C0D2: removed",
    ]);
    let seen: Vec<_> = story.all().iter().map(|seen| (seen.notification.as_deref(), seen.nrcpt)).collect();
    assert_eq!(seen, [(None, Some(3)), (Some("4F1A28C0D3"), Some(3)), (Some("6F1A28C0D5"), Some(3))]);
}

#[test]
fn what_the_queue_manager_logs_late_is_reported_for_earlier_recipients() {
    let story = story_of(&[
        "smtp: 3F1A28C0D2: to=<a@x.example>, relay=none, dsn=2.0.0, status=sent (x)",
        "qmgr: 3F1A28C0D2: from=<s@mx>, size=7, nrcpt=2 (queue active)",
        "smtp: 3F1A28C0D2: to=<b@x.example>, relay=none, dsn=2.0.0, status=sent (x)",
    ]);
    for seen in story.all() {
        assert_eq!((seen.sender.as_deref(), seen.size, seen.nrcpt), (Some("s@mx"), Some(7), Some(2)));
    }
}

#[test]
fn lines_after_the_end_of_a_message_are_not_lost() {
    let mut lines = vec![
        "smtpd: 3F1A28C0D2: client=h[192.0.2.1]",
        "qmgr: 3F1A28C0D2: from=<s@mx>, size=1, nrcpt=1 (queue active)",
        "qmgr: 4F1A28C0D3: from=<>, size=1, nrcpt=1 (queue active)",
        "local: 4F1A28C0D3: to=<s@mx>, relay=local, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (delivered)",
        "qmgr: 4F1A28C0D3: removed",
        "bounce: 3F1A28C0D2: sender non-delivery notification: 4F1A28C0D3",
    ];
    lines.extend(["smtpd: connect from h[192.0.2.1]"; 20]);
    let story = story_of(&lines);
    assert_eq!(story.all()[0].parent.as_deref(), Some("3F1A28C0D2"));
}

#[test]
fn every_refusal_of_one_moment_is_a_delivery() {
    let refusal = |n: usize| {
        format!(
            "2026-01-01T03:00:00Z mx postfix/smtpd[7]: NOQUEUE: reject: RCPT from h[192.0.2.1]: 554 5.7.1 no; from=<s@x> to=<r{n}@mx> proto=ESMTP helo=<h>\n"
        )
    };
    let equal: String = (0..300).map(|_| refusal(0)).collect();
    let twice: String = (0..100).chain(0..100).map(refusal).collect();
    assert_eq!((story_of_lines(&equal).all().len(), story_of_lines(&twice).all().len()), (300, 200));
}
