/**
 * Protections and flags of mmap, mmap2, mprotect: Linux i386 (include/asm-i386/mman.h). May import nothing.
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

/** Bytes of a page. */
export const PAGE_SIZE: u32 = 4096;
