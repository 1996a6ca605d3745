//! `[policy.sink.settings]`: what each setting means, its default, and which values contradict each
//! other.
//!
//! Not here: the form of each value (`form`). Invariant: a complaint names the key, the value and
//! the remedy.

use crate::address;
use crate::catalogue::Weighted;
use crate::form::{self, Delay, Sender};
use crate::json;
use std::collections::BTreeMap;

/// Percentages are of all traffic, as in bouncy-sink's ini.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The sink's own domains. The label left of one of them names the answer. Empty: the first
    /// label of the recipient's domain does.
    pub domains: Vec<String>,
    /// Percent of all traffic that is answered by an out-of-band bounce.
    pub oob_percent: f64,
    /// Percent that is answered by a complaint.
    pub fbl_percent: f64,
    /// Percent that is refused in-band.
    pub in_band_percent: f64,
    /// The same for each day of one or more weeks, Monday first. Empty: `in_band_percent` on each.
    pub weekly_cycle_bounce_rate: Vec<f64>,
    /// The replies of refusals that are drawn by chance. Empty: those of all providers.
    pub replies: Vec<Weighted>,
    /// Labels or domains of recipients, and the provider whose replies they give.
    pub providers: BTreeMap<String, String>,
    /// Percent of the mail to a provider's label that is refused.
    pub provider_percent: f64,
    /// What a provider refuses at RCPT is refused there, where carom is asked there.
    pub refuse_at_rcpt: bool,
    /// Seconds for which mail is refused that is greylisted.
    pub greylist_delay: u32,
    /// Percent that is opened.
    pub open_percent: f64,
    /// Percent that is opened a second time.
    pub open_again_percent: f64,
    /// Percent whose links are clicked.
    pub click_percent: f64,
    /// Percent whose links are clicked a second time.
    pub click_again_percent: f64,
    /// Percent of all traffic that another sink handles and carom never sees.
    pub upstream_handled: f64,
    /// Local parts with this prefix that end with a digit are opened only on the digit's days.
    /// Empty: off.
    pub signals_traffic_prefix: String,
    /// Days of the month of each digit; a digit without days, or with day 0, is never opened.
    pub digit_days: BTreeMap<String, Vec<u8>>,
    /// Factors of the open rate for each day of one or more weeks, Monday first.
    pub weekly_cycle_open_rate: Vec<f64>,
    /// Mail without a passing DKIM signature is accepted and dropped.
    pub require_dkim: bool,
    /// Answers that the address itself asks for need SPF to pass; refusals need it or an aligned
    /// signature.
    pub require_spf: bool,
    /// Answers that are drawn by chance need SPF to pass.
    pub require_spf_in_mix: bool,
    /// They need it or an aligned signature.
    pub require_owner_in_mix: bool,
    /// Mail exchangers that may be answered, and the address for complaints about their senders.
    /// `"*"` is any.
    pub mx_allowlist: BTreeMap<String, String>,
    /// Mail exchangers below this domain may be answered too. Empty: none.
    pub enterprise_suffix: String,
    /// Hosts whose links are fetched without asking them.
    pub tracking_domains_allowlist: Vec<String>,
    /// Other hosts are asked whether they are SparkPost trackers.
    pub probe_trackers: bool,
    /// Seconds for all links of one open or click.
    pub open_click_timeout: u32,
    /// User-Agents to choose from. Empty: carom's.
    pub user_agents: Vec<String>,
    /// `null` (RFC 3464) or `recipient` (bouncy-sink's form).
    pub bounce_sender: Sender,
    /// The reply that a bounce reports when the address names none.
    pub bounce_code: u16,
    /// Its enhanced status code.
    pub bounce_status: String,
    /// Its text.
    pub bounce_text: String,
    /// Seconds from the message to its open.
    pub open_delay: Delay,
    /// Seconds from the open to the click.
    pub click_delay: Delay,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            domains: Vec::new(),
            oob_percent: 0.5,
            fbl_percent: 0.01,
            in_band_percent: 0.0,
            weekly_cycle_bounce_rate: Vec::new(),
            replies: Vec::new(),
            providers: BTreeMap::new(),
            provider_percent: 100.0,
            refuse_at_rcpt: false,
            greylist_delay: 60,
            open_percent: 20.0,
            open_again_percent: 5.0,
            click_percent: 5.0,
            click_again_percent: 1.0,
            upstream_handled: 0.0,
            signals_traffic_prefix: String::new(),
            digit_days: BTreeMap::new(),
            weekly_cycle_open_rate: vec![1.0; 7],
            require_dkim: true,
            require_spf: true,
            require_spf_in_mix: false,
            require_owner_in_mix: true,
            mx_allowlist: BTreeMap::new(),
            enterprise_suffix: "e.sparkpost.com".into(),
            tracking_domains_allowlist: Vec::new(),
            probe_trackers: true,
            open_click_timeout: 30,
            user_agents: Vec::new(),
            bounce_sender: Sender::Null,
            bounce_code: 550,
            bounce_status: "5.1.1".into(),
            bounce_text: "user unknown".into(),
            open_delay: Delay::Fixed(0),
            click_delay: Delay::Fixed(0),
        }
    }
}

