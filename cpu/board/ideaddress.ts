/**
 * Where on the disk a command works: the address registers of an IDE drive to a sector number and back, by LBA or by cylinder,
 * head and sector. May import ata.ts, idestate.ts.
 * Source: ATA/ATAPI-5, 6.2 (sector addressing), 7.8–7.13 (address and device registers).
 */

import type { Geometry } from "./ata";
import type { IdeRegisters } from "./idestate";

const DEVICE_LBA = 0x40;

function usesLba({ device }: IdeRegisters): boolean {
  return (device & DEVICE_LBA) !== 0;
}

/** Sector that the address registers name; −1 when the geometry has none such. It may lie beyond the end of the disk. */
export function addressedSector(s: IdeRegisters, { heads, track, cylinders }: Geometry): number {
  const { lbaLow, lbaMid, lbaHigh, device } = s;
  const cylinder = lbaMid | (lbaHigh << 8);
  const head = device & 15;
  if (usesLba(s)) return lbaLow | (cylinder << 8) | (head << 24);
  if (head >= heads || lbaLow === 0 || lbaLow > track || cylinder >= cylinders) return -1;
  return (cylinder * heads + head) * track + lbaLow - 1;
}

/** Makes the address registers name the sector at which the command stands, in the form in which they were given. */
export function tellSector(s: IdeRegisters, { heads, track }: Geometry): void {
  if (usesLba(s)) {
    s.lbaLow = s.sector & 0xff;
    s.lbaMid = (s.sector >> 8) & 0xff;
    s.lbaHigh = (s.sector >> 16) & 0xff;
    s.device = (s.device & 0xf0) | ((s.sector >> 24) & 15);
    return;
  }
  const trackNumber = Math.floor(s.sector / track);
  const cylinder = Math.floor(trackNumber / heads);
  s.lbaLow = (s.sector % track) + 1;
  s.lbaMid = cylinder & 0xff;
  s.lbaHigh = (cylinder >> 8) & 0xff;
  s.device = (s.device & 0xf0) | (trackNumber % heads);
}
