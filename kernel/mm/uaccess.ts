/**
 * The kernel's access to user memory. An address is only compared with KERNEL_BASE beforehand; whether it is mapped, the CPU says: the copy
 * loops of stubs.s fault like the program itself would (CR0.WP = 1, so a write also unshares tables and copies pages), and where
 * the fault cannot be resolved they stop with what is left. The address space is the one in CR3.
 * Nothing sleeps in a copy: a page that was evicted is read by polling the disk, so who copies may keep what it works on in static memory.
 *
 * With wp=off the CPU lets the kernel write through read-only entries (CR0.WP = 0, as an i386 does always). Then each page is
 * looked up before it is written to, and what its entries forbid is served as the fault that the CPU does not raise. Nothing
 * is reclaimed between the look and the write.
 * May import assembly.ts, paging, layout, fault and vma. Source: Linux 2.4 (arch/i386/lib/usercopy.c).
 */
import { Errno } from "../abi/errno";
import { clearWriteProtect, userCopy, userStringCopy } from "../arch/i386/assembly";
import { Entry, FAULT_PROTECTION, FAULT_WRITE, PTE_PRESENT, PTE_WRITE } from "../arch/i386/paging";
import { FaultResult, resolveFault } from "./fault";
import { KERNEL_BASE, PAGE_BYTES, PAGE_OFFSET } from "./layout";
import { activeMm, Mm } from "./vma";

/** Whether writes are checked here, because the CPU does not. */
let checksWrites: bool = false;

/** wp=off: from now on the CPU lets the kernel write anywhere, and this file looks first. */
export function checkWritesInSoftware(): void {
  checksWrites = true;
  clearWriteProtect();
}

/** Whether [address, address + bytes) lies in user space. */
function inUserSpace(address: usize, bytes: u32): bool {
  return address <= KERNEL_BASE && bytes <= KERNEL_BASE - address;
}

/** Copies to user memory. Returns the bytes not copied: 0 is success. */
export function copyToUser(destination: usize, source: usize, bytes: u32): u32 {
  if (!inUserSpace(destination, bytes)) return bytes;
  return checksWrites ? checkedCopy(destination, source, bytes) : userCopy(destination, source, bytes);
}

/** copyToUser page by page, each made writable first. */
function checkedCopy(destination: usize, source: usize, bytes: u32): u32 {
  const mm = activeMm();
  let left = bytes;
  while (left != 0 && mm !== null) {
    const done = bytes - left;
    const part = min<u32>(left, PAGE_BYTES - ((destination + done) & PAGE_OFFSET));
    if (!makeWritable(mm, destination + done)) break;
    const missed = userCopy(destination + done, source + done, part);
    left -= part - missed;
    if (missed != 0) break;
  }
  return left;
}

/** Serves the write fault that the page of `address` would raise in ring 3, if any. False if it may not be written to. */
function makeWritable(mm: Mm, address: usize): bool {
  const wanted = PTE_PRESENT | PTE_WRITE;
  while (true) {
    const pde = Entry.load(Entry.pdeOf(mm.directory, address));
    const pte = (pde & PTE_PRESENT) == 0 ? 0 : Entry.load(Entry.pteOf(pde, address));
    if ((pde & pte & wanted) == wanted) return true;
    const code = FAULT_WRITE | ((pte & PTE_PRESENT) != 0 ? FAULT_PROTECTION : 0);
    if (resolveFault(mm, address, code) != FaultResult.Resolved) return false;
  }
}

/** Copies from user memory. Returns the bytes not copied: 0 is success. */
export function copyFromUser(destination: usize, source: usize, bytes: u32): u32 {
  return inUserSpace(source, bytes) ? userCopy(destination, source, bytes) : bytes;
}

/**
 * Copies a string from user memory, with its NUL, into `max` bytes. Returns its length without the NUL; `max` if it has no NUL within
 * `max` bytes (then there is none in the copy either); -EFAULT.
 */
export function strncpyFromUser(destination: usize, source: usize, max: u32): i32 {
  if (source >= KERNEL_BASE) return -Errno.EFAULT;
  const room = min<u32>(max, KERNEL_BASE - source);
  const length = userStringCopy(destination, source, room);
  // The string ran into the end of user space before its NUL came.
  return room < max && u32(length) == room ? -Errno.EFAULT : length;
}

/** Writes a word to user memory: 0 or -EFAULT. */
export function putUser32(address: usize, value: u32): i32 {
  store<u32>(word, value);
  return copyToUser(address, word, 4) == 0 ? 0 : -Errno.EFAULT;
}

/** Reads a word of user memory into a kernel word at `into`: 0 or -EFAULT. */
export function getUser32(address: usize, into: usize): i32 {
  return copyFromUser(into, address, 4) == 0 ? 0 : -Errno.EFAULT;
}

/** What putUser32 copies from; it does not sleep in between. */
const word: usize = memory.data(4, 4);
