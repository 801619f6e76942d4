/**
 * From what the boot loader left to a buddy allocator that owns all free frames: finds how much memory there is and what of it is
 * taken (low memory, the kernel's image, the loader's structures, modules), puts memMap into the first gap that holds it, and frees
 * the rest. May import multiboot.ts, page, pagealloc, kmalloc, rmap, vma.
 *
 *     0        1 MB             image end                                        end of memory, 896 MB at most
 *     │ reserved │ kernel image │ ... module ... │ memMap: 32 bytes a frame │ free                     │
 */
import { cstr } from "../abi/intrinsics";
import { imageEnd } from "../arch/i386/assembly";
import {
  MULTIBOOT_INFO_BYTES,
  MULTIBOOT_MEMORY,
  MultibootInfo,
  MultibootModule,
  multibootCommandLine,
  multibootInfo,
  multibootModule,
  multibootModuleCount,
} from "../arch/i386/multiboot";
import { panic } from "../lib/panic";
import { kmallocInit } from "./kmalloc";
import { DIRECT_MAP_BYTES, PAGE_BYTES, PAGE_OFFSET, PAGE_SHIFT, physToVirt, virtToPhys } from "./layout";
import { lruInit } from "./lru";
import { FrameKind, Frames, frameLimit, PAGE_STRUCT_SHIFT, setMemMap } from "./page";
import { freePages, MAX_ORDER, pageAllocInit } from "./pagealloc";
import { rmapInit } from "./rmap";
import { mmInit } from "./vma";
import { KindCounts } from "./vmstat";

const LOW_MEMORY_END: u32 = 1 << 20;
/** Room for the areas found at boot: pairs of words, first byte and first after it, physical. */
const MAX_AREAS: u32 = 64;
const areas: usize = memory.data(512, 16);
let areaCount: u32 = 0;

/** Takes over memory from the boot loader; `info` is the physical address of its information. Once, at boot, before any allocation. */
export function memoryInit(info: u32): void {
  const boot = multibootInfo(info);
  findAreas(info, boot);
  const frames = countFrames(boot);
  const bytes = frames << PAGE_STRUCT_SHIFT;
  const map = findGap(bytes, frames << PAGE_SHIFT);
  if (map == 0) panic(cstr("no room for the table of frames"));
  addArea(map, map + bytes);
  setMemMap(physToVirt(map), frames);
  pageAllocInit();
  memory.fill(physToVirt(map), 0, bytes);
  KindCounts.took(FrameKind.Reserved, frames);
  for (let frame: u32 = 0; frame < frames; frame++) {
    Frames.page(frame).flags = FrameKind.Reserved;
  }
  freeGaps();
  kmallocInit();
  rmapInit();
  lruInit();
  mmInit();
}

function countFrames(boot: MultibootInfo): u32 {
  assert((boot.flags & MULTIBOOT_MEMORY) != 0, "entry.s has looked for it");
  const kilobytes = min<u32>(boot.upperKilobytes, (DIRECT_MAP_BYTES - LOW_MEMORY_END) >> 10);
  return (LOW_MEMORY_END >> PAGE_SHIFT) + (kilobytes >> (PAGE_SHIFT - 10));
}

/** Notes [start, end) as taken, in whole frames. */
function addArea(start: u32, end: u32): void {
  if (areaCount == MAX_AREAS) panic(cstr("too many boot modules"));
  store<u32>(areas + (areaCount << 3), start & ~PAGE_OFFSET);
  store<u32>(areas + (areaCount << 3), (end + PAGE_OFFSET) & ~PAGE_OFFSET, 4);
  areaCount++;
}

function findAreas(info: u32, boot: MultibootInfo): void {
  addArea(0, LOW_MEMORY_END);
  addArea(LOW_MEMORY_END, virtToPhys(imageEnd()));
  addArea(info, info + MULTIBOOT_INFO_BYTES);
  const line = multibootCommandLine(boot);
  let lineEnd = line;
  while (load<u8>(lineEnd) != 0) lineEnd++;
  addArea(virtToPhys(line), virtToPhys(lineEnd) + 1);
  const count = multibootModuleCount(boot);
  if (count != 0) addArea(boot.modules, boot.modules + count * offsetof<MultibootModule>());
  for (let i: u32 = 0; i < count; i++) {
    const module = multibootModule(boot, i);
    addArea(module.start, module.end);
  }
}

/** End of an area that holds any of [start, end), or 0 if none does. */
function overlap(start: u32, end: u32): u32 {
  for (let i: u32 = 0; i < areaCount; i++) {
    const areaEnd = load<u32>(areas + (i << 3), 4);
    if (load<u32>(areas + (i << 3)) < end && areaEnd > start) return areaEnd;
  }
  return 0;
}

/** The lowest gap between the areas that holds `bytes`: its physical address, or 0. */
function findGap(bytes: u32, limit: u32): u32 {
  let start: u32 = LOW_MEMORY_END;
  let blocked = overlap(start, start + bytes);
  while (blocked != 0) {
    start = blocked;
    blocked = overlap(start, start + bytes);
  }
  return start + bytes <= limit ? start : 0;
}

/** Frees every frame that no area holds, in the largest blocks that fit. */
function freeGaps(): void {
  let address: u32 = LOW_MEMORY_END;
  const end = frameLimit << PAGE_SHIFT;
  while (address < end) {
    const blocked = overlap(address, address + PAGE_BYTES);
    if (blocked != 0) {
      address = blocked;
      continue;
    }
    let order: u32 = 0;
    while (order < MAX_ORDER) {
      const bytes: u32 = PAGE_BYTES << (order + 1);
      if ((address & (bytes - 1)) != 0 || address + bytes > end || overlap(address, address + bytes) != 0) break;
      order++;
    }
    const frame = address >> PAGE_SHIFT;
    const first = Frames.page(frame);
    first.order = order;
    freePages(frame, order);
    address += PAGE_BYTES << order;
  }
}
