//! The rules are general: what one file of rules quotes, the others decide alike for the most part,
//! and few rules are good for nothing but their own example. `make rules` prints the figures.

mod quoted;
mod worth;

/// At least this many percent of the examples of all files are decided alike by the other files.
const SEVERITY_ALIKE: usize = 70;
const REASON_ALIKE: usize = 45;
/// At most this many percent of the rules are exceptions to rules of other files.
const EXCEPTIONS: usize = 30;

#[test]
fn other_files_decide_most_examples_alike() {
    let families = worth::families();
    let sum = |count: fn(&worth::Family) -> usize| families.iter().map(count).sum::<usize>();
    let (examples, reason, severity) =
        (sum(|family| family.examples), sum(|family| family.reason), sum(|family| family.severity));
    for worth::Family { name, examples, reason, severity, rules } in &families {
        println!("{name}: {rules} rules, {reason} reasons and {severity} severities of {examples} alike");
    }
    assert!(severity * 100 >= examples * SEVERITY_ALIKE, "{severity} of {examples}");
    assert!(reason * 100 >= examples * REASON_ALIKE, "{reason} of {examples}");
}

#[test]
fn few_rules_are_exceptions() {
    let rules = worth::rules();
    let name = |rule: &worth::Worth| format!("{} ({})", rule.name, rule.family);
    let exceptions: Vec<String> = rules.iter().filter(|rule| rule.is_exception()).map(name).collect();
    println!("{} of {} rules", exceptions.len(), rules.len());
    assert!(exceptions.len() * 100 <= rules.len() * EXCEPTIONS, "{}: {exceptions:?}", exceptions.len());
}
