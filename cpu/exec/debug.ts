/**
 * MOV to and from debug registers. May import segment.ts, debug.ts, faults.ts, registers.ts, types.
 * DR4 and DR5 are other names of DR6 and DR7, or #UD under CR4.DE. Under DR7.GD any of these instructions is a #DB fault.
 * Source: Intel SDM volume 2, MOV to/from debug registers; volume 3, section 17.2.
 */
import type { Cpu } from "../cpu";
import { DebugControl, DebugStatus, refreshBreakpoints } from "../debug";
import { invalidOpcode, raise, Vector } from "../faults";
import type { Handler, Operation } from "../operation";
import { Cr4, Word } from "../registers";
import { privileged } from "./segment";

/** The word of the register that ModRM.reg names, or -1 with a fault raised. */
function debugWord(cpu: Cpu, op: Operation): number {
  const { r } = cpu;
  const alias = op.reg === 4 || op.reg === 5;
  if (alias && (r[Word.Cr4] & Cr4.DE) !== 0) {
    invalidOpcode(cpu);
    return -1;
  }
  if (!privileged(cpu)) return -1;
  if ((r[Word.Dr7] & DebugControl.GD) !== 0) {
    // As part of the exception: the handler finds the registers open.
    r[Word.Dr6] |= DebugStatus.BD;
    r[Word.Dr7] &= ~DebugControl.GD;
    raise(cpu, Vector.Debug);
    return -1;
  }
  return Word.Dr0 + (alias ? op.reg + 2 : op.reg);
}

export const DEBUG_REGISTERS: Readonly<Record<string, Handler>> = {
  "mov r4 d"(cpu, op) {
    const word = debugWord(cpu, op);
    if (word >= 0) cpu.r[op.destination] = cpu.r[word];
  },
  "mov d r4"(cpu, op) {
    const word = debugWord(cpu, op);
    if (word < 0) return;
    const { r } = cpu;
    const value = r[op.source];
    if (word === Word.Dr6) r[word] = (value & DebugStatus.Writable) | DebugStatus.Ones;
    else if (word === Word.Dr7) r[word] = (value & ~DebugControl.Zeros) | DebugControl.Ones;
    else r[word] = value;
    refreshBreakpoints(cpu);
  },
};
