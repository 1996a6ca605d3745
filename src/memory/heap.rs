//! THE HEAP: memory goes back to the kernel when it is free.
//!
//! Otherwise glibc raises the size from which it gives blocks back with each large one, and every
//! thread keeps what it has freed, for threads that need other sizes. Not here: how much is in use
//! (`budget`).

/// Bytes from which a block is mapped for itself.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 1 << 20;

/// From now on, in the whole process.
#[cfg(target_env = "gnu")]
pub(crate) fn give_large_blocks_back() {
    // SAFETY: the call changes a number of the allocator, which locks itself for that.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
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
