/**
 * MUL IMUL DIV IDIV. May import operand.ts, eflags.ts, faults.ts, registers.ts, types.
 * Flags after a multiplication: CF and OF say that the upper half matters; SF and PF follow the lower half, ZF and AF are
 * clear (the manual leaves them undefined; the P6 family does so). A division leaves all flags alone (undefined too).
 * Source: Intel SDM volume 2, under each mnemonic.
 */
import type { Cpu } from "../cpu";
import { setShiftFlags, setZero } from "../eflags";
import { raise, Vector } from "../faults";
import type { Handler, Operation } from "../operation";
import { Register } from "../registers";
import { operandRead } from "./operand";

const EAX = Register.EAX;
const EDX = Register.EDX;
const AH = 1;

/** Upper 32 bits of an unsigned product, int32. */
function highUnsigned(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const cross = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(cross / 0x10000)) | 0;
}

/** Upper 32 bits of a signed product. */
function highSigned(a: number, b: number): number {
  return (highUnsigned(a, b) - (a < 0 ? b : 0) - (b < 0 ? a : 0)) | 0;
}

function setProductFlags(cpu: Cpu, low: number, wide: boolean): void {
  setShiftFlags(cpu.r, low, wide ? 1 : 0, wide);
  setZero(cpu.r, false);
}

function mul(cpu: Cpu, size: number, b: number): void {
  const { r, r8, r16 } = cpu;
  if (size === 1) {
    const product = r8[EAX] * (b & 0xff);
    r16[EAX] = product;
    setProductFlags(cpu, (product << 24) >> 24, product > 0xff);
  } else if (size === 2) {
    const product = r16[EAX] * (b & 0xffff);
    r16[EAX] = product;
    r16[EDX << 1] = product >>> 16;
    setProductFlags(cpu, (product << 16) >> 16, product > 0xffff);
  } else {
    const high = highUnsigned(r[EAX], b);
    r[EAX] = Math.imul(r[EAX], b);
    r[EDX] = high;
    setProductFlags(cpu, r[EAX], high !== 0);
  }
}

function imul(cpu: Cpu, size: number, b: number): void {
  const { r, r8, r16 } = cpu;
  if (size === 1) {
    const product = ((r8[EAX] << 24) >> 24) * b;
    r16[EAX] = product;
    const low = (product << 24) >> 24;
    setProductFlags(cpu, low, low !== product);
  } else if (size === 2) {
    const product = ((r16[EAX] << 16) >> 16) * b;
    r16[EAX] = product;
    r16[EDX << 1] = product >> 16;
    const low = (product << 16) >> 16;
    setProductFlags(cpu, low, low !== product);
  } else {
    const high = highSigned(r[EAX], b);
    r[EAX] = Math.imul(r[EAX], b);
    r[EDX] = high;
    setProductFlags(cpu, r[EAX], high !== r[EAX] >> 31);
  }
}

/** IMUL with two or three operands, 32 bits: the lower half. */
function product32(cpu: Cpu, a: number, b: number): number {
  const low = Math.imul(a, b);
  setProductFlags(cpu, low, highSigned(a, b) !== low >> 31);
  return low;
}

function product16(cpu: Cpu, a: number, b: number): number {
  const product = Math.imul((a << 16) >> 16, (b << 16) >> 16);
  const low = (product << 16) >> 16;
  setProductFlags(cpu, low, low !== product);
  return low;
}

function divideError(cpu: Cpu): void {
  raise(cpu, Vector.DivideError);
}

/** Quotient and remainder of a 64-bit unsigned dividend by a divisor that is larger than its upper half. */
let remainder = 0;
function divide64(high: number, low: number, divisor: number): number {
  // 16 bits of the quotient at a time keep every intermediate below 2^53.
  const first = high * 0x10000 + (low >>> 16);
  const upper = Math.floor(first / divisor);
  const second = (first - upper * divisor) * 0x10000 + (low & 0xffff);
  const lower = Math.floor(second / divisor);
  remainder = second - lower * divisor;
  return upper * 0x10000 + lower;
}

function div(cpu: Cpu, size: number, b: number): void {
  const { r, r8, r16 } = cpu;
  if (size === 1) {
    const divisor = b & 0xff;
    const dividend = r16[EAX];
    if (divisor === 0 || dividend >>> 8 >= divisor) {
      divideError(cpu);
      return;
    }
    r8[EAX] = dividend / divisor;
    r8[AH] = dividend % divisor;
  } else if (size === 2) {
    const divisor = b & 0xffff;
    const dividend = ((r16[EDX << 1] << 16) | r16[EAX]) >>> 0;
    if (divisor === 0 || dividend >>> 16 >= divisor) {
      divideError(cpu);
      return;
    }
    r16[EAX] = dividend / divisor;
    r16[EDX << 1] = dividend % divisor;
  } else {
    const divisor = b >>> 0;
    const high = r[EDX] >>> 0;
    if (high >= divisor) {
      divideError(cpu);
      return;
    }
    if (high === 0) {
      const dividend = r[EAX] >>> 0;
      r[EAX] = dividend / divisor;
      r[EDX] = dividend % divisor;
    } else {
      r[EAX] = divide64(high, r[EAX], divisor);
      r[EDX] = remainder;
    }
  }
}

