/**
 * The 16550A serial port of COM1 (0x3F8–0x3FF, IRQ 4), and the line to a person at the other end. May import clock.ts, port.ts.
 * Transmission takes no time: a byte written to THR has left, and the transmitter-empty interrupt is due again at once.
 * Reception is paced: received bytes follow each other a character time apart by divisor and line control, and the other
 * end stops sending while the FIFO is full (as with RTS/CTS), so that no input is lost; only loopback can overrun.
 * There is no parity error or break. As on a PC, OUT2 of the modem control register gates the interrupt line.
 * Source: National PC16550D data sheet (1995), sections 8.1–8.10.
 */

import { type Clock, serialCycles } from "./clock";
import type { PortDevice } from "./port";

const enum Register {
  Data = 0,
  InterruptEnable = 1,
  InterruptId = 2,
  LineControl = 3,
  ModemControl = 4,
  LineStatus = 5,
  ModemStatus = 6,
  Scratch = 7,
}

const enum Enable {
  Received = 1,
  TransmitterEmpty = 2,
  LineStatus = 4,
  ModemStatus = 8,
}

/** Low bits of IIR, the highest priority first. */
const enum Cause {
  LineStatus = 6,
  Received = 4,
  Timeout = 12,
  TransmitterEmpty = 2,
  ModemStatus = 0,
  None = 1,
}

const LCR_DIVISOR_LATCH = 0x80;
const MCR_OUT2 = 0x08;
const MCR_LOOPBACK = 0x10;
const LSR_DATA_READY = 0x01;
const LSR_OVERRUN = 0x02;
/** THR and shift register empty: always so. */
const LSR_TRANSMITTER_EMPTY = 0x60;
const FIFO_BYTES = 16;
const TRIGGER_LEVELS = [1, 4, 8, 14];
const FIFO_ENABLED = 0xc0;
/** CTS, DSR and DCD: somebody is at the other end. */
const MODEM_CONNECTED = 0xb0;
const MODEM_RING = 0x40;

/** The port as saved. */
export interface UartState {
  registers: number[];
  fifo: number[];
  line: number[];
  arrivalAt: number;
  timeoutAt: number;
}

export class Uart implements PortDevice {
  readonly byteWide = true;
  /** Cycle of the next thing that happens by itself (a byte's arrival, a character timeout); Infinity when none. */
  eventAt = Infinity;
  private enable = 0;
  private lineControl = 0;
  private modemControl = 0;
  private lineStatus = LSR_TRANSMITTER_EMPTY;
  private modemStatus = MODEM_CONNECTED;
  private scratch = 0;
  private divisor = 1;
  private fifoEnabled = 0;
  private trigger = 1;
  private transmitterEmptyDue = 0;
  private timeoutDue = 0;
  private fifo: number[] = [];
  /** Bytes that the other end has still to send. */
  private line: number[] = [];
  private lineHead = 0;
  private arrivalAt = Infinity;
  private timeoutAt = Infinity;

  /** `transmit` gets each byte sent; `setLine` the level of IRQ 4 whenever it may have changed. */
  constructor(
    private readonly clock: Clock,
    private readonly transmit: (byte: number) => void,
    private readonly setLine: (level: 0 | 1) => void,
  ) {}

  /** Gives bytes to the other end of the line to send; the first arrives now if the line is at rest. */
  receive(bytes: ArrayLike<number>): void {
    for (let i = 0; i < bytes.length; i++) this.line.push(bytes[i]);
    if (this.arrivalAt === Infinity && this.hasRoom) this.arrivalAt = this.clock.cycles;
    this.schedule();
    this.advance();
  }

  /** Whether a received byte could ever raise the interrupt line without the guest touching a register first. */
  get listens(): boolean {
    return (this.enable & Enable.Received) !== 0 && this.interruptsConnected;
  }

  /** Does what has become due by the present cycle. */
  advance(): void {
    const now = this.clock.cycles;
    if (now < this.eventAt) return;
    while (this.arrivalAt <= now) this.arrive();
    if (this.timeoutAt <= now) {
      this.timeoutDue = 1;
      this.timeoutAt = Infinity;
    }
    this.schedule();
    this.updateLine();
  }

