/**
 * The sectors of an IDE drive between buffer and backend: a block at a time, and what tests make go wrong with it. May import
 * ata.ts, disk.ts, idestate.ts.
 * Invariant: sectors move one by one, in order, and each counts as a transfer; `sector` and `remaining` tell the first that has
 * not moved.
 */

import { AtaError, MAX_MULTIPLE } from "./ata";
import { type DiskBackend, type DiskFault, SECTOR_BYTES } from "./disk";
import type { IdeRegisters } from "./idestate";

/** A sector between medium and buffer: 40 MB/s, what a desktop drive of 2002 sustained. */
export const SECTOR_CYCLES = 1_280;

export class Medium {
  /** One block. */
  readonly buffer = new Uint8Array(MAX_MULTIPLE * SECTOR_BYTES);

  constructor(
    private readonly s: IdeRegisters,
    private readonly disk: DiskBackend,
    private readonly faults: readonly DiskFault[],
  ) {}

  /** Time for the block's sectors, faults that delay included. */
  blockCycles(): number {
    const { transfers, blockSectors } = this.s;
    let cycles = blockSectors * SECTOR_CYCLES;
    for (const { transfer, delayCycles = 0 } of this.faults)
      if (transfer > transfers && transfer <= transfers + blockSectors) cycles += delayCycles;
    return cycles;
  }

  /** The interrupt of the block that has just been moved: 0 when a fault loses it. */
  blockInterrupt(): 0 | 1 {
    const { transfers, blockSectors } = this.s;
    const isLost = this.faults.some(
      ({ transfer, losesInterrupt }) =>
        losesInterrupt === true && transfer > transfers - blockSectors && transfer <= transfers,
    );
    return isLost ? 0 : 1;
  }

  /** Moves the block to the buffer (when verifying, nowhere in particular); the error of the first sector that fails. */
  read(): AtaError | 0 {
    return this.moveSectors((sector, i) => {
      const failed = this.transferFails() || !this.disk.read(sector, this.bufferSector(i % MAX_MULTIPLE));
      return failed ? AtaError.Uncorrectable : 0;
    });
  }

  /** Moves the block to the medium. A sector that cannot be written is a device fault: `faulty`. */
  write(): { error: AtaError | 0; faulty: boolean } {
    let faulty = false;
    const error = this.moveSectors((sector, i) => {
      const failed = this.transferFails();
      faulty = failed || this.disk.readOnly || !this.disk.write(sector, this.bufferSector(i));
      return faulty ? AtaError.Aborted : 0;
    });
    return { error, faulty };
  }

  /** Moves the present block's sectors one by one; the error of the first that fails. */
  private moveSectors(move: (sector: number, index: number) => AtaError | 0): AtaError | 0 {
    const { s } = this;
    for (let i = 0; i < s.blockSectors; i++) {
      const error = s.sector >= this.disk.sectors ? AtaError.IdNotFound : move(s.sector, i);
      if (error !== 0) return error;
      s.sector++;
      s.remaining--;
    }
    return 0;
  }

  /** Counts one sector; whether a fault makes it fail. */
  private transferFails(): boolean {
    const number = ++this.s.transfers;
    return this.faults.some(({ transfer, fails }) => transfer === number && fails === true);
  }

  private bufferSector(index: number): Uint8Array {
    return this.buffer.subarray(index * SECTOR_BYTES, (index + 1) * SECTOR_BYTES);
  }
}
