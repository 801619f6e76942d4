/**
 * What a caller may give a machine: each check throws MachineError, with one line, for what it may not. May import board/disk.ts,
 * contract.ts, errors.ts.
 */

import { type DiskBackend, MAX_SECTORS } from "./board/disk";
import { type MachineState, STATE_VERSION } from "./contract";
import { MachineError } from "./errors";

const MIN_MEGABYTES = 2;
const MAX_MEGABYTES = 1792;
const ROM_UNIT = 0x10000;
const MAX_ROM = 4 * ROM_UNIT;

export function checkMemory(megabytes: number): void {
  if (Number.isInteger(megabytes) && megabytes >= MIN_MEGABYTES && megabytes <= MAX_MEGABYTES) return;
  throw new MachineError(
    `memory of ${megabytes} MB: it must be a whole number from ${MIN_MEGABYTES} to ${MAX_MEGABYTES}`,
  );
}

export function checkDisk({ sectors }: DiskBackend): void {
  if (Number.isInteger(sectors) && sectors >= 1 && sectors <= MAX_SECTORS) return;
  throw new MachineError(`a disk of ${sectors} sectors: it must be a whole number from 1 to ${MAX_SECTORS}`);
}

export function checkDate(date: Date): void {
  if (Number.isNaN(date.getTime())) throw new MachineError("the start time is no date");
}

export function checkRom({ length }: Uint8Array): void {
  if (length !== 0 && length <= MAX_ROM && length % ROM_UNIT === 0) return;
  throw new MachineError(`a ROM of ${length} bytes: it must be 64, 128, 192 or 256 KB`);
}

export function checkVersion(state: MachineState): void {
  if (state?.version === STATE_VERSION) return;
  throw new MachineError(`saved state of version ${state?.version}; this is version ${STATE_VERSION}`);
}
