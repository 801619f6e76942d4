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
import { operandRead, operandReadBehind } from "./operand";

/** BOUND: the index against two signed bounds in memory. The upper one is read only where the lower one is kept. */
function bound(cpu: Cpu, op: Operation, size: number): void {
  const { view } = cpu;
  const index = size === 4 ? cpu.r[op.destination] : (cpu.r16[op.destination] << 16) >> 16;
  const low = operandRead(cpu, op, size);
  if (low < 0) return;
  if (index < (size === 4 ? view.getInt32(low, true) : view.getInt16(low, true))) {
    raise(cpu, Vector.BoundRange);
    return;
  }
  const high = operandReadBehind(cpu, op, size, size);
  if (high < 0) return;
  if (index > (size === 4 ? view.getInt32(high, true) : view.getInt16(high, true))) raise(cpu, Vector.BoundRange);
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
