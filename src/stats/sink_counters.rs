//! The counters of the store: in bouncy-sink's form for its dashboards, and in words for people.
//!
//! Not here: counting. Invariant: the two JSON forms are those that bouncy-sink's dashboards read.

use crate::clock;
use crate::error::Result;
use crate::store::Store;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// What bouncy-sink says before its first run.
const NOT_YET: &str = "Not yet - waiting for scheduled running to begin";
/// Minutes in the plot.
const MINUTES: i64 = 60;

/// The same before anything was counted.
pub(crate) fn before_the_first() -> Value {
    json!({ "startedRunning": NOT_YET })
}

/// One flat object: `startedRunning`, and each counter that was ever added to.
pub(crate) fn json(store: &Store) -> Result<Value> {
    let (started, counters) = store.counters()?;
    let mut object = Map::new();
    object.insert("startedRunning".into(), Value::String(started.unwrap_or_else(|| NOT_YET.into())));
    object.extend(counters.into_iter().map(|(name, value)| (name, Value::from(value))));
    Ok(Value::Object(object))
}

/// `[{"time":"2026-11-21T02:33:00+00:00","messages":N},…]`, oldest first.
pub(crate) fn series_json(store: &Store) -> Result<Value> {
    let minutes = store.series()?.into_iter();
    let row = |(minute, messages): (i64, u64)| {
        let time = clock::rfc3339(minute * 1000).replace(".000Z", "+00:00");
        json!({ "time": time, "messages": messages })
    };
    Ok(Value::Array(minutes.map(row).collect()))
}

/// A table of the counters, and the last hour as a plot.
pub(crate) fn render(store: &Store) -> Result<String> {
    let (started, counters) = store.counters()?;
    let since = started.map(|started| clock::parse(&started).map_or(started, clock::rfc3339));
    let mut text = format!("counted since {}\n", since.as_deref().unwrap_or(NOT_YET));
    let width = counters.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in &counters {
        let _ = writeln!(text, "  {name:width$}  {value:>10}");
    }
    let this_minute = clock::now_ms().div_euclid(60_000) * 60;
    let first = this_minute - (MINUTES - 1) * 60;
    let mut hour = vec![0u64; MINUTES as usize];
    for (minute, messages) in store.series()? {
        if let Ok(index) = usize::try_from((minute - first) / 60)
            && minute >= first
            && index < hour.len()
        {
            hour[index] = messages;
        }
    }
    let most = hour.iter().copied().max().unwrap_or(0);
    if most > 0 {
        let _ = writeln!(text, "\nmessages a minute, the last hour (most: {most})");
        const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let bar = |messages: &u64| BARS[usize::try_from((messages * 8).div_ceil(most)).unwrap_or(8).min(8)];
        let _ = writeln!(text, "  {}", hour.iter().map(bar).collect::<String>());
    }
    Ok(text)
}
