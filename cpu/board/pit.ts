/**
 * The 8254 timer of a PC (ports 0x40–0x43) and the system control port B (0x61) that gates its counter 2. Counter 0's output
 * is IRQ 0; counter 1 (memory refresh) and 2 (speaker) can only be read. May import clock.ts, port.ts, pitchannel.ts.
 * Invariant: `edgeAt` is the cycle at which counter 0's output next changes, and the line has been told of every change
 * up to the last advance().
 * Source: Intel 8254 data sheet (231164-005), "Read-back command"; IBM PC/AT technical reference, port 0x61.
 */

import { type Clock, cycleOfPitTick, pitTickAt } from "./clock";
import { type ChannelState, PitChannel } from "./pitchannel";
import type { PortDevice } from "./port";

const CONTROL_PORT = 0x43;
const PORT_B = 0x61;
const READ_BACK = 3;
/** Ticks between two requests for memory refresh, which toggle bit 4 of port B: about 15 µs. */
const REFRESH_TICKS = 18;

/** The timer as saved. */
export interface PitState {
  channels: ChannelState[];
  portB: number;
  level: 0 | 1;
  edgeAt: number;
}

export class Pit implements PortDevice {
  readonly byteWide = true;
  /** Cycle of the next change of counter 0's output; Infinity when it will not change by itself. */
  edgeAt = Infinity;
  private readonly channels = [new PitChannel(1), new PitChannel(1), new PitChannel(0)];
  /** Bits 3–0 of port B as written: gate of counter 2, speaker, parity and channel check. */
  private portB = 0;
  private level: 0 | 1 = 1;

  /** `setLine` is told the level of IRQ 0 whenever it may have changed. */
  constructor(
    private readonly clock: Clock,
    private readonly setLine: (level: 0 | 1) => void,
  ) {
    setLine(this.level);
  }

  /**
   * Brings IRQ 0's line up to the present cycle. Of several edges since the last call only the last rise matters: nobody
   * has looked in between, and a latched request is latched once.
   */
  advance(): void {
    if (this.clock.cycles < this.edgeAt) return;
    if (this.level === 1) this.setLine(0);
    this.follow(pitTickAt(this.clock.cycles));
  }

  private follow(tick: number): void {
    this.level = this.channels[0].output(tick);
    this.setLine(this.level);
    const edge = this.channels[0].nextEdge(tick);
    this.edgeAt = edge === Infinity ? Infinity : cycleOfPitTick(edge);
  }

  /** Cycle by which counter 0's output has next risen (or a new count begun); Infinity when it will not by itself. */
  nextRise(): number {
    const tick = this.channels[0].nextRise(pitTickAt(this.clock.cycles));
    return tick === Infinity ? Infinity : cycleOfPitTick(tick);
  }

  readPort(port: number): number {
    const tick = pitTickAt(this.clock.cycles);
    if (port === PORT_B) {
      const refresh = Math.floor(tick / REFRESH_TICKS) & 1;
      return this.portB | (refresh << 4) | (this.channels[2].output(tick) << 5);
    }
    return port === CONTROL_PORT ? 0xff : this.channels[port & 3].read(tick);
  }

  writePort(port: number, _size: number, value: number): void {
    const tick = pitTickAt(this.clock.cycles);
    if (port === PORT_B) {
      this.portB = value & 15;
      this.channels[2].setGate(value & 1, tick);
      return;
    }
    if (port !== CONTROL_PORT) this.channels[port & 3].write(value, tick);
    else if (value >> 6 === READ_BACK) this.readBack(value, tick);
    else this.channels[value >> 6].control(value, tick);
    this.follow(tick);
  }

  /** Bits 3–1 choose counters; bit 5 clear latches counts, bit 4 clear latches statuses. */
  private readBack(value: number, tick: number): void {
    for (let i = 0; i < 3; i++) {
      if ((value & (2 << i)) === 0) continue;
      if ((value & 0x20) === 0) this.channels[i].latchCount(tick);
      if ((value & 0x10) === 0) this.channels[i].latchStatus(tick);
    }
  }

  save(): PitState {
    return {
      channels: this.channels.map((channel) => channel.save()),
      portB: this.portB,
      level: this.level,
      edgeAt: this.edgeAt,
    };
  }

  restore(state: PitState): void {
    for (const [i, channel] of this.channels.entries()) channel.restore(state.channels[i]);
    this.portB = state.portB;
    this.level = state.level;
    this.edgeAt = state.edgeAt;
  }
}
