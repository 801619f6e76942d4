/**
 * The real-time clock and its memory (ports 0x70 and 0x71, IRQ 8): an MC146818A as a PC/AT has it, with 128 bytes. May import
 * calendar.ts, clock.ts, port.ts. It runs on the machine's cycles from a date that it is given, never on the host's clock.
 *
 * Invariants: `settled` is the crystal tick up to which time bytes and flags are right; seconds end at ticks `phase` +
 * 32,768 k; the time changes at the end of an update, before which UIP is set for the 244 µs and 1,984 µs that the data sheet
 * allows. Only a time base of 32,768 Hz runs the clock: any other selection in register A holds it. There is no daylight
 * saving. As power-on leaves it the memory has what a PC's firmware writes there: sizes of memory, equipment, checksum.
 * Source: Motorola MC146818A data sheet (registers A to D, "Update cycle", table 5: periodic rates); IBM PC/AT technical
 * reference (CMOS RAM addresses); Ralf Brown's list, CMOS.LST (30h, 32h, 34h).
 */

import {
  decodeTime,
  encodeTime,
  SECONDS_OF_DAY,
  secondsToAlarm,
  TimeByte,
  type TimeFormat,
  weekdayOf,
} from "./calendar";
import { type Clock, CRYSTAL_HZ, crystalTickAt, cycleOfCrystalTick } from "./clock";
import type { PortDevice } from "./port";

export const RTC_PORT = 0x70;
const BYTES = 128;
const NMI_MASK = 0x80;

const REGISTER_A = 0x0a;
const REGISTER_B = 0x0b;
const REGISTER_C = 0x0c;
const REGISTER_D = 0x0d;
const UPDATE_IN_PROGRESS = 0x80;
const DIVIDER = 0x70;
const DIVIDER_32768 = 0x20;
const RATE = 0x0f;
const VALID_RAM = 0x80;

const enum B {
  Hours24 = 0x02,
  Binary = 0x04,
  UpdateInterrupt = 0x10,
  AlarmInterrupt = 0x20,
  PeriodicInterrupt = 0x40,
  Set = 0x80,
}

/** Flags of register C are where their enables are in B. */
const INTERRUPTS = B.UpdateInterrupt | B.AlarmInterrupt | B.PeriodicInterrupt;
const INTERRUPT_REQUEST = 0x80;

/** Ticks from UIP to the change of the time: 244 µs and 1,984 µs. */
const UPDATE_TICKS = 8 + 65;
/** From the release of the divider to the first change of the time: half a second. */
const FIRST_UPDATE_TICKS = CRYSTAL_HZ / 2;

/** Ticks of a period of the periodic interrupt, by rate; 0: none. */
function periodTicks(rate: number): number {
  if (rate === 0) return 0;
  return rate < 3 ? 64 << rate : 1 << (rate - 1);
}

/** What the memory says of the machine. */
export interface Equipment {
  memoryMB: number;
  hasDisk: boolean;
}

/** The clock as saved. */
export interface RtcState {
  bytes: Uint8Array;
  index: number;
  phase: number;
  settled: number;
}

export class Rtc implements PortDevice {
  readonly byteWide = true;
  /** Cycle at which IRQ 8 next rises by itself; Infinity when it will not. */
  interruptAt = Infinity;
  private readonly bytes = new Uint8Array(BYTES);
  /** Port 0x70 as written: the address, and the mask of NMI. */
  private index = REGISTER_D;
  private phase = 0;
  private settled = 0;

  /** `seconds`: the date at cycle 0, since 1970. `setLine` is told the level of IRQ 8 whenever it may have changed. */
  constructor(
    private readonly clock: Clock,
    seconds: number,
    equipment: Equipment,
    private readonly setLine: (level: 0 | 1) => void,
  ) {
    const { bytes } = this;
    bytes[REGISTER_A] = DIVIDER_32768 | 6;
    bytes[REGISTER_B] = B.Hours24;
    bytes[REGISTER_D] = VALID_RAM;
    encodeTime(bytes, seconds, this.format);
    bytes[TimeByte.Weekday] = weekdayOf(seconds);
    describe(bytes, equipment);
  }

  /** Whether bit 7 of port 0x70 keeps NMI from the processor. */
  get masksNmi(): boolean {
    return (this.index & NMI_MASK) !== 0;
  }

  /** Raises IRQ 8 if it is due by the present cycle. */
  advance(): void {
    if (this.clock.cycles >= this.interruptAt) this.follow();
  }

  /** Ports: the address can only be written. */
  readPort(port: number): number {
    if (port === RTC_PORT) return 0xff;
    this.settle();
    const address = this.index & ~NMI_MASK;
    if (address === REGISTER_A) return this.bytes[REGISTER_A] | (this.isUpdating ? UPDATE_IN_PROGRESS : 0);
    if (address !== REGISTER_C) return this.bytes[address];
    const flags = this.bytes[REGISTER_C] | (this.requests ? INTERRUPT_REQUEST : 0);
    this.bytes[REGISTER_C] = 0;
    this.follow();
    return flags;
  }

  writePort(port: number, _size: number, value: number): void {
    if (port === RTC_PORT) {
      this.index = value;
      return;
    }
    this.settle();
    this.writeByte(this.index & ~NMI_MASK, value);
    this.follow();
  }

  private writeByte(address: number, value: number): void {
    const { bytes } = this;
    switch (address) {
      case REGISTER_A: {
        const wasRunning = this.isRunning;
        bytes[REGISTER_A] = value & ~UPDATE_IN_PROGRESS;
        if (this.isRunning && !wasRunning) this.phase = this.settled - FIRST_UPDATE_TICKS;
        break;
      }
      case REGISTER_B:
        bytes[REGISTER_B] = (value & B.Set) !== 0 ? value & ~B.UpdateInterrupt : value;
        break;
      case REGISTER_C:
      case REGISTER_D:
        break;
      default:
        bytes[address] = value;
    }
  }

