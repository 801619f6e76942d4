/**
 * Loops over several pages of code, each a region of its own, whose translations are lost: flushed, driven out by data and by each
 * other, and gone from the tables. A jump into such a page is walked for, charged and refused as it would be interpreted.
 */
import { suite } from "uvu";
import { creg } from "../../../cpu/encoder";
import { at, EAX, EBP, EBX, ECX, EDI, EDX, ESI, ESP, GLOBAL, type Line, PRESENT, type Rig, rep } from "../rig";
import { alike, CHOICE, CHOOSE, DATA, END, FAR, FARTHER, LIFT, ONE, ROUNDS, STACK, THREE, TWO } from "./scenes";

const test = suite("cpu/compile/translations");

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
    alike(test, `a loop over two ${global !== 0 ? "global " : ""}pages loses a translation by ${how}`, {
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
  alike(test, `data drives the code's translations out by ${how}`, {
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
  alike(test, `pages without a translation are reached by ${how}`, {
    ebx: 8 * ROUNDS,
    rings: [3],
    prepare: (rig) => ringOfPages(rig, way, [stack]),
  });

  alike(test, `they lose the accessed bit, too, and are reached by ${how}`, {
    ebx: 8 * ROUNDS,
    rings: [0],
    prepare(rig) {
      const target = FAR + 5 * FARTHER + LIFT;
      return ringOfPages(rig, way, [stack, ["and", at(null, rig.pte(target)), ~0x20], ["invlpg", at(null, target, 1)]]);
    },
  });

  alike(test, `at last one is not there when it is reached by ${how}`, {
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

alike(test, "a loop falls from one page into the next, with and without an instruction across", {
  ebx: 3 * ROUNDS,
  prepare(rig) {
    rig.code(
      TWO - 4,
      "round",
      ["inc", EBX],
      ["inc", EDX],
      ["inc", EBX],
      ["inc", ESI],
      // Here TWO begins; THREE begins in the middle of an instruction.
      ["cmp", EDX, 50],
      ["jmp", "@crossing"],
      ["org", THREE - 9],
      "crossing",
      ["adc", ESI, 0x12345],
      ["add", EBX, 1],
      ["inc", ESI],
      ["dec", EDI],
      ["jnz", "@round"],
      ["int", END],
    );
    return TWO - 4 + LIFT;
  },
});

test.run();
