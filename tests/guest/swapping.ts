/**
 * Machines with a swap disk, as the host gives them to guest programs: a small memory, and a disk that refuses reads or writes while the
 * guest asks for that (Mark.RefuseDisk). May import guest, tools/disk, cpu, kernel/abi.
 */
import { type BufferDisk, type DiskBackend, type DiskState, EventKind, type Machine } from "../../cpu/index";
import { DiskRefusal, Mark } from "../../kernel/abi/marks";
import { swapDisk } from "../../tools/disk/swaparea";
import type { GuestOptions } from "./guest";

/** Of the tests of swap: enough for their programs, little enough that all of it is soon evicted. */
export const SWAP_MEMORY_MB = 16;
const SWAP_DISK_MB = 32;

/** A swap disk that can be told to refuse. */
class RefusingDisk implements DiskBackend {
  /** A sum of DiskRefusal. */
  refuses = 0;
  private readonly disk: BufferDisk;

  constructor(megabytes: number) {
    this.disk = swapDisk(megabytes);
  }

  get sectors(): number {
    return this.disk.sectors;
  }

  get readOnly(): boolean {
    return false;
  }

  read(sector: number, target: Uint8Array): boolean {
    return (this.refuses & DiskRefusal.Reads) === 0 && this.disk.read(sector, target);
  }

  write(sector: number, source: Uint8Array): boolean {
    return (this.refuses & DiskRefusal.Writes) === 0 && this.disk.write(sector, source);
  }

  flush(): boolean {
    return this.disk.flush();
  }

  save(): DiskState | null {
    return this.disk.save();
  }

  restore(state: DiskState): void {
    this.disk.restore(state);
  }
}

/** Options of a machine with swap=on, to be added to. */
export function swappingOptions(others: Omit<GuestOptions, "commandLine"> = {}): Omit<GuestOptions, "commandLine"> {
  const disk = new RefusingDisk(SWAP_DISK_MB);
  return {
    memoryMB: SWAP_MEMORY_MB,
    disk,
    ...others,
    onMachine: (machine: Machine) => {
      machine.onEvent(
        ({ a }) => {
          if (a >>> 24 === Mark.RefuseDisk) disk.refuses = a & 0xff;
        },
        [EventKind.Mark],
      );
      others.onMachine?.(machine);
    },
  };
}
