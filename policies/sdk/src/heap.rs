//! Memory for a policy that is asked one question and then thrown away. Blocks are cut one after
//! the other from memory that only grows; a freed block serves the next of its size.
//!
//! ```ignore
//! #[cfg(target_arch = "wasm32")]
//! #[global_allocator]
//! static HEAP: carom_policy::Heap = carom_policy::Heap::new();
//! ```
//!
//! Not here: a limit of memory, which carom sets. Invariant: a block is given to one owner at a
//! time.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::{copy_nonoverlapping, null_mut};

/// The smallest block, and what every block is aligned to.
const UNIT: usize = 16;
/// Up to this number of units each size has its list, above there are four sizes to a doubling.
const EXACT: usize = 8;
const SIZES: usize = 128;
const PAGE: usize = 1 << 16;

/// An allocator for WebAssembly, where there is one thread.
pub struct Heap(UnsafeCell<Blocks>);

struct Blocks {
    /// What was not cut yet: its first byte, and its end.
    next: usize,
    end: usize,
    /// For each size the block that was freed last. It begins with the address of the one before.
    freed: [usize; SIZES],
}

/// The place of a size among the sizes, and how many bytes its blocks have.
fn size_of_block(size: usize) -> (usize, usize) {
    let units = size.div_ceil(UNIT).max(1);
    if units <= EXACT {
        return (units, units * UNIT);
    }
    let step = 1 << ((units - 1).ilog2() - 2);
    let steps = units.div_ceil(step);
    let doublings = (step * 4 / EXACT).ilog2() as usize;
    (EXACT + doublings * 4 + steps - 4, steps * step * UNIT)
}

impl Heap {
    pub const fn new() -> Heap {
        Heap(UnsafeCell::new(Blocks { next: 0, end: 0, freed: [0; SIZES] }))
    }
}

impl Default for Heap {
    fn default() -> Heap {
        Heap::new()
    }
}

impl Blocks {
    /// A block of this size in the list of `place`.
    unsafe fn take(&mut self, place: usize, size: usize) -> *mut u8 {
        let freed = self.freed[place] as *mut usize;
        if freed.is_null() {
            return self.cut(size, UNIT);
        }
        self.freed[place] = *freed;
        freed.cast()
    }

    unsafe fn cut(&mut self, size: usize, align: usize) -> *mut u8 {
        let start = self.next.next_multiple_of(align);
        if self.end < start || self.end - start < size {
            return if self.grow(size + align) { self.cut(size, align) } else { null_mut() };
        }
        self.next = start + size;
        start as *mut u8
    }

    unsafe fn give_back(&mut self, block: *mut u8, place: usize, size: usize) {
        if block as usize + size == self.next {
            self.next = block as usize;
        } else {
            block.cast::<usize>().write(self.freed[place]);
            self.freed[place] = block as usize;
        }
    }

    /// Makes room for this many bytes more, and for an eighth of what there is, because growing
    /// takes long.
    fn grow(&mut self, size: usize) -> bool {
        if self.end == 0 {
            (self.next, self.end) = memory::rest();
            return true;
        }
        let pages = size.div_ceil(PAGE).max(memory::pages() / 8);
        let Some(start) = memory::grow(pages) else { return false };
        if start != self.end {
            self.next = start;
        }
        self.end = start + pages * PAGE;
        true
    }
}

// There is one thread.
unsafe impl Sync for Heap {}

unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let blocks = &mut *self.0.get();
        if layout.align() > UNIT {
            return blocks.cut(layout.size(), layout.align());
        }
        let (place, size) = size_of_block(layout.size());
        blocks.take(place, size)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.align() <= UNIT {
            let (place, size) = size_of_block(layout.size());
            (*self.0.get()).give_back(block, place, size);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, wanted: usize) -> *mut u8 {
        let size = size_of_block(layout.size()).1;
        let larger = size_of_block(wanted).1;
        if size == larger && layout.align() <= UNIT {
            return block;
        }
        let blocks = &mut *self.0.get();
        let is_last = block as usize + size == blocks.next && layout.align() <= UNIT;
        if is_last && blocks.end - block as usize >= larger {
            blocks.next = block as usize + larger;
            return block;
        }
        let to = self.alloc(Layout::from_size_align_unchecked(wanted, layout.align()));
        if !to.is_null() {
            copy_nonoverlapping(block, to, wanted.min(layout.size()));
            self.dealloc(block, layout);
        }
        to
    }
}

