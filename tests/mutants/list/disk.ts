/** Faults in the page cache of disks (kernel/mm/filemap.ts and what it hangs on), its partitions, and what is written back when. Imports mutant. */
import type { Mutant } from "../mutant";

export const DISK_MUTANTS: readonly Mutant[] = [
  {
    fault: "D is forgotten when the mapping of a disk's page goes",
    file: "mm/pagetable.ts",
    edits: [["  if (page.object != 0) page.flags |= (entry & PTE_DIRTY) != 0 ? PAGE_DIRTY : 0;\n", ""]],
    program: "diskmap",
    fails: ["P21 what is written through a mapping reaches the disk", "P21 also when the process just ends"],
  },
  {
    fault: "D stays in the ptes of a page that is written",
    file: "mm/pagetable.ts",
    edits: [["    Entry.store(pte, entry & ~PTE_DIRTY);\n", ""]],
    program: "diskmap",
    fails: ["P21 what is written through a mapping reaches the disk", "P21 also across fork"],
  },
  {
    fault: "D is looked for in one pte of a page only",
    file: "mm/pagetable.ts",
    edits: [
      [
        "    if ((entry & PTE_DIRTY) == 0) continue;\n    page.flags |= PAGE_DIRTY;\n",
        "    if ((entry & PTE_DIRTY) == 0) break;\n    page.flags |= PAGE_DIRTY;\n",
      ],
    ],
    program: "diskmap",
    fails: ["P21 what is written through a mapping reaches the disk"],
  },
  {
    fault: "msync writes all of the disk's pages",
    file: "mm/memlock.ts",
    edits: [
      [
        "syncPages(object, first, first + ((address - from) >> PAGE_SHIFT))",
        "syncPages(object, first * 0, 0xffffffff)",
      ],
    ],
    program: "diskmap",
    fails: ["P21 what is written through a mapping reaches the disk"],
  },
  {
    fault: "a page is mapped while it is being read",
    file: "mm/shmem.ts",
    edits: [["  if ((page.flags & PAGE_READING) != 0) return SwapIn.Waiting;\n", ""]],
    program: "diskmap",
    fails: ["a page that many want is read once"],
  },
  {
    fault: "a page of a disk is made without being read",
    file: "mm/shmem.ts",
    edits: [["  if (object.sectors == 0) return SwapIn.Here;\n", "  if (object.sectors != 1) return SwapIn.Here;\n"]],
    program: "diskmap",
    fails: ["P11", "P15", "P23", "P47"],
  },
  {
    fault: "the last page of a disk is taken for a whole one",
    file: "mm/shmem.ts",
    edits: [["return min<u32>(PAGE_SECTORS, this.sectors - index * PAGE_SECTORS);", "return PAGE_SECTORS;"]],
    program: "diskmap",
    fails: ["the end of the disk", "partitions"],
  },
  {
    fault: "a disk can be mapped a page beyond its end",
    file: "fs/blockdevice.ts",
    edits: [["(sectors + PAGE_SECTORS - 1) / PAGE_SECTORS, MAX_PAGES)", "sectors / PAGE_SECTORS + 2, MAX_PAGES)"]],
    program: "diskmap",
    fails: ["the end of the disk", "partitions"],
  },
  {
    fault: "a partition begins where the disk does",
    file: "mm/shmem.ts",
    edits: [["return this.firstSector + index * PAGE_SECTORS;", "return index * PAGE_SECTORS;"]],
    program: "diskmap",
    fails: ["partitions"],
  },
  {
    fault: "a partition may end beyond the disk",
    file: "fs/blockdevice.ts",
    edits: [["if (first < sectors && count <= sectors - first)", "if (first < sectors)"]],
    program: "diskmap",
    fails: ["partitions"],
  },
  {
    fault: "the last close writes nothing",
    file: "fs/blockdevice.ts",
    edits: [["const failed = syncDevice(device) != 0;", "const failed = true;"]],
    program: "diskmap",
    fails: ["P21 also across fork", "P21 also when the process just ends"],
  },
  {
    fault: "the last close keeps the pages",
    file: "fs/blockdevice.ts",
    edits: [["  const lost = dropPages(device.object, failed);\n", "  const lost: u32 = failed ? 1 : 0;\n"]],
    program: "diskmap",
    fails: ["P11", "P21 also when the process just ends"],
  },
  {
    fault: "exit closes files before it gives up the mappings",
    file: "task/exit.ts",
    edits: [
      ["  const mm = task.mm!;\n  mmRelease(mm);\n", "  leaveParts(task);\n  const mm = task.mm!;\n  mmRelease(mm);\n"],
      ["which may sleep.\n  leaveParts(task);\n", "which may sleep.\n"],
    ],
    program: "diskmap",
    fails: ["P21 also when the process just ends"],
  },
  {
    fault: "who waits for a page maps it by what was looked up before",
    file: "arch/i386/trap.ts",
    edits: [["    swapWait();\n    return;\n", "    swapWait();\n    result = FaultResult.BadAccess;\n"]],
    program: "diskmap",
    fails: ["P23", "a page that many want is read once"],
  },
  {
    fault: "a private mapping of a disk is written in place",
    file: "mm/fault.ts",
    edits: [
      [
        "isShared && (vma.flags & VM_WRITE) != 0);\n    vmstat.pagesFilled++;",
        "(vma.flags & VM_WRITE) != 0);\n    vmstat.pagesFilled++;",
      ],
    ],
    program: "diskmap",
    fails: ["P15"],
  },
];
