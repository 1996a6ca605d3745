//! The example config against the defaults.

use super::Config;

#[test]
fn the_example_config_names_every_key_with_its_default() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/carom.toml")).unwrap();
    let example = Config::parse(&text).unwrap();
    let default = Config::default();
    let table = |config: &Config| toml::Table::try_from(config).unwrap();
    assert_eq!(table(&example), table(&default));
    for (name, section) in table(&default) {
        for key in section.as_table().into_iter().flat_map(|section| section.keys()) {
            assert!(text.contains(&format!("{key} =")), "[{name}] {key} is not in the example");
        }
    }
}
