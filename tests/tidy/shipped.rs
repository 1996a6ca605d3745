//! The shipped policies are the ones that their sources make, and the C example has the whole interface.

use super::sources::root;
use std::fs;
use std::path::Path;
use wit_parser::{Resolve, WorldItem};

#[test]
fn the_shipped_policies_are_built_from_their_sources() {
    let digest = |bytes: &[u8]| -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    for name in ["sink", "bounce", "misfit"] {
        let read = |ending: &str| fs::read(root().join(format!("policies/dist/{name}.{ending}"))).unwrap();
        assert_eq!(
            digest(&read("wasm")),
            String::from_utf8_lossy(&read("sha256")).trim(),
            "{name}.wasm was changed by hand"
        );
        let mut sources: Vec<(String, Vec<u8>)> = Vec::new();
        // The rules of the bounce policy make the replies of the sink.
        let guests: &[&str] = if name == "sink" { &["sink", "bounce"] } else { &[name] };
        let folders = guests
            .iter()
            .flat_map(|guest| ["/src", "/rules", ""].map(|folder| format!("policies/{guest}{folder}")));
        for folder in ["wit".to_owned(), "policies/sdk/src".into()].into_iter().chain(folders) {
            for entry in fs::read_dir(root().join(&folder)).into_iter().flatten().flatten() {
                let file = format!("{folder}/{}", entry.file_name().to_string_lossy());
                let is_whole = folder.ends_with("src") || folder.ends_with("rules") || folder == "wit";
                if is_whole || file.ends_with(".toml") || file.ends_with(".rs") {
                    sources.push((file, fs::read(entry.path()).unwrap()));
                }
            }
        }
        let file = "policies/sdk/Cargo.toml".to_owned();
        sources.push((file.clone(), fs::read(root().join(&file)).unwrap()));
        sources.sort_by(|a, b| Path::new(&a.0).cmp(Path::new(&b.0)));
        let joined: Vec<u8> = sources
            .iter()
            .flat_map(|(file, content)| [file.as_bytes(), b"\0", content, b"\0"].concat())
            .collect();
        assert_eq!(
            digest(&joined),
            String::from_utf8_lossy(&read("source")).trim(),
            "{name} is older than its sources: run policies/build.sh"
        );
    }
}

#[test]
fn the_bindings_for_c_have_every_function_of_the_interface() {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit")).unwrap();
    let world = &resolve.worlds[resolve.select_world(&[package], Some("policy")).unwrap()];
    let header = fs::read_to_string(root().join("examples/policies/c/bindings/policy.h")).unwrap();
    for (items, prefix) in [(&world.imports, ""), (&world.exports, "exports_")] {
        let mut functions = items.values().flat_map(|item| {
            let WorldItem::Interface { id, .. } = item else { panic!("{item:?}") };
            let interface = &resolve.interfaces[*id];
            let of = interface.name.clone().unwrap();
            interface.functions.keys().map(move |name| format!(" {prefix}{of}_{name}(").replace('-', "_"))
        });
        let missing = functions.find(|function| !header.contains(function));
        assert_eq!(missing, None, "generate them again: examples/policies/c/bindings/README.md");
    }
}
