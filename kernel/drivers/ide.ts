/**
 * The drive at the primary IDE channel: PIO by interrupts, 28-bit LBA, blocks of several sectors where the drive can.
 * Imports IRQs, the scheduler, vmstat. Source: ATA/ATAPI-5, clause 9 (9.5 PIO in, 9.6 PIO out); Linux 2.4 (drivers/ide/ide-disk.c).
 *
 * One request at a time is with the drive: `request` describes it, its owner has the `turn`, the others sleep in `turnWait` in
 * the order in which they came. The interrupt handler moves the data, block by block, to or from the owner's buffer, which
 * must be kernel memory. Until ideStart, while nobody can sleep, the same steps are taken by polling.
 */
import { Errno } from "../abi/errno";
import { cstr, inb, insw, outb, outsw } from "../abi/intrinsics";
import { printk } from "../lib/printk";
import { vmstat } from "../mm/vmstat";
import { TaskQueue } from "../task/queue";
import { sleepOn, wakeAll } from "../task/sched";
import { irqRegister } from "./irq";
import { picUnmask } from "./pic";

/** Bytes of a sector, and their logarithm. */
export const SECTOR_BYTES: u32 = 512;
export const SECTOR_SHIFT: u32 = 9;

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
const IRQ: u32 = 14;

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

/** Most sectors of one command: the count register's 0. */
const MAX_COUNT: u32 = 256;
/** Failures in a row, without a sector in between, after which a request gives up. */
const MAX_ATTEMPTS: u32 = 3;
/** Looks at Status before a drive is given up: seconds on any host, and no drive takes longer than a second. */
const MAX_POLLS: u32 = 20000000;
/** Looks at another register that pass while a reset is held: more than the 5 µs that ATA asks for. */
const RESET_POLLS: u32 = 64;

/** What is with the drive. */
@unmanaged
class Request {
  /** Kernel address of the next byte. */
  buffer: usize = 0;
  /** Sectors of the command that have not been moved. */
  left: u32 = 0;
  /** Sectors of a block: one interrupt each. */
  block: u32 = 0;
  isWrite: bool = false;
  isOver: bool = false;
  /** 0 or -errno, once it is over. */
  result: i32 = 0;
}

const request: Request = changetype<Request>(memory.data(24));
/** Who waits for their turn, and who waits for the request to be over. */
const turnWait: TaskQueue = changetype<TaskQueue>(memory.data(8));
const doneWait: TaskQueue = changetype<TaskQueue>(memory.data(8));
const identity: usize = memory.data(512, 4);
/** Turns are numbered: the next one to be given out, and whose it is. Equal: the drive is free. */
let nextTurn: u32 = 0;
let turn: u32 = 0;
let isPolled: bool = true;
/** Sectors of the drive; 0 when there is none. */
let sectors: u32 = 0;
/** Sectors of a block of READ and WRITE MULTIPLE; 1: the drive has none. */
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
function reset(): void {
  outb(CONTROL, RESET | NO_INTERRUPT);
  for (let i: u32 = 0; i < RESET_POLLS; i++) inb(CONTROL);
  outb(CONTROL, NO_INTERRUPT);
  waitReady();
  if (multiple > 1) setMultiple();
  if (!isPolled) outb(CONTROL, 0);
}

/** A command without data, by polling: whether it ended well. */
function simpleCommand(command: u32): bool {
  outb(STATUS, command);
  const status = waitReady();
  inb(STATUS);
  return !isFailure(status);
}

function setMultiple(): void {
  outb(DEVICE, DEVICE_0_LBA);
  outb(COUNT, multiple);
  if (!simpleCommand(SET_MULTIPLE)) multiple = 1;
}

/** Sectors of the request's next block. */
function blockSectors(): u32 {
  return min<u32>(request.left, request.block);
}

function sendBlock(): void {
  outsw(DATA, request.buffer, blockSectors() << (SECTOR_SHIFT - 1));
}

/** The request's next block is where it belongs. */
function blockDone(): void {
  const count = blockSectors();
  request.left -= count;
  request.buffer += count << SECTOR_SHIFT;
  if (request.isWrite) vmstat.diskWrites += count;
  else vmstat.diskReads += count;
}

function over(result: i32): void {
  request.result = result;
  request.isOver = true;
  wakeAll(doneWait);
}

/** The drive is not busy any more: takes the next step of the request. */
function service(status: u32): void {
  const mustHaveData = !request.isWrite || request.left > request.block;
  if (isFailure(status) || (mustHaveData && (status & DATA_REQUEST) == 0)) {
    over(-Errno.EIO);
    return;
  }
  if (!request.isWrite) insw(DATA, request.buffer, blockSectors() << (SECTOR_SHIFT - 1));
  blockDone();
  if (request.left == 0) over(0);
  else if (request.isWrite) sendBlock();
}

