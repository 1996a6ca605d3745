//! The whole config: the example against the defaults, and what stops `pipe` and what does not.

use super::Config;
use super::tables::Tables;
use super::toml_file::TomlFile;

#[test]
fn the_example_config_names_every_key_with_its_default() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/carom.toml")).unwrap();
    Config::parse(&text).unwrap();
    let example = TomlFile::new(&text, None).tables(|_| true).unwrap();
    let default = TomlFile::new("", None).tables(|_| true).unwrap();
    let table = |tables: &Tables| toml::Table::try_from(tables).unwrap();
    assert_eq!(table(&example), table(&default));
    for (name, section) in table(&default) {
        for key in section.as_table().into_iter().flat_map(|section| section.keys()) {
            assert!(text.contains(&format!("{key} =")), "[{name}] {key} is not in the example");
        }
    }
}
