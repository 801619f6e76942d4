/**
 * CMOVcc. May import operand.ts, eflags.ts, isa.ts, types.
 * The source is read, and may fault, whether or not the condition holds; the destination changes only where it does.
 * Source: Intel SDM volume 2, CMOVcc.
 */
import { condition } from "../eflags";
import { CONDITIONS } from "../isa";
import type { Handler } from "../operation";
import { operandRead } from "./operand";

function moveForms(name: string, code: number): [string, Handler][] {
  return [
    [
      `cmov${name} r4 r4`,
      (cpu, op) => {
        if (condition(cpu.r, code)) cpu.r[op.destination] = cpu.r[op.source];
      },
    ],
    [
      `cmov${name} r2 r2`,
      (cpu, op) => {
        if (condition(cpu.r, code)) cpu.r16[op.destination] = cpu.r16[op.source];
      },
    ],
    [
      `cmov${name} r4 m4`,
      (cpu, op) => {
        const at = operandRead(cpu, op, 4);
        if (at >= 0 && condition(cpu.r, code)) cpu.r[op.destination] = cpu.view.getInt32(at, true);
      },
    ],
    [
      `cmov${name} r2 m2`,
      (cpu, op) => {
        const at = operandRead(cpu, op, 2);
        if (at >= 0 && condition(cpu.r, code)) cpu.r16[op.destination] = cpu.view.getUint16(at, true);
      },
    ],
  ];
}

export const CONDITIONAL_MOVES: Readonly<Record<string, Handler>> = Object.fromEntries(CONDITIONS.flatMap(moveForms));
