//! Three stores whose clocks differ, which change one list and hear of each other in any order:
//! after they have exchanged, the same entry is in force in each, and after its term the same one
//! comes back.
//!
//! Not here: the exchange (`crate::shared`), of which this has the log only. Invariant: where two
//! runs begin with the same seed, they are the same but for the time of day.

use crate::clock::{self, DAY_MS};
use crate::deadline::Deadline;
use crate::plan::Grounds;
use crate::store::shared_fact::{FactVersion, SharedFact, rank_of_time};
use crate::store::tests::Place;
use crate::store::{Released, Store, Suppressed};
use std::collections::HashMap;
use std::time::Duration;

const ADDRESSES: [&str; 2] = ["a@there.example", "b@there.example"];
/// How far the clock of each host is ahead of the first, in milliseconds.
const AHEAD_MS: [i64; 3] = [0, 400_000, -500_000];
const CHANGES: usize = 40;

/// A host, its clock, and how much of the log it has read.
struct Host {
    store: Store,
    ahead_ms: i64,
    read: usize,
}

/// What the shared store has.
#[derive(Default)]
struct Log {
    changes: Vec<SharedFact>,
    known: HashMap<String, FactVersion>,
}

impl Log {
    fn put(&mut self, fact: SharedFact) {
        if fact.beats(self.known.get(&fact.name).copied()) {
            self.known.insert(fact.name.clone(), fact.version);
            self.changes.push(fact);
        }
    }
}

impl Host {
    fn begin(&self, number: u32, log: &mut Log) {
        self.store.begin_sharing(number, 1).unwrap();
        // A clock that was ahead once has left a greater version.
        let rank = rank_of_time(clock::now_ms() + self.ahead_ms.max(0));
        let version = FactVersion { rank, host: number };
        let fact = SharedFact { name: format!("sx{number}@there.example"), version, content: None };
        self.store.merge(vec![fact], Vec::new(), clock::now_ms()).unwrap();
        self.store
            .each_fact(&mut |fact| {
                log.put(fact);
                Ok(())
            })
            .unwrap();
    }

    fn ship(&self, log: &mut Log) {
        let facts = self.store.waiting_facts("", 1000).unwrap();
        let versions = facts.iter().map(|fact| (fact.name.clone(), fact.version)).collect();
        facts.into_iter().for_each(|fact| log.put(fact));
        self.store.shipped(versions).unwrap();
    }

    fn hear(&mut self, log: &Log, now_ms: i64) {
        let news = log.changes[self.read..].to_vec();
        self.store.merge(news, Vec::new(), now_ms + self.ahead_ms).unwrap();
        self.read = log.changes.len();
    }

    /// What is in force, and what it has replaced, the newest first.
    fn list(&self, now_ms: i64) -> Vec<(Suppressed, Vec<Suppressed>)> {
        let in_force = self.store.suppressions("", None, now_ms, 100).unwrap();
        let of = |entry: Suppressed| {
            let replaced = self.store.earlier_suppressions(&entry.address, &entry.sender_domain).unwrap();
            (entry, replaced)
        };
        in_force.into_iter().map(of).collect()
    }

    fn change(&self, random: &mut fastrand::Rng, now_ms: i64) {
        let (address, now_ms) = (ADDRESSES[random.usize(..2)].to_owned(), now_ms + self.ahead_ms);
        let days = random.i64(0..4);
        let expires_ms = (days > 0).then(|| now_ms + days * DAY_MS);
        let reason = format!("reason {}", random.u32(..));
        let entry = |source: &str| Suppressed {
            address: address.clone(),
            reason: reason.clone(),
            source: source.into(),
            added_ms: now_ms,
            expires_ms,
            ..Suppressed::default()
        };
        match random.u8(..10) {
            0..=3 => assert!(self.store.suppress_all(&[entry("operator")], None).is_ok()),
            4 | 5 => {
                let grounds = Grounds { key: format!("{:x}", random.u64(..)), ..Grounds::default() };
                assert!(self.store.suppress(&Suppressed { grounds, ..entry("report") }).is_ok());
            }
            6 | 7 => assert!(self.store.import(vec![entry("import")], now_ms).is_ok()),
            8 => assert!(self.store.unsuppress(&address, None, now_ms, None).is_ok()),
            _ => {
                for (entry, replaced) in
                    self.list(now_ms).into_iter().filter(|(one, _)| one.address == address)
                {
                    let restored = replaced.into_iter().find(|one| !one.has_expired(now_ms));
                    let released = Released { entry, restored, forgotten: 0..0, notice: None };
                    self.store.release_suppressions(&[released], now_ms).unwrap();
                }
            }
        }
    }

    fn purge(&self, now_ms: i64) {
        self.store.purge(now_ms + self.ahead_ms, Deadline::after(Duration::from_secs(60))).unwrap();
    }
}

/// Everybody hears of everything, in an order by chance.
fn exchange(hosts: &mut [Host; 3], log: &mut Log, random: &mut fastrand::Rng, now_ms: i64) {
    for _ in 0..2 {
        let mut order = [0, 1, 2];
        random.shuffle(&mut order);
        for number in order {
            hosts[number].ship(log);
            hosts[number].hear(log, now_ms);
        }
    }
}

#[track_caller]
fn agree(hosts: &[Host; 3], now_ms: i64, seed: u64) -> Vec<(Suppressed, Vec<Suppressed>)> {
    let lists = [0, 1, 2].map(|number| hosts[number].list(now_ms));
    assert!(lists[0] == lists[1] && lists[1] == lists[2], "seed {seed}: {lists:#?}");
    let [list, ..] = lists;
    list
}

#[test]
fn the_same_entry_is_in_force_on_all_hosts_whatever_their_clocks_say() {
    for seed in 0..25 {
        let mut random = fastrand::Rng::with_seed(seed);
        let places = [(); 3].map(|()| Place::new());
        let mut number = 0;
        let mut hosts = places.each_ref().map(|place| {
            number += 1;
            Host { store: place.open(), ahead_ms: AHEAD_MS[number - 1], read: 0 }
        });
        let (mut log, mut now_ms) = (Log::default(), clock::now_ms());
        for host in &hosts {
            // Before sharing.
            (0..random.usize(..4)).for_each(|_| host.change(&mut random, now_ms - 1_000_000));
        }
        for (number, host) in hosts.iter().enumerate() {
            host.begin(number as u32 + 1, &mut log);
        }
        for _ in 0..CHANGES {
            now_ms += 1000;
            let host = &mut hosts[random.usize(..3)];
            match random.u8(..4) {
                0 => host.ship(&mut log),
                1 => host.hear(&log, now_ms),
                _ => host.change(&mut random, now_ms),
            }
        }
        exchange(&mut hosts, &mut log, &mut random, now_ms);
        agree(&hosts, now_ms, seed);
        for days in 1..=4 {
            let then_ms = now_ms + days * DAY_MS + 1_000_000;
            for number in [0, 1, 2, 0] {
                hosts[number].purge(then_ms);
                exchange(&mut hosts, &mut log, &mut random, then_ms);
            }
            let list = agree(&hosts, then_ms, seed);
            assert!(days < 4 || list.iter().all(|(entry, _)| entry.expires_ms.is_none()), "{list:?}");
        }
    }
}
