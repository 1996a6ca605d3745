//! `carom socketmap`: look-ups of socketmap_table(5).
//!
//! Not here: the maps (`access`), and the connections (`listen`).

use super::access::{AccessArgs, Answering};
use super::renewal::{self, Reread};
use super::terminal;
use crate::access::LookupDesk;
use crate::config::Config;
use crate::error::{Exit, Result};
use std::sync::Arc;

pub(crate) fn run(arguments: &AccessArgs, config: Arc<Config>, reread: Reread<'_>) -> Result<Exit> {
    let signals = terminal::server_signals()?;
    let first = Answering::<LookupDesk>::open(config.clone())?;
    renewal::serve(first, &config, &arguments.listen, &signals, reread)
}
