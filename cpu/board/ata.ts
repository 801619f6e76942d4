/**
 * The words of the ATA command set, and the block that IDENTIFY DEVICE gives. May import disk.ts.
 * Source: ATA/ATAPI-5 (T13/1321D revision 3): clause 7 (registers), clause 8 (commands), 8.12 (IDENTIFY DEVICE).
 */

import { SECTOR_BYTES } from "./disk";

/**
 * Status register:
 *
 *     7    6     5   4    3    2  1  0
 *     BSY  DRDY  DF  DSC  DRQ  -  -  ERR
 */
export const enum Status {
  Busy = 0x80,
  Ready = 0x40,
  DeviceFault = 0x20,
  SeekComplete = 0x10,
  DataRequest = 0x08,
  Error = 0x01,
}

/** Error register: valid when ERR is set; after a reset it holds the diagnostic code instead. */
export const enum AtaError {
  Uncorrectable = 0x40,
  IdNotFound = 0x10,
  Aborted = 0x04,
  /** Diagnostic code: device 0 passed, device 1 passed or absent. */
  DiagnosticPassed = 0x01,
}

/** Subcommands of SET FEATURES that change nothing which a guest could see: caches on and off, a PIO mode. */
const ENABLE_WRITE_CACHE = 0x02;
const SET_TRANSFER_MODE = 0x03;
const DISABLE_LOOK_AHEAD = 0x55;
const DISABLE_WRITE_CACHE = 0x82;
const ENABLE_LOOK_AHEAD = 0xaa;
/** Upper bits of the sector count register in SET TRANSFER MODE: the default PIO mode, PIO with flow control. */
const PIO_TRANSFERS = [0, 1];

/** Whether SET FEATURES takes a subcommand with this sector count. */
export function featureAccepted(feature: number, count: number): boolean {
  if (feature === SET_TRANSFER_MODE) return PIO_TRANSFERS.includes(count >> 3);
  return [ENABLE_WRITE_CACHE, DISABLE_LOOK_AHEAD, DISABLE_WRITE_CACHE, ENABLE_LOOK_AHEAD].includes(feature);
}

/** Sectors of a command whose count register is 0, the most that one moves. */
export const MAX_TRANSFER = 256;
/** Most sectors of a block of READ and WRITE MULTIPLE. */
export const MAX_MULTIPLE = 16;

/** Cylinders, heads and sectors by which a drive is addressed without LBA. */
export interface Geometry {
  cylinders: number;
  heads: number;
  /** Sectors of a track, numbered from 1. */
  track: number;
}

/** The geometry that a drive of so many sectors has until INITIALIZE DEVICE PARAMETERS. ATA-5, annex C. */
export function defaultGeometry(sectors: number): Geometry {
  return { cylinders: Math.max(1, Math.min(16383, Math.floor(sectors / (16 * 63)))), heads: 16, track: 63 };
}

/** Text in words as IDENTIFY DEVICE has it: padded with blanks, the first character in the high byte. */
function putText(words: Uint16Array, first: number, count: number, text: string): void {
  const padded = text.padEnd(2 * count);
  for (let i = 0; i < count; i++) words[first + i] = (padded.charCodeAt(2 * i) << 8) | padded.charCodeAt(2 * i + 1);
}

/** The block of IDENTIFY DEVICE. `multiple`: sectors of a block now, 0 when none is set. */
export function identifyBlock(sectors: number, geometry: Geometry, multiple: number): Uint8Array {
  const initial = defaultGeometry(sectors);
  const capacity = Math.min(sectors, geometry.cylinders * geometry.heads * geometry.track);
  const words = new Uint16Array(SECTOR_BYTES / 2);
  words[0] = 0x0040; // not removable
  words[1] = initial.cylinders;
  words[3] = initial.heads;
  words[6] = initial.track;
  putText(words, 10, 10, "TINE0001");
  putText(words, 23, 4, "1");
  putText(words, 27, 20, "TINE HARDDISK");
  words[47] = 0x8000 | MAX_MULTIPLE;
  words[49] = 0x0200; // LBA; no DMA
  words[50] = 0x4000;
  words[51] = 0x0200; // PIO mode 2
  words[53] = 0x0003; // words 54–58 and 64–70 are valid
  words[54] = geometry.cylinders;
  words[55] = geometry.heads;
  words[56] = geometry.track;
  words[57] = capacity & 0xffff;
  words[58] = capacity >>> 16;
  words[59] = multiple === 0 ? 0 : 0x0100 | multiple;
  words[60] = sectors & 0xffff;
  words[61] = sectors >>> 16;
  words[64] = 0x0003; // PIO modes 3 and 4
  words[67] = 120; // ns of a PIO cycle, without and with flow control
  words[68] = 120;
  words[80] = 0x003e; // ATA-1 to ATA-5
  words[82] = 0x0068; // power management; write cache and look-ahead can be switched
  words[83] = 0x4000;
  words[84] = 0x4000;
  words[85] = 0x0068;
  words[87] = 0x4000;
  const bytes = new Uint8Array(SECTOR_BYTES);
  for (const [i, word] of words.entries()) {
    bytes[2 * i] = word & 0xff;
    bytes[2 * i + 1] = word >> 8;
  }
  return bytes;
}
