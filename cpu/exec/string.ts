/**
 * MOVS STOS LODS CMPS SCAS INS OUTS, alone and under REP. May import arith.ts, ports.ts, operand.ts, memory.ts, debug.ts,
 * eflags.ts, faults.ts, registers.ts, tlb.ts, types.
 *
 * A step is one repetition: it does everything, index registers included, or faults and changes nothing. Under REP each step
 * counts as an instruction and charges its own cycles, and between steps all that holds between instructions holds:
 * deadlines, budgets, interrupts, traps and a lost translation of the running page end the operation with EIP on it again.
 * Runs of MOVS, STOS, CMPS and SCAS within pages are done in bulk; that changes nothing but the time
 * they take. A comparison under REP sets the flags when it ends: at a stop or a fault between, they are what they were before
 * the instruction, as the manual has it for faults, and as the host's processor does it for traps too.
 * Source: Intel SDM volume 2, under each mnemonic and REP.
 */
import type { Cpu } from "../cpu";
import { setResume, watchPort } from "../debug";
import { zero } from "../eflags";
import { faulted } from "../faults";
import { Prefix, Segment } from "../instruction";
import { put8, put16, put32, readAt, writeAt } from "../memory";
import type { Handler, Operation } from "../operation";
import { Attention, Flag, Register, Time, Word } from "../registers";
import { HostTlb } from "../tlb";
import { compare } from "./arith";
import { checkedRead, checkedWrite } from "./operand";
import { portAllowed, retire } from "./ports";

const EAX = Register.EAX;
const ECX = Register.ECX;
const ESI = Register.ESI;
const EDI = Register.EDI;
const DX = Register.EDX << 1;
const PAGE = 4096;
const OFFSET = PAGE - 1;
/** Repetitions of a comparison that are done step by step first: most end early, and looking ahead is worth more than these. */
const ALONE = 4;

/** One repetition; false when it faulted. */
type Step = (cpu: Cpu, op: Operation, size: number) => boolean;

/** Host offset of the source element at (override or DS):[E]SI, or FAULT. */
function sourceAt(cpu: Cpu, op: Operation, size: number): number {
  const { r } = cpu;
  if (op.checked === 0) return readAt(cpu, r[ESI], size);
  return checkedRead(cpu, op.segment, op.addressSize === 2 ? r[ESI] & 0xffff : r[ESI], size);
}

/** Host offset of the destination element at ES:[E]DI, for reading or for writing, or FAULT. */
function destinationRead(cpu: Cpu, op: Operation, size: number): number {
  const { r } = cpu;
  if (op.checked === 0) return readAt(cpu, r[EDI], size);
  return checkedRead(cpu, Segment.ES, op.addressSize === 2 ? r[EDI] & 0xffff : r[EDI], size);
}
function destinationWrite(cpu: Cpu, op: Operation, size: number): number {
  const { r } = cpu;
  if (op.checked === 0) return writeAt(cpu, r[EDI], size);
  return checkedWrite(cpu, Segment.ES, op.addressSize === 2 ? r[EDI] & 0xffff : r[EDI], size);
}

/** Moves an index register on by one element in the direction of DF. */
function advance(cpu: Cpu, op: Operation, register: number, size: number): void {
  const { r, r16 } = cpu;
  const by = (r[Word.Eflags] & Flag.DF) !== 0 ? -size : size;
  if (op.addressSize === 4) r[register] += by;
  else r16[register << 1] += by;
}

/** An element at a host offset, sign-extended. */
function load(cpu: Cpu, at: number, size: number): number {
  if (size === 4) return cpu.view.getInt32(at, true);
  return size === 1 ? cpu.view.getInt8(at) : cpu.view.getInt16(at, true);
}

function store(cpu: Cpu, at: number, size: number, value: number): void {
  if (size === 4) put32(cpu, at, value);
  else if (size === 1) put8(cpu, at, value);
  else put16(cpu, at, value);
}

/** AL, AX or EAX, sign-extended. */
function accumulator(cpu: Cpu, size: number): number {
  if (size === 4) return cpu.r[EAX];
  return size === 1 ? (cpu.r8[EAX] << 24) >> 24 : (cpu.r16[EAX] << 16) >> 16;
}

