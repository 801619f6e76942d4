/**
 * Words of a machine's memory and its page tables, by the tables alone. May import cpu's public face and registers.
 * Source: Intel SDM volume 3, 4.3.
 */
import type { Machine } from "../../cpu/index";
import { Word } from "../../cpu/registers";

/** Bits of a pde or pte. */
export const PRESENT = 1;
export const WRITE = 2;
const LARGE = 0x80;
const INDEX = 0x3ff;

export class PageEntries {
  private readonly words: Uint32Array;

  constructor(private readonly machine: Machine) {
    const { ram } = machine.cpu;
    this.words = new Uint32Array(ram.buffer, ram.byteOffset, ram.byteLength >>> 2);
  }

  /** The word at a physical address, whose two lowest bits do not count; 0 beyond RAM. */
  physical(address: number): number {
    const index = address >>> 2;
    return index < this.words.length ? this.words[index] : 0;
  }

  /** The word at a linear address of the machine as it is; 0 where it is not mapped. */
  linear(address: number): number {
    const { ram, view } = this.machine.cpu;
    const physical = this.machine.translate(address >>> 0);
    return physical < 0 || physical + 4 > ram.length ? 0 : view.getUint32(ram.byteOffset + physical, true);
  }

  /** Frame of the directory in CR3. */
  get directory(): number {
    return this.machine.cpu.r[Word.Cr3] >>> 12;
  }

  /** The pde for a linear address, by CR3. */
  pde(address: number): number {
    return this.inDirectory(this.directory, address >>> 22);
  }

  /** The pde of a slot in a directory, which is given by its frame. */
  inDirectory(directory: number, slot: number): number {
    return this.physical(directory * 4096 + slot * 4);
  }

  /** The pte for a linear address under a pde; 0 where there is none. */
  pte(pde: number, address: number): number {
    if ((pde & PRESENT) === 0 || (pde & LARGE) !== 0) return 0;
    return this.physical((pde & ~0xfff) + (((address >>> 12) & INDEX) << 2));
  }

  /** Whether all of a frame is zero. */
  isZero(frame: number): boolean {
    const end = Math.min((frame + 1) << 10, this.words.length);
    for (let index = frame << 10; index < end; index++) if (this.words[index] !== 0) return false;
    return true;
  }
}

/** Frame of a present pde or pte; -1 of another. */
export function frameOf(entry: number): number {
  return (entry & PRESENT) !== 0 ? entry >>> 12 : -1;
}
