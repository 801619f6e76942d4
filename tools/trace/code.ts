/**
 * The instructions of a run, each decoded once: what of a line stays the same however often it runs. May import cpu (decoder, disassembler,
 * inspection), accesses.
 *
 * An instruction is known by its physical address and its bytes, which are compared every time: code that is overwritten, or a frame that is
 * given to another program, is decoded anew.
 */
import type { Cpu } from "../../cpu/cpu";
import { DecodeResult, decode } from "../../cpu/decoder";
import { disassemble } from "../../cpu/disassembler";
import { Instruction, Prefix } from "../../cpu/instruction";
import { ROWS, RowFlag } from "../../cpu/isa";
import { Cr0, Cr4, Word } from "../../cpu/registers";
import { Entry } from "../../cpu/tlb";
import { type Access, accessesOf } from "./accesses";
import { hex, hex2 } from "./hex";
import type { CodeNames } from "./programs";

export type Syntax = "intel" | "att";

/** What of an instruction is the same each time that it runs. */
export interface Code {
  /** Order in which the trace has met it. */
  readonly id: number;
  readonly eip: number;
  /** 2 or 4: size of the code segment. */
  readonly size: 2 | 4;
  /** As far as they could be read. */
  readonly bytes: Uint8Array;
  /** `name+0x10`, "-" for none. */
  readonly symbol: string;
  /** `file.ts:120`, "-" for none. */
  readonly source: string;
  readonly intel: string;
  readonly att: string;
  readonly accesses: readonly Access[];
  /** A string instruction with REP: its repetitions are one line. */
  readonly isRepeated: boolean;
  /** It can go elsewhere than to the next instruction. */
  readonly isJump: boolean;
  /** Why it raises #UD whenever it runs; "": it does not. */
  readonly whyUndefined: string;
}

interface Cached extends Code {
  readonly names: CodeNames | undefined;
}

const PAGE = 4096;
const SMALL_SHIFT = 12;
const LARGE_SHIFT = 22;
/** Bits of a pde (Intel SDM volume 3, 4.3). */
const PRESENT = 1;
const LARGE = 0x80;
const MOST_BYTES = 15;
const JUMPS = /^(j|call|ret|loop|int|iret)/;

const WHY_NOT: Readonly<Record<number, string>> = {
  [DecodeResult.NeedMore]: "(not in memory)",
  [DecodeResult.Invalid]: "(no instruction)",
  [DecodeResult.TooLong]: "(longer than 15 bytes)",
};

/** `name+0x10` for an address; undefined where nothing is known. */
export function nameOf(names: CodeNames | undefined, address: number): string | undefined {
  const symbol = names?.lookup(address);
  return symbol && symbol.name + (symbol.offset > 0 ? `+0x${hex(symbol.offset)}` : "");
}

/**
 * Where a linear address leads now, as the processor would find it: by the charged TLB, else by the tables; -1 where it is not mapped or
 * leads out of RAM. `hit` then says whether the TLB had it.
 */
export class Translator {
  hit = false;
  /** log2 of the bytes of the page that it was found in. */
  shift = SMALL_SHIFT;

  constructor(private readonly cpu: Cpu) {}

  physical(linear: number): number {
    const { cpu } = this;
    const { tlb } = cpu;
    let address = -1;
    this.hit = true;
    this.shift = SMALL_SHIFT;
    if ((cpu.r[Word.Cr0] & Cr0.PG) === 0) address = cpu.translate(linear);
    else {
      const small = tlb.findSmall(linear);
      if (small >= 0) address = ((tlb.smallEntries[small] & Entry.Frame) | (linear & 0xfff)) >>> 0;
      else {
        const large = tlb.findLarge(linear);
        if (large >= 0) address = ((tlb.largeEntries[large] & 0xffc00000) | (linear & 0x3fffff)) >>> 0;
        else {
          this.hit = false;
          address = cpu.translate(linear);
        }
        if (large >= 0 || this.isInLargePage(linear)) this.shift = LARGE_SHIFT;
      }
    }
    return address < cpu.memoryBytes ? address : -1;
  }

