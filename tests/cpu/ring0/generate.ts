/**
 * Random ring-0 and ring-3 cases for the harness: tables full of descriptors and gates of every kind, page tables of every
 * protection, and instructions that load, inspect, enter and leave them. May import cpu/, builder.ts, transfers.ts, layout.ts. All from the seed.
 * What is left out because QEMU differs there by design is in deviations.ts.
 */
import { creg, imm, mem, sreg } from "../../../cpu/encoder";
import { Segment } from "../../../cpu/instruction";
import type { Random } from "../../fuzz/random";
import {
  AL,
  ARITHMETIC,
  AX,
  anySelector,
  Builder,
  CF,
  CR0_PG,
  CX,
  DX,
  descriptor,
  EAX,
  ECX,
  EDI,
  EDX,
  ESI,
  ESP,
  FLAT,
  gate,
  type Ring0Case,
  type Tables,
} from "./builder";
import * as l from "./layout";
import { transferCase, transferGates } from "./transfers";

function randomDescriptor(random: Random): [number, number] {
  const dpl = random.below(4) << 5;
  const present = random.oneIn(8) ? 0 : 0x80;
  switch (random.below(8)) {
    case 0:
    case 1:
      return descriptor(0, FLAT, present | dpl | 0x19 | random.below(8), random.oneIn(6) ? 0x8 : 0xc);
    case 2:
    case 3:
      return descriptor(0, FLAT, present | dpl | 0x10 | random.pick([0, 1, 3, 3]), 0xc);
    case 4:
    case 5: {
      const type = random.oneIn(4) ? 4 : 12;
      return gate(codeSelector(random), l.END, present | dpl | type, random.below(4));
    }
    case 6:
      if (random.oneIn(2)) return descriptor(l.LDT, 8 * l.LDT_ENTRIES - 1, present | dpl | 2, 0);
      return descriptor(l.SECOND_TSS, 0x67, present | dpl | random.pick([9, 9, 11, 1, 3]), 0);
    default:
      return descriptor(0, FLAT, present | dpl | random.pick([0, 8, 10, 13, 6, 7, 14, 15]), 0);
  }
}

function codeSelector(random: Random): number {
  return random.oneIn(2) ? random.pick(l.CODE) : anySelector(random);
}

/** A page-table entry of the window. */
function randomPte(random: Random): number {
  const frame = l.DATA + 4096 * random.below(l.DATA_PAGES);
  const present = random.oneIn(5) ? 0 : 1;
  return (frame | present | (random.next() & 0x66) | (random.oneIn(4) ? 0x200 : 0)) >>> 0;
}

export function randomTables(random: Random): Tables {
  const page = new Uint32Array(1024);
  const put = (address: number, words: readonly number[]): void => page.set(words, (address - l.GDT) / 4);
  for (const [ring, selector] of l.CODE.entries()) {
    put(l.GDT + (selector & ~7), descriptor(0, FLAT, 0x9b | (ring << 5), 0xc));
    put(l.GDT + (l.DATA_SELECTORS[ring] & ~7), descriptor(0, FLAT, 0x93 | (ring << 5), 0xc));
  }
  put(l.GDT + l.TSS_SELECTOR, descriptor(l.TSS, l.TSS_LIMIT, 0x89, 0));
  put(l.GDT + l.LDT_SELECTOR, descriptor(l.LDT, 8 * l.LDT_ENTRIES - 1, 0x82, 0));
  for (let i = l.FIRST_RANDOM_ENTRY; i < l.GDT_ENTRIES; i++) put(l.GDT + 8 * i, randomDescriptor(random));
  for (let i = 0; i < l.LDT_ENTRIES; i++) put(l.LDT + 8 * i, randomDescriptor(random));
  for (const [ring, stack] of l.RING_STACKS.entries()) put(l.TSS + 4 + 8 * ring, [stack, l.DATA_SELECTORS[ring]]);
  put(l.TSS + 100, [0x680000]);
  for (let i = 0; i < l.IO_BITMAP_BYTES; i += 4) put(l.TSS + 0x68 + i, [random.next() & random.next()]);
  put(l.TSS + 0x68 + l.IO_BITMAP_BYTES, [0xff]);
  const pt = Uint32Array.from({ length: l.WINDOW_PAGES }, () => randomPte(random));
  const gates = Array.from({ length: l.RANDOM_VECTORS }, () => {
    const type = random.oneIn(8) ? random.pick([0, 4, 12, 8]) : random.pick([6, 7, 14, 15, 14, 15]);
    return gate(codeSelector(random), l.END, (random.oneIn(8) ? 0 : 0x80) | (random.below(4) << 5) | type, 0);
  }).flat();
  return { page, pt, gates: [...gates, ...transferGates(random)] };
}

type Template = (b: Builder) => void;

const SEGMENTS = [Segment.ES, Segment.DS, Segment.FS, Segment.GS, Segment.SS];