/// The memory of the component.
#[cfg(target_arch = "wasm32")]
mod memory {
    use super::{PAGE, UNIT};
    use core::arch::wasm32::{memory_grow, memory_size};

    extern "C" {
        static __heap_base: u8;
    }

    /// What follows the static data.
    pub fn rest() -> (usize, usize) {
        let start = &raw const __heap_base as usize;
        (start.next_multiple_of(UNIT), memory_size(0) * PAGE)
    }

    pub fn pages() -> usize {
        memory_size(0)
    }

    pub fn grow(pages: usize) -> Option<usize> {
        let before = memory_grow(0, pages);
        (before != usize::MAX).then_some(before * PAGE)
    }
}

/// Memory for tests.
#[cfg(not(target_arch = "wasm32"))]
mod memory {
    use super::PAGE;
    use std::alloc::{alloc, Layout};

    pub fn rest() -> (usize, usize) {
        let start = grow(1).unwrap_or_default();
        (start, start + PAGE)
    }

    pub fn pages() -> usize {
        1
    }

    pub fn grow(pages: usize) -> Option<usize> {
        let layout = Layout::from_size_align(pages * PAGE, PAGE).ok()?;
        let start = unsafe { alloc(layout) } as usize;
        (start != 0).then_some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_holds_what_was_asked_for_and_sizes_do_not_mix() {
        let mut before = (0, 0);
        for size in 1..100_000 {
            let (place, bytes) = size_of_block(size);
            assert!(bytes >= size && bytes % UNIT == 0 && bytes <= size + size / 4 + UNIT, "{size}");
            assert!(place == before.0 && bytes == before.1 || place == before.0 + 1 && bytes > before.1);
            before = (place, bytes);
        }
        assert!(size_of_block(u32::MAX as usize).0 < SIZES);
    }

    #[test]
    fn blocks_do_not_overlap_and_are_used_again() {
        let heap = Heap::new();
        let mut random = 7_u64;
        let mut held: Vec<(*mut u8, Layout, u8)> = Vec::new();
        for round in 0..50_000_usize {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let wanted = (random >> 40) as usize % 3000 + 1;
            let fill = round as u8;
            let filled = |block: *mut u8, size: usize, by: u8| unsafe {
                std::slice::from_raw_parts(block, size).iter().all(|byte| *byte == by)
            };
            match random >> 33 & 3 {
                0 | 1 => {
                    let layout = Layout::from_size_align(wanted, 1 << (random >> 61)).unwrap();
                    let block = unsafe { heap.alloc(layout) };
                    assert_eq!(block as usize % layout.align(), 0);
                    unsafe { block.write_bytes(fill, wanted) };
                    held.push((block, layout, fill));
                }
                2 if !held.is_empty() => {
                    let (block, layout, by) = held.swap_remove(random as usize % held.len());
                    assert!(filled(block, layout.size(), by));
                    let block = unsafe { heap.realloc(block, layout, wanted) };
                    assert!(filled(block, wanted.min(layout.size()), by));
                    unsafe { block.write_bytes(fill, wanted) };
                    held.push((block, Layout::from_size_align(wanted, layout.align()).unwrap(), fill));
                }
                _ if !held.is_empty() => {
                    let (block, layout, by) = held.swap_remove(random as usize % held.len());
                    assert!(filled(block, layout.size(), by));
                    unsafe { heap.dealloc(block, layout) };
                }
                _ => {}
            }
        }
        let layout = Layout::from_size_align(64, 8).unwrap();
        let (one, two) = unsafe { (heap.alloc(layout), heap.alloc(layout)) };
        unsafe {
            heap.dealloc(one, layout);
            heap.dealloc(two, layout);
        }
        assert!([one, two].contains(&unsafe { heap.alloc(layout) }));
    }
}
