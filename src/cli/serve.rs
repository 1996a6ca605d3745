//! `carom serve`: the API, the page and the metrics, by HTTP.
//!
//! Not here: what is answered (`serve`), and the sockets (`listen`).

use super::renewal::Reread;
use super::terminal;
use crate::config::Config;
use crate::error::{Context, Error, Exit, Result};
use crate::listen::{Doorway, ListenAddress};
use crate::serve::{self, ServeSetup};
use clap::Args;
use std::sync::Arc;

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    carom serve\n  \
    carom serve --listen 127.0.0.1:8080 --read-only\n  \
    carom serve --listen unix:/run/carom/serve")]
pub(crate) struct ServeArgs {
    /// Listen on ADDRESS:PORT or on a unix socket, may be repeated [default: the sockets that
    /// systemd passes, else those of [serve] listen: 127.0.0.1:1523]
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<ListenAddress>,
    /// Carry out no action, whoever asks for it
    #[arg(long)]
    read_only: bool,
}

pub(crate) fn run(arguments: &ServeArgs, config: Arc<Config>, reread: Reread<'_>) -> Result<Exit> {
    let usual = config.serve.get()?.table.listen.iter().map(|address| address.parse());
    let usual = usual.collect::<Result<Vec<ListenAddress>, Error>>().context("[serve] listen")?;
    let sockets = Doorway::sockets(&arguments.listen, &usual)?;
    let signals = terminal::server_signals()?;
    let setup = ServeSetup { config, reread, read_only: arguments.read_only, sockets };
    serve::run(setup, &signals).map(|()| Exit::Ok)
}
