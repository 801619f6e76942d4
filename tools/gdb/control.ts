/**
 * Running a machine on and back, from one stop to the next. May import cpu's public face, tools/replay, stops.
 *
 * A boundary is the moment before an instruction. Several can have the same instret: an interrupt, or an instruction that faults, leads to the
 * first instruction of its handler and retires nothing. So a position is an instret and a count of the boundaries of that instret before it;
 * -1 is the moment when the last instruction has retired and nothing has been delivered. Where a run is cut in the middle of a repeated
 * string instruction, as by a checkpoint, there is no boundary: a search neither begins nor counts there.
 *
 * Invariants: the machine stands at a boundary whenever it is looked at; runs are cut into slices short enough that a person's ^C is
 * answered at once, and the cutting shows in nothing; the guest's output is told once, however often its moment is passed.
 * Backwards: the last position before the present one at which forwards would stop. What a watchpoint notices happened in the instruction
 * before, so backwards stops at that instruction, as if it had not run yet.
 */
import { type Machine, NOMINAL_HZ, type StopReason } from "../../cpu/index";
import { History, type HistoryOptions } from "../replay/history";
import type { Hit, Stops } from "./stops";

export type Stop =
  | Hit
  | { kind: "step" }
  | { kind: "interrupt" }
  /** Nothing is left to run, and why; nothing is left to go back to. */
  | { kind: "end"; text: string }
  | { kind: "beginning" };

/**
 * A run under way. Each step of it is some 20 ms of host time; it yields how many milliseconds the guest sleeps (0: it does not), and is
 * given whether to stop.
 */
export type Progress = Generator<number, Stop, boolean>;

export interface Position {
  instret: number;
  step: number;
}

/** Asked at each boundary after the first: whether what was asked for is done. */
export type Goal = () => boolean;

/** Instructions to a slice, with and without looking at each boundary: some 20 ms. */
const HOOKED_SLICE = 100_000;
const FREE_SLICE = 1_500_000;
/** Instructions before the present one among which a step back looks first. */
const NEAR = 400;
/** Sleeps shorter than this are not waited for: those of the disk. */
const SHORT_SLEEP_MS = 1;
const LONGEST_SLEEP_MS = 100;
const CS = 1;
const REP = 0xf3;
const REPNE = 0xf2;
/** What may come before an opcode. Source: Intel SDM volume 2, 2.1.1. */
const PREFIXES = new Set([REP, REPNE, 0xf0, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67]);
const MOST_PREFIXES = 5;
const STEP: Stop = { kind: "step" };
const INTERRUPT: Stop = { kind: "interrupt" };

export class Control {
  history: History;
  private at: Position;
  /** EIP at the boundary where the machine stands, if it has been met: the hook will be called there again. */
  private standing: number | undefined;
  /** EIP at the boundary before, where each has been met since. */
  private lastEip: number | undefined;
  /** How far the guest's output has been told. */
  private told = 0;
  private silent = false;
  private ended: { instret: number; reason: StopReason; stop: Stop } | undefined;
  /** What is typed at the guest when it sleeps: the next piece, or undefined. */
  input: () => Uint8Array | undefined = () => undefined;

  constructor(
    readonly machine: Machine,
    readonly stops: Stops,
    private readonly options: HistoryOptions = {},
  ) {
    this.history = new History(machine, options);
    this.at = { instret: machine.instret, step: -1 };
  }

  /** Whether what the guest sends now has not been told before. */
  get isTelling(): boolean {
    return !this.silent;
  }

  /** Why nothing is left to run, once that is so. */
  get endReason(): StopReason | undefined {
    return this.ended?.reason;
  }

  get position(): Readonly<Position> {
    return this.at;
  }

  /** Somebody has written to registers or memory: what comes is another run, and one can go back to here and no further. */
  modified(): void {
    this.history = new History(this.machine, this.options);
    this.at = { instret: this.machine.instret, step: 0 };
    this.standing = this.machine.cpu.eip;
    this.lastEip = undefined;
    this.ended = undefined;
    this.told = this.machine.instret;
  }

