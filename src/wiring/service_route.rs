//! Which domains go to which service of Postfix: one service for each policy that has domains.
//!
//! Not here: the files of Postfix. Invariant: every domain has one policy.

use super::postconf::Postconf;
use super::postfix_endpoint::PostfixEndpoint;
use crate::config::Config;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// The policy for return paths, if the default policy is the sink.
const BOUNCE: &str = "bounce";
const SINK: &str = "sink";
/// The service that hands mail to `carom lmtp`.
const LMTP: &str = "carom-lmtp";
/// Seconds that Postfix waits longer than carom's own deadline.
const GRACE: u32 = 60;

/// What a service runs.
pub(crate) struct Wired<'a> {
    pub(crate) config: &'a Config,
    /// The file of the config; `None`: the default one.
    pub(crate) config_file: Option<&'a Path>,
    /// `--state`, if it was given.
    pub(crate) state: Option<&'a Path>,
    pub(crate) program: &'a Path,
    /// The user that Postfix runs carom as.
    pub(crate) user: &'a str,
    /// Where `carom lmtp` listens, if it was named.
    pub(crate) lmtp: Option<&'a PostfixEndpoint>,
    /// Where `carom access` listens, if it was named.
    pub(crate) access: Option<&'a PostfixEndpoint>,
}

#[derive(Debug, PartialEq)]
pub(super) struct ServiceRoute {
    pub(super) service: String,
    /// `None`: the default policy.
    pub(super) policy: Option<String>,
    pub(super) domains: Vec<String>,
    /// Where `carom lmtp` listens; `None`: the service runs `carom pipe`.
    pub(super) lmtp: Option<PostfixEndpoint>,
}

/// The routes of the config: the `domains` of each policy, and those of signed return paths.
/// What is no domain is left out.
pub(super) fn routes(config: &Config) -> Result<Vec<ServiceRoute>> {
    if let Some(error) = config.sink_of_return_paths() {
        return Err(error);
    }
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for (policy, domain) in config.handed_domains() {
        if let Some(other) = owners.insert(domain.clone(), policy).filter(|other| *other != policy) {
            let error = Error::new(format_args!("{domain} is in the domains of {other} and of {policy}"))
                .remedy("leave it in the settings of one policy");
            let place = config.place_of(&["policy", policy, "settings", "domains"]);
            return Err(place.into_iter().fold(error, |error, place| error.at(&place.file, place.line)));
        }
    }
    for domain in config.return_paths.domains() {
        let default = config.default_policy.as_str();
        owners.entry(domain.to_owned()).or_insert(if default == SINK { BOUNCE } else { default });
    }
    let mut routes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    owners.into_iter().for_each(|(domain, policy)| routes.entry(policy).or_default().push(domain));
    Ok(routes.into_iter().map(|(policy, domains)| ServiceRoute::new(config, policy, domains)).collect())
}

/// The same; none is an error.
pub(super) fn named_routes(config: &Config) -> Result<Vec<ServiceRoute>> {
    match routes(config)? {
        routes if routes.is_empty() => Err(Error::new("the config names no domain whose mail goes to carom")
            .remedy("set [policy.sink.settings] domains for a sink, or [verp] keys and domain for bounces")),
        routes => Ok(routes),
    }
}

/// The routes with that of the config's own policy through `carom lmtp`, which runs this policy.
pub(super) fn through_lmtp(mut routes: Vec<ServiceRoute>, to: &PostfixEndpoint) -> Result<Vec<ServiceRoute>> {
    if routes.iter().any(|route| route.service == LMTP) {
        return Err(Error::new(format_args!("{LMTP} is the service of the policy \"lmtp\""))
            .remedy("give this policy another name"));
    }
    let Some(route) = routes.iter_mut().find(|route| route.policy.is_none()) else {
        return Err(Error::new("no domain has the config's own policy, and carom lmtp runs no other")
            .remedy(
                "set `policy` in the config; or run `carom postfix disable`, and `enable` without --lmtp",
            ));
    };
    route.service = LMTP.to_owned();
    route.lmtp = Some(to.clone());
    Ok(routes)
}

impl ServiceRoute {
    fn new(config: &Config, policy: &str, domains: Vec<String>) -> ServiceRoute {
        let named = (policy != config.default_policy).then(|| policy.to_owned());
        let service = named.as_ref().map_or("carom".into(), |policy| format!("carom-{policy}"));
        ServiceRoute { service, policy: named, domains, lmtp: None }
    }