function setAccumulator(cpu: Cpu, size: number, value: number): void {
  if (size === 4) cpu.r[EAX] = value;
  else if (size === 1) cpu.r8[EAX] = value;
  else cpu.r16[EAX] = value;
}

function movs(cpu: Cpu, op: Operation, size: number): boolean {
  const from = sourceAt(cpu, op, size);
  if (from < 0) return false;
  const value = load(cpu, from, size);
  const to = destinationWrite(cpu, op, size);
  if (to < 0) return false;
  store(cpu, to, size, value);
  advance(cpu, op, ESI, size);
  advance(cpu, op, EDI, size);
  return true;
}

function stos(cpu: Cpu, op: Operation, size: number): boolean {
  const to = destinationWrite(cpu, op, size);
  if (to < 0) return false;
  store(cpu, to, size, accumulator(cpu, size));
  advance(cpu, op, EDI, size);
  return true;
}

function lods(cpu: Cpu, op: Operation, size: number): boolean {
  const from = sourceAt(cpu, op, size);
  if (from < 0) return false;
  setAccumulator(cpu, size, load(cpu, from, size));
  advance(cpu, op, ESI, size);
  return true;
}

function cmps(cpu: Cpu, op: Operation, size: number): boolean {
  const first = sourceAt(cpu, op, size);
  if (first < 0) return false;
  const a = load(cpu, first, size);
  const second = destinationRead(cpu, op, size);
  if (second < 0) return false;
  compare(cpu.r, a, load(cpu, second, size), 32 - 8 * size);
  advance(cpu, op, ESI, size);
  advance(cpu, op, EDI, size);
  return true;
}

function scas(cpu: Cpu, op: Operation, size: number): boolean {
  const at = destinationRead(cpu, op, size);
  if (at < 0) return false;
  compare(cpu.r, accumulator(cpu, size), load(cpu, at, size), 32 - 8 * size);
  advance(cpu, op, EDI, size);
  return true;
}

function ins(cpu: Cpu, op: Operation, size: number): boolean {
  const port = cpu.r16[DX];
  if (!portAllowed(cpu, port, size)) return false;
  const to = destinationWrite(cpu, op, size);
  if (to < 0) return false;
  store(cpu, to, size, cpu.bus.read(port, size as 1 | 2 | 4));
  watchPort(cpu, port, size);
  advance(cpu, op, EDI, size);
  return true;
}

function outs(cpu: Cpu, op: Operation, size: number): boolean {
  const port = cpu.r16[DX];
  if (!portAllowed(cpu, port, size)) return false;
  const from = sourceAt(cpu, op, size);
  if (from < 0) return false;
  const value = load(cpu, from, size);
  cpu.bus.write(port, size as 1 | 2 | 4, size === 4 ? value >>> 0 : value & ((1 << (8 * size)) - 1));
  watchPort(cpu, port, size);
  advance(cpu, op, ESI, size);
  return true;
}

/** The repetition count: ECX or CX, unsigned. */
function countOf(cpu: Cpu, op: Operation): number {
  return op.addressSize === 4 ? cpu.r[ECX] >>> 0 : cpu.r16[ECX << 1];
}

function countDown(cpu: Cpu, op: Operation, by: number): void {
  if (op.addressSize === 4) cpu.r[ECX] -= by;
  else cpu.r16[ECX << 1] -= by;
}

/** Whether something wants to be seen to before the next repetition. */
function interrupted(cpu: Cpu): boolean {
  const { r, time } = cpu;
  if (r[Word.Event] !== 0) return true;
  const wanted =
    Attention.Stop | Attention.Trap | Attention.Nmi | ((r[Word.Eflags] & Flag.IF) !== 0 ? Attention.Interrupt : 0);
  if ((r[Word.Attention] & wanted) !== 0) return true;
  return time[Time.Cycles] >= time[Time.Deadline] || time[Time.Instret] >= time[Time.Limit];
}

/** CMPS and SCAS under REP go on while ZF is set, under REPNE while it is clear. */
function goesOnWhileZero(op: Operation): boolean {
  return (op.prefixes & Prefix.Rep) !== 0;
}

