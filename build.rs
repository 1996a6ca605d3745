//! How the binary is linked: at a fixed address and with symbols bound when they are first used, because a process that lives
//! for one message pays for every relocation at its start.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-bins=-no-pie");
    println!("cargo:rustc-link-arg-bins=-Wl,-z,lazy");
}
