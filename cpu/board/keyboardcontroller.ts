/**
 * The 8042 keyboard controller of a PC/AT (ports 0x60 and 0x64, IRQ 1), with the keyboard behind it, the A20 gate and the
 * reset line on its output port, and port 0x92, which has both too. May import clock.ts, keyboard.ts, port.ts, scancodes.ts.
 *
 * Invariants: the controller answers a command at once; a byte of the keyboard takes BYTE_CYCLES from the moment at which the
 * output buffer is free and the keyboard enabled. IRQ 1 is high exactly while the output buffer is full and the command byte
 * allows it. There is no mouse: its commands get no answer, which is how software learns that. A20 is one latch, whoever sets it.
 * Source: IBM PC/AT technical reference, "Keyboard controller"; Intel UPI-42 user's manual; PS/2 model 30-286 technical
 * reference, system control port A (0x92).
 */

import type { Clock } from "./clock";
import { Keyboard, type KeyboardState } from "./keyboard";
import type { PortDevice } from "./port";
import { BREAK, BREAK_PREFIX, SET2_TO_SET1 } from "./scancodes";

export const CONTROLLER_DATA = 0x60;
export const CONTROLLER_COMMAND = 0x64;
export const SYSTEM_CONTROL_A = 0x92;
/** A byte on the keyboard's line: 11 bits at some 11 kHz, 1 ms. */
export const BYTE_CYCLES = 100_000;

/** Status, read at 0x64. The input buffer is never seen full: what is written is taken at once. */
const enum Status {
  OutputFull = 0x01,
  SystemFlag = 0x04,
  /** The last write was to 0x64. */
  Command = 0x08,
  /** Always: nobody has locked the keyboard. */
  Unlocked = 0x10,
}

/** The command byte, which is byte 0 of the controller's memory. */
const enum Mode {
  Interrupt = 0x01,
  SystemFlag = 0x04,
  Disabled = 0x10,
  Translate = 0x40,
}

const enum Command {
  ReadMemory = 0x20,
  WriteMemory = 0x60,
  SelfTest = 0xaa,
  InterfaceTest = 0xab,
  Disable = 0xad,
  Enable = 0xae,
  ReadInputPort = 0xc0,
  ReadOutputPort = 0xd0,
  WriteOutputPort = 0xd1,
  WriteOutputBuffer = 0xd2,
  WriteMouse = 0xd4,
  DisableA20 = 0xdd,
  EnableA20 = 0xdf,
  ReadTestInputs = 0xe0,
  /** 0xf0 to 0xff: pulses the low bits of the output port that are 0 here. */
  Pulse = 0xf0,
}
const MEMORY_BYTES = 32;
const SELF_TEST_PASSED = 0x55;
/** No manufacturing jumper, keyboard not inhibited. */
const INPUT_PORT = 0xa0;
/** The output port: reset (low resets), A20, output buffer full, and data and clock at rest. */
const OUTPUT_NO_RESET = 0x01;
const OUTPUT_A20 = 0x02;
const OUTPUT_FULL = 0x10;
const OUTPUT_IDLE = 0xc0;
const CONTROL_A_RESET = 0x01;
const CONTROL_A_A20 = 0x02;

/** The lines that leave the controller. */
export interface ControllerLines {
  /** The A20 gate; its one memory. */
  a20: 0 | 1;
  /** IRQ 1. */
  setInterrupt(level: 0 | 1): void;
  /** The processor's RESET#. */
  reset(): void;
}

/** The controller as saved. */
export interface ControllerState {
  keyboard: KeyboardState;
  memory: Uint8Array;
  registers: number[];
  arrivalAt: number;
}

