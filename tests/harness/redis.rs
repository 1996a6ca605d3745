//! A real redis-server on a socket in a directory of its own, and hosts that share it.

pub(crate) mod redis_cluster;

use super::{Sandbox, finish, wait_for};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) struct Redis {
    child: Option<Child>,
    pub(crate) dir: PathBuf,
    options: Vec<String>,
}

impl Redis {
    pub(crate) fn start(options: &[&str]) -> Redis {
        let dir = std::env::temp_dir().join(format!("carom-redis-{:x}", fastrand::u64(..)));
        std::fs::create_dir_all(&dir).unwrap();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut redis = Redis { child: None, dir, options };
        redis.again();
        redis
    }

    /// Starts it, with what it has saved.
    pub(crate) fn again(&mut self) {
        let mut command = Command::new(server(&self.dir));
        let dir = self.dir.display().to_string();
        command.args([
            "--unixsocket",
            &format!("{dir}/redis.sock"),
            "--unixsocketperm",
            "777",
            "--dir",
            &dir,
        ]);
        if !self.options.iter().any(|option| option == "--port") {
            command.args(["--port", "0"]);
        }
        command.args(["--save", "", "--appendonly", "no"]).args(&self.options);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        wait_for(30, "redis-server", || !self.cli(&["PING"]).is_empty());
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// A signal such as `-STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}/redis.sock", self.dir.display())
    }

    /// What `redis-cli` prints.
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.arg("-s").arg(self.dir.join("redis.sock")).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let ran = finish(command.spawn().unwrap(), Duration::from_secs(60));
        if ran.code == 0 { ran.stdout.trim().to_owned() } else { String::new() }
    }

    /// A number, 0 where there is none.
    pub(crate) fn number(&self, key: &str) -> u64 {
        self.cli(&["GET", key]).parse().unwrap_or(0)
    }
}

/// The program: Debian's redis-tools has it under another name, and starts no service.
pub(crate) fn server(dir: &Path) -> PathBuf {
    let link = dir.join("redis-server");
    let _ = std::os::unix::fs::symlink("/usr/bin/redis-check-rdb", &link);
    link
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A tick that goes well.
#[track_caller]
pub(crate) fn tick(host: &Sandbox) {
    let ran = host.run(&["cron"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// Ticks of all hosts until each has heard of every other.
#[track_caller]
pub(crate) fn ticks(hosts: &[&Sandbox]) {
    hosts.iter().chain(hosts).for_each(|host| tick(host));
}
