//! Queue ids that are used again, or on two hosts.

use super::*;

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
        let story = story_of(&[&first[..], between, &second].concat());
        assert_eq!(
            story.short(),
            [to("a@example.com", LoggedStatus::Sent, 1), to("a@example.com", LoggedStatus::Bounced, 1)]
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
    correlator.drain(&mut (), |delivery| story.see(delivery));
    assert_eq!(story.all()[0].client.as_deref(), Some("other"));
    assert_eq!(story.seen.len(), 1);
}

#[test]
fn the_queue_id_of_a_requeued_message_may_be_used_again() {
    let story = story_of(&[
        "qmgr: 3F1A28C0D2: from=<s@mx>, size=1, nrcpt=1 (queue active)",
        "smtp: 3F1A28C0D2: to=<a@x.example>, relay=none, dsn=4.4.1, status=deferred (x)",
        "pickup: 4AAA28C0D3: uid=0 from=<s@mx> orig_id=3F1A28C0D2",
        "smtpd: 3F1A28C0D2: client=h[192.0.2.1]",
        "qmgr: 3F1A28C0D2: from=<t@mx>, size=2, nrcpt=1 (queue active)",
        "smtp: 3F1A28C0D2: to=<b@x.example>, relay=none, dsn=2.0.0, status=sent (x)",
        "qmgr: 4AAA28C0D3: from=<s@mx>, size=9, nrcpt=1 (queue active)",
        "smtp: 4AAA28C0D3: to=<a@x.example>, relay=none, dsn=2.0.0, status=sent (x)",
    ]);
    assert_eq!(
        story.short(),
        [to("a@x.example", LoggedStatus::Sent, 2), to("b@x.example", LoggedStatus::Sent, 1)]
    );
    assert_eq!(story.all().iter().map(|seen| seen.size).collect::<Vec<_>>(), [Some(1), Some(2)]);
}
