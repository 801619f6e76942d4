/** An IDE drive on a board, with a clock in the processor's place, for the drive's tests. */
import { Board } from "../../../cpu/board/board";
import { BufferDisk, type DiskBackend, type DiskFault, SECTOR_BYTES } from "../../../cpu/board/disk";

export const [DATA, ERROR, COUNT, LOW, MID, HIGH, DEVICE, STATUS] = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => 0x1f0 + i);
export const CONTROL = 0x3f6;
export const SECTORS = 4096;

/** Contents that tell sectors and bytes apart. */
export function patternAt(position: number): number {
  return (position * 7 + (position >> 9) * 13) & 0xff;
}
export function image(sectors = SECTORS): Uint8Array {
  return Uint8Array.from({ length: sectors * SECTOR_BYTES }, (_, position) => patternAt(position));
}
export const IMAGE = image();

export function sectorsOf(first: number, count: number): number[] {
  return [...IMAGE.subarray(first * SECTOR_BYTES, (first + count) * SECTOR_BYTES)];
}

/** A board with a clock in the CPU's place. IRQ 14 reaches INTR, and nothing else does. */
export class Bench {
  cycles = 0;
  readonly instret = 0;
  deadline = 0;
  level = 0;
  readonly a20 = 1;
  readonly board: Board;

  setA20(): void {}

  constructor(disk: DiskBackend | null = new BufferDisk(IMAGE), faults: readonly DiskFault[] = []) {
    const nothing = () => undefined;
    const signals = { transmit: nothing, mark: nothing, exit: nothing, reset: nothing };
    const fitted = disk === null ? {} : { disk, diskFaults: faults };
    this.board = new Board(this, signals, { memoryMB: 16, startTime: 0, ...fitted });
    for (const [base, second] of [
      [0x20, 4],
      [0xa0, 2],
    ]) {
      this.board.write(base, 1, 0x11);
      for (const value of [base, second, 1]) this.board.write(base + 1, 1, value);
    }
    this.board.write(0x21, 1, 0xfb);
    this.board.write(0xa1, 1, 0xbf);
  }

  ignoreCoprocessorError(): void {}
  setInterruptLine(level: 0 | 1): void {
    this.level = level;
  }

  in(port: number): number {
    return this.board.read(port, 1);
  }

  out(...writes: [port: number, value: number][]): this {
    for (const [port, value] of writes) this.board.write(port, 1, value);
    return this;
  }

  /** A command with LBA and count; does not wait. */
  command(code: number, sector = 0, count = 1): this {
    return this.out([DEVICE, 0xe0 | (sector >>> 24)], [COUNT, count & 255], [LOW, sector & 255]).out(
      [MID, (sector >> 8) & 255],
      [HIGH, (sector >> 16) & 255],
      [STATUS, code],
    );
  }

  /** Lets the drive's time pass, as HLT would: the cycles that it took. */
  settle(): number {
    const from = this.cycles;
    for (let i = 0; i < 1e6 && (this.in(CONTROL) & 0x80) !== 0; i++) this.cycles += 10;
    return this.cycles - from;
  }

  /** Reads Status, which takes the interrupt. */
  status(): number {
    return this.in(STATUS);
  }

  words(count: number): number[] {
    return Array.from({ length: count }, () => this.board.read(DATA, 2)).flatMap((word) => [word & 255, word >> 8]);
  }

  put(bytes: ArrayLike<number>): this {
    for (let i = 0; i < bytes.length; i += 2) this.board.write(DATA, 2, bytes[i] | (bytes[i + 1] << 8));
    return this;
  }

  /** A command and its time: status and error after it. */
  done(code: number, sector = 0, count = 1): [status: number, error: number] {
    this.command(code, sector, count).settle();
    return [this.status(), this.in(ERROR)];
  }
}

export const filled = (value: number, sectors = 1) => new Uint8Array(sectors * SECTOR_BYTES).fill(value);