  private arrive(): void {
    const at = this.arrivalAt;
    this.push(this.line[this.lineHead++]);
    if (this.lineHead === this.line.length) {
      this.line = [];
      this.lineHead = 0;
    }
    this.restartTimeout(at);
    this.arrivalAt = this.line.length > 0 && this.hasRoom ? at + this.characterCycles : Infinity;
  }

  private get hasRoom(): boolean {
    return this.fifo.length < this.capacity;
  }

  private get capacity(): number {
    return this.fifoEnabled !== 0 ? FIFO_BYTES : 1;
  }

  /** Start, data, parity and stop bits at the programmed rate. A divisor of 0 counts as 1. */
  private get characterCycles(): number {
    const parity = (this.lineControl >> 3) & 1;
    const stop = 1 + ((this.lineControl >> 2) & 1);
    return serialCycles(1 + 5 + (this.lineControl & 3) + parity + stop, this.divisor || 1);
  }

  /** Four character times without a byte arriving or being read, while some wait in the FIFO. */
  private restartTimeout(from: number): void {
    const waiting = this.fifoEnabled !== 0 && this.fifo.length > 0;
    this.timeoutAt = waiting ? from + 4 * this.characterCycles : Infinity;
  }

  private push(byte: number): void {
    this.fifo.push(byte);
    this.lineStatus |= LSR_DATA_READY;
  }

  private schedule(): void {
    this.eventAt = Math.min(this.arrivalAt, this.timeoutAt);
  }

  private get interruptsConnected(): boolean {
    return (this.modemControl & (MCR_OUT2 | MCR_LOOPBACK)) === MCR_OUT2;
  }

  /** The pending cause of the highest priority, as in IIR. */
  private cause(): Cause {
    if ((this.enable & Enable.LineStatus) !== 0 && (this.lineStatus & LSR_OVERRUN) !== 0) return Cause.LineStatus;
    if ((this.enable & Enable.Received) !== 0) {
      if (this.fifo.length >= this.trigger) return Cause.Received;
      if (this.timeoutDue !== 0) return Cause.Timeout;
    }
    if ((this.enable & Enable.TransmitterEmpty) !== 0 && this.transmitterEmptyDue !== 0) return Cause.TransmitterEmpty;
    if ((this.enable & Enable.ModemStatus) !== 0 && (this.modemStatus & 0x0f) !== 0) return Cause.ModemStatus;
    return Cause.None;
  }

  private updateLine(): void {
    this.setLine(this.interruptsConnected && this.cause() !== Cause.None ? 1 : 0);
  }

  readPort(port: number): number {
    const value = this.readRegister(port & 7);
    this.schedule();
    this.updateLine();
    return value;
  }

  private readRegister(register: Register): number {
    const latch = (this.lineControl & LCR_DIVISOR_LATCH) !== 0;
    switch (register) {
      case Register.Data:
        return latch ? this.divisor & 0xff : this.readData();
      case Register.InterruptEnable:
        return latch ? this.divisor >> 8 : this.enable;
      case Register.InterruptId: {
        const cause = this.cause();
        if (cause === Cause.TransmitterEmpty) this.transmitterEmptyDue = 0;
        return cause | (this.fifoEnabled !== 0 ? FIFO_ENABLED : 0);
      }
      case Register.LineControl:
        return this.lineControl;
      case Register.ModemControl:
        return this.modemControl;
      case Register.LineStatus: {
        const status = this.lineStatus;
        this.lineStatus &= ~LSR_OVERRUN;
        return status;
      }
      case Register.ModemStatus: {
        const status = this.modemStatus;
        this.modemStatus &= 0xf0;
        return status;
      }
      default:
        return this.scratch;
    }
  }

  private readData(): number {
    const byte = this.fifo.shift() ?? 0;
    if (this.fifo.length === 0) this.lineStatus &= ~LSR_DATA_READY;
    this.timeoutDue = 0;
    this.restartTimeout(this.clock.cycles);
    this.resumeLine();
    return byte;
  }

  /** The other end, if it had stopped for want of room, begins its next byte now. */
  private resumeLine(): void {
    if (this.arrivalAt !== Infinity || this.line.length === 0 || !this.hasRoom) return;
    this.arrivalAt = this.clock.cycles + this.characterCycles;
  }

