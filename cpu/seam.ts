/**
 * What passes between the processor and those around it: the bus to the board, the reasons for coming back, the events.
 * May import nothing; cpu.ts hands all of it on.
 */

/** The board as the processor sees it. All calls come in the middle of an instruction, with exact cycles and instret. */
export interface Bus {
  /** IN: an unsigned value. */
  read(port: number, size: 1 | 2 | 4): number;
  /** OUT. */
  write(port: number, size: 1 | 2 | 4, value: number): void;
  /**
   * Many INs at once: up to `count` values of `size` bytes, one after the other to `offset` of `target`. Returns how many, 0 when
   * the next one must come by read(): an element may come this way only if it changes nothing but what the port's next
   * access moves, at any time before the next call. Without this every one comes by read().
   */
  readBlock?(port: number, size: 1 | 2 | 4, target: Uint8Array, offset: number, count: number): number;
  /** Many OUTs at once, from `offset` of `source` on; the same. */
  writeBlock?(port: number, size: 1 | 2 | 4, source: Uint8Array, offset: number, count: number): number;
  /** The interrupt-acknowledge cycle: the vector, 0 to 255. */
  acknowledge(): number;
  /** FERR#: an x87 exception is pending with CR0.NE = 0, and the processor waits for the interrupt that this brings. */
  coprocessorError?(): void;
}

/** Why run() returned; always at an instruction boundary. */
export const enum RunExit {
  /** instret has reached the caller's maximum. */
  Budget = 0,
  /** cycles has reached `deadline`: the board has something to do. */
  Deadline = 1,
  /** HLT, and no interrupt to wake it. The caller moves `cycles` on and raises the line, or gives up. */
  Halted = 2,
  /** requestStop(). The request is used up. */
  Stopped = 3,
  /** A fault while a double fault was delivered. Stays so until reset() or restore(). */
  TripleFault = 4,
  /** onInstruction asked for it; the instruction has not run. */
  Hook = 5,
}

/** What a listener hears of. None of it costs guest time. */
export const enum CpuEvent {
  /** An interrupt or exception was delivered: a = vector, b = error code or -1. */
  TrapEntry = 0,
  /** IRET was executed: a = the new EIP, b = the new privilege level. */
  Iret = 1,
  /** CR3 was loaded: a = its value. */
  Cr3Load = 2,
  /** All (a = 1: global ones too) TLB entries were dropped. */
  TlbFlush = 3,
  /** INVLPG: a = the linear address. */
  Invlpg = 4,
  /** A page fault was raised: a = the linear address, b = the error code. It is delivered right after. */
  PageFault = 5,
}

export type CpuListener = (kind: CpuEvent, a: number, b: number) => void;
