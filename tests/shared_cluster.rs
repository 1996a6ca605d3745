//! Three hosts and a Redis Cluster of three masters with replicas, whose masters are killed with `kill -9`, and ticks of hosts
//! too: no suppression is lost, no count is lost or doubled, compared with what was done.

use crate::bounces::{STRANGER, bounce, dsn, sandbox, signed_path};
use crate::harness::redis::redis_cluster::RedisCluster;
use crate::harness::{Sandbox, free_port, plain, wait_for};
use crate::shared::list;
use std::collections::BTreeSet;

/// What was done, exactly.
#[derive(Default)]
struct Oracle {
    suppressed: BTreeSet<String>,
    /// Those of them that were reported to one host only.
    releasable: Vec<String>,
    messages: u64,
    hard: u64,
}

impl Oracle {
    /// One of the hosts bounces, releases and takes mail; some bounces reach two hosts.
    fn work(&mut self, hosts: &[Sandbox], round: usize, messages: usize) {
        for number in 0..messages {
            let host = &hosts[fastrand::usize(..hosts.len())];
            let address = format!("user{round}-{number}@there.example");
            let (path, report) =
                (signed_path(host, &address), dsn(&address, "5.1.1", "550 5.1.1 user unknown"));
            bounce(host, &path, STRANGER, &report);
            self.messages += 1;
            self.hard += 1;
            if number % 3 != 0 {
                self.releasable.push(address.clone());
            } else {
                let other = &hosts[fastrand::usize(..hosts.len())];
                bounce(other, &path, STRANGER, &report);
                self.messages += 1;
            }
            host.pipe("x@accept.sink.example", &plain("x@accept.sink.example")).silent();
            self.messages += 1;
            self.suppressed.insert(address);
        }
        let Some(released) = self.releasable.pop() else { return };
        let has_it = |host: &&Sandbox| listed(host).contains(&released);
        let host = hosts.iter().find(has_it).unwrap();
        assert_eq!(host.run(&["suppress", "remove", &released], b"").code, 0);
        self.suppressed.remove(&released);
    }
}

fn listed(host: &Sandbox) -> BTreeSet<String> {
    let entry = |line: &str| {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        entry["address"].as_str().unwrap().to_owned()
    };
    list(host).lines().map(entry).collect()
}

/// A tick, or the first part of one.
fn killed_tick(host: &Sandbox) {
    let mut child = host.command(&["cron"]).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(fastrand::u64(20..400)));
    let _ = child.kill();
    child.wait().unwrap();
}

/// Rounds of work between which masters and hosts are killed.
fn run(rounds: usize, messages: usize) {
    let mut cluster = RedisCluster::start();
    let hosts = ["", "", ""].map(|settings| sandbox(free_port(), settings).config(&cluster.config()));
    let mut oracle = Oracle::default();
    for host in &hosts {
        assert_eq!(host.run(&["cron"], b"").code, 0);
    }
    for round in 0..rounds {
        oracle.work(&hosts, round, messages);
        hosts.iter().for_each(killed_tick);
        let master = fastrand::choice(cluster.masters()).unwrap();
        hosts.iter().take(2).for_each(|host| drop(host.run(&["cron"], b"")));
        cluster.kill(master);
        oracle.work(&hosts, rounds + round, messages);
        // Away: it may fail, and mail flows.
        hosts.iter().for_each(|host| drop(host.run(&["cron"], b"")));
        cluster.wait_until_whole();
        cluster.again(master);
        cluster.wait_until_whole();
    }
    wait_for(180, "all hosts have exchanged", || {
        let ended: Vec<bool> = hosts.iter().map(|host| host.run(&["cron"], b"").code == 0).collect();
        ended.iter().all(|ended| *ended)
            && hosts.iter().all(|host| host.run(&["shared", "diff"], b"").code == 0)
    });
    for host in hosts.iter().chain(&hosts) {
        assert_eq!(host.run(&["cron"], b"").code, 0);
    }
    for host in &hosts {
        assert_eq!(listed(host), oracle.suppressed);
    }
    let sum = |name: &str| hosts.iter().map(|host| host.counter(name)).sum::<u64>();
    assert_eq!((sum("total_messages"), sum("bounce_hard")), (oracle.messages, oracle.hard));
    for name in ["total_messages", "bounce_hard", "accept"] {
        assert_eq!(cluster.number(&format!("consume-mail:0:int_{name}")), sum(name), "{name}");
    }
}

#[test]
fn masters_and_hosts_that_are_killed_lose_no_suppression_and_no_count() {
    run(1, 12);
}

/// `make test-cluster`. Without ROUNDS and MESSAGES, about 56,000 messages and twenty masters.
#[test]
#[ignore = "takes half an hour: make test-cluster"]
fn many_messages_and_many_kills() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (rounds, messages) = (number("CAROM_ROUNDS").unwrap_or(20), number("CAROM_MESSAGES").unwrap_or(600));
    println!("{rounds} masters are killed, each between {messages} reports and {messages} more");
    run(rounds, messages);
}
