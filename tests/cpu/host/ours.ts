/** Runs the cases of cases.ts on our processor: in ring 3, flat, with every trap caught. */
import { Cpu, CpuEvent, RunExit } from "../../../cpu/cpu";
import { type Case, CODE, DATA, STACK, WINDOW, WINDOW_START } from "./cases";

export interface Result {
  /** Vector of the fault, or -1 when the end of the code was reached. */
  vector: number;
  eip: number;
  registers: number[];
  eflags: number;
  data: Uint8Array;
  stack: Uint8Array;
}

const END = 0x80;
const GDT = 0x1000;
const IDT = 0x2000;
const TSS = 0x3000;
const KERNEL_STACK = 0x8000;
const MEMORY = 4 << 20;
const ESP = 4;

/** The same filling as in runner.c. */
export function fill(area: Uint8Array, seed: number): void {
  const view = new DataView(area.buffer, area.byteOffset, area.length);
  let x = (seed | 1) >>> 0;
  for (let i = 0; i < area.length; i += 4) {
    x = (x ^ (x << 13)) >>> 0;
    x = (x ^ (x >>> 17)) >>> 0;
    x = (x ^ (x << 5)) >>> 0;
    view.setUint32(i, x, true);
  }
}

export class Ours {
  readonly cpu: Cpu;
  private vector = 0;

  constructor() {
    this.cpu = new Cpu({ memoryBytes: MEMORY, bus: { read: () => 0, write: () => undefined, acknowledge: () => 0 } });
    const view = new DataView(this.cpu.ram.buffer, this.cpu.ram.byteOffset);
    const descriptors = [0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300, 0xffff, 0xcffb00, 0xffff, 0xcff300];
    for (const [index, word] of descriptors.entries()) view.setUint32(GDT + 4 * index, word, true);
    for (let vector = 0; vector < 256; vector++) {
      view.setUint32(IDT + 8 * vector, 0x00080000, true);
      view.setUint32(IDT + 8 * vector + 4, 0x0000ee00, true);
    }
    view.setUint32(TSS + 4, KERNEL_STACK, true);
    view.setUint32(TSS + 8, 0x10, true);
    this.cpu.setDescriptorTable("gdt", GDT, 0x27);
    this.cpu.setDescriptorTable("idt", IDT, 0x7ff);
    this.cpu.listener = (kind, a) => {
      if (kind !== CpuEvent.TrapEntry) return;
      this.vector = a;
      this.cpu.requestStop();
    };
  }

  run(one: Case): Result {
    const { cpu } = this;
    const { ram } = cpu;
    const data = ram.subarray(DATA + WINDOW_START, DATA + WINDOW_START + WINDOW);
    const stack = ram.subarray(STACK + WINDOW_START, STACK + WINDOW_START + WINDOW);
    fill(data, one.seed);
    fill(stack, one.seed ^ 0x5a5a5a5a);
    ram.set(one.code, CODE);
    ram.set([0xcd, END], CODE + one.code.length);
    cpu.codeChanged(CODE, one.code.length + 2);
    cpu.setSegment(7, { selector: 0x28, base: TSS, limit: 0x67, attributes: 0x8b00 });
    for (const segment of [0, 2, 3])
      cpu.setSegment(segment, { selector: 0x23, base: 0, limit: 0xffffffff, attributes: 0xc0f300 });
    cpu.setSegment(1, { selector: 0x1b, base: 0, limit: 0xffffffff, attributes: 0xc0fb00 });
    for (const [register, value] of one.registers.entries()) cpu.setRegister(register, value);
    cpu.eip = CODE;
    cpu.eflags = one.eflags;
    const exit = cpu.run(cpu.instret + 10_000);
    if (exit !== RunExit.Stopped) throw new Error(`our processor did not stop: exit ${exit}`);
    // EFLAGS, ESP and EIP are in the trap frame; an error code lies below them.
    const view = new DataView(ram.buffer, ram.byteOffset);
    const eip = view.getUint32(KERNEL_STACK - 20, true);
    const registers = Array.from({ length: 8 }, (_, register) => cpu.register(register));
    registers[ESP] = view.getUint32(KERNEL_STACK - 8, true);
    const ended = this.vector === END;
    return {
      vector: ended ? -1 : this.vector,
      eip: ended ? eip - 2 : eip,
      registers,
      eflags: view.getUint32(KERNEL_STACK - 12, true),
      data,
      stack,
    };
  }
}
