/** What the tests of system instructions' faults share: one instruction, one condition, and what must not have changed. */
import { createHash } from "node:crypto";
import * as assert from "uvu/assert";
import { CODE0, FREE, FREE_SELECTOR, GDT, IDT, type Line, Rig, TSS } from "../rig";

export const [UD, TS, NP, SS, GP, PF] = [6, 10, 11, 12, 13, 14];
export const NO_ERROR = -1;
export const CODE = FREE;
/** Data and stacks of the tests: pages that rig.page() does not map. */
export const DATA = 0x200000;
export const STACK3 = FREE + 0xf000;
/** Descriptors for a test to spoil. */
export const [A, B, C] = [FREE_SELECTOR, FREE_SELECTOR + 8, FREE_SELECTOR + 16];

/** Instruction, condition: what is prepared, the ring, and the fault. The rig's code is placed after the preparation. */
export type FaultRow = readonly [
  name: string,
  line: Line,
  prepare: (rig: Rig) => unknown,
  vector: number,
  error: number,
  ring?: 0 | 3,
];

function digest(bytes: Uint8Array): string {
  return createHash("sha1").update(bytes).digest("hex");
}

function untouched(rig: Rig): string {
  const { cpu } = rig;
  // A handler of the same ring changes ESP, one of ring 0 behind ring 3 also SS; CS is looked at in the frame.
  return JSON.stringify([
    digest(cpu.ram.subarray(GDT, IDT + 0x800)),
    digest(cpu.ram.subarray(TSS, TSS + 0x100)),
    digest(cpu.ram.subarray(DATA, DATA + 0x2000)),
    digest(cpu.ram.subarray(STACK3 - 0x100, STACK3 + 0x100)),
    rig.registers.toSpliced(4, 1),
    [0, 3, 4, 5, 6, 7].map((segment) => cpu.segment(segment)),
    [0, 3, 4].map((register) => cpu.control(register as 0 | 3 | 4)),
    [cpu.descriptorTable("gdt"), cpu.descriptorTable("idt")],
    cpu.instret,
  ]);
}

/** Runs a row: vector, error code, saved EIP, CS, ESP and flags are checked, and that nothing else has changed. */
export function faults([name, line, prepare, vector, error, ring = 0]: FaultRow): void {
  const rig = new Rig();
  // Faults go to ring 0 by a segment that no test spoils; its accessed bit is set already.
  rig.descriptor(0x70, 0, 0xfffff, 0xc09b);
  for (const number of [UD, TS, NP, SS, GP, PF]) rig.gate(number, 0x8000, 0x70, 0xee);
  rig.ring(ring);
  rig.cpu.ram[0x8000] = 0xf4;
  rig.code(CODE, line, ["int", 0x80]);
  prepare(rig);
  rig.cpu.codeChanged(CODE, 64);
  const [esp, cs, flags] = [rig.cpu.register(4), rig.cpu.segment(1).selector, rig.cpu.eflags];
  const before = untouched(rig);
  const trap = rig.run(CODE);
  assert.equal([trap?.vector, trap?.error, trap?.eip], [vector, error, CODE], name);
  assert.is(untouched(rig), before, name);
  const frame = rig.cpu.register(4) + (error === NO_ERROR ? 0 : 4);
  assert.is(rig.word(rig.cpu.translate(frame + 4)), cs, `${name}: CS`);
  assert.is(rig.word(rig.cpu.translate(frame + 8)), flags | 0x10000, `${name}: flags`);
  const savedEsp = ring === 3 ? rig.word(rig.cpu.translate(frame + 12)) : frame + 12;
  assert.is(savedEsp, esp, `${name}: ESP`);
}

/** Paging with all that a fault needs, and DATA's two pages given by their flags; 0: not there. */
export function paged(rig: Rig, flags: number, second = flags): void {
  for (let page = FREE; page < FREE + 0x10000; page += 0x1000) rig.map(page, page);
  rig.map(DATA, DATA, flags).map(DATA + 0x1000, DATA + 0x1000, second);
  rig.page();
}

/** Fills a far pointer at an address. */
export function farPointer(rig: Rig, address: number, offset: number, selector: number): void {
  rig.word(address, offset);
  rig.word(address + 4, selector);
}

/** A call gate in descriptor C. */
export function callGate(rig: Rig, selector: number, access: number, offset: number = CODE + 0x100, count = 0): void {
  rig.word(GDT + C, (selector << 16) | (offset & 0xffff));
  rig.word(GDT + C + 4, (offset & 0xffff0000) | (access << 8) | count);
}

/** Words on the present stack, the first on top. */
export function stackWords(rig: Rig, words: readonly number[], size = 4): void {
  const esp = rig.cpu.register(4) - 0x40;
  for (const [i, word] of words.entries()) {
    if (size === 4) rig.word(esp + 4 * i, word);
    else rig.view.setUint16(esp + 2 * i, word, true);
  }
  rig.cpu.setRegister(4, esp);
}

export { CODE0 };
