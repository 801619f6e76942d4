/**
 * One counter of an 8254: its output and count as a function of time, so that nothing has to run between two looks at it.
 * May import nothing. Time is in ticks of the counter's input clock, whole and never going back. All six modes; binary and BCD.
 * Invariant: after settle(t), `loadedAt` and `period` describe the counting in progress at tick t.
 * Source: Intel 8254 data sheet (231164-005), "Operation of the modes".
 */

const enum Mode {
  TerminalCount = 0,
  OneShot = 1,
  RateGenerator = 2,
  SquareWave = 3,
  SoftwareStrobe = 4,
  HardwareStrobe = 5,
}

const ACCESS_LOW = 1;
const ACCESS_BOTH = 3;
const NONE = -1;

/** A counter as saved: numbers in the order of the fields. */
export type ChannelState = readonly number[];

function toBcd(count: number): number {
  return (
    (count % 10) |
    ((Math.floor(count / 10) % 10) << 4) |
    ((Math.floor(count / 100) % 10) << 8) |
    ((Math.floor(count / 1000) % 10) << 12)
  );
}

function fromBcd(digits: number): number {
  return (digits & 15) + ((digits >> 4) & 15) * 10 + ((digits >> 8) & 15) * 100 + (digits >> 12) * 1000;
}

export class PitChannel {
  private mode: number = Mode.SquareWave;
  private access = ACCESS_BOTH;
  private bcd = 0;
  /** The count register: 1 to 65,536 (10,000 in BCD). */
  private reload = 0x10000;
  /** Count in effect. */
  private period = 0x10000;
  /** Tick at which `period` was in the counter; Infinity while nothing counts. */
  private loadedAt = Infinity;
  /** A count that takes over when the present (half) period ends: tick, count, and what loadedAt will then be. */
  private nextAt = Infinity;
  private nextPeriod = 0;
  private nextLoadedAt = 0;
  private gate: number;
  /** Tick at which a low gate stopped the counting, or NONE. */
  private frozenAt = NONE;
  private lowByte = 0;
  private writeHigh = 0;
  private readHigh = 0;
  private latchedCount = NONE;
  private latchedStatus = NONE;

  /** A counter out of reset: output high, nothing counting, until a control word comes. */
  constructor(gate: 0 | 1) {
    this.gate = gate;
  }

  save(): ChannelState {
    return [
      this.mode,
      this.access,
      this.bcd,
      this.reload,
      this.period,
      this.loadedAt,
      this.nextAt,
      this.nextPeriod,
      this.nextLoadedAt,
      this.gate,
      this.frozenAt,
      this.lowByte,
      this.writeHigh,
      this.readHigh,
      this.latchedCount,
      this.latchedStatus,
    ];
  }

  restore(state: ChannelState): void {
    [
      this.mode,
      this.access,
      this.bcd,
      this.reload,
      this.period,
      this.loadedAt,
      this.nextAt,
      this.nextPeriod,
      this.nextLoadedAt,
      this.gate,
      this.frozenAt,
      this.lowByte,
      this.writeHigh,
      this.readHigh,
      this.latchedCount,
      this.latchedStatus,
    ] = state;
  }

  /** Whether the mode repeats by itself, reloading at the end of a period and on a rising gate. */
  private get periodic(): boolean {
    return this.mode === Mode.RateGenerator || this.mode === Mode.SquareWave;
  }

  /** Whether a rising gate starts the count and a low one does not stop it. */
  private get triggered(): boolean {
    return this.mode === Mode.OneShot || this.mode === Mode.HardwareStrobe;
  }

  private settle(tick: number): void {
    if (tick < this.nextAt) return;
    this.period = this.nextPeriod;
    this.loadedAt = this.nextLoadedAt;
    this.nextAt = Infinity;
  }

  /** Ticks counted since the load; negative before it. */
  private elapsed(tick: number): number {
    if (this.frozenAt === NONE) return tick - this.loadedAt;
    return Math.min(tick, Math.max(this.frozenAt, this.loadedAt)) - this.loadedAt;
  }

  /** Length of the high part of a square wave. */
  private get highTicks(): number {
    return Math.ceil(this.period / 2);
  }

  /** The OUT pin at `tick`. */
  output(tick: number): 0 | 1 {
    this.settle(tick);
    const elapsed = this.elapsed(tick);
    if (elapsed < 0) return this.mode === Mode.TerminalCount ? 0 : 1;
    switch (this.mode) {
      case Mode.TerminalCount:
      case Mode.OneShot:
        return elapsed >= this.period ? 1 : 0;
      case Mode.RateGenerator:
        return this.frozenAt === NONE && elapsed % this.period === this.period - 1 ? 0 : 1;
      case Mode.SquareWave:
        return this.frozenAt === NONE && elapsed % this.period >= this.highTicks ? 0 : 1;
      default:
        return elapsed === this.period ? 0 : 1;
    }
  }

  /** The first tick after `tick` at which OUT changes or a new count takes over, if nobody intervenes; Infinity when none. */
  nextEdge(tick: number): number {
    this.settle(tick);
    if (this.loadedAt === Infinity || this.frozenAt !== NONE) return Infinity;
    const elapsed = tick - this.loadedAt;
    if (this.periodic) return Math.min(this.nextPeriodicEdge(tick, elapsed), this.nextAt);
    const strobe = this.mode === Mode.SoftwareStrobe || this.mode === Mode.HardwareStrobe;
    const first = this.mode === Mode.OneShot ? 0 : this.period;
    const last = strobe ? this.period + 1 : this.period;
    if (elapsed >= last) return Infinity;
    return this.loadedAt + (elapsed < first ? first : last);
  }

