/**
 * Programs over several pages that run alike under every engine: interpreted and compiled, at once, soon and later, in one go
 * and in pieces, on TLBs from one entry to many. Registers, memory, instret and cycles must be the same at every stop.
 */
import type { suite } from "uvu";
import * as assert from "uvu/assert";
import { MINIMAL_TLB, STANDARD_TLB, type TlbGeometry } from "../../../cpu/costs";
import { RunExit } from "../../../cpu/cpu";
import { Random } from "../../fuzz/random";
import { at, CODE0, CR0_WP, EAX, EBP, EDI, FREE, HANDLER, type Line, PRESENT, Rig, USER, WRITE } from "../rig";

/** Frames of code, each mapped twice at these distances from its physical address: once to run, and once more. */
export const [ONE, TWO, THREE] = [0x200000, 0x201000, 0x202000];
export const [LIFT, OTHER] = [0x00c00000, 0x01c00000];
/** Further frames of code whose linear pages are in one set of every TLB. */
export const FAR = 0x210000;
export const FARTHER = 0x10000;
/** Frames of data: a table of 16 addresses, of which programs take one each time round; a byte that is no code; more pages. */
export const CHOICE = 0x203000;
const SCRATCH = CHOICE + 0x100;
export const DATA = 0x300000;
export const STACK = FREE + 0xe000;
export const ROUNDS = 96;
export const END = 0x81;

const CROWDED_TLB: TlbGeometry = { sets: 2, ways: 3, largeSets: 1, largeWays: 1, randomSeed: -1 };
const RANDOM_TLB: TlbGeometry = { sets: 2, ways: 2, largeSets: 1, largeWays: 1, randomSeed: 7 };
/** Where the runs of a program differ: the TLB, whether it runs in pieces, and after how many runs blocks are compiled. */
const RUNS: readonly (readonly [string, TlbGeometry, boolean, readonly number[]])[] = [
  ["standard", STANDARD_TLB, false, [0, 1, 10]],
  ["standard", STANDARD_TLB, true, [0, 5]],
  ["crowded", CROWDED_TLB, false, [0, 5]],
  ["crowded", CROWDED_TLB, true, [1]],
  ["minimal", MINIMAL_TLB, false, [0, 5]],
  ["random", RANDOM_TLB, false, [5]],
];

export const INC_EBX = 0x43;
/** What makes DEC EBX of INC EBX, and back. */
export const OTHER_WAY = 8;

type Ring = 0 | 3;
type Test = ReturnType<typeof suite>;
export interface Scene {
  /** Puts code and tables there; returns where to begin. */
  prepare: (rig: Rig, ring: Ring) => number;
  /** EBX at the end, where it does not depend on the TLB. */
  ebx?: number;
  rings?: readonly Ring[];
  cr4?: number;
  /** Bits of all table entries of code, beside the usual. */
  global?: number;
  /** The vector that ends it. */
  end?: number;
}

function makeRig(scene: Scene, ring: Ring, tlb: TlbGeometry, compileAfter: number): Rig {
  const rig = new Rig({ tlb, compileAfter });
  const { cpu } = rig;
  cpu.listener = null;
  // A HLT for each vector: EIP tells it.
  cpu.ram.fill(0xf4, HANDLER, HANDLER + 256);
  for (let vector = 0; vector < 256; vector++) rig.gate(vector, HANDLER + vector, CODE0, 0xee);
  const bits = PRESENT | WRITE | USER;
  for (let page = ONE; page < FAR + 8 * FARTHER; page += 0x1000) {
    rig.map(page + LIFT, page, bits | (scene.global ?? 0)).map(page + OTHER, page);
  }
  for (let page = DATA; page < DATA + 0x90000; page += 0x1000) rig.map(page, page);
  rig.map(STACK, STACK).page(CR0_WP, scene.cr4 ?? 0);
  rig.ring(ring);
  cpu.eflags = 0x3202;
  for (const [register, value] of [0, 0, 0, 0, -1, 0, 0, ROUNDS].entries()) {
    if (register !== 4) cpu.setRegister(register, value);
  }
  for (let index = 0; index < 16; index++) rig.word(CHOICE + 4 * index, SCRATCH + LIFT);
  cpu.eip = scene.prepare(rig, ring);
  return rig;
}

/** What programs write: the first byte and the number of bytes. */
const WRITTEN: readonly (readonly [number, number])[] = [
  [0, 0x20000],
  [STACK, 0x1000],
  [ONE, 0x4000],
  [DATA, 0x1000],
];

/** What a guest can see at a stop; memory at the end. */
function visible({ cpu, registers }: Rig, exit: RunExit): string {
  let sum = 0;
  for (const [from, bytes] of exit === RunExit.Halted ? WRITTEN : []) {
    for (let at = from; at < from + bytes; at++) sum = (Math.imul(sum, 31) + cpu.ram[at]) | 0;
  }
  const { eip, eflags, instret, cycles } = cpu;
  return JSON.stringify({ exit, eip, eflags, registers, instret, cycles, cr2: cpu.control(2), sum });
}

/** Runs to the HLT; what could be seen at each stop. In pieces: budgets and deadlines end anywhere. */
function trail(rig: Rig, pieces: boolean): string[] {
  const { cpu } = rig;
  const random = new Random(5);
  const stops: string[] = [];
  for (let stop = 0; stop < 100_000; stop++) {
    cpu.deadline = pieces && random.oneIn(2) ? cpu.cycles + 1 + random.below(400) : Infinity;
    const exit = cpu.run(cpu.instret + (pieces ? 1 + random.below(150) : 1_000_000));
    stops.push(visible(rig, exit));
    if (exit === RunExit.Halted) return stops;
  }
  throw new Error("a program that does not end");
}

/** Tests that a program runs alike under every engine, in each ring that it is for. */
export function alike(test: Test, name: string, scene: Scene): void {
  for (const ring of scene.rings ?? ([0, 3] as const)) {
    test(`${name}, in ring ${ring}`, () => {
      for (const [geometry, tlb, pieces, engines] of RUNS) {
        const interpreted = makeRig(scene, ring, tlb, Infinity);
        const expected = trail(interpreted, pieces);
        assert.is(interpreted.cpu.eip, HANDLER + (scene.end ?? END) + 1, `it comes to its end, ${geometry} TLB`);
        if (scene.ebx !== undefined) assert.is(interpreted.cpu.register(3) | 0, scene.ebx, "it counts right");
        for (const compileAfter of engines) {
          const rig = makeRig(scene, ring, tlb, compileAfter);
          assert.equal(trail(rig, pieces), expected, `compiled after ${compileAfter} runs, ${geometry} TLB`);
          assert.ok(rig.cpu.blocks.compiled > 0, "something is compiled");
        }
      }
    });
  }
}

/** Loads EBP with the address that the table has for this round. EAX changes. */
export const CHOOSE: readonly Line[] = [
  ["mov", EAX, EDI],
  ["and", EAX, 15],
  ["shl", EAX, 2],
  ["mov", EBP, at(EAX, CHOICE + LIFT)],
];

/** One round in 16, the byte at a linear address is what EBP points at. */
export function choose(rig: Rig, linear: number): void {
  rig.word(CHOICE, linear);
}

/** EBX when it counts up, and every 16 rounds turns before it counts. */
export function turning(): number {
  let ebx = 0;
  for (let round = ROUNDS, by = 1; round > 0; round--) {
    if (round % 16 === 0) by = -by;
    ebx += by;
  }
  return ebx;
}
