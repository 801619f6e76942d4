/**
 * IN and OUT. (INS and OUTS are in stringports.ts.) May import registers.ts, memory.ts, realmode.ts,
 * stackswitch.ts, debug.ts, faults.ts, types.
 * These operations charge for themselves after the access, so that the device sees the counts at the instruction's start.
 * Source: Intel SDM volume 1, chapter 18 (18.5: I/O privilege and the permission bitmap); volume 2, IN, OUT.
 */
import type { Cpu } from "../cpu";
import { watchPort } from "../debug";
import { faulted, generalProtection } from "../faults";
import { systemReadAt } from "../memory";
import type { Handler, Operation } from "../operation";
import { virtualMode } from "../realmode";
import { Cr0, Register, Time, TR, Word } from "../registers";
import { wideTask } from "../stackswitch";
import { iopl } from "./flags";

const EAX = Register.EAX;
const DX = Register.EDX << 1;
/** Offset of the bitmap's own offset in a 32-bit TSS. */
const BITMAP_FIELD = 102;

/** Adds a self-charging operation's instruction and cycles: it has succeeded. */
export function retire(cpu: Cpu, op: Operation): void {
  cpu.time[Time.Instret] += 1;
  cpu.time[Time.Cycles] += op.cycles;
}

/** Whether all ports are open, whatever the bitmap says. In virtual-8086 mode IOPL says nothing of ports: the bitmap alone does. */
export function portsOpen({ r }: Cpu): boolean {
  return (r[Word.Cr0] & Cr0.PE) === 0 || (r[Word.Cpl] <= iopl(r) && !virtualMode(r));
}

/** Whether the present privilege allows `size` bytes at a port; a fault is raised where it does not. */
export function portAllowed(cpu: Cpu, port: number, size: number): boolean {
  if (portsOpen(cpu)) return true;
  if (bitmapAllows(cpu, port, size)) return true;
  if (!faulted(cpu)) generalProtection(cpu, 0);
  return false;
}

function bitmapAllows(cpu: Cpu, port: number, size: number): boolean {
  const { r, view } = cpu;
  const limit = r[Word.Limit + TR] >>> 0;
  if (!wideTask(r) || limit < BITMAP_FIELD + 1) return false;
  const field = systemReadAt(cpu, (r[Word.Base + TR] + BITMAP_FIELD) | 0, 2);
  if (field < 0) return false;
  // Two bytes are always read: the bits of one access may lie in both.
  const offset = view.getUint16(field, true) + (port >> 3);
  if (offset + 1 > limit) return false;
  const at = systemReadAt(cpu, (r[Word.Base + TR] + offset) | 0, 2);
  if (at < 0) return false;
  return ((view.getUint16(at, true) >> (port & 7)) & ((1 << size) - 1)) === 0;
}

/** Reads a port into AL, AX or EAX. */
function input(cpu: Cpu, op: Operation, port: number, size: 1 | 2 | 4): void {
  if (!portAllowed(cpu, port, size)) return;
  const value = cpu.bus.read(port, size);
  if (size === 1) cpu.r8[EAX] = value;
  else if (size === 2) cpu.r16[EAX] = value;
  else cpu.r[EAX] = value;
  watchPort(cpu, port, size);
  retire(cpu, op);
}

function output(cpu: Cpu, op: Operation, port: number, size: 1 | 2 | 4): void {
  if (!portAllowed(cpu, port, size)) return;
  const value = cpu.r[EAX] >>> 0;
  cpu.bus.write(port, size, size === 1 ? value & 0xff : size === 2 ? value & 0xffff : value);
  watchPort(cpu, port, size);
  retire(cpu, op);
}

export const PORTS: Readonly<Record<string, Handler>> = {
  "in r1 i"(cpu, op) {
    input(cpu, op, op.immediate, 1);
  },
  "in r2 i"(cpu, op) {
    input(cpu, op, op.immediate, 2);
  },
  "in r4 i"(cpu, op) {
    input(cpu, op, op.immediate, 4);
  },
  "in r1 r2"(cpu, op) {
    input(cpu, op, cpu.r16[DX], 1);
  },
  "in r2 r2"(cpu, op) {
    input(cpu, op, cpu.r16[DX], 2);
  },
  "in r4 r2"(cpu, op) {
    input(cpu, op, cpu.r16[DX], 4);
  },
  "out i r1"(cpu, op) {
    output(cpu, op, op.immediate, 1);
  },
  "out i r2"(cpu, op) {
    output(cpu, op, op.immediate, 2);
  },
  "out i r4"(cpu, op) {
    output(cpu, op, op.immediate, 4);
  },
  "out r2 r1"(cpu, op) {
    output(cpu, op, cpu.r16[DX], 1);
  },
  "out r2 r2"(cpu, op) {
    output(cpu, op, cpu.r16[DX], 2);
  },
  "out r2 r4"(cpu, op) {
    output(cpu, op, cpu.r16[DX], 4);
  },
};
