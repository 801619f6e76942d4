/**
 * ROL ROR RCL RCR SHL SHR SAR, SHLD SHRD. May import operand.ts, memory.ts, eflags.ts, registers.ts, types.
 * Counts are taken modulo 32. A count of 0 changes nothing, flags included (RCL and RCR: modulo the operand's bits and one).
 * Flags that the manual leaves undefined, as the P6 family has them (docs/conformance.md): OF at counts above 1 is what a
 * shift or rotation by 1 would have made it; AF is cleared by the shifts.
 * Source: Intel SDM volume 2, under each mnemonic.
 */
import type { Cpu } from "../cpu";
import { carry, setRotateFlags, setShiftFlags } from "../eflags";
import { put8, put16, put32 } from "../memory";
import type { Handler } from "../operation";
import { operandWrite } from "./operand";

/** In the order of ModRM.reg; /6 is SHL too. */
export const SHIFT_OPERATIONS: readonly string[] = ["rol", "ror", "rcl", "rcr", "shl", "shr", "", "sar"];

const enum Shift {
  Rol = 0,
  Ror = 1,
  Rcl = 2,
  Rcr = 3,
  Shl = 4,
  Shr = 5,
}

/** CL in the byte view of the register file. */
const CL = 4;

/** Rotates the low `bits` of `a` and CF by `count` (1 to `bits`), to the left or the right. */
function throughCarry(r: Int32Array, a: number, count: number, bits: number, left: boolean): number {
  let cf = carry(r);
  let value = a;
  const overflow = (a >>> (bits - 1)) ^ (left ? a >>> (bits - 2) : cf);
  for (let i = 0; i < count; i++) {
    if (left) {
      const out = (value >>> (bits - 1)) & 1;
      value = (value << 1) | cf;
      cf = out;
    } else {
      const out = value & 1;
      value = ((bits === 32 ? value >>> 0 : value & ((1 << bits) - 1)) >>> 1) | (cf << (bits - 1));
      cf = out;
    }
  }
  setRotateFlags(r, cf, overflow);
  return value;
}

/** The shift or rotation of an operand that is sign-extended from `bits` bits, by a count of 1 to 31. */
function shift(r: Int32Array, operation: number, a: number, count: number, bits: number): number {
  const spare = 32 - bits;
  // The operand without its sign extension.
  const unsigned = (a << spare) >>> spare;
  switch (operation) {
    case Shift.Rol: {
      const by = count & (bits - 1);
      const result = by === 0 ? unsigned : (unsigned << by) | (unsigned >>> (bits - by));
      setRotateFlags(r, result & 1, (unsigned >>> (bits - 1)) ^ (unsigned >>> (bits - 2)));
      return result;
    }
    case Shift.Ror: {
      const by = count & (bits - 1);
      const result = by === 0 ? unsigned : (unsigned >>> by) | (unsigned << (bits - by));
      setRotateFlags(r, (result >>> (bits - 1)) & 1, (unsigned >>> (bits - 1)) ^ unsigned);
      return result;
    }
    case Shift.Rcl:
    case Shift.Rcr: {
      const by = count % (bits + 1);
      return by === 0 ? a : throughCarry(r, unsigned, by, bits, operation === Shift.Rcl);
    }
    case Shift.Shl: {
      const result = count >= bits ? 0 : ((unsigned << count) << spare) >> spare;
      const out = count > bits ? 0 : unsigned >>> (bits - count);
      setShiftFlags(r, result, out, ((unsigned ^ (unsigned << 1)) & (1 << (bits - 1))) !== 0);
      return result;
    }
    case Shift.Shr: {
      const before = unsigned >>> (count - 1);
      const result = ((before >>> 1) << spare) >> spare;
      setShiftFlags(r, result, before, a < 0);
      return result;
    }
    default: {
      const before = a >> (count - 1);
      setShiftFlags(r, before >> 1, before, false);
      return before >> 1;
    }
  }
}

/** SHLD of `bits` bits by 1 to 31: `a` shifted left, filled from the top of `b`; a 16-bit count above 16 goes on with `a`. */
function doubleLeft(r: Int32Array, a: number, b: number, count: number, bits: number): number {
  const spare = 32 - bits;
  const x = (a << spare) >>> spare;
  const y = (b << spare) >>> spare;
  const wrapped = count > bits;
  const result = wrapped
    ? (y << (count - bits)) | (x >>> (2 * bits - count))
    : count === bits
      ? y
      : (x << count) | (y >>> (bits - count));
  const out = wrapped ? y >>> (2 * bits - count) : x >>> (bits - count);
  const extended = (result << spare) >> spare;
  setShiftFlags(r, extended, out, ((x ^ (x << 1)) & (1 << (bits - 1))) !== 0);
  return extended;
}

/** SHRD, the mirror image. */
function doubleRight(r: Int32Array, a: number, b: number, count: number, bits: number): number {
  const spare = 32 - bits;
  const x = (a << spare) >>> spare;
  const y = (b << spare) >>> spare;
  const wrapped = count > bits;
  const result = wrapped
    ? (y >>> (count - bits)) | (x << (2 * bits - count))
    : count === bits
      ? y
      : (x >>> count) | (y << (bits - count));
  const out = wrapped ? y >>> (count - bits - 1) : x >>> (count - 1);
  const extended = (result << spare) >> spare;
  setShiftFlags(r, extended, out, (((x >>> (bits - 1)) ^ y) & 1) !== 0);
  return extended;
}

type Double = (r: Int32Array, a: number, b: number, count: number, bits: number) => number;

type CountOf = (cpu: Cpu, immediate: number) => number;