  /** Whether the tables have a page of 4 MB for an address. */
  private isInLargePage(linear: number): boolean {
    const { r, ram, view, memoryBytes } = this.cpu;
    const at = ((r[Word.Cr3] & ~0xfff) + ((linear >>> 22) << 2)) >>> 0;
    const large = PRESENT | LARGE;
    if ((r[Word.Cr4] & Cr4.PSE) === 0 || at >= memoryBytes) return false;
    return (view.getUint32(ram.byteOffset + at, true) & large) === large;
  }
}

export class CodeCache {
  private readonly known = new Map<number, Cached>();
  private readonly insn = new Instruction();
  private readonly scratch = new Uint8Array(MOST_BYTES);
  private met = 0;

  constructor(
    private readonly cpu: Cpu,
    private readonly translator: Translator,
  ) {}

  /** The instruction at `eip`, which is linear address `linear`, in a code segment of this size; `names` are its program's. */
  at(eip: number, linear: number, size: 2 | 4, names: CodeNames | undefined): Code {
    const physical = this.translator.physical(linear);
    const known = this.known.get(physical);
    if (known !== undefined && known.eip === eip && known.names === names && known.size === size) {
      if (this.holds(known.bytes, physical, linear)) return known;
    }
    const code = this.decode(eip, linear, size, names);
    this.known.set(physical, code);
    return code;
  }

  /** Whether memory still has these bytes. */
  private holds(bytes: Uint8Array, physical: number, linear: number): boolean {
    const { ram } = this.cpu;
    if (physical < 0) return false;
    if ((physical & (PAGE - 1)) + bytes.length > PAGE) {
      const length = this.read(linear);
      return length >= bytes.length && bytes.every((byte, i) => byte === this.scratch[i]);
    }
    for (let i = 0; i < bytes.length; i++) if (ram[physical + i] !== bytes[i]) return false;
    return true;
  }

  /** Reads up to 15 bytes at a linear address into `scratch`; returns how many there are. */
  private read(linear: number): number {
    const { scratch, translator } = this;
    let physical = -1;
    for (let i = 0; i < MOST_BYTES; i++) {
      const address = (linear + i) >>> 0;
      if (i === 0 || address % PAGE === 0) physical = translator.physical(address);
      if (physical < 0) return i;
      scratch[i] = this.cpu.ram[physical++];
    }
    return MOST_BYTES;
  }

  private decode(eip: number, linear: number, size: 2 | 4, names: CodeNames | undefined): Cached {
    const { insn } = this;
    const available = this.read(linear);
    const result = decode(this.scratch, 0, available, size, insn);
    const isOk = result === DecodeResult.Ok;
    const length = isOk ? insn.length : Math.min(available, Math.max(insn.length, 1));
    const row = ROWS[insn.row];
    const text = (syntax: Syntax) =>
      isOk ? disassemble(insn, eip, syntax, (address) => nameOf(names, address)) : WHY_NOT[result];
    const source = names?.line(eip);
    return {
      id: this.met++,
      eip,
      size,
      names,
      bytes: this.scratch.slice(0, length),
      symbol: nameOf(names, eip) ?? "-",
      source: source ? `${source.file}:${source.line}` : "-",
      intel: text("intel"),
      att: text("att"),
      accesses: isOk ? accessesOf(insn) : [],
      isRepeated: isOk && (insn.prefixes & (Prefix.Rep | Prefix.Repne)) !== 0 && (row.flags & RowFlag.RepAllowed) !== 0,
      isJump: isOk && JUMPS.test(row.mnemonic),
      whyUndefined: this.whyUndefined(result, eip, available),
    };
  }

  private whyUndefined(result: DecodeResult, eip: number, available: number): string {
    if (result === DecodeResult.Invalid) {
      const bytes = Array.from(this.scratch.subarray(0, Math.min(available, 8)), (byte) => hex2(byte));
      return `no instruction of this CPU begins with ${bytes.join(" ")}`;
    }
    if (result !== DecodeResult.Ok) return "the instruction could not be read";
    if (ROWS[this.insn.row].mnemonic === "ud2") return "ud2";
    return `'${disassemble(this.insn, eip)}' is not implemented, or not allowed here`;
  }
}