const TEMPLATES: readonly Template[] = [
  // Loads of segment registers.
  (b) =>
    b
      .set(EAX, anySelector(b.random))
      .op("mov", [sreg(b.random.pick(SEGMENTS)), AX])
      .last(),
  (b) =>
    b
      .op("push", [imm(anySelector(b.random))])
      .op("pop", [sreg(b.random.pick(SEGMENTS))])
      .last(),
  (b) =>
    b
      .memory([b.random.next(), anySelector(b.random)])
      .op(b.random.pick(["les", "lds", "lfs", "lgs"]), [ECX, mem(6, { base: 3 })])
      .last(),
  (b) =>
    b
      .memory([l.CASE_STACK - 0x100, anySelector(b.random)])
      .op("lss", [ESP, mem(6, { base: 3 })])
      .last(),
  // Questions about selectors.
  ...["lar", "lsl"].map(
    (name): Template =>
      (b) =>
        b.set(EAX, anySelector(b.random)).op(name, [ECX, AX]),
  ),
  ...["verr", "verw"].map(
    (name): Template =>
      (b) =>
        b.set(EAX, anySelector(b.random)).op(name, [AX]),
  ),
  (b) => b.set(EAX, anySelector(b.random)).set(ECX, anySelector(b.random)).op("arpl", [AX, CX]),
  // System registers.
  (b) => b.set(EAX, anySelector(b.random)).op("lldt", [AX]),
  (b) => b.set(EAX, anySelector(b.random) | 8).op("ltr", [AX]),
  (b) => b.op("sldt", [CX]).op("str", [DX]),
  (b) => b.op("smsw", [ECX]),
  (b) => b.set(EAX, 1 | (b.random.next() & 14)).op("lmsw", [AX]),
  (b) => b.op("clts"),
  (b) => b.op("mov", [ECX, creg(0)]),
  (b) => b.op("mov", [EDX, creg(b.random.pick([2, 3]))]),
  (b) => b.set(EAX, (b.made.cr0 & CR0_PG) | 0x11 | (b.random.next() & 0x1000e)).op("mov", [creg(0), EAX]),
  (b) => b.set(EAX, b.random.next()).op("mov", [creg(2), EAX]),
  (b) => b.op("invlpg", [mem(0, { displacement: b.address() })]),
  (b) => b.memory([0, 0]).op("sgdt", [mem(6, { base: 3 })]),
  (b) => b.op(b.made.ring === 3 ? "hlt" : "clts"),
  (b) => b.op(b.random.pick(["invd", "wbinvd"])),
  // Transfers.
  (b) => b.op(b.random.pick(["call", "jmp"]), [{ kind: "far", selector: b.transferSelector(), offset: l.END }]),
  (b) => b.memory([l.END, b.transferSelector()]).op(b.random.pick(["call", "jmp"]), [mem(6, { base: 3, far: true })]),
  (b) =>
    b
      .op("push", [imm(b.transferSelector())])
      .op("push", [imm(l.END)])
      .op("retf"),
  (b) => {
    b.op("push", [imm(anySelector(b.random))]).op("push", [imm(l.USER_STACK - 0x200)]);
    b.op("push", [imm(b.transferSelector())])
      .op("push", [imm(l.END)])
      .op("retf");
  },
  (b) => {
    b.op("push", [imm(b.random.oneIn(2) ? l.DATA_SELECTORS[3] : anySelector(b.random))]);
    b.op("push", [imm(l.USER_STACK - 0x200)]).op("push", [imm(iretFlags(b.random))]);
    b.op("push", [imm(b.transferSelector())])
      .op("push", [imm(l.END)])
      .op("iretd");
  },
  (b) => b.op("int", [imm(l.FIRST_RANDOM_VECTOR + b.random.below(l.RANDOM_VECTORS))]),
  (b) => b.op("int", [imm(l.FIRST_RANDOM_VECTOR + b.random.below(l.RANDOM_VECTORS))]),
  (b) => b.op("int", [imm(b.random.pick([3, 4, 13, 14, 0x41, 0x80]))]),
  // Exceptions by instructions.
  (b) => b.op(b.random.pick(["int3", "ud2", "into"])),
  (b) => b.op("xor", [ECX, ECX]).op("div", [ECX]),
  (b) =>
    b
      .memory([5, 10])
      .set(EAX, b.random.below(20))
      .op("bound", [EAX, mem(8, { base: 3 })]),
  // Flags and ports.
  (b) => b.op(b.random.pick(["cli", "sti"])),
  (b) => b.op("pushfd").op("pop", [ECX]),
  (b) => b.op("push", [imm(iretFlags(b.random))]).op("popfd"),
  (b) =>
    b
      .set(EDX, b.random.below(l.IO_BITMAP_BYTES * 8 + 24))
      .op("in", [b.random.oneIn(2) ? AL : EAX, DX])
      .set(EAX, 0),
  // Memory through the page tables.
  ...Array.from({ length: 3 }, (): Template => (b) => b.set(ESI, b.address()).op("mov", [ECX, mem(4, { base: 6 })])),
  ...Array.from({ length: 3 }, (): Template => (b) => b.set(EDI, b.address()).op("mov", [mem(4, { base: 7 }), EDX])),
  (b) =>
    b
      .set(EDI, b.address(true))
      .op("add", [mem(4, { base: 7 }), EDX])
      .modifies(),
  (b) => b.set(EDI, b.address()).op("push", [mem(4, { base: 7 })]),
  (b) =>
    b
      .op("push", [EAX])
      .set(EDI, b.address())
      .op("pop", [mem(4, { base: 7 })]),
  (b) => b.set(EDI, b.address()).set(ESI, b.address()).op("movsd"),
  (b) => b.set(EDI, b.address()).set(ECX, b.random.below(12)).op("stosd", [], { prefixes: 4 }),
  (b) =>
    b
      .set(EDI, b.address(true))
      .op("xchg", [mem(4, { base: 7 }), EDX])
      .modifies(),
  (b) =>
    b
      .set(EDI, b.address(true))
      .op("cmpxchg", [mem(4, { base: 7 }), EDX])
      .modifies(),
  (b) => {
    b.set(EDI, b.address(true)).set(ECX, b.random.below(64000) - 32000);
    b.op(b.random.pick(["bt", "bts", "btr", "btc"]), [mem(4, { base: 7 }), ECX]).modifies();
    // PUSHF would show them.
    b.last().made.undefinedFlags |= ARITHMETIC & ~CF & ~0x40;
  },
  // Page-table entries changed under the translation's feet, then flushed.
  (b) => {
    const entry = b.random.below(l.WINDOW_PAGES);
    b.set(EDI, l.PT1 + 4 * entry).op("mov", [mem(4, { base: 7 }), imm(randomPte(b.random))]);
    b.op("mov", [EAX, creg(3)]).op("mov", [creg(3), EAX]);
  },
];

