//! `/providers`: how the big mail providers take our mail: outcomes and delays, whose
//! authentication they refuse, and who gets mail without TLS.
//!
//! Not here: counting. Invariant: a refusal is listed under the domain whose mail was refused.

use super::frame::{Frame, LONGEST};
use super::page_parts::{command, note, report_command, title};
use super::page_reader::PageReader;
use super::period_choice::PeriodChoice;
use super::showing::show;
use crate::dimension::names::{Parties, SENDER_DOMAIN};
use crate::index::{Filter, StoredDelivery, provider_of};
use crate::serve::delivery_filters::period;
use crate::serve::http_answer::HttpAnswer;
use crate::serve::http_route::HttpAsked;
use crate::serve::problem::Problem;
use crate::serve::view::NewestAsked;
use crate::stats::render::html::figure_lists::{Choice, Lists};
use crate::stats::render::html::markup::{Html, card, scroll};
use crate::stats::render::html::tables::{GroupTable, groups, none};
use crate::stats::render::html::{delays, heat, tls};
use crate::stats::render::wording::number;
use std::collections::BTreeMap;

/// Rows of each list.
const TOP: usize = 20;
/// What is shown without a choice.
const USUAL: &str = "7d";
/// Statuses that a reply is the reason for.
const REFUSED: &str = "bounced,expired,deferred";
/// The reason of a refusal because of SPF, DKIM or DMARC.
const AUTHENTICATION: &str = "auth-failure";
/// Pages of refusals that are counted.
const PAGES: usize = 5;
/// Deliveries of a page.
const PAGE: usize = 2000;

/// Refused authentication, the newest.
#[derive(Default)]
struct Refusals {
    /// By sending domain and provider: how many, and an answer.
    counted: BTreeMap<(String, String), (u64, String)>,
    /// There are older ones in the period.
    are_more: bool,
}

pub(super) fn providers(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let reader = PageReader::of(asked, "/providers");
    let figures = asked.view.figures(&asked.desk.config, period(asked, Some(USUAL))?)?;
    let refusals = refusals(asked, (figures.from_ms, figures.to_ms))?;
    let lists = Lists::of(&figures, true);
    let frame = Frame { title: "Providers", path: "/providers", fresh_for: None, reader: &reader };
    Ok(show(&frame, |to| {
        title(to, "Providers");
        to.raw("<p class=note>");
        reader.time(to, figures.from_ms);
        to.raw(" to ");
        reader.time(to, figures.to_ms);
        to.raw("</p>\n");
        PeriodChoice::of(asked.query, "/providers", USUAL).write(to);
        if figures.providers.is_empty() {
            note(to, "No recipient was at a provider that carom knows.");
        }
        let table = GroupTable::new("providers", "Outcomes", "provider", &figures.providers).of(&figures);
        groups(to, &table, TOP, &lists);
        refused(to, &refusals, &lists);
        heat(to, &figures.provider_reasons, &lists);
        delays(to, &figures, TOP, &lists);
        tls(to, &figures, TOP, &lists);
        if figures.tls.is_empty() && !figures.of_some_mail {
            let why = "Postfix logs the TLS level of a delivery since its release 3.11: here is none.";
            none(to, "tls", "TLS", why);
        }
        lists.command(to, &[("status", REFUSED)]);
        command(to, "The same figures on the command line", &report_command(&figures));
    }))
}

fn refusals(asked: &HttpAsked<'_>, (from, until): (i64, i64)) -> Result<Refusals, Problem> {
    let mut refusals = Refusals::default();
    let filter = &Filter {
        // A customer's figures count all mail that he sees.
        own: asked.view.is_whole().then_some(true),
        statuses: REFUSED.split(',').map(str::to_owned).collect(),
        since_ms: Some(from),
        until_ms: Some(until),
        reason: Some(AUTHENTICATION.to_owned()),
        ..Filter::default()
    };
    let is_wanted = &|one: &StoredDelivery| one.reason.as_deref() == Some(AUTHENTICATION);
    let newest = NewestAsked { filter, is_wanted, page: PAGE, pages: PAGES };
    let are_all = asked.view.newest(&newest, |one| {
        // The null sender's domain is `<>`.
        let parties = Parties { sender: one.sender.as_deref(), ..Parties::default() };
        let domain = parties.names()[SENDER_DOMAIN].as_deref().unwrap_or_default().to_owned();
        let example = one.reply.clone().unwrap_or_default();
        refusals.counted.entry((domain, provider_of(one))).or_insert((0, example)).0 += 1;
    })?;
    Ok(Refusals { are_more: !are_all, ..refusals })
}

fn refused(to: &mut Html, refusals: &Refusals, lists: &Lists) {
    card(to, "authentication", "Authentication refused, by sending domain");
    to.raw("<p class=note>The provider did not accept SPF, DKIM or DMARC of this domain&#39;s mail.</p>");
    if refusals.counted.is_empty() {
        note(to, "None.");
        to.raw("</section>\n");
        return;
    }
    if refusals.are_more {
        note(to, "Only the newest are counted: choose a shorter period.");
    }
    let mut sorted: Vec<_> = refusals.counted.iter().collect();
    sorted.sort_by(|a, b| b.1.0.cmp(&a.1.0).then_with(|| a.0.cmp(b.0)));
    scroll(to, "authentication");
    to.raw("<table class=rows><thead><tr><th scope=col>Sending domain<th scope=col>Provider");
    to.raw("<th scope=col>Refused<th scope=col>An answer<tbody>");
    for ((domain, provider), (count, example)) in sorted.into_iter().take(TOP) {
        let named = [("provider", provider.as_str()), ("sender-domain", domain)].into_iter();
        let choices = [("status", REFUSED), ("reason", AUTHENTICATION)].into_iter();
        let choices: Vec<Choice<'_>> = choices.chain(named.filter(|(_, name)| !name.is_empty())).collect();
        let domain = if domain.is_empty() { "(none)" } else { domain };
        to.raw("<tr><th scope=row><bdi>").foreign(domain, LONGEST).raw("</bdi><td><bdi>");
        to.foreign(provider, LONGEST).raw("</bdi><td>");
        lists.number(to, &number(*count), &choices);
        to.raw("<td class=why>").foreign(example, LONGEST);
    }
    to.raw("</table></div></section>\n");
}
