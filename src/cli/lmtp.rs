//! `carom lmtp`: messages by LMTP or SMTP, from a socket or standard input.
//!
//! Not here: sessions (`lmtp`), and sockets (`listen`).

use super::renewal::{self, Renewable, Reread};
use super::terminal;
use crate::config::Config;
use crate::error::{Context, Exit, Result};
use crate::listen::{Doorway, IsReplaced, ListenAddress, ServerSignals};
use crate::lmtp::{LmtpServer, conversation::Dialect};
use clap::Args;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{Builder, sleep};
use std::time::Duration;

/// How soon a stop is noticed.
const SOON: Duration = Duration::from_millis(200);
/// Time for threads to end, after that of sessions.
const ENDING: Duration = Duration::from_secs(3);

#[derive(Args, Debug)]
pub(crate) struct LmtpArgs {
    /// Listen on ADDRESS:PORT or on a unix socket, may be repeated [default: the sockets that
    /// systemd passes, else the one client on standard input]
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<ListenAddress>,
    /// Speak SMTP, for hosts that forward bounces to a port
    #[arg(long)]
    smtp: bool,
    /// The policy that decides, by name [default: the config's]
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
}

pub(crate) fn run(arguments: &LmtpArgs, config: Arc<Config>, reread: Reread<'_>) -> Result<Exit> {
    // Whoever can connect can also stop it.
    let signals = terminal::server_signals()?;
    end_in_time(signals.stop.clone(), Duration::from_secs(config.lmtp.stop_time.into()))?;
    let first = Serving::open(arguments, config.clone())?;
    renewal::serve(first, &config, &arguments.listen, &signals, reread)
}

struct Serving<'a> {
    arguments: &'a LmtpArgs,
    server: LmtpServer,
}

impl<'a> Serving<'a> {
    fn open(arguments: &'a LmtpArgs, config: Arc<Config>) -> Result<Serving<'a>> {
        let name = arguments.policy.clone().unwrap_or_else(|| config.default_policy.clone());
        config.require_domains(&name)?;
        let dialect = if arguments.smtp { Dialect::Smtp } else { Dialect::Lmtp };
        Ok(Serving { arguments, server: LmtpServer::open(config, &name, dialect)? })
    }
}

impl Renewable for Serving<'_> {
    fn open(&self, config: Arc<Config>) -> Result<Self> {
        Serving::open(self.arguments, config)
    }

    fn has_lost_its_store(&self) -> bool {
        self.server.has_lost_its_store()
    }

    fn serve(&self, doorway: &Doorway, signals: &ServerSignals, is_replaced: IsReplaced<'_>) -> Result<()> {
        self.server.serve(doorway, signals, is_replaced)
    }

    fn close(&self) {
        self.server.close();
    }
}

/// Ends the process some time after a stop, whatever its threads still wait for: what they have not
/// answered comes again, as after a kill.
fn end_in_time(stop: Arc<AtomicBool>, stop_time: Duration) -> Result<()> {
    let watch = move || {
        while !stop.load(Relaxed) {
            sleep(SOON);
        }
        sleep(stop_time + ENDING);
        tracing::warn!("stopped with work under way: what was not answered comes again");
        std::process::exit(i32::from(Exit::Ok as u8));
    };
    Builder::new().name("end-in-time".into()).spawn(watch).map(drop).context("cannot start a thread")
}