/** Arithmetic flags, IF, DF, IOPL; not TF, NT, VM. */
function iretFlags(random: Random): number {
  return 2 | (random.next() & 0x3ed5);
}

/** A data or stack segment that is not present. */
const ABSENT = descriptor(0, FLAT, 0x13, 0xc);

/** A case for every vector that a case can end by, so that none of them is left to chance. */
const DIRECTED: readonly (readonly [vector: number, Template])[] = [
  [0, (b) => b.op("xor", [ECX, ECX]).op("div", [ECX])],
  [3, (b) => b.op("int3")],
  [4, (b) => b.set(EAX, 0x7fffffff).op("inc", [EAX]).op("into")],
  [
    5,
    (b) =>
      b
        .memory([5, 10])
        .set(EAX, 11)
        .op("bound", [EAX, mem(8, { base: 3 })]),
  ],
  [6, (b) => b.op("ud2")],
  [11, (b) => absent(b, Segment.DS)],
  [12, (b) => absent(b, Segment.SS)],
  [13, (b) => b.set(EAX, 8 * l.GDT_ENTRIES).op("mov", [sreg(Segment.DS), AX])],
  [
    14,
    (b) => {
      b.made.pokes.push([l.DIRECTORY + 4, 0]);
      b.set(ESI, l.WINDOW).op("mov", [ECX, mem(4, { base: 6 })]);
    },
  ],
  [l.END_VECTOR, (b) => b.op("pushfd")],
];

/** Loads a segment register, in whatever ring, with a sound segment but that it is not there. */
function absent(b: Builder, segment: Segment): void {
  const [low, high] = ABSENT;
  b.made.pokes.push([l.GDT + 8 * l.FIRST_RANDOM_ENTRY, low]);
  b.made.pokes.push([l.GDT + 8 * l.FIRST_RANDOM_ENTRY + 4, (high | (b.made.ring << 13)) >>> 0]);
  b.set(EAX, (8 * l.FIRST_RANDOM_ENTRY) | b.made.ring).op("mov", [sreg(segment), AX]);
}

/** One case for each vector that a case can end by, and the vector. */
export function directedCases(random: Random, tables: Tables): { vector: number; made: Ring0Case }[] {
  return DIRECTED.map(([vector, template]) => {
    const b = new Builder(random, tables);
    // The window is there only with paging.
    b.made.cr0 = (b.made.cr0 | CR0_PG) >>> 0;
    template(b);
    b.bytes(0xcd, l.END_VECTOR);
    return { vector, made: b.made };
  });
}

/** A case of one to four templates. Neither a task switch nor a change of the harness's own memory can come of it. */
export function randomCase(random: Random, tables: Tables): Ring0Case {
  if (random.oneIn(3)) return transferCase(random, tables);
  const b = new Builder(random, tables);
  const { made } = b;
  // The page directory's entry of the window, and stacks of inner rings.
  if (random.oneIn(3)) made.pokes.push([l.DIRECTORY + 4, l.PT1 | 1 | (random.next() & 6)]);
  if (random.oneIn(8)) made.pokes.push([l.TSS + 8 + 8 * (1 + random.below(2)), anySelector(random)]);
  for (let i = random.below(4); i >= 0 && made.code.length < 60 && !b.full; i--) random.pick(TEMPLATES)(b);
  b.bytes(0xcd, l.END_VECTOR);
  return made;
}
