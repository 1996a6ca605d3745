//! What the sink answers at RCPT, with `refuse_at_rcpt`: there real providers refuse, unless only the
//! message shows why.
//!
//! Not here: which refusal is chosen (`refusal`). Invariant: what this leaves to the message is
//! decided with it as if nobody had asked here, and no refusal is given twice.

use crate::asked::Asked;
use crate::expected::Stage;
use crate::mix::Mix;
use crate::owner::{by_spf, Owner};
use crate::refusal::{as_provider, Candidates, Moment, Refusal};
use crate::reply::Reply;
use crate::settings::Settings;
use crate::{asked_by, deferral, refusal};
use carom_policy::reception::{self, Answer};
use carom_policy::{actions, facts, host, session, Reception};

struct AtRcpt;

impl Reception for AtRcpt {
    fn receive() -> Result<Answer, String> {
        if session::current_stage() != session::Stage::Rcpt {
            return Ok(Answer::Usual);
        }
        let settings = Settings::read(&host::settings()).map_err(|complaints| complaints.join("; "))?;
        match refused(&settings).filter(|refusal| refusal.stage == Stage::Rcpt) {
            None => Ok(Answer::Usual),
            Some(refusal) => {
                refusal.expect(Stage::Rcpt).iter().for_each(|expect| actions::expect(expect));
                let Reply { code, status: enhanced, text } = refusal.reply;
                let reply = reception::Reply { code, enhanced, text };
                Ok(if code >= 500 { Answer::Reject(reply) } else { Answer::Defer(reply) })
            }
        }
    }
}

fn refused(settings: &Settings) -> Option<Refusal> {
    let recipient = facts::recipient();
    let (local_part, asked) = asked_by(settings, &recipient);
    if !is_asked_here(settings, &asked) {
        return None;
    }
    match asked {
        Asked::Reject(reply) => Some(Refusal::asked_for(reply.unwrap_or_else(|| refusal(settings)))),
        Asked::Defer(reply) => Some(Refusal::asked_for(reply.unwrap_or_else(deferral))),
        Asked::Provider(name) => as_provider(settings, &name, Moment::Rcpt),
        Asked::Mix => {
            let mix = Mix::new(settings, local_part, host::now());
            let candidates = Candidates::of_the_mix(settings);
            let is_refused = host::chance() < mix.in_band * candidates.share_at_rcpt();
            is_refused.then(|| candidates.pick(Moment::Rcpt)).flatten()
        }
        _ => None,
    }
}

/// Whether mail that asks for this is refused at RCPT already, if it is refused: the settings want
/// that, and SPF shows that the return path is the sender's, where that has to be shown.
pub fn is_asked_here(settings: &Settings, asked: &Asked) -> bool {
    let is_needed = match asked {
        Asked::Mix => settings.require_spf_in_mix || settings.require_owner_in_mix,
        _ => settings.require_spf,
    };
    settings.refuse_at_rcpt && (!is_needed || facts::sender().is_empty() || by_spf() == Owner::Sender)
}

carom_policy::reception!(AtRcpt);
