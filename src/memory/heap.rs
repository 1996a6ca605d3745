//! THE HEAP: memory goes back to the kernel when it is free.
//!
//! Otherwise glibc raises the size from which it gives blocks back with each large one, and every
//! thread keeps what it has freed, for threads that need other sizes. Not here: how much is in use
//! (`budget`).

/// Bytes from which a block is mapped for itself.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 1 << 20;
/// Bytes that the heap of a thread grows by beyond what is needed, and keeps: with none, it grows
/// and shrinks with each message.
#[cfg(target_env = "gnu")]
const SPARE: libc::c_int = 256 << 10;

/// From now on, in the whole process.
#[cfg(target_env = "gnu")]
pub(crate) fn give_large_blocks_back() {
    // SAFETY: the calls change numbers of the allocator, which locks itself for that.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TOP_PAD, SPARE);
    }
}

/// Gives back what is free now, of all threads. It takes milliseconds: to be called when many small
/// blocks were freed.
#[cfg(target_env = "gnu")]
pub(crate) fn give_small_blocks_back() {
    // SAFETY: the allocator locks itself for the call, and gives back nothing that is in use.
    unsafe { libc::malloc_trim(0) };
}

/// Other C libraries do so by themselves.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn give_large_blocks_back() {}

/// The same.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn give_small_blocks_back() {}
