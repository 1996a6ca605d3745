//! The least that a Rust process can do: what `carom pipe` is compared with.

fn main() {}
