/**
 * Putting a swap area to use, and giving it up. The area begins with a header page as mkswap writes it:
 *
 *     byte 1024   version, 1
 *          1028   last page of the area
 *          1032   number of bad pages; areas with any are refused
 *          4086   "SWAPSPACE2"
 *
 * swapoff brings back every page that a table or a shared object has an entry for. A table that several processes share is walked
 * once: afterwards its `swapped` is 0 (P42). All by polling, so that nothing moves meanwhile.
 * May import swap, rmap, fault, vmscan, tasks, the disk queue. Source: Linux 2.4 (mm/swapfile.c: sys_swapon, try_to_unuse); mkswap(8).
 */
import { Errno } from "../abi/errno";
import { Entry, PTE_MAPPED, PTE_PRESENT, USER_SLOTS } from "../arch/i386/paging";
import { diskPollBegin, diskPollEnd, diskRead } from "../drivers/diskqueue";
import { startReclaimTask } from "../task/reclaim";
import { nextTask, Task } from "../task/task";
import { bringIn, FaultResult } from "./fault";
import { PAGE_BYTES, SLOT_SHIFT } from "./layout";
import { FrameKind, Frames, TablePage } from "./page";
import { allocFrame, frameToVirt, freeFrame } from "./pagealloc";
import { rmapKept } from "./rmap";
import { objectBringIn } from "./shmem";
import {
  SwapIn,
  swapClose,
  swapClosing,
  swapEmptyCache,
  swapIsOn,
  swapOpen,
  swapSector,
  swapSlots,
  swapWait,
} from "./swap";
import { Mm, Vma } from "./vmalist";
import { reclaimConfigure } from "./vmscan";

const PAGE_SECTORS: u32 = 8;
const VERSION_AT: usize = 1024;
const LAST_PAGE_AT: usize = 1028;
const BAD_PAGES_AT: usize = 1032;
const SIGNATURE_AT: usize = 4086;
/** "SWAP", "SPAC", "E2", low byte first. */
const SIGNATURE0: u32 = 0x50415753;
const SIGNATURE1: u32 = 0x43415053;
const SIGNATURE2: u32 = 0x3245;
/** A header and one page at least. */
const LEAST_SLOTS: u32 = 2;

/** Pages of the area whose header page this is; 0 if it is none. */
function slotsOf(header: usize): u32 {
  const isSigned =
    load<u32>(header + SIGNATURE_AT) == SIGNATURE0 &&
    load<u32>(header + SIGNATURE_AT + 4) == SIGNATURE1 &&
    load<u16>(header + SIGNATURE_AT + 8) == SIGNATURE2;
  if (!isSigned || load<u32>(header + VERSION_AT) != 1 || load<u32>(header + BAD_PAGES_AT) != 0) return 0;
  return load<u32>(header + LAST_PAGE_AT) + 1;
}

/**
 * swapon of the `sectors` of the disk from `sector` on. 0; -EBUSY: there is an area in use; -EINVAL: no header, or the area ends beyond the
 * sectors, or without a reverse map no page could ever be unmapped; -EIO; -ENOMEM.
 */
export function doSwapon(sector: u32, sectors: u32): i32 {
  if (swapSlots != 0) return -Errno.EBUSY;
  if (!rmapKept || sectors < LEAST_SLOTS * PAGE_SECTORS) return -Errno.EINVAL;
  const frame = allocFrame(FrameKind.Kernel);
  if (frame == 0) return -Errno.ENOMEM;
  const error = diskRead(sector, PAGE_SECTORS, frameToVirt(frame));
  const slots = error == 0 ? slotsOf(frameToVirt(frame)) : 0;
  freeFrame(frame);
  if (error != 0) return error;
  if (slots < LEAST_SLOTS || slots > sectors / PAGE_SECTORS) return -Errno.EINVAL;
  // Another may have been faster while the header was read.
  if (swapSlots != 0) return -Errno.EBUSY;
  if (!startReclaimTask() || !swapOpen(sector, slots)) return -Errno.ENOMEM;
  reclaimConfigure();
  return 0;
}

/** swapoff of the area at a sector. 0; -EINVAL: it is not in use; -ENOMEM, -EIO: not all pages could be brought back, and the area stays in use. */
export function doSwapoff(sector: u32): i32 {
  if (!swapIsOn() || sector != swapSector) return -Errno.EINVAL;
  swapClosing(true);
  diskPollBegin();
  let error: i32 = 0;
  let task: Task | null = nextTask(0);
  while (task !== null && error == 0) {
    const mm = task.mm;
    if (mm !== null) error = bringBack(mm);
    task = nextTask(task.pid + 1);
  }
  if (error == 0) swapEmptyCache();
  diskPollEnd();
  if (error == 0) swapClose();
  else swapClosing(false);
  reclaimConfigure();
  return error;
}

/** Brings back every page that an address space has in swap. 0 or -errno. */
function bringBack(mm: Mm): i32 {
  for (let slot: u32 = 0; slot < USER_SLOTS; slot++) {
    const pde = Entry.load(mm.directory + (slot << 2));
    if ((pde & PTE_PRESENT) == 0) continue;
    const table = changetype<TablePage>(Frames.ofEntry(pde));
    for (let address: usize = slot << SLOT_SHIFT; table.swapped != 0; address += PAGE_BYTES) {
      const entry = Entry.load(Entry.pteOf(pde, address));
      if (entry == 0 || (entry & PTE_MAPPED) != 0) continue;
      let result = bringIn(mm, address, Entry.pteOf(pde, address));
      while (result == FaultResult.Waiting) {
        swapWait();
        result = bringIn(mm, address, Entry.pteOf(pde, address));
      }
      if (result != FaultResult.Resolved) return result == FaultResult.OutOfMemory ? -Errno.ENOMEM : -Errno.EIO;
    }
  }
  let vma: Vma | null = mm.vmas;
  while (vma !== null) {
    const object = vma.object;
    if (object !== null) {
      let found = objectBringIn(object);
      while (found == SwapIn.Waiting) {
        swapWait();
        found = objectBringIn(object);
      }
      if (found != SwapIn.Here) return found == SwapIn.OutOfMemory ? -Errno.ENOMEM : -Errno.EIO;
    }
    vma = vma.next;
  }
  return 0;
}