/** Makes the flags what they were before a comparison, which leaves all of them lazy and those in Word.Eflags alone. */
function restoreFlags(r: Int32Array, lazy: number, a: number, b: number, result: number): void {
  r[Word.Lazy] = lazy;
  r[Word.LazyA] = a;
  r[Word.LazyB] = b;
  r[Word.LazyResult] = result;
}

/** Repeats a step, `compares` when ZF can end it early. */
function repeat(cpu: Cpu, op: Operation, size: number, step: Step, bulk: Bulk | null, compares: boolean): void {
  const { r, time } = cpu;
  if (countOf(cpu, op) === 0) {
    retire(cpu, op);
    return;
  }
  const whileZero = goesOnWhileZero(op);
  const [lazy, lazyA, lazyB, lazyResult] = [r[Word.Lazy], r[Word.LazyA], r[Word.LazyB], r[Word.LazyResult]];
  let alone = compares ? ALONE : 0;
  for (;;) {
    // Compiled code may have lost the running page's translation on the way here: then one step, and out.
    const many = alone > 0 || bulk === null || r[Word.Event] !== 0 ? 0 : bulkSteps(cpu, op, size, bulk);
    if (many > 0) {
      // Behind them comes the one that ends it, or another page.
      if (compares) alone = 1;
      countDown(cpu, op, many);
      time[Time.Instret] += many;
      time[Time.Cycles] += many * op.repetition;
    } else {
      if (faulted(cpu) || !step(cpu, op, size)) {
        if (compares) restoreFlags(r, lazy, lazyA, lazyB, lazyResult);
        return;
      }
      alone--;
      countDown(cpu, op, 1);
      time[Time.Instret] += 1;
      time[Time.Cycles] += op.repetition;
    }
    if (countOf(cpu, op) === 0 || (compares && zero(r) !== whileZero)) {
      time[Time.Cycles] += op.cycles;
      return;
    }
    if (interrupted(cpu)) {
      r[Word.Eip] -= op.length;
      // Breakpoints on it do not count again, and what interrupts it pushes RF.
      setResume(cpu);
      if (compares) restoreFlags(r, lazy, lazyA, lazyB, lazyResult);
      return;
    }
  }
}

/**
 * Does up to `count` steps at once at host offsets, all but what moves on the index registers and the count, and returns how
 * many: a comparison none that could be the last.
 */
interface Bulk {
  /** Which operands it has: DS:ESI, or ES:EDI alone; and 1 where it writes the latter. */
  readonly hasSource: boolean;
  readonly writes: 0 | 1;
  run(cpu: Cpu, op: Operation, from: number, to: number, size: number, count: number): number;
}

/** Bytes that are left in the page of an address, or 0 when the host TLB does not grant the access. */
function room(cpu: Cpu, linear: number, bit: number): number {
  return (cpu.hostTlb[linear >>> 12] & bit) !== 0 ? PAGE - (linear & OFFSET) : 0;
}

/** The same for what the next step accesses first: a page that misses is looked up now, as the step would, and may fault. */
function roomForFirst(cpu: Cpu, linear: number, size: number, bit: number, write: 0 | 1): number {
  const known = room(cpu, linear, bit);
  if (known > 0 || bit === 0 || (linear & OFFSET) > PAGE - size) return known;
  return (cpu.runtime.touch(linear, write) & bit) !== 0 ? PAGE - (linear & OFFSET) : 0;
}

function hostOffset(cpu: Cpu, linear: number): number {
  return (cpu.hostTlb[linear >>> 12] & HostTlb.Frame) | (linear & OFFSET);
}

/**
 * Does as many steps as stay within the pages of source and destination, the deadline and the budget, and returns their
 * number; 0 when it must be done step by step, or has faulted. Only flat and upward, and only where both pages are hits then, so
 * that no step could have missed or faulted.
 */
