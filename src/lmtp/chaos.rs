//! CHAOS: what goes wrong on purpose in a session, by settings with a chance, or because a
//! recipient asks for it (`x+chaos-drop@…`).
//!
//! Not here: doing it (`client_session`). Invariants: with a seed, the same message to the same
//! recipient meets the same mishaps, on every run and every host, whoever else it is for; without
//! settings there are none.

use crate::config::{ChaosMoment, ChaosTable, LmtpTable, Mischief};
use crate::digest;
use crate::mailbox_syntax::undotted;
use crate::smtp_reply::SmtpReply;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The longest delay that an address may ask for.
const LONGEST: u64 = 600;

pub(super) struct Chaos {
    settings: Vec<ChaosTable>,
    by_address: bool,
    seed: Option<u64>,
    /// Sessions so far.
    sessions: AtomicU64,
}

/// What is to happen now.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mishap {
    Delay(Duration),
    /// Bytes a second.
    SlowRead(u32),
    Close {
        reset: bool,
        after: bool,
    },
    Lose,
    Unavailable,
    /// With this reply, or one that fits the moment.
    Refuse(Option<SmtpReply>),
}

/// What a client has said, and of what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drawn<'a> {
    /// The number of its session.
    pub(super) session: u64,
    /// What names the message: its Message-ID or its text, or before that is known, its sender.
    pub(super) message: &'a str,
    pub(super) recipients: &'a [&'a str],
}

impl Drawn<'_> {
    /// What the draw is over. No moment depends on the other recipients: a client divides a message
    /// as it likes.
    fn over(&self, moment: ChaosMoment) -> String {
        match moment {
            ChaosMoment::Mail | ChaosMoment::Data | ChaosMoment::Text => self.message.to_owned(),
            ChaosMoment::Rcpt => {
                let recipient = self.recipients.last().copied().unwrap_or_default();
                format!("{}\0{}", self.message, same_domain(recipient))
            }
            _ => self.session.to_string(),
        }
    }
}

impl Chaos {
    /// `None`: nothing goes wrong on purpose.
    pub(super) fn of(table: &LmtpTable) -> Option<Chaos> {
        let LmtpTable { chaos, chaos_by_address: by_address, seed, .. } = table;
        let is_on = *by_address || !chaos.is_empty();
        let (settings, sessions) = (chaos.clone(), AtomicU64::new(0));
        is_on.then_some(Chaos { settings, by_address: *by_address, seed: *seed, sessions })
    }

    /// The number of a session that begins.
    pub(super) fn begin_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed)
    }

    /// The mishaps of this moment, in the order of the settings.
    pub(super) fn at(&self, moment: ChaosMoment, of: Drawn<'_>) -> Vec<Mishap> {
        // At RCPT, the last recipient is the new one.
        let new = if moment == ChaosMoment::Rcpt { of.recipients.len().saturating_sub(1) } else { 0 };
        let meant = &of.recipients[new.min(of.recipients.len())..];
        let is_meant = |one: &ChaosTable| one.domain.is_none() || meant.iter().any(|to| one.is_about(to));
        let here = self.settings.iter().enumerate().filter(|(_, one)| one.at == moment && is_meant(one));
        let over = of.over(moment);
        let drawn = here.filter(|(number, one)| self.draw(*number, &over) < one.percent);
        // Another draw than whether it happens.
        let share = |number: usize| self.draw(usize::MAX - number, &over) / 100.0;
        let mut mishaps: Vec<Mishap> = drawn.map(|(number, one)| mishap(one, share(number))).collect();
        if self.by_address {
            let asked = meant.iter().filter_map(|one| asked(one));
            mishaps.extend(asked.filter(|(at, _)| *at == moment).map(|(_, mishap)| mishap));
        }
        mishaps
    }

    /// From 0 to 100.
    fn draw(&self, number: usize, over: &str) -> f64 {
        let Some(seed) = self.seed else { return fastrand::f64() * 100.0 };
        let (seed, number) = (seed.to_string(), number.to_string());
        let parts: [&[u8]; 5] = [seed.as_bytes(), b"\0", number.as_bytes(), b"\0", over.as_bytes()];
        digest::sha256_number(&parts.concat()) as f64 / u64::MAX as f64 * 100.0
    }
}

/// The seed of a message's choices; `None`: any.
pub(super) fn seed_of(seed: Option<u64>, message_id: &str, recipient: &str) -> Option<u64> {
    let (seed, recipient) = (seed?.to_string(), same_domain(recipient));
    let parts: [&[u8]; 5] = [seed.as_bytes(), b"\0", message_id.as_bytes(), b"\0", recipient.as_bytes()];
    Some(digest::sha256_number(&parts.concat()))
}

/// The address with its domain as it is compared: case and a last dot mean nothing there.
fn same_domain(address: &str) -> String {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    format!("{local}@{}", undotted(domain).to_lowercase())
}

