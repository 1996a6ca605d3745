//! The way to the shared store: one server, a Cluster, or the master that Sentinels name.
//!
//! Not here: what is asked, and how octets go (`server_connection`). Invariants: all answers to
//! what is asked together have one deadline; an error says what the server said, and the fix.

use super::cluster_nodes::ClusterNodes;
use super::logged_change::texts;
use super::sentinels;
use super::server_access::ServerAccess;
use super::server_connection::ServerConnection;
use super::server_fault::accepted_of;
use crate::config::{ConfigSection, SharedStore, Topology};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::text::one_line;
use redis::{Cmd, Value};
use std::time::Duration;

/// The oldest version that has what the scripts use.
const OLDEST: u32 = 6;

pub(super) struct ServerLink {
    to: Linked,
    timeout: Duration,
    version: String,
    /// The least rank of what came and is too far ahead of this host's clock.
    ahead: Option<i64>,
}

enum Linked {
    Server(Box<ServerConnection>),
    Cluster(Box<ClusterNodes>),
}

impl ServerLink {
    pub(super) fn open(section: &ConfigSection<SharedStore>) -> Result<ServerLink> {
        let (shared, (servers, access)) = (section.get()?, ServerAccess::of(section)?);
        let timeout = access.timeout;
        let to = match &shared.topology {
            Topology::Cluster => Linked::Cluster(Box::new(ClusterNodes::open(servers, access)?)),
            Topology::Sentinel(name) => Linked::Server(Box::new(sentinels::master(&servers, name, &access)?)),
            Topology::OneServer => {
                let server = servers.first().ok_or_else(|| Error::new("[shared] url: is missing"))?;
                let opened = ServerConnection::open(server, &access, Deadline::after(timeout));
                Linked::Server(Box::new(opened?))
            }
        };
        let mut link = ServerLink { to, timeout, version: String::new(), ahead: None };
        let said = texts(&link.ask_one(redis::cmd("INFO").arg("server"))?);
        let version = said.lines().find_map(|line| line.strip_prefix("redis_version:"));
        version.unwrap_or("of an unknown version").trim().clone_into(&mut link.version);
        let major = link.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        match major.is_some_and(|major| major >= OLDEST) {
            true => Ok(link),
            false => Err(Error::new(format_args!("the shared store is Redis {}", one_line(&link.version)))
                .remedy("use Redis 6 or later, or Valkey")),
        }
    }

    /// The version of Redis that the server speaks.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Something with this rank came, and is too far ahead.
    pub(super) fn note_ahead(&mut self, rank: i64) {
        self.ahead = Some(self.ahead.map_or(rank, |least| least.min(rank)));
    }

    /// The least of these ranks since this was asked last.
    pub(super) fn take_ahead(&mut self) -> Option<i64> {
        self.ahead.take()
    }

    /// Asks all, and waits for all answers. What the server refuses is one of them.
    pub(super) fn ask_each(&mut self, commands: &[Cmd]) -> Result<Vec<Value>> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let until = Deadline::after(self.timeout);
        match &mut self.to {
            Linked::Server(connection) => connection.ask(commands, until),
            Linked::Cluster(nodes) => nodes.ask(commands, until),
        }
    }

    /// The same. Error: one was refused.
    pub(super) fn ask(&mut self, commands: &[Cmd]) -> Result<Vec<Value>> {
        let answers = self.ask_each(commands)?;
        commands.iter().zip(answers).map(|(command, answer)| accepted_of(command, answer)).collect()
    }

    pub(super) fn ask_one(&mut self, command: &Cmd) -> Result<Value> {
        Ok(self.ask(std::slice::from_ref(command))?.into_iter().next().unwrap_or_default())
    }
}
