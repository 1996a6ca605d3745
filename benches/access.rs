//! `carom access` and `carom socketmap` with a long suppression list: requests a second, what one
//! waits, and what the server needs for each. One of ten recipients is on the list.
//!
//! `CAROM_BENCH_SUPPRESSIONS` is the length of the list; `make bench` takes 1,000,000.

use super::asking::{Asked, Protocol, ask};
use super::{Bench, Outcome, measured, scale};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long each is measured.
const TIME: Duration = Duration::from_secs(5);
/// The longest that a server may take until it remembers the list.
const PATIENCE: Duration = Duration::from_secs(300);
/// What its log says then.
const REMEMBERS: &str = "the addresses on the suppression list are remembered";

pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    let listed = scale::size("CAROM_BENCH_SUPPRESSIONS");
    let dir = bench.dir.join("access");
    fs::create_dir_all(&dir)?;
    let config = dir.join("carom.toml");
    fs::write(&config, format!("state = {:?}\n", dir.join("state")))?;
    let list = dir.join("list");
    scale::write_list(&list, listed)?;
    let mut import = Command::new(&bench.binary);
    import.arg("--config").arg(&config).args(["suppress", "import"]).arg(&list).stdout(Stdio::null());
    measured::run(&mut import)?;
    println!("\nasked while a client waits, with {listed} suppressions (one of ten recipients is listed)");
    for (command, protocol) in [("access", Protocol::Policy), ("socketmap", Protocol::Map)] {
        for (binary, which) in bench.binaries() {
            println!("  carom {command}{which}");
            measure(binary, &config, &dir, command, protocol, listed)?;
        }
    }
    Ok(())
}

fn measure(
    binary: &Path,
    config: &Path,
    dir: &Path,
    command: &str,
    protocol: Protocol,
    listed: u64,
) -> Outcome<()> {
    let server = Server::start(binary, config, dir, command)?;
    let recipient = |random: u64| {
        let (number, is_listed) = (random / 10 % listed, random.is_multiple_of(10));
        let local = if is_listed { "user" } else { "nobody" };
        format!("{local}{number}@d{}.example", number % 70)
    };
    let asked =
        |connections, ahead, time| ask(&server.socket, protocol, (connections, ahead), time, &recipient);
    // It begins to remember the list when it is asked much.
    let began = Instant::now();
    while !server.log().contains(REMEMBERS) && began.elapsed() < PATIENCE {
        asked(1, true, TIME / 5)?;
    }
    for (words, connections, ahead) in [
        ("sent ahead on 4 connections", 4, true),
        ("one at a time", 1, false),
        ("on 64 connections", 64, false),
    ] {
        let before = server.cpu()?;
        let asked = asked(connections, ahead, TIME)?;
        show(words, &asked, server.cpu()? - before);
    }
    println!("    {:30} {:8.0} MB", "memory", server.memory()?);
    Ok(())
}

fn show(words: &str, asked: &Asked, cpu: f64) {
    let each = cpu * 1e6 / asked.many as f64;
    let (half, most) = (asked.waited(50), asked.waited(99));
    println!(
        "    {words:30} {:8.0}/s {each:6.1} µs CPU each  p50 {half:6.2} ms  p99 {most:6.2} ms",
        asked.rate()
    );
}

struct Server {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
    /// Length of the log when it started.
    began_at: usize,
}

impl Server {
    fn start(binary: &Path, config: &Path, dir: &Path, command: &str) -> Outcome<Server> {
        let (socket, log) = (dir.join(command), dir.join("state/log/carom.log"));
        let began_at = fs::read(&log).map_or(0, |text| text.len());
        let child = Command::new(binary)
            .arg("--config")
            .arg(config)
            .args([command, "--listen"])
            .arg(&socket)
            .stdin(Stdio::null())
            .spawn()?;
        let server = Server { child, socket, log, began_at };
        let began = Instant::now();
        while std::os::unix::net::UnixStream::connect(&server.socket).is_err() {
            if began.elapsed() > Duration::from_secs(20) {
                return Err(format!("carom {command} does not listen").into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// What it has logged.
    fn log(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.get(self.began_at..).unwrap_or_default().to_owned()
    }

    /// Seconds of user and system time.
    fn cpu(&self) -> Outcome<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks =
            |place: usize| fields.get(place).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
        // SAFETY: a plain system call.
        let hertz = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        Ok((ticks(11) + ticks(12)) / hertz as f64)
    }

    /// Resident memory.
    fn memory(&self) -> Outcome<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = kilobytes.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        Ok(number.unwrap_or(0.0) / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
