/**
 * The steps of INS and OUTS, and their bulk ways. May import ports.ts, repeat.ts, stringelement.ts, debug.ts, registers.ts, types.
 *
 * In bulk go the elements that a device offers (seam.ts) between RAM and a page that is a hit. Devices know no other
 * time than that of the accesses that they see: so the last step before anything else may come is always done alone, and shows
 * them the time that all would have shown them. Where the permission bitmap is asked, each step reads it.
 * Source: Intel SDM volume 2, INS, OUTS and REP; volume 1, chapter 18.
 */
import type { Cpu } from "../cpu";
import { watchPort } from "../debug";
import type { Operation } from "../operation";
import { Register, Word } from "../registers";
import { portAllowed, portsOpen } from "./ports";
import { hostOffset, mayBulk, room, stepsWithin } from "./repeat";
import { advance, destinationWrite, load, sourceAt, store } from "./stringelement";

const ESI = Register.ESI;
const EDI = Register.EDI;
const DX = Register.EDX << 1;

export function ins(cpu: Cpu, op: Operation, size: number): boolean {
  const port = cpu.r16[DX];
  if (!portAllowed(cpu, port, size)) return false;
  const to = destinationWrite(cpu, op, size);
  if (to < 0) return false;
  store(cpu, to, size, cpu.bus.read(port, size as 1 | 2 | 4));
  watchPort(cpu, port, size);
  advance(cpu, op, EDI, size);
  return true;
}

export function outs(cpu: Cpu, op: Operation, size: number): boolean {
  const port = cpu.r16[DX];
  if (!portAllowed(cpu, port, size)) return false;
  const from = sourceAt(cpu, op, size);
  if (from < 0) return false;
  const value = load(cpu, from, size);
  cpu.bus.write(port, size as 1 | 2 | 4, size === 4 ? value >>> 0 : value & ((1 << (8 * size)) - 1));
  watchPort(cpu, port, size);
  advance(cpu, op, ESI, size);
  return true;
}

/** How many elements may go in bulk from or to an address, whose page must grant the access. */
function most(cpu: Cpu, op: Operation, size: number, linear: number, bit: number): number {
  if (!mayBulk(cpu, op) || !portsOpen(cpu)) return 0;
  return stepsWithin(cpu, op, size, room(cpu, linear, bit)) - 1;
}

/** INS in bulk. */
export function insBlock(cpu: Cpu, op: Operation, size: number): number {
  const { r, bus } = cpu;
  const steps = most(cpu, op, size, r[EDI], r[Word.WriteBit]);
  if (steps <= 0 || bus.readBlock === undefined) return 0;
  const count = bus.readBlock(cpu.r16[DX], size as 1 | 2 | 4, cpu.bytes, hostOffset(cpu, r[EDI]), steps);
  r[EDI] += count * size;
  return count;
}

/** OUTS in bulk. */
export function outsBlock(cpu: Cpu, op: Operation, size: number): number {
  const { r, bus } = cpu;
  const steps = most(cpu, op, size, r[ESI], r[Word.ReadBit]);
  if (steps <= 0 || bus.writeBlock === undefined) return 0;
  const count = bus.writeBlock(cpu.r16[DX], size as 1 | 2 | 4, cpu.bytes, hostOffset(cpu, r[ESI]), steps);
  r[ESI] += count * size;
  return count;
}
