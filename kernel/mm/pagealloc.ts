/**
 * The buddy allocator: blocks of 2^order frames, order 0 to 10, aligned to their size. A free block is in the list of
 * its order and marked PAGE_BUDDY in its first frame; freeing merges it with its buddy (the block whose number differs
 * in one bit) as long as that is free and whole. All frames of a block in use carry its kind.
 *
 * Never call it from an interrupt handler. Want of memory is an answer (0), never a panic; it is given when reclaim (vmscan.ts) has been
 * asked, and could do nothing. Reclaim runs inside an allocation: it may empty ptes and free frames, and never sleeps.
 * With poison on, a freed frame is filled with POISON and checked when it is given out again: a write to a free frame is
 * a panic. `failAllocation` makes the n-th allocation from now fail, for tests.
 * May import layout, page, vmstat and lib. Source: Linux 2.4 (mm/page_alloc.c); Knuth, TAOCP 1, 2.5.
 */
import { cstr } from "../abi/intrinsics";
import { panic } from "../lib/panic";
import { frameToVirt, PAGE_BYTES } from "./layout";
import {
  FrameKind,
  Frames,
  frameLimit,
  KIND_MASK,
  memMap,
  PAGE_BUDDY,
  PAGE_POISONED,
  PAGE_STRUCT_SHIFT,
  Page,
  PageList,
} from "./page";
import { framesOfKind, KindCounts, vmstat } from "./vmstat";

export { frameToVirt, physToVirt, virtToFrame } from "./layout";
export { FrameKind } from "./page";

/** Largest block: 2^10 frames, 4 MB. */
export const MAX_ORDER: u32 = 10;
/** What freed memory is filled with: INT3 as code, no canonical pointer, an odd number. */
const POISON: u8 = 0xcc;
const POISON_WORD: u32 = 0xcccccccc;

/** List heads, one Page for each order. */
const freeAreas: usize = memory.data(352, 16);

let freeCount: u32 = 0;
let poisoning: bool = false;
/** Makes room for 2^order frames; false: it could not. */
type Reclaimer = (order: u32) => bool;
let reclaimer: Reclaimer | null = null;
type Waker = () => void;
let reclaimTaskWaker: Waker | null = null;
/** Free frames from which on an allocation reclaims, and wakes the reclaim task: vmscan.ts. */
let leastFree: u32 = 0;
let lowFree: u32 = 0;
/** Allocations until one fails: 0 is never. */
let failCountdown: u32 = 0;

function areaOf(order: u32): usize {
  return freeAreas + (order << PAGE_STRUCT_SHIFT);
}

/** Empties the lists. Once, before the first frame is freed into them. */
export function pageAllocInit(): void {
  for (let order: u32 = 0; order <= MAX_ORDER; order++) PageList.reset(areaOf(order));
}

/** Frames that are free. */
export function freeFrames(): u32 {
  return freeCount;
}

/** Frames that are ours to give: all that exist but the reserved ones. */
export function totalFrames(): u32 {
  return frameLimit - framesOfKind(FrameKind.Reserved);
}

/** Who is asked for room from now on. */
export function setReclaimer(reclaim: Reclaimer): void {
  reclaimer = reclaim;
}

/** Who is told that memory is getting short. */
export function setReclaimTaskWaker(wake: Waker): void {
  reclaimTaskWaker = wake;
}

/** Sets the numbers of free frames below which allocations reclaim, and wake the reclaim task; 0: never. */
export function setWatermarks(least: u32, low: u32): void {
  leastFree = least;
  lowFree = low;
}

/** Memory is getting short. */
function balance(order: u32): void {
  const wake = reclaimTaskWaker;
  if (wake !== null) wake();
  const reclaim = reclaimer;
  if (freeCount < leastFree && reclaim !== null) reclaim(order);
}

/** Whether reclaim could do something for 2^order frames. */
function reclaimed(order: u32): bool {
  const reclaim = reclaimer;
  if (reclaim === null) return false;
  return reclaim(order);
}

/** Whether freed frames are filled and checked from now on. Costs 1,024 stores a frame; for tests. */
export function setPoison(on: bool): void {
  poisoning = on;
}

/** Makes the n-th allocation from now (1 is the next; frames and kmalloc alike) fail as if memory had run out; 0: none. */
export function failAllocation(n: u32): void {
  failCountdown = n;
}

