/** Faults in what happens when memory runs out: P7, P51, P52, I7, and in files that are mapped. Imports mutant. */
import { type Mutant, SHARING } from "../mutant";

export const MEMORY_MUTANTS: readonly Mutant[] = [
  {
    fault: "an unshare that finds no frame keeps its reservation",
    file: "mm/pagetable.ts",
    edits: [
      [
        "  chainUnreserve(reserve);\n  return frame;\n",
        "  if (frame != 0) chainUnreserve(reserve);\n  return frame;\n",
      ],
    ],
    program: "inject",
    fails: ["P51"],
    modes: SHARING,
    audit: "I7",
  },
  {
    fault: "a reservation that finds no memory is kept",
    file: "mm/slab.ts",
    edits: [["      slabUnreserve(cache, objects);\n      return false;\n", "      return false;\n"]],
    program: "inject",
    fails: ["P51"],
    modes: SHARING,
    audit: "I7",
  },
  {
    fault: "an unshare without memory lets the write go into the shared table",
    file: "mm/ptshare.ts",
    edits: [
      [
        "  if (frame == 0) return false;\n  adoptTable(pdeAddress, frame);\n  const table",
        "  if (frame == 0) {\n    Entry.store(pdeAddress, pde | PTE_WRITE);\n    flushTlb();\n    return true;\n  }\n  adoptTable(pdeAddress, frame);\n  const table",
      ],
    ],
    program: "inject",
    fails: ["P51"],
    modes: SHARING,
    audit: "I2",
  },
  {
    fault: "unshare gives the pde W before it has the memory",
    file: "mm/ptshare.ts",
    edits: [
      [
        "  const frame = copyTable(Entry.target(pde), firstVmaAbove(mm, slot << SLOT_SHIFT));\n",
        "  Entry.store(pdeAddress, pde | PTE_WRITE);\n  const frame = copyTable(Entry.target(pde), firstVmaAbove(mm, slot << SLOT_SHIFT));\n",
      ],
    ],
    program: "inject",
    fails: ["P51"],
    modes: SHARING,
    audit: "I2",
  },
  {
    fault: "a page that cannot be copied is written where it is",
    file: "mm/fault.ts",
    edits: [
      [
        "  if (frame == 0) return FaultResult.OutOfMemory;\n  if (Entry.load(pte) != entry) {\n",
        "  if (frame == 0) {\n    Entry.store(pte, entry | PTE_WRITE);\n    flushTlbPage(address);\n    return FaultResult.Resolved;\n  }\n  if (Entry.load(pte) != entry) {\n",
      ],
    ],
    program: "inject",
    fails: ["P51"],
    audit: "I2",
  },
  {
    fault: "munmap edits its mappings before it unshares",
    file: "mm/mmap.ts",
    edits: [
      [
        "  if (!unshareEdges(mm, start, end, cause)) {\n    if (upper !== null) freeVma(upper);\n    return -Errno.ENOMEM;\n  }\n  cutMappings(mm, start, end, upper);\n",
        "  cutMappings(mm, start, end, upper);\n  if (!unshareEdges(mm, start, end, cause)) return -Errno.ENOMEM;\n",
      ],
    ],
    program: "inject",
    fails: ["P52"],
    modes: SHARING,
  },
  {
    fault: "mprotect that finds no memory keeps a mapping that it has taken",
    file: "mm/mmap.ts",
    edits: [["    if (middle !== null) freeVma(middle);\n    if (upper", "    if (upper"]],
    program: "inject",
    fails: ["P52"],
  },
  {
    fault: "mremap that finds no memory keeps tables for where it did not go",
    file: "mm/mremap.ts",
    edits: [["    releaseUnmapped(mm, to, to + newSize);\n", ""]],
    program: "inject",
    fails: ["I7 mremap"],
    audit: "mappings",
  },
  {
    fault: "mmap that finds no memory for the object keeps the mapping",
    file: "mm/mmap.ts",
    edits: [["    if (vma.object === null) {\n      freeVma(vma);\n", "    if (vma.object === null) {\n"]],
    program: "inject",
    fails: ["I7 mmap,"],
  },
  {
    fault: "a heap that cannot grow has grown",
    file: "mm/mmap.ts",
    edits: [
      [
        "  if (newEnd > oldEnd && !growHeap(mm, oldEnd, newEnd)) return mm.brk;\n",
        "  if (newEnd > oldEnd) growHeap(mm, oldEnd, newEnd);\n",
      ],
    ],
    program: "inject",
    fails: ["I7 heap"],
  },
  {
    fault: "mlock that finds no memory leaves memory locked",
    file: "mm/memlock.ts",
    edits: [["failed ? ~(VM_LOCKING | VM_LOCKED) : ~VM_LOCKING;", "~VM_LOCKING;"]],
    program: "inject",
    fails: ["I7 mlock"],
  },
  {
    fault: "an exec that fails keeps the new address space",
    file: "task/exec.ts",
    edits: [["    else mmActivateKernel();\n    mmDrop(mm);\n", "    else mmActivateKernel();\n"]],
    program: "inject",
    fails: ["I7 exec"],
  },
  {
    fault: "a pipe that lacks its second end keeps the first",
    file: "fs/pipe.ts",
    edits: [["    if (!isError(reader)) filePut(changetype<File>(reader));\n", ""]],
    program: "inject",
    fails: ["I7 pipes"],
  },
  {
    fault: "truncation leaves a file's pages in its mappings",
    file: "fs/ramfile.ts",
    edits: [["    unmapPage(page, 0);\n    objectForget", "    objectForget"]],
    program: "filemap",
    fails: ["behind"],
  },
  {
    fault: "a page behind the end of a file is made",
    file: "mm/fault.ts",
    edits: [["  if (index >= object.pages) return FaultResult.NoPage;\n", ""]],
    program: "filemap",
    fails: ["behind"],
  },
  {
    fault: "a write to a private mapping of a file goes to the file",
    file: "mm/fault.ts",
    edits: [["objectFind(object, index)!, vma, isShared && (vma.flags", "objectFind(object, index)!, vma, (vma.flags"]],
    program: "filemap",
    fails: ["private"],
  },
  {
    fault: "truncation does not flush the TLB",
    file: "mm/pagetable.ts",
    edits: [["    flushTlbPage(addressOf(table, pte));\n", ""]],
    program: "filemap",
    fails: ["behind"],
    audit: "I6",
  },
];
