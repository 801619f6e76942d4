/**
 * Two cascaded 8259A interrupt controllers as a PC/AT wires them: master at 0x20/0x21, slave at 0xA0/0xA1 on IR2.
 * May import port.ts. ICW1–4 and OCW1–3 in 8086 mode, edge and level triggering, fixed and rotating priority, automatic
 * EOI, special mask, special fully nested mode, poll; the edge/level registers of later boards (0x4D0, 0x4D1). Buffered mode is taken
 * and changes nothing, since no buffer hangs on the chips. Invariants: nothing is requested before ICW1–4 are complete; a request
 * whose line drops before it is acknowledged is gone, and acknowledging nothing gives IR7 without an in-service bit.
 * Source: Intel 8259A data sheet (231468-003); Intel 82371SB data sheet (ELCR1, ELCR2).
 */

import type { PortDevice } from "./port";

const ICW1 = 0x10;
const ICW1_NEEDS_ICW4 = 0x01;
const ICW1_SINGLE = 0x02;
const ICW1_LEVEL = 0x08;
const ICW4_AUTO_EOI = 0x02;
const ICW4_SPECIAL_FULLY_NESTED = 0x10;
const OCW3 = 0x08;
const OCW3_POLL = 0x04;
const CASCADE_INPUT = 2;
/** Edge/level control: a bit for each input that is triggered by level. */
export const ELCR_PORT = 0x4d0;
const SPURIOUS_INPUT = 7;

/** Which initialisation word the odd port expects next; Ready is the normal state, Off before the first ICW1. */
const enum Init {
  Off,
  Icw2,
  Icw3,
  Icw4,
  Ready,
}

/** One chip as saved: numbers in the order of Chip's fields. */
export type ChipState = readonly number[];

/** One 8259A. `cascadeMask` is the inputs that carry a slave: 1 << 2 on the master, 0 on the slave. */
class Chip {
  private init: Init = Init.Off;
  private icw1 = 0;
  private icw4 = 0;
  private vectorBase = 0;
  private requests = 0;
  private inService = 0;
  private masked = 0;
  /** Levels of the eight inputs. */
  private lines = 0;
  /** The input with the lowest priority; the next one up (mod 8) has the highest. */
  private lowest = 7;
  private specialMask = 0;
  private rotateOnAutoEoi = 0;
  private readsInService = 0;
  private polled = 0;
  /** Inputs that the edge/level register makes level-triggered; ICW1 can make them all so. It outlives ICW1. */
  private levels = 0;

  /** `levelMask` is the inputs that the edge/level register may change. */
  constructor(
    private readonly cascadeMask: number,
    private readonly levelMask: number,
  ) {}

  /** Inputs triggered by level. */
  private get levelInputs(): number {
    return (this.icw1 & ICW1_LEVEL) !== 0 ? 0xff : this.levels;
  }

  get edgeLevel(): number {
    return this.levels;
  }
  set edgeLevel(value: number) {
    this.levels = value & this.levelMask;
    this.requests |= this.lines & this.levels;
  }

  save(): ChipState {
    return [
      this.init,
      this.icw1,
      this.icw4,
      this.vectorBase,
      this.requests,
      this.inService,
      this.masked,
      this.lines,
      this.lowest,
      this.specialMask,
      this.rotateOnAutoEoi,
      this.readsInService,
      this.polled,
      this.levels,
    ];
  }

  restore(state: ChipState): void {
    [
      this.init,
      this.icw1,
      this.icw4,
      this.vectorBase,
      this.requests,
      this.inService,
      this.masked,
      this.lines,
      this.lowest,
      this.specialMask,
      this.rotateOnAutoEoi,
      this.readsInService,
      this.polled,
      this.levels,
    ] = state;
  }

  setLine(input: number, level: 0 | 1): void {
    const bit = 1 << input;
    if (level === 0) {
      this.lines &= ~bit;
      this.requests &= ~bit;
    } else {
      if ((this.levelInputs & bit) !== 0 || (this.lines & bit) === 0) this.requests |= bit;
      this.lines |= bit;
    }
  }

  /** The input with the highest priority among `bits`, or −1. */
  private highest(bits: number): number {
    // Rotated so that bit 0 is the input of rank 0.
    const ranked = ((bits | (bits << 8)) >> (this.lowest + 1)) & 0xff;
    return ranked === 0 ? -1 : (this.lowest + 32 - Math.clz32(ranked & -ranked)) & 7;
  }

  /** Priority rank of an input: 0 is the highest. */
  private rank(input: number): number {
    return (input - this.lowest - 1) & 7;
  }

  /** The best of `requests` (a bit set) that mask and in-service bits let through, or −1. */
  private admitted(requests: number): number {
    if (this.init !== Init.Ready) return -1;
    const request = this.highest(requests & ~this.masked);
    if (request < 0) return -1;
    let blocking = this.inService;
    if (this.specialMask !== 0) blocking &= ~this.masked;
    if ((this.icw4 & ICW4_SPECIAL_FULLY_NESTED) !== 0) blocking &= ~this.cascadeMask;
    const serving = this.highest(blocking);
    return serving < 0 || this.rank(request) < this.rank(serving) ? request : -1;
  }

  /** The input that INT now asks for, or −1 when INT is low. */
  pending(): number {
    return this.admitted(this.requests);
  }

  /** Whether a request on `input` alone would raise INT. */
  admits(input: number): boolean {
    return this.admitted(1 << input) >= 0;
  }

  /** The first INTA pulse: takes the pending input into service. The spurious IR7 when there is none. */
  acknowledge(): number {
    const input = this.pending();
    if (input < 0) return SPURIOUS_INPUT;
    const bit = 1 << input;
    if ((this.levelInputs & bit) === 0) this.requests &= ~bit;
    if ((this.icw4 & ICW4_AUTO_EOI) === 0) this.inService |= bit;
    else if (this.rotateOnAutoEoi !== 0) this.lowest = input;
    return input;
  }

