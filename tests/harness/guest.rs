//! Policies made on the spot: a few lines of WebAssembly text become a component for the world of `wit/`, in a copy of it with
//! the version that is asked for: 1.0.0, so that the tests hold carom to what was published first, unless they say otherwise.

use std::fs;
use std::path::{Path, PathBuf};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A policy under construction. By itself it accepts, maps nothing, classifies nothing, and has no complaint.
pub(crate) struct Guest {
    version: String,
    imports: String,
    decide: String,
    pages: u32,
    data: String,
    prepare: Option<String>,
    diagnoses: bool,
    receive: Option<String>,
    may_answer: String,
    wasi: bool,
}

/// As much of WASI as the tests use.
const WASI: [&str; 3] = [
    "package wasi:random@0.2.3; interface random { get-random-u64: func() -> u64; }",
    "package wasi:io@0.2.3; interface streams { resource output-stream {
        blocking-write-and-flush: func(contents: list<u8>) -> result; } }",
    "package wasi:cli@0.2.3;
     interface stdout { use wasi:io/streams@0.2.3.{output-stream}; get-stdout: func() -> output-stream; }
     interface exit { exit: func(status: result); }",
];

impl Guest {
    /// `decide` is the body of a function without result; `$accept` and `$size` can be called.
    pub(crate) fn new(decide: &str) -> Guest {
        let (version, imports, data) = ("1.0.0".into(), String::new(), String::new());
        let (decide, pages, prepare, diagnoses, receive, wasi) = (decide.into(), 1, None, false, None, false);
        let may_answer = "(i32.const 1024)".into();
        Guest { version, imports, decide, pages, data, prepare, diagnoses, receive, may_answer, wasi }
    }

    /// Another function that it imports: `("actions", "count", "$count", "(param i32 i32 i32 i32 i32 i32)")`.
    pub(crate) fn import(mut self, interface: &str, name: &str, local: &str, signature: &str) -> Guest {
        let version = &self.version;
        self.imports.push_str(&format!(
            "(import \"carom:policy/{interface}@{version}\" \"{name}\" (func {local} {signature}))\n"
        ));
        self
    }

    /// Imports of WASI: `$random`, `$stdout`, `$print` and `$exit` can be called.
    pub(crate) fn wasi(mut self) -> Guest {
        self.wasi = true;
        self.imports.push_str(
            r#"(import "wasi:random/random@0.2.3" "get-random-u64" (func $random (result i64)))
            (import "wasi:cli/stdout@0.2.3" "get-stdout" (func $stdout (result i32)))
            (import "wasi:io/streams@0.2.3" "[method]output-stream.blocking-write-and-flush"
                (func $print (param i32 i32 i32) (result i32)))
            (import "wasi:cli/exit@0.2.3" "exit" (func $exit (param i32)))
            "#,
        );
        self
    }

    /// Adds to the counter `name` when it is called as `$count_it`.
    pub(crate) fn counting(self, name: &str) -> Guest {
        let mut guest =
            self.import("actions", "count", "$count", "(param i32 i32 i32 i32 i32 i32) (result i32)");
        guest.data.push_str(&format!("(data (i32.const 512) \"{name}\")\n"));
        guest.imports.push('\n');
        guest.decide = guest.decide.replace(
            "(call $count_it)",
            // name, after: none (tag, step, outcome), delay
            &format!("(drop (call $count (i32.const 512) (i32.const {}) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))", name.len()),
        );
        guest
    }

    /// Text that is in memory from the beginning.
    pub(crate) fn text(mut self, at: u32, text: &str) -> Guest {
        self.data.push_str(&format!("(data (i32.const {at}) \"{text}\")\n"));
        self
    }

    /// Another version of carom:policy. To be called first.
    pub(crate) fn version(mut self, version: &str) -> Guest {
        self.version = version.into();
        self
    }

    /// The number of pages of memory, of 64 KiB each.
    pub(crate) fn pages(mut self, pages: u32) -> Guest {
        self.pages = pages;
        self
    }

