/**
 * What is typed, on its way to the serial port or the keyboard, each piece with the moment at which the guest may see it, and the log of
 * what was delivered when. May import errors.ts and the board's types. Invariant: pending pieces are in the order of their stamps; the log, given
 * to a fresh machine with the same image, repeats the run to the instruction.
 */

import type { InputDevice } from "./board/board";
import { MachineError } from "./errors";

/** A moment of a run: the first instruction boundary at which both counts have been reached. */
export interface InputStamp {
  /** Instructions retired. */
  atInstret?: number;
  /** Cycles. Matters only where time passes without instructions, in HLT. */
  atCycles?: number;
  /** Where it goes; to the serial port by default. Bytes for the keyboard are scan codes of set 1. */
  device?: InputDevice;
}

/** Bytes and when they arrive, or arrived. */
export interface InputRecord extends Required<InputStamp> {
  bytes: Uint8Array;
}

/** The queue as saved. */
export interface InputState {
  pending: InputRecord[];
  log: InputRecord[];
}

function copyOf({ bytes, ...stamp }: InputRecord): InputRecord {
  return { bytes: bytes.slice(), ...stamp };
}

export class InputQueue {
  /** What was delivered, with the moment of delivery. */
  readonly log: InputRecord[] = [];
  private readonly pending: InputRecord[] = [];

  /** Adds bytes behind what has the same stamp. Throws MachineError for a stamp that is no count or has passed. */
  add(bytes: Uint8Array, stamp: InputStamp, instret: number): void {
    const { atInstret = instret, atCycles = 0, device = "serial" } = stamp;
    if (!(Number.isSafeInteger(atInstret) && atInstret >= instret))
      throw new MachineError(`input at instruction ${atInstret}: the machine is at ${instret}`);
    if (!(Number.isSafeInteger(atCycles) && atCycles >= 0)) throw new MachineError(`input at cycle ${atCycles}`);
    let index = this.pending.length;
    while (index > 0 && comesBefore(atInstret, atCycles, this.pending[index - 1])) index--;
    this.pending.splice(index, 0, { bytes: bytes.slice(), atInstret, atCycles, device });
  }

  get isEmpty(): boolean {
    return this.pending.length === 0;
  }

  /** The next instret at which a piece may become due; Infinity when none lies ahead. */
  nextInstret(instret: number): number {
    const first = this.pending[0];
    return first !== undefined && first.atInstret > instret ? first.atInstret : Infinity;
  }

  /** The cycle for which a piece waits whose instret has been reached; Infinity when there is none. */
  nextCycle(instret: number): number {
    const first = this.pending[0];
    return first !== undefined && first.atInstret <= instret ? first.atCycles : Infinity;
  }

  /** Takes the next piece if it is due, and logs it; undefined when none is. */
  takeDue(instret: number, cycles: number): InputRecord | undefined {
    return this.nextCycle(instret) <= cycles ? this.take(instret, cycles) : undefined;
  }

  /** Takes the next piece, due or not, and logs it as delivered now. */
  take(instret: number, cycles: number): InputRecord | undefined {
    const record = this.pending.shift();
    if (record === undefined) return undefined;
    this.log.push({ ...record, atInstret: instret, atCycles: cycles });
    return record;
  }

  save(): InputState {
    return { pending: this.pending.map(copyOf), log: this.log.map(copyOf) };
  }

  restore(state: InputState): void {
    this.pending.splice(0, this.pending.length, ...state.pending.map(copyOf));
    this.log.splice(0, this.log.length, ...state.log.map(copyOf));
  }
}

function comesBefore(atInstret: number, atCycles: number, other: InputRecord): boolean {
  return atInstret < other.atInstret || (atInstret === other.atInstret && atCycles < other.atCycles);
}
