//! Mail that Postfix hands to `carom lmtp`: a transport with a service that runs lmtp(8) or
//! smtp(8), and the socket of carom.
//!
//! Not here: which domains go there (`wiring_findings`). Invariant: a transport is taken for ours
//! if its service or its address has `carom` in its name.

use super::postconf::Postconf;
use super::postfix_endpoint::{EndpointPeer, of_another_protocol, talk};
use crate::finding::Finding;
use crate::text::{bounded, printable};
use std::io;

/// Bytes of a reply that are shown.
const LONGEST_SHOWN: usize = 200;

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

/// The client of Postfix that a service runs, by what it says first.
#[derive(Clone, Copy)]
struct PostfixClient {
    name: &'static str,
    hello: &'static str,
    /// The port of an address that has none.
    port: u16,
    /// How `carom lmtp` is started for it.
    with: &'static str,
    /// The other client.
    other: &'static str,
}

const LMTP: PostfixClient =
    PostfixClient { name: "lmtp", hello: "LHLO", port: 24, with: "without --smtp", other: "smtp" };
const SMTP: PostfixClient =
    PostfixClient { name: "smtp", hello: "EHLO", port: 25, with: "with --smtp", other: "lmtp" };

/// A reply that keeps a client from handing mail over.
struct RefusedHello {
    /// What the client said; empty: it was greeted so.
    said: &'static str,
    reply: String,
}

impl PostfixClient {
    fn of(postconf: &Postconf, service: &str) -> PostfixClient {
        let entries = postconf.services().unwrap_or_default();
        let runs_smtp = |entry: &String| {
            let mut words = entry.split(' ');
            words.next() == Some(service) && words.nth(6) == Some("smtp")
        };
        if entries.iter().any(runs_smtp) { SMTP } else { LMTP }
    }

    /// `inet:[127.0.0.1]:24` for `[127.0.0.1]`.
    fn endpoint(self, address: &str) -> String {
        if address.starts_with("unix:") {
            return address.to_owned();
        }
        let place = address.strip_prefix("inet:").unwrap_or(address);
        let has_port = place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if has_port { format!("inet:{place}") } else { format!("inet:{place}:{}", self.port) }
    }

    fn refusal(self, peer: &mut EndpointPeer) -> io::Result<Option<RefusedHello>> {
        for (said, welcome) in [("", "220"), (self.hello, "250")] {
            if !said.is_empty() {
                peer.say(format!("{said} carom-check\r\n").as_bytes())?;
            }
            let reply = reply(peer)?;
            if !reply.starts_with(welcome) {
                return Ok(Some(RefusedHello { said, reply: printable(bounded(&reply, LONGEST_SHOWN)) }));
            }
        }
        // Whatever comes of it.
        let _ = peer.say(b"QUIT\r\n");
        Ok(None)
    }
}

/// The first line of a reply.
fn reply(peer: &mut EndpointPeer) -> io::Result<String> {
    let first = peer.until(b'\n')?;
    let (code, rest) = first.split_at_checked(3).ok_or_else(of_another_protocol)?;
    if !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(of_another_protocol());
    }
    let mut continues = rest.starts_with('-');
    while continues {
        continues = peer.until(b'\n')?.as_bytes().get(3) == Some(&b'-');
    }
    Ok(first)
}

/// Whether carom takes mail there from the client that this service runs.
fn refused(postconf: &Postconf, service: &str, address: &str) -> Option<Finding> {
    let client = PostfixClient::of(postconf, service);
    let why = match talk(postconf, &client.endpoint(address), |peer| client.refusal(peer))? {
        Ok(None) => return None,
        Ok(Some(RefusedHello { said: "", reply })) => format!("it greets with {reply}"),
        Ok(Some(RefusedHello { said, reply })) => {
            let found =
                format!("{service} says {said} at {address}, which answers {reply}: carom gets no mail");
            let PostfixClient { with, other, .. } = client;
            let fix = format!("start carom lmtp {with} there, or let {service} run {other} in master.cf");
            return Some(Finding::wrong("postfix", found, fix));
        }
        Err(why) => why,
    };
    let found = format!("carom lmtp does not answer at {address}: {why}");
    let fix = "start it: systemctl enable --now carom-lmtp.socket, or correct the address";
    Some(Finding::wrong("postfix", found, fix))
}

/// Whether carom takes mail there, and hears whose it is.
pub(super) fn findings(postconf: &Postconf, transport: &str) -> Vec<Finding> {
    let (service, address) = transport.split_once(':').unwrap_or((transport, ""));
    let mut findings: Vec<Finding> = refused(postconf, service, address).into_iter().collect();
    let parameters = ["lmtp_send_xforward_command", "smtp_send_xforward_command"];
    let forwards = parameters.iter().any(|name| {
        let mut values = postconf.overrides(name);
        values.extend(postconf.expanded(name));
        values.iter().any(|value| value == "yes")
    });
    if !forwards {
        let found = format!("{service} does not tell carom the client and the queue id of a message");
        let client = PostfixClient::of(postconf, service).name;
        let fix = format!(
            "add -o {client}_send_xforward_command=yes to {service} in master.cf: SPF and proof need it"
        );
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
