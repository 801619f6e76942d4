/**
 * A disk in a file of the host: what is written goes straight to the file. Kept beside it are the sectors as they were
 * before, so that a run can be repeated from the same contents. May import cpu's public face and Node.
 */
import { closeSync, fdatasyncSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { BufferDisk, type DiskBackend, SECTOR_BYTES } from "../../cpu/index";

export class FileDisk implements DiskBackend {
  readonly sectors: number;
  private readonly file: number;
  /** The first contents of each sector that has been written. */
  private readonly originals = new Map<number, Uint8Array>();

  /** Opens the file; a read-only one is never written. Throws Node's error when it cannot be opened. The size is that of now. */
  constructor(
    path: string,
    readonly readOnly: boolean,
  ) {
    this.file = openSync(path, readOnly ? "r" : "r+");
    this.sectors = Math.floor(fstatSync(this.file).size / SECTOR_BYTES);
  }

  read(sector: number, target: Uint8Array): boolean {
    try {
      return readSync(this.file, target, 0, SECTOR_BYTES, sector * SECTOR_BYTES) === SECTOR_BYTES;
    } catch {
      return false;
    }
  }

  write(sector: number, source: Uint8Array): boolean {
    try {
      if (!this.originals.has(sector)) {
        const original = new Uint8Array(SECTOR_BYTES);
        if (this.read(sector, original)) this.originals.set(sector, original);
      }
      return writeSync(this.file, source, 0, SECTOR_BYTES, sector * SECTOR_BYTES) === SECTOR_BYTES;
    } catch {
      return false;
    }
  }

  flush(): boolean {
    try {
      if (!this.readOnly) fdatasyncSync(this.file);
      return true;
    } catch {
      return false;
    }
  }

  /** A disk in memory with the contents that this one had at first: the file is read, never written. */
  asAtFirst(): BufferDisk {
    const { sectors, originals, readOnly } = this;
    const read = (sector: number, target: Uint8Array): boolean => {
      const original = originals.get(sector);
      if (original === undefined) return this.read(sector, target);
      target.set(original);
      return true;
    };
    return new BufferDisk({ sectors, read }, { readOnly });
  }

  /** Gives the file back; nothing may be asked of the disk after it. */
  close(): void {
    closeSync(this.file);
  }

  /** The contents are the file's affair. */
  save(): null {
    return null;
  }

  restore(): void {
    throw new Error("contents of a disk in memory cannot be put into a file");
  }
}
