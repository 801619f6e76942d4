/**
 * ADD OR ADC SBB AND SUB XOR CMP, INC DEC NEG, in all forms. The 32-bit forms of the commonest are spelled out, so that the
 * host's compiler sees each operation alone; the rest are made by size and share a switch over Operation.operation.
 * May import operand.ts, memory.ts, eflags.ts, registers.ts, types. Source: Intel SDM volume 2, under each mnemonic.
 */
import type { Cpu } from "../cpu";
import { carry, Lazy } from "../eflags";
import { put8, put16, put32 } from "../memory";
import type { Handler, Operation } from "../operation";
import { Flag, Word } from "../registers";
import { operandRead, operandWrite } from "./operand";

/** In the order of the opcode map, which is that of ModRM.reg in the immediate groups. */
export const ALU_OPERATIONS: readonly string[] = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"];

const enum Alu {
  Add = 0,
  Or = 1,
  Adc = 2,
  Sbb = 3,
  And = 4,
  Sub = 5,
  Xor = 6,
}

/** a + b with its flags. */
export function add(r: Int32Array, a: number, b: number): number {
  const result = (a + b) | 0;
  r[Word.Lazy] = Lazy.Add;
  r[Word.LazyA] = a;
  r[Word.LazyB] = b;
  r[Word.LazyResult] = result;
  return result;
}

/** a - b with its flags. */
export function subtract(r: Int32Array, a: number, b: number): number {
  const result = (a - b) | 0;
  r[Word.Lazy] = Lazy.Sub;
  r[Word.LazyA] = a;
  r[Word.LazyB] = b;
  r[Word.LazyResult] = result;
  return result;
}

/** Leaves the flags of a logical operation: CF, OF and AF clear, the rest by the result (sign-extended). Returns it. */
export function logical(r: Int32Array, result: number): number {
  r[Word.Lazy] = Lazy.Add;
  r[Word.LazyA] = result;
  r[Word.LazyB] = 0;
  r[Word.LazyResult] = result;
  return result;
}

/** An operation on operands that are sign-extended from 32 - `shift` bits; so is the result. CMP is not among them. */
function alu(r: Int32Array, operation: number, a: number, b: number, shift: number): number {
  let result: number;
  switch (operation) {
    case Alu.Or:
      return logical(r, a | b);
    case Alu.And:
      return logical(r, a & b);
    case Alu.Xor:
      return logical(r, a ^ b);
    case Alu.Add:
      result = ((a + b) << shift) >> shift;
      r[Word.Lazy] = Lazy.Add;
      break;
    case Alu.Adc:
      result = ((a + b + carry(r)) << shift) >> shift;
      r[Word.Lazy] = Lazy.Add;
      break;
    case Alu.Sbb:
      result = ((a - b - carry(r)) << shift) >> shift;
      r[Word.Lazy] = Lazy.Sub;
      break;
    default:
      result = ((a - b) << shift) >> shift;
      r[Word.Lazy] = Lazy.Sub;
  }
  r[Word.LazyA] = a;
  r[Word.LazyB] = b;
  r[Word.LazyResult] = result;
  return result;
}

/** Flags of a - b on operands sign-extended from 32 - `shift` bits. */
export function compare(r: Int32Array, a: number, b: number, shift: number): void {
  r[Word.Lazy] = Lazy.Sub;
  r[Word.LazyA] = a;
  r[Word.LazyB] = b;
  r[Word.LazyResult] = ((a - b) << shift) >> shift;
}

/** 8- and 16-bit addition with flags; `a` and `b` may have any upper bits. */
export function add8(r: Int32Array, a: number, b: number): number {
  return alu(r, Alu.Add, (a << 24) >> 24, (b << 24) >> 24, 24);
}
export function add16(r: Int32Array, a: number, b: number): number {
  return alu(r, Alu.Add, (a << 16) >> 16, (b << 16) >> 16, 16);
}

/** INC and DEC leave CF alone: it is worked out before the rest becomes lazy. */
function keepCarry(r: Int32Array): void {
  const flag = carry(r);
  r[Word.Eflags] = (r[Word.Eflags] & ~Flag.CF) | flag;
}

function increment(r: Int32Array, a: number, shift: number): number {
  keepCarry(r);
  const result = ((a + 1) << shift) >> shift;
  r[Word.Lazy] = Lazy.Add & ~Flag.CF;
  r[Word.LazyA] = a;
  r[Word.LazyB] = 1;
  r[Word.LazyResult] = result;
  return result;
}

