//! A real Redis Cluster on loopback: three masters with a replica each, which can be killed.

use crate::harness::{finish, free_port, wait_for};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const NODES: usize = 6;

pub(crate) struct RedisCluster {
    dir: PathBuf,
    nodes: Vec<(u16, Option<Child>)>,
}

impl RedisCluster {
    pub(crate) fn start() -> RedisCluster {
        let dir = std::env::temp_dir().join(format!("carom-cluster-{:x}", fastrand::u64(..)));
        let ports = (0..NODES).map(|_| (cluster_port(), None)).collect();
        let mut cluster = RedisCluster { dir, nodes: ports };
        (0..NODES).for_each(|node| cluster.again(node));
        let addresses = cluster.nodes.iter().map(|(port, _)| format!("127.0.0.1:{port}"));
        let mut command = Command::new("redis-cli");
        command.args(["--cluster", "create"]).args(addresses);
        command.args(["--cluster-replicas", "1", "--cluster-yes"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let made = finish(command.spawn().unwrap(), Duration::from_secs(120));
        assert_eq!(made.code, 0, "{made:?}");
        wait_for(60, "a cluster", || (0..NODES).all(|node| cluster.is_up(node)));
        cluster
    }

    /// Starts a node, empty if it was killed: it saves nothing.
    pub(crate) fn again(&mut self, node: usize) {
        let port = self.nodes[node].0;
        let dir = self.dir.join(port.to_string());
        std::fs::create_dir_all(&dir).unwrap();
        let mut command = Command::new(super::server(&dir));
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--cluster-enabled", "yes"]);
        command.args(["--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no"]);
        command
            .args(["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"])
            .current_dir(&dir);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.nodes[node].1 = Some(command.spawn().unwrap());
        wait_for(30, "a node", || self.ask(node, &["PING"]) == "PONG");
    }

    /// kill -9.
    pub(crate) fn kill(&mut self, node: usize) {
        if let Some(mut child) = self.nodes[node].1.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Nodes that are masters and have slots.
    pub(crate) fn masters(&self) -> Vec<usize> {
        let is_master = |node: &usize| self.ask(*node, &["ROLE"]).starts_with("master");
        (0..NODES).filter(is_master).collect()
    }

    pub(crate) fn is_up(&self, node: usize) -> bool {
        let state = self.ask(node, &["CLUSTER", "INFO"]);
        let has_replicas = !self.ask(node, &["ROLE"]).starts_with("slave")
            || self.ask(node, &["INFO", "replication"]).contains("master_link_status:up");
        state.contains("cluster_state:ok") && state.contains("cluster_slots_ok:16384") && has_replicas
    }

    /// Three masters serve all slots again.
    pub(crate) fn wait_until_whole(&self) {
        let living: Vec<usize> = (0..NODES).filter(|node| self.nodes[*node].1.is_some()).collect();
        wait_for(90, "all slots are served", || {
            living.iter().all(|node| self.ask(*node, &["CLUSTER", "INFO"]).contains("cluster_slots_ok:16384"))
        });
    }

    pub(crate) fn config(&self) -> String {
        let urls: Vec<String> =
            self.nodes.iter().map(|(port, _)| format!("\"redis://127.0.0.1:{port}\"")).collect();
        format!("[shared]\nurl = {}\nother_urls = [{}]\ncluster = true", urls[0], urls[1..].join(", "))
    }

    /// The number under a key, on whichever node it is.
    pub(crate) fn number(&self, key: &str) -> u64 {
        let living = (0..NODES).find(|node| self.nodes[*node].1.is_some()).unwrap();
        self.ask(living, &["-c", "GET", key]).parse().unwrap_or(0)
    }

    fn ask(&self, node: usize, arguments: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.nodes[node].0.to_string()]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        finish(command.spawn().unwrap(), Duration::from_secs(30)).stdout.trim().to_owned()
    }
}

/// A port whose bus port is free too.
fn cluster_port() -> u16 {
    loop {
        let port = free_port();
        if port < 55_000 && std::net::TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
            return port;
        }
    }
}

impl Drop for RedisCluster {
    fn drop(&mut self) {
        (0..NODES).for_each(|node| self.kill(node));
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
