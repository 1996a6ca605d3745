//! The sink policy: bouncy-sink's behaviour, without its bugs. Read `decide` first.
//!
//! `address` says what an address asks for, `mix` what is drawn by chance for the rest, `refusal` how
//! mail is refused, `owner` whose the return path is, and `mapping` where an answer may go. Invariant: with the default settings
//! nothing goes to a return path, here or by the mail server that is refused, unless it is the
//! sender's.

mod address;
mod asked;
mod at_rcpt;
mod calendar;
mod catalogue;
mod expected;
mod form;
mod json;
mod known_replies;
mod mapping;
mod mix;
mod named_reply;
mod owner;
mod providers;
mod refusal;
mod reply;
mod settings;
mod simulator;

use address::{as_provider, asked};
use asked::Asked;
use carom_policy::actions::{self, DeliveryReport, FeedbackReport, Outcome, Response, Visit};
use carom_policy::facts::{self, Verdict};
use carom_policy::{after, host, now, Class, Failure, Policy, Route, Severity};
use expected::Stage;
use form::Sender;
use mix::{Drawn, Mix};
use owner::{by_spf, owner, Owner};
use refusal::{Candidates, Moment, Refusal};
use reply::Reply;
use settings::Settings;

/// A heap that begins in the memory an instance has: none is grown for a message.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static HEAP: carom_policy::Heap = carom_policy::Heap::new();

struct Sink;

impl Policy for Sink {
    fn decide() -> Result<(), String> {
        let settings = Settings::read(&host::settings()).map_err(|complaints| complaints.join("; "))?;
        if facts::header("X-Bouncy-Sink")
            .is_some_and(|value| value.to_ascii_lowercase().contains("store-done"))
        {
            actions::keep(now());
        }
        if settings.require_dkim {
            match facts::dkim() {
                Verdict::Pass => {}
                Verdict::TempError => return later("the DKIM key cannot be fetched now"),
                _ => return drop_and_count("fail_dkim"),
            }
        }
        let recipient = facts::recipient();
        let (local_part, asked) = asked_by(&settings, &recipient);
        let moment = match at_rcpt::is_asked_here(&settings, &asked) {
            true => Moment::AfterRcpt,
            false => Moment::Message,
        };
        match asked {
            Asked::Accept => accept(),
            Asked::Bounce(reply) => answer(asked_for(&settings), || bounce(&settings, reply)),
            Asked::BounceAs(name) => answer(asked_for(&settings), || bounce_as(&settings, &name)),
            Asked::Complain => answer(asked_for(&settings), complain),
            Asked::AutoReply => answer(asked_for(&settings), out_of_office),
            Asked::OpenAndClick => open(&settings, &Mix::new(&settings, local_part, host::now())),
            Asked::Unsubscribe => unsubscribe(&settings),
            Asked::Reject(reply) => checked(refused(&settings), || {
                give(Some(Refusal::asked_for(reply.unwrap_or_else(|| refusal(&settings)))));
            }),
            Asked::Defer(reply) => checked(refused(&settings), || {
                give(Some(Refusal::asked_for(reply.unwrap_or_else(deferral))));
            }),
            Asked::Provider(name) => {
                checked(refused(&settings), || give(refusal::as_provider(&settings, &name, moment)))
            }
            Asked::Fail(times) => checked(refused(&settings), || give(refusal::so_often(times))),
            Asked::Greylist => checked(refused(&settings), || give(refusal::greylist(&settings))),
            Asked::Mix => {
                let mix = Mix::new(&settings, local_part, host::now());
                let replies = || Candidates::of_the_mix(&settings);
                let refused_before = match moment {
                    Moment::AfterRcpt => mix.in_band * replies().share_at_rcpt(),
                    _ => 0.0,
                };
                match mix.draw(moment.chance(refused_before)) {
                    Drawn::Refuse => checked(drawn(&settings), || give(replies().pick(moment))),
                    Drawn::Bounce => answer(drawn(&settings), || bounce(&settings, None)),
                    Drawn::Complain => answer(drawn(&settings), complain),
                    Drawn::Open => open(&settings, &mix),
                    Drawn::Accept => accept(),
                }
            }
        }
        Ok(())
    }