function decrement(r: Int32Array, a: number, shift: number): number {
  keepCarry(r);
  const result = ((a - 1) << shift) >> shift;
  r[Word.Lazy] = Lazy.Sub & ~Flag.CF;
  r[Word.LazyA] = a;
  r[Word.LazyB] = 1;
  r[Word.LazyResult] = result;
  return result;
}

function negate(r: Int32Array, a: number, shift: number): number {
  return alu(r, Alu.Sub, 0, a, shift);
}

const int8 = (cpu: Cpu, index: number): number => (cpu.r8[index] << 24) >> 24;
const int16 = (cpu: Cpu, index: number): number => (cpu.r16[index] << 16) >> 16;

/** The forms that write their destination, for all seven operations at once. */
const sharedForms: Record<string, Handler> = {
  "r1 r1"(cpu, op) {
    cpu.r8[op.destination] = alu(cpu.r, op.operation, int8(cpu, op.destination), int8(cpu, op.source), 24);
  },
  "r1 i"(cpu, op) {
    cpu.r8[op.destination] = alu(cpu.r, op.operation, int8(cpu, op.destination), op.immediate, 24);
  },
  "r1 m1"(cpu, op) {
    const at = operandRead(cpu, op, 1);
    if (at < 0) return;
    cpu.r8[op.destination] = alu(cpu.r, op.operation, int8(cpu, op.destination), cpu.view.getInt8(at), 24);
  },
  "m1 r1"(cpu, op) {
    const at = operandWrite(cpu, op, 1);
    if (at >= 0) put8(cpu, at, alu(cpu.r, op.operation, cpu.view.getInt8(at), int8(cpu, op.source), 24));
  },
  "m1 i"(cpu, op) {
    const at = operandWrite(cpu, op, 1);
    if (at >= 0) put8(cpu, at, alu(cpu.r, op.operation, cpu.view.getInt8(at), op.immediate, 24));
  },
  "r2 r2"(cpu, op) {
    cpu.r16[op.destination] = alu(cpu.r, op.operation, int16(cpu, op.destination), int16(cpu, op.source), 16);
  },
  "r2 i"(cpu, op) {
    cpu.r16[op.destination] = alu(cpu.r, op.operation, int16(cpu, op.destination), op.immediate, 16);
  },
  "r2 m2"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at < 0) return;
    cpu.r16[op.destination] = alu(cpu.r, op.operation, int16(cpu, op.destination), cpu.view.getInt16(at, true), 16);
  },
  "m2 r2"(cpu, op) {
    const at = operandWrite(cpu, op, 2);
    if (at >= 0) put16(cpu, at, alu(cpu.r, op.operation, cpu.view.getInt16(at, true), int16(cpu, op.source), 16));
  },
  "m2 i"(cpu, op) {
    const at = operandWrite(cpu, op, 2);
    if (at >= 0) put16(cpu, at, alu(cpu.r, op.operation, cpu.view.getInt16(at, true), op.immediate, 16));
  },
  "r4 r4"(cpu, op) {
    cpu.r[op.destination] = alu(cpu.r, op.operation, cpu.r[op.destination], cpu.r[op.source], 0);
  },
  "r4 i"(cpu, op) {
    cpu.r[op.destination] = alu(cpu.r, op.operation, cpu.r[op.destination], op.immediate, 0);
  },
  "r4 m4"(cpu, op) {
    const at = operandRead(cpu, op, 4);
    if (at < 0) return;
    cpu.r[op.destination] = alu(cpu.r, op.operation, cpu.r[op.destination], cpu.view.getInt32(at, true), 0);
  },
  "m4 r4"(cpu, op) {
    const at = operandWrite(cpu, op, 4);
    if (at >= 0) put32(cpu, at, alu(cpu.r, op.operation, cpu.view.getInt32(at, true), cpu.r[op.source], 0));
  },
  "m4 i"(cpu, op) {
    const at = operandWrite(cpu, op, 4);
    if (at >= 0) put32(cpu, at, alu(cpu.r, op.operation, cpu.view.getInt32(at, true), op.immediate, 0));
  },
};

const shared = ALU_OPERATIONS.slice(0, 7).flatMap((name): [string, Handler][] =>
  Object.entries(sharedForms).map(([form, handler]) => [`${name} ${form}`, handler]),
);