/** Whether this allocation is the one to fail. Every allocator asks once for each thing that it is asked for. */
export function allocationMustFail(): bool {
  if (failCountdown == 0) return false;
  failCountdown--;
  if (failCountdown != 0) return false;
  vmstat.allocationsFailed++;
  return true;
}

/**
 * Takes 2^order frames for `kind` and returns the number of the first, or 0 if there are none. Their bytes are what they
 * happen to be, and of their Pages only `flags` is set, and `order` in the first.
 */
export function allocPages(order: u32, kind: FrameKind): u32 {
  if (failCountdown != 0 && allocationMustFail()) return 0;
  if (freeCount < lowFree) balance(order);
  let have = order;
  let area = areaOf(order);
  let block = PageList.first(area);
  while (block == area) {
    if (have != MAX_ORDER) {
      have++;
      area += 1 << PAGE_STRUCT_SHIFT;
    } else if (reclaimed(order)) {
      have = order;
      area = areaOf(order);
    } else {
      vmstat.allocationsFailed++;
      return 0;
    }
    block = PageList.first(area);
  }
  PageList.remove(block);
  while (have > order) {
    have--;
    area -= 1 << PAGE_STRUCT_SHIFT;
    const half = block + (1 << (have + PAGE_STRUCT_SHIFT));
    const page = changetype<Page>(half);
    page.flags |= PAGE_BUDDY;
    page.order = have;
    PageList.push(area, half);
  }
  const frames: u32 = 1 << order;
  freeCount -= frames;
  KindCounts.took(kind, frames);
  const end = block + (frames << PAGE_STRUCT_SHIFT);
  for (let each = block; each < end; each += 1 << PAGE_STRUCT_SHIFT) {
    const page = changetype<Page>(each);
    if ((page.flags & PAGE_POISONED) != 0) checkPoison(page);
    page.flags = kind;
  }
  changetype<Page>(block).order = order;
  return (block - memMap) >> PAGE_STRUCT_SHIFT;
}

/** One frame for `kind`: its number, or 0. As allocPages. */
export function allocFrame(kind: FrameKind): u32 {
  return allocPages(0, kind);
}

/** One zeroed frame for `kind`: its number, or 0. */
export function allocZeroedFrame(kind: FrameKind): u32 {
  const frame = allocPages(0, kind);
  if (frame != 0) clearPage(frameToVirt(frame));
  return frame;
}

/** Gives back a block as it was taken; at boot, reserved frames that turn out free. Nothing may refer to it any more. */
export function freePages(frame: u32, order: u32): void {
  const frames: u32 = 1 << order;
  let block = changetype<usize>(Frames.page(frame));
  assert(changetype<Page>(block).order == order, "a block is freed with the order it was allocated with");
  KindCounts.gave(changetype<Page>(block).flags & KIND_MASK, frames);
  const end = block + (frames << PAGE_STRUCT_SHIFT);
  for (let each = block; each < end; each += 1 << PAGE_STRUCT_SHIFT) {
    const page = changetype<Page>(each);
    assert((page.flags & KIND_MASK) != FrameKind.Free, "a frame is freed once");
    page.flags = FrameKind.Free;
    if (poisoning) poison(page);
  }
  freeCount += frames;
  let size = order;
  let first = frame;
  while (size < MAX_ORDER) {
    const buddyFrame = first ^ (1 << size);
    if (buddyFrame >= frameLimit) break;
    const buddy = Frames.page(buddyFrame);
    if ((buddy.flags & PAGE_BUDDY) == 0 || buddy.order != size) break;
    PageList.remove(changetype<usize>(buddy));
    buddy.flags &= ~PAGE_BUDDY;
    first &= buddyFrame;
    size++;
  }
  block = changetype<usize>(Frames.page(first));
  changetype<Page>(block).flags |= PAGE_BUDDY;
  changetype<Page>(block).order = size;
  PageList.push(areaOf(size), block);
}

/** Gives back one frame. */
export function freeFrame(frame: u32): void {
  freePages(frame, 0);
}

/** Zeroes a page by REP STOSD. */
export function clearPage(address: usize): void {
  memory.fill(address, 0, PAGE_BYTES);
}

function poison(page: Page): void {
  memory.fill(Frames.virtual(page), POISON, PAGE_BYTES);
  page.flags |= PAGE_POISONED;
}

function checkPoison(page: Page): void {
  const first = Frames.virtual(page);
  for (let word = first; word < first + PAGE_BYTES; word += 4) {
    if (load<u32>(word) != POISON_WORD) panic(cstr("a free frame was written to"));
  }
}
