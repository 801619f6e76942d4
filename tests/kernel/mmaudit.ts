/**
 * Recomputes the invariants of kernel/mm (design: I1–I6) from raw memory: directories, tables, struct Page, reverse-map chains,
 * free lists, and the TLB of mmworld.ts. Knows only struct layouts (kernel/mm/page.ts and rmap.ts draw them). Throws at the first
 * difference.
 */
import { KERNEL_BASE, PTE, type World } from "./mmworld";

const KIND = { free: 0, reserved: 1, chain: 5, directory: 6, table: 7, data: 8 };
const PAGE_BUDDY = 0x100;
const MM_VMAS = 4;
const VMA = { start: 0, end: 4, flags: 8, next: 12, object: 16 };
const VM_SHARED = 8;
const VM_LOCKED = 0x2000;

function fail(message: string): never {
  throw new Error(`audit: ${message}`);
}

function hex(value: number): string {
  return (value >>> 0).toString(16);
}

/** The mappings of an address space, lowest first. */
export function mappings(world: World, mm: number): { start: number; end: number; flags: number; object: number }[] {
  const found = [];
  for (let vma = world.read(mm + MM_VMAS); vma !== 0; vma = world.read(vma + VMA.next)) {
    found.push({
      start: world.read(vma + VMA.start),
      end: world.read(vma + VMA.end),
      flags: world.read(vma + VMA.flags),
      object: world.read(vma + VMA.object),
    });
  }
  return found;
}

/** The ptes that a frame's reverse map names. */
export function rmapOf(world: World, page: number): number[] {
  const rmap = world.read(page + 8);
  if (rmap === 0) return [];
  if (rmap & 1) return [(rmap & ~1) >>> 0];
  const entries = [];
  let entry = rmap;
  while (entry !== 0) {
    entries.push(world.read(entry));
    entry = (entry & 31) === 4 ? world.read(entry - 4) : entry - 4;
  }
  return entries;
}

/** Checks everything; the current address space may have what it likes in the TLB, as long as the tables grant it. */
export function audit(world: World): void {
  const tables = auditDirectories(world);
  const mapped = auditTables(world, tables);
  auditFrames(world, tables, mapped);
  auditTlb(world);
}

/** I1, I2, I3: the directories against the tables. Returns, for each table frame, the slot descriptions that point at it. */
function auditDirectories(world: World): Map<number, { slot: number; shape: string }> {
  const tables = new Map<
    number,
    { slot: number; shape: string; users: number; writable: boolean; shared: boolean; locked: number }
  >();
  for (const mm of world.spaces) {
    const vmas = mappings(world, mm);
    for (let i = 1; i < vmas.length; i++)
      if (vmas[i - 1].end > vmas[i].start) fail("mappings overlap or are not sorted");
    for (let slot = 0; slot < 768; slot++) {
      const pde = world.read(world.directory(mm) + slot * 4);
      const inside = vmas.filter(({ start, end }) => start < (slot + 1) * 0x400000 && end > slot * 0x400000);
      if (!(pde & 1)) continue;
      if (inside.length === 0) fail(`slot ${slot} has a table and no mapping`);
      const shape = inside
        .map(({ start, end, flags, object }) => {
          const from = Math.max(start, slot * 0x400000);
          return [from, Math.min(end, (slot + 1) * 0x400000), flags & ~0x100, object].map(hex).join();
        })
        .join(" ");
      const shared = inside.every(({ flags }) => flags & VM_SHARED);
      const locked = inside
        .filter(({ flags }) => flags & VM_LOCKED)
        .map(({ start, end }) => Math.min(end, (slot + 1) * 0x400000) - Math.max(start, slot * 0x400000))
        .reduce((sum, bytes) => sum + bytes / 4096, 0);
      const frame = pde >>> 12;
      const known = tables.get(frame);
      if (!known) {
        tables.set(frame, { slot, shape, users: 1, writable: (pde & PTE.write) !== 0, shared, locked });
      } else {
        known.users++;
        known.writable ||= (pde & PTE.write) !== 0;
        if (known.slot !== slot) fail(`I1: a table is in slots ${known.slot} and ${slot}`);
        if (known.shape !== shape) fail(`I3: slot ${slot} is mapped as ${known.shape} and as ${shape}`);
      }
    }
  }
  for (const [frame, table] of tables) {
    const page = world.global("memMap") + frame * 32;
    if (world.read(page + 8) !== table.users) {
      fail(`I1: slot ${table.slot}: users is ${world.read(page + 8)}, ${table.users} directories point there`);
    }
    if (table.users > 1 && table.writable !== table.shared) {
      fail(
        `I2: slot ${table.slot} has ${table.users} users, shared mappings only: ${table.shared}, W: ${table.writable}`,
      );
    }
    if (world.read(page + 24) !== table.locked) {
      fail(`slot ${table.slot}: ${table.locked} pages are locked, ${world.read(page + 24)} counted`);
    }
    if (table.users > 1 && table.locked > 0) fail(`I3: slot ${table.slot} has locked pages and ${table.users} users`);
    if (world.read(page + 20) !== table.slot) fail("a table's slot is wrong");
  }
  return tables;
}

