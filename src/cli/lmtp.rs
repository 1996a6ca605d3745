//! `carom lmtp`: messages by LMTP or SMTP, from a socket or standard input.
//!
//! Not here: sessions (`lmtp`), and sockets (`listen`).

use super::renewal::{self, Renewable, Reread};
use super::terminal;
use crate::config::Config;
use crate::error::{Context, Exit, Result};
use crate::listen::{Doorway, ListenAddress, ServerSignals, Succession};
use crate::lmtp::{LmtpServer, conversation::Dialect};
use clap::Args;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
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
    let stop_time = Arc::new(AtomicU32::new(config.lmtp.stop_time));
    end_in_time(signals.stop.clone(), stop_time.clone())?;
    let first = Serving { server: open(arguments, config.clone(), None)?, arguments, stop_time };
    renewal::serve(first, &config, &arguments.listen, &signals, reread)
}

struct Serving<'a> {
    arguments: &'a LmtpArgs,
    server: LmtpServer,
    /// `[lmtp] stop_time` of the one that serves.
    stop_time: Arc<AtomicU32>,
}

/// What serves with this config, after the one `before`.
fn open(arguments: &LmtpArgs, config: Arc<Config>, before: Option<&LmtpServer>) -> Result<LmtpServer> {
    let name = arguments.policy.clone().unwrap_or_else(|| config.default_policy.clone());
    config.require_domains(&name)?;
    let dialect = if arguments.smtp { Dialect::Smtp } else { Dialect::Lmtp };
    LmtpServer::open(config, &name, dialect, before)
}

impl Renewable for Serving<'_> {
    fn open(&self, config: Arc<Config>) -> Result<Self> {
        let server = open(self.arguments, config, Some(&self.server))?;
        Ok(Serving { arguments: self.arguments, server, stop_time: self.stop_time.clone() })
    }

    fn has_lost_its_store(&self) -> bool {
        self.server.has_lost_its_store()
    }

    fn serve(&self, doorway: &Doorway, signals: &ServerSignals, succession: &dyn Succession) -> Result<()> {
        self.stop_time.store(self.server.stop_time(), Relaxed);
        self.server.serve(doorway, signals, succession)
    }

    fn close(&self) {
        self.server.close();
    }
}

/// Ends the process some time after a stop, whatever its threads still wait for: what they have not
/// answered comes again, as after a kill.
fn end_in_time(stop: Arc<AtomicBool>, stop_time: Arc<AtomicU32>) -> Result<()> {
    let watch = move || {
        while !stop.load(Relaxed) {
            sleep(SOON);
        }
        sleep(Duration::from_secs(stop_time.load(Relaxed).into()) + ENDING);
        tracing::warn!("stopped with work under way: what was not answered comes again");
        std::process::exit(i32::from(Exit::Ok as u8));
    };
    Builder::new().name("end-in-time".into()).spawn(watch).map(drop).context("cannot start a thread")
}