impl Settings {
    /// Reads settings from JSON. The error is every complaint, a sentence each.
    pub fn read(text: &str) -> Result<Settings, Vec<String>> {
        let mut settings = Settings::default();
        let mut complaints = Vec::new();
        for (key, value) in json::object(text).map_err(|error| vec![error])? {
            if let Err(remedy) = settings.set(&key, &value) {
                complaints.push(format!("{key} = {}: {remedy}", json::shown(&value)));
            }
        }
        complaints.extend(settings.contradictions());
        if complaints.is_empty() {
            Ok(settings)
        } else {
            Err(complaints)
        }
    }

    fn set(&mut self, key: &str, value: &json::Value) -> form::Formed<()> {
        match key {
            "domains" => self.domains = form::lines(value)?,
            "oob_percent" => self.oob_percent = form::percentage(value)?,
            "fbl_percent" => self.fbl_percent = form::percentage(value)?,
            "in_band_percent" => self.in_band_percent = form::percentage(value)?,
            "weekly_cycle_bounce_rate" => self.weekly_cycle_bounce_rate = form::percentages(value)?,
            "replies" => self.replies = form::replies(value)?,
            "providers" => self.providers = form::providers(value)?,
            "provider_percent" => self.provider_percent = form::percentage(value)?,
            "refuse_at_rcpt" => self.refuse_at_rcpt = form::yes_or_no(value)?,
            "greylist_delay" => self.greylist_delay = form::seconds_to_wait(value)?,
            "open_percent" => self.open_percent = form::percentage(value)?,
            "open_again_percent" => self.open_again_percent = form::percentage(value)?,
            "click_percent" => self.click_percent = form::percentage(value)?,
            "click_again_percent" => self.click_again_percent = form::percentage(value)?,
            "upstream_handled" => self.upstream_handled = form::percentage(value)?,
            "signals_traffic_prefix" => self.signals_traffic_prefix = form::line(value)?,
            "digit_days" => self.digit_days = form::digit_days(value)?,
            "weekly_cycle_open_rate" => self.weekly_cycle_open_rate = form::factors(value)?,
            "require_dkim" => self.require_dkim = form::yes_or_no(value)?,
            "require_spf" => self.require_spf = form::yes_or_no(value)?,
            "require_spf_in_mix" => self.require_spf_in_mix = form::yes_or_no(value)?,
            "require_owner_in_mix" => self.require_owner_in_mix = form::yes_or_no(value)?,
            "mx_allowlist" => self.mx_allowlist = form::allowlist(value)?,
            "enterprise_suffix" => self.enterprise_suffix = form::line(value)?,
            "tracking_domains_allowlist" => self.tracking_domains_allowlist = form::lines(value)?,
            "probe_trackers" => self.probe_trackers = form::yes_or_no(value)?,
            "open_click_timeout" => self.open_click_timeout = form::seconds(value)?,
            "user_agents" => self.user_agents = form::lines(value)?,
            "bounce_sender" => self.bounce_sender = form::sender(value)?,
            "bounce_code" => self.bounce_code = form::code(value)?,
            "bounce_status" => self.bounce_status = form::status(value)?,
            "bounce_text" => self.bounce_text = form::line(value)?,
            "open_delay" => self.open_delay = form::delay(value)?,
            "click_delay" => self.click_delay = form::delay(value)?,
            _ => return Err("unknown setting, remove it or correct its name"),
        }
        Ok(())
    }

