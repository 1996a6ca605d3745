//! How Postfix hands mail to carom: services in master.cf and parameters in main.cf.
//!
//! Not here: what Postfix is asked to run (`postconf`, which alone edits the files) and whether the
//! wiring works (`wiring_findings`, `before_transport`). Invariant: what was there before is on
//! record before the first edit, and `disable` brings it back.

mod asked_addresses;
mod asking_findings;
mod asking_restriction;
mod before_transport;
mod domain_findings;
mod domain_list;
mod list_value;
mod lmtp_route;
mod lookup_order;
mod masquerading;
mod own_clients;
mod pipe_service;
mod postconf;
mod postfix_endpoint;
mod powermta_findings;
mod sent_return_paths;
mod service_route;
mod similar;
mod strangers_mail;
mod table_answers;
mod wiring_findings;
mod wiring_record;
mod written_value;

pub(crate) use self::similar::similar;
pub(crate) use own_clients::own_mail_findings;
pub(crate) use postfix_endpoint::PostfixEndpoint;
pub(crate) use powermta_findings::{findings as powermta_findings, handed_domains};
pub(crate) use service_route::Wired;
use wiring_findings::is_wired;
pub(crate) use wiring_findings::{findings, findings_if_used, hands_mail_to_carom};

use crate::config::Config;
use crate::error::{Error, Result};
use list_value::{joined, without};
use pipe_service::PipeService;
use postconf::Edit;
pub(crate) use postconf::Postconf;
use service_route::{ServiceRoute, named_routes, routes};
use wiring_record::{ChangedParameter, ChangedService, WiringRecord};
use written_value::Written;

/// What would be done, or was: command lines, in order.
pub(crate) struct Rewiring {
    pub(crate) commands: Vec<String>,
    edits: Vec<Edit>,
    record: WiringRecord,
    /// Parameters and services whose lines come back, each with them.
    lines: Vec<(Written, String)>,
}

/// The domains whose mail goes to carom by the config, each with its policy.
pub(crate) fn domains(config: &Config) -> Vec<(String, String)> {
    let of_route = |route: ServiceRoute| {
        let policy = route.policy.unwrap_or_else(|| config.default_policy.clone());
        route.domains.into_iter().map(move |domain| (policy.clone(), domain))
    };
    routes(config).into_iter().flatten().flat_map(of_route).collect()
}

/// What is to be done so that Postfix hands carom the mail for the domains of the config.
pub(crate) fn enabling(postconf: &Postconf, wired: &Wired<'_>) -> Result<Rewiring> {
    if let Some(error) = wired.config.misnamed_domains().next() {
        return Err(error);
    }
    let mut routes = named_routes(wired.config)?;
    pipe_service::refuse_user(postconf, wired.user)?;
    if !postconf.has_type("inline")? {
        return Err(Error::new("this Postfix has no tables of type inline (it is older than 3.0)")
            .remedy("update Postfix, or write the lines of /usr/share/doc/carom/examples/postfix (examples/postfix of the sources) with a table of your own"));
    }
    let before = WiringRecord::read(&postconf.directory()?)?;
    let lmtp = wired.lmtp.or(before.lmtp.as_ref()).cloned();
    let access = wired.access.or(before.access.as_ref()).cloned();
    if let Some(lmtp) = &lmtp {
        routes = service_route::through_lmtp(routes, lmtp)?;
    }
    let services = routes.iter().map(|route| changed_service(postconf, wired, route, &before));
    let services = services.collect::<Result<Vec<_>>>()?;
    let mut parameters = parameters(postconf, wired, &routes, &before)?;
    if let Some(access) = &access {
        for name in asking_restriction::lists(wired.config) {
            let without_us = before.without_us(postconf, name)?;
            parameters.extend(asking_restriction::asking(postconf, access, name, without_us)?);
        }
    }
    for ChangedParameter { name, before: value, lines, .. } in &mut parameters {
        *lines = before.lines_without_us(postconf, name, value.as_deref())?;
    }
    let record = WiringRecord { services, parameters, lmtp, access };
    let edits = edits(postconf, &before, &record)?;
    Ok(Rewiring::new(postconf, edits, record, Vec::new()))
}

