/**
 * The exit port 0xF4: a write of v ends the run with v. May import port.ts. Reads give 0, as QEMU's isa-debug-exit does.
 * Source: QEMU hw/misc/debugexit.c; there the host process exits with (v << 1) | 1.
 */

import type { PortDevice } from "./port";

export const EXIT_PORT = 0xf4;

export class DebugExit implements PortDevice {
  readonly byteWide = false;

  /** `exit` gets the value written, which ends the run before the next instruction. */
  constructor(private readonly exit: (value: number) => void) {}

  readPort(): number {
    return 0;
  }

  writePort(_port: number, _size: number, value: number): void {
    this.exit(value);
  }
}
