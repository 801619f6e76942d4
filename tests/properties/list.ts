/**
 * The properties of shared page tables and the invariants behind them, in short. The numbers are stable: tests and mutants name them.
 * Imports nothing.
 */

/** By number from 1 on. */
export const PROPERTIES: readonly string[] = [
  "fork allocates one frame for memory; its work grows with slots, not pages",
  "after fork both pdes are read-only, users is 2, the table bit for bit as before",
  "the parent's writable TLB entries are gone before fork returns",
  "forking a shared slot again only increments",
  "in any tree of forks users is the number of directories",
  "kernel slots and 4 MB pages are never counted, protected or freed",
  "a fork that fails half way gives every count back",
  "vfork and clone(CLONE_VM) touch no count",
  "a write under a shared table gives the writer its own",
  "after unshare W is clear in both tables for each private page",
  "MAP_SHARED ptes stay writable in both; in a slot of such only nothing faults",
  "unshare comes before the page-level reuse test",
  "the last sharer's write sets W in the pde and copies nothing",
  "after that writable ptes fault no more, others copy on write",
  "a write to a hole under a shared table unshares before it fills",
  "pde and pte both read-only: one fault resolves both",
  "a spurious fault flushes and returns",
  "two unsharers in a row; users never falls below 1",
  "a write to a read-only mapping is SIGSEGV and unshares nothing",
  "unshare duplicates swap entries' counts and takes none for a page",
  "a dirty bit survives until the page is written out or its last mapping goes",
  "accessed bits set through one sharer fault nobody and allocate nothing",
  "a read fault may fill a shared table: counted once, for all, not writable",
  "what one sharer maps anew is SIGSEGV for another",
  "munmap of an unpopulated range unshares too",
  "brk, stack, mprotect, mremap, madvise unshare before the edit",
  "exit of a sharer touches no pte and frees no page",
  "the owner may exit first; in the end every frame is free again",
  "munmap of a whole shared slot gives up the table; own TLB flushed",
  "a partial munmap unshares the first and last slot only",
  "a table under several mappings is shared, counted and released once",
  "exec right after fork allocates no table for the old image",
  "tightened protection in one leaves the other able to write",
  "no path sets W in a pde while its table has several users",
  "a locked page is not swapped out; fork copies its table",
  "a page under a table shared by n has one rmap entry; fork adds none",
  "after unshare each page has one entry more; chain = set of mapping ptes",
  "swapping out such a page writes one swap entry, and all n fault",
  "swapping out allocates nothing and unshares nothing",
  "rss falls by one in all n",
  "swap-in by one serves all; a writer leaves the others theirs; the slot goes with its last reference",
  "swapoff finds the entries of shared tables once",
  "entries in shared and unshared tables at once: all are unmapped or none",
  "every switch reloads CR3, and user entries are never global",
  "the sharers' CPUs are flushed before the frame is reused",
  "table pages are never swapped while in use",
  "a kernel write under a shared table unshares it, unseen by others",
  "with CR0.WP = 0 the same holds by checking in software",
  "reads by the kernel never unshare",
  "a bad user pointer is EFAULT and unshares nothing beyond what it wrote",
  "every allocation inside unshare may fail: nothing has changed, nothing leaks",
  "munmap, mprotect and exit cannot fail, or fail before any edit",
  "users is apart from transient page references",
  "rss is exact after any sequence, without O(pages) work at fork",
  "frames in use as tables are the tables reachable; each is freed once",
  "a freed table's frame is not reused while a TLB can walk it",
  "no program can tell the modes apart but by time and memory",
  "a storm of fork + exec costs no more under auto than under copy",
];

export const INVARIANTS: readonly string[] = [
  "users is the number of directories that point at the table",
  "a table with several users is read-only in every pde, but for shared memory alone",
  "all sharers of a table have the same mappings over its slot",
  "a frame's rmap is the set of ptes that map it",
  "present and swapped are exact; rss is their sum",
  "no TLB entry grants what the tables no longer grant",
  "an operation that fails for want of memory changes nothing observable",
];

/** Properties without a test here, and why. */
export const UNTESTED: Readonly<Record<string, string>> = {
  P45: "needs several CPUs",
};

/** Properties without a mutant, and why. */
export const UNMUTATED: Readonly<Record<string, string>> = {
  P22: "the CPU sets the bits; no code of the kernel's has a part in it",
  P45: "needs several CPUs",
  P57: "the fuzzer compares the modes; it would find any fault of the others",
};
