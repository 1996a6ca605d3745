//! A policy that misbehaves as its settings ask: `{"mode": "trap"}`. Tests use it to see what
//! happens to a message whose policy fails.

use carom_policy::{actions, host, now, reports, Policy, Sequence};
use std::cell::{Cell, RefCell};

struct Misfit;

impl Policy for Misfit {
    fn decide() -> Result<(), String> {
        let settings = host::settings();
        let mode = settings.split('"').nth(3).unwrap_or("");
        match mode {
            "trap" => panic!("as asked for"),
            "loop" => loop {
                std::hint::black_box(());
            },
            "hog" => {
                let mut hoard: Vec<Vec<u8>> = Vec::new();
                loop {
                    hoard.push(vec![1; 1 << 20]);
                    std::hint::black_box(&hoard);
                }
            }
            "recurse" => {
                std::hint::black_box(recurse(1));
            }
            "flood" => (0..100_000).for_each(|_| host::log(host::Level::Info, &"x".repeat(1000))),
            "steps" => (0..10_000).for_each(|_| {
                actions::count("steps", now());
            }),
            "string" => host::log(host::Level::Info, &"x".repeat(48 << 20)),
            "refuse" => return Err("as asked\r\nfor".into()),
            "nonsense" => {
                actions::reject(&actions::Reply { code: 250, enhanced: "2.0.0".into(), text: String::new() });
            }
            _ => {}
        }
        actions::accept();
        actions::count("accept", now());
        Ok(())
    }
}

thread_local! {
    /// The sender of the first failure that this instance was asked about.
    static FIRST: RefCell<Option<String>> = const { RefCell::new(None) };
    static ASKED: Cell<u32> = const { Cell::new(0) };
}

/// How an instance that is asked several times misbehaves.
impl Sequence for Misfit {
    fn decide_next() -> Result<(), String> {
        let settings = host::settings();
        let asked = ASKED.replace(ASKED.get() + 1);
        match settings.split('"').nth(3).unwrap_or("") {
            "remember" => {
                let sender = reports::original_sender().unwrap_or_default();
                let first = FIRST.with_borrow_mut(|first| first.get_or_insert(sender.clone()).clone());
                let domain = |address: &str| address.rsplit('@').next().unwrap_or_default().to_owned();
                let name = match (asked, domain(&first).eq_ignore_ascii_case(&domain(&sender))) {
                    (0, _) => "first",
                    (_, true) => "same_sender",
                    (_, false) => "other_sender",
                };
                actions::count(name, now());
            }
            "leak" => std::mem::forget(vec![1_u8; 1 << 20]),
            "toil" => (0..TOIL).for_each(|step| {
                std::hint::black_box(step);
            }),
            "stumble" if reports::recipients().iter().any(|one| one.address.starts_with("trap")) => {
                panic!("over this one")
            }
            "steps" => (0..200).for_each(|_| {
                actions::count("steps", now());
            }),
            "stumble" => {}
            _ => return Misfit::decide(),
        }
        actions::accept();
        actions::count("decided", now());
        Ok(())
    }
}

/// Steps of work that take some milliseconds.
const TOIL: u32 = 4_000_000;

/// Never ends. The compiler must not see it, or it would warn.
fn recurse(depth: u64) -> u64 {
    let again: fn(u64) -> u64 = std::hint::black_box(recurse);
    std::hint::black_box(depth) + again(depth + 1)
}

carom_policy::policy!(Misfit);
carom_policy::sequence!(Misfit);