  /** Runs on until a stop is hit, or the goal is reached. */
  *forward(goal?: Goal): Progress {
    const { machine, stops } = this;
    if (this.ended?.instret === machine.instret) return this.ended.stop;
    let hit: Stop | undefined;
    const look = (): boolean => {
      if (!this.advance()) return false;
      hit = stops.passed() ?? stops.here() ?? (goal?.() ? STEP : undefined);
      return hit !== undefined;
    };
    const hook = goal !== undefined || stops.any ? look : null;
    stops.rebase();
    for (;;) {
      const stop = this.run(hook, hook === null ? FREE_SLICE : HOOKED_SLICE);
      if (hit !== undefined) return this.stand(hit);
      if (stop.reason !== "budget" && stop.reason !== "idle") return this.end(stop);
      let sleep = stop.reason === "idle" ? ((stop.wakeCycles - machine.cycles) / NOMINAL_HZ) * 1000 : 0;
      if (sleep < SHORT_SLEEP_MS || this.type()) sleep = 0;
      if (yield Math.min(sleep, LONGEST_SLEEP_MS)) return this.settle();
    }
  }

  /** Runs on, or back, to the boundary before instruction `instret` of the run. */
  *seek(instret: number): Progress {
    if (instret < this.history.beginning) return this.toBeginning();
    if (instret <= this.history.frontier) {
      this.goTo({ instret, step: 0 });
      return STEP;
    }
    this.goTo({ instret: this.history.frontier, step: -1 });
    if (this.ended?.instret === this.machine.instret) return this.ended.stop;
    while (this.machine.instret < instret) {
      const stop = this.run(null, Math.min(FREE_SLICE, instret - this.machine.instret));
      if (stop.reason !== "budget" && stop.reason !== "idle") return this.end(stop);
      if (yield 0) return this.settle();
    }
    this.settle();
    return STEP;
  }

  /** Goes back to the last stop, or the last boundary that the goal accepts, before the present one. */
  *backward(goal?: Goal): Progress {
    const present = { ...this.at };
    let until = present;
    for (let near = goal === undefined ? Number.POSITIVE_INFINITY : NEAR; ; ) {
      const from = this.goBefore(until);
      if (from === undefined) return this.toBeginning();
      if (until.instret - near > from) {
        this.goTo({ instret: until.instret - near, step: -1 });
        if (this.repeats()) this.goTo({ instret: from, step: -1 });
      }
      const start = this.machine.instret;
      const found = yield* this.lastHit(until, goal);
      if (found === "interrupted") {
        this.goTo(present);
        return INTERRUPT;
      }
      if (found !== undefined) {
        this.goTo(found.position);
        return found.stop;
      }
      near = Number.POSITIVE_INFINITY;
      if (start === from) until = { instret: from, step: 0 };
    }
  }

  /** Goes to the last checkpoint before a position at which there is a boundary, and returns its instret; undefined when there is none. */
  private goBefore(until: Position): number | undefined {
    const moments = this.history.moments.map(({ instret }) => instret);
    for (const instret of moments.reverse()) {
      if (instret > until.instret || (instret === until.instret && until.step <= 0)) continue;
      this.goTo({ instret, step: -1 });
      if (instret === this.history.beginning || !this.repeats()) return instret;
    }
    return undefined;
  }

  /** Whether the next instruction is a repeated one, which may have begun. */
  private repeats(): boolean {
    const { cpu } = this.machine;
    const code = this.machine.readVirtual((cpu.segment(CS).base + cpu.eip) >>> 0, MOST_PREFIXES);
    const opcode = code.findIndex((byte) => !PREFIXES.has(byte));
    return code.subarray(0, Math.max(0, opcode)).some((byte) => byte === REP || byte === REPNE);
  }

