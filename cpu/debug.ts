/**
 * Breakpoints of DR0 to DR7: what is watched, and whether an instruction, an access or a port hits it. May import
 * registers.ts, paging.ts and the type of the processor.
 *
 *     DR7   31 30 29 28 27 26 25 24 23 22 21 20 19 18 17 16 15 14 13 12 11 10  9  8  7  6  5  4  3  2  1  0
 *          | LEN3| RW3 | LEN2| RW2 | LEN1| RW1 | LEN0| RW0 | 0  0 GD  0  0  1 GE LE G3 L3 G2 L2 G1 L1 G0 L0
 *          RW: 0 execution, 1 writes, 2 ports (with CR4.DE, else nothing), 3 reads and writes. LEN + 1 bytes, aligned; LEN = 2,
 *          undefined until later processors made it 8 bytes, is 8 here. LE and GE mean nothing.
 *     DR6   BT (15) BS (14) BD (13) B3–B0 (3–0): only ever set here, for enabled breakpoints; the rest reads as ones and zeros
 *
 * While one is enabled, Attention.Breakpoints makes instructions run one by one, each looked at before it runs, and no host-TLB
 * entry grants anything (paging.ts, refreshAccess), so that each access comes by watchAccess. While none is, nothing here runs.
 * What a running instruction hits is a trap behind it: gathered in Word.DebugPending, delivered by interpreter.ts, forgotten if the
 * instruction faults. Watched are the accesses of instructions, not the processor's own to descriptors and TSS, nor the
 * pushes of a delivery.
 *
 * RF is not kept as a bit: it shields one instruction, so it is the count of instructions at which it was loaded
 * (Time.ResumeAt), and is set while that is the present count.
 * Source: Intel SDM volume 3, sections 17.2 (debug registers) and 17.3 (debug exceptions; 17.3.1.1: when RF is set).
 */
import type { Cpu } from "./cpu";
import { refreshAccess } from "./paging";
import { Attention, Cr4, Event, Time, Word } from "./registers";

/** DR6. */
export const enum DebugStatus {
  /** Access to a debug register under DebugControl.GD. */
  BD = 0x2000,
  /** Single step. */
  BS = 0x4000,
  /** A task switch to a TSS with its T bit set. */
  BT = 0x8000,
  Writable = 0xe00f,
  Ones = 0xffff0ff0 | 0,
}

/** DR7. */
export const enum DebugControl {
  /** All L and G bits. */
  Enabled = 0xff,
  /** L0 to L3 and LE: what a task switch clears. */
  Local = 0x155,
  Ones = 0x400,
  GD = 0x2000,
  Zeros = 0xd800,
}

const enum Condition {
  Execution = 0,
  Write = 1,
  Port = 2,
  Access = 3,
}

const BYTES = [1, 2, 8, 4];

/** The breakpoints, as bits, that want one of `conditions` (a mask of 1 << Condition) at [first, first + size). */
function hits(r: Int32Array, conditions: number, first: number, size: number): number {
  const control = r[Word.Dr7];
  let found = 0;
  for (let n = 0; n < 4; n++) {
    if (((control >> (2 * n)) & 3) === 0) continue;
    const field = control >>> (16 + 4 * n);
    if ((conditions & (1 << (field & 3))) === 0) continue;
    const bytes = BYTES[(field >> 2) & 3];
    const watched = (r[Word.Dr0 + n] & -bytes) >>> 0;
    if (first < watched + bytes && watched < first + size) found |= 1 << n;
  }
  return found;
}

/** Follows a change of DR7. */
export function refreshBreakpoints(cpu: Cpu): void {
  const { r } = cpu;
  if ((r[Word.Dr7] & DebugControl.Enabled) !== 0) r[Word.Attention] |= Attention.Breakpoints;
  else r[Word.Attention] &= ~Attention.Breakpoints;
  refreshAccess(cpu);
  // The rest of the block runs by the new rules.
  r[Word.Event] |= Event.Leave;
}

/** The breakpoints on the instruction at CS:EIP, as bits of DR6; none while RF shields it. */
export function breakpointsHere(cpu: Cpu): number {
  const { r } = cpu;
  if (resumes(cpu)) return 0;
  return hits(r, 1 << Condition.Execution, (r[Word.Base + 1] + r[Word.Eip]) >>> 0, 1);
}

/** Notes what a data access of the running instruction hits. `write` is 0 or 1. */
export function watchAccess(cpu: Cpu, linear: number, size: number, write: number): void {
  const wanted = (1 << Condition.Access) | (write !== 0 ? 1 << Condition.Write : 0);
  cpu.r[Word.DebugPending] |= hits(cpu.r, wanted, linear >>> 0, size);
  stopAfter(cpu.r);
}

/** Notes what an access to a port hits. */
export function watchPort(cpu: Cpu, port: number, size: number): void {
  const { r } = cpu;
  if ((r[Word.Dr7] & DebugControl.Enabled) === 0 || (r[Word.Cr4] & Cr4.DE) === 0) return;
  r[Word.DebugPending] |= hits(r, 1 << Condition.Port, port, size);
  stopAfter(r);
}

/** A repeated string instruction stops between two repetitions. */
function stopAfter(r: Int32Array): void {
  if (r[Word.DebugPending] !== 0) r[Word.Event] |= Event.Leave;
}

/** Sets RF for the instruction that is next by the count of instructions. */
export function setResume(cpu: Cpu): void {
  cpu.time[Time.ResumeAt] = cpu.time[Time.Instret];
}

/** Whether RF is set. */
export function resumes(cpu: Cpu): boolean {
  return cpu.time[Time.ResumeAt] === cpu.time[Time.Instret];
}
