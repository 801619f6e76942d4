/**
 * System calls about memory. Source: POSIX.1-2001; Linux 2.4 (mm/mmap.c, mm/mprotect.c; arch/i386/kernel/sys_i386.c).
 */
import { Errno } from "../abi/errno";
import { MAP_ANONYMOUS, MAP_SHARED, PROT_WRITE } from "../abi/mman";
import { MmapArguments } from "../abi/structs";
import { TrapFrame } from "../arch/i386/trapframe";
import { isError } from "../lib/errptr";
import { PAGE_OFFSET, PAGE_SHIFT } from "../mm/layout";
import { doMadvise, doMlock, doMlockall, doMsync, doMunlock, doMunlockall } from "../mm/memlock";
import { doBrk, doMmap, doMprotect, doMunmap, mapObject } from "../mm/mmap";
import { doMremap } from "../mm/mremap";
import { SharedObject } from "../mm/shmem";
import { copyFromUser } from "../mm/uaccess";
import { VM_READONLY } from "../mm/vmalist";
import { currentTask } from "../task/task";
import { currentFile } from "./user";

/** Files have at most this many pages: their offsets are below 4 GB. */
const MAX_PAGE: u32 = 0xfffff;
const mapping: MmapArguments = changetype<MmapArguments>(memory.data(24));

/** brk(address): where the heap ends then. */
export function sysBrk(frame: TrapFrame): i32 {
  return doBrk(currentTask().mm!, frame.ebx) as i32;
}

/** mmap of anonymous memory, or of a regular file or disk from its page `page` on. */
function map(address: usize, bytes: u32, prot: u32, flags: u32, descriptor: u32, page: u32): i32 {
  const mm = currentTask().mm!;
  if ((flags & MAP_ANONYMOUS) != 0) return doMmap(mm, address, bytes, prot, flags);
  const file = currentFile(descriptor);
  if (file === null) return -Errno.EBADF;
  const isShared = (flags & MAP_SHARED) != 0;
  if (!file.readable || (isShared && (prot & PROT_WRITE) != 0 && !file.writable)) return -Errno.EACCES;
  const objectOf = file.inode.operations.object;
  if (objectOf === null) return -Errno.ENODEV;
  if (page > MAX_PAGE - (bytes >> PAGE_SHIFT)) return -Errno.EOVERFLOW;
  const object = objectOf(file.inode);
  if (isError(object)) return object as i32;
  const extra = isShared && !file.writable ? VM_READONLY : 0;
  return mapObject(mm, address, bytes, prot, flags, extra, changetype<SharedObject>(object), page);
}

/** mmap(arguments): the six words in memory; the offset in the file is in bytes. */
export function sysMmap(frame: TrapFrame): i32 {
  if (copyFromUser(changetype<usize>(mapping), frame.ebx, offsetof<MmapArguments>()) != 0) return -Errno.EFAULT;
  if ((mapping.offset & PAGE_OFFSET) != 0) return -Errno.EINVAL;
  const page = mapping.offset >> PAGE_SHIFT;
  return map(mapping.address, mapping.bytes, mapping.protection, mapping.flags, mapping.descriptor, page);
}

/** mmap2(address, bytes, protection, flags, descriptor, page of the file). */
export function sysMmap2(frame: TrapFrame): i32 {
  return map(frame.ebx, frame.ecx, frame.edx, frame.esi, frame.edi, frame.ebp);
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