  vector(input: number): number {
    return this.vectorBase | input;
  }

  /** Reads of the even (0) and odd (1) port. */
  read(a0: number): number {
    if (this.polled !== 0) {
      this.polled = 0;
      return this.pending() < 0 ? 0 : 0x80 | this.acknowledge();
    }
    if (a0 !== 0) return this.masked;
    return this.readsInService !== 0 ? this.inService : this.requests;
  }

  write(a0: number, value: number): void {
    if (a0 !== 0) this.writeOdd(value);
    else if ((value & ICW1) !== 0) this.beginInit(value);
    else if ((value & OCW3) !== 0) this.writeOcw3(value);
    else this.writeOcw2(value);
  }

  /** ICW1. The edge detectors are reset too: a line that is high already must fall and rise to ask again. */
  private beginInit(value: number): void {
    this.init = Init.Icw2;
    this.icw1 = value;
    this.icw4 = 0;
    this.requests = this.lines & this.levelInputs;
    this.inService = 0;
    this.masked = 0;
    this.lowest = 7;
    this.specialMask = 0;
    this.rotateOnAutoEoi = 0;
    this.readsInService = 0;
    this.polled = 0;
  }

  private writeOdd(value: number): void {
    switch (this.init) {
      case Init.Icw2:
        this.vectorBase = value & 0xf8;
        if ((this.icw1 & ICW1_SINGLE) === 0) this.init = Init.Icw3;
        else this.init = (this.icw1 & ICW1_NEEDS_ICW4) !== 0 ? Init.Icw4 : Init.Ready;
        break;
      case Init.Icw3: // the wiring of the cascade, which is fixed
        this.init = (this.icw1 & ICW1_NEEDS_ICW4) !== 0 ? Init.Icw4 : Init.Ready;
        break;
      case Init.Icw4:
        this.icw4 = value;
        this.init = Init.Ready;
        break;
      default:
        this.masked = value;
    }
  }

  private writeOcw3(value: number): void {
    if ((value & 0x40) !== 0) this.specialMask = (value >> 5) & 1;
    if ((value & 0x02) !== 0) this.readsInService = value & 1;
    if ((value & OCW3_POLL) !== 0) this.polled = 1;
  }

  /** OCW2: bits 7–5 are rotate, specific, EOI; bits 2–0 an input. */
  private writeOcw2(value: number): void {
    const rotate = (value & 0x80) !== 0;
    const specific = (value & 0x40) !== 0;
    const eoi = (value & 0x20) !== 0;
    if (!eoi) {
      if (!specific) this.rotateOnAutoEoi = rotate ? 1 : 0;
      else if (rotate) this.lowest = value & 7;
      return;
    }
    const input = specific
      ? value & 7
      : this.highest(this.specialMask !== 0 ? this.inService & ~this.masked : this.inService);
    if (input < 0) return;
    this.inService &= ~(1 << input);
    if (rotate) this.lowest = input;
  }
}

/** The pair as saved. */
export interface PicState {
  master: ChipState;
  slave: ChipState;
}

/** The pair, addressed by IRQ number: 0–7 on the master, 8–15 on the slave; IRQ 2 is the cascade itself. */
export class Pic implements PortDevice {
  readonly byteWide = true;
  private readonly master = new Chip(1 << CASCADE_INPUT, 0xf8);
  private readonly slave = new Chip(0, 0xde);

  /** Level of a device's interrupt line. */
  setLine(irq: number, level: 0 | 1): void {
    if (irq < 8) {
      this.master.setLine(irq, level);
    } else {
      this.slave.setLine(irq - 8, level);
      this.cascade();
    }
  }

  /** INTR, the wire to the CPU. */
  output(): 0 | 1 {
    return this.master.pending() >= 0 ? 1 : 0;
  }

  /** Whether a rising edge on `irq` would raise INTR with mask, priority and service as they are now. */
  admits(irq: number): boolean {
    return irq < 8 ? this.master.admits(irq) : this.slave.admits(irq - 8) && this.master.admits(CASCADE_INPUT);
  }

  /** The CPU's interrupt-acknowledge cycle: the vector, 0–255. */
  acknowledge(): number {
    const input = this.master.acknowledge();
    if (input !== CASCADE_INPUT) return this.master.vector(input);
    const vector = this.slave.vector(this.slave.acknowledge());
    // INT of the slave falls with the acknowledge, so that what it still has to ask for is an edge to the master.
    this.master.setLine(CASCADE_INPUT, 0);
    this.cascade();
    return vector;
  }

  readPort(port: number): number {
    if (port >= ELCR_PORT) return this.elcrChip(port).edgeLevel;
    const value = this.chip(port).read(port & 1);
    this.cascade();
    return value;
  }

  writePort(port: number, _size: number, value: number): void {
    if (port >= ELCR_PORT) this.elcrChip(port).edgeLevel = value;
    else this.chip(port).write(port & 1, value);
    this.cascade();
  }

  private chip(port: number): Chip {
    return port < 0xa0 ? this.master : this.slave;
  }

  private elcrChip(port: number): Chip {
    return port === ELCR_PORT ? this.master : this.slave;
  }

  private cascade(): void {
    this.master.setLine(CASCADE_INPUT, this.slave.pending() >= 0 ? 1 : 0);
  }

  save(): PicState {
    return { master: this.master.save(), slave: this.slave.save() };
  }

  restore(state: PicState): void {
    this.master.restore(state.master);
    this.slave.restore(state.slave);
  }
}
