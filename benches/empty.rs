//! The smallest Rust process, which `carom pipe` is compared with.

fn main() {}
