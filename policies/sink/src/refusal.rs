//! How the sink refuses mail in the dialogue: as a provider does, by chance, some times, or for some
//! time. And what a classifier should make of it.
//!
//! Not here: whether it may (`owner`), the replies (`providers`, `catalogue`), and giving one (`lib`
//! with the message, `at_rcpt` before it). Invariant: where RCPT is asked first, each refusal has the
//! probability that it has where only the message is.

use crate::catalogue::{pick, Names};
use crate::expected::Stage;
use crate::providers::{expected_of, provider, ProviderReply, PROVIDERS};
use crate::reply::Reply;
use crate::settings::Settings;
use carom_policy::{facts, host};

/// A refusal that was chosen.
pub struct Refusal {
    pub reply: Reply,
    /// When it is given, by what it says.
    pub stage: Stage,
    /// What a classifier should make of it; empty: nobody has said.
    expect: String,
}

/// When the sink is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// At RCPT.
    Rcpt,
    /// With the message, after RCPT.
    AfterRcpt,
    /// With the message, and nobody has asked at RCPT.
    Message,
}

impl Moment {
    fn fits(self, stage: Stage) -> bool {
        match self {
            Moment::Rcpt => stage == Stage::Rcpt,
            Moment::AfterRcpt => stage == Stage::Data,
            Moment::Message => true,
        }
    }

    /// A chance of now, of which the first `refused` were refused before.
    pub fn chance(self, refused: f64) -> f64 {
        match self {
            Moment::AfterRcpt => refused + host::chance() * (1.0 - refused),
            _ => host::chance(),
        }
    }
}

impl Refusal {
    /// One that the address asks for.
    pub fn asked_for(reply: Reply) -> Refusal {
        let expected = expected_of(&reply);
        let stage = expected.map_or(Stage::Rcpt, |expected| expected.stage);
        let expect = expected.map_or(String::new(), |expected| expected.text());
        Refusal { reply, stage, expect }
    }

    fn of(candidate: &Candidate<'_>) -> Refusal {
        match *candidate {
            Candidate::Of(reply) => {
                let filled = Reply { text: names().fill(reply.text), ..reply.reply() };
                Refusal { reply: filled, stage: candidate.stage(), expect: reply.expected.text() }
            }
            Candidate::Own { reply, expect, .. } => {
                let filled = Reply { text: names().fill(&reply.text), ..reply.clone() };
                match expect {
                    "" => Refusal::asked_for(filled),
                    _ => Refusal { reply: filled, stage: candidate.stage(), expect: expect.to_owned() },
                }
            }
        }
    }

    /// What a classifier should make of it when it is given at this stage.
    pub fn expect(&self, given_at: Stage) -> Option<String> {
        (!self.expect.is_empty()).then(|| format!("{}; stage={}", self.expect, given_at.name()))
    }
}

/// A reply that may be given.
enum Candidate<'s> {
    Of(&'static ProviderReply),
    Own { reply: &'s Reply, weight: f64, expect: &'s str },
}

impl Candidate<'_> {
    fn weight(&self) -> f64 {
        match self {
            Candidate::Of(_) => 1.0,
            Candidate::Own { weight, .. } => *weight,
        }
    }

    fn stage(&self) -> Stage {
        match self {
            Candidate::Of(reply) => reply.expected.stage,
            Candidate::Own { reply, expect: "", .. } => {
                expected_of(reply).map_or(Stage::Rcpt, |expected| expected.stage)
            }
            Candidate::Own { expect, .. } => {
                let reason = expect.split(';').find_map(|part| part.trim().strip_prefix("reason="));
                Stage::of(reason.unwrap_or_default())
            }
        }
    }
}

/// The replies of which one is drawn.
pub struct Candidates<'s>(Vec<Candidate<'s>>);

impl<'s> Candidates<'s> {
    /// Those of refusals by chance: the replies in the settings, or those of any provider.
    pub fn of_the_mix(settings: &'s Settings) -> Candidates<'s> {
        if settings.replies.is_empty() {
            let all = PROVIDERS.iter().flat_map(|provider| provider.replies);
            return Candidates(all.map(Candidate::Of).collect());
        }
        let own = settings.replies.iter();
        let own =
            own.map(|one| Candidate::Own { reply: &one.reply, weight: one.weight, expect: &one.expect });
        Candidates(own.collect())
    }

    /// The part of them that is given at RCPT.
    pub fn share_at_rcpt(&self) -> f64 {
        let weight =
            |some: &mut dyn Iterator<Item = &Candidate<'s>>| some.map(Candidate::weight).sum::<f64>();
        let all = weight(&mut self.0.iter());
        let at_rcpt = weight(&mut self.0.iter().filter(|one| one.stage() == Stage::Rcpt));
        if all > 0.0 {
            at_rcpt / all
        } else {
            0.0
        }
    }

    /// One that is given now.
    pub fn pick(&self, moment: Moment) -> Option<Refusal> {
        let now: Vec<&Candidate<'s>> = self.0.iter().filter(|one| moment.fits(one.stage())).collect();
        pick(&now, |one| one.weight(), host::chance()).map(|one| Refusal::of(one))
    }
}

/// Refuses some of the mail to a provider's label, with a reply that the provider gives, or one that
/// the address names.
pub fn as_provider(settings: &Settings, name: &str, moment: Moment) -> Option<Refusal> {
    let recipient = facts::recipient();
    let local = recipient.rsplit_once('@').map_or("", |(local, _)| local).to_ascii_lowercase();
    let tag = local.rsplit_once('+').map_or(&*local, |(_, tag)| tag);
    let replies = Candidates(provider(name)?.named(tag).into_iter().map(Candidate::Of).collect());
    let refused = settings.provider_percent / 100.0;
    let at_rcpt = refused * replies.share_at_rcpt();
    let limit = if moment == Moment::Rcpt { at_rcpt } else { refused };
    if moment.chance(at_rcpt) < limit {
        replies.pick(moment)
    } else {
        None
    }
}

/// One of a provider's replies, for a bounce, with what a classifier should make of it.
pub fn reply_of(name: &str) -> Option<(Reply, String)> {
    let picked = provider(name)?.pick("", host::chance())?;
    let reply = picked.reply();
    Some((Reply { text: names().fill(&reply.text), ..reply }, picked.expected.text()))
}

/// Defers a message so often, and then accepts it.
pub fn so_often(times: u32) -> Option<Refusal> {
    let later = || Refusal::asked_for(Reply::new(451, "4.3.0", "try again later"));
    (facts::times_deferred() < times).then(later)
}

/// Defers mail of a client network and sender to a recipient until the delay has passed.
pub fn greylist(settings: &Settings) -> Option<Refusal> {
    let waited = facts::first_deferred().map(|first| host::now().saturating_sub(first) / 1000);
    let is_over = waited.is_some_and(|waited| waited >= u64::from(settings.greylist_delay));
    let later = || Refusal::asked_for(Reply::new(450, "4.2.0", "greylisted, try again later"));
    (!is_over).then(later)
}

fn names() -> Names {
    Names {
        recipient: facts::recipient(),
        sender: facts::sender(),
        client: facts::client_address().unwrap_or_default(),
        client_name: facts::helo().unwrap_or_default(),
    }
}
