/**
 * x87 arithmetic and comparison: from ST, ST(i), singles, doubles and integers in memory.
 * May import x87.ts, x87load.ts, fpu/, operand.ts, eflags.ts, registers.ts, types. Source: Intel SDM volume 2, under each mnemonic.
 */
import type { Cpu } from "../cpu";
import { setArithmeticFlags } from "../eflags";
import { add, divide, divideReversed, multiply, squareRoot, subtract, subtractReversed } from "../fpu/arithmetic";
import { type Extended, Kind, setZero } from "../fpu/extended";
import { compare, extract, NO_QUOTIENT, Order, PARTIAL, remainder, roundInteger, scale } from "../fpu/remainder";
import type { Handler } from "../operation";
import { Flag, Word } from "../registers";
import { operandRead } from "./operand";
import {
  a,
  b,
  begin,
  clearC1,
  get,
  hasRoom,
  isEmpty,
  overflow,
  popTimes,
  push,
  put,
  ready,
  result,
  Status,
  setCodes,
  settle,
  underflow,
} from "./x87";
import { DOUBLE, INTEGER16, INTEGER32, type Reader, SINGLE } from "./x87load";

type Binary = (a: Extended, b: Extended, out: Extended) => void;
type Unary = (a: Extended, out: Extended) => void;

const OPERATIONS: readonly (readonly [string, Binary])[] = [
  ["add", add],
  ["mul", multiply],
  ["sub", subtract],
  ["subr", subtractReversed],
  ["div", divide],
  ["divr", divideReversed],
];

/** Destination register = destination with source. */
function ofRegisters(operate: Binary, pops: number): Handler {
  return (cpu, op) => {
    if (!ready(cpu)) return;
    begin(cpu, op);
    const { r } = cpu;
    if (isEmpty(r, op.destination) || isEmpty(r, op.source)) {
      if (!underflow(cpu)) return;
    } else {
      get(r, op.destination, a);
      get(r, op.source, b);
      operate(a, b, result);
      if (!settle(cpu)) return;
    }
    put(r, op.destination, result);
    popTimes(r, pops);
  };
}

/** ST = ST with memory. */
function ofMemory(operate: Binary, reader: Reader): Handler {
  const { bytes, read } = reader;
  return (cpu, op) => {
    if (!ready(cpu)) return;
    const at = operandRead(cpu, op, bytes);
    if (at < 0) return;
    begin(cpu, op);
    const { r } = cpu;
    if (isEmpty(r, 0)) {
      if (!underflow(cpu)) return;
    } else {
      read(cpu, at, b);
      get(r, 0, a);
      operate(a, b, result);
      if (!settle(cpu)) return;
    }
    put(r, 0, result);
  };
}

/** A handler of ST = an operation on ST. */
export function ofTop(operate: Unary): Handler {
  return (cpu, op) => {
    if (!ready(cpu)) return;
    begin(cpu, op);
    const { r } = cpu;
    if (isEmpty(r, 0)) {
      if (!underflow(cpu)) return;
    } else {
      get(r, 0, a);
      operate(a, result);
      if (!settle(cpu)) return;
    }
    put(r, 0, result);
  };
}

/** ST = an operation on ST and ST(1). */
function ofTwo(operate: Binary): Handler {
  return (cpu, op) => {
    if (!ready(cpu)) return;
    begin(cpu, op);
    const { r } = cpu;
    if (isEmpty(r, 0) || isEmpty(r, 1)) {
      if (!underflow(cpu)) return;
    } else {
      get(r, 0, a);
      get(r, 1, b);
      operate(a, b, result);
      if (!settle(cpu)) return;
    }
    put(r, 0, result);
  };
}

/** C3, C2, C0 by Order. */
const CODES = [0, Status.C0, Status.C3, Status.C0 | Status.C2 | Status.C3];
/** ZF, PF, CF by Order. */
const FLAGS = [0, Flag.CF, Flag.ZF, Flag.ZF | Flag.PF | Flag.CF];

function tellCodes(cpu: Cpu, order: Order): void {
  setCodes(cpu.r, CODES[order]);
}

function tellFlags(cpu: Cpu, order: Order): void {
  setArithmeticFlags(cpu.r, FLAGS[order]);
}

/**
 * Compares ST with `b`, or finds them unordered for want of an operand. The answer is told even where an unmasked exception
 * keeps the stack as it is.
 */
function finishCompare(cpu: Cpu, missing: boolean, quietly: boolean, pops: number, tell: typeof tellCodes): void {
  let order = Order.Unordered;
  if (!missing) {
    get(cpu.r, 0, a);
    order = compare(a, b, quietly);
  }
  const c1 = cpu.r[Word.FpuStatus] & Status.C1;
  const goesOn = missing ? underflow(cpu) : settle(cpu);
  // The FCOMI family leaves C1 alone but for a stack fault.
  if (!missing && tell === tellFlags) cpu.r[Word.FpuStatus] |= c1;
  tell(cpu, order);
  if (goesOn) popTimes(cpu.r, pops);
}

/** Compares ST with ST(i), or with ST(1) where there is no operand. */
function comparison(quietly: boolean, pops: number, tell = tellCodes): Handler {
  return (cpu, op) => {
    if (!ready(cpu)) return;
    begin(cpu, op);
    const { r } = cpu;
    // FUCOMPP and FCOMPP have rm = 1 in their bytes.
    get(r, op.rm, b);
    finishCompare(cpu, isEmpty(r, 0) || isEmpty(r, op.rm), quietly, pops, tell);
  };
}

