/**
 * CLC STC CMC CLD STD CLI STI LAHF SAHF PUSHF POPF. May import stack.ts, memory.ts, eflags.ts, faults.ts, paging.ts,
 * segmentation.ts, realmode.ts, debug.ts, registers.ts, types. In virtual-8086 mode CPL is 3, which is all that CLI and STI
 * need to know. Source: Intel SDM volume 2, under each mnemonic (the tables of POPF and STI in protected mode).
 */
import type { Cpu } from "../cpu";
import { setResume } from "../debug";
import { arithmeticFlags, carry, readEflags, setArithmeticFlags, setCarry, writeEflags } from "../eflags";
import { generalProtection } from "../faults";
import type { Handler } from "../operation";
import { refreshAccess } from "../paging";
import { virtualMode } from "../realmode";
import { Attention, Flag, Word } from "../registers";
import { setStackPointer, stackPointer } from "../segmentation";
import { push16, push32, stackRead } from "./stack";

const AH = 1;
const AH_FLAGS = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF;
/** What PUSHF and interrupts push of them is what is there; PUSHF shows these two clear. */
const NEVER_PUSHED = Flag.RF | Flag.VM;

/** The I/O privilege level, 0 to 3. */
export function iopl(r: Int32Array): number {
  return (r[Word.Eflags] >> 12) & 3;
}

/**
 * Loads EFLAGS as IRET does, and POPF, which never sets RF: IOPL only at CPL 0, IF only at CPL <= IOPL, VM never. With 16 bits the
 * upper half stays. Refreshes what depends on AC.
 */
export function loadFlags(cpu: Cpu, value: number, size: number): void {
  const { r } = cpu;
  if (size === 4 && (value & Flag.RF) !== 0) setResume(cpu);
  let kept = Flag.RF | Flag.VM;
  if (size === 2) kept |= 0xffff0000 | 0;
  if (r[Word.Cpl] !== 0) kept |= Flag.IOPL;
  if (r[Word.Cpl] > iopl(r)) kept |= Flag.IF;
  writeEflags(r, (readEflags(r) & kept & ~Flag.RF) | (value & ~kept));
  refreshAccess(cpu);
}

/** PUSHF, POPF, INT n and IRET in virtual-8086 mode need IOPL 3; #GP(0) is raised where they have less. */
export function virtualAllowed(cpu: Cpu): boolean {
  if (!virtualMode(cpu.r) || iopl(cpu.r) === 3) return true;
  generalProtection(cpu, 0);
  return false;
}

export const FLAGS: Readonly<Record<string, Handler>> = {
  clc(cpu) {
    setCarry(cpu.r, 0);
  },
  stc(cpu) {
    setCarry(cpu.r, 1);
  },
  cmc(cpu) {
    setCarry(cpu.r, carry(cpu.r) ^ 1);
  },
  cld(cpu) {
    cpu.r[Word.Eflags] &= ~Flag.DF;
  },
  std(cpu) {
    cpu.r[Word.Eflags] |= Flag.DF;
  },
  cli(cpu) {
    const { r } = cpu;
    if (r[Word.Cpl] > iopl(r)) return generalProtection(cpu, 0);
    r[Word.Eflags] &= ~Flag.IF;
  },
  // When it turns interrupts on, the next instruction still runs without one.
  sti(cpu) {
    const { r } = cpu;
    if (r[Word.Cpl] > iopl(r)) return generalProtection(cpu, 0);
    if ((r[Word.Eflags] & Flag.IF) === 0) r[Word.Attention] |= Attention.Shadow;
    r[Word.Eflags] |= Flag.IF;
  },
  lahf(cpu) {
    cpu.r8[AH] = (arithmeticFlags(cpu.r) & AH_FLAGS) | Flag.Always;
  },
  sahf(cpu) {
    const { r } = cpu;
    setArithmeticFlags(r, (arithmeticFlags(r) & ~AH_FLAGS) | (cpu.r8[AH] & AH_FLAGS));
  },
  pushfd(cpu, op) {
    if (virtualAllowed(cpu)) push32(cpu, op, readEflags(cpu.r) & ~NEVER_PUSHED);
  },
  pushfw(cpu, op) {
    if (virtualAllowed(cpu)) push16(cpu, op, readEflags(cpu.r));
  },
  popfd(cpu, op) {
    if (!virtualAllowed(cpu)) return;
    const at = stackRead(cpu, op, 0, 4);
    if (at < 0) return;
    loadFlags(cpu, cpu.view.getInt32(at, true) & ~Flag.RF, 4);
    setStackPointer(cpu.r, stackPointer(cpu.r) + 4);
  },
  popfw(cpu, op) {
    if (!virtualAllowed(cpu)) return;
    const at = stackRead(cpu, op, 0, 2);
    if (at < 0) return;
    loadFlags(cpu, cpu.view.getUint16(at, true), 2);
    setStackPointer(cpu.r, stackPointer(cpu.r) + 2);
  },
};
