//! The signals that ask a process to end: SIGTERM, SIGINT and SIGHUP. No more work is begun; steps
//! in hand end and are settled. A second signal ends the process immediately.
//!
//! Not here: what an ended process answers (`watchdog`). Invariant: a handler only reads and sets
//! atomics.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};

static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
static IN_HAND: AtomicUsize = AtomicUsize::new(0);

/// The signals that ask this process to end. What it was started to ignore (nohup) is not one.
pub(crate) fn signals() -> impl Iterator<Item = libc::c_int> {
    [libc::SIGTERM, libc::SIGINT, libc::SIGHUP].into_iter().filter(|signal| !is_ignored(*signal))
}

fn is_ignored(signal: libc::c_int) -> bool {
    // SAFETY: all zeros is a valid `sigaction`, which the call fills in.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut action);
        action.sa_sigaction == libc::SIG_IGN
    }
}

/// Whether the process is to end.
pub(crate) fn asked() -> bool {
    ASKED.load(SeqCst)
}

/// The flag that a signal sets.
pub(crate) fn flag() -> Arc<AtomicBool> {
    ASKED.clone()
}

/// Held while steps are done, until their end is on record.
pub(crate) struct InHand(());

impl InHand {
    pub(crate) fn begin() -> InHand {
        IN_HAND.fetch_add(1, SeqCst);
        InHand(())
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        IN_HAND.fetch_sub(1, SeqCst);
    }
}

/// A signal has come. Returns whether the process may end now. `flag` must have been called before.
pub(super) fn ends_now() -> bool {
    let before = ASKED.swap(true, SeqCst);
    before || IN_HAND.load(SeqCst) == 0
}

/// A file that grows beyond the limit of this process is an error for who writes it, and not the
/// end. Programs that this process starts get the usual behavior.
pub(crate) fn survive_file_limit() {
    // SAFETY: all zeros is a valid `sigaction`; the handler has the signature that its flags ask
    // for, and does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGXFSZ, &raw const action, std::ptr::null_mut());
    }
}

extern "C" fn nothing(_signal: libc::c_int) {}
