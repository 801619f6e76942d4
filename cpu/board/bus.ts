/**
 * The I/O bus: which device has which port, by table. May import port.ts. A port without a device reads all ones and
 * swallows writes. Byte-wide devices see a wider access as single bytes at successive ports, low byte first.
 * Source: ISA bus behaviour as in the IBM PC/AT technical reference.
 */

import type { PortDevice, PortSize } from "./port";

const PORTS = 0x10000;

/** The absence of a device: a bus that nobody drives floats high. */
const OPEN_BUS: PortDevice = {
  byteWide: true,
  readPort: () => 0xff,
  writePort: () => undefined,
};

export class PortBus {
  private readonly devices: PortDevice[] = [OPEN_BUS];
  /** Index into `devices` for each port. */
  private readonly table = new Uint8Array(PORTS);

  /** Gives `count` ports from `first` to a device. */
  attach(first: number, count: number, device: PortDevice): void {
    let index = this.devices.indexOf(device);
    if (index < 0) index = this.devices.push(device) - 1;
    this.table.fill(index, first, first + count);
  }

  /** IN: an unsigned value of `size` bytes. Ports wrap at 64 K. */
  read(port: number, size: PortSize): number {
    const device = this.devices[this.table[port]];
    if (size === 1 || !device.byteWide) return device.readPort(port, size);
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.read((port + i) & (PORTS - 1), 1) << (8 * i);
    return value >>> 0;
  }

  /** OUT: the low `size` bytes of `value`. */
  write(port: number, size: PortSize, value: number): void {
    const device = this.devices[this.table[port]];
    if (size === 1) device.writePort(port, 1, value & 0xff);
    else if (!device.byteWide) device.writePort(port, size, size === 2 ? value & 0xffff : value >>> 0);
    else for (let i = 0; i < size; i++) this.write((port + i) & (PORTS - 1), 1, value >>> (8 * i));
  }

  /** Many INs at once (port.ts); 0 where the device does none so. */
  readBlock(port: number, size: PortSize, target: Uint8Array, offset: number, count: number): number {
    return this.devices[this.table[port]].readBlock?.(size, target, offset, count) ?? 0;
  }

  /** Many OUTs at once. */
  writeBlock(port: number, size: PortSize, source: Uint8Array, offset: number, count: number): number {
    return this.devices[this.table[port]].writeBlock?.(size, source, offset, count) ?? 0;
  }
}
