/**
 * Protections, flags and advice of mmap, mprotect, mremap, madvise, msync, mlockall: Linux i386 (include/asm-i386/mman.h). May import nothing.
 */
export const PROT_NONE: u32 = 0;
export const PROT_READ: u32 = 1;
export const PROT_WRITE: u32 = 2;
export const PROT_EXEC: u32 = 4;

export const MAP_SHARED: u32 = 0x01;
export const MAP_PRIVATE: u32 = 0x02;
/** Exactly at the address asked for, over whatever is mapped there. */
export const MAP_FIXED: u32 = 0x10;
export const MAP_ANONYMOUS: u32 = 0x20;
export const MAP_GROWSDOWN: u32 = 0x100;

/** mremap: the mapping may go elsewhere if it cannot grow where it is; it goes exactly to the fifth argument. */
export const MREMAP_MAYMOVE: u32 = 1;
export const MREMAP_FIXED: u32 = 2;

export const MADV_NORMAL: u32 = 0;
export const MADV_RANDOM: u32 = 1;
export const MADV_SEQUENTIAL: u32 = 2;
export const MADV_WILLNEED: u32 = 3;
/** The pages' contents are not needed any more. */
export const MADV_DONTNEED: u32 = 4;

export const MS_ASYNC: u32 = 1;
export const MS_INVALIDATE: u32 = 2;
export const MS_SYNC: u32 = 4;

export const MCL_CURRENT: u32 = 1;

/** Bytes of a page. */
export const PAGE_SIZE: u32 = 4096;
