//! THE HEAP: large blocks go back to the kernel when they are freed.
//!
//! Otherwise glibc raises the size from which it does so with each large block, and every thread
//! keeps some that it has freed. Not here: how much is in use (`budget`).

/// Bytes from which a block is mapped for itself.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 1 << 20;

/// From now on, in the whole process.
#[cfg(target_env = "gnu")]
pub(crate) fn give_large_blocks_back() {
    // SAFETY: the call changes a number of the allocator, which locks itself for that.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
}

/// Other C libraries do so by themselves.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn give_large_blocks_back() {}