function bulkSteps(cpu: Cpu, op: Operation, size: number, bulk: Bulk): number {
  const { r, time } = cpu;
  if (op.checked !== 0 || (r[Word.Eflags] & Flag.DF) !== 0 || (r[Word.Attention] & Attention.Trap) !== 0) return 0;
  const bit = bulk.writes !== 0 ? r[Word.WriteBit] : r[Word.ReadBit];
  let bytes: number;
  if (!bulk.hasSource) bytes = roomForFirst(cpu, r[EDI], size, bit, bulk.writes);
  else {
    bytes = roomForFirst(cpu, r[ESI], size, r[Word.ReadBit], 0);
    if (bytes > 0) bytes = Math.min(bytes, room(cpu, r[EDI], bit));
  }
  const most = Math.min(
    Math.floor(bytes / size),
    countOf(cpu, op),
    Math.ceil((time[Time.Deadline] - time[Time.Cycles]) / op.repetition),
    time[Time.Limit] - time[Time.Instret],
  );
  if (most <= 0) return 0;
  const count = bulk.run(cpu, op, bulk.hasSource ? hostOffset(cpu, r[ESI]) : 0, hostOffset(cpu, r[EDI]), size, most);
  if (bulk.hasSource) r[ESI] += count * size;
  r[EDI] += count * size;
  return count;
}

const COPY: Bulk = {
  hasSource: true,
  writes: 1,
  run(cpu, _op, from, to, size, count) {
    // Upward into its own tail, a copy repeats what it has written: go no further than the gap at a time.
    const steps = to > from ? Math.min(count, Math.floor((to - from) / size)) : count;
    cpu.bytes.copyWithin(to, from, from + steps * size);
    return steps;
  },
};

const FILL: Bulk = {
  hasSource: false,
  writes: 1,
  run(cpu, _op, _from, to, size, count) {
    const value = cpu.r[EAX];
    if (size === 1) cpu.bytes.fill(value, to, to + count);
    else if (size === 4) cpu.runtime.fillWords(to, value, count);
    else for (let i = 0; i < count; i++) put16(cpu, to + i * size, value);
    return count;
  },
};

/** How many elements are alike in two places before the first that is not. */
function alike(cpu: Cpu, from: number, to: number, size: number, count: number): number {
  const { view, bytes } = cpu;
  const length = count * size;
  let i = 0;
  while (i + 4 <= length && view.getInt32(from + i, true) === view.getInt32(to + i, true)) i += 4;
  while (i < length && bytes[from + i] === bytes[to + i]) i++;
  return Math.floor(i / size);
}

const COMPARE: Bulk = {
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
};

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

const SCAN: Bulk = {
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
};

/** The handlers of a string instruction: bytes, words and doublewords, alone and repeated. */
function forms(
  name: string,
  operands: (size: number) => string,
  step: Step,
  {
    bulk = null,
    compares = false,
    charges = false,
  }: { bulk?: Bulk | null; compares?: boolean; charges?: boolean } = {},
): [string, Handler][] {
  return [1, 2, 4].flatMap((size): [string, Handler][] => {
    const key = `${name}${size === 1 ? "b" : size === 2 ? "w" : "d"} ${operands(size)}`;
    return [
      [
        key,
        (cpu, op) => {
          if (step(cpu, op, size) && charges) retire(cpu, op);
        },
      ],
      [
        `rep ${key}`,
        (cpu, op) => {
          // INS and OUTS need their port even when they do nothing.
          if (!charges || portAllowed(cpu, cpu.r16[DX], size)) repeat(cpu, op, size, step, bulk, compares);
        },
      ],
    ];
  });
}

export const STRINGS: Readonly<Record<string, Handler>> = Object.fromEntries([
  ...forms("movs", (size) => `y${size} x${size}`, movs, { bulk: COPY }),
  ...forms("stos", (size) => `y${size} r${size}`, stos, { bulk: FILL }),
  ...forms("lods", (size) => `r${size} x${size}`, lods),
  ...forms("cmps", (size) => `x${size} y${size}`, cmps, { bulk: COMPARE, compares: true }),
  ...forms("scas", (size) => `r${size} y${size}`, scas, { bulk: SCAN, compares: true }),
  ...forms("ins", (size) => `y${size} r2`, ins, { charges: true }),
  ...forms("outs", (size) => `r2 x${size}`, outs, { charges: true }),
]);
