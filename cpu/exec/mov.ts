/**
 * Moves: MOV between registers, memory and immediates, MOVZX, MOVSX, LEA, XCHG, BSWAP, XLAT, CMPXCHG, CMPXCHG8B, XADD, and the
 * conversions within EAX and EDX. May import operand.ts, memory.ts, eflags.ts, registers.ts, types; arith.ts for the flags.
 * Source: Intel SDM volume 2, under each mnemonic.
 */
import { setZero } from "../eflags";
import { finishWrite, put8, put16, put32, readAt } from "../memory";
import type { Handler } from "../operation";
import { Layout, Register } from "../registers";
import { add, add8, add16, compare, subtract } from "./arith";
import { checkedRead, effectiveAddress, operandRead, operandWrite } from "./operand";

const EAX = Register.EAX;
const EDX = Register.EDX;

function swapBytes(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

export const MOVES: Readonly<Record<string, Handler>> = {
  "mov r4 r4"(cpu, op) {
    cpu.r[op.destination] = cpu.r[op.source];
  },
  "mov r4 i"(cpu, op) {
    cpu.r[op.destination] = op.immediate;
  },
  "mov r4 m4"(cpu, op) {
    const at = operandRead(cpu, op, 4);
    if (at >= 0) cpu.r[op.destination] = cpu.view.getInt32(at, true);
  },
  "mov m4 r4"(cpu, op) {
    const at = operandWrite(cpu, op, 4);
    if (at >= 0) put32(cpu, at, cpu.r[op.source]);
  },
  "mov m4 i"(cpu, op) {
    const at = operandWrite(cpu, op, 4);
    if (at >= 0) put32(cpu, at, op.immediate);
  },
  "mov r2 r2"(cpu, op) {
    cpu.r16[op.destination] = cpu.r16[op.source];
  },
  "mov r2 i"(cpu, op) {
    cpu.r16[op.destination] = op.immediate;
  },
  "mov r2 m2"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at >= 0) cpu.r16[op.destination] = cpu.view.getUint16(at, true);
  },
  "mov m2 r2"(cpu, op) {
    const at = operandWrite(cpu, op, 2);
    if (at >= 0) put16(cpu, at, cpu.r16[op.source]);
  },
  "mov m2 i"(cpu, op) {
    const at = operandWrite(cpu, op, 2);
    if (at >= 0) put16(cpu, at, op.immediate);
  },
  "mov r1 r1"(cpu, op) {
    cpu.r8[op.destination] = cpu.r8[op.source];
  },
  "mov r1 i"(cpu, op) {
    cpu.r8[op.destination] = op.immediate;
  },
  "mov r1 m1"(cpu, op) {
    const at = operandRead(cpu, op, 1);
    if (at >= 0) cpu.r8[op.destination] = cpu.view.getUint8(at);
  },
  "mov m1 r1"(cpu, op) {
    const at = operandWrite(cpu, op, 1);
    if (at >= 0) put8(cpu, at, cpu.r8[op.source]);
  },
  "mov m1 i"(cpu, op) {
    const at = operandWrite(cpu, op, 1);
    if (at >= 0) put8(cpu, at, op.immediate);
  },

  "movzx r4 r1"(cpu, op) {
    cpu.r[op.destination] = cpu.r8[op.source];
  },
  "movzx r4 m1"(cpu, op) {
    const at = operandRead(cpu, op, 1);
    if (at >= 0) cpu.r[op.destination] = cpu.view.getUint8(at);
  },
  "movzx r4 r2"(cpu, op) {
    cpu.r[op.destination] = cpu.r16[op.source];
  },
  "movzx r4 m2"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at >= 0) cpu.r[op.destination] = cpu.view.getUint16(at, true);
  },
  "movzx r2 r1"(cpu, op) {
    cpu.r16[op.destination] = cpu.r8[op.source];
  },
  "movzx r2 m1"(cpu, op) {
    const at = operandRead(cpu, op, 1);
    if (at >= 0) cpu.r16[op.destination] = cpu.view.getUint8(at);
  },
  "movzx r2 r2"(cpu, op) {
    cpu.r16[op.destination] = cpu.r16[op.source];
  },
  "movzx r2 m2"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at >= 0) cpu.r16[op.destination] = cpu.view.getUint16(at, true);
  },
  "movsx r4 r1"(cpu, op) {
    cpu.r[op.destination] = (cpu.r8[op.source] << 24) >> 24;
  },
  "movsx r4 m1"(cpu, op) {
    const at = operandRead(cpu, op, 1);
    if (at >= 0) cpu.r[op.destination] = cpu.view.getInt8(at);
  },
  "movsx r4 r2"(cpu, op) {
    cpu.r[op.destination] = (cpu.r16[op.source] << 16) >> 16;
  },
  "movsx r4 m2"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at >= 0) cpu.r[op.destination] = cpu.view.getInt16(at, true);
  },
  "movsx r2 r1"(cpu, op) {
    cpu.r16[op.destination] = (cpu.r8[op.source] << 24) >> 24;
  },
  "movsx r2 m1"(cpu, op) {
    const at = operandRead(cpu, op, 1);
    if (at >= 0) cpu.r16[op.destination] = cpu.view.getInt8(at);
  },
  "movsx r2 r2"(cpu, op) {
    cpu.r16[op.destination] = cpu.r16[op.source];
  },
  "movsx r2 m2"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at >= 0) cpu.r16[op.destination] = cpu.view.getUint16(at, true);
  },

  "lea r4 m"(cpu, op) {
    cpu.r[op.destination] = effectiveAddress(cpu.r, op);
  },
  "lea r2 m"(cpu, op) {
    cpu.r16[op.destination] = effectiveAddress(cpu.r, op);
  },

  "xchg r4 r4"(cpu, op) {
    const { r } = cpu;
    const value = r[op.destination];
    r[op.destination] = r[op.source];
    r[op.source] = value;
  },
  "xchg m4 r4"(cpu, op) {
    const at = operandWrite(cpu, op, 4);
    if (at < 0) return;
    const value = cpu.view.getInt32(at, true);
    put32(cpu, at, cpu.r[op.source]);
    cpu.r[op.source] = value;
  },
  "xchg r2 r2"(cpu, op) {
    const { r16 } = cpu;
    const value = r16[op.destination];
    r16[op.destination] = r16[op.source];
    r16[op.source] = value;
  },
  "xchg m2 r2"(cpu, op) {
    const at = operandWrite(cpu, op, 2);
    if (at < 0) return;
    const value = cpu.view.getInt16(at, true);
    put16(cpu, at, cpu.r16[op.source]);
    cpu.r16[op.source] = value;
  },
  "xchg r1 r1"(cpu, op) {
    const { r8 } = cpu;
    const value = r8[op.destination];
    r8[op.destination] = r8[op.source];
    r8[op.source] = value;
  },
  "xchg m1 r1"(cpu, op) {
    const at = operandWrite(cpu, op, 1);
    if (at < 0) return;
    const value = cpu.view.getInt8(at);
    put8(cpu, at, cpu.r8[op.source]);
    cpu.r8[op.source] = value;
  },

  "cmpxchg r4 r4"(cpu, op) {
    const { r } = cpu;
    const value = r[op.destination];
    subtract(r, r[EAX], value);
    if (value === r[EAX]) r[op.destination] = r[op.source];
    else r[EAX] = value;
  },
  // The destination is written in either case, so that it must be writable in either case.
  "cmpxchg m4 r4"(cpu, op) {
    const at = operandWrite(cpu, op, 4);
    if (at < 0) return;
    const { r } = cpu;
    const value = cpu.view.getInt32(at, true);
    subtract(r, r[EAX], value);
    if (value === r[EAX]) put32(cpu, at, r[op.source]);
    else r[EAX] = value;
  },
  "cmpxchg r2 r2"(cpu, op) {
    const { r16 } = cpu;
    const value = r16[op.destination];
    compare(cpu.r, (r16[EAX] << 16) >> 16, (value << 16) >> 16, 16);
    if (value === r16[EAX]) r16[op.destination] = r16[op.source];
    else r16[EAX] = value;
  },
  "cmpxchg m2 r2"(cpu, op) {
    const at = operandWrite(cpu, op, 2);
    if (at < 0) return;
    const { r16 } = cpu;
    const value = cpu.view.getUint16(at, true);
    compare(cpu.r, (r16[EAX] << 16) >> 16, (value << 16) >> 16, 16);
    if (value === r16[EAX]) put16(cpu, at, r16[op.source]);
    else r16[EAX] = value;
  },
  "cmpxchg r1 r1"(cpu, op) {
    const { r8 } = cpu;
    const value = r8[op.destination];
    compare(cpu.r, (r8[EAX] << 24) >> 24, (value << 24) >> 24, 24);
    if (value === r8[EAX]) r8[op.destination] = r8[op.source];
    else r8[EAX] = value;
  },
  "cmpxchg m1 r1"(cpu, op) {
    const at = operandWrite(cpu, op, 1);
    if (at < 0) return;
    const { r8 } = cpu;
    const value = cpu.view.getUint8(at);
    compare(cpu.r, (r8[EAX] << 24) >> 24, (value << 24) >> 24, 24);
    if (value === r8[EAX]) put8(cpu, at, r8[op.source]);
    else r8[EAX] = value;
  },

  "cmpxchg8b m8"(cpu, op) {
    const at = operandWrite(cpu, op, 8);
    if (at < 0) return;
    const { r, view } = cpu;
    const low = view.getInt32(at, true);
    const high = view.getInt32(at + 4, true);
    const equal = low === r[EAX] && high === r[EDX];
    setZero(r, equal);
    if (!equal) {
      r[EAX] = low;
      r[EDX] = high;
      return;
    }
    view.setInt32(at, r[Register.EBX], true);
    view.setInt32(at + 4, r[Register.ECX], true);
    if (at < Layout.Ram) finishWrite(cpu, at);
  },

  "xadd r4 r4"(cpu, op) {
    const { r } = cpu;
    const value = r[op.destination];
    const sum = add(r, value, r[op.source]);
    r[op.source] = value;
    r[op.destination] = sum;
  },
  "xadd m4 r4"(cpu, op) {
    const at = operandWrite(cpu, op, 4);
    if (at < 0) return;
    const { r } = cpu;
    const value = cpu.view.getInt32(at, true);
    put32(cpu, at, add(r, value, r[op.source]));
    r[op.source] = value;
  },
  "xadd r2 r2"(cpu, op) {
    const { r16 } = cpu;
    const value = (r16[op.destination] << 16) >> 16;
    const sum = add16(cpu.r, value, r16[op.source]);
    r16[op.source] = value;
    r16[op.destination] = sum;
  },
  "xadd m2 r2"(cpu, op) {
    const at = operandWrite(cpu, op, 2);
    if (at < 0) return;
    const value = cpu.view.getInt16(at, true);
    put16(cpu, at, add16(cpu.r, value, cpu.r16[op.source]));
    cpu.r16[op.source] = value;
  },
  "xadd r1 r1"(cpu, op) {
    const { r8 } = cpu;
    const value = (r8[op.destination] << 24) >> 24;
    const sum = add8(cpu.r, value, r8[op.source]);
    r8[op.source] = value;
    r8[op.destination] = sum;
  },
  "xadd m1 r1"(cpu, op) {
    const at = operandWrite(cpu, op, 1);
    if (at < 0) return;
    const value = cpu.view.getInt8(at);
    put8(cpu, at, add8(cpu.r, value, cpu.r8[op.source]));
    cpu.r8[op.source] = value;
  },

  "bswap r4"(cpu, op) {
    cpu.r[op.destination] = swapBytes(cpu.r[op.destination]);
  },
  // Undefined by the manual; processors clear the word.
  "bswap r2"(cpu, op) {
    cpu.r16[op.destination] = 0;
  },

  xlatb(cpu, op) {
    const { r, r8 } = cpu;
    const offset = (r[Register.EBX] + r8[EAX]) | 0;
    const at =
      op.checked === 0
        ? readAt(cpu, offset, 1)
        : checkedRead(cpu, op.segment, op.addressSize === 2 ? offset & 0xffff : offset, 1);
    if (at >= 0) r8[EAX] = cpu.view.getUint8(at);
  },

  cwde(cpu) {
    cpu.r[EAX] = (cpu.r[EAX] << 16) >> 16;
  },
  cbw(cpu) {
    cpu.r16[EAX] = (cpu.r8[EAX] << 24) >> 24;
  },
  cdq(cpu) {
    cpu.r[EDX] = cpu.r[EAX] >> 31;
  },
  cwd(cpu) {
    cpu.r16[EDX << 1] = (cpu.r[EAX] << 16) >> 31;
  },

  nop() {},
  ...Object.fromEntries(
    ["r2", "r4", "m2", "m4", "r2 r2", "r4 r4", "m2 r2", "m4 r4"].map((form): [string, Handler] => [
      `nop ${form}`,
      () => {},
    ]),
  ),
};
