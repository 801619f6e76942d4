/**
 * Regions and what takes them away: code that changes while it runs, by every hand that can change it, and code whose page loses
 * its translation, in loops over several pages. Each program runs interpreted and compiled, at once, soon and later, in one go
 * and in pieces, on TLBs from one entry to many; registers, memory, instret and cycles must be the same at every stop.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MINIMAL_TLB, STANDARD_TLB, type TlbGeometry } from "../../../cpu/costs";
import { RunExit } from "../../../cpu/cpu";
import { creg } from "../../../cpu/encoder";
import { Random } from "../../fuzz/random";
import {
  at,
  CL,
  CODE0,
  CR0_WP,
  EAX,
  EBP,
  EBX,
  ECX,
  EDI,
  EDX,
  ESI,
  ESP,
  FREE,
  GLOBAL,
  HANDLER,
  type Line,
  PRESENT,
  Rig,
  rep,
  USER,
  WRITE,
} from "../rig";

const test = suite("cpu/compile/regions");

/** Frames of code, each mapped twice at these distances from its physical address: once to run, and once more. */
const [ONE, TWO, THREE] = [0x200000, 0x201000, 0x202000];
const [LIFT, OTHER] = [0x00c00000, 0x01c00000];
/** Further frames of code whose linear pages are in one set of every TLB. */
const FAR = 0x210000;
const FARTHER = 0x10000;
/** Frames of data: a table of 16 addresses, of which programs take one each time round; a byte that is no code; more pages. */
const CHOICE = 0x203000;
const SCRATCH = CHOICE + 0x100;
const DATA = 0x300000;
const STACK = FREE + 0xe000;
const ROUNDS = 96;
const END = 0x81;

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

const INC_EBX = 0x43;
/** What makes DEC EBX of INC EBX, and back. */
const OTHER_WAY = 8;

