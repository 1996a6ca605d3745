//! The User-Agent that links of a message are fetched with.

use crate::config::Config;
use std::sync::OnceLock;

/// The User-Agents to choose from when neither policy nor config names any.
const USER_AGENTS: &str = include_str!("user_agents.toml");

/// Chosen by the message's seed, so that a retry sends the same one.
pub(crate) fn user_agent(config: &Config, seed: u64) -> String {
    static BUILT_IN: OnceLock<Vec<String>> = OnceLock::new();
    let agents = match config.visit.user_agents.as_slice() {
        [] => BUILT_IN.get_or_init(|| {
            let table: toml::Table = USER_AGENTS.parse().unwrap_or_default();
            let rows = table.get("agent").and_then(toml::Value::as_array);
            rows.into_iter().flatten().filter_map(|agent| agent.as_str().map(str::to_owned)).collect()
        }),
        named => named,
    };
    let index = (seed >> 33) as usize % agents.len().max(1);
    agents.get(index).cloned().unwrap_or_else(|| "Mozilla/5.0".into())
}
