//! A message on standard input, as Postfix pipe(8) and PowerMTA's pipe delivery give it, and the watchdog over it.
//!
//! Not here: what becomes of the message. Invariant: all of standard input is read, whatever happens, because a mail
//! server that cannot write takes that for a failure; and no process outlives its deadline.

use crate::deadline::Deadline;
use crate::error::{Context, Error, Result};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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

/// Reads what is left of standard input, for a run that ends without having looked at the message.
pub(crate) fn drain(mut input: impl Read) {
    let _ = std::io::copy(&mut input, &mut std::io::sink());
}

/// Ends the process when `deadline` passes: with `overdue` while the message is still the mail server's, silently and
/// well once `promised` says that it is ours. Until then calls `tick` every `pulse`: one thread for both clocks.
pub(crate) fn watch(
    deadline: Deadline,
    promised: Arc<AtomicBool>,
    (pulse, tick): (Duration, impl Fn() + Send + 'static),
    overdue: impl FnOnce() -> u8 + Send + 'static,
) -> Result<()> {
    let watchdog = move || {
        while !deadline.passed() {
            std::thread::sleep(pulse.min(deadline.left()));
            tick();
        }
        let code = if promised.load(Ordering::SeqCst) { 0 } else { overdue() };
        std::process::exit(i32::from(code));
    };
    let thread = std::thread::Builder::new().name("watchdog".into()).stack_size(64 << 10);
    thread.spawn(watchdog).context("cannot start the watchdog").map(drop)
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
