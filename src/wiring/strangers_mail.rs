//! Would Postfix take a bounce for a domain of carom's from a host on the Internet? Its lists of
//! restrictions are followed as smtpd(8) does it.
//!
//! Not here: access tables that keep mail from carom whoever sends it (`before_transport`).
//! Invariants: what depends on who the client is counts as letting it pass; nothing is sent.

use super::asked_addresses::{anybody, host_below, signed};
use super::before_transport::keeps;
use super::domain_list::domains;
use super::list_value::{ASKS, without};
use super::lookup_order::{LookupKey, LookupOrder, find, first};
use super::postconf::{Postconf, RESTRICTIONS};
use super::service_route::ServiceRoute;
use crate::config::Config;
use crate::finding::Finding;

/// Classes of restrictions that name each other are followed this far.
const DEEPEST: usize = 8;

/// A client that nobody knows.
#[derive(Clone, Copy)]
struct Stranger {
    host: &'static str,
    address: &'static str,
}

/// What is refused from both is refused from everybody.
const STRANGERS: [Stranger; 2] = [
    Stranger { host: "mx.stranger.example", address: "8.25.34.25" },
    Stranger { host: "out.elsewhere.example", address: "193.25.34.25" },
];

/// Restrictions that are followed by an argument, beside those that begin with `check_`.
const WITH_ARGUMENT: [&str; 11] = [
    "permit_dnswl_client",
    "permit_rhswl_client",
    "reject_rbl",
    "reject_rbl_client",
    "reject_rhsbl",
    "reject_rhsbl_client",
    "reject_rhsbl_helo",
    "reject_rhsbl_recipient",
    "reject_rhsbl_reverse_client",
    "reject_rhsbl_sender",
    "sleep",
];

/// What a list of restrictions comes to.
enum Outcome {
    Permits,
    Refuses(Refusal),
    /// The next list is asked.
    Passes,
}

/// The restriction that refuses.
struct Refusal {
    /// As the list has it.
    first: String,
    /// With what it names and asks.
    whole: String,
    /// The table that it asks.
    table: Option<String>,
}

/// Actions of access(5) that decide nothing.
const UNDECIDED: [&str; 5] = ["BCC", "DUNNO", "INFO", "PREPEND", "WARN"];

/// Domains whose mail is refused, unless `known` has findings about the table that does it.
pub(super) fn findings(
    postconf: &Postconf,
    config: &Config,
    routes: &[ServiceRoute],
    known: &[Finding],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let of_service = public_services(postconf);
    let is_known = |table: &String| {
        let start = format!("{table} keeps ");
        known.iter().any(|finding| finding.found.starts_with(&start))
    };
    for domain in routes.iter().flat_map(|route| &route.domains) {
        let signed = signed(config, domain);
        // A domain of return paths need have no other recipients.
        let plain = [anybody(domain), anybody(&host_below(domain))];
        let recipients = if signed.is_empty() { plain.to_vec() } else { signed };
        let session = |service: &Option<String>| Session { postconf, service: service.clone() };
        let refused = of_service.iter().find_map(|service| session(service).refusal(&recipients));
        let refused = refused.filter(|(_, refusal)| !refusal.table.as_ref().is_some_and(is_known));
        findings.extend(refused.map(|(list, refusal)| refused_finding(&list, &refusal, domain)));
        findings.extend(not_listed(postconf, domain, &recipients));
    }
    findings
}

fn refused_finding(list: &str, refusal: &Refusal, domain: &str) -> Finding {
    let Refusal { first, whole, .. } = refusal;
    let found = format!("mail for {domain} from outside is refused: {list} has {whole}");
    let table = format!("inline:{{ {{{domain}=OK}}, {{.{domain}=OK}} }}");
    let fix = format!("put check_recipient_access {table} before {first} in {list}");
    Finding::wrong("postfix", found, fix)
}

