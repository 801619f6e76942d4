/**
 * Linear to physical: the charged TLB, the two-level walk behind it with its accessed and dirty bits, the rights of both
 * levels, page faults, and every flush. Only slow paths come here; memory.ts has the fast one.
 * May import registers.ts, tlb.ts, faults.ts, seam.ts, and the type of the processor.
 *
 * Rules: with paging on, an access hits when the charged TLB holds its page, whatever the tables in memory say now. A write
 * through an entry whose page was clean walks again. A page fault drops the entries of its own page, as the manual demands.
 * An access that fails its rights leaves the accessed bits alone. A walk that runs beyond RAM reads all ones.
 * Source: Intel SDM volume 3, sections 4.3 (32-bit paging), 4.6 (rights), 4.7 (page faults), 4.8 (A and D), 4.10 (TLBs).
 */
import type { Cpu } from "./cpu";
import { raise, Vector } from "./faults";
import { Attention, Cr0, Cr4, Event, Flag, Layout, Time, Word } from "./registers";
import { CpuEvent } from "./seam";
import { Entry, HostTlb } from "./tlb";

/** Bits of directory and table entries. */
const enum Pte {
  Present = 1,
  Writable = 2,
  User = 4,
  Accessed = 0x20,
  Dirty = 0x40,
  Large = 0x80,
  Global = 0x100,
  /** Reserved in an entry for a 4 MB page: neither PSE-36 nor PAT is there. */
  LargeReserved = 0x3ff000,
}

/** Bits of a page fault's error code. */
const enum PageFaultCode {
  Protection = 1,
  Write = 2,
  User = 4,
  Reserved = 8,
}

const PAGE_MASK = 0xfffff000 | 0;
const LARGE_MASK = 0xffc00000 | 0;

/** What pageOf returns for a page fault; no page address has low bits. */
export const NO_PAGE = -1;

const A20 = 0x100000;
const MEGABYTE_MASK = 0xfffff;

/**
 * A physical address as the board sees it: with A20 held low bit 20 is gone, and where the ROM is decoded twice its upper
 * copy is the lower one. TLB entries hold addresses of before, so that A20 may change under them.
 */
function onBoard(r: Int32Array, address: number): number {
  const held = address & ~r[Word.HeldLow];
  const rom = r[Word.Rom];
  return rom !== 0 && held >>> 0 >= (rom & ~r[Word.HeldLow]) >>> 0 ? held & MEGABYTE_MASK : held;
}

/** Whether a physical address, as onBoard gives it, is in ROM: writes there change nothing. */
export function isRom(r: Int32Array, address: number): boolean {
  return r[Word.Rom] !== 0 && address >= (r[Word.Rom] & MEGABYTE_MASK) && address <= MEGABYTE_MASK;
}

/** Reads a 32-bit word of physical memory, aligned; all ones beyond RAM. */
function readPhysical(cpu: Cpu, address: number): number {
  const at = onBoard(cpu.r, address) >>> 0;
  return at < cpu.memoryBytes ? cpu.view.getInt32(Layout.Ram + at, true) : -1;
}

/** Writes it. Tables may hold decoded code too. */
function writePhysical(cpu: Cpu, address: number, value: number): void {
  const at = onBoard(cpu.r, address) >>> 0;
  if (at >= cpu.memoryBytes || isRom(cpu.r, at)) return;
  if (cpu.blocks.isCode(at >>> 12)) cpu.blocks.invalidate(at, 4);
  cpu.view.setInt32(Layout.Ram + at, value, true);
}

/** Whether rights (the user and writable bits of both levels) allow an access. */
function allowed(r: Int32Array, writable: boolean, user: boolean, write: number, byUser: number): boolean {
  if (byUser !== 0) return user && (write === 0 || writable);
  return write === 0 || writable || (r[Word.Cr0] & Cr0.WP) === 0;
}

/**
 * Physical address of the page behind a linear address (int32, low 12 bits zero), or NO_PAGE with a page fault raised.
 * `write` and `byUser` are 0 or 1. Charges the walk where there is one, and makes the host TLB's entry.
 */