/// What is to be done so that everything is as it was before.
pub(crate) fn disabling(postconf: &Postconf) -> Result<Rewiring> {
    let directory = postconf.directory()?;
    let before = WiringRecord::read(&directory)?;
    if before.is_empty() && is_wired(postconf)? {
        return Err(Error::new(format_args!(
            "{} has no record of what was there before",
            directory.display()
        ))
        .remedy("remove what is left in main.cf and master.cf by hand: `postconf -n`, `postconf -M`"));
    }
    let edits = edits(postconf, &before, &WiringRecord::default())?;
    let is_back = |name: &str, value: &Option<String>| {
        edits.iter().any(|edit| matches!(edit, Edit::Parameter(edited, to) if edited == name && to == value))
    };
    let back = before.parameters.iter().filter(|one| is_back(&one.name, &one.before));
    let parameters = back.filter_map(|one| Some((Written::Parameter(one.name.clone()), one.lines.clone()?)));
    let comes_back = |name: &String| {
        edits.iter().any(|edit| matches!(edit, Edit::Service(edited, Some(_)) if edited == name))
    };
    let back = before.services.iter().filter(|one| comes_back(&one.name));
    let services = back.filter_map(|one| Some((Written::Service(one.name.clone()), one.lines.clone()?)));
    let lines = parameters.chain(services).collect();
    Ok(Rewiring::new(postconf, edits, WiringRecord::default(), lines))
}

/// Error: after `disable`, a table of main.cf still hands mail to carom.
pub(crate) fn require_unwired(postconf: &Postconf) -> Result<()> {
    let ours = postconf.services()?.iter().filter_map(|entry| PipeService::read(entry)).map(|one| one.name);
    let ours: Vec<String> = ours.collect();
    let tables = postconf.list("transport_maps");
    let leads = |table: &&String| ours.iter().any(|name| table.contains(&format!("={name}}}")));
    match tables.iter().find(leads) {
        None => Ok(()),
        Some(table) => Err(Error::new(format_args!(
            "Postfix still hands mail to carom: transport_maps has {table}"
        ))
        .remedy(
            "remove it from main.cf, and its domains from relay_domains and its services from master.cf, if \
                     they are not wanted: carom has no record of what was there before",
        )),
    }
}

impl Rewiring {
    fn new(
        postconf: &Postconf,
        edits: Vec<Edit>,
        record: WiringRecord,
        lines: Vec<(Written, String)>,
    ) -> Rewiring {
        let mut commands = postconf.command_lines(&edits);
        let back = |(what, _): &(Written, String)| {
            format!("# {}: {} is written as it was before", what.file(), what.name())
        };
        commands.extend(lines.iter().map(back));
        Rewiring { commands, edits, record, lines }
    }

    /// Does it, and lets a running Postfix read its files again.
    pub(crate) fn apply(&self, postconf: &Postconf) -> Result<()> {
        let directory = postconf.directory()?;
        if !self.record.is_empty() {
            self.edits.iter().try_for_each(pipe_service::refuse_missing_user)?;
        }
        if !self.edits.is_empty() {
            postconf.check_last_lines()?;
        }
        if !self.record.is_empty() {
            self.record.write(&directory)?;
        }
        postconf.edit(&self.edits)?;
        postconf.write_lines(&self.lines)?;
        if self.record.is_empty() {
            WiringRecord::remove(&directory)?;
        }
        if self.edits.is_empty() { Ok(()) } else { postconf.reload() }
    }
}

