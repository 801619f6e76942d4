/**
 * The mark port: 32-bit writes to 0x7E0 tell a listener what kernel or guest are doing; 32-bit reads of 0x7E4 and 0x7E8 give
 * the low and high half of instret. May import clock.ts, port.ts. All else here reads all ones, as on a PC without the port.
 * What a mark means is the guest's affair (the kernel's ABI has the encoding).
 */

import type { Clock } from "./clock";
import type { PortDevice, PortSize } from "./port";

export const MARK_PORT = 0x7e0;
export const MARK_PORTS = 12;
const INSTRET_LOW = MARK_PORT + 4;
const INSTRET_HIGH = MARK_PORT + 8;
const ALL_ONES = [0, 0xff, 0xffff, 0, 0xffffffff];

export class Marks implements PortDevice {
  readonly byteWide = false;

  /** `mark` gets each 32-bit value written. */
  constructor(
    private readonly clock: Clock,
    private readonly mark: (value: number) => void,
  ) {}

  /** Instructions retired before the IN that reads. */
  readPort(port: number, size: PortSize): number {
    if (size === 4 && port === INSTRET_LOW) return this.clock.instret % 0x100000000;
    if (size === 4 && port === INSTRET_HIGH) return Math.floor(this.clock.instret / 0x100000000);
    return ALL_ONES[size];
  }

  writePort(port: number, size: PortSize, value: number): void {
    if (size === 4 && port === MARK_PORT) this.mark(value);
  }
}
