/**
 * Faults to put into the kernel, one at a time, and the guest tests that must notice: proof that a test of a property fails
 * when the code that it guards is broken. Run them all by `npm run test:mutants`, some by
 * `npm run test:mutants -- P10 P13`. Imports nothing.
 */

export interface Mutant {
  /** What is wrong then. */
  fault: string;
  /** File below kernel/. */
  file: string;
  /** Text that stands in the file exactly once, and what to put in its place. */
  edits: readonly (readonly [search: string, replacement: string])[];
  /** Guest program of userland/tests, and the properties of which it must see a case fail, in fork=share. */
  program: string;
  fails: readonly string[];
}

const MEMORY = "mm/memory.ts";
const PTSHARE = "mm/ptshare.ts";
const PAGETABLE = "mm/pagetable.ts";

export const MUTANTS: readonly Mutant[] = [
  {
    fault: "fork copies the table of one slot instead of sharing it",
    file: MEMORY,
    edits: [["if (forkMode == ForkMode.Share) {", "if (forkMode == ForkMode.Share && first != 384) {"]],
    program: "fork",
    fails: ["P1", "P2", "P4"],
  },
  {
    fault: "fork looks at every pte",
    file: PTSHARE,
    edits: [
      [
        "    table.users++;\n    shared++;\n",
        "    table.users++;\n    shared++;\n    for (let i: u32 = 0; i < table.present; i++) Entry.load(parent);\n",
      ],
    ],
    program: "fork",
    fails: ["P1"],
  },
  {
    fault: "fork leaves the pdes writable",
    file: PTSHARE,
    edits: [["const protectedPde = (pde & ~PTE_WRITE) | set;", "const protectedPde = pde | set;"]],
    program: "fork",
    fails: ["P2", "P3"],
  },
  {
    fault: "fork does not flush the parent's TLB",
    file: MEMORY,
    edits: [["  if (lost != 0) flushTlb();\n", ""]],
    program: "fork",
    fails: ["P3"],
  },
  {
    fault: "sharing sets users to 2 instead of adding 1",
    file: PTSHARE,
    edits: [["    table.users++;\n", "    table.users = 2;\n"]],
    program: "fork",
    fails: ["P4", "P5"],
  },
  {
    fault: "fork changes the child's kernel half",
    file: MEMORY,
    edits: [
      [
        "  if (lost != 0) flushTlb();\n",
        "  if (lost != 0) flushTlb();\n  Entry.store(child.directory + 3072, Entry.load(parent.directory + 3072) ^ 0x200);\n",
      ],
    ],
    program: "fork",
    fails: ["P6"],
  },
  {
    fault: "a write under a table with two users takes it for its own",
    file: PTSHARE,
    edits: [["if (tableOf(pde).users > 1) return", "if (tableOf(pde).users > 2) return"]],
    program: "fault",
    fails: ["P9", "P12", "P15"],
  },
  {
    fault: "unshare keeps W in the table that is left",
    file: PAGETABLE,
    edits: [["    Entry.store(pte, entry & keep);\n", ""]],
    program: "fault",
    fails: ["P10"],
  },
  {
    fault: "unshare keeps W in the copy",
    file: PAGETABLE,
    edits: [["Entry.store(pte + distance, entry & keep);", "Entry.store(pte + distance, entry);"]],
    program: "fault",
    fails: ["P9", "P10"],
  },
  {
    fault: "unshare takes W from shared mappings too",
    file: PAGETABLE,
    edits: [["to - from, 0xffffffff);", "to - from, ~PTE_WRITE);"]],
    program: "fault",
    fails: ["P11"],
  },
  {
    fault: "slots of shared memory only are protected like others",
    file: PTSHARE,
    edits: [["if ((vma.flags & VM_SHARED) == 0) return false;", "return false;"]],
    program: "fault",
    fails: ["P11", "P15"],
  },
  {
    fault: "a page is reused by the number of its references, before its table is unshared",
    file: MEMORY,
    edits: [
      [
        "  } else if (write && (pde & PTE_WRITE) == 0) {\n",
        "  } else if (write && (pde & PTE_WRITE) == 0 && Frames.ofEntry(Entry.load(Entry.pteOf(pde, address))).count == 1) {\n    Entry.store(pdeAddress, pde | PTE_WRITE);\n    flushTlb();\n  } else if (write && (pde & PTE_WRITE) == 0) {\n",
      ],
    ],
    program: "fault",
    fails: ["P12"],
  },
  {
    fault: "the last user of a table copies it",
    file: PTSHARE,
    edits: [["if (tableOf(pde).users > 1) return", "if (tableOf(pde).users > 0) return"]],
    program: "fault",
    fails: ["P13"],
  },
  {
    fault: "a page that is mapped once is copied",
    file: MEMORY,
    edits: [["if (page.count == 1 ||", "if (page.count == 0 ||"]],
    program: "fault",
    fails: ["P14"],
  },
  {
    fault: "a write to a hole fills the shared table",
    file: MEMORY,
    edits: [
      [
        "} else if (write && (pde & PTE_WRITE) == 0) {",
        "} else if ((errorCode & FAULT_PROTECTION) != 0 && write && (pde & PTE_WRITE) == 0) {",
      ],
    ],
    program: "fault",
    fails: ["P15"],
  },
  {
    fault: "the pde is mended in one fault and the pte in another",
    file: MEMORY,
    edits: [
      [
        "    if (!makeTableWritable(mm, address, cause)) return FaultResult.OutOfMemory;\n",
        "    if (!makeTableWritable(mm, address, cause)) return FaultResult.OutOfMemory;\n    vmstat.faults++;\n    return FaultResult.Resolved;\n",
      ],
    ],
    program: "fault",
    fails: ["P16"],
  },
  {
    fault: "a spurious fault reuses the page",
    file: MEMORY,
    edits: [["if (write && (entry & PTE_WRITE) == 0) return", "if (write) return"]],
    program: "spurious",
    fails: ["P17"],
  },
  {
    fault: "unshare takes users down by two",
    file: PTSHARE,
    edits: [
      ["  table.users--;\n  ForkPolicy.diverged(table);\n", "  table.users -= 2;\n  ForkPolicy.diverged(table);\n"],
    ],
    program: "fault",
    fails: ["P18"],
  },
  {
    fault: "unshare leaves users as it is",
    file: PTSHARE,
    edits: [["  table.users--;\n  ForkPolicy.diverged(table);\n", "  ForkPolicy.diverged(table);\n"]],
    program: "fault",
    fails: ["P9", "P18"],
  },
  {
    fault: "the table is unshared before the mapping is asked",
    file: MEMORY,
    edits: [
      ["  if ((vma.flags & (write ? VM_WRITE : VM_ACCESS)) == 0) return FaultResult.BadAccess;\n", ""],
      [
        "  pde = Entry.load(pdeAddress);\n",
        "  pde = Entry.load(pdeAddress);\n  if ((vma.flags & (write ? VM_WRITE : VM_ACCESS)) == 0) return FaultResult.BadAccess;\n",
      ],
    ],
    program: "fault",
    fails: ["P19"],
  },
  {
    fault: "a read fault unshares",
    file: MEMORY,
    edits: [["} else if (write && (pde & PTE_WRITE) == 0) {", "} else if ((pde & PTE_WRITE) == 0) {"]],
    program: "fault",
    fails: ["P23"],
  },
  {
    fault: "a page that a read fills in a shared table is writable",
    file: MEMORY,
    edits: [["write || (pde & PTE_WRITE) != 0);", "true);"]],
    program: "fault",
    fails: ["P23"],
  },
  {
    fault: "mmap does not unshare",
    file: "mm/mmap.ts",
    edits: [["if (!unshareEdges(mm, start, end, cause) || unmap", "if (unmap"]],
    program: "unmap",
    fails: ["P24"],
  },
  {
    fault: "munmap does not unshare",
    file: "mm/mmap.ts",
    edits: [["  if (!unshareEdges(mm, start, end, cause)) {\n    if", "  if (end == 0) {\n    if"]],
    program: "unmap",
    fails: ["P25", "P30"],
  },
  {
    fault: "exit empties tables that others use",
    file: PTSHARE,
    edits: [["  if (table.users == 0) {\n", "  if (table.users < 100) {\n"]],
    program: "unmap",
    fails: ["P27", "P28", "P29"],
  },
  {
    fault: "a table is never given up",
    file: PTSHARE,
    edits: [["  table.users--;\n  if (table.users == 0) {\n", "  if (table.users == 0) {\n"]],
    program: "unmap",
    fails: ["P28", "P29"],
  },
  {
    fault: "unmapping does not flush the TLB",
    file: MEMORY,
    edits: [
      [
        "        releaseTable(mm, pdeAddress);\n      }\n    }\n    address = partEnd;\n  }\n  flushTlb();\n",
        "        releaseTable(mm, pdeAddress);\n      }\n    }\n    address = partEnd;\n  }\n",
      ],
    ],
    program: "unmap",
    fails: ["P29"],
  },
  {
    fault: "a partial unmap unshares the first slot only",
    file: "mm/mmap.ts",
    edits: [
      [
        "  return !edgeKeeps(mm, lastSlot, start, end) || unshareRange(mm, lastSlot, lastSlot + 1, cause);",
        "  return true;",
      ],
    ],
    program: "unmap",
    fails: ["P30"],
  },
  {
    fault: "a partial unmap unshares every slot",
    file: "mm/mmap.ts",
    edits: [
      [
        "  return !edgeKeeps(mm, lastSlot, start, end) || unshareRange(mm, lastSlot, lastSlot + 1, cause);",
        "  return unshareRange(mm, start, end, cause);",
      ],
    ],
    program: "unmap",
    fails: ["P30"],
  },
  {
    fault: "fork shares a table once for each mapping",
    file: MEMORY,
    edits: [
      [
        "    const first = max<u32>(vma.start >> SLOT_SHIFT, next);\n    next =",
        "    const first = vma.start >> SLOT_SHIFT;\n    next =",
      ],
    ],
    program: "unmap",
    fails: ["P31"],
  },
  {
    fault: "exec and exit unshare before they give up",
    file: "mm/vma.ts",
    edits: [
      [
        "import { mappingFramesAllocated,",
        'import { unshareRange } from "./ptshare";\nimport { mappingFramesAllocated,',
      ],
      ["  zapAll(mm);\n", "  unshareRange(mm, 0, 0xc0000000, 0);\n  zapAll(mm);\n"],
    ],
    program: "unmap",
    fails: ["P27", "P32"],
  },
  {
    fault: "fork adds rmap entries",
    file: MEMORY,
    edits: [["if (forkMode == ForkMode.Share) {", "if (forkMode == ForkMode.Share && first != 384) {"]],
    program: "rmap",
    fails: ["P36"],
  },
  {
    fault: "unshare adds the old pte to the reverse map",
    file: PAGETABLE,
    edits: [["Rmap.addFurther(page, pte + distance);", "Rmap.addFurther(page, pte);"]],
    program: "rmap",
    fails: ["P37"],
  },
  {
    fault: "taking an entry out of a chain takes the newest instead",
    file: "mm/rmap.ts",
    edits: [["  store<usize>(chainEntry(rmap, pte), load<usize>(rmap));\n", ""]],
    program: "rmap",
    fails: ["P37"],
  },
  {
    fault: "user entries are global",
    file: PAGETABLE,
    edits: [[": PTE_PRESENT | PTE_USER;", ": PTE_PRESENT | PTE_USER | 0x100;"]],
    program: "rmap",
    fails: ["P44"],
  },
  {
    fault: "unshare forgets how many pages it copied",
    file: PAGETABLE,
    edits: [["    table.present = reserve;\n", "    table.present = 1;\n"]],
    program: "rmap",
    fails: ["P54"],
  },
  {
    fault: "filling a page does not count it",
    file: PAGETABLE,
    edits: [["  table.present++;\n", ""]],
    program: "rmap",
    fails: ["P54"],
  },
  {
    fault: "the frame of a table is not freed",
    file: PAGETABLE,
    edits: [["  freeFrame(Frames.number(Frames.ofAddress(table)));\n", ""]],
    program: "rmap",
    fails: ["P55"],
  },
  {
    fault: "the frame of a table is not freed, seen by fork's tests",
    file: PAGETABLE,
    edits: [["  freeFrame(Frames.number(Frames.ofAddress(table)));\n", ""]],
    program: "fork",
    fails: ["P55"],
  },
  {
    fault: "CR0.WP is not set",
    file: "arch/i386/entry.s",
    edits: [["    or eax, CR0_PG_WP_EM\n", "    or eax, CR0_PG_WP_EM - 0x10000\n"]],
    program: "kernelwrite",
    fails: ["P47", "P50"],
  },
  {
    fault: "CR0.WP is not set, seen by signal frames",
    file: "arch/i386/entry.s",
    edits: [["    or eax, CR0_PG_WP_EM\n", "    or eax, CR0_PG_WP_EM - 0x10000\n"]],
    program: "signals",
    fails: ["P47"],
  },
  {
    fault: "sigreturn takes any selector",
    file: "arch/i386/sigframe.ts",
    edits: [["  if (!selectorsAllowed(context)) return false;\n", ""]],
    program: "signals",
    fails: ["sigreturn"],
  },
  {
    fault: "sigreturn takes every flag",
    file: "arch/i386/sigframe.ts",
    edits: [["const USER_FLAGS: u32 = 0x40dd5;", "const USER_FLAGS: u32 = 0xffffffff;"]],
    program: "signals",
    fails: ["sigreturn"],
  },
  {
    fault: "a system call is not made again after a handler with SA_RESTART",
    file: "task/restart.ts",
    edits: [["(flags & SA_RESTART) != 0", "(flags & SA_RESTART) > SA_RESTART"]],
    program: "signals",
    fails: ["SA_RESTART"],
  },
  {
    fault: "the mask that sigsuspend replaced is not brought back",
    file: "task/signal.ts",
    edits: [
      ["const mask = task.maskSaved ? task.savedMask : task.blockedSignals;", "const mask = task.blockedSignals;"],
    ],
    program: "signals",
    fails: ["sigsuspend"],
  },
  {
    fault: "the kernel's reads unshare",
    file: MEMORY,
    edits: [["} else if (write && (pde & PTE_WRITE) == 0) {", "} else if ((pde & PTE_WRITE) == 0) {"]],
    program: "kernelwrite",
    fails: ["P49"],
  },
  {
    fault: "a bad pointer is not compared with the end of user space",
    file: "mm/uaccess.ts",
    edits: [["  return address <= KERNEL_BASE && bytes <= KERNEL_BASE - address;\n", "  return true;\n"]],
    program: "kernelwrite",
    fails: ["P50"],
  },
  {
    fault: "a write to memory that is not writable unshares before it fails",
    file: MEMORY,
    edits: [
      ["  if ((vma.flags & (write ? VM_WRITE : VM_ACCESS)) == 0) return FaultResult.BadAccess;\n", ""],
      [
        "  pde = Entry.load(pdeAddress);\n",
        "  pde = Entry.load(pdeAddress);\n  if ((vma.flags & (write ? VM_WRITE : VM_ACCESS)) == 0) return FaultResult.BadAccess;\n",
      ],
    ],
    program: "kernelwrite",
    fails: ["P50"],
  },
  {
    fault: "mremap leaves the tables shared that it takes pages out of",
    file: "mm/mremap.ts",
    edits: [["    unshareRange(mm, from, from + oldSize, UnshareCause.Mremap) &&\n", ""]],
    program: "remap",
    fails: ["P26"],
  },
  {
    fault: "mremap leaves the tables shared that it moves pages to",
    file: "mm/mremap.ts",
    edits: [["    unshareRange(mm, to, to + newSize, UnshareCause.Mremap) &&\n", ""]],
    program: "remap",
    fails: ["P26"],
  },
  {
    fault: "mremap leaves the table shared that it grows into",
    file: "mm/mremap.ts",
    edits: [["  if (!unshareRange(mm, oldEnd, end, UnshareCause.Mremap)) return false;\n", ""]],
    program: "remap",
    fails: ["P26"],
  },
  {
    fault: "mremap leaves the rmap entry of a page where it was",
    file: PAGETABLE,
    edits: [["    pageMoveRmap(Frames.ofEntry(entry), pte, place);\n", ""]],
    program: "remap",
    fails: ["P26"],
  },
  {
    fault: "madvise leaves the tables shared of which it drops a part",
    file: "mm/memlock.ts",
    edits: [["  if (!unshareEnds(mm, start, end)) return -Errno.ENOMEM;\n", ""]],
    program: "remap",
    fails: ["P26"],
  },
  {
    fault: "mprotect leaves the tables shared",
    file: "mm/mmap.ts",
    edits: [["if (!taken || !unshareRange(mm, start, end, cause)) {", "if (!taken) {"]],
    program: "remap",
    fails: ["P26"],
  },
  {
    fault: "a growing heap leaves its table shared",
    file: "mm/mmap.ts",
    edits: [
      [
        "if (!unshareEdges(mm, start, end, cause) || unmap(",
        "if ((cause != UnshareCause.Brk && !unshareEdges(mm, start, end, cause)) || unmap(",
      ],
    ],
    program: "remap",
    fails: ["P26"],
  },
  {
    fault: "fork shares tables that have locked pages",
    file: MEMORY,
    edits: [["if (forkMode == ForkMode.Share && parent.locks == 0) {", "if (forkMode == ForkMode.Share) {"]],
    program: "remap",
    fails: ["P35"],
  },
  {
    fault: "mlock faults no page in",
    file: "mm/memlock.ts",
    edits: [["    if (!populateRange(mm, start, end)) return -Errno.ENOMEM;\n", ""]],
    program: "remap",
    fails: ["P35"],
  },
  {
    fault: "the resident size leaves out tables that are shared",
    file: "mm/vma.ts",
    edits: [
      ["      usage.resident += table.present;\n", "      if (table.users == 1) usage.resident += table.present;\n"],
    ],
    program: "procmaps",
    fails: ["P54"],
  },
];
