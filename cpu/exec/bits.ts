/**
 * BT BTS BTR BTC, BSF BSR, SETcc. May import operand.ts, memory.ts, eflags.ts, segmentation.ts, registers.ts, types.
 * A bit offset in a register selects memory beyond the operand: the offset is signed and counts in operand-size units.
 * Flags that the manual leaves undefined: BT and its kin change CF only; BSF and BSR clear CF, AF, SF and OF, set
 * PF by the index that they found, and leave their destination alone when the source is zero (PF is set then).
 * Source: Intel SDM volume 2, under each mnemonic.
 */
import type { Cpu } from "../cpu";
import { condition, evenParity, setArithmeticFlags, setCarry } from "../eflags";
import { CONDITIONS } from "../isa";
import { put8, put16, put32, readAt, writeAt } from "../memory";
import type { Handler, Operation } from "../operation";
import { Flag } from "../registers";
import { checkedRead, checkedWrite, effectiveAddress, operandRead, operandWrite } from "./operand";

/** In the order of ModRM.reg from 4. */
export const BIT_OPERATIONS: readonly string[] = ["bt", "bts", "btr", "btc"];

const enum Bit {
  Test = 0,
  Set = 1,
  Reset = 2,
}

/** Puts a bit of `value` in CF and returns the value with the bit changed. */
function changeBit(r: Int32Array, operation: number, value: number, bit: number): number {
  setCarry(r, value >>> bit);
  const mask = 1 << bit;
  switch (operation) {
    case Bit.Test:
      return value;
    case Bit.Set:
      return value | mask;
    case Bit.Reset:
      return value & ~mask;
    default:
      return value ^ mask;
  }
}

/** Host offset of the unit of `size` bytes that a register's bit offset selects, or FAULT. */
function bitUnit(cpu: Cpu, op: Operation, bitOffset: number, size: number): number {
  const { r } = cpu;
  const offset = effectiveAddress(r, op) + (bitOffset >> (size === 4 ? 5 : 4)) * size;
  const wrapped = op.addressSize === 2 ? offset & 0xffff : offset | 0;
  if (op.operation === Bit.Test) {
    return op.checked === 0 ? readAt(cpu, wrapped, size) : checkedRead(cpu, op.segment, wrapped, size);
  }
  return op.checked === 0 ? writeAt(cpu, wrapped, size) : checkedWrite(cpu, op.segment, wrapped, size);
}

const bitForms: Readonly<Record<string, Handler>> = {
  "r4 r4"(cpu, op) {
    const { r } = cpu;
    r[op.destination] = changeBit(r, op.operation, r[op.destination], r[op.source] & 31);
  },
  "r4 i"(cpu, op) {
    const { r } = cpu;
    r[op.destination] = changeBit(r, op.operation, r[op.destination], op.immediate & 31);
  },
  "r2 r2"(cpu, op) {
    const { r16 } = cpu;
    r16[op.destination] = changeBit(cpu.r, op.operation, r16[op.destination], r16[op.source] & 15);
  },
  "r2 i"(cpu, op) {
    const { r16 } = cpu;
    r16[op.destination] = changeBit(cpu.r, op.operation, r16[op.destination], op.immediate & 15);
  },
  "m4 r4"(cpu, op) {
    const bit = cpu.r[op.source];
    const at = bitUnit(cpu, op, bit, 4);
    if (at < 0) return;
    const value = changeBit(cpu.r, op.operation, cpu.view.getInt32(at, true), bit & 31);
    if (op.operation !== Bit.Test) put32(cpu, at, value);
  },
  "m2 r2"(cpu, op) {
    const bit = (cpu.r16[op.source] << 16) >> 16;
    const at = bitUnit(cpu, op, bit, 2);
    if (at < 0) return;
    const value = changeBit(cpu.r, op.operation, cpu.view.getUint16(at, true), bit & 15);
    if (op.operation !== Bit.Test) put16(cpu, at, value);
  },
  "m4 i"(cpu, op) {
    const at = op.operation === Bit.Test ? operandRead(cpu, op, 4) : operandWrite(cpu, op, 4);
    if (at < 0) return;
    const value = changeBit(cpu.r, op.operation, cpu.view.getInt32(at, true), op.immediate & 31);
    if (op.operation !== Bit.Test) put32(cpu, at, value);
  },
  "m2 i"(cpu, op) {
    const at = op.operation === Bit.Test ? operandRead(cpu, op, 2) : operandWrite(cpu, op, 2);
    if (at < 0) return;
    const value = changeBit(cpu.r, op.operation, cpu.view.getUint16(at, true), op.immediate & 15);
    if (op.operation !== Bit.Test) put16(cpu, at, value);
  },
};

/** Index of the lowest or highest one in a value that is not zero. */
function lowestBit(value: number): number {
  return 31 - Math.clz32(value & -value);
}
function highestBit(value: number): number {
  return 31 - Math.clz32(value);
}

/** Index of the bit that a scan finds in `value`, or -1 in zero. Sets the flags. */
function scanned(r: Int32Array, value: number, scan: (value: number) => number): number {
  if (value === 0) {
    setArithmeticFlags(r, Flag.ZF | Flag.PF);
    return -1;
  }
  const index = scan(value);
  setArithmeticFlags(r, evenParity(index) ? Flag.PF : 0);
  return index;
}

function scanForms(name: string, scan: (value: number) => number): [string, Handler][] {
  return [
    [
      `${name} r4 r4`,
      (cpu, op) => {
        const index = scanned(cpu.r, cpu.r[op.source], scan);
        if (index >= 0) cpu.r[op.destination] = index;
      },
    ],
    [
      `${name} r4 m4`,
      (cpu, op) => {
        const at = operandRead(cpu, op, 4);
        if (at < 0) return;
        const index = scanned(cpu.r, cpu.view.getInt32(at, true), scan);
        if (index >= 0) cpu.r[op.destination] = index;
      },
    ],
    [
      `${name} r2 r2`,
      (cpu, op) => {
        const index = scanned(cpu.r, cpu.r16[op.source], scan);
        if (index >= 0) cpu.r16[op.destination] = index;
      },
    ],
    [
      `${name} r2 m2`,
      (cpu, op) => {
        const at = operandRead(cpu, op, 2);
        if (at < 0) return;
        const index = scanned(cpu.r, cpu.view.getUint16(at, true), scan);
        if (index >= 0) cpu.r16[op.destination] = index;
      },
    ],
  ];
}

const setForms = CONDITIONS.flatMap((name, code): [string, Handler][] => [
  [
    `set${name} r1`,
    (cpu, op) => {
      cpu.r8[op.destination] = condition(cpu.r, code) ? 1 : 0;
    },
  ],
  [
    `set${name} m1`,
    (cpu, op) => {
      const at = operandWrite(cpu, op, 1);
      if (at >= 0) put8(cpu, at, condition(cpu.r, code) ? 1 : 0);
    },
  ],
]);

export const BITS: Readonly<Record<string, Handler>> = Object.fromEntries([
  ...BIT_OPERATIONS.flatMap((name): [string, Handler][] =>
    Object.entries(bitForms).map(([form, handler]) => [`${name} ${form}`, handler]),
  ),
  ...scanForms("bsf", lowestBit),
  ...scanForms("bsr", highestBit),
  ...setForms,
]);
