/**
 * Cases of one far transfer or one load of a segment register, from every ring, to descriptors that each case makes for itself: every
 * type, level and state, gates with sound and unsound code segments, stacks of
 * inner and outer rings. What tests/cpu/faults/systemtransfers and systemsegments say by hand, QEMU is asked here.
 * Targets are within their limits (deviations.ts). No task switch can come of it (tests/cpu/tasks). May import cpu/, builder.ts, layout.ts. All from the seed.
 */
import { imm, mem, sreg } from "../../../cpu/encoder";
import { Segment } from "../../../cpu/instruction";
import type { Random } from "../../fuzz/random";
import {
  AX,
  anySelector,
  Builder,
  descriptor,
  EAX,
  ECX,
  ESP,
  FLAT,
  gate,
  type Ring0Case,
  TASK_TYPES,
  type Tables,
} from "./builder";
import * as l from "./layout";

const PRESENT = 0x80;
/** Within the flat segments, and where a stack pointer of 16 bits leads. */
const OUTER_STACK = l.USER_STACK - 0x200;
/** Access bytes of gates that interrupts go through; one is not present. */
const GATES = [0x8e, 0x8f, 0x86, 0xee, 0xef, 0xe6, 0xe7, 0x0e];
/** The vectors of those that every ring may use: first and number. */
const [OPEN_GATES, OPEN_COUNT] = [6, 8];

/** IDT entries of the transfer vectors, two words each. */
export function transferGates(random: Random): number[] {
  return Array.from({ length: l.TRANSFER_VECTORS }, (_, i) => {
    const selector = i % 4 === 3 ? anySelector(random) : l.TARGET | random.below(4);
    return gate(selector, l.END, GATES[i >> 1], 0);
  }).flat();
}

function present(random: Random): number {
  return random.oneIn(6) ? 0 : PRESENT;
}

/** A code segment, accessed; END is within its limit. */
function code(random: Random, level: number): [number, number] {
  const access = present(random) | (level << 5) | 0x19 | (random.below(4) << 1);
  const wide = random.oneIn(4) ? 0 : 4;
  if (random.oneIn(4)) return descriptor(0, 0xffff, access, wide);
  return descriptor(0, FLAT, access, wide | 8);
}

/** A data segment, accessed; one that grows down holds everything but its first byte. */
function data(random: Random, level: number): [number, number] {
  const type = random.pick([1, 3, 3, 3, 5, 7]);
  const access = present(random) | (level << 5) | 0x10 | type;
  return type >= 4 ? descriptor(0, 0, access, 4) : descriptor(0, FLAT, access, 0xc);
}

/** A system segment or gate that is no call gate; a TSS or a task gate is not present. */
function system(random: Random, level: number): [number, number] {
  const type = random.below(16);
  const there = TASK_TYPES.includes(type) ? 0 : present(random);
  return descriptor(l.LDT, 8 * l.LDT_ENTRIES - 1, there | (level << 5) | type, 0);
}

function selectorOf(random: Random, own: number): number {
  return random.oneIn(12) ? random.pick([0, 3, 8 * l.GDT_ENTRIES, (8 * l.LDT_ENTRIES) | 4]) : own | random.below(4);
}

/** A level, more often the case's own, or the kernel's. */
function levelOf(random: Random, ring: number): number {
  return random.pick([ring, ring, 0, random.below(4)]);
}

function poke(b: Builder, selector: number, [low, high]: readonly [number, number]): void {
  b.made.pokes.push([l.GDT + selector, low], [l.GDT + selector + 4, high]);
}

/** Makes SUBJECT for a transfer, and behind a gate TARGET. */
function makeSubject(b: Builder, jumps: boolean): void {
  const { random, made } = b;
  const kind = random.below(8);
  if (kind === 0) poke(b, l.SUBJECT, data(random, levelOf(random, made.ring)));
  else if (kind === 1) poke(b, l.SUBJECT, system(random, levelOf(random, made.ring)));
  else if (kind < 4) poke(b, l.SUBJECT, code(random, levelOf(random, made.ring)));
  else {
    made.callsGate = !jumps;
    made.jumps = jumps;
    const access = present(random) | (random.pick([made.ring, 3, random.below(4)]) << 5) | random.pick([12, 12, 4]);
    poke(b, l.SUBJECT, gate(selectorOf(random, l.TARGET), l.END, access, random.below(4)));
    makeTarget(b);
  }
}

/** Makes TARGET, the code segment behind a gate, and now and then the stack of an inner ring. */
function makeTarget(b: Builder): void {
  const { random, made } = b;
  const level = random.pick([0, random.below(4), Math.max(0, made.ring - 1), made.ring]);
  poke(b, l.TARGET, random.oneIn(6) ? data(random, level) : code(random, level));
  if (level === 0 || level === 3 || random.oneIn(4)) return;
  poke(b, l.OWN_STACK, data(random, random.oneIn(2) ? random.below(4) : level));
  const stack = random.oneIn(4) ? selectorOf(random, l.OWN_STACK) : l.OWN_STACK | level;
  made.pokes.push([l.TSS + 8 + 8 * level, stack]);
}

