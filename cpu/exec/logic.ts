/**
 * TEST and NOT. (AND, OR and XOR share their forms with the arithmetic, in arith.ts.)
 * May import arith.ts, operand.ts, memory.ts, types. Source: Intel SDM volume 2, under each mnemonic.
 */
import type { Handler } from "../operation";
import { logical, unaryForms } from "./arith";
import { operandRead } from "./operand";

export const LOGIC: Readonly<Record<string, Handler>> = {
  "test r4 r4"(cpu, op) {
    logical(cpu.r, cpu.r[op.destination] & cpu.r[op.source]);
  },
  "test r4 i"(cpu, op) {
    logical(cpu.r, cpu.r[op.destination] & op.immediate);
  },
  "test m4 r4"(cpu, op) {
    const at = operandRead(cpu, op, 4);
    if (at >= 0) logical(cpu.r, cpu.view.getInt32(at, true) & cpu.r[op.source]);
  },
  "test m4 i"(cpu, op) {
    const at = operandRead(cpu, op, 4);
    if (at >= 0) logical(cpu.r, cpu.view.getInt32(at, true) & op.immediate);
  },
  "test r1 r1"(cpu, op) {
    logical(cpu.r, ((cpu.r8[op.destination] & cpu.r8[op.source]) << 24) >> 24);
  },
  "test r1 i"(cpu, op) {
    logical(cpu.r, ((cpu.r8[op.destination] & op.immediate) << 24) >> 24);
  },
  "test m1 r1"(cpu, op) {
    const at = operandRead(cpu, op, 1);
    if (at >= 0) logical(cpu.r, ((cpu.view.getUint8(at) & cpu.r8[op.source]) << 24) >> 24);
  },
  "test m1 i"(cpu, op) {
    const at = operandRead(cpu, op, 1);
    if (at >= 0) logical(cpu.r, cpu.view.getInt8(at) & op.immediate);
  },
  "test r2 r2"(cpu, op) {
    logical(cpu.r, ((cpu.r16[op.destination] & cpu.r16[op.source]) << 16) >> 16);
  },
  "test r2 i"(cpu, op) {
    logical(cpu.r, ((cpu.r16[op.destination] & op.immediate) << 16) >> 16);
  },
  "test m2 r2"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at >= 0) logical(cpu.r, ((cpu.view.getUint16(at, true) & cpu.r16[op.source]) << 16) >> 16);
  },
  "test m2 i"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at >= 0) logical(cpu.r, cpu.view.getInt16(at, true) & op.immediate);
  },

  ...Object.fromEntries(unaryForms("not", (_r, a) => ~a)),
};
