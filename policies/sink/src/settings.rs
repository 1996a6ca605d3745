//! `[policy.sink.settings]`: what each setting means, its default, and what values make no sense.

use serde::Deserialize;
use std::collections::BTreeMap;

/// The settings. Percentages are of all traffic, as in bouncy-sink's ini.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The sink's own domains. The label left of one of them names the answer. Empty: the recipient's first label does.
    pub domains: Vec<String>,
    /// Percent of all traffic that is answered by an out-of-band bounce.
    pub oob_percent: f64,
    /// Percent that is answered by a complaint.
    pub fbl_percent: f64,
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
    /// Local parts that begin with this and end with a digit are opened only on the digit's days. Empty: off.
    pub signals_traffic_prefix: String,
    /// Days of the month of each digit; a digit without days, or with day 0, is never opened.
    pub digit_days: BTreeMap<String, Vec<u8>>,
    /// Factors of the open rate for each day of one or more weeks, Monday first.
    pub weekly_cycle_open_rate: Vec<f64>,
    /// Mail without a passing DKIM signature is taken and dropped.
    pub require_dkim: bool,
    /// Bounces and complaints that the address itself asks for need a passing SPF.
    pub require_spf: bool,
    /// So do those that chance asks for.
    pub require_spf_in_mix: bool,
    /// Mail exchangers that may be answered, and the address for complaints about their senders. `"*"` is any.
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
    /// Seconds from the message to its open: a number, or two to choose between.
    pub open_delay: Delay,
    /// Seconds from the open to the click.
    pub click_delay: Delay,
}

/// Whose name a bounce is sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    Null,
    Recipient,
}

/// Seconds to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Delay {
    Fixed(u32),
    Between([u32; 2]),
}

impl Delay {
    /// The seconds that a number from 0 to 1 chooses.
    pub fn seconds(self, chance: f64) -> u32 {
        match self {
            Delay::Fixed(seconds) => seconds,
            Delay::Between([least, most]) => least + (f64::from(most.saturating_sub(least)) * chance) as u32,
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            domains: Vec::new(),
            oob_percent: 0.5,
            fbl_percent: 0.01,
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
    /// Reads settings; the error is every complaint, joined.
    pub fn read(json: &str) -> Result<Settings, String> {
        let settings: Settings = serde_json::from_str(json).map_err(|error| sentence(&error.to_string()))?;
        let complaints = settings.complaints();
        if complaints.is_empty() {
            Ok(settings)
        } else {
            Err(complaints.join("; "))
        }
    }

    /// What makes no sense in them, a sentence each: key, value, remedy.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let percentages = [
            ("oob_percent", self.oob_percent),
            ("fbl_percent", self.fbl_percent),
            ("open_percent", self.open_percent),
            ("open_again_percent", self.open_again_percent),
            ("click_percent", self.click_percent),
            ("click_again_percent", self.click_again_percent),
            ("upstream_handled", self.upstream_handled),
        ];
        for (key, value) in percentages {
            if !(0.0..=100.0).contains(&value) {
                complaints.push(format!("{key} = {value} is no percentage: give 0 to 100"));
            }
        }
        let parts = [
            ("open_again_percent", self.open_again_percent, "open_percent", self.open_percent),
            ("click_percent", self.click_percent, "open_percent", self.open_percent),
            ("click_again_percent", self.click_again_percent, "click_percent", self.click_percent),
        ];
        for (part, share, whole, of) in parts {
            if share > of {
                complaints.push(format!("{part} = {share} is more than {whole} = {of}, of which it is a part: lower it"));
            }
        }
        if self.oob_percent + self.fbl_percent > 100.0 {
            complaints.push("oob_percent and fbl_percent are more than 100 together: lower one".into());
        }
        let weeks = &self.weekly_cycle_open_rate;
        if weeks.is_empty() || weeks.len() % 7 != 0 {
            complaints.push(format!("weekly_cycle_open_rate has {} values: give 7 for each week", weeks.len()));
        }
        if weeks.iter().any(|rate| *rate < 0.0) {
            complaints.push("weekly_cycle_open_rate has a value below 0: give factors from 0 up".into());
        }
        for (digit, days) in &self.digit_days {
            if digit.len() != 1 || !digit.as_bytes()[0].is_ascii_digit() {
                complaints.push(format!("digit_days has the key \"{digit}\": give \"0\" to \"9\""));
            }
            if let Some(day) = days.iter().find(|day| **day > 31) {
                complaints.push(format!("digit_days \"{digit}\" names day {day}: give days of the month, or 0 for never"));
            }
        }
        if !self.signals_traffic_prefix.is_empty() && self.active_days().iter().all(Vec::is_empty) {
            complaints.push("signals_traffic_prefix is set, but digit_days names no day: give days or empty the prefix".into());
        }
        for (mx, address) in &self.mx_allowlist {
            if !address.is_empty() && !address.contains('@') {
                complaints.push(format!("mx_allowlist \"{mx}\" = \"{address}\" is no address: give one for complaints, or \"\""));
            }
        }
        if self.open_click_timeout == 0 || self.open_click_timeout > 600 {
            complaints.push(format!("open_click_timeout = {} is out of range: give 1 to 600 seconds", self.open_click_timeout));
        }
        let class = self.bounce_status.as_bytes().first();
        if self.bounce_code / 100 != 5 && self.bounce_code / 100 != 4 || class != Some(&(b'0' + (self.bounce_code / 100) as u8)) {
            let (code, status) = (self.bounce_code, &self.bounce_status);
            complaints.push(format!("bounce_code = {code} and bounce_status = \"{status}\" do not agree: give 5xx with 5.x.x or 4xx with 4.x.x"));
        }
        for (key, delay) in [("open_delay", self.open_delay), ("click_delay", self.click_delay)] {
            if let Delay::Between([least, most]) = delay {
                if least > most {
                    complaints.push(format!("{key} = [{least}, {most}] runs backwards: give the smaller number first"));
                }
            }
        }
        complaints
    }

    /// The days on which each digit is opened. Day 0 is "never", not a day.
    pub fn active_days(&self) -> Vec<Vec<u8>> {
        let of = |digit: u8| self.digit_days.get(&digit.to_string()).into_iter().flatten();
        (0..10).map(|digit| of(digit).copied().filter(|day| *day > 0).collect()).collect()
    }
}

/// serde_json's message without its place in a text that no operator sees.
fn sentence(message: &str) -> String {
    let text = message.split(" at line ").next().unwrap_or(message);
    format!("{text}: see policies/README for every setting")
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
    fn b18_errors_name_key_value_and_remedy() {
        let wrong = r#"{"open_percent":120,"weekly_cycle_open_rate":[1],"signals_traffic_prefix":"test"}"#;
        let error = Settings::read(wrong).unwrap_err();
        for part in ["open_percent = 120", "has 1 values: give 7", "digit_days names no day"] {
            assert!(error.contains(part), "{error}");
        }
        let unknown = Settings::read(r#"{"opne_percent":1}"#).unwrap_err();
        assert!(unknown.contains("opne_percent"), "{unknown}");
    }
}
