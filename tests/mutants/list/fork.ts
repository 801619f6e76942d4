/** Faults in fork and what it leaves in directories: P1 to P8, P35, P36, P55. Imports mutant. */
import { type Mutant, SHARING } from "../mutant";

export const FORK_MUTANTS: readonly Mutant[] = [
  {
    fault: "fork copies the table of one slot instead of sharing it",
    file: "mm/memory.ts",
    edits: [
      [
        "      if (forkMode == ForkMode.Share && parent.locks == 0) {\n",
        "      if (forkMode != ForkMode.Copy && first == 384) {\n        lost |= PTE_WRITE;\n        done = copySlots(parent, child, vma, first, next);\n      } else if (forkMode == ForkMode.Share && parent.locks == 0) {\n",
      ],
    ],
    program: "fork",
    fails: ["P1", "P2", "P4"],
    modes: SHARING,
  },
  {
    fault: "fork looks at every pte",
    file: "mm/ptshare.ts",
    edits: [
      [
        "    table.users++;\n    shared++;\n",
        "    table.users++;\n    shared++;\n    for (let i: u32 = 0; i < table.present; i++) Entry.load(parent);\n",
      ],
    ],
    program: "fork",
    fails: ["P1"],
    modes: SHARING,
  },
  {
    fault: "fork leaves the pdes writable",
    file: "mm/ptshare.ts",
    edits: [["const protectedPde = (pde & ~PTE_WRITE) | set;", "const protectedPde = pde | set;"]],
    program: "fork",
    fails: ["P2", "P3"],
    modes: SHARING,
    audit: "I2",
  },
  {
    fault: "fork does not flush the parent's TLB",
    file: "mm/memory.ts",
    edits: [["  if (lost != 0) flushTlb();\n", ""]],
    program: "fork",
    fails: ["P3"],
    audit: "I6",
  },
  {
    fault: "sharing sets users to 2 instead of adding 1",
    file: "mm/ptshare.ts",
    edits: [["    table.users++;\n", "    table.users = 2;\n"]],
    program: "fork",
    fails: ["P4", "P5"],
    modes: SHARING,
    audit: "I1",
  },
  {
    fault: "fork changes the child's kernel half",
    file: "mm/memory.ts",
    edits: [
      [
        "  if (lost != 0) flushTlb();\n",
        "  if (lost != 0) flushTlb();\n  Entry.store(child.directory + 3072, Entry.load(parent.directory + 3072) ^ 0x200);\n",
      ],
    ],
    program: "fork",
    fails: ["P6"],
    audit: "mappings",
  },
  {
    fault: "the frame of a table is not freed, seen by fork's tests",
    file: "mm/pagetable.ts",
    edits: [["  freeFrame(Frames.number(Frames.ofAddress(table)));\n", ""]],
    program: "fork",
    fails: ["P55"],
    audit: "I1",
  },
  {
    fault: "a fork that fails keeps the address space",
    file: "mm/vma.ts",
    edits: [["    mmDestroy(child);\n    return null;\n", "    return null;\n"]],
    program: "inject",
    fails: ["P7"],
    audit: "frames",
  },
  {
    fault: "a fork that fails keeps the task",
    file: "task/fork.ts",
    edits: [["    leaveParts(child);\n    freeTask(child);\n", "    leaveParts(child);\n"]],
    program: "inject",
    fails: ["P7"],
  },
  {
    fault: "fork=auto copies every table, and no page",
    file: "mm/memory.ts",
    edits: [
      [
        "    if (slot != stackSlot && !ForkPolicy.begin(table) && table.locked == 0) continue;\n",
        "    ForkPolicy.begin(table);\n",
      ],
      ["    if (slot == stackSlot) splitStackPage(parent, child, stackPointer);\n", ""],
    ],
    program: "forkstorm",
    fails: ["P58"],
    modes: ["auto"],
  },
  {
    fault: "vfork shares the tables instead of the address space",
    file: "task/fork.ts",
    edits: [
      [
        "(flags & CLONE_VM) != 0 ? mmGet(parent.mm!) : mmDup(",
        "(flags & CLONE_VM) > CLONE_VM ? mmGet(parent.mm!) : mmDup(",
      ],
    ],
    program: "vfork",
    fails: ["P8"],
  },
  {
    fault: "an address space that one of two tasks leaves is gone",
    file: "mm/vma.ts",
    edits: [["  if (mm.users == 0) mmDestroy(mm);\n", "  if (mm.users <= 1) mmDestroy(mm);\n"]],
    program: "clone",
    fails: ["P8"],
  },
];
