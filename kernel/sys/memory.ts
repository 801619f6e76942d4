/**
 * System calls about memory. Source: POSIX.1-2001; Linux 2.4 (mm/mmap.c, mm/mprotect.c; arch/i386/kernel/sys_i386.c).
 */
import { Errno } from "../abi/errno";
import { MmapArguments } from "../abi/structs";
import { TrapFrame } from "../arch/i386/trapframe";
import { doMadvise, doMlock, doMlockall, doMsync, doMunlock, doMunlockall } from "../mm/memlock";
import { doBrk, doMmap, doMprotect, doMunmap } from "../mm/mmap";
import { doMremap } from "../mm/mremap";
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

/** mremap(address, old bytes, new bytes, flags, new address). */
export function sysMremap(frame: TrapFrame): i32 {
  return doMremap(currentTask().mm!, frame.ebx, frame.ecx, frame.edx, frame.esi, frame.edi);
}

/** madvise(address, bytes, advice). */
export function sysMadvise(frame: TrapFrame): i32 {
  return doMadvise(currentTask().mm!, frame.ebx, frame.ecx, frame.edx);
}

/** mlock(address, bytes). */
export function sysMlock(frame: TrapFrame): i32 {
  return doMlock(currentTask().mm!, frame.ebx, frame.ecx);
}

/** munlock(address, bytes). */
export function sysMunlock(frame: TrapFrame): i32 {
  return doMunlock(currentTask().mm!, frame.ebx, frame.ecx);
}

/** mlockall(flags). */
export function sysMlockall(frame: TrapFrame): i32 {
  return doMlockall(currentTask().mm!, frame.ebx);
}

/** munlockall(). */
export function sysMunlockall(_frame: TrapFrame): i32 {
  return doMunlockall(currentTask().mm!);
}

/** msync(address, bytes, flags). */
export function sysMsync(frame: TrapFrame): i32 {
  return doMsync(currentTask().mm!, frame.ebx, frame.ecx, frame.edx);
}