/// The mishap of a setting; of a delay, this share of its range.
fn mishap(table: &ChaosTable, share: f64) -> Mishap {
    match table.what {
        Mischief::Delay => {
            let range = table.up_to.unwrap_or(table.seconds) - table.seconds;
            Mishap::Delay(Duration::try_from_secs_f64(table.seconds + range * share).unwrap_or_default())
        }
        Mischief::SlowRead => Mishap::SlowRead(table.bytes.max(1)),
        Mischief::Drop => Mishap::Close { reset: false, after: false },
        Mischief::Reset => Mishap::Close { reset: true, after: false },
        Mischief::DropAfter => Mishap::Close { reset: false, after: true },
        Mischief::ResetAfter => Mishap::Close { reset: true, after: true },
        Mischief::Lose => Mishap::Lose,
        Mischief::Unavailable => Mishap::Unavailable,
        Mischief::Refuse => Mishap::Refuse(table.reply.as_deref().and_then(SmtpReply::refusal_in)),
    }
}

/// What a recipient asks for in its local part: `chaos-drop@…`, `x+chaos-delay-5@…`.
fn asked(recipient: &str) -> Option<(ChaosMoment, Mishap)> {
    let local = recipient.rsplit_once('@').map_or(recipient, |(local, _)| local).to_ascii_lowercase();
    let wish = local.split('+').find_map(|word| word.strip_prefix("chaos-"))?.to_owned();
    let number = |name: &str| wish.strip_prefix(name)?.strip_prefix('-')?.parse::<u64>().ok();
    let close = |reset, after| Some((ChaosMoment::Text, Mishap::Close { reset, after }));
    match wish.as_str() {
        "drop" => close(false, false),
        "reset" => close(true, false),
        "drop-after" => close(false, true),
        "reset-after" => close(true, true),
        "lose" => Some((ChaosMoment::Text, Mishap::Lose)),
        "421" => Some((ChaosMoment::Rcpt, Mishap::Unavailable)),
        _ => number("delay")
            .map(|seconds| (ChaosMoment::Rcpt, Mishap::Delay(Duration::from_secs(seconds.min(LONGEST)))))
            .or_else(|| {
                let bytes = u32::try_from(number("slow")?.max(1)).ok()?;
                Some((ChaosMoment::Data, Mishap::SlowRead(bytes)))
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chaos(seed: Option<u64>, percent: f64) -> Chaos {
        let (at, what, seconds) = (ChaosMoment::Text, Mischief::Drop, 0.0);
        let setting =
            ChaosTable { at, what, domain: None, percent, seconds, up_to: None, reply: None, bytes: 1 };
        Chaos { settings: vec![setting], by_address: true, seed, sessions: AtomicU64::new(0) }
    }

    /// How many of 1000 messages meet a mishap, each named.
    fn met(chaos: &Chaos) -> Vec<usize> {
        let recipients = ["b@b.example"];
        let meets = |number: &usize| {
            let drawn = Drawn { session: 0, message: &number.to_string(), recipients: &recipients };
            !chaos.at(ChaosMoment::Text, drawn).is_empty()
        };
        (0..1000).filter(meets).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_mishaps_as_often_as_asked_for() {
        let first = met(&chaos(Some(1), 10.0));
        assert_eq!(first, met(&chaos(Some(1), 10.0)));
        assert_ne!(first, met(&chaos(Some(2), 10.0)));
        assert!((60..140).contains(&first.len()), "{}", first.len());
        assert_eq!((met(&chaos(Some(1), 100.0)).len(), met(&chaos(Some(1), 0.0)).len()), (1000, 0));
        assert!(
            seed_of(Some(1), "m", "r") == seed_of(Some(1), "m", "r") && seed_of(None, "m", "r").is_none()
        );
        assert_ne!(seed_of(Some(1), "m", "r"), seed_of(Some(1), "m", "s"));
        assert_eq!(seed_of(Some(1), "m", "r@X.example."), seed_of(Some(1), "m", "r@x.example"));
    }

    #[test]
    fn an_address_asks_for_what_it_names() {
        let close = |reset, after| Some((ChaosMoment::Text, Mishap::Close { reset, after }));
        for (address, wish) in [
            ("chaos-drop@x.example", close(false, false)),
            ("x+CHAOS-RESET-AFTER+y@x.example", close(true, true)),
            ("chaos-delay-5@x.example", Some((ChaosMoment::Rcpt, Mishap::Delay(Duration::from_secs(5))))),
            ("chaos-slow-10@x.example", Some((ChaosMoment::Data, Mishap::SlowRead(10)))),
            ("chaos-421@x.example", Some((ChaosMoment::Rcpt, Mishap::Unavailable))),
            ("chaos-@x.example", None),
            ("drop@x.example", None),
            ("x@chaos-drop.example", None),
        ] {
            assert_eq!(asked(address), wish, "{address}");
        }
        let recipients = ["chaos-421@x.example", "b@x.example"];
        let at = |many: usize| {
            let drawn = Drawn { session: 0, message: "m", recipients: &recipients[..many] };
            chaos(None, 0.0).at(ChaosMoment::Rcpt, drawn).len()
        };
        assert_eq!((at(1), at(2), at(0)), (1, 0, 0));
    }
}
