/**
 * Watches a machine instruction by instruction and tells each as a Step, complete with what it changed, and each event in its place
 * between them. May import cpu, step, code, programs, events.
 *
 * While it is on, the machine is on its single-step path: slower, but the guest's run is the same to the cycle. It may be turned on and off
 * at any moment, from within an event too; the instruction that it has begun to see is told before it stops. Repetitions of a string
 * instruction are one step.
 */
import { readEflags } from "../../cpu/eflags";
import { EventKind, type Machine } from "../../cpu/index";
import { Mode, Word } from "../../cpu/registers";
import { AccessKind, linearOf } from "./accesses";
import { CodeCache, Translator } from "./code";
import type { TraceEvent } from "./eventtypes";
import type { CodeNames } from "./programs";
import { CR3, EFLAGS, MOST_ACCESSES, Step } from "./step";

const CS = 1;
const PAGE = 4096;
const INVALID_OPCODE = 6;

export interface CaptureListener {
  /** Before each instruction: whether it is to be told. */
  begins(eip: number): boolean;
  /** One has been executed. The step is reused. */
  step(step: Step): void;
  /** Comes behind the step of the instruction that it belongs to. */
  event(event: TraceEvent): void;
}

export interface CaptureOptions {
  /** The process that runs. */
  pid: () => number;
  /** Names for code of the running process. */
  namesAt: (address: number) => CodeNames | undefined;
  /** Whether operands in memory are wanted. */
  memory: boolean;
}

export class Capture {
  private readonly step = new Step();
  private readonly codes: CodeCache;
  private readonly translator: Translator;
  private isPending = false;
  /** Traps since the pending instruction began: it is not merely repeated. */
  private wasTrapped = false;
  private readonly waiting: TraceEvent[] = [];
  private ignoreTraps: (() => void) | undefined;

  constructor(
    private readonly machine: Machine,
    private readonly options: CaptureOptions,
    private readonly listener: CaptureListener,
  ) {
    this.translator = new Translator(machine.cpu);
    this.codes = new CodeCache(machine.cpu, this.translator);
  }

  get isOn(): boolean {
    return this.ignoreTraps !== undefined;
  }

  /** Tells instructions from the next on. */
  start(): void {
    if (this.isOn) return;
    const heard = () => {
      this.wasTrapped = true;
    };
    this.ignoreTraps = this.machine.onEvent(heard, [EventKind.TrapEntry]);
    this.machine.onInstruction(() => this.before());
  }

  /** No more, after the one that has been begun. */
  stop(): void {
    if (!this.isOn) return;
    this.finish();
    this.ignoreTraps?.();
    this.ignoreTraps = undefined;
    this.machine.onInstruction(null);
  }

  /** An event of the machine: it is told now, or behind the step that is under way. */
  event(event: TraceEvent): void {
    if (!this.isPending) this.listener.event(event);
    else if (event.kind === "exception" && event.vector === INVALID_OPCODE) {
      this.waiting.push({ ...event, why: this.step.code.whyUndefined });
    } else this.waiting.push(event);
  }

  /** Tells the step under way, complete with the registers as they are, and the events that belong to it. */
  finish(): void {
    if (this.isPending) {
      const { step } = this;
      const { r, instret } = this.machine.cpu;
      for (let i = 0; i < EFLAGS; i++) step.after[i] = r[i];
      step.after[EFLAGS] = readEflags(r);
      step.after[CR3] = r[Word.Cr3];
      step.retired = instret - step.instret;
      step.interrupted = this.wasTrapped;
      if (this.options.memory) this.readNow();
      this.isPending = false;
      this.listener.step(step);
    }
    if (this.waiting.length === 0) return;
    const events = this.waiting.splice(0);
    for (const event of events) this.listener.event(event);
  }

  private before(): void {
    const { step } = this;
    const { cpu } = this.machine;
    const { r } = cpu;
    const eip = r[Word.Eip] >>> 0;
    // The next repetition of the same string instruction.
    if (this.isPending && eip === step.code.eip && step.code.isRepeated && !this.wasTrapped) return;
    this.finish();
    if (!this.listener.begins(eip)) return;
    this.wasTrapped = false;
    const size = (r[Word.Mode] & Mode.Code32) !== 0 ? 4 : 2;
    const linear = (r[Word.Base + CS] + eip) >>> 0;
    step.code = this.codes.at(eip, linear, size, this.options.namesAt(eip));
    step.instret = cpu.instret;
    step.pid = this.options.pid();
    step.ring = r[Word.Cpl];
    step.cs = r[Word.Selector + CS];
    for (let i = 0; i < EFLAGS; i++) step.before[i] = r[i];
    step.before[EFLAGS] = readEflags(r);
    step.before[CR3] = r[Word.Cr3];
    if (this.options.memory) this.readOld(linear);
    this.isPending = true;
  }

  /** Where the operands in memory are, and what they hold. */
  private readOld(fetched: number): void {
    const { step, translator } = this;
    const { r } = this.machine.cpu;
    const { accesses } = step.code;
    for (let i = 0; i < accesses.length && i < MOST_ACCESSES; i++) {
      const linear = linearOf(accesses[i], r);
      const physical = translator.physical(linear);
      step.linear[i] = linear;
      step.physical[i] = physical;
      step.hit[i] = translator.hit ? 1 : 0;
      if (!translator.hit) this.lookBefore(i, fetched);
      step.old[i] = this.value(linear, physical, accesses[i].size);
    }
  }

  /** The fetch of the instruction, or an operand before this one, has filled the TLB with the page that it needs. */
  private lookBefore(access: number, fetched: number): void {
    const { step, translator } = this;
    const page = step.linear[access] >>> translator.shift;
    if (fetched >>> translator.shift === page) step.hit[access] = 1;
    for (let j = 0; j < access; j++) if (step.linear[j] >>> translator.shift === page) step.hit[access] = 1;
  }

  private readNow(): void {
    const { step } = this;
    const { accesses } = step.code;
    for (let i = 0; i < accesses.length && i < MOST_ACCESSES; i++) {
      if (accesses[i].kind === AccessKind.Read || step.physical[i] < 0) step.now[i] = step.old[i];
      else step.now[i] = this.value(step.linear[i], step.physical[i], accesses[i].size);
    }
  }

  /** What memory holds: an unsigned number of up to four bytes; -1 for more, or where nothing is mapped. */
  private value(linear: number, physical: number, size: number): number {
    const { ram, view, memoryBytes } = this.machine.cpu;
    if (physical < 0 || size > 4 || size === 0) return -1;
    if ((physical & (PAGE - 1)) + size <= PAGE && physical + size <= memoryBytes) {
      const at = ram.byteOffset + physical;
      if (size === 4) return view.getUint32(at, true);
      return size === 1 ? ram[physical] : view.getUint16(at, true);
    }
    let value = 0;
    for (let i = 0; i < size; i++) {
      const at = this.translator.physical((linear + i) >>> 0);
      if (at < 0) return -1;
      value += ram[at] * 2 ** (8 * i);
    }
    return value;
  }
}