type Ring = 0 | 3;
interface Scene {
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

function alike(name: string, scene: Scene): void {
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
const CHOOSE: readonly Line[] = [
  ["mov", EAX, EDI],
  ["and", EAX, 15],
  ["shl", EAX, 2],
  ["mov", EBP, at(EAX, CHOICE + LIFT)],
];

/** One round in 16, the byte at a linear address is what EBP points at. */
function choose(rig: Rig, linear: number): void {
  rig.word(CHOICE, linear);
}

/** EBX when it counts up, and every 16 rounds turns before it counts. */
function turning(): number {
  let ebx = 0;
  for (let round = ROUNDS, by = 1; round > 0; round--) {
    if (round % 16 === 0) by = -by;
    ebx += by;
  }
  return ebx;
}

for (const [whose, distance] of [
  ["its own mapping", LIFT],
  ["another mapping of the frame", OTHER],
] as const) {
  alike(`the next instruction of the running block is patched through ${whose}`, {
    ebx: turning(),
    prepare(rig) {
      const labels = rig.code(
        ONE,
        "round",
        ...CHOOSE,
        ["xor", at(EBP, 0, 1), OTHER_WAY],
        "patched",
        ["inc", EBX],
        ["dec", EDI],
        ["jnz", "@round"],
        ["int", END],
      );
      choose(rig, labels.patched + distance);
      return ONE + LIFT;
    },
  });

  alike(`another block of the running region is patched through ${whose}, and others run before it`, {
    ebx: turning(),
    prepare(rig) {
      const labels = rig.code(
        ONE,
        "round",
        ...CHOOSE,
        ["mov", ECX, EDI],
        ["shr", ECX, 1],
        ["and", ECX, 8],
        ["xor", ECX, INC_EBX],
        // The flags of this comparison live on across the store that drops the region.
        ["cmp", ECX, INC_EBX],
        ["mov", at(EBP, 0, 1), CL],
        ["lea", ESI, at(ESI, 3)],
        ["jz", "@even"],
        ["add", ESI, EDX],
        ["jmp", "@between"],
        "even",
        ["sub", ESI, EDX],
        "between",
        ["lea", EDX, at(EDX, 7)],
        ["jmp", "@patched"],
        "patched",
        ["inc", EBX],
        ["dec", EDI],
        ["jnz", "@round"],
        ["int", END],
      );
      choose(rig, labels.patched + distance);
      return ONE + LIFT;
    },
  });

  for (const hit of ["caller", "callee"] as const) {
    alike(`two pages call each other, and a third patches the ${hit} through ${whose}`, {
      ebx: turning(),
      prepare(rig) {
        const counting: readonly (Line | string)[] = ["patched", ["inc", EBX]];
        const labels = rig.code(
          ONE,
          "round",
          ["call", "@callee"],
          ["jmp", "@third"],
          "back",
          ["add", ESI, EBX],
          ...(hit === "caller" ? counting : []),
          ["ret"],
          "tail",
          ["dec", EDI],
          ["jnz", "@round"],
          ["int", END],
          ["org", TWO],
          "callee",
          ["lea", EDX, at(EDX, 1)],
          ["call", "@back"],
          ...(hit === "callee" ? counting : []),
          ["ret"],
          ["org", THREE],
          "third",
          ...CHOOSE,
          ["xor", at(EBP, 0, 1), OTHER_WAY],
          ["jmp", "@tail"],
        );
        choose(rig, labels.patched + distance);
        return ONE + LIFT;
      },
    });
  }
}

/** The program of page ONE goes round through page TWO, and does this in one round of 4, or of `often`. */
function overTwoPages(rig: Rig, lines: readonly Line[], often = 4): Record<string, number> {
  return rig.code(
    ONE,
    "round",
    ["test", EDI, often - 1],
    ["jnz", "@skip"],
    ...lines,
    "skip",
    ["add", EBX, 1],
    ["adc", ESI, EBX],
    ["jmp", "@other"],
    "tail",
    ["dec", EDI],
    ["jnz", "@round"],
    ["int", END],
    ["org", TWO],
    "other",
    ["add", EBX, 2],
    ["jmp", "@tail"],
  );
}

const [CR3, CR4] = [creg(3), creg(4)];
const PGE = 0x80;
const LOSSES: Record<string, readonly Line[]> = {
  "INVLPG of the running page": [["invlpg", at(null, ONE + LIFT, 1)]],
  "INVLPG of the page that comes next": [["invlpg", at(null, TWO + LIFT, 1)]],
  "a reload of CR3": [
    ["mov", EAX, CR3],
    ["mov", CR3, EAX],
  ],
  "a change of CR4.PGE": [
    ["mov", EAX, CR4],
    ["xor", EAX, PGE],
    ["mov", CR4, EAX],
  ],
};
for (const [how, lines] of Object.entries(LOSSES)) {
  for (const global of [0, GLOBAL]) {
    alike(`a loop over two ${global !== 0 ? "global " : ""}pages loses a translation by ${how}`, {
      ebx: 3 * ROUNDS,
      rings: [0],
      cr4: PGE,
      global,
      prepare: (rig) => {
        overTwoPages(rig, lines);
        return ONE + LIFT;
      },
    });
  }
}

const EVICTIONS: Record<string, readonly Line[]> = {
  "a load": [["mov", EAX, at(EBP)]],
  "a store": [["mov", at(EBP), EBX]],
  "a push of memory": [
    ["push", at(EBP)],
    ["pop", EAX],
  ],
  "a load and a store behind it": [
    ["mov", EAX, at(EBP)],
    ["add", at(EBP, 0x10), EBX],
    ["cmp", EAX, at(EBP, 0x20)],
  ],
  "a REP STOS": [
    ["mov", EAX, EDI],
    ["mov", EDX, EDI],
    ["mov", EDI, EBP],
    ["mov", ECX, 8],
    rep("stosd"),
    ["mov", EDI, EDX],
  ],
};
for (const [how, lines] of Object.entries(EVICTIONS)) {
  alike(`data drives the code's translations out by ${how}`, {
    ebx: 3 * ROUNDS,
    prepare: (rig) => {
      // Nine pages of one set in every TLB, in turn.
      for (let index = 0; index < 16; index++) rig.word(CHOICE + 4 * index, DATA + (index % 9) * FARTHER + 4 * index);
      overTwoPages(rig, [...CHOOSE, ...lines], 1);
      return ONE + LIFT;
    },
  });
}

/** Ways from a page to the next: the last four instructions of each page in a ring of eight. */
const WAYS: Record<string, (next: string, address: number) => Line[]> = {
  "a jump": (next) => [["jmp", next]],
  "a condition that holds": (next) => [
    ["cmp", EAX, EAX],
    ["jz", next],
  ],
  "a jump by register": (_, address) => [
    ["mov", EAX, address],
    ["jmp", EAX],
  ],
  "a jump by memory": (_, address) => [
    ["mov", at(null, STACK), address],
    ["jmp", at(null, STACK)],
  ],
  "a call": (next) => [["call", next]],
  "a return": (_, address) => [["push", address], ["ret"]],
};

/** A ring of eight pages, in which each round begins with `lines` in the first. */
function ringOfPages(rig: Rig, way: (typeof WAYS)[string], lines: readonly (Line | string)[]): number {
  const pages: (Line | string)[] = [];
  for (let page = 0; page < 8; page++) {
    const next = (page + 1) % 8;
    const last =
      page === 7
        ? ([
            ["dec", EDI],
            ["jz", "@done"],
            ["and", EAX, 0],
          ] as const)
        : [];
    pages.push(["org", FAR + page * FARTHER], `page${page}`, ...(page === 0 ? lines : []), ["inc", EBX], ...last);
    if (page === 0) pages.push(["test", EDI, 1], ["lea", EDX, at(EDX, 2)]);
    pages.push(...way(`@page${next}`, FAR + next * FARTHER + LIFT));
  }
  // A call leaves its return address behind: the stack begins anew each round.
  rig.code(FAR, ...pages, "done", ["int", END]);
  return FAR + LIFT;
}

for (const [how, way] of Object.entries(WAYS)) {
  const stack: Line = ["mov", ESP, STACK + 0x800];
  alike(`pages without a translation are reached by ${how}`, {
    ebx: 8 * ROUNDS,
    rings: [3],
    prepare: (rig) => ringOfPages(rig, way, [stack]),
  });

  alike(`they lose the accessed bit, too, and are reached by ${how}`, {
    ebx: 8 * ROUNDS,
    rings: [0],
    prepare(rig) {
      const target = FAR + 5 * FARTHER + LIFT;
      return ringOfPages(rig, way, [stack, ["and", at(null, rig.pte(target)), ~0x20], ["invlpg", at(null, target, 1)]]);
    },
  });

  alike(`at last one is not there when it is reached by ${how}`, {
    rings: [0],
    end: 14,
    prepare(rig) {
      const target = FAR + 5 * FARTHER + LIFT;
      const unmap: (Line | string)[] = [
        ["cmp", EDI, 40],
        ["jnz", "@there"],
        ["and", at(null, rig.pte(target)), ~PRESENT],
        ["invlpg", at(null, target, 1)],
        "there",
      ];
      return ringOfPages(rig, way, [stack, ...unmap]);
    },
  });
}

test.run();
