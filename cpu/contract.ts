/**
 * What goes into the machine and what comes out: options, stop reasons, events, saved states. Types only, apart from the
 * numbers of the events. May import types.
 */

import type { BoardState } from "./board/board";
import type { DiskBackend, DiskFault } from "./board/disk";
import type { CostTable, ModelName, TlbGeometry } from "./cpu";
import type { InputState } from "./inputqueue";
import type { CpuState } from "./state";

/** What a listener hears of: the processor's events, and writes to the mark and exit ports. */
export const enum EventKind {
  /** An interrupt or exception was delivered: a = vector, b = error code or −1. */
  TrapEntry = 0,
  /** IRET was executed: a = the new EIP, b = the new privilege level. */
  Iret = 1,
  /** CR3 was loaded: a = its value. */
  Cr3Load = 2,
  /** All TLB entries were dropped; a = 1: global ones too. */
  TlbFlush = 3,
  /** INVLPG: a = the linear address. */
  Invlpg = 4,
  /** A page fault was raised: a = the linear address, b = the error code. It is delivered right after. */
  PageFault = 5,
  /** The mark port was written: a = the 32-bit value. */
  Mark = 6,
  /** The exit port was written: a = the value. */
  Exit = 7,
}

/** An event. One object is used again and again: copy what you keep. All values are uint32, but b may be −1. */
export interface MachineEvent {
  kind: EventKind;
  /** The machine's counts when it happened; for a port, those before the OUT. */
  instret: number;
  cycles: number;
  a: number;
  b: number;
}

/** Must neither throw nor call run() or save(); it may read anything, and give input. */
export type EventListener = (event: Readonly<MachineEvent>) => void;

export interface MachineOptions {
  /** RAM in megabytes: a whole number from 2 to 1792. */
  memoryMB: number;
  /** Gets what the guest sends to COM1, in order, at the latest when run() returns. The bytes are the listener's to keep. */
  onSerial?: (bytes: Uint8Array) => void;
  /** The cost table; the standard one by default. */
  costs?: CostTable;
  /** Geometry of the charged TLB, instead of the cost table's. */
  tlb?: TlbGeometry;
  /** The CPU model; "686" by default. */
  cpu?: ModelName;
  /** Runs of a block before it is compiled; Infinity for never. It shows in speed only. */
  compileAfter?: number;
  /** The drive at the primary IDE channel; without it there is none. */
  disk?: DiskBackend;
  /** The date of the real-time clock at cycle 0, as UTC; 18 February 2002, 00:00:00 by default. */
  startTime?: Date;
  /** Sectors that go wrong or late, for tests. Like the disk they belong to the run: give them to restore() too. */
  diskFaults?: readonly DiskFault[];
}

export interface RunOptions {
  /** Stop when so many more instructions have retired. */
  maxInstructions: number;
  /** Stop when so many more cycles have passed, time asleep included. */
  maxCycles?: number;
  /**
   * Return when the guest has gone to sleep, instead of letting its time jump to the next event. The next call of run()
   * then lets that time pass, whether or not the caller has.
   */
  stopWhenIdle?: boolean;
}

/** Why run() returned. */
export type StopReason =
  /** The exit port was written. */
  | { reason: "exit"; value: number }
  /** HLT, and nothing that could wake the processor. */
  | { reason: "halt" }
  /** HLT; the next device event is at `wakeCycles`, Infinity when only input can wake it. Only with stopWhenIdle. */
  | { reason: "idle"; wakeCycles: number }
  | { reason: "budget" }
  /** The instruction at a breakpoint is next; the next run() executes it. `address` is linear. */
  | { reason: "breakpoint"; address: number }
  /** A fault while a double fault was delivered; the processor has shut down at `eip`. */
  | { reason: "tripleFault"; eip: number }
  /** The guest pulsed the reset line, and there is no ROM to start from. */
  | { reason: "reset" };

/** Raised when the meaning of a saved state changes. */
export const STATE_VERSION = 3;

/** A whole machine, fit for structured cloning. RAM without its zero pages. */
export interface MachineState {
  version: number;
  memoryMB: number;
  cpu: CpuState;
  board: BoardState;
  /** Bytes of ROM, which are part of RAM; 0 when there is none. */
  romBytes: number;
  input: InputState;
  passedBreakpoint: { address: number; instret: number };
}
