/**
 * Marks: how kernel and guest programs tell a listening host what they do. A mark is one 32-bit write to MARK_PORT:
 *
 *     31      24 23                       0
 *    +----------+--------------------------+
 *    |   kind   |         argument         |
 *    +----------+--------------------------+
 *
 * They are always compiled in, so a run costs the same whether anyone listens; QEMU ignores the port. May import nothing.
 */

/** 32-bit writes: marks. */
export const MARK_PORT: u32 = 0x7e0;
/** 32-bit reads: instructions retired, low and high half. All ones where there is no such port. */
export const INSTRET_LOW_PORT: u32 = 0x7e4;
export const INSTRET_HIGH_PORT: u32 = 0x7e8;
/** 8-bit write of v ends the run: 0 success, 1 kernel panic, 2 the guest program failed. */
export const EXIT_PORT: u32 = 0xf4;

export const enum Mark {
  /** A measured region begins: id << 16 | tag. Counted only while the process that began it is current. */
  RegionBegin = 1,
  /** It ends: same argument. */
  RegionEnd = 2,
  /** The scheduler switched: pid that runs now. */
  Switch = 3,
  /** fork succeeded in the current process: pid of the child. */
  Fork = 4,
  /** A page table became shared with one more directory: slot (page-directory index). */
  Share = 5,
  /** The current process got its own copy of a table: UnshareCause << 10 | slot. */
  Unshare = 6,
  /** The current process dropped its use of a shared table without copying it: slot. */
  Release = 7,
  /** The current process is gone for good (its last instruction before the switch away): pid. Ends its open regions. */
  TaskExit = 8,
  /** The program that init ran ended: its wait status, 16 bits. */
  ProgramStatus = 9,
  /** exec succeeded in the current process: pid. */
  Exec = 10,
  /** A write fault copied a page: slot. */
  CopyOnWrite = 11,
  /** The kernel panicked; registers and backtrace follow on the console. */
  Panic = 12,
  /** Reclaim takes a page out of the tables that map it, and has done so: its frame. */
  UnmapBegin = 13,
  UnmapEnd = 14,
  /** A page fault maps a page that was swapped out: its frame. */
  SwapIn = 15,
  /** A test asks its host: InjectLeaves << 16 | k, the k-th allocation of the kernel from now (1 is the next) is to fail. */
  Inject = 32,
  /** The operation that this was about has ended: 1 if it failed. No allocation fails on purpose any more. */
  Injected = 33,
  /** A test asks its host: from now on the disk refuses what DiskRefusal says. */
  RefuseDisk = 34,
  /** The guest speaks to whoever traces it: TraceControl << 16 | tag. */
  Trace = 48,
}

/** What a test's disk refuses: a sum. */
export const enum DiskRefusal {
  Nothing = 0,
  Reads = 1,
  Writes = 2,
}

/** What the guest says to a trace. */
export const enum TraceControl {
  /** Nothing but its tag: a place to find. */
  Note = 0,
  /** Lines from here on; no more lines. */
  On = 1,
  Off = 2,
}

/** What an operation may leave behind that failed for want of memory, besides tables that it has unshared. */
export const enum InjectLeaves {
  Nothing = 0,
  /** Pages that are resident now, and were not. */
  Pages = 1,
  /** Entries without W, which a fault gives back. */
  Protection = 2,
}

/** Why a table was unshared: Mark.Unshare's argument from bit 10 up. */
export const enum UnshareCause {
  Write = 0,
  NotPresentWrite = 1,
  Munmap = 2,
  Mprotect = 3,
  Mmap = 4,
  Brk = 5,
  StackGrowth = 6,
  Mremap = 7,
  Madvise = 8,
  Mlock = 9,
}

/** Regions of forkdemo, where the tag is the size in megabytes, and of the programs that measure fork strategies. */
export const enum Region {
  Fork = 1,
  FirstWrite = 2,
  Exit = 3,
  /** forkstorm: all its forks, execs and exits; tag 0. */
  Storm = 4,
  /** forktouch: a fork, the touching and the child's exit; the tag is the line of output. */
  Touch = 5,
  /** forkread: all the reading; tag 0. */
  Read = 6,
}