    fn may_answer(_return_path: &str, hosts: &[String]) -> Option<Route> {
        let settings = Settings::read(&host::settings()).ok()?;
        let mapped = mapping::map(&settings, hosts)?;
        Some(Route { hosts: mapped.hosts, feedback_address: mapped.feedback_address })
    }

    fn classify(failures: &[Failure]) -> Vec<Class> {
        failures.iter().map(by_status).collect()
    }

    fn validate(settings: &str) -> Vec<String> {
        Settings::read(settings).err().unwrap_or_default()
    }
}

pub(crate) fn accept() {
    actions::accept();
    actions::count("accept", now());
}

/// Accepts the message and does nothing; a counter says why.
fn drop_and_count(counter: &str) -> Result<(), String> {
    actions::accept();
    actions::count(counter, now());
    Ok(())
}

fn later(text: &str) -> Result<(), String> {
    actions::defer(&actions::Reply { code: 451, enhanced: "4.7.5".into(), text: text.into() });
    Ok(())
}

/// Who owns the return path, for an answer that the address asks for.
fn asked_for(settings: &Settings) -> Owner {
    if settings.require_spf {
        by_spf()
    } else {
        Owner::Sender
    }
}

/// The same for a refusal: a mail server that has taken the message returns it.
fn refused(settings: &Settings) -> Owner {
    if settings.require_spf {
        owner()
    } else {
        Owner::Sender
    }
}

/// The same for an answer that is drawn by chance.
fn drawn(settings: &Settings) -> Owner {
    match (settings.require_spf_in_mix, settings.require_owner_in_mix) {
        (true, _) => by_spf(),
        (false, true) => owner(),
        (false, false) => Owner::Sender,
    }
}

/// Accepts the message, and sends an answer if the return path is the sender's.
fn answer(owner: Owner, send: impl FnOnce()) {
    checked(owner, || {
        actions::accept();
        send();
    });
}

/// Does something about the return path only if it is the sender's.
fn checked(owner: Owner, act: impl FnOnce()) {
    match owner {
        Owner::Sender => act(),
        Owner::Unknown => drop(later("DNS does not say now whether the return path is the sender's")),
        Owner::Stranger => drop(drop_and_count("fail_spf")),
    }
}

/// What the recipient's address asks for, and its local part.
pub(crate) fn asked_by<'r>(settings: &Settings, recipient: &'r str) -> (&'r str, Asked) {
    let (local_part, domain) = recipient.rsplit_once('@').unwrap_or((recipient, ""));
    let asked = match settings.provider_of(domain) {
        Some(name) => as_provider(name, local_part),
        None => asked(local_part, domain, &settings.domains),
    };
    (local_part, asked)
}

/// Refuses the message, or accepts it if there is no refusal.
fn give(refusal: Option<Refusal>) {
    let Some(refusal) = refusal else { return accept() };
    refusal.expect(Stage::Data).iter().for_each(|expect| actions::expect(expect));
    let reply = in_words_of_carom(refusal.reply);
    match reply.code {
        500.. => actions::reject(&reply),
        _ => actions::defer(&reply),
    };
}

fn in_words_of_carom(reply: Reply) -> actions::Reply {
    actions::Reply { code: reply.code, enhanced: reply.status, text: reply.text }
}

/// The reply of a deferral that names none.
pub(crate) fn deferral() -> Reply {
    Reply::new(451, "4.3.0", "try again later")
}

fn configured(settings: &Settings) -> Reply {
    let (status, text) = (settings.bounce_status.clone(), settings.bounce_text.clone());
    Reply { code: settings.bounce_code, status, text }
}

/// The configured reply if it is permanent, else the usual one.
pub(crate) fn refusal(settings: &Settings) -> Reply {
    let usual = || Reply { code: 550, status: "5.1.1".into(), text: "user unknown".into() };
    Some(configured(settings)).filter(|reply| reply.code >= 500).unwrap_or_else(usual)
}

fn bounce(settings: &Settings, reply: Option<Reply>) {
    let reply = reply.unwrap_or_else(|| configured(settings));
    if let Some(expected) = providers::expected_of(&reply) {
        actions::expect(&expected.text());
    }
    send_bounce(settings, reply);
}

