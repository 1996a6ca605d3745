//! A network that is cut between hosts and their shared store: packets of one host, or answers to it, are dropped by nftables
//! between network namespaces. Nothing is lost or doubled, and all hosts agree afterwards. It needs root, iproute2 and nftables,
//! and says so where it is left out.

use crate::bounces::{STRANGER, bounce, dsn, is_suppressed, sandbox, signed_path};
use crate::harness::redis::Redis;
use crate::harness::{Ran, Sandbox, finish, free_port, plain};
use crate::shared::list;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A namespace with one wire to ours, and the rules for it.
struct CutOff {
    name: String,
    ours: String,
    theirs: String,
}

fn run(line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split(' ').collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = finish(command.spawn().map_err(|error| format!("{line}: {error}"))?, Duration::from_secs(30));
    if ran.code == 0 { Ok(()) } else { Err(format!("{line}: {}", ran.stderr)) }
}

impl CutOff {
    /// `Err`: this place allows none.
    fn new() -> Result<CutOff, String> {
        let (id, net) = (fastrand::u16(..), fastrand::u8(1..250));
        let name = format!("carom{id:04x}");
        let near = format!("10.231.{net}.{}", fastrand::u8(..60) * 4 + 1);
        let (network, last) = near.rsplit_once('.').unwrap();
        let far = format!("{network}.{}", last.parse::<u8>().unwrap() + 1);
        let cut_off = CutOff { name, ours: near, theirs: far };
        let CutOff { name, ours, theirs } = &cut_off;
        for line in [
            format!("ip netns add {name}"),
            format!("ip link add {name} type veth peer name eth0 netns {name}"),
            format!("ip addr add {ours}/30 dev {name}"),
            format!("ip link set {name} up"),
            format!("ip netns exec {name} ip addr add {theirs}/30 dev eth0"),
            format!("ip netns exec {name} ip link set eth0 up"),
            format!("ip netns exec {name} ip link set lo up"),
            format!("nft add table ip {name}"),
            format!("nft add chain ip {name} incoming {{ type filter hook input priority 0 ; }}"),
            format!("nft add chain ip {name} outgoing {{ type filter hook output priority 0 ; }}"),
        ] {
            run(&line)?;
        }
        Ok(cut_off)
    }

    /// What this host sends (`incoming`) or what is answered (`outgoing`) is dropped.
    fn drop_packets(&self, way: &str) {
        let name = &self.name;
        run(&format!(
            "nft add rule ip {name} {way} {way_name} {name} drop",
            way_name = match way {
                "incoming" => "iifname",
                _ => "oifname",
            }
        ))
        .unwrap();
    }

    fn heal(&self) {
        run(&format!("nft flush table ip {}", self.name)).unwrap();
    }

    /// A command of a host, in this namespace.
    fn run(&self, host: &Sandbox, arguments: &[&str]) -> Ran {
        let command = host.command(arguments);
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.name]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            value.map(|value| inside.env(name, value));
        }
        command.get_current_dir().map(|dir| inside.current_dir(dir));
        inside.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        finish(inside.spawn().unwrap(), Duration::from_secs(120))
    }
}

impl Drop for CutOff {
    fn drop(&mut self) {
        let _ = run(&format!("nft delete table ip {}", self.name));
        let _ = run(&format!("ip link del {}", self.name));
        let _ = run(&format!("ip netns del {}", self.name));
    }
}

#[test]
fn hosts_that_were_cut_off_lose_and_double_nothing() {
    let (one, two) = match (CutOff::new(), CutOff::new()) {
        (Ok(one), Ok(two)) => (one, two),
        (Err(why), _) | (_, Err(why)) => {
            eprintln!("left out: it needs root, iproute2 and nftables: {why}");
            return;
        }
    };
    let port = free_port().to_string();
    let redis = Redis::start(&["--port", &port, "--bind", &one.ours, &two.ours, "--protected-mode", "no"]);
    let places = [&one, &two];
    let hosts = places.map(|place| {
        let config = format!("[shared]\nurl = \"redis://{}:{port}\"\ntimeout = 1", place.ours);
        sandbox(free_port(), "").config(&config)
    });
    let tick = |number: usize| places[number].run(&hosts[number], &["cron"]);
    let mut messages = 0;
    let mut work = |round: usize| {
        for (number, host) in hosts.iter().enumerate() {
            let address = format!("user{round}-{number}@there.example");
            bounce(
                host,
                &signed_path(host, &address),
                STRANGER,
                &dsn(&address, "5.1.1", "550 5.1.1 user unknown"),
            );
            host.pipe("x@accept.sink.example", &plain("x@accept.sink.example")).silent();
            messages += 2;
        }
    };
    for (round, way) in ["", "incoming", "outgoing", ""].into_iter().enumerate() {
        work(round);
        assert_eq!([tick(0).code, tick(1).code], [0, 0], "whole, before round {round}");
        if way.is_empty() {
            continue;
        }
        one.drop_packets(way);
        work(round + 10);
        let ran = tick(0);
        assert!(ran.code == 1 && ran.stderr.contains("the shared store: "), "{way}: {ran:?}");
        assert_eq!(tick(1).code, 0, "the other goes on");
        let other = format!("user{}-1@there.example", round + 10);
        assert!(!is_suppressed(&hosts[0], &other));
        one.heal();
        assert_eq!([tick(0).code, tick(1).code], [0, 0], "after {way}");
        assert!(is_suppressed(&hosts[0], &other));
        assert_eq!(list(&hosts[0]), list(&hosts[1]), "after {way}");
    }
    for number in [0, 1, 0] {
        assert_eq!(tick(number).code, 0);
    }
    assert_eq!(list(&hosts[0]).lines().count(), 12, "{}", list(&hosts[0]));
    assert_eq!(redis.number("consume-mail:0:int_total_messages"), messages);
    assert_eq!(redis.number("consume-mail:0:int_bounce_hard"), messages / 2);
}
