/**
 * What an IDE drive stores its sectors in: the seam `DiskBackend`, the disk in memory, and the faults that a test puts in.
 * May import nothing of the machine. A backend over a host file is not here, since cpu/ knows nothing of Node.
 * Invariant: a backend does what it is asked at once and the same every time: when it happens in guest time is the drive's
 * affair.
 */

/** Bytes of a sector. */
export const SECTOR_BYTES = 512;
/** Most sectors that 28 bits of address reach; sector 0 counts. */
export const MAX_SECTORS = 2 ** 28 - 1;

/** Contents that a saved machine carries with it. */
export interface DiskState {
  version: 1;
  /** Sectors that differ from the disk's first contents, in order of their numbers, and their bytes one after the other. */
  changed: number[];
  bytes: Uint8Array;
}

/** Where sectors can be read: all that a read-only disk needs. */
export interface SectorSource {
  /** Size of the disk in sectors, constant. */
  readonly sectors: number;
  /** Fills `target`, SECTOR_BYTES long. False when the sector cannot be read. */
  read(sector: number, target: Uint8Array): boolean;
}

export interface DiskBackend extends SectorSource {
  /** The drive refuses writes, with a write fault. */
  readonly readOnly: boolean;
  /** Stores `source`, SECTOR_BYTES long, which is not kept. False when it cannot be written. Not called when readOnly. */
  write(sector: number, source: Uint8Array): boolean;
  /** What has been written must survive the host's end. False when that fails. */
  flush(): boolean;
  /** The contents for a saved machine; null when they live elsewhere, as in a file, and are not part of its state. */
  save(): DiskState | null;
  /** Takes contents of save() back. */
  restore(state: DiskState): void;
}

/** The n-th sector that the drive moves to or from its backend (from 1 on, reads and writes together) goes wrong, or late. */
export interface DiskFault {
  transfer: number;
  /** The sector cannot be read (or written); it is not touched. */
  fails?: boolean;
  /** Cycles that it takes longer. */
  delayCycles?: number;
  /** The drive does not raise its interrupt when the block that the sector is in has been moved well. */
  losesInterrupt?: boolean;
}

class BytesSource implements SectorSource {
  constructor(private readonly contents: Uint8Array) {}

  get sectors(): number {
    return this.contents.length / SECTOR_BYTES;
  }

  read(sector: number, target: Uint8Array): boolean {
    target.set(this.contents.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES));
    return true;
  }
}

/**
 * A disk in memory: first contents, which it never changes, and what has been written over them. So one image serves many
 * machines, and a saved machine carries only what it wrote.
 */
export class BufferDisk implements DiskBackend {
  readonly sectors: number;
  readonly readOnly: boolean;
  private readonly source: SectorSource;
  private readonly changed = new Map<number, Uint8Array>();

  /** `contents`: a multiple of SECTOR_BYTES, else RangeError; they must not change under the disk. */
  constructor(contents: Uint8Array | SectorSource, options: { readOnly?: boolean } = {}) {
    this.source = contents instanceof Uint8Array ? new BytesSource(contents) : contents;
    this.sectors = this.source.sectors;
    this.readOnly = options.readOnly ?? false;
    if (!Number.isInteger(this.sectors)) throw new RangeError(`a disk of ${this.sectors} sectors`);
  }

  read(sector: number, target: Uint8Array): boolean {
    const written = this.changed.get(sector);
    if (written === undefined) return this.source.read(sector, target);
    target.set(written);
    return true;
  }

  write(sector: number, source: Uint8Array): boolean {
    const written = this.changed.get(sector);
    if (written === undefined) this.changed.set(sector, source.slice());
    else written.set(source);
    return true;
  }

  flush(): boolean {
    return true;
  }

  /** A copy of the present contents. Sectors that cannot be read are zero. */
  contents(): Uint8Array {
    const bytes = new Uint8Array(this.sectors * SECTOR_BYTES);
    for (let sector = 0; sector < this.sectors; sector++)
      this.read(sector, bytes.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES));
    return bytes;
  }

  save(): DiskState {
    const changed = [...this.changed.keys()].sort((a, b) => a - b);
    const bytes = new Uint8Array(changed.length * SECTOR_BYTES);
    for (const [index, sector] of changed.entries()) this.read(sector, bytes.subarray(index * SECTOR_BYTES));
    return { version: 1, changed, bytes };
  }

  restore(state: DiskState): void {
    this.changed.clear();
    for (const [index, sector] of state.changed.entries())
      this.changed.set(sector, state.bytes.slice(index * SECTOR_BYTES, (index + 1) * SECTOR_BYTES));
  }
}
