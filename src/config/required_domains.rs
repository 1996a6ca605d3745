//! What carom has to know before it handles mail: that somebody wrote a config, and for which
//! domains the sink answers.
//!
//! Not here: what the sink does with them, which is the policy's. Invariant: without them no
//! message is accepted; it could be anybody's mail.

use super::fault::ConfigFault;
use super::{Config, DEFAULT_PATH, handed_domains};
use crate::error::{Error, Result};

/// The shipped policy that has to know its domains.
const SINK: &str = "sink";

impl Config {
    /// Whether mail may be handed to `policy`.
    pub(crate) fn require_domains(&self, policy: &str) -> Result<()> {
        let settings = self.policy.get(policy).map(|table| &table.settings);
        let domains = settings.and_then(|settings| settings.get("domains"));
        // The sink takes dots at both ends off; what is no list it refuses itself.
        let is_domain = |one: &toml::Value| {
            one.as_str().is_none_or(|one| handed_domains::domain(one.trim_matches('.')).is_ok())
        };
        let has_domains =
            domains.is_some_and(|domains| domains.as_array().is_none_or(|all| all.iter().any(is_domain)));
        if !self.file.is_written() {
            let remedy = format!("write one: {DEFAULT_PATH}, or name it with --config");
            return Err(Error::new("there is no config, so carom takes no mail").remedy(remedy));
        }
        if policy != SINK || has_domains {
            return Ok(());
        }
        let path = ["policy", SINK, "settings", "domains"].map(str::to_owned).to_vec();
        let what = "the sink has no domains, so it takes no mail".to_owned();
        let fix = "set domains = [\"sink.example.com\"], with your own; or, for bounces, policy = \"bounce\"";
        Err(self.file.explain(&ConfigFault { path, what, fix: fix.into() }))
    }

    /// Error: the sink got mail for a domain of return paths, which may be a real bounce.
    pub(crate) fn refuse_real_bounce(&self, policy: &str, recipient: &str) -> Result<()> {
        let domain = recipient.rsplit_once('@').map_or("", |(_, domain)| domain).trim_matches('.');
        if policy != SINK || !self.return_paths.is_domain(domain) {
            return Ok(());
        }
        let fix = "hand mail for that domain to the bounce policy: run `carom postfix enable`, or add --policy bounce \
                   to carom pipe";
        let misdirected = || {
            Error::new(format_args!("the sink got mail for return paths: a bounce of {domain}")).remedy(fix)
        };
        Err(self.sink_of_return_paths().unwrap_or_else(misdirected))
    }

    /// What is wrong with a sink that has the domain of return paths: it would get real bounces.
    pub(crate) fn sink_of_return_paths(&self) -> Option<Error> {
        let domains = self.policy.get(SINK)?.settings.get("domains")?.as_array()?;
        let written = domains.iter().filter_map(toml::Value::as_str);
        let mut domains = written.map(|one| one.trim_matches('.'));
        let domain = domains.find(|one| self.return_paths.is_domain(one))?;
        let path = ["policy", SINK, "settings", "domains"].map(str::to_owned).to_vec();
        let what = format!("the sink has the domain of return paths, {domain}: real bounces go to it");
        let fix = format!("remove {domain:?} from it, or give [verp] another domain");
        Some(self.file.explain(&ConfigFault { path, what, fix }))
    }
}