function idiv(cpu: Cpu, size: number, b: number): void {
  const { r8, r16 } = cpu;
  if (size === 1) {
    const dividend = (r16[EAX] << 16) >> 16;
    const quotient = b === 0 ? 128 : Math.trunc(dividend / b);
    if (quotient !== (quotient << 24) >> 24) {
      divideError(cpu);
      return;
    }
    r8[EAX] = quotient;
    r8[AH] = dividend - quotient * b;
  } else if (size === 2) {
    const dividend = (r16[EDX << 1] << 16) | r16[EAX];
    const quotient = b === 0 ? 0x8000 : Math.trunc(dividend / b);
    if (quotient !== (quotient << 16) >> 16) {
      divideError(cpu);
      return;
    }
    r16[EAX] = quotient;
    r16[EDX << 1] = dividend - quotient * b;
  } else idiv32(cpu, b);
}

function idiv32(cpu: Cpu, b: number): void {
  const { r } = cpu;
  const low = r[EAX];
  const high = r[EDX];
  if (b === 0) {
    divideError(cpu);
    return;
  }
  if (high === low >> 31) {
    // The dividend fits in 32 bits; only -2^31 / -1 does not.
    if (low === -0x80000000 && b === -1) {
      divideError(cpu);
      return;
    }
    r[EAX] = low / b;
    r[EDX] = low % b;
    return;
  }
  const negative = high < 0;
  const lowMagnitude = negative ? -low | 0 : low;
  const highMagnitude = (negative ? (low === 0 ? -high | 0 : ~high) : high) >>> 0;
  const divisor = Math.abs(b);
  if (highMagnitude >= divisor) {
    divideError(cpu);
    return;
  }
  const magnitude = divide64(highMagnitude, lowMagnitude, divisor);
  const quotient = negative === b < 0 ? magnitude : -magnitude;
  if (quotient > 0x7fffffff || quotient < -0x80000000) {
    divideError(cpu);
    return;
  }
  r[EAX] = quotient;
  r[EDX] = negative ? -remainder : remainder;
}

type Accumulate = (cpu: Cpu, size: number, b: number) => void;

/** The forms with AL, AX or EAX as the other operand. */
function accumulatorForms(name: string, apply: Accumulate): [string, Handler][] {
  const memory = (size: number, value: (view: DataView, at: number) => number): Handler => {
    return (cpu: Cpu, op: Operation) => {
      const at = operandRead(cpu, op, size);
      if (at >= 0) apply(cpu, size, value(cpu.view, at));
    };
  };
  return [
    [`${name} r1`, (cpu, op) => apply(cpu, 1, (cpu.r8[op.destination] << 24) >> 24)],
    [`${name} r2`, (cpu, op) => apply(cpu, 2, (cpu.r16[op.destination] << 16) >> 16)],
    [`${name} r4`, (cpu, op) => apply(cpu, 4, cpu.r[op.destination])],
    [`${name} m1`, memory(1, (view, at) => view.getInt8(at))],
    [`${name} m2`, memory(2, (view, at) => view.getInt16(at, true))],
    [`${name} m4`, memory(4, (view, at) => view.getInt32(at, true))],
  ];
}

export const MULTIPLICATION: Readonly<Record<string, Handler>> = {
  ...Object.fromEntries([
    ...accumulatorForms("mul", mul),
    ...accumulatorForms("imul", imul),
    ...accumulatorForms("div", div),
    ...accumulatorForms("idiv", idiv),
  ]),
  "imul r4 r4"(cpu, op) {
    cpu.r[op.destination] = product32(cpu, cpu.r[op.destination], cpu.r[op.source]);
  },
  "imul r4 m4"(cpu, op) {
    const at = operandRead(cpu, op, 4);
    if (at >= 0) cpu.r[op.destination] = product32(cpu, cpu.r[op.destination], cpu.view.getInt32(at, true));
  },
  "imul r4 r4 i"(cpu, op) {
    cpu.r[op.destination] = product32(cpu, cpu.r[op.source], op.immediate);
  },
  "imul r4 m4 i"(cpu, op) {
    const at = operandRead(cpu, op, 4);
    if (at >= 0) cpu.r[op.destination] = product32(cpu, cpu.view.getInt32(at, true), op.immediate);
  },
  "imul r2 r2"(cpu, op) {
    cpu.r16[op.destination] = product16(cpu, cpu.r16[op.destination], cpu.r16[op.source]);
  },
  "imul r2 m2"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at >= 0) cpu.r16[op.destination] = product16(cpu, cpu.r16[op.destination], cpu.view.getInt16(at, true));
  },
  "imul r2 r2 i"(cpu, op) {
    cpu.r16[op.destination] = product16(cpu, cpu.r16[op.source], op.immediate);
  },
  "imul r2 m2 i"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at >= 0) cpu.r16[op.destination] = product16(cpu, cpu.view.getInt16(at, true), op.immediate);
  },
};
