/**
 * A trace of a run: what of it is shown, as the filter says, goes to a sink. May import the rest of tools/trace, cpu.
 *
 *     const tracer = new Tracer(machine, { kernel, modules, filter, sink });
 *     while (!tracer.isDone) machine.run({ maxInstructions: tracer.nextBoundary() - machine.instret, ... }), tracer.atBoundary();
 *     tracer.end();
 *
 * The machine is single-stepped only while an instruction may be shown: until then, between windows, in other processes and rings, and for
 * events alone it runs compiled.
 */
import { EventKind, type Machine } from "../../cpu/index";
import { Word } from "../../cpu/registers";
import { TraceControl } from "../../kernel/abi/marks";
import { kernelLayout } from "../image/layout";
import { Capture } from "./capture";
import { Translator } from "./code";
import { Events } from "./events";
import { type EventSpec, parseEventSpec } from "./eventspec";
import { EVENT_KINDS, type TraceEvent, type TraceEventKind, type WatchEvent } from "./eventtypes";
import { JUMPS, KERNEL, kindsOf, type TraceFilter, USER } from "./filter";
import { FrameCalls } from "./frames";
import { FunctionFilter } from "./functions";
import { Places } from "./places";
import { type CodeNames, Programs, programsOf } from "./programs";
import type { Step } from "./step";

/** Where what is shown goes. */
export interface TraceSink {
  /** The step is reused. */
  step(step: Step): void;
  /** `where` names the event's code: "main+0x5 hello.ts:12"; "" where nothing is known. */
  event(event: TraceEvent, where: string): void;
}

export interface TracerOptions {
  kernel: Uint8Array;
  modules: readonly Uint8Array[];
  filter: TraceFilter;
  sink: TraceSink;
  /** Whether operands in memory are wanted. */
  memory: boolean;
}

/** The filter names something that there is not; one line. */
export class TraceError extends Error {}

/** A watched word, as it was before the instruction. */
interface Watched {
  address: number;
  isPhysical: boolean;
  physical: number;
  value: number;
}

export class Tracer {
  readonly events: Events;
  readonly programs: Programs;
  private readonly capture: Capture;
  private readonly filter: TraceFilter;
  private readonly sink: TraceSink;
  private readonly frames: FrameCalls | undefined;
  private readonly functions: FunctionFilter | undefined;
  private readonly watched: Watched[];
  private readonly translator: Translator;
  private readonly after: EventSpec | undefined;
  private readonly until: EventSpec | undefined;
  private readonly shown: ReadonlySet<TraceEventKind>;
  private readonly wantsSteps: boolean;
  private isOpen: boolean;
  private isClosed = false;
  private isMarkedOn: boolean;
  /** Rings of which instructions may be shown. */
  private readonly rings: (ring: number) => boolean;
  private readonly onlyJumps: boolean;
  private readonly namesAt: (address: number) => CodeNames | undefined;
  private lines = 0;
  private readonly places: Places;

