/**
 * Control and debug registers, TLB and cache control, HLT, CPUID, RDTSC, and the answers to what is no instruction here.
 * May import operand.ts, segment.ts, ports.ts, memory.ts, paging.ts, segmentation.ts, faults.ts, seam.ts, registers.ts, types.
 * Model-specific registers, CMPXCHG8B and CMOVcc are not there, and CPUID says so. Debug registers hold their values and break nothing.
 * Source: Intel SDM volume 2, under each mnemonic; volume 3, sections 2.5 (control registers), 17.2 (debug registers).
 */
import type { Cpu } from "../cpu";
import { generalProtection, invalidOpcode } from "../faults";
import { put16 } from "../memory";
import type { Handler } from "../operation";
import { invalidatePage, setControlWords } from "../paging";
import { Attention, Cr0, Cr4, Register, Time, Word } from "../registers";
import { CpuEvent } from "../seam";
import { refreshMode } from "../segmentation";
import { effectiveAddress, operandRead, operandWrite } from "./operand";
import { retire } from "./ports";
import { privileged } from "./segment";

const EAX = Register.EAX;
const EDX = Register.EDX;

/** Bits that exist. ET is always set. */
const CR0_BITS = Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.AM | Cr0.NW | Cr0.CD | Cr0.PG;
const CR4_BITS = Cr4.TSD | Cr4.PSE | Cr4.PGE;
const LMSW_BITS = Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS;

/** CPUID leaf 0: highest leaf 1, vendor "TineTineTine". Leaf 1: family 5, model 4, stepping 1, and the features. */
const VENDOR_WORD = 0x656e6954;
const SIGNATURE = 0x541;
const FEATURE_PSE = 1 << 3;
const FEATURE_TSC = 1 << 4;
const FEATURE_PGE = 1 << 13;

/** What is no instruction, or has no handler. */
export const invalidCode: Handler = (cpu) => invalidOpcode(cpu);

/** An instruction longer than 15 bytes. */
export const overlongCode: Handler = (cpu) => generalProtection(cpu, 0);

function loadCr0(cpu: Cpu, value: number): void {
  const next = (value & CR0_BITS) | Cr0.ET;
  const impossible =
    ((next & Cr0.PG) !== 0 && (next & Cr0.PE) === 0) || ((next & Cr0.NW) !== 0 && (next & Cr0.CD) === 0);
  if (impossible) {
    generalProtection(cpu, 0);
    return;
  }
  setControlWords(cpu, 0, next);
  refreshMode(cpu);
}

/** Word of a control register by its number. */
function controlWord(register: number): number {
  return register === 0 ? Word.Cr0 : Word.Cr2 + register - 2;
}

/** DR4 and DR5 are other names of DR6 and DR7. */
function debugWord(register: number): number {
  return Word.Dr0 + (register === 4 || register === 5 ? register + 2 : register);
}

function loadMachineStatus(cpu: Cpu, value: number): void {
  if (!privileged(cpu)) return;
  const old = cpu.r[Word.Cr0];
  // It can set PE and not clear it.
  loadCr0(cpu, (old & ~LMSW_BITS) | (value & LMSW_BITS) | (old & Cr0.PE));
}

export const SYSTEM: Readonly<Record<string, Handler>> = {
  "mov r4 c"(cpu, op) {
    if (privileged(cpu)) cpu.r[op.destination] = cpu.r[controlWord(op.reg)];
  },
  "mov c r4"(cpu, op) {
    if (!privileged(cpu)) return;
    const value = cpu.r[op.source];
    if (op.reg === 0) return loadCr0(cpu, value);
    if (op.reg === 4 && (value & ~CR4_BITS) !== 0) return generalProtection(cpu, 0);
    setControlWords(cpu, op.reg, value);
  },
  "mov r4 d"(cpu, op) {
    if (privileged(cpu)) cpu.r[op.destination] = cpu.r[debugWord(op.reg)];
  },
  "mov d r4"(cpu, op) {
    if (!privileged(cpu)) return;
    const { r } = cpu;
    const word = debugWord(op.reg);
    const value = r[op.source];
    if (word === Word.Dr6) r[word] = (value & 0xe00f) | 0xffff0ff0;
    else if (word === Word.Dr7) r[word] = (value & ~0xd800) | 0x400;
    else r[word] = value;
  },
  clts(cpu) {
    if (privileged(cpu)) cpu.r[Word.Cr0] &= ~Cr0.TS;
  },
  "lmsw r2"(cpu, op) {
    loadMachineStatus(cpu, cpu.r16[op.destination]);
  },
  "lmsw m2"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at >= 0) loadMachineStatus(cpu, cpu.view.getUint16(at, true));
  },
  "smsw r4"(cpu, op) {
    cpu.r[op.destination] = cpu.r[Word.Cr0];
  },
  "smsw r2"(cpu, op) {
    cpu.r16[op.destination] = cpu.r[Word.Cr0];
  },
  "smsw m2"(cpu, op) {
    const at = operandWrite(cpu, op, 2);
    if (at >= 0) put16(cpu, at, cpu.r[Word.Cr0]);
  },
  "invlpg m"(cpu, op) {
    if (!privileged(cpu)) return;
    const linear = (effectiveAddress(cpu.r, op) + cpu.r[Word.Base + op.segment]) | 0;
    invalidatePage(cpu, linear);
    if (cpu.listener !== null) cpu.listener(CpuEvent.Invlpg, linear >>> 0, 0);
  },
  // Caches are not there to be written back.
  invd(cpu) {
    privileged(cpu);
  },
  wbinvd(cpu) {
    privileged(cpu);
  },
  hlt(cpu) {
    if (privileged(cpu)) cpu.r[Word.Attention] |= Attention.Halted;
  },
  cpuid(cpu) {
    const { r } = cpu;
    const leaf = r[EAX] === 0 ? 0 : 1;
    r[EAX] = leaf === 0 ? 1 : SIGNATURE;
    r[Register.EBX] = leaf === 0 ? VENDOR_WORD : 0;
    r[Register.ECX] = leaf === 0 ? VENDOR_WORD : 0;
    r[EDX] = leaf === 0 ? VENDOR_WORD : FEATURE_PSE | FEATURE_TSC | FEATURE_PGE;
  },
  rdtsc(cpu, op) {
    const { r } = cpu;
    if ((r[Word.Cr4] & Cr4.TSD) !== 0 && r[Word.Cpl] !== 0) return generalProtection(cpu, 0);
    const cycles = cpu.time[Time.Cycles];
    r[EAX] = cycles;
    r[EDX] = Math.floor(cycles / 0x100000000);
    retire(cpu, op);
  },
  ud2: invalidCode,
};