fn send_bounce(settings: &Settings, reply: Reply) {
    let sender = (settings.bounce_sender == Sender::Recipient).then(facts::recipient);
    actions::bounce(&DeliveryReport { reply: in_words_of_carom(reply), sender }, now());
}

/// A bounce that reports a reply of this provider.
fn bounce_as(settings: &Settings, name: &str) {
    match refusal::reply_of(name) {
        Some((reply, expect)) => {
            actions::expect(&expect);
            send_bounce(settings, reply);
        }
        None => bounce(settings, None),
    }
}

fn complain() {
    actions::complain(&FeedbackReport { feedback_type: "abuse".into(), sender: None }, now());
}

fn out_of_office() {
    let text = "I am out of the office and will answer when I am back.\r\n";
    let subject = format!("Out of Office: {}", facts::header("Subject").unwrap_or_default());
    actions::auto_reply(&Response { subject, text: text.into() }, now());
}

/// Sends the one request that unsubscribes, if the message offers it and its signature covers the
/// offer.
fn unsubscribe(settings: &Settings) {
    actions::accept();
    let step = actions::one_click(&visit(settings), now());
    actions::count("unsubscribe", after(step, Outcome::Succeeded));
}

/// How links are fetched.
fn visit(settings: &Settings) -> Visit {
    let agent = match settings.user_agents.len() {
        0 => None,
        many => settings.user_agents.get((host::chance() * many as f64) as usize).cloned(),
    };
    Visit {
        trackers: settings.tracking_domains_allowlist.clone(),
        probe: settings.probe_trackers,
        user_agent: agent,
        timeout: settings.open_click_timeout,
    }
}

/// Opens the message and, by chance, opens it again, clicks, clicks again.
fn open(settings: &Settings, mix: &Mix) {
    let (images, links) = (!facts::images().is_empty(), !facts::links().is_empty());
    if !images && !links {
        actions::accept();
        actions::count("no_html", now());
        return;
    }
    actions::accept();
    let visit = visit(settings);
    let open_delay = settings.open_delay.seconds(host::chance());
    let click_delay = open_delay.saturating_add(settings.click_delay.seconds(host::chance()));
    let again = host::chance() < mix.open_again_given_open;
    let click = host::chance() < mix.click_given_open;
    let click_again = host::chance() < mix.click_again_given_click;
    let at = |before: Option<u32>, delay: u32| actions::Schedule {
        after: before.map(|step| (step, Outcome::Finished)),
        delay,
    };
    let mut opened = None;
    if images {
        let step = actions::open(&visit, at(None, open_delay));
        actions::count("open", after(step, Outcome::Succeeded));
        opened = Some(step);
        if again {
            let step = actions::open(&visit, at(opened, open_delay));
            actions::count("open_again", after(step, Outcome::Succeeded));
        }
    }
    if links && click {
        let clicked = actions::click(&visit, at(opened, click_delay));
        actions::count("click", after(clicked, Outcome::Succeeded));
        if click_again {
            let step = actions::click(&visit, at(Some(clicked), click_delay));
            actions::count("click_again", after(step, Outcome::Succeeded));
        }
    }
}

/// By status code alone, which is enough for a sink. The `bounce` policy reads the text.
fn by_status(failure: &Failure) -> Class {
    let detail = failure.status.split_once('.').map_or("", |(_, detail)| detail);
    let (reason, category, severity) = match detail {
        "1.1" | "1.3" | "1.0" => ("user-unknown", "bad-mailbox", Severity::Hard),
        "1.2" => ("host-unknown", "bad-domain", Severity::Hard),
        "1.6" => ("has-moved", "inactive-mailbox", Severity::Hard),
        "2.1" => ("suspend", "inactive-mailbox", Severity::Soft),
        "2.2" => ("mailbox-full", "quota-issues", Severity::Soft),
        "4.7" | "4.1" => ("expired", "message-expired", Severity::Soft),
        _ => return carom_policy::undetermined(),
    };
    let rule = format!("status {}", failure.status);
    Class { reason: reason.into(), category: category.into(), severity, rule }
}

carom_policy::policy!(Sink);
