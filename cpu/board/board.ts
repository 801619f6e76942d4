/**
 * The devices of the machine, wired to their ports and interrupt lines, and their time. May import its own folder and errors.ts.
 * Invariants: before a device is touched, all that its siblings had to do by the present cycle is done; after it, the CPU's
 * INTR line and deadline are right again. The deadline is the next cycle at which a device could interrupt by itself; what
 * cannot interrupt (masked, in service) is caught up with when somebody looks.
 */

import { MachineError } from "../errors";
import { PortBus } from "./bus";
import type { Clock } from "./clock";
import { COPROCESSOR_PORT, CoprocessorError } from "./coprocessor";
import { DebugExit, EXIT_PORT } from "./debugexit";
import type { DiskBackend, DiskFault } from "./disk";
import { DISPLAY_PORTS, Display, type DisplayState } from "./display";
import { Ide } from "./ide";
import type { IdeState } from "./idestate";
import {
  CONTROLLER_COMMAND,
  CONTROLLER_DATA,
  type ControllerState,
  KeyboardController,
  SYSTEM_CONTROL_A,
} from "./keyboardcontroller";
import { MARK_PORT, MARK_PORTS, Marks } from "./marks";
import { ELCR_PORT, Pic, type PicState } from "./pic";
import { Pit, type PitState } from "./pit";
import type { PortSize } from "./port";
import { RTC_PORT, Rtc, type RtcState } from "./rtc";
import { Uart, type UartState } from "./uart";

const PIT_IRQ = 0;
const KEYBOARD_IRQ = 1;
const UART_IRQ = 4;
const RTC_IRQ = 8;
const COPROCESSOR_IRQ = 13;
const IDE_IRQ = 14;

/** The CPU as the board sees it. */
export interface BoardCpu extends Clock {
  /** Cycle at which the CPU must let the board act, at the first instruction boundary. */
  deadline: number;
  setInterruptLine(level: 0 | 1): void;
  setA20(level: 0 | 1): void;
  readonly a20: 0 | 1;
  /** IGNNE#: go on in spite of a pending x87 exception. */
  ignoreCoprocessorError(): void;
}

/** What the board tells the machine. Called in the middle of an IN or OUT instruction. */
export interface BoardSignals {
  /** A byte left the serial port. */
  transmit(byte: number): void;
  /** The exit port was written. */
  exit(value: number): void;
  /** The mark port was written. */
  mark(value: number): void;
  /** The processor's reset line was pulsed. */
  reset(): void;
}

/** What the board is fitted with. */
export interface BoardOptions {
  memoryMB: number;
  /** The clock's date at cycle 0, in seconds since 1970. */
  startTime: number;
  disk?: DiskBackend;
  diskFaults?: readonly DiskFault[];
}

/** Where something that a person types goes. */
export type InputDevice = "serial" | "keyboard";

/** All devices as saved. */
export interface BoardState {
  pic: PicState;
  pit: PitState;
  uart: UartState;
  rtc: RtcState;
  keyboard: ControllerState;
  display: DisplayState;
  /** Null when there is no disk. */
  ide: IdeState | null;
}

export class Board {
  readonly pic = new Pic();
  readonly pit: Pit;
  readonly uart: Uart;
  readonly rtc: Rtc;
  readonly keyboard: KeyboardController;
  readonly display: Display;
  /** Null when there is no disk; then nobody answers at its ports. */
  readonly ide: Ide | null;
  /** A cycle at which the machine itself wants control, whatever the devices do; Infinity for none. Call refresh() after a change. */
  alarm = Infinity;
  private readonly bus = new PortBus();
  private readonly coprocessor: CoprocessorError;

  constructor(
    private readonly cpu: BoardCpu,
    signals: BoardSignals,
    options: BoardOptions,
  ) {
    const { memoryMB, startTime, disk, diskFaults = [] } = options;
    this.pit = new Pit(cpu, (level) => this.pic.setLine(PIT_IRQ, level));
    this.uart = new Uart(
      cpu,
      (byte) => signals.transmit(byte),
      (level) => this.pic.setLine(UART_IRQ, level),
    );
    this.rtc = new Rtc(cpu, startTime, { memoryMB, hasDisk: disk !== undefined }, (level) =>
      this.pic.setLine(RTC_IRQ, level),
    );
    this.keyboard = new KeyboardController(cpu, {
      get a20() {
        return cpu.a20;
      },
      set a20(level) {
        cpu.setA20(level);
      },
      setInterrupt: (level) => this.pic.setLine(KEYBOARD_IRQ, level),
      reset: () => signals.reset(),
    });
    this.display = new Display(cpu);
    this.bus.attach(0x20, 2, this.pic);
    this.bus.attach(0xa0, 2, this.pic);
    this.bus.attach(ELCR_PORT, 2, this.pic);
    this.bus.attach(0x40, 4, this.pit);
    this.bus.attach(0x61, 1, this.pit);
    this.bus.attach(RTC_PORT, 2, this.rtc);
    for (const port of [CONTROLLER_DATA, CONTROLLER_COMMAND, SYSTEM_CONTROL_A]) this.bus.attach(port, 1, this.keyboard);
    for (const [first, count] of DISPLAY_PORTS) this.bus.attach(first, count, this.display);
    this.bus.attach(0x3f8, 8, this.uart);
    this.ide = disk ? new Ide(cpu, disk, (level) => this.pic.setLine(IDE_IRQ, level), diskFaults) : null;
    if (this.ide !== null) {
      this.bus.attach(0x1f0, 1, this.ide.data);
      this.bus.attach(0x1f1, 7, this.ide);
      this.bus.attach(0x3f6, 1, this.ide);
    }
    this.coprocessor = new CoprocessorError(
      (level) => this.pic.setLine(COPROCESSOR_IRQ, level),
      () => cpu.ignoreCoprocessorError(),
    );
    this.bus.attach(COPROCESSOR_PORT, 1, this.coprocessor);
    this.bus.attach(EXIT_PORT, 1, new DebugExit((value) => signals.exit(value)));
    this.bus.attach(MARK_PORT, MARK_PORTS, new Marks(cpu, (value) => signals.mark(value)));
    this.refresh();
  }

