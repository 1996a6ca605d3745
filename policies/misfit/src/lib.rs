//! A policy that misbehaves as its settings ask: `{"mode": "trap"}`. Tests use it to see what
//! happens to a message whose policy fails.

use carom_policy::{actions, host, now, Policy};

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

/// Never ends. The compiler must not see it, or it would warn.
fn recurse(depth: u64) -> u64 {
    let again: fn(u64) -> u64 = std::hint::black_box(recurse);
    std::hint::black_box(depth) + again(depth + 1)
}

carom_policy::policy!(Misfit);
