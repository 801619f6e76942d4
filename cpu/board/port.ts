/** What a device on the I/O ports looks like to the bus. May import nothing. */

/** Bytes of an access to an I/O port. */
export type PortSize = 1 | 2 | 4;

export interface PortDevice {
  /**
   * A device with an 8-bit data path: the bus splits wider accesses into single bytes at successive ports, as an ISA bus
   * does, and each goes to the device that has that port. Otherwise the device sees the access as it is.
   */
  readonly byteWide: boolean;
  /** An unsigned value of `size` bytes. */
  readPort(port: number, size: PortSize): number;
  /** `value` is unsigned and has no bits above `size` bytes. */
  writePort(port: number, size: PortSize, value: number): void;
  /**
   * Many reads of one port at once, each `size` bytes, to `offset` of `target` on; returns how many it did, at most `count`. A device
   * does so only what no time and no other device can tell from readPort(): it moves data within a buffer, and nothing else.
   */
  readBlock?(size: PortSize, target: Uint8Array, offset: number, count: number): number;
  /** Many writes at once, of what is at `offset` of `source`; the same. */
  writeBlock?(size: PortSize, source: Uint8Array, offset: number, count: number): number;
}