  /** Throws TraceError for a function or an event that there is not. */
  constructor(
    private readonly machine: Machine,
    options: TracerOptions,
  ) {
    const { kernel, modules, filter, sink } = options;
    this.filter = filter;
    this.sink = sink;
    this.events = new Events(machine, kernelLayout(kernel));
    this.programs = new Programs(kernel, programsOf(modules), this.events);
    this.places = new Places(this.programs);
    this.namesAt = (address) => this.programs.namesAt(address);
    this.translator = new Translator(machine.cpu);
    this.after = specOf(filter.after);
    this.until = specOf(filter.until);
    this.isOpen = this.after === undefined;
    this.isMarkedOn = !filter.marked;
    this.shown = new Set(kindsOf(filter.letters));
    const showsKernel = filter.letters.includes(KERNEL);
    const showsUser = filter.letters.includes(USER);
    this.onlyJumps = filter.letters.includes(JUMPS);
    const neither = this.onlyJumps && !showsKernel && !showsUser;
    this.rings = (ring) =>
      (ring === 0 ? showsKernel || neither : showsUser || neither) && (filter.rings?.includes(ring) ?? true);
    const isWatching = filter.watches !== undefined && filter.watches.length > 0;
    const wantsFrames = this.shown.has("frameAlloc");
    this.wantsSteps = showsKernel || showsUser || this.onlyJumps || wantsFrames || isWatching;
    this.functions = filter.functions && this.functionFilter(filter.functions);
    this.watched = (filter.watches ?? []).map((watch) => ({ ...watch, physical: -1, value: 0 }));
    if (wantsFrames && this.events.kernel !== undefined && this.programs.kernel !== undefined) {
      this.frames = new FrameCalls(machine, this.events.kernel, this.programs.kernel);
    }
    this.capture = new Capture(
      machine,
      { pid: () => this.events.pid, namesAt: this.namesAt, memory: options.memory },
      {
        begins: (eip) => this.begins(eip),
        step: (step) => this.step(step),
        event: (event) => this.show(event),
      },
    );
    this.listen();
    this.atBoundary();
  }

  private functionFilter(names: readonly string[]): FunctionFilter {
    const found = names.flatMap((name) => {
      const functions = this.programs.functionsNamed(name);
      if (functions.length === 0) throw new TraceError(`no function is called '${name}'`);
      return functions;
    });
    return new FunctionFilter(this.machine, found);
  }

  private listen(): void {
    const { filter, machine } = this;
    const kinds = new Set<TraceEventKind>(EVENT_KINDS.filter((kind) => this.shown.has(kind)));
    for (const spec of [this.after, this.until]) if (spec !== undefined) kinds.add(spec.kind);
    if (this.wantsSteps || filter.pids !== undefined) kinds.add("switch");
    if (filter.marked) kinds.add("traceMark");
    if (filter.functions !== undefined) kinds.add("exit").add("exec");
    this.events.on((event) => this.hear(event), [...kinds]);
    // Where only some rings are wanted, the others run at full speed; a kernel that is not ours may change rings unheard.
    const isPartial = [0, 3].some((ring) => !this.rings(ring));
    if (this.wantsSteps && isPartial && this.canSkipRings) {
      machine.onEvent(() => this.update(), [EventKind.TrapEntry, EventKind.Iret]);
    }
  }

  private get canSkipRings(): boolean {
    return this.events.kernel !== undefined && this.frames === undefined && this.watched.length === 0;
  }

  /** Up to which instret the machine may run before atBoundary() must be called. */
  nextBoundary(): number {
    const { from, to } = this.filter;
    const { instret } = this.machine;
    if (instret < from) return from;
    return instret < to ? to : Number.POSITIVE_INFINITY;
  }

  /** To be called between two runs of the machine. */
  atBoundary(): void {
    if (this.machine.instret >= this.filter.to) this.close();
    this.update();
  }

  /** To be called when the machine has been taken to another moment. */
  moved(): void {
    this.events.moved();
    this.programs.moved();
    this.update();
  }

  /** Nothing more will be shown. */
  get isDone(): boolean {
    return this.isClosed;
  }

  /** Lines that have been shown. */
  get count(): number {
    return this.lines;
  }

  /** Tells what is under way; the machine is left alone from now on. */
  end(): void {
    this.close();
  }

  private close(): void {
    if (this.isClosed) return;
    this.capture.stop();
    this.isClosed = true;
  }

  private get isInWindow(): boolean {
    return this.isOpen && this.isMarkedOn && !this.isClosed && this.machine.instret >= this.filter.from;
  }

  private isWantedPid(pid: number): boolean {
    return this.filter.pids?.includes(pid) ?? true;
  }

  /** Single-steps the machine if the next instruction may be shown, and lets it run if not. */
  private update(): void {
    const may =
      this.wantsSteps &&
      this.isInWindow &&
      this.isWantedPid(this.events.pid) &&
      (!this.canSkipRings || this.rings(this.machine.cpu.r[Word.Cpl]));
    if (may) this.capture.start();
    else this.capture.stop();
  }