export function pageOf(cpu: Cpu, linear: number, write: number, byUser: number): number {
  const { r, tlb } = cpu;
  if ((r[Word.Cr0] & Cr0.PG) === 0) {
    const page = onBoard(r, linear & PAGE_MASK);
    makeHostEntry(cpu, linear, page, Entry.Writable | Entry.User | Entry.Dirty, -1);
    return page;
  }
  let slot = tlb.findSmall(linear);
  const large = slot < 0;
  if (large) slot = tlb.findLarge(linear);
  if (slot < 0) return walk(cpu, linear, write, byUser);
  const entry = large ? tlb.largeEntries[slot] : tlb.smallEntries[slot];
  if (!allowed(r, (entry & Entry.Writable) !== 0, (entry & Entry.User) !== 0, write, byUser)) {
    return pageFault(cpu, linear, PageFaultCode.Protection, write, byUser);
  }
  if (write !== 0 && (entry & Entry.Dirty) === 0) {
    invalidatePage(cpu, linear);
    return walk(cpu, linear, write, byUser);
  }
  const page = onBoard(r, large ? (entry & LARGE_MASK) | (linear & ~LARGE_MASK & PAGE_MASK) : entry & Entry.Frame);
  makeHostEntry(cpu, linear, page, entry, large ? slot : -1);
  return page;
}

/** Walks the tables, sets accessed and dirty bits, fills the TLB. As pageOf. */
function walk(cpu: Cpu, linear: number, write: number, byUser: number): number {
  const { r, tlb, time, costs } = cpu;
  const globals = (r[Word.Cr4] & Cr4.PGE) !== 0 ? Pte.Global : 0;
  const pdeAddress = (r[Word.Cr3] & PAGE_MASK) | ((linear >>> 22) << 2);
  time[Time.Cycles] += costs.walkRead;
  const pde = readPhysical(cpu, pdeAddress);
  if ((pde & Pte.Present) === 0) return pageFault(cpu, linear, 0, write, byUser);

  if ((pde & Pte.Large) !== 0 && (r[Word.Cr4] & Cr4.PSE) !== 0) {
    if ((pde & Pte.LargeReserved) !== 0) {
      return pageFault(cpu, linear, PageFaultCode.Protection | PageFaultCode.Reserved, write, byUser);
    }
    if (!allowed(r, (pde & Pte.Writable) !== 0, (pde & Pte.User) !== 0, write, byUser)) {
      return pageFault(cpu, linear, PageFaultCode.Protection, write, byUser);
    }
    const marked = setBits(cpu, pdeAddress, pde, write !== 0 ? Pte.Accessed | Pte.Dirty : Pte.Accessed);
    const entry = (marked & LARGE_MASK) | entryBits(pde & marked, marked, globals);
    const slot = tlb.chooseLarge(linear);
    forgetLarge(cpu, slot);
    tlb.setLarge(slot, linear, entry);
    const page = onBoard(r, (entry & LARGE_MASK) | (linear & ~LARGE_MASK & PAGE_MASK));
    makeHostEntry(cpu, linear, page, entry, slot);
    return page;
  }

  const pteAddress = (pde & PAGE_MASK) | ((linear >>> 10) & 0xffc);
  time[Time.Cycles] += costs.walkRead;
  const pte = readPhysical(cpu, pteAddress);
  if ((pte & Pte.Present) === 0) return pageFault(cpu, linear, 0, write, byUser);
  const rights = pde & pte;
  if (!allowed(r, (rights & Pte.Writable) !== 0, (rights & Pte.User) !== 0, write, byUser)) {
    return pageFault(cpu, linear, PageFaultCode.Protection, write, byUser);
  }
  setBits(cpu, pdeAddress, pde, Pte.Accessed);
  const marked = setBits(cpu, pteAddress, pte, write !== 0 ? Pte.Accessed | Pte.Dirty : Pte.Accessed);
  const entry = (marked & PAGE_MASK) | entryBits(rights, marked, globals);
  const slot = tlb.chooseSmall(linear);
  forgetSmall(cpu, slot);
  tlb.setSmall(slot, linear, entry);
  const page = onBoard(r, entry & Entry.Frame);
  makeHostEntry(cpu, linear, page, entry, -1);
  return page;
}

function entryBits(rights: number, marked: number, globals: number): number {
  return (
    ((rights & Pte.Writable) !== 0 ? Entry.Writable : 0) |
    ((rights & Pte.User) !== 0 ? Entry.User : 0) |
    ((marked & Pte.Dirty) !== 0 ? Entry.Dirty : 0) |
    ((marked & globals) !== 0 ? Entry.Global : 0)
  );
}

/** Sets accessed and dirty bits in memory where they are clear; returns the entry with them. */
function setBits(cpu: Cpu, address: number, entry: number, bits: number): number {
  if ((entry & bits) === bits) return entry;
  cpu.time[Time.Cycles] += cpu.costs.walkUpdate;
  writePhysical(cpu, address, entry | bits);
  return entry | bits;
}

