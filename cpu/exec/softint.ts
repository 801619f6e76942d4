/**
 * Interrupts that a program asks for: INT n, INT3, INTO, INT1, BOUND. May import operand.ts, flags.ts, interrupts.ts,
 * faults.ts, eflags.ts, types. Source: Intel SDM volume 2, under each mnemonic; volume 3, section 20.3 (virtual-8086).
 */
import type { Cpu } from "../cpu";
import { overflow } from "../eflags";
import { raise, Vector } from "../faults";
import { Source, softwareInterrupt } from "../interrupts";
import type { Handler, Operation } from "../operation";
import { virtualAllowed } from "./flags";
import { operandParts } from "./operand";

/** BOUND: the index against two signed bounds in memory. */
function bound(cpu: Cpu, op: Operation, size: number): void {
  const at = operandParts(cpu, op, size, 2);
  if (at < 0) return;
  const { view } = cpu;
  const index = size === 4 ? cpu.r[op.destination] : (cpu.r16[op.destination] << 16) >> 16;
  const low = size === 4 ? view.getInt32(at, true) : view.getInt16(at, true);
  const high = size === 4 ? view.getInt32(at + 4, true) : view.getInt16(at + 2, true);
  if (index < low || index > high) raise(cpu, Vector.BoundRange);
}

export const SOFTWARE_INTERRUPTS: Readonly<Record<string, Handler>> = {
  // IOPL guards this one alone; INT3 and INTO get through in virtual-8086 mode.
  "int i"(cpu, op) {
    if (virtualAllowed(cpu)) softwareInterrupt(cpu, op.immediate);
  },
  int3(cpu) {
    softwareInterrupt(cpu, Vector.Breakpoint);
  },
  into(cpu) {
    if (overflow(cpu.r)) softwareInterrupt(cpu, Vector.Overflow);
  },
  // A trap without the gate's privilege check.
  int1(cpu) {
    softwareInterrupt(cpu, Vector.Debug, Source.External);
  },
  "bound r4 mb4"(cpu, op) {
    bound(cpu, op, 4);
  },
  "bound r2 mb2"(cpu, op) {
    bound(cpu, op, 2);
  },
};
