//! The settings, `[policy.NAME.settings]` in `carom.toml`, and which values are invalid.

use serde_json::Value;

#[derive(Debug, Default, PartialEq)]
pub struct Settings {
    /// Domains whose mail is refused, in lower case.
    blocked: Vec<String>,
    /// Percent of the accepted messages to keep a copy of.
    pub keep_percent: f64,
}

impl Settings {
    /// Reads the JSON text from carom. The error is every complaint, a sentence each: key, value,
    /// remedy.
    pub fn read(text: &str) -> Result<Settings, Vec<String>> {
        let Ok(Value::Object(table)) = serde_json::from_str(text) else {
            return Err(vec![format!("settings = {text}: give a table, such as {{\"keep_percent\":10}}")]);
        };
        let mut settings = Settings::default();
        let mut complaints = Vec::new();
        for (key, value) in &table {
            if let Err(remedy) = settings.set(key, value) {
                complaints.push(format!("{key} = {value}: {remedy}"));
            }
        }
        if complaints.is_empty() {
            Ok(settings)
        } else {
            Err(complaints)
        }
    }

    /// Sets one setting. The error is the remedy.
    fn set(&mut self, key: &str, value: &Value) -> Result<(), &'static str> {
        match key {
            "blocked" => self.blocked = domains(value).ok_or("give a list of domains")?,
            "keep_percent" => self.keep_percent = percentage(value).ok_or("give a number from 0 to 100")?,
            _ => return Err("unknown setting, remove it or correct its name"),
        }
        Ok(())
    }

    /// Whether mail from this domain (in lower case) is refused.
    pub fn blocks(&self, domain: &str) -> bool {
        self.blocked.iter().any(|blocked| blocked == domain)
    }
}

fn domains(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|domain| Some(domain.as_str()?.to_lowercase())).collect()
}

fn percentage(value: &Value) -> Option<f64> {
    value.as_f64().filter(|percent| (0.0..=100.0).contains(percent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_complaints_name_key_value_and_remedy() {
        let settings = Settings::read(r#"{"blocked":["Bad.Example"],"keep_percent":12.5}"#).unwrap();
        assert!(settings.blocks("bad.example") && !settings.blocks("good.example"));
        assert_eq!(settings.keep_percent, 12.5);
        assert_eq!(Settings::read("{}"), Ok(Settings::default()));
        let complaints =
            Settings::read(r#"{"blocked":"bad.example","keep":1,"keep_percent":250}"#).unwrap_err();
        assert_eq!(
            complaints,
            [
                "blocked = \"bad.example\": give a list of domains",
                "keep = 1: unknown setting, remove it or correct its name",
                "keep_percent = 250: give a number from 0 to 100",
            ]
        );
        assert!(Settings::read("[]").is_err());
    }
}
