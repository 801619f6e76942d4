/** Faults in the reverse map, counts and switches: P36, P37, P44, P53 to P55. Imports mutant. */
import { type Mutant, SHARING } from "../mutant";

export const RMAP_MUTANTS: readonly Mutant[] = [
  {
    fault: "fork adds rmap entries",
    file: "mm/memory.ts",
    edits: [
      [
        "      if (forkMode == ForkMode.Share && parent.locks == 0) {\n",
        "      if (forkMode != ForkMode.Copy && first == 384) {\n        lost |= PTE_WRITE;\n        done = copySlots(parent, child, vma, first, next);\n      } else if (forkMode == ForkMode.Share && parent.locks == 0) {\n",
      ],
    ],
    program: "rmap",
    fails: ["P36"],
    modes: SHARING,
  },
  {
    fault: "unshare adds the old pte to the reverse map",
    file: "mm/pagetable.ts",
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
    file: "mm/pagetable.ts",
    edits: [[": PTE_PRESENT | PTE_USER;", ": PTE_PRESENT | PTE_USER | 0x100;"]],
    program: "rmap",
    fails: ["P44"],
    audit: "I6",
  },
  {
    fault: "unshare forgets how many pages it copied",
    file: "mm/pagetable.ts",
    edits: [["    table.present = old.present;\n", "    table.present = 1;\n"]],
    program: "rmap",
    fails: ["P54"],
    audit: "I5",
  },
  {
    fault: "filling a page does not count it",
    file: "mm/pagetable.ts",
    edits: [["  table.present++;\n", ""]],
    program: "rmap",
    fails: ["P54"],
  },
  {
    fault: "the frame of a table is not freed",
    file: "mm/pagetable.ts",
    edits: [["  freeFrame(Frames.number(Frames.ofAddress(table)));\n", ""]],
    program: "rmap",
    fails: ["P55"],
    audit: "I1",
  },
  {
    fault: "the resident size leaves out tables that are shared",
    file: "mm/vma.ts",
    edits: [["usage.resident += table.present;", "if (table.users == 1) usage.resident += table.present;"]],
    program: "procmaps",
    fails: ["P54"],
    modes: SHARING,
  },
  {
    fault: "unshare counts its reference to the table as a user, and forgets it",
    file: "mm/ptshare.ts",
    edits: [["  table.users--;\n  ForkPolicy.diverged(table);\n", "  ForkPolicy.diverged(table);\n"]],
    program: "entries",
    fails: ["P53"],
    modes: SHARING,
    audit: "I1",
  },
];
