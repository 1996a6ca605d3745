//! `carom access`: Postfix's policy delegation.
//!
//! Not here: the answers (`access`), and the connections (`listen`).

use super::renewal::{self, Renewable, Reread};
use super::terminal;
use crate::access::{AccessDesk, AnsweringDesk};
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::listen::{self, Doorway, ListenAddress, ServerSignals, SessionLimits, Succession};
use clap::Args;
use std::sync::Arc;
use std::time::Duration;

/// How long a stop waits for a request that has begun.
const GRACE: Duration = Duration::from_secs(5);

#[derive(Args, Debug)]
pub(crate) struct AccessArgs {
    /// Listen on ADDRESS:PORT or on a unix socket (/run/carom/access); several are possible
    /// [default: the sockets that systemd passes, or the client on standard input]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Vec<ListenAddress>,
}

pub(crate) fn run(arguments: &AccessArgs, config: Arc<Config>, reread: Reread<'_>) -> Result<Exit> {
    let signals = terminal::server_signals()?;
    let first = Answering::<AccessDesk>::open(config.clone())?;
    renewal::serve(first, &config, &arguments.listen, &signals, reread)
}

/// What answers, and to how many connections.
pub(super) struct Answering<D> {
    desk: D,
    limits: SessionLimits,
}

impl<D: AnsweringDesk> Answering<D> {
    /// The mail server is one client with many connections.
    pub(super) fn open(config: Arc<Config>) -> Result<Answering<D>> {
        config.require_secrets()?;
        let sessions = config.access.get()?.sessions;
        let limits = SessionLimits { sessions, per_client: sessions, grace: GRACE };
        Ok(Answering { desk: D::open(config)?, limits })
    }
}

impl<D: AnsweringDesk> Renewable for Answering<D> {
    fn open(&self, config: Arc<Config>) -> Result<Self> {
        Answering::open(config)
    }

    fn has_lost_its_store(&self) -> bool {
        self.desk.has_lost_its_store()
    }

    fn serve(&self, doorway: &Doorway, signals: &ServerSignals, succession: &dyn Succession) -> Result<()> {
        listen::run(&self.desk, doorway, self.limits, signals, succession)
    }

    fn close(&self) {
        self.desk.close();
    }
}