  writePort(port: number, _size: number, value: number): void {
    this.writeRegister(port & 7, value);
    this.schedule();
    this.updateLine();
  }

  private writeRegister(register: Register, value: number): void {
    const latch = (this.lineControl & LCR_DIVISOR_LATCH) !== 0;
    switch (register) {
      case Register.Data:
        if (latch) this.divisor = (this.divisor & 0xff00) | value;
        else this.writeData(value);
        break;
      case Register.InterruptEnable:
        if (latch) this.divisor = (this.divisor & 0x00ff) | (value << 8);
        else this.writeEnable(value);
        break;
      case Register.InterruptId:
        this.writeFifoControl(value);
        break;
      case Register.LineControl:
        this.lineControl = value;
        break;
      case Register.ModemControl:
        this.modemControl = value & 0x1f;
        this.followModem();
        break;
      case Register.Scratch:
        this.scratch = value;
        break;
      default: // line and modem status are read only
    }
  }

  /** A byte to send. The line falls while THR is full, so that each byte sent is an edge of its own. */
  private writeData(value: number): void {
    this.transmitterEmptyDue = 0;
    this.updateLine();
    if ((this.modemControl & MCR_LOOPBACK) !== 0) this.loopBack(value);
    else this.transmit(value);
    this.transmitterEmptyDue = 1;
  }

  private loopBack(value: number): void {
    if (this.hasRoom) {
      this.push(value);
      this.restartTimeout(this.clock.cycles);
      return;
    }
    this.lineStatus |= LSR_OVERRUN;
    if (this.fifoEnabled === 0) this.fifo[0] = value; // the new byte overwrites the old one; with a FIFO it is lost
  }

  private writeEnable(value: number): void {
    if ((value & ~this.enable & Enable.TransmitterEmpty) !== 0) this.transmitterEmptyDue = 1;
    this.enable = value & 0x0f;
  }

  private writeFifoControl(value: number): void {
    const enabled = value & 1;
    if (enabled !== this.fifoEnabled || (value & 2) !== 0) this.clearFifo();
    this.fifoEnabled = enabled;
    this.trigger = enabled !== 0 ? TRIGGER_LEVELS[value >> 6] : 1;
    this.resumeLine();
  }

  private clearFifo(): void {
    this.fifo = [];
    this.lineStatus &= ~LSR_DATA_READY;
    this.timeoutDue = 0;
    this.timeoutAt = Infinity;
  }

  /** The modem lines: in loopback the port's own outputs, else a terminal that is always there. Bits 3–0 tell changes. */
  private followModem(): void {
    const control = this.modemControl;
    const looped = ((control & 2) << 3) | ((control & 1) << 5) | ((control & 4) << 4) | ((control & 8) << 4);
    const lines = (control & MCR_LOOPBACK) !== 0 ? looped : MODEM_CONNECTED;
    const changed = lines ^ (this.modemStatus & 0xf0);
    const ringEnded = changed & ~lines & MODEM_RING;
    this.modemStatus = lines | (this.modemStatus & 0x0f) | ((changed & ~MODEM_RING) >> 4) | (ringEnded >> 4);
  }

  save(): UartState {
    return {
      registers: [
        this.enable,
        this.lineControl,
        this.modemControl,
        this.lineStatus,
        this.modemStatus,
        this.scratch,
        this.divisor,
        this.fifoEnabled,
        this.trigger,
        this.transmitterEmptyDue,
        this.timeoutDue,
      ],
      fifo: [...this.fifo],
      line: this.line.slice(this.lineHead),
      arrivalAt: this.arrivalAt,
      timeoutAt: this.timeoutAt,
    };
  }

  restore(state: UartState): void {
    [
      this.enable,
      this.lineControl,
      this.modemControl,
      this.lineStatus,
      this.modemStatus,
      this.scratch,
      this.divisor,
      this.fifoEnabled,
      this.trigger,
      this.transmitterEmptyDue,
      this.timeoutDue,
    ] = state.registers;
    this.fifo = [...state.fifo];
    this.line = [...state.line];
    this.lineHead = 0;
    this.arrivalAt = state.arrivalAt;
    this.timeoutAt = state.timeoutAt;
    this.schedule();
  }
}
