//! The policies inside the carom binary, compressed: a process needs them only to compile them.
//!
//! Not here: other policies, and which one is in force (`component_source`).

use flate2::read::DeflateDecoder;
use std::io::{self, Read};

/// A policy inside the carom binary.
pub(crate) struct Shipped {
    pub(crate) name: &'static str,
    /// What `build.rs` made of the component.
    deflated: &'static [u8],
    /// SHA-256 of the component, computed when the policy was built, so that no process has to.
    hash: &'static str,
}

pub(crate) const SHIPPED: &[Shipped] = &[
    Shipped {
        name: "sink",
        deflated: include_bytes!(concat!(env!("OUT_DIR"), "/sink.wasm.deflated")),
        hash: include_str!("../../policies/dist/sink.sha256"),
    },
    Shipped {
        name: "bounce",
        deflated: include_bytes!(concat!(env!("OUT_DIR"), "/bounce.wasm.deflated")),
        hash: include_str!("../../policies/dist/bounce.sha256"),
    },
];

impl Shipped {
    pub(crate) fn hash(&self) -> &'static str {
        self.hash.trim()
    }

    pub(crate) fn wasm(&self) -> io::Result<Vec<u8>> {
        let mut wasm = Vec::with_capacity(4 * self.deflated.len());
        DeflateDecoder::new(self.deflated).read_to_end(&mut wasm)?;
        Ok(wasm)
    }
}

#[cfg(test)]
mod tests {
    use super::SHIPPED;
    use crate::digest;

    #[test]
    fn what_is_embedded_is_what_was_built() {
        for shipped in SHIPPED {
            assert_eq!(digest::sha256_hex(&[&shipped.wasm().unwrap()], 64), shipped.hash());
        }
    }
}
