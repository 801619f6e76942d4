/**
 * The address map, and conversions between its three kinds of number: physical addresses, kernel virtual addresses of
 * the same bytes, and frame numbers (physical address >> 12). May import nothing.
 *
 *     0x00000000 ┌────────────────────────────┐
 *                │ not mapped: null pointers  │
 *     0x08048000 ├────────────────────────────┤
 *                │ program text, data, brk ↓  │
 *     0x40000000 ├────────────────────────────┤
 *                │ mmap, lowest gap first     │
 *     0xBF800000 ├────────────────────────────┤
 *                │ stack, grows to here at most (8 MB)
 *     0xC0000000 ├────────────────────────────┤ KERNEL_BASE: supervisor only, the same in every directory
 *                │ physical 0 … 896 MB, by 4 MB pages
 *     0xF8000000 └────────────────────────────┘
 */
export const PAGE_SHIFT: u32 = 12;
export const PAGE_BYTES: u32 = 4096;
/** Low bits of an address: the offset in its page. */
export const PAGE_OFFSET: u32 = 4095;
/** log2 of the bytes that one slot (one page-directory entry) covers. */
export const SLOT_SHIFT: u32 = 22;
export const SLOT_BYTES: u32 = 1 << 22;

export const KERNEL_BASE: usize = 0xc0000000;
/** Lowest address that mmap may be given: below it lies what null pointers reach. */
export const USER_LOWEST: usize = 0x1000;
export const MMAP_BASE: usize = 0x40000000;
export const STACK_TOP: usize = 0xc0000000;
export const STACK_LIMIT: u32 = 8 << 20;
/** Physical memory beyond this many bytes is not used. */
export const DIRECT_MAP_BYTES: u32 = 896 << 20;

/** Kernel virtual address of a physical one. */
export function physToVirt(physical: u32): usize {
  return physical + KERNEL_BASE;
}

/** Physical address of a kernel virtual one in the direct map. */
export function virtToPhys(address: usize): u32 {
  return address - KERNEL_BASE;
}

/** Kernel virtual address of the first byte of a frame. */
export function frameToVirt(frame: u32): usize {
  return (frame << PAGE_SHIFT) + KERNEL_BASE;
}

/** Frame that a kernel virtual address lies in. */
export function virtToFrame(address: usize): u32 {
  return (address - KERNEL_BASE) >> PAGE_SHIFT;
}

/** `address` rounded up to a page; 0 if that wraps. */
export function pageAlign(address: u32): u32 {
  return (address + PAGE_OFFSET) & ~PAGE_OFFSET;
}
