//! `carom reclassify`: the failures in the index, classified again.
//!
//! Not here: asking the policy (`ingest`).

use super::deliveries::open_index;
use super::terminal::{self, Terminal};
use crate::config::Config;
use crate::error::{Error, Exit, Result};
use crate::ingest;
use serde_json::json;
use std::sync::Arc;

pub(crate) fn run(config: &Arc<Config>, terminal: Terminal) -> Result<Exit> {
    // Says so if there is none.
    drop(open_index(config)?);
    let bar = terminal.progress("{bar:30} {pos}/{len} deliveries, {eta} left");
    let (done, _) = terminal::watched(bar, |watch| ingest::reclassify(config, watch))?;
    let Some((looked, changed)) = done else {
        return Err(Error::new("a tick is reading the logs").remedy("try again when it has finished"));
    };
    terminal.show(&json!({ "looked_at": looked, "changed": changed }), || {
        format!("{looked} failures classified again, {changed} have a different reason now\n")
    })
}