function memoryComparison(reader: Reader, pops: number): Handler {
  const { bytes, read } = reader;
  return (cpu, op) => {
    if (!ready(cpu)) return;
    const at = operandRead(cpu, op, bytes);
    if (at < 0) return;
    begin(cpu, op);
    read(cpu, at, b);
    finishCompare(cpu, isEmpty(cpu.r, 0), false, pops, tellCodes);
  };
}

/** FPREM and FPREM1: C2 says that there is more to do; C0, C3, C1 are the quotient's bits 2, 1, 0. */
function partialRemainder(nearest: boolean): Handler {
  return (cpu, op) => {
    if (!ready(cpu)) return;
    begin(cpu, op);
    const { r } = cpu;
    r[Word.FpuStatus] &= ~Status.C2;
    if (isEmpty(r, 0) || isEmpty(r, 1)) {
      if (underflow(cpu)) put(r, 0, result);
      return;
    }
    get(r, 0, a);
    get(r, 1, b);
    const quotient = remainder(a, b, nearest, result);
    if (!settle(cpu)) return;
    put(r, 0, result);
    if (quotient === PARTIAL) setCodes(r, Status.C2);
    else if (quotient !== NO_QUOTIENT) {
      setCodes(r, (quotient & 4 ? Status.C0 : 0) | (quotient & 2 ? Status.C3 : 0));
      if (quotient & 1) r[Word.FpuStatus] |= Status.C1;
    }
  };
}

/** FXTRACT: ST becomes the exponent, and the significand is pushed. */
const extraction: Handler = (cpu, op) => {
  if (!ready(cpu)) return;
  begin(cpu, op);
  const { r } = cpu;
  if (isEmpty(r, 0) || !hasRoom(r)) {
    if (!(isEmpty(r, 0) ? underflow(cpu) : overflow(cpu))) return;
    put(r, 0, result);
    push(r, result);
    return;
  }
  get(r, 0, a);
  extract(a, b, result);
  if (!settle(cpu)) return;
  put(r, 0, b);
  push(r, result);
};

/** FABS and FCHS: only the sign bit counts, whatever the number is. */
function ofSign(keep: number, flip: number): Handler {
  return (cpu, op) => {
    if (!ready(cpu)) return;
    begin(cpu, op);
    const { r } = cpu;
    if (isEmpty(r, 0)) {
      if (!underflow(cpu)) return;
    } else {
      get(r, 0, result);
      result.sign = (result.sign & keep) ^ flip;
      clearC1(r);
    }
    put(r, 0, result);
  };
}

/** C3, C2, C0 of FXAM by Kind. */
const CLASS_CODES = [Status.C3, Status.C3 | Status.C2, Status.C2, Status.C2 | Status.C0, Status.C0, Status.C0, 0];

const handlers: Record<string, Handler> = {
  fcompp: comparison(false, 2),
  fucompp: comparison(true, 2),
  "fcom f": comparison(false, 0),
  "fcomp f": comparison(false, 1),
  "fucom f": comparison(true, 0),
  "fucomp f": comparison(true, 1),
  "fcomi f f": comparison(false, 0, tellFlags),
  "fcomip f f": comparison(false, 1, tellFlags),
  "fucomi f f": comparison(true, 0, tellFlags),
  "fucomip f f": comparison(true, 1, tellFlags),
  ftst(cpu, op) {
    if (!ready(cpu)) return;
    begin(cpu, op);
    setZero(b, 0);
    b.kind = Kind.Zero;
    finishCompare(cpu, isEmpty(cpu.r, 0), false, 0, tellCodes);
  },
  fxam(cpu, op) {
    if (!ready(cpu)) return;
    begin(cpu, op);
    const { r } = cpu;
    get(r, 0, a);
    setCodes(r, isEmpty(r, 0) ? Status.C3 | Status.C0 : CLASS_CODES[a.kind]);
    r[Word.FpuStatus] = (r[Word.FpuStatus] & ~Status.C1) | (a.sign !== 0 ? Status.C1 : 0);
  },
  fchs: ofSign(1, 1),
  fabs: ofSign(0, 0),
  fsqrt: ofTop(squareRoot),
  frndint: ofTop(roundInteger),
  fscale: ofTwo(scale),
  fprem: partialRemainder(false),
  fprem1: partialRemainder(true),
  fxtract: extraction,
};

for (const [name, operate] of OPERATIONS) {
  handlers[`f${name} f f`] = ofRegisters(operate, 0);
  handlers[`f${name}p f f`] = ofRegisters(operate, 1);
  handlers[`f${name} m4`] = ofMemory(operate, SINGLE);
  handlers[`f${name} m8`] = ofMemory(operate, DOUBLE);
  handlers[`fi${name} m2`] = ofMemory(operate, INTEGER16);
  handlers[`fi${name} m4`] = ofMemory(operate, INTEGER32);
}
for (const [suffix, pops] of [
  ["", 0],
  ["p", 1],
] as const) {
  handlers[`fcom${suffix} m4`] = memoryComparison(SINGLE, pops);
  handlers[`fcom${suffix} m8`] = memoryComparison(DOUBLE, pops);
  handlers[`ficom${suffix} m2`] = memoryComparison(INTEGER16, pops);
  handlers[`ficom${suffix} m4`] = memoryComparison(INTEGER32, pops);
}

export const X87_ARITHMETIC: Readonly<Record<string, Handler>> = handlers;
