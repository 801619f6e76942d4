/** Faults in swapping under shared tables: P20, P21, P35, P38 to P43, P46, and disks that refuse. Imports mutant. */
import { type Mutant, SHARING } from "../mutant";

export const SWAP_MUTANTS: readonly Mutant[] = [
  {
    fault: "a copy of a table takes no count for its swap entries",
    file: "mm/pagetable.ts",
    edits: [["  Entry.store(pte, entry);\n  swapDuplicate(entry >> PAGE_SHIFT);\n", "  Entry.store(pte, entry);\n"]],
    program: "swapping",
    fails: ["P20"],
    audit: "swap",
  },
  {
    fault: "a copy of a table leaves its swap entries out",
    file: "mm/pagetable.ts",
    edits: [["      if (entry != 0) copySwapEntry(entry, pte + distance);\n", ""]],
    program: "swapping",
    fails: ["P20"],
    audit: "I5",
  },
  {
    fault: "a copy of a table counts its swap entries as pages",
    file: "mm/pagetable.ts",
    edits: [
      [
        "    table.present = old.present;\n    table.swapped = old.swapped;\n",
        "    table.present = old.present + old.swapped;\n    table.swapped = 0;\n",
      ],
    ],
    program: "swapping",
    fails: ["P20"],
    modes: SHARING,
    audit: "I5",
  },
  {
    fault: "the end of a table does not free its swap entries",
    file: "mm/pagetable.ts",
    edits: [["      swapFree(entry >> PAGE_SHIFT);\n      swapped++;\n", "      swapped++;\n"]],
    program: "swapping",
    fails: ["P41"],
    audit: "swap",
  },
  {
    fault: "a page is taken for clean when it is put into the swap cache",
    file: "mm/vmscan.ts",
    edits: [
      ["(page.flags & PAGE_DIRTY) != 0 && !swapOut(page)", "cleaned(page) && !swapOut(page)"],
      [
        "/** Evicts a page that is in a list",
        "function cleaned(page: Page): bool {\n  page.flags &= ~PAGE_DIRTY;\n  return false;\n}\n\n/** Evicts a page that is in a list",
      ],
    ],
    program: "swapping",
    fails: ["P21"],
  },
  {
    fault: "a clean page of the swap cache is written again",
    file: "mm/vmscan.ts",
    edits: [["if ((page.flags & PAGE_DIRTY) != 0 && !swapOut(page)) {", "if (!swapOut(page)) {"]],
    program: "swapping",
    fails: ["P21"],
  },
  {
    fault: "reclaim takes locked pages",
    file: "mm/pagetable.ts",
    edits: [
      [
        "if ((Entry.load(rmapEntry(cursor)) & PTE_LOCKED) != 0) return true;",
        "if ((Entry.load(rmapEntry(cursor)) & PTE_LOCKED) > PTE_LOCKED) return true;",
      ],
    ],
    program: "swapping",
    fails: ["P35"],
  },
  {
    fault: "swapping out takes a page out of one table only",
    file: "mm/pagetable.ts",
    edits: [
      [
        "    flushTlbPage(addressOf(table, pte));\n",
        "    flushTlbPage(addressOf(table, pte));\n    if (entry != 0) return;\n",
      ],
    ],
    program: "swapping",
    fails: ["P43"],
  },
  {
    fault: "swapping out allocates",
    file: "mm/vmscan.ts",
    edits: [
      ["import { freeFrames, setReclaimer,", "import { allocFrame, freeFrame, freeFrames, setReclaimer,"],
      [
        "  mark(Mark.UnmapBegin, Frames.number(page));\n",
        "  const room = allocFrame(FrameKind.Table);\n  if (room == 0) return false;\n  freeFrame(room);\n  mark(Mark.UnmapBegin, Frames.number(page));\n",
      ],
    ],
    program: "swapping",
    fails: ["P39"],
  },
  {
    fault: "swapping out does not count a page less",
    file: "mm/pagetable.ts",
    edits: [["    table.present--;\n    if (entry != 0) {\n", "    if (entry != 0) {\n"]],
    program: "swapping",
    fails: ["P40"],
    audit: "I5",
  },
  {
    fault: "a page that was read back is not in the swap cache",
    file: "mm/fault.ts",
    edits: [
      [
        "    mark(Mark.SwapIn, Frames.number(page));\n",
        "    mark(Mark.SwapIn, Frames.number(page));\n    if ((page.flags & PAGE_LOCKED) == 0) swapCacheRemove(page);\n",
      ],
      ["import { FrameKind, Frames, Page,", "import { FrameKind, Frames, PAGE_LOCKED, Page,"],
      ["swapCachePage, swapFree,", "swapCachePage, swapCacheRemove, swapFree,"],
    ],
    program: "swapping",
    fails: ["P21"],
  },
  {
    fault: "a reader of a page takes it from the others",
    file: "mm/fault.ts",
    edits: [
      [
        "    setPte(pte, page, vma, false);\n    mark(Mark.SwapIn",
        "    setPte(pte, page, vma, true);\n    mark(Mark.SwapIn",
      ],
    ],
    program: "swapping",
    fails: ["P41"],
    audit: "swap",
  },
  {
    fault: "swapoff brings back the tables of the first process only",
    file: "mm/swapon.ts",
    edits: [
      [
        "    task = nextTask(task.pid + 1);\n  }\n  if (error == 0) swapEmptyCache();",
        "    task = mm === null ? nextTask(task.pid + 1) : null;\n  }\n  if (error == 0) swapEmptyCache();",
      ],
    ],
    program: "swapping",
    fails: ["P42"],
    audit: "swap",
  },
  {
    fault: "swapoff leaves the count of swap entries as it was",
    file: "mm/fault.ts",
    edits: [["    table.swapped--;\n    swapFree(slot);\n", "    swapFree(slot);\n"]],
    program: "swapping",
    fails: ["P42"],
  },
  {
    fault: "a table that has no page left is given up",
    file: "mm/pagetable.ts",
    edits: [
      [
        "    flushTlbPage(addressOf(table, pte));\n",
        "    flushTlbPage(addressOf(table, pte));\n    if (entry != 0 && table.present == 0) freeFrame(Frames.number(changetype<Page>(table)));\n",
      ],
    ],
    program: "swapping",
    fails: ["P46"],
  },
  {
    fault: "a page that cannot be read is taken for zeros",
    file: "mm/swap.ts",
    edits: [["  if ((page.flags & PAGE_ERROR) != 0) {\n", "  if ((page.flags & PAGE_ERROR) > PAGE_ERROR) {\n"]],
    program: "swapping",
    fails: ["a page that cannot be read"],
  },
  {
    fault: "a page that could not be written is given up",
    file: "mm/pageio.ts",
    edits: [["|= request.isWrite ? PAGE_DIRTY : PAGE_ERROR;", "|= request.isWrite ? 0 : PAGE_ERROR;"]],
    program: "swapping",
    fails: ["a page that cannot be written"],
  },
  {
    fault: "a slot that could not be written is given out again",
    file: "mm/swap.ts",
    edits: [["load<u32>(wordsOf(slot)) | BAD);", "load<u32>(wordsOf(slot)));"]],
    program: "swapping",
    fails: ["a page that cannot be written"],
  },
  {
    fault: "a page that finds no frame has lost its swap entry",
    file: "mm/swap.ts",
    edits: [
      [
        "    if (frame == 0) return SwapIn.OutOfMemory;\n    page = ",
        "    if (frame == 0) {\n      store<u32>(wordsOf(slot), swapCount(slot) - 1);\n      return SwapIn.OutOfMemory;\n    }\n    page = ",
      ],
    ],
    program: "injectswap",
    fails: ["I7 swapping in"],
  },
  {
    fault: "a swapoff that finds no memory has given the area up",
    file: "mm/swapon.ts",
    edits: [["  if (error == 0) swapClose();\n  else swapClosing(false);\n", "  if (error == 0) swapClose();\n"]],
    program: "injectswap",
    fails: ["I7 swapoff"],
  },
  {
    fault: "an unshare that finds no frame has counted the swap entries of its copy",
    file: "mm/pagetable.ts",
    edits: [
      [
        "  const frame = allocTable(old.slot);\n",
        "  const frame = allocTable(old.slot);\n  for (let pte = from; frame == 0 && pte < from + TABLE_BYTES; pte += 4) {\n    const entry = Entry.load(pte);\n    if (entry != 0 && (entry & PTE_MAPPED) == 0) swapDuplicate(entry >> PAGE_SHIFT);\n  }\n",
      ],
    ],
    program: "injectswap",
    fails: ["P51"],
    modes: SHARING,
    audit: "swap",
  },
  {
    fault: "a page that is swapped out leaves a hole",
    file: "mm/pagetable.ts",
    edits: [
      [
        "    Entry.store(pte, entry);\n    pageRemoveRmap(page, pte);\n",
        "    Entry.store(pte, 0);\n    pageRemoveRmap(page, pte);\n",
      ],
    ],
    program: "swapping",
    fails: ["P38"],
    audit: "I5",
  },
];
