//! Tells the C library's allocator what kind of process it serves.

/// From this size on a block is a mapping of its own and goes back to the system when it is freed. glibc begins with this
/// value (mallopt(3), `M_MMAP_THRESHOLD`).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: libc::c_int = 128 * 1024;

/// Has large blocks given back as they are freed, in a process that does one thing and ends. glibc would raise the threshold
/// to the size of the first large block that is freed, here a page of an answer, and keep all later ones in the heap, between
/// small ones that outlive them: a tenth of the memory of a listing. A server, which needs large blocks again and again, is
/// quicker without.
///
/// To be called before there are other threads. Does nothing with another C library.
pub fn give_back_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt takes two numbers and no pointer; no other thread allocates while it changes the setting.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}
