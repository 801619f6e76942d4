/**
 * A run that one can go to any moment of: a machine, and checkpoints of it on the way that it has come. May import cpu's public
 * face.
 *
 *     const history = new History(machine);
 *     history.run({ maxInstructions: 50_000_000 });
 *     history.seek(12_345_678);          // back, by way of the nearest checkpoint
 *     history.seek(12_345_679);          // one instruction on
 *
 * Invariants: the machine at a given instret is the same however one got there, since a run is a function of its inputs; a
 * checkpoint changes nothing that a guest can see; `frontier` never becomes less. Hooks, listeners and breakpoints of the machine
 * stay as they are when it is moved, and see what happens on the way.
 */
import type { InputRecord, InputStamp, Machine, MachineState, RunOptions, StopReason } from "../../cpu/index";

/** Instructions between two checkpoints at first; doubled whenever they take too much room. */
const FIRST_SPACING = 1_000_000;
const MOST_BYTES = 256 << 20;

/** A moment that one can go back to at once. */
export interface Checkpoint {
  readonly instret: number;
  readonly state: MachineState;
  /** How many pieces of input had been given by then, delivered or not. */
  readonly inputs: number;
}

export interface HistoryOptions {
  /** Bytes that checkpoints may take. */
  mostBytes?: number;
  /** Instructions between two of them at first. */
  spacing?: number;
  /** Checkpoints of an earlier run of the same recipe, in order; the machine is at the first one's moment or before it. */
  checkpoints?: readonly Checkpoint[];
  /** Input of that run, all of it, as it was delivered. The machine has been given none of it. */
  input?: readonly InputRecord[];
}

function bytesOf({ state }: Checkpoint): number {
  return state.cpu.contents.length;
}

export class History {
  private checkpoints: Checkpoint[];
  private readonly inputs: InputRecord[] = [];
  private spacing: number;
  private readonly mostBytes: number;
  private furthest: number;

  /** `machine` stands at the beginning of what can be gone back to. */
  constructor(
    readonly machine: Machine,
    { mostBytes = MOST_BYTES, spacing = FIRST_SPACING, checkpoints = [], input = [] }: HistoryOptions = {},
  ) {
    this.mostBytes = mostBytes;
    this.spacing = spacing;
    for (const record of input) this.give(record);
    this.checkpoints = [...checkpoints];
    if (this.checkpoints[0]?.instret !== machine.instret) this.checkpoints.unshift(this.checkpoint());
    this.furthest = this.checkpoints[this.checkpoints.length - 1].instret;
  }

  /** Instructions retired at the furthest moment that has been reached. */
  get frontier(): number {
    return Math.max(this.furthest, this.machine.instret);
  }

  /** The first moment that one can go to. */
  get beginning(): number {
    return this.checkpoints[0].instret;
  }

  /** The checkpoints that there are now, in order. */
  get moments(): readonly Checkpoint[] {
    return this.checkpoints;
  }

  /** All input so far, with its moments. */
  get input(): readonly InputRecord[] {
    return this.inputs;
  }

  /**
   * Types bytes now. False, and nothing is done, when the machine is before the frontier: what has happened since would not
   * have.
   */
  type(bytes: Uint8Array, device: InputStamp["device"] = "serial"): boolean {
    if (this.machine.instret < this.frontier) return false;
    this.give({ bytes, atInstret: this.machine.instret, atCycles: this.machine.cycles, device });
    return true;
  }

  private give(record: InputRecord): void {
    const { bytes, ...stamp } = record;
    this.inputs.push(record);
    this.machine.input(bytes, stamp);
  }

  /** As Machine.run(), leaving checkpoints. */
  run(options: RunOptions): StopReason {
    const { machine } = this;
    const { maxInstructions, maxCycles = Infinity, stopWhenIdle = false } = options;
    const until = machine.instret + maxInstructions;
    const untilCycles = machine.cycles + maxCycles;
    for (;;) {
      const next = Math.min(until, this.nextCheckpoint());
      const stop = machine.run({
        maxInstructions: next - machine.instret,
        maxCycles: Math.max(0, untilCycles - machine.cycles),
        stopWhenIdle,
      });
      this.furthest = this.frontier;
      if (stop.reason !== "budget" || machine.instret >= until || machine.cycles >= untilCycles) return stop;
      this.keep();
    }
  }

  /**
   * Goes to the first boundary at which `instret` instructions have retired, or where the run ends before that. Breakpoints do
   * not stop it. Throws RangeError for a moment before the beginning.
   */
  seek(instret: number): void {
    const { machine } = this;
    if (!(instret >= this.beginning)) {
      throw new RangeError(`instruction ${instret}: the history begins at ${this.beginning}`);
    }
    const nearest = this.before(instret);
    if (machine.instret > instret || nearest.instret > machine.instret) this.goTo(nearest);
    while (machine.instret < instret) {
      const { reason } = this.run({ maxInstructions: instret - machine.instret });
      if (reason !== "budget" && reason !== "breakpoint") return;
    }
  }

  /**
   * Looks through the past of the present moment piece by piece, the last piece first: `search(until)` gets the machine at the
   * beginning of a piece, may run it up to `until` and returns the instret that it looked for, or undefined. The first one found is
   * where the machine then is; undefined: it is nowhere, and the machine is at the beginning.
   */
  searchBackwards(search: (until: number) => number | undefined): number | undefined {
    for (let until = this.machine.instret; until > this.beginning; ) {
      const from = this.before(until - 1);
      this.goTo(from);
      const found = search(until);
      if (found !== undefined) {
        this.seek(found);
        return found;
      }
      until = from.instret;
    }
    this.goTo(this.checkpoints[0]);
    return undefined;
  }

  /** The last checkpoint at or before a moment. */
  private before(instret: number): Checkpoint {
    let low = 0;
    let high = this.checkpoints.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.checkpoints[middle].instret <= instret) low = middle;
      else high = middle;
    }
    return this.checkpoints[low];
  }

  private goTo({ state, inputs }: Checkpoint): void {
    this.furthest = this.frontier;
    this.machine.takeOver(state);
    // What was typed after the checkpoint was taken is not in it.
    for (const { bytes, ...stamp } of this.inputs.slice(inputs)) this.machine.input(bytes, stamp);
  }

  private nextCheckpoint(): number {
    const last = this.checkpoints[this.checkpoints.length - 1].instret;
    return this.machine.instret < last ? Infinity : last + this.spacing;
  }

  private checkpoint(): Checkpoint {
    return { instret: this.machine.instret, state: this.machine.save(), inputs: this.inputs.length };
  }

  /** Keeps the present moment; where there is no room, every second one goes and they are made half as often. */
  private keep(): void {
    if (this.machine.instret < this.nextCheckpoint()) return;
    this.checkpoints.push(this.checkpoint());
    let bytes = this.checkpoints.reduce((sum, one) => sum + bytesOf(one), 0);
    while (bytes > this.mostBytes && this.checkpoints.length > 2) {
      this.spacing *= 2;
      const last = this.checkpoints.length - 1;
      this.checkpoints = this.checkpoints.filter((_, index) => index % 2 === 0 || index === last);
      bytes = this.checkpoints.reduce((sum, one) => sum + bytesOf(one), 0);
    }
  }
}