/** Pushes words in the operand size of what pops them. */
function push(b: Builder, wide: boolean, ...values: number[]): void {
  for (const value of values) {
    if (wide) b.op("push", [imm(value)], { operandSize: 4 });
    else b.bytes(0x66, 0x68, value & 0xff, (value >>> 8) & 0xff);
  }
}

/** A return's SS, ESP, flags where there are any, CS and EIP; SUBJECT is the code segment, OWN_STACK the stack. */
function makeReturn(b: Builder, flags?: number): boolean {
  const { random, made } = b;
  const wide = !random.oneIn(4);
  const rpl = random.pick([made.ring, 3, random.below(4)]);
  const selector = random.oneIn(5) ? selectorOf(random, l.SUBJECT) : l.SUBJECT | rpl;
  const level = random.oneIn(4) ? random.below(4) : rpl;
  const kind = random.below(8);
  poke(b, l.SUBJECT, kind === 0 ? data(random, level) : kind === 1 ? system(random, level) : code(random, level));
  poke(b, l.OWN_STACK, data(random, random.oneIn(5) ? random.below(4) : rpl));
  push(b, wide, random.oneIn(5) ? selectorOf(random, l.OWN_STACK) : l.OWN_STACK | rpl, OUTER_STACK);
  push(b, wide, ...(flags === undefined ? [] : [flags]), selector, l.END);
  return wide;
}

type Template = (b: Builder) => void;

const LOADED = [Segment.ES, Segment.DS, Segment.FS, Segment.GS, Segment.SS];

/** Makes SUBJECT for a load of a segment register; gives the selector. */
function makeLoaded(b: Builder): number {
  const { random, made } = b;
  const level = levelOf(random, made.ring);
  const kind = random.below(6);
  poke(b, l.SUBJECT, kind === 0 ? system(random, level) : kind === 1 ? code(random, level) : data(random, level));
  return selectorOf(random, l.SUBJECT);
}

const TEMPLATES: readonly Template[] = [
  ...["call", "jmp"].flatMap((name): Template[] => [
    (b) => {
      makeSubject(b, name === "jmp");
      b.op(name, [{ kind: "far", selector: selectorOf(b.random, l.SUBJECT), offset: l.END }]);
    },
    (b) => {
      makeSubject(b, name === "jmp");
      const selector = selectorOf(b.random, l.SUBJECT);
      b.bytes(0x66, name === "call" ? 0x9a : 0xea, l.END & 0xff, l.END >>> 8, selector & 0xff, selector >>> 8);
    },
    (b) => {
      makeSubject(b, name === "jmp");
      b.memory([l.END, selectorOf(b.random, l.SUBJECT)]).op(name, [mem(6, { base: 3, far: true })]);
    },
  ]),
  ...Array.from(
    { length: 3 },
    (): Template => (b) => {
      const extra = b.random.oneIn(4);
      const wide = makeReturn(b);
      b.bytes(...(wide ? [] : [0x66]), ...(extra ? [0xca, 0, 0] : [0xcb]));
    },
  ),
  ...Array.from(
    { length: 3 },
    (): Template => (b) => {
      const wide = makeReturn(b, 2 | (b.random.next() & 0x3ed5));
      b.bytes(...(wide ? [] : [0x66]), 0xcf);
    },
  ),
  ...Array.from(
    { length: 6 },
    (): Template => (b) => {
      makeTarget(b);
      const index = b.random.oneIn(3) ? b.random.below(l.TRANSFER_VECTORS) : OPEN_GATES + b.random.below(OPEN_COUNT);
      b.op("int", [imm(l.FIRST_TRANSFER_VECTOR + index)]);
    },
  ),
  ...Array.from(
    { length: 2 },
    (): Template => (b) => {
      b.set(EAX, makeLoaded(b)).op("mov", [sreg(b.random.pick(LOADED)), AX]);
    },
  ),
  (b) => {
    push(b, true, makeLoaded(b));
    b.op("pop", [sreg(b.random.pick(LOADED))]);
  },
  (b) => {
    const selector = makeLoaded(b);
    if (b.random.oneIn(2)) b.memory([l.CASE_STACK - 0x100, selector]).op("lss", [ESP, mem(6, { base: 3 })]);
    else b.memory([0, selector]).op(b.random.pick(["les", "lds", "lfs", "lgs"]), [ECX, mem(6, { base: 3 })]);
  },
];

/** A case of one template. */
export function transferCase(random: Random, tables: Tables): Ring0Case {
  const b = new Builder(random, tables);
  b.made.ring = random.pick([0, 1, 2, 3, 3]);
  b.made.callsGate = false;
  random.pick(TEMPLATES)(b);
  b.bytes(0xcd, l.END_VECTOR);
  return b.made;
}
