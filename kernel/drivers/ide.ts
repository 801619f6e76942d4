/**
 * The drive at the primary IDE channel, a command at a time: PIO, 28-bit LBA, blocks of several sectors where the drive can.
 * Imports port access and vmstat. Source: ATA/ATAPI-5, clause 9 (9.5 PIO in, 9.6 PIO out); Linux 2.4 (drivers/ide/ide-disk.c).
 *
 * `ideTransfer` and `ideFlush` give the drive a command; `ideStep`, from the interrupt, and `idePoll`, without one, take its
 * next step and say what it came to. Nothing here sleeps, retries or knows who waits: drivers/diskqueue.ts does.
 */
import { inb, insw, outb, outsw } from "../abi/intrinsics";
import { vmstat } from "../mm/vmstat";

/** Bytes of a sector, and their logarithm. */
export const SECTOR_BYTES: u32 = 512;
export const SECTOR_SHIFT: u32 = 9;
/** Most sectors of one command: the count register's 0. */
export const MAX_COUNT: u32 = 256;
/** Line of the channel's interrupt. */
export const IDE_IRQ: u32 = 14;

const DATA: u32 = 0x1f0;
const ERROR: u32 = 0x1f1;
const COUNT: u32 = 0x1f2;
const LBA_LOW: u32 = 0x1f3;
const LBA_MID: u32 = 0x1f4;
const LBA_HIGH: u32 = 0x1f5;
const DEVICE: u32 = 0x1f6;
/** Command when written. */
const STATUS: u32 = 0x1f7;
/** Status without taking the interrupt when read, device control when written. */
const CONTROL: u32 = 0x3f6;

const BUSY: u32 = 0x80;
const DEVICE_FAULT: u32 = 0x20;
const DATA_REQUEST: u32 = 0x08;
const FAILED: u32 = 0x01;

const READ_SECTORS: u32 = 0x20;
const WRITE_SECTORS: u32 = 0x30;
const READ_MULTIPLE: u32 = 0xc4;
const WRITE_MULTIPLE: u32 = 0xc5;
const SET_MULTIPLE: u32 = 0xc6;
const FLUSH_CACHE: u32 = 0xe7;
const IDENTIFY: u32 = 0xec;

const DEVICE_0_LBA: u32 = 0xe0;
const NO_INTERRUPT: u32 = 0x02;
const RESET: u32 = 0x04;

/** Words of IDENTIFY DEVICE: sectors of the largest block (low byte), capabilities (bit 9: LBA), sectors that LBA reaches. */
const ID_MULTIPLE: u32 = 47;
const ID_CAPABILITIES: u32 = 49;
const ID_CAPABLE_OF_LBA: u32 = 0x0200;
const ID_SECTORS: u32 = 60;

/** Looks at Status before a drive is given up: seconds on any host, and no drive takes longer than a second. */
const MAX_POLLS: u32 = 20000000;
/** Looks at another register that pass while a reset is held: more than the 5 µs that ATA asks for. */
const RESET_POLLS: u32 = 64;

/** What became of the command at hand. */
export const enum Progress {
  /** Nothing new: it is on its way, or there is none. */
  None = 0,
  /** It has ended well. */
  Ended = 1,
  /** It has ended before its last sector; `ideMoved` says how far it came, `ideError` why. */
  Failed = 2,
}

/** The command at hand; a flush is a write of no sectors. */
let isActive: bool = false;
let isWrite: bool = false;
/** Sectors that it was to move, and those of them that it has not. */
let wanted: u32 = 0;
let left: u32 = 0;
/** Kernel address of the next byte. */
let buffer: usize = 0;

const identity: usize = memory.data(512, 4);
let hasInterrupts: bool = false;
/** Sectors of the drive; 0 when there is none. */
let sectors: u32 = 0;
/** Sectors of a block, one interrupt each, of READ and WRITE MULTIPLE; 1: the drive has none. */
let multiple: u32 = 1;

/** Sectors of the disk; 0 when there is no disk. */
export function diskSectors(): u32 {
  return sectors;
}

/** Waits until the drive is no longer busy: its status, or BUSY when it stays so. Does not take the interrupt. */
function waitReady(): u32 {
  let status: u32 = BUSY;
  for (let i: u32 = 0; i < MAX_POLLS && (status & BUSY) != 0; i++) status = inb(CONTROL);
  return status;
}

function isFailure(status: u32): bool {
  return (status & (BUSY | DEVICE_FAULT | FAILED)) != 0;
}

/** Software reset of the channel, by polling; the drive forgets its block size, which is set again. */
export function ideReset(): void {
  outb(CONTROL, RESET | NO_INTERRUPT);
  for (let i: u32 = 0; i < RESET_POLLS; i++) inb(CONTROL);
  outb(CONTROL, NO_INTERRUPT);
  waitReady();
  if (multiple > 1) setMultiple();
  if (hasInterrupts) outb(CONTROL, 0);
}

function setMultiple(): void {
  outb(DEVICE, DEVICE_0_LBA);
  outb(COUNT, multiple);
  outb(STATUS, SET_MULTIPLE);
  const status = waitReady();
  inb(STATUS);
  if (isFailure(status)) multiple = 1;
}

/** Sectors of the command's next block. */
function blockSectors(): u32 {
  return min<u32>(left, multiple);
}

function sendBlock(): void {
  outsw(DATA, buffer, blockSectors() << (SECTOR_SHIFT - 1));
}