/// The service of a route, and what has its name without us.
fn changed_service(
    postconf: &Postconf,
    wired: &Wired<'_>,
    route: &ServiceRoute,
    record: &WiringRecord,
) -> Result<ChangedService> {
    let name = format!("{}/unix", route.service);
    let (now, entry) = (postconf.service(&name)?, route.entry(wired)?);
    let Some(known) = record.service(&name) else {
        // Without a record, what we would write is ours.
        let before = now.filter(|now| *now != entry);
        let lines = before.as_ref().map(|_| postconf.text_of("master.cf")).transpose()?;
        let lines = lines.and_then(|text| written_value::all_lines(&text, &Written::Service(name.clone())));
        return Ok(ChangedService { name, before, lines, entry });
    };
    // The number of processes is the operator's to set.
    let entry = now.map_or(entry.clone(), |now| pipe_service::with_processes_of(&now, &entry));
    Ok(ChangedService { name, before: known.before.clone(), lines: known.lines.clone(), entry })
}

/// The parameters of all routes, with what they are without us.
fn parameters(
    postconf: &Postconf,
    wired: &Wired<'_>,
    routes: &[ServiceRoute],
    record: &WiringRecord,
) -> Result<Vec<ChangedParameter>> {
    let table = service_route::table(routes);
    // Without a record, our table shows that the rest is ours too.
    let is_ours = record.is_empty()
        && without(&postconf.own("transport_maps")?.unwrap_or_default(), &[]).contains(&table);
    let domains: Vec<String> = routes.iter().flat_map(|route| route.relayed(postconf)).collect();
    let before = |name: &str, ours: &[String]| {
        let now = record.without_us(postconf, name)?;
        Ok::<_, Error>(if is_ours { list_value::rest(now, ours) } else { now })
    };
    let mut parameters = Vec::new();
    for route in routes {
        for (name, after) in route.limits(wired) {
            let before = before(&name, std::slice::from_ref(&after))?;
            parameters.push(ChangedParameter { before, lines: None, name, after, added: Vec::new() });
        }
    }
    let default = postconf.default_list("relay_domains")?;
    let relayed = before("relay_domains", &domains)?.filter(|rest| !is_ours || *rest != default);
    let base = relayed.clone().unwrap_or(default);
    let listed = without(&base, &[]);
    let added: Vec<String> = domains.into_iter().filter(|domain| !listed.contains(domain)).collect();
    let after = joined(base, &added);
    let name = "relay_domains".into();
    parameters.push(ChangedParameter { name, before: relayed, lines: None, after, added });

    let maps = before("transport_maps", std::slice::from_ref(&table))?;
    let added = vec![table];
    // First, so that a wildcard of another table does not win.
    let after = joined(added[0].clone(), &without(&maps.clone().unwrap_or_default(), &added));
    let name = "transport_maps".into();
    parameters.push(ChangedParameter { name, before: maps, lines: None, after, added });
    Ok(parameters)
}

/// From the present state, in which `old` was put into effect, to `new`.
fn edits(postconf: &Postconf, old: &WiringRecord, new: &WiringRecord) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    for service in &new.services {
        if postconf.service(&service.name)?.as_deref() != Some(&service.entry) {
            edits.push(Edit::Service(service.name.clone(), Some(service.entry.clone())));
        }
    }
    for parameter in &new.parameters {
        if postconf.own(&parameter.name)?.as_ref() != Some(&parameter.after) {
            edits.push(Edit::Parameter(parameter.name.clone(), Some(parameter.after.clone())));
        }
    }
    for parameter in old.parameters.iter().filter(|old| new.parameter(&old.name).is_none()) {
        let now = postconf.own(&parameter.name)?;
        let undone = parameter.undone(now.clone());
        if undone != now {
            edits.push(Edit::Parameter(parameter.name.clone(), undone));
        }
    }
    for service in old.services.iter().filter(|old| new.service(&old.name).is_none()) {
        let now = postconf.service(&service.name)?;
        if now != service.before {
            edits.push(Edit::Service(service.name.clone(), service.before.clone()));
        }
    }
    Ok(edits)
}