    /// Settings that are valid alone but not together.
    fn contradictions(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let parts = [
            ("open_again_percent", self.open_again_percent, "open_percent", self.open_percent),
            ("click_percent", self.click_percent, "open_percent", self.open_percent),
            ("click_again_percent", self.click_again_percent, "click_percent", self.click_percent),
        ];
        for (part, share, whole, of) in parts {
            if share > of {
                complaints.push(format!(
                    "{part} = {share}: more than {whole} = {of}, of which it is a part, lower it"
                ));
            }
        }
        let (oob, fbl) = (self.oob_percent, self.fbl_percent);
        let refused = self.weekly_cycle_bounce_rate.iter().copied().fold(self.in_band_percent, f64::max);
        if refused > 0.0 && oob + fbl + refused > 100.0 {
            complaints.push(format!(
                "in_band_percent = {refused}: more than 100 with oob_percent and fbl_percent, lower one"
            ));
        }
        if oob + fbl > 100.0 {
            complaints
                .push(format!("oob_percent = {oob}, fbl_percent = {fbl}: more than 100 together, lower one"));
        }
        let prefix = &self.signals_traffic_prefix;
        if !prefix.is_empty() && self.active_days().iter().all(Vec::is_empty) {
            complaints.push(format!(
                "signals_traffic_prefix = \"{prefix}\": digit_days names no day, give days or an empty prefix"
            ));
        }
        let (code, status) = (self.bounce_code, &self.bounce_status);
        if !status.starts_with(if code < 500 { '4' } else { '5' }) {
            complaints.push(format!(
                "bounce_code = {code}, bounce_status = \"{status}\": they disagree, give 5xx with 5.x.x or 4xx with 4.x.x"
            ));
        }
        complaints
    }

    /// The provider whose replies are given for a domain that is in the map, or for a label of it.
    pub fn provider_of(&self, domain: &str) -> Option<&str> {
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        let mapped = |name: &str| self.providers.get(name).map(String::as_str);
        let label = || mapped(&address::label(&domain, &self.domains).filter(|label| !label.is_empty())?);
        mapped(&domain).or_else(label)
    }

    /// The days on which each digit is opened. Day 0 is "never", not a day.
    pub fn active_days(&self) -> Vec<Vec<u8>> {
        let of = |digit: u8| self.digit_days.get(&digit.to_string()).into_iter().flatten();
        (0..10).map(|digit| of(digit).copied().filter(|day| *day > 0).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b17_zeroes_are_settings_like_any_other() {
        let zero = r#"{"open_percent":0,"open_again_percent":0,"click_percent":0,"click_again_percent":0,"upstream_handled":100,
            "weekly_cycle_open_rate":[0,0,0,0,0,0,0],"oob_percent":0,"fbl_percent":0}"#;
        assert!(Settings::read(zero).is_ok());
    }

    #[test]
    fn b18_every_error_names_key_value_and_remedy() {
        let wrong = r#"{"open_percent":120,"weekly_cycle_open_rate":[1],"signals_traffic_prefix":"test",
            "fbl_percent":"x","digit_days":{"1":[32]},"open_delay":[9,1],"bounce_status":"5.1","opne_percent":1,
            "click_percent":30,"bounce_code":450,"mx_allowlist":{"mx.example":"nobody"}}"#;
        let complaints = Settings::read(wrong).unwrap_err();
        let expected = [
            "bounce_code = 450, bounce_status = \"5.1.1\": they disagree",
            "bounce_status = \"5.1\": give an enhanced",
            "click_percent = 30: more than open_percent = 20",
            "digit_days = {\"1\":[32]}: give a table",
            "fbl_percent = \"x\": give a percentage",
            "mx_allowlist = {\"mx.example\":\"nobody\"}: give a table",
            "open_delay = [9,1]: give seconds",
            "open_percent = 120: give a percentage",
            "opne_percent = 1: unknown setting",
            "signals_traffic_prefix = \"test\": digit_days names no day",
            "weekly_cycle_open_rate = [1]: give seven factors",
        ];
        for start in expected {
            assert!(
                complaints.iter().any(|complaint| complaint.starts_with(start)),
                "{start} in {complaints:#?}"
            );
        }
        assert_eq!(complaints.len(), expected.len());
        for text in ["", "[]", "{", "nonsense"] {
            assert!(Settings::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_setting_has_its_form() {
        let given = r#"{"domains":["sink.example.com"],"mx_allowlist":["mx.example.net"],"open_delay":[1,9],
            "click_delay":7,"bounce_sender":"recipient","bounce_code":451,"bounce_status":"4.2.2",
            "digit_days":{"3":[0]},"require_spf":false}"#;
        let settings = Settings::read(given).unwrap();
        assert_eq!(settings.mx_allowlist["mx.example.net"], "");
        assert_eq!((settings.open_delay, settings.click_delay), (Delay::Between([1, 9]), Delay::Fixed(7)));
        assert_eq!((settings.open_delay.seconds(0.0), settings.open_delay.seconds(0.9999)), (1, 9));
        assert_eq!(Settings::read("{}"), Ok(Settings::default()));
    }
}
