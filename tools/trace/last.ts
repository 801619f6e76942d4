/**
 * The last N instructions of a run: `tine trace --last N`, and what is printed when a kernel panics. May import cpu/,
 * kernel/abi, record and lines.
 *
 *     const trace = new LastInstructions(machine, { count: 50, resolver });
 *     machine.run(...);
 *     for (const line of trace.lines()) console.log(line);
 *
 * It listens to the machine from its construction on, so that it knows which process runs (Mark.Switch); it records from
 * start(), which the constructor calls unless told not to. Recording moves the machine to its single-step path: slower,
 * but the guest's run is the same to the cycle. Repetitions of one string instruction are one record.
 */

import { readEflags } from "../../cpu/eflags";
import { EventKind, type Machine, type MachineEvent } from "../../cpu/index";
import { Mode, Register, Word } from "../../cpu/registers";
import { Mark } from "../../kernel/abi/marks";
import { formatLines, type Resolver } from "./lines";
import { CODE_BYTES, EventRing, InstructionRing, RECORDED } from "./record";

export type { CodeNames, CodeSample, Resolver } from "./lines";

export interface LastOptions {
  /** Instructions to keep. */
  count: number;
  /** Names of code addresses; without it lines have only addresses. */
  resolver?: Resolver;
  /** Syntax of the disassembly; Intel by default. */
  syntax?: "intel" | "att";
  /** The process that runs now, when its switch is past. */
  pid?: number;
  /** false: only follow which process runs, until start(). */
  record?: boolean;
}

const PAGE = 4096;
const CS = 1;
/** F2 and F3. */
const REP_PREFIX = 0xf2;

export class LastInstructions {
  private readonly ring: InstructionRing;
  private readonly events: EventRing;
  private readonly unlisten: () => void;
  private pid: number;
  private readonly images = new Map<number, number>();
  private image = 0;
  /** The page that the last code byte came from, so that most instructions need no walk: linear and physical. */
  private page = -1;
  private pagePhysical = -1;

  constructor(
    private readonly machine: Machine,
    private readonly options: LastOptions,
  ) {
    this.ring = new InstructionRing(options.count);
    // A trap has at most two events, and a mark or a flush comes by an instruction of its own.
    this.events = new EventRing(4 * options.count + 16);
    this.pid = options.pid ?? -1;
    this.unlisten = machine.onEvent((event) => this.hear(event));
    if (options.record !== false) this.start();
  }

  /** Records from the next instruction on. */
  start(): void {
    this.page = -1;
    this.machine.onInstruction(() => this.record());
  }

  /** Ends recording and listening; lines() goes on to answer. */
  stop(): void {
    this.machine.onInstruction(null);
    this.unlisten();
  }

  private hear({ kind, a, b }: Readonly<MachineEvent>): void {
    // Translations may have changed.
    this.page = -1;
    if (kind === EventKind.Mark) {
      const argument = a & 0xffffff;
      switch (a >>> 24) {
        case Mark.Switch:
          this.pid = argument;
          this.image = this.images.get(argument) ?? 0;
          break;
        case Mark.Exec:
          this.image = (this.images.get(argument) ?? 0) + 1;
          this.images.set(argument, this.image);
          break;
        case Mark.TaskExit:
          // The number may be given to another process.
          this.images.set(argument, (this.images.get(argument) ?? 0) + 1);
          break;
      }
    }
    // What came before the first recorded instruction belongs to none of the lines.
    if (this.ring.total > 0) this.events.add(this.ring.total, kind, a, b);
  }

  private record(): void {
    const { ring } = this;
    const { cpu } = this.machine;
    const { r } = cpu;
    const eip = r[Word.Eip] >>> 0;
    const previous = (ring.total - 1) % ring.capacity;
    if (ring.total > 0 && ring.eip[previous] === eip && this.repeats(previous)) return;
    const slot = ring.total++ % ring.capacity;
    ring.instret[slot] = cpu.instret;
    ring.eip[slot] = eip;
    ring.cs[slot] = r[Word.Selector + CS];
    ring.cpl[slot] = r[Word.Cpl];
    ring.pid[slot] = this.pid;
    ring.image[slot] = this.image;
    ring.codeSize[slot] = r[Word.Mode] & Mode.Code32 ? 4 : 2;
    const at = slot * RECORDED.length;
    for (let i = Register.EAX; i <= Register.EDI; i++) ring.registers[at + i] = r[i];
    ring.registers[at + 8] = readEflags(r);
    ring.registers[at + 9] = r[Word.Cr3];
    ring.codeLength[slot] = this.copyCode((r[Word.Base + CS] + eip) >>> 0, slot * CODE_BYTES);
  }

  /** Whether the record is a repeated string instruction, of which the machine is about to do the next repetition. */
  private repeats(slot: number): boolean {
    const { ring, events } = this;
    const lastEvent = (events.total - 1) % events.capacity;
    if (events.total > 0 && events.ordinal[lastEvent] === ring.total) return false;
    const at = slot * CODE_BYTES;
    for (let i = at; i < at + ring.codeLength[slot]; i++) {
      if ((ring.code[i] & 0xfe) === REP_PREFIX) return true;
      if (!isPrefix(ring.code[i])) return false;
    }
    return false;
  }

  /** Copies the bytes at a linear address into the ring; returns how many could be read. */
  private copyCode(linear: number, at: number): number {
    const { ram } = this.machine.cpu;
    const { code } = this.ring;
    for (let i = 0; i < CODE_BYTES; i++) {
      const address = (linear + i) >>> 0;
      const page = (address - (address % PAGE)) / PAGE;
      if (page !== this.page) {
        this.pagePhysical = this.machine.translate(page * PAGE);
        this.page = page;
      }
      const physical = this.pagePhysical + (address % PAGE);
      if (this.pagePhysical < 0 || physical >= ram.length) return i;
      code[at + i] = ram[physical];
    }
    return CODE_BYTES;
  }

  /**
   * One line for each instruction kept and each event between them, oldest first:
   * instret, ring, process, cs:eip, symbol, source line, bytes, disassembly, and the registers that it changed.
   */
  *lines(): Generator<string> {
    const { r } = this.machine.cpu;
    const now = Int32Array.from(RECORDED, (_, i) => (i < 8 ? r[i] : i === 8 ? readEflags(r) : r[Word.Cr3]));
    yield* formatLines(this.ring, this.events, { registers: now, instret: this.machine.instret }, this.options);
  }
}

/** Prefix bytes that may stand before REP. */
function isPrefix(byte: number): boolean {
  return byte === 0x66 || byte === 0x67 || byte === 0xf0 || (byte & 0xe7) === 0x26 || byte === 0x64 || byte === 0x65;
}
