/** A rig whose processor runs in virtual-8086 mode: segments of their own below 1 MB, code as bytes. */
import { type Line, Rig, type Trap } from "../rig";

export const VM = 0x20000;
export const IOPL3 = 0x3000;
export const IF = 0x200;

/** Segments of the program in virtual-8086 mode. */
export const SEGMENT = { es: 0x2100, cs: 0x2000, ss: 0x3000, ds: 0x2200, fs: 0x2300, gs: 0x2400 } as const;
export const IP = 0x100;
export const SP = 0x800;
export const LINEAR = (SEGMENT.cs << 4) + IP;
/** Where ring 0's IRETD is. */
const ENTRY = 0x7800;
const FRAME = 0x6f00;

export class VirtualRig extends Rig {
  /** Puts bytes where CS:IP points. */
  program(...bytes: number[]): this {
    this.cpu.ram.set(bytes, LINEAR);
    this.cpu.codeChanged(LINEAR, bytes.length);
    return this;
  }

  /** Goes into virtual-8086 mode by IRETD, with these flags beside VM, and stops at CS:IP. */
  enter(flags: number = IOPL3, parts: Partial<typeof SEGMENT & { ip: number; sp: number }> = {}): this {
    const all = { ...SEGMENT, ip: IP, sp: SP, ...parts };
    this.ring(0);
    this.code(ENTRY, ["iretd"] as Line);
    const words = [all.ip, all.cs, 2 | VM | flags, all.sp, all.ss, all.es, all.ds, all.fs, all.gs];
    for (const [i, word] of words.entries()) this.word(FRAME + 4 * i, word);
    this.cpu.setRegister(4, FRAME);
    this.cpu.eip = ENTRY;
    this.cpu.run(this.cpu.instret + 1);
    return this;
  }

  /** Runs bytes in virtual-8086 mode until a trap, HLT or the budget. */
  try(bytes: readonly number[], flags: number = IOPL3, budget = 100): Trap | null {
    this.program(...bytes);
    this.enter(flags);
    return this.go(budget);
  }

  /** What ring 0's handler finds on its stack, lowest word first. */
  frame(words: number): number[] {
    return Array.from({ length: words }, (_, i) => this.word(this.cpu.register(4) + 4 * i));
  }
}
