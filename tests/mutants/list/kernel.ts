/** Faults in the kernel's own access to user memory, and signals: P47 to P50. Imports mutant. */
import { type Mutant, SHARING } from "../mutant";

export const KERNEL_MUTANTS: readonly Mutant[] = [
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
    file: "mm/fault.ts",
    edits: [["} else if (write && (pde & PTE_WRITE) == 0) {", "} else if ((pde & PTE_WRITE) == 0) {"]],
    program: "kernelwrite",
    fails: ["P49"],
    modes: SHARING,
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
    file: "mm/fault.ts",
    edits: [
      ["  if ((vma.flags & (write ? VM_WRITE : VM_ACCESS)) == 0) return FaultResult.BadAccess;\n", ""],
      [
        "  pde = Entry.load(pdeAddress);\n",
        "  pde = Entry.load(pdeAddress);\n  if ((vma.flags & (write ? VM_WRITE : VM_ACCESS)) == 0) return FaultResult.BadAccess;\n",
      ],
    ],
    program: "kernelwrite",
    fails: ["P50"],
    modes: SHARING,
  },
  {
    fault: "with wp=off the kernel looks at the pte only before it writes",
    file: "mm/uaccess.ts",
    edits: [["if ((pde & pte & wanted) == wanted) return true;", "if ((pte & wanted) == wanted) return true;"]],
    program: "kernelwrite",
    settings: "wp=off",
    guards: ["P48"],
    fails: ["P47"],
    modes: SHARING,
  },
  {
    fault: "with wp=off the kernel does not look before it writes",
    file: "mm/uaccess.ts",
    edits: [["  return checksWrites ? checkedCopy(", "  return checksWrites && bytes == 0 ? checkedCopy("]],
    program: "kernelwrite",
    settings: "wp=off",
    guards: ["P48"],
    fails: ["P47", "P50"],
  },
];
