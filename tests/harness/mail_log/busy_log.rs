//! A Postfix log of the last days with as many deliveries as wanted: most go well, some destinations
//! fail, and in one quarter of an hour a provider refuses everything.

use crate::harness::{Sandbox, finish, start};
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

/// Destinations and the servers that take their mail.
const DESTINATIONS: [(&str, &str); 5] = [
    ("gmail.example", "gmail-smtp-in.l.google.com[192.0.2.1]:25"),
    ("outlook.example", "mail.protection.outlook.com[192.0.2.2]:25"),
    ("firm.example", "mx.firm.example[192.0.2.3]:25"),
    ("school.example", "mx.school.example[192.0.2.4]:25"),
    ("slow.example", "mx.slow.example[192.0.2.5]:25"),
];
const SENT: &str = "dsn=2.0.0, status=sent (250 2.0.0 OK)";
const ENDS: [&str; 5] = [
    "dsn=5.1.1, status=bounced (host mx[192.0.2.1] said: 550 5.1.1 User unknown (in reply to RCPT TO command))",
    "dsn=5.2.2, status=bounced (host mx[192.0.2.1] said: 552 5.2.2 Mailbox full (in reply to RCPT TO command))",
    "dsn=5.7.26, status=bounced (host mx[192.0.2.1] said: 550-5.7.26 Unauthenticated email from shop.example is not accepted due to domain's DMARC policy (in reply to end of DATA command))",
    "dsn=5.0.0, status=bounced (host mx[192.0.2.9] said: 599 the parrot on 7 is resting (in reply to end of DATA command))",
    "dsn=4.4.1, status=deferred (connect to mx.slow.example[192.0.2.5]:25: Connection timed out)",
];
/// Everything is refused with this for a while.
pub(crate) const OUTAGE: &str = "dsn=4.7.0, status=deferred (host mx[192.0.2.1] said: 421 4.7.0 Try again later, closing connection. (in reply to MAIL FROM command))";

/// One delivery, `seconds` ago.
pub(crate) fn delivery(seconds: i64, n: usize, sender: &str, to: &str, relay: &str, end: &str) -> String {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds);
    let at = format!("{} mx postfix", at.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00"));
    let id = format!("4Xn0y8{n:06}zZ1f");
    let client = if n.is_multiple_of(3) { "news" } else { "shop" };
    format!(
        "{at}/smtpd[10]: {id}: client=app.shop.example[10.0.0.200]\n\
         {at}/cleanup[11]: {id}: message-id=<98494.{n}.7@{client}>\n\
         {at}/qmgr[12]: {id}: from=<{sender}>, size=1000, nrcpt=1 (queue active)\n\
         {at}/smtp[13]: {id}: to=<{to}>, relay={relay}, delay={}, delays=0/0/0/0, {end}\n",
        (n % 40) as f64 / 4.0
    )
}

/// The end of delivery `n`, and its recipient and server.
fn one(n: usize) -> (String, &'static str, &'static str) {
    let (domain, relay) = DESTINATIONS[n % 7 % 5];
    let end = match (domain, n % 11) {
        ("slow.example", 0..5) => ENDS[4],
        (_, 0) => ENDS[n / 11 % 4],
        _ => SENT,
    };
    (format!("person{}@{domain}", n % 5000), relay, end)
}

/// A sandbox whose log has `deliveries` of the last eight days, oldest first, read by a tick. Half
/// an hour ago, google began to defer.
pub(crate) fn sandbox(deliveries: usize, config: &str) -> Sandbox {
    let sandbox = super::sandbox(None, "").config(config);
    let (span, mut text) = (8 * 86_400_i64, String::new());
    for n in 0..deliveries {
        let seconds = span - n as i64 * span / deliveries.max(1) as i64;
        let (to, relay, end) = one(n);
        let end = if relay.starts_with("gmail") && (900..1800).contains(&seconds) { OUTAGE } else { end };
        let sender = if n.is_multiple_of(4) { "news@mail.shop.example" } else { "orders@shop.example" };
        let _ = write!(text, "{}", delivery(seconds, n, sender, &to, relay, end));
    }
    fs::write(sandbox.path("mail.log"), text).unwrap();
    // A million deliveries take longer than other runs.
    let ran = finish(start(sandbox.command(&["cron"]), b""), Duration::from_secs(900));
    assert!(ran.code == 0 && ran.stderr.is_empty(), "{ran:?}");
    sandbox
}
