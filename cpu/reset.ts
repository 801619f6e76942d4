/**
 * The states that a processor begins in: the one that a multiboot loader leaves, and the one behind RESET#.
 * May import segmentation.ts, debug.ts, registers.ts, and the type of the processor. The caller drops what is cached.
 * Source: Multiboot Specification 0.6.96, section 3.2; Intel SDM volume 3, section 9.1.1, table 9-1.
 */
import type { Cpu } from "./cpu";
import { DebugControl, DebugStatus } from "./debug";
import { Attention, Cr0, Flag, Register, Time, Word } from "./registers";
import { FLAT_CODE, FLAT_DATA } from "./segmentation";

const CS = 1;
const REAL_LIMIT = 0xffff;
/** ES CS SS DS FS GS LDTR TR behind RESET#: data, code, an LDT and a busy 32-bit TSS. */
const RESET_ATTRIBUTES: readonly number[] = [0x9300, 0x9b00, 0x9300, 0x9300, 0x9300, 0x9300, 0x8200, 0x8b00];

/** What both have in common. `kept` are bits of Attention. */
function clearState(cpu: Cpu, kept: number): void {
  const { r, time } = cpu;
  const attention = r[Word.Attention] & kept;
  r.fill(0);
  r[Word.Attention] = attention;
  r[Word.Eflags] = Flag.Always;
  r[Word.FlagsMask] = ~(cpu.model.absentFlags | Flag.RF);
  r[Word.Dr6] = DebugStatus.Ones;
  r[Word.Dr7] = DebugControl.Ones;
  r[Word.IdtLimit] = REAL_LIMIT;
  r[Word.GdtLimit] = REAL_LIMIT;
  // The x87 has +0.0 in all registers and no exception masked.
  r[Word.FpuControl] = 0x40;
  r[Word.FpuValid] = 0xff;
  time[Time.ResumeAt] = -1;
  cpu.tlb.clear();
}

/** 32-bit flat protected mode, no paging, interrupts off, EIP = 0. */
export function flatState(cpu: Cpu): void {
  const { r } = cpu;
  clearState(cpu, Attention.Hook);
  r[Word.Cr0] = Cr0.PE | Cr0.ET;
  for (let segment = 0; segment < 6; segment++) {
    r[Word.Limit + segment] = -1;
    r[Word.Attributes + segment] = segment === CS ? FLAT_CODE : FLAT_DATA;
  }
}

/** Real mode at F000:FFF0, with CS at the top of 4 GB, where a ROM of so many bytes ends. */
export function realState(cpu: Cpu, romBytes: number): void {
  const { r } = cpu;
  clearState(cpu, Attention.Hook | Attention.Interrupt | Attention.Stop);
  r[Word.Cr0] = ((Cr0.CD | Cr0.NW) & cpu.model.cr0) | Cr0.ET;
  r[Register.EDX] = cpu.model.signature;
  for (let segment = 0; segment < 8; segment++) {
    r[Word.Limit + segment] = REAL_LIMIT;
    r[Word.Attributes + segment] = RESET_ATTRIBUTES[segment];
  }
  r[Word.Selector + CS] = 0xf000;
  r[Word.Base + CS] = 0xffff0000 | 0;
  r[Word.Eip] = 0xfff0;
  r[Word.Rom] = -romBytes;
}