/** The command's next block is where it belongs. */
function blockDone(): void {
  const count = blockSectors();
  left -= count;
  buffer += count << SECTOR_SHIFT;
  if (isWrite) vmstat.diskWrites += count;
  else vmstat.diskReads += count;
}

function over(progress: Progress): Progress {
  isActive = false;
  return progress;
}

/** Takes the next step of the command; a drive that is still busy has failed. */
function serve(status: u32): Progress {
  const mustHaveData = !isWrite || left > multiple;
  if (isFailure(status) || (mustHaveData && (status & DATA_REQUEST) == 0)) return over(Progress.Failed);
  if (!isWrite) insw(DATA, buffer, blockSectors() << (SECTOR_SHIFT - 1));
  blockDone();
  if (left == 0) return over(Progress.Ended);
  if (isWrite) sendBlock();
  return Progress.None;
}

/** The interrupt's step. One of a drive that is still busy, or that has no command, is none of ours. */
export function ideStep(): Progress {
  const status = inb(STATUS);
  return isActive && (status & BUSY) == 0 ? serve(status) : Progress.None;
}

/** Waits for the drive and takes the step that its interrupt would. There is a command. */
export function idePoll(): Progress {
  const status = waitReady();
  inb(STATUS);
  return serve(status);
}

/** The step of a command whose interrupt is overdue: a drive that is busy all the same has failed. There is a command. */
export function ideOverdue(): Progress {
  return serve(inb(STATUS));
}

/** Sectors that the last command has moved. */
export function ideMoved(): u32 {
  return wanted - left;
}

/** The drive's error register. */
export function ideError(): u32 {
  return inb(ERROR);
}

/** Prepares a command: Failed when the drive is not ready for one, else None. */
function begin(writes: bool, count: u32, kernelBuffer: usize): Progress {
  isWrite = writes;
  wanted = count;
  left = count;
  buffer = kernelBuffer;
  isActive = true;
  return (waitReady() & BUSY) != 0 ? over(Progress.Failed) : Progress.None;
}

/**
 * Gives the drive, which has no command, one that moves 1 … MAX_COUNT sectors from `sector` on, which it has, from or to kernel
 * memory. Failed when it does not take it, else None.
 */
export function ideTransfer(writes: bool, sector: u32, count: u32, kernelBuffer: usize): Progress {
  if (begin(writes, count, kernelBuffer) != Progress.None) return Progress.Failed;
  outb(DEVICE, DEVICE_0_LBA | (sector >> 24));
  outb(COUNT, count & 0xff);
  outb(LBA_LOW, sector & 0xff);
  outb(LBA_MID, (sector >> 8) & 0xff);
  outb(LBA_HIGH, (sector >> 16) & 0xff);
  if (!writes) {
    outb(STATUS, multiple > 1 ? READ_MULTIPLE : READ_SECTORS);
    return Progress.None;
  }
  outb(STATUS, multiple > 1 ? WRITE_MULTIPLE : WRITE_SECTORS);
  // The first block is asked for without an interrupt.
  const status = waitReady();
  if (isFailure(status) || (status & DATA_REQUEST) == 0) {
    inb(STATUS);
    return over(Progress.Failed);
  }
  sendBlock();
  return Progress.None;
}

/** Gives the drive, which has no command, that to bring all that was written to the medium. Failed or None, as ideTransfer. */
export function ideFlush(): Progress {
  if (begin(true, 0, 0) != Progress.None) return Progress.Failed;
  outb(DEVICE, DEVICE_0_LBA);
  outb(STATUS, FLUSH_CACHE);
  return Progress.None;
}

/** Whether a drive answers at the channel: its registers keep what is written, as nothing else does. */
function answers(): bool {
  outb(DEVICE, DEVICE_0_LBA);
  const status = inb(CONTROL);
  if (status == 0 || status == 0xff || (waitReady() & BUSY) != 0) return false;
  outb(LBA_LOW, 0x55);
  outb(LBA_MID, 0xaa);
  return inb(LBA_LOW) == 0x55 && inb(LBA_MID) == 0xaa;
}

/** Reads the identity block: whether the drive gave it. What is no disk (ATAPI) aborts the command. */
function identify(): bool {
  outb(DEVICE, DEVICE_0_LBA);
  outb(STATUS, IDENTIFY);
  const status = waitReady();
  inb(STATUS);
  if (isFailure(status) || (status & DATA_REQUEST) == 0) return false;
  insw(DATA, identity, SECTOR_BYTES / 2);
  return true;
}

function identityWord(index: u32): u32 {
  return load<u16>(identity + 2 * index);
}

/** Looks for a drive and prepares it, by polling. Without one, the disk has 0 sectors. Once, at boot. */
export function ideInit(): void {
  outb(CONTROL, NO_INTERRUPT);
  if (!answers() || !identify() || (identityWord(ID_CAPABILITIES) & ID_CAPABLE_OF_LBA) == 0) return;
  sectors = identityWord(ID_SECTORS) | (identityWord(ID_SECTORS + 1) << 16);
  multiple = identityWord(ID_MULTIPLE) & 0xff;
  if (multiple > 1) setMultiple();
  else multiple = 1;
}

/** From here on the drive interrupts. */
export function ideEnableInterrupts(): void {
  hasInterrupts = true;
  inb(STATUS);
  outb(CONTROL, 0);
}
