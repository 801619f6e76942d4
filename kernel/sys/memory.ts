/**
 * System calls about memory. Source: POSIX.1-2001; Linux 2.4 (mm/mmap.c, mm/mprotect.c; arch/i386/kernel/sys_i386.c).
 */
import { Errno } from "../abi/errno";
import { MmapArguments } from "../abi/structs";
import { TrapFrame } from "../arch/i386/trapframe";
import { doBrk, doMmap, doMprotect, doMunmap } from "../mm/mmap";
import { copyFromUser } from "../mm/uaccess";
import { currentTask } from "../task/task";

const mapping: MmapArguments = changetype<MmapArguments>(memory.data(24));

/** brk(address): where the heap ends then. */
export function sysBrk(frame: TrapFrame): i32 {
  return doBrk(currentTask().mm!, frame.ebx) as i32;
}

/** mmap(arguments): the six words in memory. Anonymous memory only: -ENODEV for a file. */
export function sysMmap(frame: TrapFrame): i32 {
  if (copyFromUser(changetype<usize>(mapping), frame.ebx, offsetof<MmapArguments>()) != 0) return -Errno.EFAULT;
  return doMmap(currentTask().mm!, mapping.address, mapping.bytes, mapping.protection, mapping.flags);
}

/** mmap2(address, bytes, protection, flags, descriptor, page of the file). */
export function sysMmap2(frame: TrapFrame): i32 {
  return doMmap(currentTask().mm!, frame.ebx, frame.ecx, frame.edx, frame.esi);
}

/** munmap(address, bytes). */
export function sysMunmap(frame: TrapFrame): i32 {
  return doMunmap(currentTask().mm!, frame.ebx, frame.ecx);
}

/** mprotect(address, bytes, protection). */
export function sysMprotect(frame: TrapFrame): i32 {
  return doMprotect(currentTask().mm!, frame.ebx, frame.ecx, frame.edx);
}
