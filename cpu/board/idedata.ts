/**
 * The data register of an IDE drive, 0x1F0, 16 bits wide: words between the host and the block at hand. May import ata.ts, disk.ts,
 * idestate.ts, port.ts.
 * Invariants: while DRQ is set nothing happens by itself, and no word but a block's last does more than move `position` on.
 * So all before the last may go in bulk; the last one begins what the drive does next, and goes alone.
 * Source: ATA/ATAPI-5 (T13/1321D): 7.5 (Data register), 9.5 and 9.6 (PIO in and out).
 */

import { Status } from "./ata";
import { SECTOR_BYTES } from "./disk";
import { type IdeRegisters, slaveSelected } from "./idestate";
import type { PortDevice, PortSize } from "./port";

const WORD = 2;

export class IdeData implements PortDevice {
  readonly byteWide = false;

  /** `blockMoved` is called behind the last word of a block. */
  constructor(
    private readonly s: IdeRegisters,
    private readonly buffer: Uint8Array,
    private readonly blockMoved: () => void,
  ) {}

  /** The next word or two of the block. A byte access takes a whole word, as a 16-bit device does. */
  readPort(_port: number, size: PortSize): number {
    const low = this.readWord();
    if (size === 1) return low & 0xff;
    return size === 2 ? low : (low | (this.readWord() << 16)) >>> 0;
  }

  writePort(_port: number, size: PortSize, value: number): void {
    this.writeWord(value);
    if (size === 4) this.writeWord(value >>> 16);
  }

  readBlock(size: PortSize, target: Uint8Array, offset: number, count: number): number {
    const elements = this.elements(0, size, count);
    const { position } = this.s;
    const end = position + elements * size;
    target.set(this.buffer.subarray(position, end), offset);
    this.s.position = end;
    return elements;
  }

  writeBlock(size: PortSize, source: Uint8Array, offset: number, count: number): number {
    const elements = this.elements(1, size, count);
    const bytes = elements * size;
    this.buffer.set(source.subarray(offset, offset + bytes), this.s.position);
    this.s.position += bytes;
    return elements;
  }

  /** How many elements, up to `count`, move nothing but words before the block's last. */
  private elements(writing: 0 | 1, size: PortSize, count: number): number {
    if (size === 1 || !this.transfers(writing)) return 0;
    return Math.min(count, Math.floor((this.blockBytes - WORD - this.s.position) / size));
  }

  private readWord(): number {
    if (!this.transfers(0)) return 0;
    const { position } = this.s;
    const word = this.buffer[position] | (this.buffer[position + 1] << 8);
    this.moveOn();
    return word;
  }

  private writeWord(value: number): void {
    if (!this.transfers(1)) return;
    const { position } = this.s;
    this.buffer[position] = value & 0xff;
    this.buffer[position + 1] = (value >>> 8) & 0xff;
    this.moveOn();
  }

  private moveOn(): void {
    this.s.position += WORD;
    if (this.s.position >= this.blockBytes) this.blockMoved();
  }

  /** Bytes of the block that is between host and buffer; IDENTIFY's counts no sector. */
  private get blockBytes(): number {
    return Math.max(1, this.s.blockSectors) * SECTOR_BYTES;
  }

  /** Whether DRQ is set for a transfer in this direction: 1 is from the host. */
  private transfers(writing: 0 | 1): boolean {
    const { s } = this;
    return (s.status & Status.DataRequest) !== 0 && s.writing === writing && !slaveSelected(s);
  }
}