export class KeyboardController implements PortDevice {
  readonly byteWide = true;
  private readonly keyboard = new Keyboard();
  private readonly memory = new Uint8Array(MEMORY_BYTES);
  private output = 0;
  private full = 0;
  /** Status.Command as the last write set it. */
  private lastWrite = 0;
  /** The command whose parameter comes next at 0x60; 0: none. */
  private awaited = 0;
  /** Translation has seen the break prefix. */
  private breaking = 0;
  private controlA = 0;
  /** Cycle at which the keyboard's next byte is in the output buffer; Infinity: none is on its way. */
  private arrivalAt = Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly lines: ControllerLines,
  ) {
    this.memory[0] = Mode.Interrupt | Mode.SystemFlag | Mode.Translate;
  }

  private get mode(): number {
    return this.memory[0];
  }
  private set mode(value: number) {
    this.memory[0] = value;
  }

  /** Cycle at which IRQ 1 next rises by itself; Infinity when it will not. */
  get interruptAt(): number {
    return (this.mode & Mode.Interrupt) !== 0 ? this.arrivalAt : Infinity;
  }

  /** Whether a key could raise IRQ 1 without the guest touching a register first. */
  get listens(): boolean {
    return (this.mode & (Mode.Interrupt | Mode.Disabled)) === Mode.Interrupt && this.full === 0;
  }

  /** Does what has become due by the present cycle. */
  advance(): void {
    while (this.clock.cycles >= this.arrivalAt) {
      const at = this.arrivalAt;
      this.arrivalAt = Infinity;
      this.takeByte(this.keyboard.send());
      this.fetch(at);
    }
  }

  /** Keys go down and up: codes of set 1, as in scancodes.ts. */
  press(codes: ArrayLike<number>): void {
    this.keyboard.press(codes);
    this.fetch(this.clock.cycles);
  }

  /** The keyboard's next byte begins its way, if nothing keeps it. */
  private fetch(from: number): void {
    if (this.full !== 0 || (this.mode & Mode.Disabled) !== 0 || !this.keyboard.hasByte) this.arrivalAt = Infinity;
    else if (this.arrivalAt === Infinity) this.arrivalAt = from + BYTE_CYCLES;
  }

  /** A byte of the keyboard. The break prefix becomes bit 7 of the next one where it is translated. */
  private takeByte(byte: number): void {
    if ((this.mode & Mode.Translate) === 0) this.put(byte);
    else if (byte === BREAK_PREFIX) this.breaking = BREAK;
    else {
      this.put(SET2_TO_SET1[byte] | this.breaking);
      this.breaking = 0;
    }
  }

  private put(byte: number): void {
    this.output = byte;
    this.full = 1;
    this.updateLine();
  }

  private updateLine(): void {
    this.lines.setInterrupt(this.full !== 0 && (this.mode & Mode.Interrupt) !== 0 ? 1 : 0);
  }

  readPort(port: number): number {
    if (port === CONTROLLER_DATA) return this.readOutput();
    if (port === SYSTEM_CONTROL_A) return (this.controlA & ~CONTROL_A_A20) | (this.lines.a20 << 1);
    const system = (this.mode & Mode.SystemFlag) !== 0 ? Status.SystemFlag : 0;
    return this.full | system | this.lastWrite | Status.Unlocked;
  }

  private readOutput(): number {
    this.full = 0;
    this.updateLine();
    this.fetch(this.clock.cycles);
    return this.output;
  }

  writePort(port: number, _size: number, value: number): void {
    if (port === SYSTEM_CONTROL_A) {
      this.writeControlA(value);
      return;
    }
    this.lastWrite = port === CONTROLLER_COMMAND ? Status.Command : 0;
    if (port === CONTROLLER_COMMAND) this.command(value);
    else this.writeData(value);
    this.updateLine();
    this.fetch(this.clock.cycles);
  }

  private writeControlA(value: number): void {
    const pulsed = value & ~this.controlA & CONTROL_A_RESET;
    this.controlA = value & ~pulsed;
    this.lines.a20 = (value & CONTROL_A_A20) !== 0 ? 1 : 0;
    if (pulsed !== 0) this.lines.reset();
  }

  private command(code: number): void {
    this.awaited = 0;
    if ((code & ~(MEMORY_BYTES - 1)) === Command.ReadMemory) this.put(this.memory[code % MEMORY_BYTES]);
    else if ((code & ~(MEMORY_BYTES - 1)) === Command.WriteMemory) this.awaited = code;
    else if (code >= Command.Pulse) {
      if ((code & OUTPUT_NO_RESET) === 0) this.lines.reset();
    } else this.namedCommand(code);
  }

  private namedCommand(code: number): void {
    switch (code) {
      case Command.SelfTest:
        this.mode |= Mode.SystemFlag;
        this.put(SELF_TEST_PASSED);
        break;
      case Command.InterfaceTest:
        this.put(0);
        break;
      case Command.Disable:
        this.mode |= Mode.Disabled;
        break;
      case Command.Enable:
        this.mode &= ~Mode.Disabled;
        break;
      case Command.ReadInputPort:
        this.put(INPUT_PORT);
        break;
      case Command.ReadOutputPort:
        this.put(OUTPUT_IDLE | OUTPUT_NO_RESET | (this.lines.a20 << 1) | (this.full !== 0 ? OUTPUT_FULL : 0));
        break;
      case Command.WriteOutputPort:
      case Command.WriteOutputBuffer:
      case Command.WriteMouse:
        this.awaited = code;
        break;
      case Command.DisableA20:
        this.lines.a20 = 0;
        break;
      case Command.EnableA20:
        this.lines.a20 = 1;
        break;
      case Command.ReadTestInputs:
        this.put(0);
        break;
      default: // a mouse's, or nobody's: no answer
    }
  }

  /** A byte at 0x60: the parameter of a controller's command, or for the keyboard, which it enables. */
  private writeData(value: number): void {
    const { awaited } = this;
    this.awaited = 0;
    if (awaited === 0) {
      this.mode &= ~Mode.Disabled;
      this.keyboard.receive(value);
    } else if (awaited === Command.WriteOutputPort) {
      this.lines.a20 = (value & OUTPUT_A20) !== 0 ? 1 : 0;
      if ((value & OUTPUT_NO_RESET) === 0) this.lines.reset();
    } else if (awaited === Command.WriteOutputBuffer) this.put(value);
    else if (awaited < Command.WriteMemory + MEMORY_BYTES) this.memory[awaited % MEMORY_BYTES] = value;
  }

  save(): ControllerState {
    const { output, full, lastWrite, awaited, breaking, controlA } = this;
    return {
      keyboard: this.keyboard.save(),
      memory: this.memory.slice(),
      registers: [output, full, lastWrite, awaited, breaking, controlA],
      arrivalAt: this.arrivalAt,
    };
  }

  restore(state: ControllerState): void {
    this.keyboard.restore(state.keyboard);
    this.memory.set(state.memory);
    [this.output, this.full, this.lastWrite, this.awaited, this.breaking, this.controlA] = state.registers;
    this.arrivalAt = state.arrivalAt;
  }
}
