/**
 * A bare processor for tests: flat segments of both rings, a TSS, gates for every vector, page tables on demand, and code
 * assembled in place. A trap stops it, so that a test sees vector, error code and the state that the handler would find.
 */
import { Cpu, CpuEvent, type CpuOptions, RunExit } from "../../cpu/cpu";
import { type EncodeOptions, Encoder, imm, mem, type OperandValue, reg, rel32 } from "../../cpu/encoder";

export const [EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI] = Array.from({ length: 8 }, (_, number) => reg(number));
export const [AX, CX, DX] = Array.from({ length: 3 }, (_, number) => reg(number, 2));
export const [AL, CL] = Array.from({ length: 2 }, (_, number) => reg(number, 1));

/** Selectors. */
export const CODE0 = 0x08;
export const DATA0 = 0x10;
export const CODE3 = 0x1b;
export const DATA3 = 0x23;
export const TSS_SELECTOR = 0x28;
/** The first selector that is free for a test's own descriptors. */
export const FREE_SELECTOR = 0x30;

export const GDT = 0x1000;
export const IDT = 0x2000;
export const TSS = 0x3000;
export const KERNEL_STACK = 0x7000;
/** Where the gates lead: a HLT. */
export const HANDLER = 0x8000;
const DIRECTORY = 0x10000;
const TABLES = 0x11000;
/** Ring-3 and test code and data usually start here; all below is the rig's. */
export const FREE = 0x100000;

export const PRESENT = 1;
export const WRITE = 2;
export const USER = 4;
export const ACCESSED = 0x20;
export const DIRTY = 0x40;
export const LARGE = 0x80;
export const GLOBAL = 0x100;

export const CR0_WP = 0x10000;
export const CR0_PG = 0x80000000;

export interface Trap {
  vector: number;
  error: number;
  /** EIP and ESP as the handler will find them saved. */
  eip: number;
  cr2: number;
}

/** `[mnemonic, operands…]`, `["db", bytes…]` or `["org", address]`; numbers are immediates. A string alone is a label, `jump` operands name one by "@label". */
export type Line = readonly [string, ...(OperandValue | number | string)[]] | EncodeLine;
export interface EncodeLine {
  op: string;
  values: OperandValue[];
  options: EncodeOptions;
}

/** `[base + displacement]`, or `[displacement]`. */
export function at(base: OperandValue | null, displacement = 0, size = 4): OperandValue {
  if (base === null) return mem(size, { displacement: displacement | 0 });
  return mem(size, { base: (base as { number: number }).number, displacement });
}

export function rep(op: string, prefix = 4): EncodeLine {
  return { op, values: [], options: { prefixes: prefix } };
}

export class Rig {
  readonly cpu: Cpu;
  readonly view: DataView;
  /** Ports read and written, with the counts that the device saw. */
  readonly io: { port: number; size: number; value: number; instret: number; cycles: number }[] = [];
  /** What IN gives. */
  portValue = 0;
  /** What the interrupt-acknowledge cycle gives. */
  interruptVector = 0x20;
  trap: Trap | null = null;
  /** false: handlers run instead of stopping. */
  stopAtTraps = true;
  private nextTable = TABLES;
  /** When rigs' processors compile, where a test does not say: compile/atonce.ts sets it. */
  static compileAfter: number | undefined;

  constructor(options: Partial<CpuOptions> = {}) {
    const record = (port: number, size: number, value: number): void => {
      this.io.push({ port, size, value, instret: this.cpu.instret, cycles: this.cpu.cycles });
    };
    this.cpu = new Cpu({
      memoryBytes: 4 << 20,
      ...(Rig.compileAfter === undefined ? {} : { compileAfter: Rig.compileAfter }),
      ...options,
      bus: {
        read: (port, size) => {
          record(port, size, this.portValue);
          return this.portValue;
        },
        write: record,
        acknowledge: () => this.interruptVector,
      },
    });
    this.view = new DataView(this.cpu.ram.buffer, this.cpu.ram.byteOffset, this.cpu.ram.length);
    this.descriptor(CODE0, 0, 0xfffff, 0xc09b);
    this.descriptor(DATA0, 0, 0xfffff, 0xc093);
    this.descriptor(CODE3, 0, 0xfffff, 0xc0fb);
    this.descriptor(DATA3, 0, 0xfffff, 0xc0f3);
    this.descriptor(TSS_SELECTOR, TSS, 0x67, 0x0089);
    this.word(TSS + 4, KERNEL_STACK);
    this.word(TSS + 8, DATA0);
    this.word(TSS + 100, 0x680000);
    for (let vector = 0; vector < 256; vector++) this.gate(vector, HANDLER, CODE0, 0xee);
    this.cpu.ram[HANDLER] = 0xf4;
    this.cpu.setDescriptorTable("gdt", GDT, 0xfff);
    this.cpu.setDescriptorTable("idt", IDT, 0x7ff);
    this.cpu.setSegment(7, { selector: TSS_SELECTOR, base: TSS, limit: 0x67, attributes: 0x8b00 });
    this.ring(0);
    this.cpu.listener = (kind, a, b) => {
      if (kind !== CpuEvent.TrapEntry || !this.stopAtTraps) return;
      const frame = this.cpu.register(4) + (b === -1 ? 0 : 4);
      const saved = this.cpu.translate(frame);
      // A task gate's handler finds no frame, and may have any stack.
      const readable = saved >= 0 && saved + 4 <= this.cpu.memoryBytes;
      const eip = readable ? this.view.getUint32(saved, true) : 0;
      this.trap = { vector: a, error: b, eip, cr2: this.cpu.control(2) };
      this.cpu.requestStop();
    };
  }