  private hear(event: TraceEvent): void {
    if (event.kind === "traceMark" && this.filter.marked) {
      if (event.control === TraceControl.On) this.isMarkedOn = true;
      else if (event.control === TraceControl.Off) this.isMarkedOn = false;
    }
    if ((event.kind === "exit" || event.kind === "exec") && this.functions !== undefined)
      this.functions.forget(event.pid);
    if (!this.isOpen && this.after?.matches(event)) this.isOpen = true;
    if (this.shown.has(event.kind) && this.isInWindow) this.capture.event(event);
    if (this.isOpen && this.until?.matches(event)) this.close();
    this.update();
  }

  /** An event in its place between the steps. */
  private show(event: TraceEvent): void {
    if (!this.isWantedPid(event.pid)) return;
    if (this.functions !== undefined && !this.functions.holds(event.pid)) return;
    this.lines++;
    this.sink.event(event, this.places.of(event));
  }

  private begins(eip: number): boolean {
    const { filter, frames, functions } = this;
    const { pid } = this.events;
    // The kernel's memory names the next process a little before its switch is told.
    if (!this.isWantedPid(pid)) return false;
    const isIn = functions === undefined || functions.isIn(eip, pid, this.namesAt);
    if (frames !== undefined) {
      const event = frames.at(eip, pid);
      if (event !== undefined) this.capture.event(event);
    }
    if (!isIn || !this.rings(this.machine.cpu.r[Word.Cpl])) return this.watched.length > 0 && this.beginWatch();
    if (this.watched.length > 0) return this.beginWatch();
    const { ranges } = filter;
    return ranges === undefined || ranges.some(([first, last]) => eip >= first && eip <= last);
  }

  private step(step: Step): void {
    if (this.watched.length > 0) {
      this.endWatch(step);
      return;
    }
    if (this.onlyJumps && !step.code.isJump) return;
    this.lines++;
    this.sink.step(step);
  }

  /** Notes what the watched words are. True: the instruction may write one. */
  private beginWatch(): boolean {
    for (const word of this.watched) {
      word.physical = word.isPhysical ? word.address : this.translator.physical(word.address);
      word.value = this.wordAt(word.physical);
    }
    return true;
  }

  private wordAt(physical: number): number {
    const { ram, view } = this.machine.cpu;
    return physical >= 0 && physical + 4 <= ram.length ? view.getUint32(ram.byteOffset + physical, true) : -1;
  }

  /** Shows the instruction if it has written a watched word, with what it was and is; also if it is the same. */
  private endWatch(step: Step): void {
    let isShown = false;
    for (const { address, physical, value } of this.watched) {
      const now = this.wordAt(physical);
      if (now === value && !writes(step, physical)) continue;
      if (!isShown) this.sink.step(step);
      isShown = true;
      this.lines++;
      const { instret, pid, ring, code } = step;
      const { cycles } = this.machine;
      const event: WatchEvent = {
        kind: "watch",
        instret,
        cycles,
        pid,
        ring,
        eip: code.eip,
        address,
        physical,
        old: value,
        now,
      };
      this.sink.event(event, this.places.of(event));
    }
  }
}

/** Whether an instruction writes to the word at a physical address. Of a repeated one only the first repetition is looked at. */
function writes({ code, physical, retired }: Step, word: number): boolean {
  if (word < 0 || retired === 0) return false;
  return code.accesses.some(
    ({ kind, size }, i) => kind !== 0 && physical[i] >= 0 && physical[i] < word + 4 && physical[i] + size > word,
  );
}

function specOf(text: string | undefined): EventSpec | undefined {
  if (text === undefined) return undefined;
  try {
    return parseEventSpec(text);
  } catch (error) {
    throw new TraceError((error as Error).message);
  }
}
