/**
 * What an IDE drive remembers: its registers, the command at hand, and the form in which a machine saves them. May import
 * ata.ts, disk.ts.
 */

import { AtaError, type Geometry, Status } from "./ata";
import type { DiskState } from "./disk";

/** Bits 7 and 5 of the device register are obsolete and read as ones. */
export const DEVICE_FIXED = 0xa0;
/** The device register's bit for device 1, which is absent. */
export const DEVICE_SLAVE = 0x10;
/** Status of a drive with nothing to do. */
export const SETTLED = Status.Ready | Status.SeekComplete;

/** What happens when BSY's time is over. */
export const enum Phase {
  Idle = 0,
  /** A command without data ends. */
  Finish = 1,
  /** The next block of a read is in the buffer. */
  ReadBlock = 2,
  /** The drive is ready to take a write's first block. */
  WriteReady = 3,
  /** A block that the host gave is on the medium. */
  WriteBlock = 4,
  Flush = 5,
  Verify = 6,
  Reset = 7,
}

/** Power modes, as CHECK POWER MODE tells them (and one in which it cannot be asked). Nothing takes longer in any of them. */
export const enum Power {
  Standby = 0,
  Sleep = 1,
  Idle = 0x80,
  Active = 0xff,
}

/** All scalars of the drive. */
export interface IdeRegisters {
  /** Task file: what the ports show, or hold. */
  status: number;
  error: number;
  features: number;
  count: number;
  lbaLow: number;
  lbaMid: number;
  lbaHigh: number;
  device: number;
  control: number;
  /** INTRQ as it would be without nIEN. */
  interruptPending: number;
  /** Sectors of a block of READ and WRITE MULTIPLE; 0: none set. */
  multiple: number;
  power: Power;
  phase: Phase;
  /** Cycle at which BSY ends, with `phase`; Infinity when it does not by itself. */
  eventAt: number;
  /** Sectors of the command that have not reached the buffer (read) or the medium (write), and the first of them. */
  remaining: number;
  sector: number;
  /** Sectors of the block at hand (0: IDENTIFY's, which is none), and of any but the last. */
  blockSectors: number;
  blockLimit: number;
  /** Byte of the block that the host moves next. */
  position: number;
  /** Sectors moved since the start, for DiskFault. */
  transfers: number;
  /** 1: data come from the host. */
  writing: 0 | 1;
}

/** The channel as saved; `disk` is null when the backend keeps its contents elsewhere. */
export interface IdeState {
  sectors: number;
  registers: IdeRegisters;
  geometry: Geometry;
  buffer: Uint8Array;
  disk: DiskState | null;
}

/** The drive after power-on, ready and passed by its diagnostic. */
export function initialRegisters(): IdeRegisters {
  return {
    status: SETTLED,
    error: AtaError.DiagnosticPassed,
    features: 0,
    count: 1,
    lbaLow: 1,
    lbaMid: 0,
    lbaHigh: 0,
    device: DEVICE_FIXED,
    control: 0,
    interruptPending: 0,
    multiple: 0,
    power: Power.Active,
    phase: Phase.Idle,
    eventAt: Infinity,
    remaining: 0,
    sector: 0,
    blockSectors: 0,
    blockLimit: 1,
    position: 0,
    transfers: 0,
    writing: 0,
  };
}

/** Whether the absent device is selected. */
export function slaveSelected({ device }: IdeRegisters): boolean {
  return (device & DEVICE_SLAVE) !== 0;
}