  /** The tick of the next edge, or of the one after it when the next one is a fall. Stops short at a new count. */
  nextRise(tick: number): number {
    const edge = this.nextEdge(tick);
    return this.output(tick) === 0 || edge >= this.nextAt ? edge : this.nextEdge(edge);
  }

  private nextPeriodicEdge(tick: number, elapsed: number): number {
    const low = this.mode === Mode.RateGenerator ? this.period - 1 : this.highTicks;
    if (low === 0 || low === this.period) return Infinity; // a count of 1 never changes OUT
    if (elapsed < low) return this.loadedAt + low;
    const phase = elapsed % this.period;
    return tick - phase + (phase < low ? low : this.period);
  }

  /** The counting element at `tick`, as the data bus shows it: 16 bits, binary or BCD. */
  private count(tick: number): number {
    this.settle(tick);
    const elapsed = this.elapsed(tick);
    const wrap = this.bcd !== 0 ? 10_000 : 0x10000;
    let count = this.reload;
    if (elapsed >= 0) {
      if (this.mode === Mode.RateGenerator) count = this.period - (elapsed % this.period);
      else if (this.mode === Mode.SquareWave) {
        const phase = elapsed % this.period;
        count = (this.period & ~1) - 2 * (phase < this.highTicks ? phase : phase - this.highTicks);
      } else count = (((this.period - elapsed) % wrap) + wrap) % wrap;
    }
    return this.bcd !== 0 ? toBcd(count % wrap) : count & 0xffff;
  }

  private status(tick: number): number {
    const pending = this.elapsed(tick) < 0 || this.nextAt !== Infinity;
    return (this.output(tick) << 7) | (Number(pending) << 6) | (this.access << 4) | (this.mode << 1) | this.bcd;
  }

  /** A control word for this counter (bits 5–0), counter latch command included. */
  control(value: number, tick: number): void {
    const access = (value >> 4) & 3;
    if (access === 0) {
      this.latchCount(tick);
      return;
    }
    const mode = (value >> 1) & 7;
    this.mode = mode > Mode.HardwareStrobe ? mode & 3 : mode;
    this.access = access;
    this.bcd = value & 1;
    this.loadedAt = Infinity;
    this.nextAt = Infinity;
    this.frozenAt = NONE;
    this.writeHigh = 0;
    this.readHigh = 0;
    this.latchedCount = NONE;
    this.latchedStatus = NONE;
  }

  /** A second latch before the first is read changes nothing. */
  latchCount(tick: number): void {
    if (this.latchedCount === NONE) this.latchedCount = this.count(tick);
  }

  latchStatus(tick: number): void {
    if (this.latchedStatus === NONE) this.latchedStatus = this.status(tick);
  }

  /** A byte read at the counter's port: latched status, latched count, or the running count. */
  read(tick: number): number {
    if (this.latchedStatus !== NONE) {
      const status = this.latchedStatus;
      this.latchedStatus = NONE;
      return status;
    }
    const count = this.latchedCount !== NONE ? this.latchedCount : this.count(tick);
    const high = this.access === ACCESS_BOTH ? this.readHigh !== 0 : this.access !== ACCESS_LOW;
    if (this.access === ACCESS_BOTH) this.readHigh ^= 1;
    if (this.access !== ACCESS_BOTH || high) this.latchedCount = NONE;
    return high ? count >> 8 : count & 0xff;
  }

  /** A byte written at the counter's port. */
  write(value: number, tick: number): void {
    if (this.access !== ACCESS_BOTH) {
      this.setCount(this.access === ACCESS_LOW ? value : value << 8, tick);
    } else if (this.writeHigh === 0) {
      this.writeHigh = 1;
      this.lowByte = value;
      if (this.mode === Mode.TerminalCount) this.loadedAt = Infinity;
    } else {
      this.writeHigh = 0;
      this.setCount(this.lowByte | (value << 8), tick);
    }
  }

  /** A whole count has arrived: it enters the counter with the next tick, the next period or the next trigger. */
  private setCount(bits: number, tick: number): void {
    this.settle(tick);
    this.reload = this.bcd !== 0 ? fromBcd(bits) || 10_000 : bits || 0x10000;
    if (this.triggered) return;
    if (this.periodic && this.loadedAt <= tick) this.setNext(tick);
    else this.load(tick);
    if (this.gate === 0) this.freeze(tick);
  }

  private load(tick: number): void {
    this.period = this.reload;
    this.loadedAt = tick + 1;
    this.nextAt = Infinity;
  }

  /** The new count waits for the end of the present period, or half period of a square wave. */
  private setNext(tick: number): void {
    if (this.frozenAt !== NONE) return; // the rising gate will load it
    const elapsed = tick - this.loadedAt;
    const begin = tick - (elapsed % this.period);
    const inHigh = this.mode === Mode.SquareWave && elapsed % this.period < this.highTicks;
    this.nextAt = begin + (inHigh ? this.highTicks : this.period);
    this.nextPeriod = this.reload;
    this.nextLoadedAt = this.nextAt - (inHigh ? Math.ceil(this.reload / 2) : 0);
  }

  private freeze(tick: number): void {
    if (this.frozenAt === NONE) this.frozenAt = tick;
    this.nextAt = Infinity;
  }

  /** The GATE pin. */
  setGate(level: number, tick: number): void {
    if (level === this.gate) return;
    this.settle(tick);
    this.gate = level;
    if (this.triggered) {
      if (level !== 0) this.load(tick);
    } else if (level === 0) {
      this.freeze(tick);
    } else if (this.frozenAt !== NONE) {
      if (this.loadedAt !== Infinity) {
        if (this.periodic) this.load(tick);
        else if (this.loadedAt <= tick) this.loadedAt += tick - Math.max(this.frozenAt, this.loadedAt);
      }
      this.frozenAt = NONE;
    }
  }
}
