/**
 * Regions and what takes them away: code that is patched while it runs, by itself, by another page, a system call's handler or a
 * device, through each mapping of its frame, and frames that are given up and used again.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AL, at, CL, CODE0, EAX, EBP, EBX, ECX, EDI, EDX, ESI, type Line, Rig, rep } from "../rig";
import {
  alike,
  CHOICE,
  CHOOSE,
  choose,
  DATA,
  END,
  INC_EBX,
  LIFT,
  ONE,
  OTHER,
  OTHER_WAY,
  ROUNDS,
  THREE,
  TWO,
  turning,
} from "./scenes";

const test = suite("cpu/compile/regions");

/** Selector of a data segment of 4 KB. */
const LIMITED = 0x30;

for (const [whose, distance] of [
  ["its own mapping", LIFT],
  ["another mapping of the frame", OTHER],
] as const) {
  alike(test, `the next instruction of the running block is patched through ${whose}`, {
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

  alike(test, `another block of the running region is patched through ${whose}, and others run before it`, {
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
    alike(test, `two pages call each other, and a third patches the ${hit} through ${whose}`, {
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

/** The frame that page `called` is mapped to is switched, or filled anew, in one round of 8: code that adds 1, then code that adds 5. */
const CALLED = 0x02c00000;
const REUSES: Record<string, (pte: number) => readonly Line[]> = {
  "another frame takes its place": (pte) => [
    ["xor", at(null, pte), TWO ^ THREE],
    ["invlpg", at(null, CALLED, 1)],
  ],
  "another frame takes its place, as an old translation ends": (pte) => [["xor", at(null, pte), TWO ^ THREE]],
  "it is filled anew by REP MOVS": () => [
    ["mov", ESI, EDX],
    ["xor", EDX, 0x40],
    ["mov", EAX, EDI],
    ["mov", EDI, TWO + OTHER],
    ["mov", ECX, 6],
    rep("movsd"),
    ["mov", EDI, EAX],
  ],
};
for (const [how, lines] of Object.entries(REUSES)) {
  alike(test, `a frame of code is given up: ${how}`, {
    rings: [0],
    ...(how.includes("old") ? {} : { ebx: (ROUNDS / 2) * 6 }),
    prepare(rig) {
      rig.map(CALLED, TWO);
      rig.cpu.setRegister(2, DATA);
      rig.code(TWO, ["add", EBX, 1], ["ret"]);
      rig.code(THREE, ["nop"], ["add", EBX, 3], ["jmp", "@more"], "more", ["add", EBX, 2], ["ret"]);
      rig.cpu.ram.copyWithin(DATA, THREE, THREE + 0x40);
      rig.cpu.ram.copyWithin(DATA + 0x40, TWO, TWO + 0x40);
      rig.code(
        ONE,
        "round",
        ["mov", EBP, CALLED],
        ["call", EBP],
        ["test", EDI, 7],
        ["jnz", "@skip"],
        ...lines(rig.pte(CALLED)),
        "skip",
        ["dec", EDI],
        ["jnz", "@round"],
        ["int", END],
      );
      return ONE + LIFT;
    },
  });
}

/** A loop that runs in ring 3 by way of a system call, whose handler does `lines` in ring 0. */
function throughTheKernel(rig: Rig, lines: readonly Line[]): Record<string, number> {
  const labels = rig.code(
    ONE,
    "round",
    ["cmp", EDI, 50],
    ["int", 0x80],
    "patched",
    ["inc", EBX],
    ["adc", ESI, EBX],
    ["dec", EDI],
    ["jnz", "@round"],
    ["int", END],
    ["org", TWO],
    "handler",
    ...lines,
    "mark",
    ["inc", EDX],
    ["iretd"],
  );
  rig.gate(0x80, labels.handler + LIFT, CODE0, 0xee);
  return labels;
}

for (const patched of ["patched", "mark"] as const) {
  alike(test, `a system call's handler patches ${patched === "mark" ? "itself" : "its caller"}`, {
    ebx: patched === "mark" ? ROUNDS : turning(),
    prepare(rig) {
      const labels = throughTheKernel(rig, [...CHOOSE, ["xor", at(EBP, 0, 1), OTHER_WAY]]);
      choose(rig, labels[patched] + OTHER);
      return ONE + LIFT;
    },
  });
}

alike(test, "a system call's handler takes the translation of its caller away", {
  ebx: ROUNDS,
  rings: [3],
  prepare(rig) {
    const pte = rig.pte(ONE + LIFT);
    throughTheKernel(rig, [
      ["and", at(null, pte), ~0x20],
      ["invlpg", at(null, ONE + LIFT, 1)],
    ]);
    return ONE + LIFT;
  },
});

/** What a device does at an OUT. */
const DEVICES: Record<string, (rig: Rig, patched: number) => void> = {
  "writes code": ({ cpu }, patched) => {
    cpu.ram[patched] ^= OTHER_WAY;
    cpu.codeChanged(patched, 1);
  },
  "asks for a stop": ({ cpu }) => cpu.requestStop(),
  "is due soon": ({ cpu }) => {
    cpu.deadline = cpu.cycles + 5;
  },
  interrupts: ({ cpu }) => cpu.setInterruptLine(1),
};
const LOWER_THE_LINE = 0x42;
for (const [what, does] of Object.entries(DEVICES)) {
  alike(test, `a device ${what} while a loop over two pages runs`, {
    ebx: what === "writes code" ? turning() : what === "interrupts" ? ROUNDS + ROUNDS / 16 : ROUNDS,
    rings: [0],
    prepare(rig) {
      const labels = rig.code(
        ONE,
        "round",
        ["test", EDI, 15],
        ["jnz", "@skip"],
        ["out", 0x40, AL],
        "skip",
        ["add", ESI, EBX],
        ["jmp", "@patched"],
        "tail",
        ["dec", EDI],
        ["jnz", "@round"],
        ["int", END],
        ["org", TWO],
        "patched",
        ["inc", EBX],
        ["jmp", "@tail"],
        ["org", THREE],
        "handler",
        ["out", LOWER_THE_LINE, AL],
        ["inc", EBX],
        ["iretd"],
      );
      rig.gate(rig.interruptVector, labels.handler + LIFT, CODE0, 0xee);
      rig.cpu.bus.write = (port) => {
        if (port === LOWER_THE_LINE) rig.cpu.setInterruptLine(0);
        else does(rig, labels.patched);
      };
      return ONE + LIFT;
    },
  });
}

alike(test, "an interrupt waits for STI in a loop over two pages, and comes behind its shadow", {
  ebx: ROUNDS,
  rings: [0],
  prepare(rig) {
    const labels = rig.code(
      ONE,
      "round",
      // What comes behind STI is jumped to as well, and so compiled.
      ["test", EDI, 1],
      ["jnz", "@behind"],
      ["cli"],
      ["out", 0x40, AL],
      ["sti"],
      "behind",
      ["inc", ESI],
      ["jmp", "@counts"],
      "tail",
      ["dec", EDI],
      ["jnz", "@round"],
      ["int", END],
      ["org", TWO],
      "counts",
      ["inc", EBX],
      ["jmp", "@tail"],
      ["org", THREE],
      "handler",
      ["out", LOWER_THE_LINE, AL],
      // How often the loop had counted when it came.
      ["add", EDX, EBX],
      ["iretd"],
    );
    rig.gate(rig.interruptVector, labels.handler + LIFT, CODE0, 0xee);
    rig.cpu.bus.write = (port) => rig.cpu.setInterruptLine(port === LOWER_THE_LINE ? 0 : 1);
    return ONE + LIFT;
  },
});

/** What the loop takes from the table: `first` one round in 16, else `usual`. */
function alternating(rig: Rig, usual: number, first: number): void {
  for (let index = 0; index < 16; index++) rig.word(CHOICE + 4 * index, index === 0 ? first : usual);
}

/** What a loop takes from the table each round changes what its next access does. */
const CHANGES: Record<string, { end: number; usual: number; first: number; take: Line[]; rings: readonly (0 | 3)[] }> =
  {
    "a segment stops being flat": {
      end: 13,
      usual: 0x23,
      first: LIMITED | 3,
      take: [["mov", { kind: "sreg", number: 3 }, EBP]],
      rings: [3],
    },
    "alignment is checked": {
      end: 17,
      usual: 0x202,
      first: 0x40202,
      take: [["push", EBP], ["popfd"]],
      rings: [3],
    },
    "steps are trapped": { end: 1, usual: 0x202, first: 0x302, take: [["push", EBP], ["popfd"]], rings: [0, 3] },
  };
for (const [what, { end, usual, first, take, rings }] of Object.entries(CHANGES)) {
  alike(test, `${what} in the middle of a loop`, {
    end,
    rings,
    prepare(rig) {
      rig.cpu.setControl(0, rig.cpu.control(0) | 0x40000);
      rig.descriptor(LIMITED, 0, 0xfff, 0x40f3);
      alternating(rig, usual, first);
      rig.code(
        ONE,
        // Fifteen rounds are ordinary.
        ["mov", EDI, ROUNDS - 1],
        "round",
        ...CHOOSE,
        ...take,
        ["add", ECX, at(null, DATA + 1)],
        ["inc", EBX],
        ["dec", EDI],
        ["jnz", "@round"],
        ["int", END],
      );
      return ONE + LIFT;
    },
  });
}

test("a region's module imports no table: the table would keep it, and the memory of its code, for ever", () => {
  const { Module } = WebAssembly;
  const regions: WebAssembly.Module[] = [];
  const rig = new Rig({ compileAfter: 0 });
  const host = WebAssembly as { Module: typeof Module };
  host.Module = class extends Module {
    constructor(bytes: Uint8Array) {
      super(bytes);
      regions.push(this);
    }
  };
  try {
    rig.code(ONE, ["inc", EBX], ["int", END]);
    rig.ring(0);
    rig.run(ONE, 10_000);
  } finally {
    host.Module = Module;
  }
  assert.ok(regions.length > 0, "something is compiled");
  for (const region of regions) {
    const kinds = Module.imports(region).map(({ kind }) => kind);
    assert.not(kinds.includes("table"), `a region imports ${[...new Set(kinds)].join(", ")}`);
  }
});

test.run();
