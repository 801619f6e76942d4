/**
 * Whether a process is in one of some functions, or in what these call. For whoever sees every instruction. May import cpu, programs.
 *
 * A function is left when the stack pointer, in the ring in which it was entered, stands above where its return address lay. Traps on the way, and
 * what the kernel does for it meanwhile, belong to it; what other processes do in between does not.
 */
import type { Machine } from "../../cpu/index";
import { Register, Word } from "../../cpu/registers";
import type { CodeNames } from "./programs";

interface Entered {
  esp: number;
  ring: number;
}

/** A stack pointer that is farther away than that is one of another stack. */
const STACK_BYTES = 8192;

export class FunctionFilter {
  private readonly entries: ReadonlyMap<number, readonly CodeNames[]>;
  private readonly entered = new Map<number, Entered>();

  constructor(
    private readonly machine: Machine,
    functions: readonly { address: number; names: CodeNames }[],
  ) {
    const entries = new Map<number, CodeNames[]>();
    for (const { address, names } of functions) entries.set(address, [...(entries.get(address) ?? []), names]);
    this.entries = entries;
  }

  /** Whether the instruction at `eip`, which is next, is in one. To be asked of every instruction. */
  isIn(eip: number, pid: number, namesAt: (address: number) => CodeNames | undefined): boolean {
    const { r } = this.machine.cpu;
    const esp = r[Register.ESP] >>> 0;
    const entered = this.entered.get(pid);
    if (entered !== undefined) {
      const above = esp - entered.esp;
      if (!(r[Word.Cpl] === entered.ring && above > 0 && above <= STACK_BYTES)) return true;
      this.entered.delete(pid);
    }
    const names = this.entries.get(eip);
    if (names === undefined) return false;
    const here = namesAt(eip);
    if (here === undefined || !names.includes(here)) return false;
    this.entered.set(pid, { esp, ring: r[Word.Cpl] });
    return true;
  }

  /** Whether a process is in one, as far as its last instruction tells. */
  holds(pid: number): boolean {
    return this.entered.has(pid);
  }

  /** The process is gone, or is another program now. */
  forget(pid: number): void {
    this.entered.delete(pid);
  }
}
