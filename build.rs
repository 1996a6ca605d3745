//! How the binary is linked, and the shipped policies, compressed.
//!
//! It is linked at a fixed address, with symbols bound when they are first used, because a process
//! that lives for one message pays for every relocation at its start.

use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-bins=-no-pie");
    println!("cargo:rustc-link-arg-bins=-Wl,-z,lazy");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    for name in ["sink.wasm", "bounce.wasm"] {
        let policy = format!("policies/dist/{name}");
        println!("cargo:rerun-if-changed={policy}");
        let deflated = File::create(out.join(format!("{name}.deflated")))?;
        let mut deflate = DeflateEncoder::new(deflated, Compression::best());
        deflate.write_all(&fs::read(policy)?)?;
        deflate.finish()?;
    }
    Ok(())
}
