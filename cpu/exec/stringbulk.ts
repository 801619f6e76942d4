/**
 * The bulk ways of MOVS, STOS, CMPS and SCAS under REP. May import arith.ts, repeat.ts, stringelement.ts, memory.ts, registers.ts,
 * tlb.ts (its constants), types.
 * Source: Intel SDM volume 2, under each mnemonic and REP.
 */
import type { Cpu } from "../cpu";
import { put16 } from "../memory";
import type { Operation } from "../operation";
import { Register, Word } from "../registers";
import { compare } from "./arith";
import { type Bulk, goesOnWhileZero, hostOffset, mayBulk, room, stepsWithin } from "./repeat";
import { accumulator, load } from "./stringelement";

const EAX = Register.EAX;
const ESI = Register.ESI;
const EDI = Register.EDI;
const PAGE = 4096;
const OFFSET = PAGE - 1;

/** Steps between places in memory. */
interface Run {
  /** Which operands it has: DS:ESI and ES:EDI, or ES:EDI alone; and 1 where it writes the latter. */
  readonly hasSource: boolean;
  readonly writes: 0 | 1;
  /** Does up to `count` steps at host offsets, all but what moves on the index registers, and returns how many. */
  run(cpu: Cpu, op: Operation, from: number, to: number, size: number, count: number): number;
}

/** Bytes left in the page for what the next step accesses first: a page that misses is looked up now, as the step would, and may fault. */
function roomForFirst(cpu: Cpu, linear: number, size: number, bit: number, write: 0 | 1): number {
  const known = room(cpu, linear, bit);
  if (known > 0 || bit === 0 || (linear & OFFSET) > PAGE - size) return known;
  return (cpu.runtime.touch(linear, write) & bit) !== 0 ? PAGE - (linear & OFFSET) : 0;
}

/** Both pages are hits when its steps are done, so that no step could have missed or faulted. */
function inMemory({ hasSource, writes, run }: Run): Bulk {
  return (cpu, op, size) => {
    const { r } = cpu;
    if (!mayBulk(cpu, op)) return 0;
    const bit = writes !== 0 ? r[Word.WriteBit] : r[Word.ReadBit];
    let bytes: number;
    if (!hasSource) bytes = roomForFirst(cpu, r[EDI], size, bit, writes);
    else {
      bytes = roomForFirst(cpu, r[ESI], size, r[Word.ReadBit], 0);
      if (bytes > 0) bytes = Math.min(bytes, room(cpu, r[EDI], bit));
    }
    const most = stepsWithin(cpu, op, size, bytes);
    if (most <= 0) return 0;
    const count = run(cpu, op, hasSource ? hostOffset(cpu, r[ESI]) : 0, hostOffset(cpu, r[EDI]), size, most);
    if (hasSource) r[ESI] += count * size;
    r[EDI] += count * size;
    return count;
  };
}

export const COPY = inMemory({
  hasSource: true,
  writes: 1,
  run(cpu, _op, from, to, size, count) {
    // Upward into its own tail, a copy repeats what it has written: go no further than the gap at a time.
    const steps = to > from ? Math.min(count, Math.floor((to - from) / size)) : count;
    cpu.bytes.copyWithin(to, from, from + steps * size);
    return steps;
  },
});

export const FILL = inMemory({
  hasSource: false,
  writes: 1,
  run(cpu, _op, _from, to, size, count) {
    const value = cpu.r[EAX];
    if (size === 1) cpu.bytes.fill(value, to, to + count);
    else if (size === 4) cpu.runtime.fillWords(to, value, count);
    else for (let i = 0; i < count; i++) put16(cpu, to + i * size, value);
    return count;
  },
});

/** How many elements are alike in two places before the first that is not. */
function alike(cpu: Cpu, from: number, to: number, size: number, count: number): number {
  const { view, bytes } = cpu;
  const length = count * size;
  let i = 0;
  while (i + 4 <= length && view.getInt32(from + i, true) === view.getInt32(to + i, true)) i += 4;
  while (i < length && bytes[from + i] === bytes[to + i]) i++;
  return Math.floor(i / size);
}

export const COMPARE = inMemory({
  hasSource: true,
  writes: 0,
  run(cpu, op, from, to, size, count) {
    let steps = 0;
    if (goesOnWhileZero(op)) steps = alike(cpu, from, to, size, count);
    else while (steps < count && load(cpu, from + steps * size, size) !== load(cpu, to + steps * size, size)) steps++;
    if (steps === 0) return 0;
    const last = (steps - 1) * size;
    compare(cpu.r, load(cpu, from + last, size), load(cpu, to + last, size), 32 - 8 * size);
    return steps;
  },
});

/** How many elements come before the first one of a value. */
function elementsBefore(cpu: Cpu, at: number, size: number, count: number, value: number): number {
  if (size === 1) {
    const index = cpu.bytes.subarray(at, at + count).indexOf(value & 0xff);
    return index < 0 ? count : index;
  }
  let steps = 0;
  while (steps < count && load(cpu, at + steps * size, size) !== value) steps++;
  return steps;
}

export const SCAN = inMemory({
  hasSource: false,
  writes: 0,
  run(cpu, op, _from, to, size, count) {
    const value = accumulator(cpu, size);
    let steps = 0;
    if (!goesOnWhileZero(op)) steps = elementsBefore(cpu, to, size, count, value);
    else while (steps < count && load(cpu, to + steps * size, size) === value) steps++;
    if (steps > 0) compare(cpu.r, value, load(cpu, to + (steps - 1) * size, size), 32 - 8 * size);
    return steps;
  },
});
