//! Whether `[[logs]] own` and Postfix mean the same by our own mail: the clients in `mynetworks`,
//! what a content filter makes of the mail of strangers, and how addresses are logged.
//!
//! Not here: whose mail a delivery is (`config::own_mail`). Invariant: Postfix is asked, and
//! nothing is taken from it: the config alone decides.

use super::postconf::Postconf;
use crate::config::{Config, OwnMail};
use crate::finding::Finding;

/// For the first log of Postfix, if this host has it.
pub(crate) fn own_mail_findings(config: &Config) -> Vec<Finding> {
    let logs = config.mail_logs.get().into_iter().flatten().enumerate();
    let Some((number, log)) = logs.into_iter().find(|(_, log)| !log.kind.has_records()) else {
        return Vec::new();
    };
    if !Postconf::is_installed() {
        return Vec::new();
    }
    let (postconf, own) = (Postconf::new(None), OwnMail::of(log, config));
    let findings = [networks(&postconf, &own), local(&postconf, &own)];
    let number = number.to_string();
    let of_key = |finding: Finding| finding.of_key(config, &["logs", &number, "own"]);
    findings.into_iter().flatten().map(of_key).chain(doubtful_addresses(&postconf)).collect()
}

/// Addresses without their quotes, in the log.
fn doubtful_addresses(postconf: &Postconf) -> Option<Finding> {
    let format = postconf.expanded("info_log_address_format").ok()?;
    (format.trim() == "internal").then(|| {
        let found = "info_log_address_format = internal: Postfix logs quoted addresses without their quotes, so a \
             stranger's address can look like the rest of a line; nothing follows from a line that can be read \
             in two ways";
        Finding::note("postfix", found, "postconf -e info_log_address_format=external && postfix reload")
    })
}

/// Clients that Postfix trusts, and whose mail counts as that of others.
fn networks(postconf: &Postconf, own: &OwnMail) -> Option<Finding> {
    let listed = postconf.list("mynetworks");
    let lacking: Vec<String> = listed.into_iter().filter(|network| own.lacks(network)).collect();
    if lacking.is_empty() || !own.has_networks() {
        return None;
    }
    let found = format!(
        "mynetworks of Postfix has {}, and [[logs]] own does not: mail from there counts as that of others, and \
         its failures suppress nobody",
        lacking.join(" ")
    );
    let bare = lacking.iter().map(|network| network.replace(['[', ']'], ""));
    let all: Vec<String> = own.written().chain(bare).map(|entry| format!("{entry:?}")).collect();
    let fix = format!("if its mail is yours, set: own = [{}]", all.join(", "));
    Some(Finding::note("postfix", found, fix))
}

/// A filter that is run for each message, and hands it back with sendmail(1).
fn local(postconf: &Postconf, own: &OwnMail) -> Option<Finding> {
    let mut filters = postconf.overrides("content_filter");
    filters.extend(postconf.expanded("content_filter"));
    let filter = filters.into_iter().find(|filter| is_program(postconf, filter))?;
    if !own.has_local() {
        return None;
    }
    let found = format!(
        "content_filter = {filter} is a pipe(8) service: what it hands back with sendmail(1) is local mail in the \
         log, and [[logs]] own takes it for ours, whoever sent it"
    );
    let all = own.written().filter(|entry| entry != "local").map(|entry| format!("{entry:?}"));
    let fix = format!(
        "leave out local: own = [{}]; or let the filter hand mail back over SMTP",
        all.collect::<Vec<_>>().join(", ")
    );
    Some(Finding::note("postfix", found, fix))
}

/// Whether the transport of a filter runs a program.
fn is_program(postconf: &Postconf, filter: &str) -> bool {
    let transport = filter.split(':').next().unwrap_or_default();
    let service = postconf.service(&format!("{transport}/unix")).ok().flatten();
    service.is_some_and(|entry| entry.split(' ').nth(7) == Some("pipe"))
}
