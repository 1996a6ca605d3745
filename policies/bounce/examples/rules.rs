//! `make rules`: what each rule is good for. Prints, for each file of rules, how many of its examples
//! the rules of all other files decide alike, and for each rule the examples that only it decides
//! so. `--json` prints a line for each rule.
//!
//! Not here: the bounds on these figures, and the frames (`tests/`).

#[path = "../tests/quoted/mod.rs"]
mod quoted;
#[path = "../tests/worth/mod.rs"]
mod worth;

use serde_json::json;

fn main() {
    let is_json = std::env::args().any(|argument| argument == "--json");
    let rules = worth::rules();
    if is_json {
        for rule in &rules {
            let worth::Worth { name, family, examples, only, foreign, against, .. } = rule;
            println!(
                "{}",
                json!({"rule": name, "file": family, "examples": examples, "only": only,
                    "others": foreign, "against": against})
            );
        }
        return;
    }
    println!("{:<28} {:>5} {:>8} {:>8} {:>8}", "file", "rules", "examples", "reason", "severity");
    for family in worth::families() {
        let worth::Family { name, rules, examples, reason, severity } = family;
        let percent = |part: usize| 100.0 * part as f64 / examples.max(1) as f64;
        println!("{name:<28} {rules:>5} {examples:>8} {:>7.1}% {:>7.1}%", percent(reason), percent(severity));
    }
    println!("\nrules that decide nothing that others would not decide alike:");
    for rule in rules.iter().filter(|rule| rule.only.is_empty()) {
        println!("  {} ({})", rule.name, rule.family);
    }
    println!("\nrules that decide only their own examples, where a rule of another file says otherwise:");
    for rule in rules.iter().filter(|rule| rule.is_exception()) {
        println!("  {} ({}): {}", rule.name, rule.family, rule.against.join(", "));
    }
}
