//! A message on standard input, as Postfix pipe(8) and PowerMTA's pipe delivery give it.
//!
//! Not here: what becomes of the message (`cli/pipe`, `deliver`), and how long reading may take
//! (`deadline::watchdog`). Invariant: all of standard input is read, whatever happens, because a
//! mail server that cannot write takes that for a failure.

use crate::error::{Context, Error, Result};
use std::io::Read;

/// Reads a message of at most `max_size` bytes. A longer one is read to its end and refused whole.
pub(crate) fn take(mut input: impl Read, max_size: u64) -> Result<Vec<u8>> {
    let mut raw = Vec::with_capacity(16 << 10);
    let taken = input.by_ref().take(max_size.saturating_add(1)).read_to_end(&mut raw);
    let drained = std::io::copy(&mut input, &mut std::io::sink());
    taken.and(drained).context("cannot read the message")?;
    if raw.len() as u64 > max_size {
        return Err(Error::new(format_args!("the message is longer than {max_size} bytes"))
            .remedy("raise [message] max_size, or lower the mail server's own limit below it"));
    }
    Ok(raw)
}

/// Reads the rest of standard input, for a run that ends without using the message.
pub(crate) fn drain(mut input: impl Read) {
    let _ = std::io::copy(&mut input, &mut std::io::sink());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_long_a_message_is_read_to_its_end() {
        let mut input: &[u8] = &[b'x'; 1000];
        assert!(take(&mut input, 999).is_err());
        assert!(input.is_empty());
        assert_eq!(take(&[b'x'; 1000][..], 1000).map(|raw| raw.len()).ok(), Some(1000));
    }
}