  /** IN. */
  read(port: number, size: PortSize): number {
    this.catchUp();
    const value = this.bus.read(port, size);
    this.refresh();
    return value;
  }

  /** OUT. */
  write(port: number, size: PortSize, value: number): void {
    this.catchUp();
    this.bus.write(port, size, value);
    this.refresh();
  }

  /** Many INs at once, such as no time and no other device can tell: none has to catch up. */
  readBlock(port: number, size: PortSize, target: Uint8Array, offset: number, count: number): number {
    return this.bus.readBlock(port, size, target, offset, count);
  }

  /** Many OUTs at once, the same. */
  writeBlock(port: number, size: PortSize, source: Uint8Array, offset: number, count: number): number {
    return this.bus.writeBlock(port, size, source, offset, count);
  }

  /** The interrupt-acknowledge cycle: the vector. */
  acknowledge(): number {
    const vector = this.pic.acknowledge();
    this.refresh();
    return vector;
  }

  /** The processor stands still before an x87 instruction and asks for IRQ 13. */
  coprocessorError(): void {
    this.coprocessor.raise();
    this.refresh();
  }

  /** Lets devices do what is due by the present cycle. Called when the CPU has reached its deadline. */
  advance(): void {
    this.catchUp();
    this.refresh();
  }

  /** Bytes arrive at the serial port's other end, or keys are pressed and released. */
  receive(bytes: Uint8Array, device: InputDevice): void {
    this.catchUp();
    if (device === "serial") this.uart.receive(bytes);
    else this.keyboard.press(bytes);
    this.refresh();
  }

  /** The next cycle at which a device can raise or drop INTR by itself; Infinity when none ever will. */
  private nextEvent(): number {
    const timer = this.pic.admits(PIT_IRQ) ? this.pit.edgeAt : Infinity;
    return Math.min(timer, this.nextOtherEvent());
  }

  /** The same without the timer, whose line falls by itself too. */
  private nextOtherEvent(): number {
    const clock = this.pic.admits(RTC_IRQ) ? this.rtc.interruptAt : Infinity;
    const keyboard = this.pic.admits(KEYBOARD_IRQ) ? this.keyboard.interruptAt : Infinity;
    return Math.min(clock, keyboard, this.nextSerialEvent(), this.nextDiskEvent());
  }

  private nextDiskEvent(): number {
    return this.ide !== null && this.pic.admits(IDE_IRQ) ? this.ide.interruptAt : Infinity;
  }

  private nextSerialEvent(): number {
    return this.serialCanWake ? this.uart.eventAt : Infinity;
  }

  /** The next cycle at which a device can raise INTR by itself while INTR is low; Infinity when none ever will. */
  nextWake(): number {
    const timer = this.pic.admits(PIT_IRQ) ? this.pit.nextRise() : Infinity;
    return Math.min(timer, this.nextOtherEvent());
  }

  private get serialCanWake(): boolean {
    return this.pic.admits(UART_IRQ) && this.uart.listens;
  }

  /** Whether something typed could interrupt the CPU as things stand. */
  get inputCanWake(): boolean {
    return this.serialCanWake || (this.pic.admits(KEYBOARD_IRQ) && this.keyboard.listens);
  }

  /** Tells the CPU its INTR line and deadline afresh. */
  refresh(): void {
    this.cpu.setInterruptLine(this.pic.output());
    this.cpu.deadline = Math.min(this.nextEvent(), this.alarm);
  }

  private catchUp(): void {
    this.pit.advance();
    this.uart.advance();
    this.rtc.advance();
    this.keyboard.advance();
    this.ide?.advance();
  }

  save(): BoardState {
    return {
      pic: this.pic.save(),
      pit: this.pit.save(),
      uart: this.uart.save(),
      rtc: this.rtc.save(),
      keyboard: this.keyboard.save(),
      display: this.display.save(),
      ide: this.ide?.save() ?? null,
    };
  }

  /** Throws MachineError when the disks do not match. */
  restore(state: BoardState): void {
    if ((state.ide === null) !== (this.ide === null))
      throw new MachineError(state.ide === null ? "the saved machine has no disk" : "the saved machine has a disk");
    this.pic.restore(state.pic);
    this.pit.restore(state.pit);
    this.uart.restore(state.uart);
    this.rtc.restore(state.rtc);
    this.keyboard.restore(state.keyboard);
    this.display.restore(state.display);
    if (state.ide !== null) this.ide?.restore(state.ide);
    this.refresh();
  }
}