/** I5, and the ptes that map each data frame. */
function auditTables(world: World, tables: Map<number, { slot: number }>): Map<number, number[]> {
  const mapped = new Map<number, number[]>();
  for (const [frame, { slot }] of tables) {
    let present = 0;
    for (let i = 0; i < 1024; i++) {
      const at = KERNEL_BASE + frame * 4096 + i * 4;
      const pte = world.read(at);
      if (!(pte & PTE.mapped)) {
        if (pte !== 0) fail(`a pte of slot ${slot} is neither empty nor mapped`);
        continue;
      }
      present++;
      const list = mapped.get(pte >>> 12);
      if (list) list.push(at);
      else mapped.set(pte >>> 12, [at]);
    }
    const counted = world.read(world.global("memMap") + frame * 32 + 12);
    if (counted !== present) fail(`I5: slot ${slot}: present is ${counted}, ${present} ptes are`);
  }
  return mapped;
}

/** I4, reference counts, kinds and free lists: every frame. */
function auditFrames(world: World, tables: Map<number, unknown>, mapped: Map<number, number[]>): void {
  const memMap = world.global("memMap");
  const limit = world.global("frameLimit");
  const kinds = new Array(10).fill(0);
  let blocks = 0;
  for (let frame = 0; frame < limit; frame++) {
    const page = memMap + frame * 32;
    const flags = world.read(page);
    const kind = flags & 0xff;
    kinds[kind]++;
    if (flags & PAGE_BUDDY) blocks += 1 << world.read(page + 28);
    if (kind === KIND.table && !tables.has(frame)) fail(`table frame ${hex(frame)} is in no directory`);
    if (kind !== KIND.data) {
      if (mapped.has(frame)) fail(`frame ${hex(frame)} of kind ${kind} is mapped`);
      continue;
    }
    const ptes = mapped.get(frame) ?? [];
    const rmap = rmapOf(world, page);
    if (rmap.length !== ptes.length || new Set(rmap).size !== rmap.length || ptes.some((pte) => !rmap.includes(pte))) {
      fail(`I4: frame ${hex(frame)}: rmap ${rmap.map(hex)}, mapped by ${ptes.map(hex)}`);
    }
    if (rmap.length === 1 && !(world.read(page + 8) & 1)) fail("I4: a chain of one entry");
    const owned = world.read(page + 20) !== 0 ? 1 : 0;
    if (world.read(page + 4) !== ptes.length + owned)
      fail(`frame ${hex(frame)} has ${world.read(page + 4)} references`);
  }
  if (kinds[KIND.free] !== world.freeFrames())
    fail(`${kinds[KIND.free]} frames are free, ${world.freeFrames()} counted`);
  if (blocks !== kinds[KIND.free]) fail(`the free lists hold ${blocks} frames of ${kinds[KIND.free]}`);
  if (kinds[KIND.directory] !== world.spaces.size) fail(`${kinds[KIND.directory]} directories`);
  if (kinds[KIND.table] !== tables.size) fail("a table in a directory is no table frame");
  for (let kind = 1; kind < kinds.length; kind++) {
    if (world.kernel.framesOfKind(kind) !== kinds[kind]) fail(`${kinds[kind]} frames of kind ${kind}`);
  }
}

/** I6: what the TLB grants, the tables grant. */
function auditTlb(world: World): void {
  for (const [page, { frame, writable }] of world.tlb) {
    const address = page * 4096;
    const pde = world.read(world.cr3 + KERNEL_BASE + (address >>> 22) * 4);
    const pte = pde & 1 ? world.read(world.pteAddress(pde, address)) : 0;
    if (!(pte & PTE.present) || pte >>> 12 !== frame) fail(`I6: the TLB still maps ${hex(address)}`);
    if (writable && !(pde & pte & PTE.write)) fail(`I6: the TLB still lets write ${hex(address)}`);
  }
}