const spelledOut: Readonly<Record<string, Handler>> = {
  "add r4 r4"(cpu, op) {
    cpu.r[op.destination] = add(cpu.r, cpu.r[op.destination], cpu.r[op.source]);
  },
  "add r4 i"(cpu, op) {
    cpu.r[op.destination] = add(cpu.r, cpu.r[op.destination], op.immediate);
  },
  "add r4 m4"(cpu, op) {
    const at = operandRead(cpu, op, 4);
    if (at >= 0) cpu.r[op.destination] = add(cpu.r, cpu.r[op.destination], cpu.view.getInt32(at, true));
  },
  "add m4 r4"(cpu, op) {
    const at = operandWrite(cpu, op, 4);
    if (at >= 0) put32(cpu, at, add(cpu.r, cpu.view.getInt32(at, true), cpu.r[op.source]));
  },
  "add m4 i"(cpu, op) {
    const at = operandWrite(cpu, op, 4);
    if (at >= 0) put32(cpu, at, add(cpu.r, cpu.view.getInt32(at, true), op.immediate));
  },
  "sub r4 r4"(cpu, op) {
    cpu.r[op.destination] = subtract(cpu.r, cpu.r[op.destination], cpu.r[op.source]);
  },
  "sub r4 i"(cpu, op) {
    cpu.r[op.destination] = subtract(cpu.r, cpu.r[op.destination], op.immediate);
  },
  "sub r4 m4"(cpu, op) {
    const at = operandRead(cpu, op, 4);
    if (at >= 0) cpu.r[op.destination] = subtract(cpu.r, cpu.r[op.destination], cpu.view.getInt32(at, true));
  },
  "sub m4 r4"(cpu, op) {
    const at = operandWrite(cpu, op, 4);
    if (at >= 0) put32(cpu, at, subtract(cpu.r, cpu.view.getInt32(at, true), cpu.r[op.source]));
  },
  "sub m4 i"(cpu, op) {
    const at = operandWrite(cpu, op, 4);
    if (at >= 0) put32(cpu, at, subtract(cpu.r, cpu.view.getInt32(at, true), op.immediate));
  },
  "and r4 r4"(cpu, op) {
    cpu.r[op.destination] = logical(cpu.r, cpu.r[op.destination] & cpu.r[op.source]);
  },
  "and r4 i"(cpu, op) {
    cpu.r[op.destination] = logical(cpu.r, cpu.r[op.destination] & op.immediate);
  },
  "and r4 m4"(cpu, op) {
    const at = operandRead(cpu, op, 4);
    if (at >= 0) cpu.r[op.destination] = logical(cpu.r, cpu.r[op.destination] & cpu.view.getInt32(at, true));
  },
  "or r4 r4"(cpu, op) {
    cpu.r[op.destination] = logical(cpu.r, cpu.r[op.destination] | cpu.r[op.source]);
  },
  "or r4 i"(cpu, op) {
    cpu.r[op.destination] = logical(cpu.r, cpu.r[op.destination] | op.immediate);
  },
  "or r4 m4"(cpu, op) {
    const at = operandRead(cpu, op, 4);
    if (at >= 0) cpu.r[op.destination] = logical(cpu.r, cpu.r[op.destination] | cpu.view.getInt32(at, true));
  },
  "xor r4 r4"(cpu, op) {
    cpu.r[op.destination] = logical(cpu.r, cpu.r[op.destination] ^ cpu.r[op.source]);
  },
  "xor r4 i"(cpu, op) {
    cpu.r[op.destination] = logical(cpu.r, cpu.r[op.destination] ^ op.immediate);
  },
  "xor r4 m4"(cpu, op) {
    const at = operandRead(cpu, op, 4);
    if (at >= 0) cpu.r[op.destination] = logical(cpu.r, cpu.r[op.destination] ^ cpu.view.getInt32(at, true));
  },

  "cmp r4 r4"(cpu, op) {
    subtract(cpu.r, cpu.r[op.destination], cpu.r[op.source]);
  },
  "cmp r4 i"(cpu, op) {
    subtract(cpu.r, cpu.r[op.destination], op.immediate);
  },
  "cmp r4 m4"(cpu, op) {
    const at = operandRead(cpu, op, 4);
    if (at >= 0) subtract(cpu.r, cpu.r[op.destination], cpu.view.getInt32(at, true));
  },
  "cmp m4 r4"(cpu, op) {
    const at = operandRead(cpu, op, 4);
    if (at >= 0) subtract(cpu.r, cpu.view.getInt32(at, true), cpu.r[op.source]);
  },
  "cmp m4 i"(cpu, op) {
    const at = operandRead(cpu, op, 4);
    if (at >= 0) subtract(cpu.r, cpu.view.getInt32(at, true), op.immediate);
  },
  "cmp r1 r1"(cpu, op) {
    compare(cpu.r, int8(cpu, op.destination), int8(cpu, op.source), 24);
  },
  "cmp r1 i"(cpu, op) {
    compare(cpu.r, int8(cpu, op.destination), op.immediate, 24);
  },
  "cmp r1 m1"(cpu, op) {
    const at = operandRead(cpu, op, 1);
    if (at >= 0) compare(cpu.r, int8(cpu, op.destination), cpu.view.getInt8(at), 24);
  },
  "cmp m1 r1"(cpu, op) {
    const at = operandRead(cpu, op, 1);
    if (at >= 0) compare(cpu.r, cpu.view.getInt8(at), int8(cpu, op.source), 24);
  },
  "cmp m1 i"(cpu, op) {
    const at = operandRead(cpu, op, 1);
    if (at >= 0) compare(cpu.r, cpu.view.getInt8(at), op.immediate, 24);
  },
  "cmp r2 r2"(cpu, op) {
    compare(cpu.r, int16(cpu, op.destination), int16(cpu, op.source), 16);
  },
  "cmp r2 i"(cpu, op) {
    compare(cpu.r, int16(cpu, op.destination), op.immediate, 16);
  },
  "cmp r2 m2"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at >= 0) compare(cpu.r, int16(cpu, op.destination), cpu.view.getInt16(at, true), 16);
  },
  "cmp m2 r2"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at >= 0) compare(cpu.r, cpu.view.getInt16(at, true), int16(cpu, op.source), 16);
  },
  "cmp m2 i"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at >= 0) compare(cpu.r, cpu.view.getInt16(at, true), op.immediate, 16);
  },
};