/**
 * Gives the host TLB what a translation allows without looking again: no entry for pages beyond RAM, no write to a clean
 * page, to one that holds decoded code or to ROM. `largeSlot` is the 4 MB slot that it comes from, or -1.
 */
function makeHostEntry(cpu: Cpu, linear: number, page: number, entry: number, largeSlot: number): void {
  const { hostTlb, r } = cpu;
  if (page >>> 0 >= cpu.memoryBytes) return;
  let bits = HostTlb.SupervisorRead as number;
  const user = (entry & Entry.User) !== 0;
  if (user) bits |= HostTlb.UserRead;
  if ((entry & Entry.Dirty) !== 0 && !cpu.blocks.isCode(page >>> 12) && !isRom(r, page)) {
    const writable = (entry & Entry.Writable) !== 0;
    if (writable || (r[Word.Cr0] & Cr0.WP) === 0) bits |= HostTlb.SupervisorWrite;
    if (writable && user) bits |= HostTlb.UserWrite;
  }
  const index = linear >>> 12;
  if (largeSlot >= 0 && hostTlb[index] === 0) cpu.tlb.touch(largeSlot, linear);
  hostTlb[index] = (Layout.Ram + page) | bits;
}

/**
 * Fills the host TLB for an access at the present privilege level and returns its entry; 0 when the access faults (which is
 * raised) or when the running code must look up after it.
 */
export function fillHostTlb(cpu: Cpu, linear: number, write: number): number {
  const { r } = cpu;
  pageOf(cpu, linear, write, r[Word.Cpl] === 3 ? 1 : 0);
  return r[Word.Event] === 0 ? cpu.hostTlb[linear >>> 12] : 0;
}

function pageFault(cpu: Cpu, linear: number, code: number, write: number, byUser: number): number {
  const { r } = cpu;
  const errorCode = code | (write !== 0 ? PageFaultCode.Write : 0) | (byUser !== 0 ? PageFaultCode.User : 0);
  invalidatePage(cpu, linear);
  r[Word.Cr2] = linear;
  raise(cpu, Vector.PageFault, errorCode);
  return NO_PAGE;
}

/** The running code's page may have lost its translation: the next instruction's fetch must look again. */
export function forgetFetch(cpu: Cpu): void {
  cpu.r[Word.FetchPage] = -1;
  cpu.r[Word.Event] |= Event.Leave;
}

/** Empties a 4 KB slot. */
function forgetSmall(cpu: Cpu, slot: number): void {
  const { tlb } = cpu;
  if (tlb.smallTags[slot] < 0) return;
  if (tlb.smallTags[slot] === cpu.r[Word.FetchPage]) forgetFetch(cpu);
  tlb.emptySmall(slot, cpu.hostTlb);
}

/** Empties a 4 MB slot. */
function forgetLarge(cpu: Cpu, slot: number): void {
  const { tlb } = cpu;
  if (tlb.largeTags[slot] < 0) return;
  if (tlb.largeTags[slot] === cpu.r[Word.FetchPage] >>> 10) forgetFetch(cpu);
  tlb.emptyLarge(slot, cpu.hostTlb);
}

/** Drops what the TLB holds for the page of a linear address, global or not: INVLPG without its event. */
export function invalidatePage(cpu: Cpu, linear: number): void {
  const small = cpu.tlb.findSmall(linear);
  if (small >= 0) forgetSmall(cpu, small);
  const large = cpu.tlb.findLarge(linear);
  if (large >= 0) forgetLarge(cpu, large);
}

/** Drops all TLB entries, or all but the global ones. */
export function flushTlb(cpu: Cpu, keepGlobal: boolean): void {
  cpu.tlb.flush(cpu.hostTlb, keepGlobal);
  forgetFetch(cpu);
  if (cpu.listener !== null) cpu.listener(CpuEvent.TlbFlush, keepGlobal ? 0 : 1, 0);
}

/** Drops the host TLB's entries and the known fetch page, and nothing that the guest can see. */
export function flushHostTlb(cpu: Cpu): void {
  if ((cpu.r[Word.Cr0] & Cr0.PG) !== 0) cpu.tlb.dropHost(cpu.hostTlb);
  else cpu.hostTlb.fill(0);
  forgetFetch(cpu);
}

/** Takes the right to write a frame of RAM from all host-TLB entries: it holds decoded code from now on. */
export function denyWrites(cpu: Cpu, frame: number): void {
  const { hostTlb } = cpu;
  if ((cpu.r[Word.Cr0] & Cr0.PG) !== 0) cpu.tlb.denyWrites(hostTlb, (Layout.Ram + (frame << 12)) | 0);
  else denyIdentity(cpu, frame);
}