    /// Data, as `(data …)` of WebAssembly text.
    pub(crate) fn data(mut self, data: &str) -> Guest {
        self.data.push_str(data);
        self
    }

    /// The body of a preparation.
    pub(crate) fn prepare(mut self, body: &str) -> Guest {
        self.prepare = Some(body.into());
        self
    }

    /// It says what failures are about (since 1.1): the classes are read at 2048.
    pub(crate) fn diagnoses(mut self) -> Guest {
        self.diagnoses = true;
        self
    }

    /// It answers in the SMTP dialogue (since 1.1): the body ends with the address of its answer.
    pub(crate) fn receives(mut self, body: &str) -> Guest {
        self.receive = Some(body.into());
        self
    }

    /// The body that says where a return path is answered; it ends with the address of its answer.
    pub(crate) fn answers(mut self, body: &str) -> Guest {
        self.may_answer = body.into();
        self
    }

    /// The component.
    pub(crate) fn build(&self) -> Vec<u8> {
        let Guest { version, imports, decide, pages, data, prepare, may_answer, .. } = self;
        let preparation = prepare.as_ref().map_or(String::new(), |body| {
            format!("(func (export \"carom:policy/preparation@{version}#prepare\") {body})")
        });
        let classes = "(param i32 i32) (result i32) (i32.store (i32.const 1032) (i32.const 2048)) \
                       (i32.store (i32.const 1036) (local.get 1)) (i32.const 1032)";
        let diagnosis = format!("(func (export \"carom:policy/diagnosis@{version}#diagnose\") {classes})");
        let diagnosis = if self.diagnoses { diagnosis } else { String::new() };
        let reception = self.receive.as_ref().map_or(String::new(), |body| {
            format!("(func (export \"carom:policy/reception@{version}#receive\") (result i32) {body})")
        });
        let text = format!(
            r#"(module
            (import "carom:policy/actions@{version}" "accept" (func $accept (result i32)))
            (import "carom:policy/facts@{version}" "size" (func $size (result i64)))
            {imports}
            (memory (export "memory") {pages})
            {data}
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
            (func (export "carom:policy/decision@{version}#decide") (result i32) {decide} (i32.const 1024))
            (func (export "carom:policy/mapping@{version}#may-answer") (param i32 i32 i32 i32) (result i32) {may_answer})
            (func (export "carom:policy/classification@{version}#classify") {classes})
            (func (export "carom:policy/settings@{version}#validate") (param i32 i32) (result i32) (i32.const 1024))
            {preparation} {diagnosis} {reception})"#
        );
        let world = match (prepare.is_some(), self.diagnoses) {
            (false, false) => "policy",
            (true, false) => "prepared-policy",
            (_, true) => "diagnosing-policy",
        };
        let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"));
        let (resolve, package) = self.resolve();
        let world = resolve.select_world(&[package], Some(world)).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        if self.receive.is_some() {
            let world = resolve.select_world(&[package], Some("receiving-policy")).unwrap();
            embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        }
        ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
    }

    /// Writes the component to a file.
    pub(crate) fn write(&self, path: &Path) -> PathBuf {
        fs::write(path, self.build()).unwrap();
        path.to_owned()
    }

    fn resolve(&self) -> (Resolve, wit_parser::PackageId) {
        let mut whole =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("wit/world.wit")).unwrap();
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("wit")).unwrap().flatten() {
            if entry.file_name() != "world.wit" {
                whole.push_str(&fs::read_to_string(entry.path()).unwrap());
            }
        }
        let mut resolve = Resolve::default();
        let mut whole = whole.replace("1.1.0", &self.version);
        if self.wasi {
            for package in WASI {
                resolve.push_str("wasi.wit", package).unwrap();
            }
            let imports = ["random/random", "io/streams", "cli/stdout", "cli/exit"];
            let imports: String = imports.iter().map(|name| format!("import wasi:{name}@0.2.3;\n")).collect();
            whole = whole.replace("world policy {", &format!("world policy {{\n{imports}"));
        }
        let package = resolve.push_str("policy.wit", &whole).unwrap();
        (resolve, package)
    }
}