const byImmediate: CountOf = (_cpu, immediate) => immediate & 31;
const byCl: CountOf = (cpu) => cpu.r8[CL] & 31;

/** The forms of a single shift with one kind of count. */
function singleForms(count: string, countOf: CountOf): [string, Handler][] {
  return [
    [
      `r1 ${count}`,
      (cpu, op) => {
        const by = countOf(cpu, op.immediate);
        if (by === 0) return;
        cpu.r8[op.destination] = shift(cpu.r, op.operation, (cpu.r8[op.destination] << 24) >> 24, by, 8);
      },
    ],
    [
      `r2 ${count}`,
      (cpu, op) => {
        const by = countOf(cpu, op.immediate);
        if (by === 0) return;
        cpu.r16[op.destination] = shift(cpu.r, op.operation, (cpu.r16[op.destination] << 16) >> 16, by, 16);
      },
    ],
    [
      `r4 ${count}`,
      (cpu, op) => {
        const by = countOf(cpu, op.immediate);
        if (by === 0) return;
        cpu.r[op.destination] = shift(cpu.r, op.operation, cpu.r[op.destination], by, 32);
      },
    ],
    // A count of 0 still needs an operand that can be written.
    [
      `m1 ${count}`,
      (cpu, op) => {
        const by = countOf(cpu, op.immediate);
        const at = operandWrite(cpu, op, 1);
        if (at >= 0 && by !== 0) put8(cpu, at, shift(cpu.r, op.operation, cpu.view.getInt8(at), by, 8));
      },
    ],
    [
      `m2 ${count}`,
      (cpu, op) => {
        const by = countOf(cpu, op.immediate);
        const at = operandWrite(cpu, op, 2);
        if (at >= 0 && by !== 0) put16(cpu, at, shift(cpu.r, op.operation, cpu.view.getInt16(at, true), by, 16));
      },
    ],
    [
      `m4 ${count}`,
      (cpu, op) => {
        const by = countOf(cpu, op.immediate);
        const at = operandWrite(cpu, op, 4);
        if (at >= 0 && by !== 0) put32(cpu, at, shift(cpu.r, op.operation, cpu.view.getInt32(at, true), by, 32));
      },
    ],
  ];
}

/** The forms of a double shift with one kind of count. */
function doubleForms(name: string, double: Double, count: string, countOf: CountOf): [string, Handler][] {
  return [
    [
      `${name} r2 r2 ${count}`,
      (cpu, op) => {
        const by = countOf(cpu, op.immediate);
        if (by === 0) return;
        cpu.r16[op.destination] = double(cpu.r, cpu.r16[op.destination], cpu.r16[op.source], by, 16);
      },
    ],
    [
      `${name} r4 r4 ${count}`,
      (cpu, op) => {
        const by = countOf(cpu, op.immediate);
        if (by === 0) return;
        cpu.r[op.destination] = double(cpu.r, cpu.r[op.destination], cpu.r[op.source], by, 32);
      },
    ],
    [
      `${name} m2 r2 ${count}`,
      (cpu, op) => {
        const by = countOf(cpu, op.immediate);
        const at = operandWrite(cpu, op, 2);
        if (at < 0 || by === 0) return;
        put16(cpu, at, double(cpu.r, cpu.view.getUint16(at, true), cpu.r16[op.source], by, 16));
      },
    ],
    [
      `${name} m4 r4 ${count}`,
      (cpu, op) => {
        const by = countOf(cpu, op.immediate);
        const at = operandWrite(cpu, op, 4);
        if (at < 0 || by === 0) return;
        put32(cpu, at, double(cpu.r, cpu.view.getInt32(at, true), cpu.r[op.source], by, 32));
      },
    ],
  ];
}

const forms = [...singleForms("i", byImmediate), ...singleForms("r1", byCl)];

const single = SHIFT_OPERATIONS.filter((name) => name !== "").flatMap((name): [string, Handler][] =>
  forms.map(([form, handler]) => [`${name} ${form}`, handler]),
);

const hot: Readonly<Record<string, Handler>> = {
  "shl r4 i"(cpu, op) {
    const by = op.immediate & 31;
    if (by === 0) return;
    const { r } = cpu;
    const a = r[op.destination];
    r[op.destination] = a << by;
    setShiftFlags(r, a << by, a >>> (32 - by), (a ^ (a << 1)) < 0);
  },
  "shr r4 i"(cpu, op) {
    const by = op.immediate & 31;
    if (by === 0) return;
    const { r } = cpu;
    const a = r[op.destination];
    r[op.destination] = a >>> by;
    setShiftFlags(r, a >>> by, a >>> (by - 1), a < 0);
  },
  "rol r4 i"(cpu, op) {
    const by = op.immediate & 31;
    if (by === 0) return;
    const { r } = cpu;
    const a = r[op.destination];
    const result = (a << by) | (a >>> (32 - by));
    r[op.destination] = result;
    setRotateFlags(r, result, (a >>> 31) ^ (a >>> 30));
  },
  "sar r4 i"(cpu, op) {
    const by = op.immediate & 31;
    if (by === 0) return;
    const { r } = cpu;
    const before = r[op.destination] >> (by - 1);
    r[op.destination] = before >> 1;
    setShiftFlags(r, before >> 1, before, false);
  },
};

export const SHIFTS: Readonly<Record<string, Handler>> = {
  ...Object.fromEntries([
    ...single,
    ...doubleForms("shld", doubleLeft, "i", byImmediate),
    ...doubleForms("shld", doubleLeft, "r1", byCl),
    ...doubleForms("shrd", doubleRight, "i", byImmediate),
    ...doubleForms("shrd", doubleRight, "r1", byCl),
  ]),
  ...hot,
};
