//! What operators are alerted of and how, as configured in `[[alert]]` and `[alerts]`.
//!
//! Not here: when an alert fires (`alert`). Invariant: a rule can be evaluated, and somebody can be
//! alerted.

use super::applications::is_web_address;
use super::fault::ConfigFault;
use super::mail_server::{MailServer, is_address};
use super::metric::{Metric, Of};
use super::request_secrets::RequestSecrets;
use super::span::Span;
use super::tables::{AlertTable, AlertsTable, Tables};
use std::collections::HashSet;

#[derive(Clone, Debug)]
pub(crate) struct Alerting {
    /// The address in From; `None` for `carom@` and the host's name.
    pub(crate) from: Option<String>,
    /// `None` for the mail exchangers of each address.
    pub(crate) server: Option<MailServer>,
    pub(crate) rules: Vec<AlertRule>,
}

/// A rule on a statistic. The meaning of each field is that of the key in `AlertTable`.
#[derive(Clone, Debug)]
pub(crate) struct AlertRule {
    pub(crate) name: String,
    pub(crate) when: Metric,
    pub(crate) of: Option<Of>,
    pub(crate) above: Option<f64>,
    pub(crate) below: Option<f64>,
    pub(crate) window: Span,
    pub(crate) at_least: u64,
    pub(crate) hold: Span,
    pub(crate) mail: Vec<String>,
    pub(crate) webhook: Option<AlertWebhook>,
}

#[derive(Clone, Debug)]
pub(crate) struct AlertWebhook {
    pub(crate) url: String,
    pub(crate) secrets: RequestSecrets,
}

impl Alerting {
    pub(super) const TABLES: &[&str] = &["alert", "alerts"];

    pub(super) fn read(tables: Tables) -> Result<Alerting, ConfigFault> {
        let AlertsTable { from, server } = tables.alerts;
        if from.as_deref().is_some_and(|from| !is_address(from)) {
            let fix = "use an address like carom@example.com";
            return Err(ConfigFault::new("alerts", "from", "is not an address", fix));
        }
        let server =
            server.as_deref().map(|server| MailServer::read("alerts", "server", server)).transpose()?;
        let mut names = HashSet::new();
        let mut rules = Vec::with_capacity(tables.alert.len());
        for (number, table) in tables.alert.into_iter().enumerate() {
            if !names.insert(table.name.clone()) {
                let what = format!("{:?} is the name of another [[alert]]", table.name);
                return Err(ConfigFault::of_element("alert", number, "name", what, "choose another name"));
            }
            rules.push(rule(table, number)?);
        }
        Ok(Alerting { from, server, rules })
    }
}

impl Alerting {
    /// Whether requests of any rule are signed.
    pub(crate) fn has_secrets(&self) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.webhook.as_ref().is_some_and(|webhook| webhook.secrets.is_signing()))
    }
}

fn rule(table: AlertTable, number: usize) -> Result<AlertRule, ConfigFault> {
    let fault =
        |key: &str, what: &str, fix: &str| Err(ConfigFault::of_element("alert", number, key, what, fix));
    if table.name.is_empty() || table.name.contains(char::is_control) || table.name.len() > 100 {
        return fault("name", "is empty, too long, or has control characters", "use 1 to 100 characters");
    }
    let is_finite = |value: Option<f64>| value.is_none_or(f64::is_finite);
    if !is_finite(table.above) || !is_finite(table.below) || (table.above.is_some() && table.below.is_some())
    {
        return fault("above", "an alert has one threshold", "set either above or below, to a number");
    }
    if table.above.is_none() && table.below.is_none() && !table.when.has_threshold() {
        return fault("", "has no threshold", "set above or below");
    }
    if table.of.as_ref().is_some_and(|of| !table.when.allows(of.group)) {
        let fix = "remove the key, or use bounce-rate, deferral-rate, reject-rate, volume or delay \
                   (reason:NAME by provider)";
        return fault("of", "this statistic is not counted by group", fix);
    }
    if table.window.ms() < 60_000 {
        return fault("window", "is shorter than a minute", "use a span like 15m, 1h or 24h");
    }
    if table.mail.is_empty() && table.webhook.is_none() {
        return fault("", "alerts nobody", "set mail = [\"you@example.com\"], or webhook");
    }
    if table.webhook.as_deref().is_some_and(|url| !is_web_address(url)) {
        let fix = "use https://…, without variables and user names";
        return fault("webhook", "is not the URL of a web server", fix);
    }
    if let Some(wrong) = table.mail.iter().position(|to| !is_address(to)) {
        let what = format!("{:?} is not an address", table.mail[wrong]);
        return fault("mail", &what, "use addresses like ops@example.com");
    }
    let secrets = RequestSecrets::read("alert", number, &table.secrets)?;
    Ok(AlertRule {
        name: table.name,
        when: table.when,
        of: table.of,
        above: table.above,
        below: table.below,
        window: table.window,
        at_least: table.at_least,
        hold: table.hold,
        mail: table.mail,
        webhook: table.webhook.map(|url| AlertWebhook { url, secrets }),
    })
}

#[cfg(test)]
mod tests;