  private get format(): TimeFormat {
    const b = this.bytes[REGISTER_B];
    return { binary: (b & B.Binary) !== 0, hours24: (b & B.Hours24) !== 0 };
  }

  /** Whether the divider runs, and with it the periodic interrupt. */
  private get isRunning(): boolean {
    return (this.bytes[REGISTER_A] & DIVIDER) === DIVIDER_32768;
  }

  /** Whether the time changes at the ends of seconds. */
  private get updates(): boolean {
    return this.isRunning && (this.bytes[REGISTER_B] & B.Set) === 0;
  }

  private get isUpdating(): boolean {
    return this.updates && (this.settled - this.phase) % CRYSTAL_HZ >= CRYSTAL_HZ - UPDATE_TICKS;
  }

  /** Whether a flag is set whose interrupt is enabled. */
  private get requests(): boolean {
    return (this.bytes[REGISTER_B] & this.bytes[REGISTER_C] & INTERRUPTS) !== 0;
  }

  /** Periods of so many ticks that end up to tick `tick`, counted from the phase. */
  private periods(tick: number, ticks: number): number {
    return Math.floor((tick - this.phase) / ticks);
  }

  /** Brings time and flags up to the present cycle. */
  private settle(): void {
    const { bytes, settled } = this;
    const tick = crystalTickAt(this.clock.cycles);
    this.settled = tick;
    if (tick === settled || !this.isRunning) return;
    const period = periodTicks(bytes[REGISTER_A] & RATE);
    if (period !== 0 && this.periods(tick, period) > this.periods(settled, period))
      bytes[REGISTER_C] |= B.PeriodicInterrupt;
    const seconds = this.periods(tick, CRYSTAL_HZ) - this.periods(settled, CRYSTAL_HZ);
    if (seconds > 0 && this.updates) this.pass(seconds);
  }

  /** So many updates. */
  private pass(seconds: number): void {
    const { bytes, format } = this;
    const before = decodeTime(bytes, format);
    bytes[REGISTER_C] |= B.UpdateInterrupt;
    if (secondsToAlarm(bytes, before, format) <= seconds) bytes[REGISTER_C] |= B.AlarmInterrupt;
    encodeTime(bytes, before + seconds, format);
    const midnights = Math.floor((before + seconds) / SECONDS_OF_DAY) - Math.floor(before / SECONDS_OF_DAY);
    bytes[TimeByte.Weekday] = ((bytes[TimeByte.Weekday] + 6 + midnights) % 7) + 1;
  }

  /** Tells the line, and when it will next rise. */
  private follow(): void {
    this.settle();
    this.setLine(this.requests ? 1 : 0);
    this.schedule();
  }

  private schedule(): void {
    const { bytes, settled } = this;
    this.interruptAt = Infinity;
    if (this.requests || !this.isRunning) return;
    const enabled = bytes[REGISTER_B];
    const period = periodTicks(bytes[REGISTER_A] & RATE);
    let tick = Infinity;
    if ((enabled & B.PeriodicInterrupt) !== 0 && period !== 0)
      tick = this.phase + (this.periods(settled, period) + 1) * period;
    if (this.updates && (enabled & (B.UpdateInterrupt | B.AlarmInterrupt)) !== 0) {
      const update = this.phase + (this.periods(settled, CRYSTAL_HZ) + 1) * CRYSTAL_HZ;
      const { format } = this;
      const seconds =
        (enabled & B.UpdateInterrupt) !== 0 ? 1 : secondsToAlarm(bytes, decodeTime(bytes, format), format);
      tick = Math.min(tick, update + (seconds - 1) * CRYSTAL_HZ);
    }
    if (tick !== Infinity) this.interruptAt = cycleOfCrystalTick(tick);
  }

  save(): RtcState {
    return { bytes: this.bytes.slice(), index: this.index, phase: this.phase, settled: this.settled };
  }

  restore(state: RtcState): void {
    this.bytes.set(state.bytes);
    this.index = state.index;
    this.phase = state.phase;
    this.settled = state.settled;
    this.schedule();
  }
}

const MEGABYTE_KB = 1024;
const LOW_KB = 640;
const MOST = 0xffff;
const CHECKED_FROM = 0x10;
const CHECKED_TO = 0x2d;

function putWord(bytes: Uint8Array, address: number, value: number): void {
  bytes[address] = value & 0xff;
  bytes[address + 1] = value >> 8;
}

/** What firmware finds out about the machine and keeps for others. */
function describe(bytes: Uint8Array, { memoryMB, hasDisk }: Equipment): void {
  const extendedKB = Math.min((memoryMB - 1) * MEGABYTE_KB, MOST);
  bytes[0x12] = hasDisk ? 0xf0 : 0; // drive C: of a type told at 0x19
  bytes[0x14] = 0x02; // a coprocessor; a display with firmware of its own; no diskette drive
  putWord(bytes, 0x15, LOW_KB);
  putWord(bytes, 0x17, extendedKB);
  bytes[0x19] = hasDisk ? 47 : 0;
  putWord(bytes, 0x30, extendedKB);
  putWord(bytes, 0x34, Math.min(Math.max(memoryMB - 16, 0) * 16, MOST)); // above 16 MB, in 64 KB
  let sum = 0;
  for (let address = CHECKED_FROM; address <= CHECKED_TO; address++) sum += bytes[address];
  bytes[0x2e] = sum >> 8; // the checksum is the one word with its high byte first
  bytes[0x2f] = sum & 0xff;
}