/** An operation on one operand: its value sign-extended from 32 - `shift` bits, to the result. */
type Unary = (r: Int32Array, a: number, shift: number) => number;

/** All forms of a one-operand instruction. */
export function unaryForms(name: string, unary: Unary): [string, Handler][] {
  const memory = (size: number, apply: (cpu: Cpu, at: number) => void): Handler => {
    return (cpu: Cpu, op: Operation) => {
      const at = operandWrite(cpu, op, size);
      if (at >= 0) apply(cpu, at);
    };
  };
  return [
    [`${name} r1`, (cpu, op) => (cpu.r8[op.destination] = unary(cpu.r, int8(cpu, op.destination), 24))],
    [`${name} r2`, (cpu, op) => (cpu.r16[op.destination] = unary(cpu.r, int16(cpu, op.destination), 16))],
    [`${name} r4`, (cpu, op) => (cpu.r[op.destination] = unary(cpu.r, cpu.r[op.destination], 0))],
    [`${name} m1`, memory(1, (cpu, at) => put8(cpu, at, unary(cpu.r, cpu.view.getInt8(at), 24)))],
    [`${name} m2`, memory(2, (cpu, at) => put16(cpu, at, unary(cpu.r, cpu.view.getInt16(at, true), 16)))],
    [`${name} m4`, memory(4, (cpu, at) => put32(cpu, at, unary(cpu.r, cpu.view.getInt32(at, true), 0)))],
  ];
}

const hotUnary: Readonly<Record<string, Handler>> = {
  "inc r4"(cpu, op) {
    cpu.r[op.destination] = increment(cpu.r, cpu.r[op.destination], 0);
  },
  "dec r4"(cpu, op) {
    cpu.r[op.destination] = decrement(cpu.r, cpu.r[op.destination], 0);
  },
};

export const ARITHMETIC: Readonly<Record<string, Handler>> = {
  ...Object.fromEntries(shared),
  ...spelledOut,
  ...Object.fromEntries([
    ...unaryForms("inc", increment),
    ...unaryForms("dec", decrement),
    ...unaryForms("neg", negate),
  ]),
  ...hotUnary,
  // AL = CF ? FF : 0. Undocumented, and everywhere.
  salc(cpu) {
    cpu.r8[0] = -carry(cpu.r);
  },
};
