/** A processor fresh from RESET#, with a ROM's first jump, an interrupt table and code as bytes. */
import { CpuEvent, RunExit } from "../../../cpu/cpu";
import { Rig } from "../rig";

/** Where the ROM jumps to, and the stack. */
export const CS = 0x1000;
export const IP = 0x100;
export const SS = 0x3000;
export const SP = 0x800;
export const LINEAR = (CS << 4) + IP;
/** Handlers: HANDLER_CS:vector is a HLT. */
export const HANDLER_CS = 0x0800;

export class RealRig extends Rig {
  /** Vectors delivered, in order. */
  readonly vectors: number[] = [];

  constructor() {
    super();
    const { cpu } = this;
    cpu.ram.fill(0, 0, 0x10000);
    for (let vector = 0; vector < 256; vector++) this.word(4 * vector, (HANDLER_CS << 16) | vector);
    cpu.ram.fill(0xf4, HANDLER_CS << 4, (HANDLER_CS << 4) + 256);
    cpu.ram.set([0xea, IP & 0xff, IP >> 8, CS & 0xff, CS >> 8], 0xffff0);
    cpu.resetToRealMode();
    cpu.listener = (kind, a) => {
      if (kind === CpuEvent.TrapEntry) this.vectors.push(a);
    };
  }

  /** Takes the ROM's jump, sets SS:SP and puts bytes where it leads. */
  start(...bytes: number[]): this {
    this.cpu.run(this.cpu.instret + 1);
    this.cpu.setSegment(2, { ...this.cpu.segment(2), selector: SS, base: SS << 4 });
    this.cpu.setRegister(4, SP);
    return this.put(LINEAR, ...bytes);
  }

  put(address: number, ...bytes: number[]): this {
    this.cpu.ram.set(bytes, address);
    this.cpu.codeChanged(address, bytes.length);
    return this;
  }

  /** Runs until HLT or shutdown; returns the vectors that were delivered. */
  until(budget = 200): number[] {
    this.exit = this.cpu.run(this.cpu.instret + budget);
    return this.vectors;
  }

  /** The words on the stack from SP. */
  stack(words: number): number[] {
    const base = this.cpu.segment(2).base;
    const sp = this.cpu.register(4);
    return Array.from({ length: words }, (_, i) => this.view.getUint16(base + ((sp + 2 * i) & 0xffff), true));
  }

  get ax(): number {
    return this.cpu.register(0) & 0xffff;
  }

  get shutDown(): boolean {
    return this.exit === RunExit.TripleFault;
  }
}
