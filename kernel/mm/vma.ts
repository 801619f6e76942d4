/**
 * Address spaces: made at exec, doubled at fork, loaded at a switch, destroyed when the last task has left. Tasks made by vfork and
 * clone(CLONE_VM) use their parent's: `users` counts them, and nothing else does (P8). A table's `users` counts directories, and there
 * is one directory however many tasks use it. It is the one frame that fork takes for memory; its kernel half is the same in all.
 *
 * What one task does to an Mm, the others find done: their system calls edit the same list and the same tables, and none sleeps
 * in the middle. No translation of theirs is stale either. There is one CPU, whose TLB holds translations of the directory in CR3 only;
 * whoever takes a right away, fork from the other users of its Mm as well, flushes them before it returns, and every switch, to a
 * task of the same Mm too, reloads CR3.
 * May import vmalist, memory, pagealloc, kmalloc, paging. Source: Linux 2.4 (kernel/fork.c, dup_mmap; mm/mmap.c, exit_mmap).
 */
import { currentDirectory, ENTRIES, Entry, loadDirectory, PTE_PRESENT, USER_SLOTS } from "../arch/i386/paging";
import { kfree, kmalloc } from "./kmalloc";
import { SLOT_SHIFT } from "./layout";
import { copyPageRange, zapAll } from "./memory";
import { FrameKind, Frames, TablePage } from "./page";
import { allocFrame, frameToVirt, freeFrame, virtToFrame } from "./pagealloc";
import { copyVma, freeVma, Mm, VM_LOCKED, Vma } from "./vmalist";
import { mappingFramesAllocated, vmstat } from "./vmstat";

export { Mm, Vma } from "./vmalist";

/** The directory that entry.s made: no user half. For the idle task, and while an address space is taken down. */
let kernelDirectory: usize = 0;
let active: Mm | null = null;

/** Notes the boot directory, which must be in CR3. Once, at boot. */
export function mmInit(): void {
  kernelDirectory = currentDirectory();
}

/** An address space with no mappings, for one task. Null if there is no memory. */
export function mmCreate(): Mm | null {
  const address = kmalloc(offsetof<Mm>());
  if (address == 0) return null;
  const frame = allocFrame(FrameKind.Directory);
  if (frame == 0) {
    kfree(address);
    return null;
  }
  const directory = frameToVirt(frame);
  memory.fill(directory, 0, USER_SLOTS * 4);
  memory.copy(directory + USER_SLOTS * 4, kernelDirectory + USER_SLOTS * 4, (ENTRIES - USER_SLOTS) * 4);
  memory.fill(address, 0, offsetof<Mm>());
  const mm = changetype<Mm>(address);
  mm.directory = directory;
  mm.users = 1;
  return mm;
}

/** One more task uses an address space. */
export function mmGet(mm: Mm): Mm {
  mm.users++;
  return mm;
}

/** A task uses an address space no more; the last one destroys it. */
export function mmDrop(mm: Mm): void {
  mm.users--;
  if (mm.users == 0) mmDestroy(mm);
}

/**
 * fork's copy of the current address space, whose user stack is at `stackPointer`. Null if there is no memory, and then everything has been given back. Everything that
 * can be missing is taken before the first pde is touched, the tables of fork=copy apart.
 */
export function mmDup(parent: Mm, stackPointer: usize): Mm | null {
  const frames = mappingFramesAllocated();
  const entries = vmstat.rmapAdded;
  const child = mmCreate();
  if (child === null) return null;
  if (!copyMappings(child, parent) || !copyPageRange(child, parent, stackPointer)) {
    mmDestroy(child);
    return null;
  }
  child.startBrk = parent.startBrk;
  child.brk = parent.brk;
  vmstat.forks++;
  vmstat.forkFrames += mappingFramesAllocated() - frames;
  vmstat.forkRmapAdded += vmstat.rmapAdded - entries;
  return child;
}

function copyMappings(child: Mm, parent: Mm): bool {
  let last: Vma | null = null;
  let vma: Vma | null = parent.vmas;
  while (vma !== null) {
    const copy = copyVma(vma);
    if (copy === null) return false;
    copy.flags &= ~VM_LOCKED;
    if (last === null) child.vmas = copy;
    else last.next = copy;
    last = copy;
    child.vmaCount++;
    vma = vma.next;
  }
  return true;
}

/** Destroys an address space that no task uses any more. If it is in CR3, the kernel's directory takes its place first. */
export function mmDestroy(mm: Mm): void {
  if (currentDirectory() == mm.directory) mmActivateKernel();
  zapAll(mm);
  let vma: Vma | null = mm.vmas;
  while (vma !== null) {
    const next = vma.next;
    freeVma(vma);
    vma = next;
  }
  freeFrame(virtToFrame(mm.directory));
  kfree(changetype<usize>(mm));
}

/** Loads an address space into CR3. Always reloads: no translation of another can outlive a switch (P44). */
export function mmActivate(mm: Mm): void {
  active = mm;
  loadDirectory(mm.directory);
}

/** The address space whose directory is in CR3; null: the kernel's own. */
export function activeMm(): Mm | null {
  return active;
}

/** Loads the directory without a user half. */
export function mmActivateKernel(): void {
  active = null;
  loadDirectory(kernelDirectory);
}

/** What an address space uses, as sums over its tables. */
@unmanaged
export class MmUsage {
  /** Pages that it maps: the resident set (I5). */
  resident: u32 = 0;
  /** Pages that are swapped out. */
  swapped: u32 = 0;
  /** Tables that its directory points at. */
  tables: u32 = 0;
}

/** Sums up what an address space uses: by tables, not by pages. */
export function mmUsage(mm: Mm, usage: MmUsage): void {
  usage.resident = 0;
  usage.swapped = 0;
  usage.tables = 0;
  let next: u32 = 0;
  let vma: Vma | null = mm.vmas;
  while (vma !== null) {
    const last = (vma.end - 1) >> SLOT_SHIFT;
    for (let slot = max<u32>(vma.start >> SLOT_SHIFT, next); slot <= last; slot++) {
      const pde = Entry.load(mm.directory + (slot << 2));
      if ((pde & PTE_PRESENT) == 0) continue;
      const table = changetype<TablePage>(Frames.ofEntry(pde));
      usage.resident += table.present;
      usage.swapped += table.swapped;
      usage.tables++;
    }
    next = last + 1;
    vma = vma.next;
  }
}