/** An interrupt of a drive that is still busy, or that nobody waits for, is none of ours. */
function ideInterrupt(): void {
  const status = inb(STATUS);
  if (turn != nextTurn && !request.isOver && (status & BUSY) == 0) service(status);
}

/** Waits for the end of the request, asleep or by polling. */
function waitOver(): void {
  if (!isPolled) {
    while (!request.isOver) sleepOn(doneWait);
    return;
  }
  while (!request.isOver) {
    const status = waitReady();
    inb(STATUS);
    service(status);
  }
}

/** Gives the drive a command for `count` sectors from `sector` and waits for its end. 0 or -errno; request.left tells how far. */
function execute(sector: u32, count: u32, buffer: usize, isWrite: bool): i32 {
  request.buffer = buffer;
  request.left = count;
  request.block = multiple;
  request.isWrite = isWrite;
  request.isOver = false;
  if ((waitReady() & BUSY) != 0) return -Errno.EIO;
  outb(DEVICE, DEVICE_0_LBA | (sector >> 24));
  outb(COUNT, count & 0xff);
  outb(LBA_LOW, sector & 0xff);
  outb(LBA_MID, (sector >> 8) & 0xff);
  outb(LBA_HIGH, (sector >> 16) & 0xff);
  if (!isWrite) {
    outb(STATUS, multiple > 1 ? READ_MULTIPLE : READ_SECTORS);
  } else {
    outb(STATUS, multiple > 1 ? WRITE_MULTIPLE : WRITE_SECTORS);
    // The first block is asked for without an interrupt.
    const status = waitReady();
    if (isFailure(status) || (status & DATA_REQUEST) == 0) {
      inb(STATUS);
      return -Errno.EIO;
    }
    sendBlock();
  }
  waitOver();
  return request.result;
}

/** Waits for the drive, alone with it until giveDrive. */
function takeDrive(): void {
  const mine = nextTurn++;
  while (turn != mine) sleepOn(turnWait);
}

function giveDrive(): void {
  turn++;
  wakeAll(turnWait);
}

/** Moves sectors command by command, each tried again from the sector that failed; the channel is reset in between. */
function transfer(sector: u32, count: u32, buffer: usize, isWrite: bool): i32 {
  if (sector >= sectors || count > sectors - sector) return -Errno.EINVAL;
  takeDrive();
  let result: i32 = 0;
  let done: u32 = 0;
  let attempts: u32 = 0;
  while (done < count && attempts < MAX_ATTEMPTS) {
    const wanted = min<u32>(count - done, MAX_COUNT);
    result = execute(sector + done, wanted, buffer + (done << SECTOR_SHIFT), isWrite);
    const moved = wanted - request.left;
    done += moved;
    if (result == 0) continue;
    attempts = moved == 0 ? attempts + 1 : 1;
    printk(
      cstr("hda: %s of sector %u failed, error 0x%x\n"),
      isWrite ? cstr("write") : cstr("read"),
      sector + done,
      inb(ERROR),
    );
    reset();
  }
  giveDrive();
  return done == count ? 0 : result;
}

/**
 * Reads `count` sectors from `sector` on into kernel memory. 0, or -errno: EINVAL beyond the disk's end, EIO when a sector
 * cannot be read (what came before it may have been). Sleeps, once ideStart has been called.
 */
export function diskRead(sector: u32, count: u32, kernelBuffer: usize): i32 {
  return transfer(sector, count, kernelBuffer, false);
}

/** Writes `count` sectors from kernel memory, which must not change until it returns. Results as diskRead's. */
export function diskWrite(sector: u32, count: u32, kernelBuffer: usize): i32 {
  return transfer(sector, count, kernelBuffer, true);
}

/** Lets the drive bring all that was written to the medium. 0 or -EIO. */
export function diskFlush(): i32 {
  takeDrive();
  // Nobody waits for this command's interrupt: its end is polled.
  request.isOver = true;
  outb(DEVICE, DEVICE_0_LBA);
  const ended = simpleCommand(FLUSH_CACHE);
  giveDrive();
  return ended ? 0 : -Errno.EIO;
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

/** From here on requests sleep, and the drive interrupts. Once, at the end of boot. */
export function ideStart(): void {
  if (sectors == 0) return;
  irqRegister(IRQ, ideInterrupt);
  picUnmask(IRQ);
  isPolled = false;
  inb(STATUS);
  outb(CONTROL, 0);
}
