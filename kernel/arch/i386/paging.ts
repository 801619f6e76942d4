/**
 * Page-directory and page-table entries, and the flushing of translations. May import the intrinsics and mm/layout.
 * Source: Intel SDM volume 3, 4.3 (32-bit paging) and 4.10 (invalidating).
 *
 *     pde / pte          31          12  11 9  8   7   6   5   4   3   2   1   0
 *                       ┌──────────────┬─────┬───┬───┬───┬───┬───┬───┬───┬───┬───┐
 *                       │ frame number │ own │ G │PS │ D │ A │PCD│PWT│ U │ W │ P │
 *                       └──────────────┴─────┴───┴───┴───┴───┴───┴───┴───┴───┴───┘
 *
 * D and G count in ptes and 4 MB pdes only. Bit 7 is PS in a pde. In a pte with P = 1 it stays 0 (PAT); with P = 0 it is our
 * PTE_NONE: a frame that a PROT_NONE mapping keeps. A pte that is neither holds nothing (0) or a swap entry:
 *
 *     swap entry         31          12  11                                        0
 *                       ┌──────────────┬─────────────────────────────────────────────┐
 *                       │ slot, not 0  │ 0                                           │
 *                       └──────────────┴─────────────────────────────────────────────┘
 *
 * Bit 9, of the kernel's own, is PTE_LOCKED.
 */
import { invlpg, readCr3, writeCr3 } from "../../abi/intrinsics";
import { KERNEL_BASE } from "../../mm/layout";

export const PTE_PRESENT: u32 = 0x001;
export const PTE_WRITE: u32 = 0x002;
export const PTE_USER: u32 = 0x004;
export const PTE_ACCESSED: u32 = 0x020;
export const PTE_DIRTY: u32 = 0x040;
/** With P = 0: the frame is there, but the mapping allows no access. */
export const PTE_NONE: u32 = 0x080;
/** A pte with either bit maps a frame: it counts as present, and is in the frame's rmap. */
export const PTE_MAPPED: u32 = PTE_PRESENT | PTE_NONE;
/** The page lies under mlock: it is not evicted. */
export const PTE_LOCKED: u32 = 0x200;
export const PTE_FRAME: u32 = 0xfffff000;

/** What a pde of a user page table has besides its frame; W is how a table is protected while it is shared. */
export const PDE_TABLE: u32 = PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED;

/** Entries in a directory or table; the first USER_SLOTS of a directory are user space. */
export const ENTRIES: u32 = 1024;
export const USER_SLOTS: u32 = 768;

/** Error code of a page fault. */
export const FAULT_PROTECTION: u32 = 1;
export const FAULT_WRITE: u32 = 2;

/**
 * Loads and stores of entries. They are atomic, so that each happens once and where it stands: the CPU reads the same
 * words, and writes A and D into them.
 */
export class Entry {
  @inline
  static load(entry: usize): u32 {
    return atomic.load<u32>(entry);
  }

  @inline
  static store(entry: usize, value: u32): void {
    atomic.store<u32>(entry, value);
  }

  /** Address of the pde of a user address, in a directory at a kernel virtual address. */
  @inline
  static pdeOf(directory: usize, address: usize): usize {
    return directory + ((address >> 22) << 2);
  }

  /** Address of the pte of an address, in the table that a pde points at. */
  @inline
  static pteOf(pde: u32, address: usize): usize {
    return (pde & PTE_FRAME) + KERNEL_BASE + ((address >> 10) & 0xffc);
  }

  /** Kernel virtual address of the frame that an entry names. */
  @inline
  static target(entry: u32): usize {
    return (entry & PTE_FRAME) + KERNEL_BASE;
  }
}

/** Forgets every user translation of the directory in CR3; the kernel's are global where the CPU can do that. */
export function flushTlb(): void {
  writeCr3(readCr3());
}

/** Forgets the translation of one page. */
export function flushTlbPage(address: usize): void {
  invlpg(address);
}

/** Makes a directory, given by its kernel virtual address, the current one. Forgets as flushTlb does, also if it was. */
export function loadDirectory(directory: usize): void {
  writeCr3(directory - KERNEL_BASE);
}

/** Kernel virtual address of the current directory. */
export function currentDirectory(): usize {
  return readCr3() + KERNEL_BASE;
}
