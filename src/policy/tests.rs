//! A component built for an earlier minor version of carom:policy: on the host that this carom is,
//! and on one that offers more than this carom does.

use super::engine::{Flavor, Purpose, engine};
use crate::config::LimitsTable;
use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, Linker};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

/// A host of the future: an interface has a function more.
mod future {
    wasmtime::component::bindgen!({
        inline: "
            package carom:policy@1.2.0;
            interface facts {
                size: func() -> u64;
                spam-score: func() -> u32;
            }
            interface actions {
                accept: func() -> u32;
                count-twice: func(name: string) -> u32;
            }
            interface decision {
                decide: func() -> result<_, string>;
            }
            world policy {
                import facts;
                import actions;
                export decision;
            }
        ",
    });
}

#[derive(Default)]
struct Host {
    accepted: u32,
}

impl future::carom::policy1_2_0::facts::Host for Host {
    fn size(&mut self) -> u64 {
        42
    }

    fn spam_score(&mut self) -> u32 {
        7
    }
}

impl future::carom::policy1_2_0::actions::Host for Host {
    fn accept(&mut self) -> u32 {
        self.accepted += 1;
        0
    }

    fn count_twice(&mut self, _name: String) -> u32 {
        0
    }
}

/// Accepts if the message has 42 bytes.
const GUEST: &str = r#"(module
    (import "carom:policy/actions@1.0.0" "accept" (func $accept (result i32)))
    (import "carom:policy/facts@1.0.0" "size" (func $size (result i64)))
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
    (func (export "carom:policy/decision@1.0.0#decide") (result i32)
        (if (i64.eq (call $size) (i64.const 42)) (then (drop (call $accept)))) (i32.const 1024))
    (func (export "carom:policy/mapping@1.0.0#may-answer") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "carom:policy/classification@1.0.0#classify") (param i32 i32) (result i32) (i32.const 1024))
    (func (export "carom:policy/settings@1.0.0#validate") (param i32 i32) (result i32) (i32.const 1024)))"#;

/// The guest as a component for this version.
fn component(version: &str) -> Vec<u8> {
    let guest = GUEST.replace("1.0.0", version);
    let mut module = wat::parse_str(guest).unwrap();
    let mut resolve = wit_parser::Resolve::default();
    let wit = super::wit::whole().replace(super::anatomy::NEWEST, version);
    let package = resolve.push_str("policy.wit", &wit).unwrap();
    let world = resolve.select_world(&[package], Some("policy")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

#[test]
fn a_component_built_for_an_earlier_version_runs_on_a_later_host() {
    for version in ["1.0.0", "1.1.0"] {
        let engine = engine(Flavor::Native, Purpose::Compile, &LimitsTable::default()).unwrap();
        let component = Component::new(&engine, component(version)).unwrap();
        let mut linker = Linker::new(&engine);
        future::Policy::add_to_linker::<_, HasSelf<Host>>(&mut linker, |host| host).unwrap();
        let mut store = Store::new(&engine, Host::default());
        store.set_epoch_deadline(1000);
        let policy = future::Policy::instantiate(&mut store, &component, &linker).unwrap();
        policy.carom_policy1_2_0_decision().call_decide(&mut store).unwrap().unwrap();
        assert_eq!(store.data().accepted, 1);
    }
}
