//! Mail that Postfix hands to `carom lmtp`: a transport with a service that runs lmtp(8) or
//! smtp(8), and the socket of carom.
//!
//! Not here: which domains go there (`wiring_findings`). Invariant: a transport is taken for ours
//! if its service or its address has `carom` in its name.

use super::postconf::Postconf;
use super::postfix_endpoint::silence;
use crate::finding::Finding;

/// Whether this value of `transport_maps` hands mail to carom.
pub(super) fn is_ours(postconf: &Postconf, transport: &str) -> bool {
    let Some((service, address)) = transport.split_once(':') else { return false };
    let is_client = |entry: &String| entry.split(' ').next() == Some(service) && runs_client(entry);
    (service.contains("carom") || address.contains("carom"))
        && postconf.services().is_ok_and(|entries| entries.iter().any(is_client))
}

/// Whether this service of master.cf is there to hand mail to carom.
pub(super) fn is_service(entry: &str) -> bool {
    runs_client(entry) && entry.split(' ').next().is_some_and(|name| name.contains("carom"))
}

/// The names by which the log shows that this transport hands mail to carom: those in the path of
/// the socket, and that of the service, if its syslog name has it.
pub(super) fn names_in_log(postconf: &Postconf, transport: &str) -> Vec<String> {
    let (service, address) = transport.split_once(':').unwrap_or((transport, ""));
    let entries = postconf.services().unwrap_or_default();
    let entry = entries.iter().find(|entry| entry.split(' ').next() == Some(service) && runs_client(entry));
    let words = entry.into_iter().flat_map(|entry| entry.split(' '));
    let named =
        words.filter_map(|word| word.strip_prefix("syslog_name=")?.split_once('/')).map(|(_, name)| name);
    let path = address.strip_prefix("unix:").into_iter().flat_map(|path| path.split('/'));
    named.chain(path).map(str::to_owned).collect()
}

fn runs_client(entry: &str) -> bool {
    matches!(entry.split(' ').nth(7), Some("lmtp" | "smtp"))
}

/// Whether carom answers there, and hears whose mail it is.
pub(super) fn findings(postconf: &Postconf, transport: &str) -> Vec<Finding> {
    let (service, address) = transport.split_once(':').unwrap_or((transport, ""));
    let mut findings = Vec::new();
    if let Some(why) = silence(postconf, address, b"", b"220 ") {
        let found = format!("carom lmtp does not answer at {address}: {why}");
        let fix = "start it: systemctl enable --now carom-lmtp.socket, or correct the address";
        findings.push(Finding::wrong("postfix", found, fix));
    }
    let parameters = ["lmtp_send_xforward_command", "smtp_send_xforward_command"];
    let forwards = parameters.iter().any(|name| {
        let mut values = postconf.overrides(name);
        values.extend(postconf.expanded(name));
        values.iter().any(|value| value == "yes")
    });
    if !forwards {
        let found = format!("{service} does not tell carom the client and the queue id of a message");
        let fix =
            format!("add -o lmtp_send_xforward_command=yes to {service} in master.cf: SPF and proof need it");
        findings.push(Finding::wrong("postfix", found, fix));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_for_carom_is_known_by_its_name_and_what_it_runs() {
        let is = |entry: &str| is_service(entry);
        assert!(is("carom-lmtp unix - - n - - lmtp -o lmtp_send_xforward_command=yes"));
        assert!(!is("lmtp unix - - n - - lmtp") && !is("carom unix - n n - - pipe argv=/usr/bin/carom pipe"));
    }
}