    /// The line of master.cf, in the form in which `postconf -M` shows it.
    pub(super) fn entry(&self, wired: &Wired<'_>) -> Result<String> {
        if let Some(policy) = &self.policy {
            refuse_name(wired.config, policy)?;
        }
        if self.lmtp.is_some() {
            // Without XFORWARD, carom hears neither the client nor the queue id. Handing on a
            // connection costs Postfix more than another one. By the syslog name, the log shows
            // what was handed to carom.
            return Ok(format!(
                "{LMTP} unix - - n - - lmtp -o lmtp_send_xforward_command=yes \
                 -o lmtp_connection_cache_on_demand=no -o syslog_name=postfix/{LMTP}"
            ));
        }
        let mut words = vec![self.service.as_str(), "unix", "-", "n", "n", "-", "16", "pipe"];
        let user = format!("user={}", wired.user);
        let program = format!("argv={}", word(wired.program)?);
        words.extend(["flags=DORX", &user, "null_sender=", &program]);
        if let Some(file) = wired.config_file {
            words.extend(["--config", word(file)?]);
        }
        if let Some(state) = wired.state {
            words.extend(["--state", word(state)?]);
        }
        words.push("pipe");
        if let Some(policy) = &self.policy {
            words.extend(["--policy", policy]);
        }
        words.extend(["--sender", "${sender}", "--recipient", "${recipient}"]);
        words.extend(["--original-recipient", "${original_recipient}"]);
        words.extend(["--client-address", "${client_address}", "--client-helo", "${client_helo}"]);
        words.extend(["--queue-id", "${queue_id}"]);
        Ok(words.join(" "))
    }

    /// The parameters that bear the service's name. With the flag D of pipe(8), Postfix demands one
    /// recipient for each run.
    pub(super) fn limits(&self, wired: &Wired<'_>) -> Vec<(String, String)> {
        if self.lmtp.is_some() {
            return Vec::new();
        }
        let seconds = wired.config.message.deadline.saturating_add(GRACE);
        vec![
            (format!("{}_destination_recipient_limit", self.service), "1".into()),
            (format!("{}_time_limit", self.service), format!("{seconds}s")),
        ]
    }

    /// The elements of `relay_domains` for these domains and those below them.
    pub(super) fn relayed(&self, postconf: &Postconf) -> Vec<String> {
        let alone = postconf.matches_subdomains("relay_domains");
        let forms = |domain: &String| match alone {
            true => vec![domain.clone()],
            false => vec![domain.clone(), format!(".{domain}")],
        };
        self.domains.iter().flat_map(forms).collect()
    }
}

/// The table of transports. A name with a dot before it is for the domains below.
pub(super) fn table(routes: &[ServiceRoute]) -> String {
    let entries = routes.iter().flat_map(|ServiceRoute { service, domains, lmtp, .. }| {
        let to = lmtp.as_ref().map_or(service.clone(), |place| format!("{service}:{}", place.0));
        domains.iter().map(move |domain| format!("{{{domain}={to}}}, {{.{domain}={to}}}"))
    });
    format!("inline:{{ {} }}", entries.collect::<Vec<_>>().join(", "))
}

/// Error: a policy's name is in that of its service and of parameters.
fn refuse_name(config: &Config, policy: &str) -> Result<()> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if policy.chars().all(plain) {
        return Ok(());
    }
    let what = format!("policy {policy:?} has domains, and its name cannot be that of a service of Postfix");
    let error = Error::new(what).remedy("use letters, digits, - and _ in the name; nothing was changed");
    let place = config.place_of(&["policy", policy]);
    Err(place.into_iter().fold(error, |error, place| error.at(&place.file, place.line)))
}

/// A path as a word of master.cf.
fn word(path: &Path) -> Result<&str> {
    let plain =
        |text: &&str| !text.contains(|letter: char| letter.is_whitespace() || "{}$,=".contains(letter));
    path.to_str().filter(plain).ok_or_else(|| {
        Error::new(format_args!("{} cannot be written into master.cf", path.display()))
            .remedy("use a path without spaces, braces, dollar and equals signs and commas")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(config: &str) -> Result<Vec<(String, String, String)>, String> {
        let config = Config::parse(config).unwrap();
        let routes = named_routes(&config).map_err(|error| error.to_string())?;
        let shown =
            |route: ServiceRoute| (route.service, route.policy.unwrap_or_default(), route.domains.join(" "));
        Ok(routes.into_iter().map(shown).collect())
    }

    const VERP: &str = "[verp]\nkeys = [\"a key of the tests, long enough\"]\ndomain = \"b.example\"\n";

    #[test]
    fn each_policy_has_a_service_for_its_domains() {
        let sink = "[policy.sink.settings]\ndomains = [\"S.example\", \"t.example\"]\n";
        let one = |service: &str, policy: &str, domains: &str| {
            (service.to_owned(), policy.to_owned(), domains.to_owned())
        };
        assert_eq!(routed(sink), Ok(vec![one("carom", "", "s.example t.example")]));
        let both = routed(&format!("{VERP}{sink}")).unwrap();
        assert_eq!(
            both,
            [one("carom-bounce", "bounce", "b.example"), one("carom", "", "s.example t.example")]
        );
        let alone = routed(&format!("policy = \"bounce\"\n{VERP}")).unwrap();
        assert_eq!(alone, [one("carom", "", "b.example")]);
    }

    #[test]
    fn a_config_without_domains_or_with_impossible_ones_is_refused() {
        assert!(routed("").unwrap_err().contains("names no domain"));
        let twice = "[policy.sink.settings]\ndomains = [\"s.example\"]\n\
                     [policy.bounce.settings]\ndomains = [\"s.example\"]\n";
        assert!(routed(twice).unwrap_err().contains("of bounce and of sink"));
        let odd = "[policy.sink.settings]\ndomains = [\"s.example=x}\"]\n";
        assert!(routed(odd).unwrap_err().contains("names no domain"));
    }
}
