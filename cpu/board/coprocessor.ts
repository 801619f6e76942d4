/**
 * The PC/AT's wiring of the coprocessor's error output. May import port.ts.
 * FERR# sets a latch that is IRQ 13; a write to port F0 clears the latch and lets the processor ignore the error (IGNNE#) until it
 * has cleared it. Invariant: the latch is the level of IRQ 13 and lives there.
 * Source: Intel SDM volume 1, appendix D.2 (MS-DOS compatibility sub-mode); IBM PC/AT technical reference, port F0.
 */

import type { PortDevice } from "./port";

export const COPROCESSOR_PORT = 0xf0;

export class CoprocessorError implements PortDevice {
  readonly byteWide = true;

  /** `setLine` drives IRQ 13; `ignore` asserts IGNNE#. */
  constructor(
    private readonly setLine: (level: 0 | 1) => void,
    private readonly ignore: () => void,
  ) {}

  /** FERR# was asserted. */
  raise(): void {
    this.setLine(1);
  }

  readPort(): number {
    return 0xff;
  }

  writePort(): void {
    this.setLine(0);
    this.ignore();
  }
}