  /** A descriptor: limit as its 20 bits, attributes as the manual writes them (G D 0 AVL … P DPL S type). */
  descriptor(selector: number, base: number, limit: number, attributes: number, table = GDT): void {
    const address = table + (selector & 0xfff8);
    this.word(address, (base << 16) | (limit & 0xffff));
    const high = (base & 0xff000000) | ((attributes & 0xf000) << 8) | (limit & 0xf0000);
    this.word(address + 4, high | ((attributes & 0xff) << 8) | ((base >>> 16) & 0xff));
  }

  /** An IDT gate; `type` is its access byte. */
  gate(vector: number, offset: number, selector: number, type: number): void {
    this.word(IDT + 8 * vector, (selector << 16) | (offset & 0xffff));
    this.word(IDT + 8 * vector + 4, (offset & 0xffff0000) | (type << 8));
  }

  word(address: number, value?: number): number {
    if (value !== undefined) this.view.setUint32(address, value >>> 0, true);
    return this.view.getUint32(address, true);
  }

  /** Loads flat segments of a ring, with interrupts off. */
  ring(ring: 0 | 3): this {
    const [code, data] = ring === 0 ? [CODE0, DATA0] : [CODE3, DATA3];
    const dpl = ring << 13;
    for (const segment of [0, 2, 3, 4, 5]) {
      this.cpu.setSegment(segment, { selector: data, base: 0, limit: 0xffffffff, attributes: 0xc09300 | dpl });
    }
    this.cpu.setSegment(1, { selector: code, base: 0, limit: 0xffffffff, attributes: 0xc09b00 | dpl });
    this.cpu.eflags = 2;
    this.cpu.setRegister(4, ring === 0 ? KERNEL_STACK : FREE + 0xf000);
    return this;
  }

  /** Maps a page; makes a table where there is none. `flags` are the pte's; the pde has `directoryFlags`. */
  map(linear: number, physical: number, flags = PRESENT | WRITE | USER, directoryFlags = PRESENT | WRITE | USER): this {
    const pde = DIRECTORY + (linear >>> 22) * 4;
    if (this.word(pde) === 0) {
      this.word(pde, this.nextTable | directoryFlags);
      this.nextTable += 0x1000;
    }
    this.word(this.pte(linear), physical | flags);
    return this;
  }

  pde(linear: number): number {
    return DIRECTORY + (linear >>> 22) * 4;
  }

  /** Physical address of a linear address's table entry. */
  pte(linear: number): number {
    return (this.word(this.pde(linear)) & 0xfffff000) + ((linear >>> 12) & 0x3ff) * 4;
  }

  /** The rig's own first megabyte one to one for the supervisor, and paging on. */
  page(cr0 = CR0_WP, cr4 = 0): this {
    for (let page = 0; page < FREE; page += 0x1000) this.map(page, page, PRESENT | WRITE);
    this.cpu.setControl(3, DIRECTORY);
    this.cpu.setControl(4, cr4);
    this.cpu.setControl(0, 0x11 | cr0 | CR0_PG);
    return this;
  }

  /** Assembles at a physical address, and from each `["org", address]` on there; returns the labels, and the address behind. */
  code(address: number, ...lines: (Line | string)[]): Record<string, number> {
    const labels: Record<string, number> = {};
    // Twice: the second time all labels are known. Jumps have 32-bit distances, so that lengths stay.
    for (let pass = 0; pass < 2; pass++) {
      let here = address;
      for (const line of lines) {
        if (typeof line === "string") {
          labels[line] = here;
          continue;
        }
        if (!("op" in line) && line[0] === "org") {
          here = line[1] as number;
          continue;
        }
        const bytes = this.assemble(line, here, labels);
        this.cpu.ram.set(bytes, here);
        here += bytes.length;
      }
      labels.end = here;
    }
    this.cpu.codeChanged(address, labels.end - address);
    return labels;
  }

  private assemble(line: Line, here: number, labels: Record<string, number>): Uint8Array {
    const encoder = new Encoder();
    if ("op" in line) encoder.encode(line.op, line.values, line.options);
    else {
      const [mnemonic, ...operands] = line;
      if (mnemonic === "db") return Uint8Array.from(operands as number[]);
      const jump = typeof operands[0] === "string";
      const values = operands.map((value) => {
        if (typeof value === "string") return rel32(0);
        return typeof value === "number" ? imm(value) : value;
      });
      encoder.encode(mnemonic, values);
      if (jump) {
        const target = labels[(operands[0] as string).slice(1)] ?? here;
        encoder.encode(mnemonic, [rel32(target - here - encoder.length)]);
      }
    }
    return encoder.bytes.slice(0, encoder.length);
  }

  /** Runs from `eip` until a trap, HLT or the budget; returns the trap or null. */
  run(eip: number, budget = 100_000): Trap | null {
    this.cpu.eip = eip;
    return this.go(budget);
  }

  /** Goes on from where it stands. */
  go(budget = 100_000): Trap | null {
    this.trap = null;
    this.exit = this.cpu.run(this.cpu.instret + budget);
    return this.trap;
  }
  exit: RunExit = RunExit.Budget;

  get registers(): number[] {
    return Array.from({ length: 8 }, (_, number) => this.cpu.register(number));
  }
  set registers(values: readonly number[]) {
    for (const [number, value] of values.entries()) this.cpu.setRegister(number, value);
  }
}
