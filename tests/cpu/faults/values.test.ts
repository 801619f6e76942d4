/** Faults and traps that depend on values: #DE, #BR, #OF, #BP, #DB by INT1; and the gates' privilege for the software ones. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CODE0, Rig } from "../rig";
import { FORMS, type Form } from "./forms";
import { CODE, Ground, placeOf } from "./ground";

const test = suite("cpu/faults/values");

const [DE, DB, BP, OF, BR, GP] = [0, 1, 3, 4, 5, 13];
const ground = new Ground();

function formsOf(mnemonic: RegExp): Form[] {
  const found = FORMS.filter((form) => mnemonic.test(form.row.mnemonic));
  assert.ok(found.length > 0, String(mnemonic));
  return found;
}

/** Bytes of a form's memory operand. */
function sizeOf({ accesses: [access] }: Form): number {
  return access.last - access.first + 1;
}

interface Case {
  /** The divisor or the words in memory, as a number of the operand's size. */
  memory: number;
  eax?: number;
  edx?: number;
}

/** Runs a form with values in memory and registers. */
function attempt(form: Form, { memory, eax = 0, edx = 0 }: Case): ReturnType<Ground["attempt"]> {
  const size = sizeOf(form);
  return ground.attempt(form, {
    registers: { 0: eax, 2: edx },
    spoil: (rig) => {
      const at = placeOf(form.accesses[0]);
      for (let i = 0; i < size; i++) rig.cpu.ram[at + i] = memory >>> (8 * Math.min(i, 3));
    },
  });
}

test("DIV and IDIV: by zero, and a quotient that does not fit, by one; the largest that fits", () => {
  for (const form of formsOf(/^i?div$/)) {
    const size = sizeOf(form);
    const top = 2 ** (8 * size - 1);
    const mask = 2 ** (8 * size) - 1;
    /** A dividend as EAX and EDX. */
    const dividend = (value: bigint): { eax: number; edx: number } => {
      const low = Number(BigInt.asUintN(size === 1 ? 16 : 8 * size, value));
      return { eax: low | 0, edx: Number(BigInt.asUintN(8 * size, value >> BigInt(8 * size))) | 0 };
    };
    const signed = form.row.mnemonic === "idiv";
    const largest = BigInt(signed ? top - 1 : mask);
    const faults: [string, Case][] = [
      ["by zero", { memory: 0, eax: 5 }],
      ["quotient one too large", { memory: 3, ...dividend((largest + 1n) * 3n) }],
    ];
    const fits: [string, Case][] = [["largest quotient", { memory: 3, ...dividend(largest * 3n + 2n) }]];
    if (signed) {
      faults.push(["smallest by -1", { memory: -1, ...dividend(BigInt(-top)) }]);
      faults.push(["one too small", { memory: 3, ...dividend(BigInt(-top - 1) * 3n) }]);
      fits.push(["smallest quotient", { memory: 3, ...dividend(BigInt(-top) * 3n - 2n) }]);
    }
    for (const [what, values] of faults) ground.expectFault(attempt(form, values), `${form.name}: ${what}`, DE, -1);
    for (const [what, values] of fits) assert.is(attempt(form, values), null, `${form.name}: ${what}`);
  }
});

test("AAM by zero is #DE; by anything else it is not", () => {
  const [form] = formsOf(/^aam$/);
  ground.expectFault(ground.attempt(form), "aam 0", DE, -1);
  assert.is(ground.attempt(form, { bytes: [0xd4, 3] }), null);
});

test("BOUND: #BR below and above its signed bounds, nothing on them", () => {
  for (const form of formsOf(/^bound$/)) {
    const half = sizeOf(form) / 2;
    for (const [low, high, index, faults] of [
      [-2, 3, -3, true],
      [-2, 3, -2, false],
      [-2, 3, 3, false],
      [-2, 3, 4, true],
      [5, 4, 4, true],
      [5, 4, 5, true],
    ] as const) {
      const trap = ground.attempt(form, {
        // The index is ECX.
        registers: { 1: index },
        spoil: (rig) => {
          const at = placeOf(form.accesses[0]);
          for (let i = 0; i < half; i++) {
            rig.cpu.ram[at + i] = low >> (8 * i);
            rig.cpu.ram[at + half + i] = high >> (8 * i);
          }
        },
      });
      const text = `${form.name}: ${index} in ${low}..${high}`;
      if (faults) ground.expectFault(trap, text, BR, -1);
      else assert.is(trap, null, text);
    }
  }
});

test("INT3, INTO, INT n and INT1 are traps: EIP behind them; the software ones want the gate's privilege", () => {
  for (const [bytes, vector, checked] of [
    [[0xcc], BP, true],
    [[0xce], OF, true],
    [[0xcd, 0x42], 0x42, true],
    [[0xf1], DB, false],
  ] as const) {
    for (const dpl of [3, 0]) {
      const rig = new Rig();
      rig.gate(vector, 0x8000, CODE0, 0x8e | (dpl << 5));
      rig.ring(3);
      rig.cpu.ram.set(bytes, CODE);
      rig.cpu.eflags = 0x802;
      const trap = rig.run(CODE);
      const text = `${bytes} through a gate of DPL ${dpl}`;
      if (checked && dpl === 0) assert.equal([trap?.vector, trap?.error, trap?.eip], [GP, vector * 8 + 2, CODE], text);
      else {
        assert.equal([trap?.vector, trap?.error, trap?.eip], [vector, -1, CODE + bytes.length], text);
        assert.is(rig.word(rig.cpu.register(4) + 8), 0x802, `${text}: EFLAGS`);
      }
    }
  }
  const rig = new Rig();
  rig.cpu.ram.set([0xce, 0xcd, 0x80], CODE);
  assert.is(rig.run(CODE)?.vector, 0x80, "INTO without OF does nothing");
});

test.run();
