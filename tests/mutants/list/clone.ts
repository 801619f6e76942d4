/** Faults in vfork and clone(CLONE_VM): tasks that use one address space, and parts of tasks that several use. */
import { type Mutant, SHARING } from "../mutant";

export const CLONE_MUTANTS: readonly Mutant[] = [
  {
    fault: "clone(CLONE_VM) forks",
    file: "task/fork.ts",
    edits: [
      [
        "(flags & CLONE_VM) != 0 ? mmGet(parent.mm!) : mmDup(",
        "(flags & CLONE_VM) > 0x100 ? mmGet(parent.mm!) : mmDup(",
      ],
    ],
    program: "clone",
    fails: ["P8", "P9", "P44"],
  },
  {
    fault: "vfork forks",
    file: "sys/process.ts",
    edits: [["CLONE_VM | CLONE_VFORK | Signal.SIGCHLD, frame.esp", "CLONE_VFORK | Signal.SIGCHLD, frame.esp"]],
    program: "vfork",
    fails: ["P8", "P25"],
  },
  {
    fault: "clone(CLONE_VM) counts a user more in a table",
    file: "task/fork.ts",
    edits: [
      ["mmGet(parent.mm!) : mmDup(", "countTable(mmGet(parent.mm!)) : mmDup("],
      [
        "/**\n * Doubles the current task,",
        "function countTable(mm: Mm): Mm {\n  const pde = load<u32>(mm.directory + 384 * 4);\n  const table = changetype<TablePage>(Frames.ofEntry(pde));\n  if (pde != 0) table.users++;\n  return mm;\n}\n\n/**\n * Doubles the current task,",
      ],
      ["import { Errno } from", 'import { Frames, TablePage } from "../mm/page";\nimport { Errno } from'],
    ],
    program: "clone",
    fails: ["P8"],
  },
  {
    fault: "a task that leaves destroys memory that others use",
    file: "mm/vma.ts",
    edits: [["if (mm.users == 0) mmDestroy(mm);", "mmDestroy(mm);"]],
    program: "clone",
    fails: ["P27", "P32"],
  },
  {
    fault: "the last task to leave memory leaves it there",
    file: "mm/vma.ts",
    edits: [["if (mm.users == 0) mmDestroy(mm);", "if (mm.users == 0 && mm.locks != 0) mmDestroy(mm);"]],
    program: "clone",
    fails: ["P8", "P27"],
  },
  {
    fault: "one more task in an address space is not counted",
    file: "mm/vma.ts",
    edits: [["  mm.users++;\n", ""]],
    program: "clone",
    fails: ["P27", "P32"],
  },
  {
    fault: "exec in shared memory keeps its use of it",
    file: "task/exec.ts",
    edits: [["    mmDrop(old);\n", "    if (old.users == 1) mmDrop(old);\n"]],
    program: "clone",
    fails: ["P32"],
  },
  {
    fault: "fork by one of several tasks leaves the pdes writable",
    file: "mm/ptshare.ts",
    edits: [["const protectedPde = (pde & ~PTE_WRITE) | set;", "const protectedPde = pde | set;"]],
    program: "clone",
    fails: ["P2", "P3"],
    modes: SHARING,
  },
  {
    fault: "vfork does not wait",
    file: "task/fork.ts",
    edits: [["  if ((flags & CLONE_VFORK) != 0) waitForVfork(child);\n", ""]],
    program: "vfork",
    fails: ["vfork"],
  },
  {
    fault: "a signal ends vfork's wait",
    file: "task/vfork.ts",
    edits: [["while (parent.inVfork) sleepOn", "if (parent.inVfork) sleepOn"]],
    program: "vfork",
    fails: ["vfork"],
  },
  {
    fault: "exec does not wake the parent in vfork",
    file: "task/exec.ts",
    edits: [["    mmRelease(old);\n", ""]],
    program: "vfork",
    fails: ["P32"],
  },
  {
    fault: "exit does not wake the parent in vfork",
    file: "task/exit.ts",
    edits: [["  mmRelease(mm);\n", ""]],
    program: "vfork",
    fails: ["vfork", "P8"],
  },
  {
    fault: "wait finds children by clone without being told to",
    file: "task/exit.ts",
    edits: [["if ((options & WALL) == 0 && isClone !=", "if ((options & WALL) == 0 && !isClone &&"]],
    program: "clonecalls",
    fails: ["clone"],
  },
  {
    fault: "a task closes shared descriptors at its end",
    file: "task/parts.ts",
    edits: [["  } else if (isLast(files)) {\n", "  } else if (isLast(files) || true) {\n"]],
    program: "clonecalls",
    fails: ["clone"],
  },
  {
    fault: "a file that another task closes goes while one reads from it",
    file: "sys/file.ts",
    edits: [
      ["file === null ? null : fileGet(file)", "file"],
      [
        "  const result = fileRead(file, frame.ecx, clampBytes(frame.edx));\n  filePut(file);\n",
        "  const result = fileRead(file, frame.ecx, clampBytes(frame.edx));\n",
      ],
      [
        "  const result = fileWrite(file, frame.ecx, clampBytes(frame.edx));\n  filePut(file);\n",
        "  const result = fileWrite(file, frame.ecx, clampBytes(frame.edx));\n",
      ],
    ],
    program: "clonecalls",
    fails: ["clone"],
  },
  {
    fault: "out of memory waits for a parent in vfork to die",
    file: "task/oom.ts",
    edits: [["if (isDying(task) && !task.inVfork) return true;", "if (isDying(task)) return true;"]],
    program: "vforkmemory",
    fails: ["oom"],
  },
];
