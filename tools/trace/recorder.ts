/**
 * Writes records of events that somebody wants (eventrecords.ts), each with where and when it happens. May import cpu's public face and
 * registers, eventrecords, processes.
 */
import type { Machine, MachineEvent } from "../../cpu/index";
import { Word } from "../../cpu/registers";
import type { EventLog, Kind } from "./eventrecords";
import type { Processes } from "./processes";

/** What is to be written down, and where. */
export interface Wanted {
  /** By Kind: not 0 for those that somebody wants. */
  readonly kinds: Uint8Array;
  /** Which traps processes are in; which tables they share. */
  traps: boolean;
  sharing: boolean;
  log: EventLog;
  /** A record has been written. */
  written(kind: Kind): void;
}

export class Recorder {
  constructor(
    private readonly machine: Machine,
    private readonly processes: Processes,
    readonly wanted: Wanted,
  ) {}

  wants(kind: Kind): boolean {
    return this.wanted.kinds[kind] !== 0;
  }

  /** Begins the record of what an instruction did that has just run: EIP is behind it. */
  begin(kind: Kind, event: Readonly<MachineEvent>): EventLog {
    const { r } = this.machine.cpu;
    return this.beginAt(kind, event, r[Word.Cpl], r[Word.Eip] - 1);
  }

  beginAt(kind: Kind, { instret, cycles }: Readonly<MachineEvent>, ring: number, eip: number): EventLog {
    const { log } = this.wanted;
    log.begin(kind, instret, cycles, this.processes.current().pid, ring, eip);
    return log;
  }

  end(kind: Kind): void {
    this.wanted.log.end();
    this.wanted.written(kind);
  }

  /** Writes an event of one word, if it is wanted. */
  write(kind: Kind, event: Readonly<MachineEvent>, value: number): void {
    if (!this.wants(kind)) return;
    this.begin(kind, event).word(value);
    this.end(kind);
  }

  writeTwo(kind: Kind, event: Readonly<MachineEvent>, first: number, second: number): void {
    if (!this.wants(kind)) return;
    const log = this.begin(kind, event);
    log.word(first);
    log.word(second);
    this.end(kind);
  }
}