/// The services that hosts on the Internet reach, like `smtp/inet`. `None`: main.cf alone counts.
fn public_services(postconf: &Postconf) -> Vec<Option<String>> {
    let public = |entry: &String| {
        let words: Vec<&str> = entry.split(' ').collect();
        let (name, kind, command) = (words.first()?, words.get(1)?, words.get(7)?);
        let port = name.rsplit(':').next().unwrap_or(name);
        let is_public = *kind == "pass" || matches!(port, "smtp" | "25");
        (*command == "smtpd" && is_public).then(|| Some(format!("{name}/{kind}")))
    };
    let found: Vec<_> = postconf.services().unwrap_or_default().iter().filter_map(public).collect();
    if found.is_empty() { vec![None] } else { found }
}

/// A session of a stranger with one service.
struct Session<'a> {
    postconf: &'a Postconf,
    service: Option<String>,
}

impl Session<'_> {
    /// The list, and what in it refuses a bounce to one of the recipients from every stranger.
    fn refusal(&self, recipients: &[String]) -> Option<(String, Refusal)> {
        let lists = RESTRICTIONS.into_iter().flat_map(|list| recipients.iter().map(move |to| (list, to)));
        lists.into_iter().find_map(|(list, recipient)| {
            let elements = self.elements(list);
            let refusing =
                |stranger| match (Walk { session: self, stranger, recipient, list }).list(&elements, 0) {
                    Outcome::Refuses(refusal) => Some(refusal),
                    Outcome::Permits | Outcome::Passes => None,
                };
            let [one, other] = STRANGERS.map(refusing);
            other.and(one).map(|refusal| (self.shown(list), refusal))
        })
    }

    /// The elements of a list, as this service has it.
    fn elements(&self, list: &str) -> Vec<String> {
        let own = self.service.as_ref().and_then(|service| self.postconf.override_of(service, list));
        match own {
            None => self.postconf.list(list),
            Some(own) => {
                let elements = without(own, &[]).into_iter();
                let named = |element: String| match element.strip_prefix('$') {
                    Some(name) => self.postconf.list(name.trim_matches(['{', '}', '(', ')'])),
                    None => vec![element],
                };
                elements.flat_map(named).collect()
            }
        }
    }

    fn shown(&self, list: &str) -> String {
        match &self.service {
            Some(service) if self.postconf.override_of(service, list).is_some() => {
                format!("{list} of {service} in master.cf")
            }
            _ => list.to_owned(),
        }
    }
}

/// One list on the way, for one recipient.
struct Walk<'a> {
    session: &'a Session<'a>,
    stranger: Stranger,
    recipient: &'a str,
    /// Its name says what a table is asked about that has no restriction before it.
    list: &'a str,
}