/** Without paging a frame has its own linear page, and those that the board turns into it. */
function denyIdentity(cpu: Cpu, frame: number): void {
  const { hostTlb, r } = cpu;
  const writes = HostTlb.SupervisorWrite | HostTlb.UserWrite;
  hostTlb[frame] &= ~writes;
  if (r[Word.HeldLow] !== 0) hostTlb[frame | (r[Word.HeldLow] >>> 12)] &= ~writes;
  if (r[Word.Rom] !== 0 && frame <= MEGABYTE_MASK >> 12) {
    const top = frame | 0xfff00;
    hostTlb[top] &= ~writes;
    hostTlb[top & ~(r[Word.HeldLow] >>> 12)] &= ~writes;
  }
}

/** Sets the level of A20: with 0, bit 20 of every physical address is 0. */
export function setA20(cpu: Cpu, level: number): void {
  flushHostTlb(cpu);
  cpu.r[Word.HeldLow] = level !== 0 ? 0 : A20;
}

/** Whether accesses must be aligned now. */
export function alignmentChecked(r: Int32Array): boolean {
  return r[Word.Cpl] === 3 && (r[Word.Eflags] & Flag.AC) !== 0 && (r[Word.Cr0] & Cr0.AM) !== 0;
}

/**
 * Decides which bits of a host entry plain accesses need now. With alignment checking on, or a breakpoint enabled, there is no
 * such bit, so that every access takes the slow path, which looks. Called when CPL, EFLAGS.AC, CR0.AM or DR7 may have changed.
 */
export function refreshAccess(cpu: Cpu): void {
  const { r } = cpu;
  const user = r[Word.Cpl] === 3;
  const slow = alignmentChecked(r) || (r[Word.Attention] & Attention.Breakpoints) !== 0;
  r[Word.ReadBit] = slow ? 0 : user ? HostTlb.UserRead : HostTlb.SupervisorRead;
  r[Word.WriteBit] = slow ? 0 : user ? HostTlb.UserWrite : HostTlb.SupervisorWrite;
}

/** Loads CR0, CR2, CR3 or CR4 and does all that follows from it; checks nothing and charges nothing. */
export function setControlWords(cpu: Cpu, register: number, value: number): void {
  const { r } = cpu;
  switch (register) {
    case 0: {
      const changed = r[Word.Cr0] ^ value;
      const wasPaged = (r[Word.Cr0] & Cr0.PG) !== 0;
      if ((changed & Cr0.WP) !== 0) flushHostTlb(cpu);
      r[Word.Cr0] = value;
      if ((changed & (Cr0.PG | Cr0.PE)) !== 0) {
        if (!wasPaged) cpu.hostTlb.fill(0);
        flushTlb(cpu, false);
      }
      refreshAccess(cpu);
      break;
    }
    case 2:
      r[Word.Cr2] = value;
      break;
    case 3:
      r[Word.Cr3] = value;
      if (cpu.listener !== null) cpu.listener(CpuEvent.Cr3Load, value >>> 0, 0);
      flushTlb(cpu, true);
      break;
    default: {
      const changed = r[Word.Cr4] ^ value;
      r[Word.Cr4] = value;
      if ((changed & (Cr4.PSE | Cr4.PGE)) !== 0) flushTlb(cpu, false);
    }
  }
}

/** Physical address by the tables alone, without a trace; -1 when not present. Linear is physical while paging is off. */
export function walkTables(cpu: Cpu, linear: number, directory: number): number {
  if ((cpu.r[Word.Cr0] & Cr0.PG) === 0) return onBoard(cpu.r, linear) >>> 0;
  const pde = readPhysical(cpu, (directory & PAGE_MASK) | ((linear >>> 22) << 2));
  if ((pde & Pte.Present) === 0) return -1;
  if ((pde & Pte.Large) !== 0 && (cpu.r[Word.Cr4] & Cr4.PSE) !== 0) {
    return onBoard(cpu.r, (pde & LARGE_MASK) | (linear & ~LARGE_MASK)) >>> 0;
  }
  const pte = readPhysical(cpu, (pde & PAGE_MASK) | ((linear >>> 10) & 0xffc));
  if ((pte & Pte.Present) === 0) return -1;
  return onBoard(cpu.r, (pte & PAGE_MASK) | (linear & 0xfff)) >>> 0;
}
