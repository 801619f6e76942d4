/**
 * What memory management counts, for /proc/vmstat and for tests: 32-bit words that only grow, and frames in use by kind.
 * May import the intrinsics and page.ts. A counter's name is its place in the struct; `vmstatName` gives the same order.
 */
import { cstr } from "../abi/intrinsics";
import { FRAME_KINDS, FrameKind } from "./page";

@unmanaged
export class VmStat {
  /** Address spaces copied (fork, in either mode). */
  forks: u32 = 0;
  /** Tables that got one more user instead of being copied. */
  tablesShared: u32 = 0;
  /** Tables copied because one sharer had to differ. */
  tablesUnshared: u32 = 0;
  /** Uses of a shared table given up without copying it. */
  tablesReleased: u32 = 0;
  /** Write permission given back to the pde of a table's last user. */
  tablesReclaimed: u32 = 0;
  /** Tables copied at fork (fork=copy). */
  tablesCopied: u32 = 0;
  rmapAdded: u32 = 0;
  rmapRemoved: u32 = 0;
  /** Page faults that ended well. */
  faults: u32 = 0;
  /** Faults that found nothing to do. */
  faultsSpurious: u32 = 0;
  /** Pages copied by a write fault. */
  cowCopies: u32 = 0;
  /** Write faults on a page that was mapped once: it was made writable, not copied. */
  cowReuses: u32 = 0;
  /** Pages filled on first use. */
  pagesFilled: u32 = 0;
  /** Allocations that failed for want of memory. */
  allocationsFailed: u32 = 0;
  /** What forks took while they ran: frames for directory, tables and reverse map, and rmap entries. */
  forkFrames: u32 = 0;
  forkRmapAdded: u32 = 0;
  /** Sectors read from the disk, and written to it. */
  diskReads: u32 = 0;
  diskWrites: u32 = 0;
  /** Faults that had to wait for a page from the disk. */
  faultsWaiting: u32 = 0;
  /** Pages read from swap, and written to it. */
  swapIns: u32 = 0;
  swapOuts: u32 = 0;
  /** Pages that reclaim looked at, and frames that it freed. */
  pagesScanned: u32 = 0;
  pagesReclaimed: u32 = 0;
}

export const vmstat: VmStat = changetype<VmStat>(memory.data(92, 16));
/** Frames in use now, a word for each FrameKind. */
const framesInUse: usize = memory.data(64, 16);
/** Frames ever allocated, a word for each FrameKind. */
const framesAllocated: usize = memory.data(64, 16);

/** Counts per kind of frame. */
export class KindCounts {
  @inline
  static took(kind: FrameKind, frames: u32): void {
    const used = framesInUse + ((kind as u32) << 2);
    store<u32>(used, load<u32>(used) + frames);
    const total = framesAllocated + ((kind as u32) << 2);
    store<u32>(total, load<u32>(total) + frames);
  }

  @inline
  static gave(kind: u32, frames: u32): void {
    const used = framesInUse + (kind << 2);
    store<u32>(used, load<u32>(used) - frames);
  }
}

/** Frames of a kind in use now. */
export function framesOfKind(kind: FrameKind): u32 {
  return load<u32>(framesInUse + ((kind as u32) << 2));
}

/** Frames ever allocated for mapping: directories, tables, pte_chain blocks. */
export function mappingFramesAllocated(): u32 {
  const chain = load<u32>(framesAllocated + (FrameKind.Chain << 2));
  const directory = load<u32>(framesAllocated + (FrameKind.Directory << 2));
  return chain + directory + load<u32>(framesAllocated + (FrameKind.Table << 2));
}

/** Counters of VmStat; frames in use and frames ever allocated by kind follow them. */
const COUNTERS: u32 = 23;
/** How many names there are: `vmstatName` and `vmstatValue` take 0 … VMSTAT_COUNT - 1. */
export const VMSTAT_COUNT: u32 = COUNTERS + 2 * FRAME_KINDS;

/** Value of counter `index`. */
export function vmstatValue(index: u32): u32 {
  if (index < COUNTERS) return load<u32>(changetype<usize>(vmstat) + (index << 2));
  if (index < COUNTERS + FRAME_KINDS) return load<u32>(framesInUse + ((index - COUNTERS) << 2));
  return load<u32>(framesAllocated + ((index - COUNTERS - FRAME_KINDS) << 2));
}

/** Name of counter `index`, ASCIIZ. The kinds follow FrameKind. */
export function vmstatName(index: u32): usize {
  switch (index) {
    case 0:
      return cstr("forks");
    case 1:
      return cstr("tables_shared");
    case 2:
      return cstr("tables_unshared");
    case 3:
      return cstr("tables_released");
    case 4:
      return cstr("tables_reclaimed");
    case 5:
      return cstr("tables_copied");
    case 6:
      return cstr("rmap_added");
    case 7:
      return cstr("rmap_removed");
    case 8:
      return cstr("faults");
    case 9:
      return cstr("faults_spurious");
    case 10:
      return cstr("cow_copies");
    case 11:
      return cstr("cow_reuses");
    case 12:
      return cstr("pages_filled");
    case 13:
      return cstr("allocations_failed");
    case 14:
      return cstr("fork_frames");
    case 15:
      return cstr("fork_rmap_added");
    case 16:
      return cstr("disk_reads");
    case 17:
      return cstr("disk_writes");
    case 18:
      return cstr("faults_waiting");
    case 19:
      return cstr("swap_ins");
    case 20:
      return cstr("swap_outs");
    case 21:
      return cstr("pages_scanned");
    case 22:
      return cstr("pages_reclaimed");
    case 23:
      return cstr("frames_free");
    case 24:
      return cstr("frames_reserved");
    case 25:
      return cstr("frames_stack");
    case 26:
      return cstr("frames_kernel");
    case 27:
      return cstr("frames_slab");
    case 28:
      return cstr("frames_chain");
    case 29:
      return cstr("frames_directory");
    case 30:
      return cstr("frames_table");
    case 31:
      return cstr("frames_data");
    case 32:
      return cstr("frames_index");
    case 33:
      return cstr("allocated_free");
    case 34:
      return cstr("allocated_reserved");
    case 35:
      return cstr("allocated_stack");
    case 36:
      return cstr("allocated_kernel");
    case 37:
      return cstr("allocated_slab");
    case 38:
      return cstr("allocated_chain");
    case 39:
      return cstr("allocated_directory");
    case 40:
      return cstr("allocated_table");
    case 41:
      return cstr("allocated_data");
    default:
      return cstr("allocated_index");
  }
}