impl Walk<'_> {
    fn list(&self, elements: &[String], depth: usize) -> Outcome {
        let mut elements = elements.iter();
        let mut is_warning = false;
        while let Some(element) = elements.next() {
            let name = element.to_ascii_lowercase();
            let argument = if takes_argument(&name) { elements.next().map(String::as_str) } else { None };
            let outcome = match is_warning {
                true => Outcome::Passes,
                false => self.element(&name, element, argument, depth),
            };
            is_warning = name == "warn_if_reject";
            match outcome {
                Outcome::Passes => {}
                decided => return decided,
            }
        }
        Outcome::Passes
    }

    fn element(&self, name: &str, element: &str, argument: Option<&str>, depth: usize) -> Outcome {
        match (name, argument) {
            ("permit" | "permit_auth_destination", _) => Outcome::Permits,
            ("reject" | "defer" | "defer_if_permit", _) => {
                let (first, whole) = (element.to_owned(), element.to_owned());
                Outcome::Refuses(Refusal { first, whole, table: None })
            }
            (_, Some(table)) if name.starts_with("check_") => {
                self.table(name, table, &format!("{element} {table}"), depth)
            }
            _ if name.starts_with(ASKS) => Outcome::Passes,
            _ if name.contains(':') => self.table(self.asked_by_list(), element, element, depth),
            _ if depth < DEEPEST && self.is_class(element) => {
                let class = self.session.postconf.list(element);
                within(element, self.list(&class, depth + 1))
            }
            _ => Outcome::Passes,
        }
    }

    fn is_class(&self, name: &str) -> bool {
        self.session.postconf.list("smtpd_restriction_classes").iter().any(|class| class == name)
    }

    fn asked_by_list(&self) -> &'static str {
        match self.list {
            "smtpd_client_restrictions" => "check_client_access",
            "smtpd_helo_restrictions" => "check_helo_access",
            "smtpd_sender_restrictions" => "check_sender_access",
            _ => "check_recipient_access",
        }
    }

    /// What a table says, which may be a list of restrictions.
    fn table(&self, restriction: &str, table: &str, shown: &str, depth: usize) -> Outcome {
        let Some(result) = self.result(restriction, table) else { return Outcome::Passes };
        let action = result.split_whitespace().next().unwrap_or_default();
        let is = |actions: &[&str]| actions.iter().any(|one| action.eq_ignore_ascii_case(one));
        if keeps(&result) {
            let whole = format!("{shown}, which says `{result}`");
            return Outcome::Refuses(Refusal {
                first: shown.to_owned(),
                whole,
                table: Some(table.to_owned()),
            });
        }
        match () {
            () if is(&["OK"]) || action.bytes().all(|byte| byte.is_ascii_digit()) => Outcome::Permits,
            () if is(&UNDECIDED) || depth >= DEEPEST => Outcome::Passes,
            () => within(shown, self.list(&without(&result, &[]), depth + 1)),
        }
    }

    fn result(&self, restriction: &str, table: &str) -> Option<String> {
        let (postconf, tables) = (self.session.postconf, [table.to_owned()]);
        let names = |name: &str| {
            let parent = postconf.matches_subdomains("smtpd_access_maps");
            let keys = domains(name, parent).enumerate();
            keys.map(|(number, text)| LookupKey { text, is_whole: number == 0 }).collect::<Vec<_>>()
        };
        let whole = |text: &str| LookupKey { text: text.to_owned(), is_whole: true };
        let keys = match restriction {
            "check_recipient_access" => {
                let entry = find(postconf, LookupOrder::Access, &tables, self.recipient);
                return entry.map(|entry| entry.value);
            }
            "check_sender_access" => {
                vec![whole(&postconf.expanded("smtpd_null_access_lookup_key").unwrap_or_default())]
            }
            "check_helo_access" => names(self.stranger.host),
            "check_client_access" | "check_reverse_client_hostname_access" => {
                [names(self.stranger.host), vec![whole(self.stranger.address)]].concat()
            }
            _ => return None,
        };
        first(postconf, &tables, keys).map(|entry| entry.value)
    }
}

/// The outcome of a list that another one names.
fn within(name: &str, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Refuses(Refusal { whole, table, .. }) => {
            let whole = format!("{name}, which has {whole}");
            Outcome::Refuses(Refusal { first: name.to_owned(), whole, table })
        }
        other => other,
    }
}

/// Whether a restriction is followed by an argument.
fn takes_argument(name: &str) -> bool {
    name.starts_with("check_") && !name.starts_with(ASKS) || WITH_ARGUMENT.contains(&name)
}

/// Recipients that `relay_recipient_maps` does not have.
fn not_listed(postconf: &Postconf, domain: &str, recipients: &[String]) -> Option<Finding> {
    let tables = postconf.list("relay_recipient_maps");
    let is_used = postconf.expanded("smtpd_reject_unlisted_recipient").is_ok_and(|value| value == "yes");
    if tables.is_empty() || !is_used {
        return None;
    }
    let is_listed = |to: &&String| find(postconf, LookupOrder::Address, &tables, to).is_some();
    let lacking = recipients.iter().find(|to| !is_listed(to))?;
    if let Some(mute) = tables.iter().find(|table| postconf.is_mute(table)) {
        return Some(Finding::note(
            "postfix",
            format_args!("relay_recipient_maps cannot be asked about {domain}: {mute} does not answer"),
            format_args!("run this as root, and look at: postmap -q @{domain} {mute}"),
        ));
    }
    let pattern = domain.replace('.', "[.]");
    Some(Finding::wrong(
        "postfix",
        format_args!(
            "mail for {domain} is refused: relay_recipient_maps is set, and recipients that it does not list are \
             refused, like {lacking}"
        ),
        format_args!("add a regexp table to relay_recipient_maps, with the entry: /[@.]{pattern}$/ x"),
    ))
}
