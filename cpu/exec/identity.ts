/**
 * CPUID, RDTSC, RDMSR and WRMSR: what the processor says of itself, and its model-specific registers. May import ports.ts,
 * segment.ts, model.ts, faults.ts, registers.ts, types.
 *
 * The time-stamp counter is the cycles plus a 64-bit offset in two state words, which only WRMSR changes. Instructions that read
 * or set it charge for themselves, so that they see the cycles at their own start.
 * Source: Intel SDM volume 2, under each mnemonic; volume 3, section 17.17 (time-stamp counter: processors before family 0FH
 * clear its upper half when it is written).
 */
import type { Cpu } from "../cpu";
import { generalProtection } from "../faults";
import { HIGHEST_LEAF, Msr, VENDOR_WORD } from "../model";
import type { Handler } from "../operation";
import { Cr4, Register, Time, Word } from "../registers";
import { retire } from "./ports";
import { privileged } from "./segment";

const EAX = Register.EAX;
const ECX = Register.ECX;
const EDX = Register.EDX;
const EBX = Register.EBX;
const TWO_32 = 0x100000000;

/** Puts the time-stamp counter into EDX:EAX. */
function readCounter(cpu: Cpu): void {
  const { r } = cpu;
  const cycles = cpu.time[Time.Cycles];
  const low = (cycles >>> 0) + (r[Word.TscLow] >>> 0);
  r[EAX] = low;
  r[EDX] = Math.floor(cycles / TWO_32) + r[Word.TscHigh] + (low >= TWO_32 ? 1 : 0);
}

/** Makes the time-stamp counter the unsigned 32-bit value `low`. */
function writeCounter(cpu: Cpu, low: number): void {
  const { r } = cpu;
  const cycles = cpu.time[Time.Cycles];
  const difference = (low >>> 0) - (cycles >>> 0);
  r[Word.TscLow] = difference;
  r[Word.TscHigh] = -Math.floor(cycles / TWO_32) - (difference < 0 ? 1 : 0);
}

/** Whether the model has the register that ECX names and the privilege is there; #GP(0) is raised where not. */
function registerExists(cpu: Cpu): boolean {
  if (!privileged(cpu)) return false;
  if (cpu.model.msrs.includes(cpu.r[ECX])) return true;
  generalProtection(cpu, 0);
  return false;
}

export const IDENTITY: Readonly<Record<string, Handler>> = {
  cpuid(cpu) {
    const { r } = cpu;
    const vendor = r[EAX] === 0;
    r[EAX] = vendor ? HIGHEST_LEAF : cpu.model.signature;
    r[EBX] = vendor ? VENDOR_WORD : 0;
    r[ECX] = vendor ? VENDOR_WORD : 0;
    r[EDX] = vendor ? VENDOR_WORD : cpu.model.features;
  },
  rdtsc(cpu, op) {
    const { r } = cpu;
    if ((r[Word.Cr4] & Cr4.TSD) !== 0 && r[Word.Cpl] !== 0) return generalProtection(cpu, 0);
    readCounter(cpu);
    retire(cpu, op);
  },
  rdmsr(cpu, op) {
    if (!registerExists(cpu)) return;
    if (cpu.r[ECX] === Msr.Tsc) readCounter(cpu);
    retire(cpu, op);
  },
  wrmsr(cpu, op) {
    if (!registerExists(cpu)) return;
    if (cpu.r[ECX] === Msr.Tsc) writeCounter(cpu, cpu.r[EAX]);
    retire(cpu, op);
  },
};