  /** The last hit from where the machine is on and before `until`. */
  private *lastHit(
    until: Position,
    goal: Goal | undefined,
  ): Generator<number, { position: Position; stop: Stop } | "interrupted" | undefined, boolean> {
    const { machine, stops } = this;
    let found: { position: Position; stop: Stop } | undefined;
    let previous: Position | undefined;
    let done = false;
    const passed = (): void => {
      const hit = stops.passed();
      if (hit !== undefined && previous !== undefined) found = { position: previous, stop: hit };
    };
    const look = (): boolean => {
      const isBoundary = this.advance();
      done = isBoundary ? !isBefore(this.at, until) : machine.instret >= until.instret;
      if (isBoundary || done) passed();
      if (done) return true;
      if (!isBoundary) return false;
      previous = { ...this.at };
      const stop = stops.here() ?? (goal?.() ? STEP : undefined);
      if (stop !== undefined) found = { position: previous, stop };
      return false;
    };
    stops.rebase();
    while (!done) {
      const left = until.instret - machine.instret;
      if (left <= 0 && until.step < 0) break;
      const { reason } = this.run(look, left > 0 ? Math.min(HOOKED_SLICE, left) : 1);
      if (reason !== "budget" && reason !== "idle" && !done) break;
      if (!done && (yield 0)) return "interrupted";
    }
    if (!done) passed();
    return found;
  }

  /** Lets somebody else move the machine, whose run is told nowhere, and comes back. Hooks and listeners of theirs must be gone afterwards. */
  elsewhere<T>(body: () => T): T {
    const present = this.at;
    this.silent = true;
    try {
      return body();
    } finally {
      this.goTo(present);
    }
  }

  private toBeginning(): Stop {
    this.goTo({ instret: this.history.beginning, step: -1 });
    return { kind: "beginning" };
  }

  /** Goes to a position that has been met. */
  private goTo(position: Position): void {
    this.silent = true;
    this.machine.onInstruction(null);
    this.history.seek(position.instret);
    this.at = { instret: position.instret, step: -1 };
    this.standing = undefined;
    this.lastEip = undefined;
    if (position.step < 0) return;
    this.run(() => {
      this.advance();
      return !isBefore(this.at, position);
    }, 1);
    this.standing = this.machine.cpu.eip;
  }

  /** Counts a boundary; false when it is the one at which the machine stood, or none: the middle of a repeated instruction. */
  private advance(): boolean {
    const { instret, cpu } = this.machine;
    const { eip } = cpu;
    const again = this.standing !== undefined && instret === this.at.instret && this.standing === eip;
    const goesOn = eip === this.lastEip && instret > this.at.instret && this.repeats();
    this.standing = undefined;
    this.lastEip = eip;
    if (again || goesOn) return false;
    if (instret === this.at.instret) this.at.step++;
    else this.at = { instret, step: 0 };
    return true;
  }

  private stand(stop: Stop): Stop {
    this.standing = this.machine.cpu.eip;
    return stop;
  }

  /** The run was cut: goes to the next boundary, where the machine then stands. */
  private settle(): Stop {
    if (this.machine.cpu.halted) this.at = { instret: this.machine.instret, step: -1 };
    else {
      this.run(() => {
        this.advance();
        return true;
      }, 1);
    }
    return this.stand(INTERRUPT);
  }

  /** The guest sleeps: gives it what there is to type. In the past it has been given its input. */
  private type(): boolean {
    if (this.machine.instret < this.history.frontier) return true;
    const bytes = this.input();
    return bytes !== undefined && this.history.type(bytes);
  }

  private end(stop: StopReason): Stop {
    const { instret } = this.machine;
    this.at = { instret, step: -1 };
    this.standing = undefined;
    this.ended = {
      instret,
      reason: stop,
      stop: { kind: "end", text: `${describe(stop)} after ${instret} instructions` },
    };
    return this.ended.stop;
  }

  private run(hook: (() => boolean) | null, instructions: number): StopReason {
    const { machine, history } = this;
    this.silent = machine.instret < this.told;
    const most = this.silent ? Math.min(instructions, this.told - machine.instret) : instructions;
    if (hook === null) this.lastEip = undefined;
    machine.onInstruction(hook);
    const stop = history.run({ maxInstructions: most, stopWhenIdle: true });
    machine.onInstruction(null);
    if (!this.silent) this.told = machine.instret;
    return stop;
  }
}

function isBefore(a: Position, b: Position): boolean {
  return a.instret < b.instret || (a.instret === b.instret && a.step < b.step);
}

/** Why nothing is left to run. */
function describe(stop: StopReason): string {
  if (stop.reason === "exit") return `the guest ended its run with ${stop.value}`;
  if (stop.reason === "tripleFault") return "the processor stopped in a triple fault";
  if (stop.reason === "reset") return "the guest reset the machine";
  return "the processor halted for good";
}
