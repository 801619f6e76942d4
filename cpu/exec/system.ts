/**
 * Control registers, TLB and cache control, HLT, and the answers to what is no instruction here.
 * May import operand.ts, segment.ts, memory.ts, paging.ts, segmentation.ts, faults.ts, seam.ts, registers.ts, types.
 * Source: Intel SDM volume 2, under each mnemonic; volume 3, section 2.5 (control registers).
 */
import type { Cpu } from "../cpu";
import { generalProtection, invalidOpcode } from "../faults";
import { put16 } from "../memory";
import type { Handler } from "../operation";
import { invalidatePage, setControlWords } from "../paging";
import { Attention, Cr0, Word } from "../registers";
import { CpuEvent } from "../seam";
import { refreshMode } from "../segmentation";
import { effectiveAddress, operandRead, operandWrite } from "./operand";
import { privileged } from "./segment";

const LMSW_BITS = Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS;

/** What is no instruction, or has no handler. */
export const invalidCode: Handler = (cpu) => invalidOpcode(cpu);

/** An instruction longer than 15 bytes. */
export const overlongCode: Handler = (cpu) => generalProtection(cpu, 0);

function loadCr0(cpu: Cpu, value: number): void {
  // What the model lacks is ignored. ET is always set: the 387 or its equal is there.
  const next = (value & cpu.model.cr0) | Cr0.ET;
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

function loadMachineStatus(cpu: Cpu, value: number): void {
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
    if (op.reg === 4 && (value & ~cpu.model.cr4) !== 0) return generalProtection(cpu, 0);
    setControlWords(cpu, op.reg, value);
  },
  clts(cpu) {
    if (privileged(cpu)) cpu.r[Word.Cr0] &= ~Cr0.TS;
  },
  "lmsw r2"(cpu, op) {
    if (privileged(cpu)) loadMachineStatus(cpu, cpu.r16[op.destination]);
  },
  "lmsw m2"(cpu, op) {
    if (!privileged(cpu)) return;
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
  ud2: invalidCode,
  ...Object.fromEntries(
    ["ud0", "ud1"].flatMap((name) =>
      ["r4 r4", "r4 m4", "r2 r2", "r2 m2"].map((form) => [`${name} ${form}`, invalidCode]),
    ),
  ),
};
