/**
 * The machine: processor, memory and board, run together under a caller's control. May import everything in cpu/.
 *
 * Invariants: a run is a function of image, command line, modules and stamped input alone. Neither how the run was cut
 * into calls of run() nor who listened changes anything that the guest can see. A guest can do whatever it likes: only the
 * caller's own mistakes are thrown, as MachineError. Serial output and hooks are delivered at instruction boundaries.
 */

import { Board } from "./board/board";
import type { Screen } from "./board/display";
import { scanCodesOf } from "./board/scancodes";
import { checkDate, checkDisk, checkMemory, checkRom, checkVersion } from "./checks";
import {
  EventKind,
  type EventListener,
  type MachineOptions,
  type MachineState,
  type RunOptions,
  STATE_VERSION,
  type StopReason,
} from "./contract";
import { Cpu, RunExit } from "./cpu";
import { MachineError } from "./errors";
import { InputQueue, type InputRecord, type InputStamp } from "./inputqueue";
import { linearEip, type Registers, readLinear, registersOf, type TlbEntry, tlbEntries } from "./inspect";
import { Listeners } from "./listeners";
import { BOOT_MAGIC, type BootOptions, loadMultiboot } from "./multiboot";
import { Flag, Register } from "./registers";

const MEGABYTE = 1 << 20;
const NEWLINE = 10;
const SERIAL_CHUNK_BYTES = 4096;
/** When the proposal was posted that our kernel is about. */
const START_TIME = new Date(Date.UTC(2002, 1, 18));

export class Machine {
  readonly memoryMB: number;
  /** The processor, for tools that want more than the machine's own questions. Do not change its state. */
  readonly cpu: Cpu;
  private readonly board: Board;
  private readonly queue = new InputQueue();
  private readonly onSerial: ((bytes: Uint8Array) => void) | undefined;
  /** Bytes sent that the listener has not been given. */
  private serial: number[] = [];
  private loaded = false;
  /** Bytes of ROM; 0 when there is none. */
  private romBytes = 0;
  private resetAsked = false;
  private running = false;
  private exitValue = 0;
  private readonly listeners: Listeners;
  private hook: (() => unknown) | null = null;
  private readonly breakpoints = new Set<number>();
  /** Where a breakpoint last stopped the run, and at which instret: the instruction there runs next time. */
  private passedAddress = -1;
  private passedInstret = -1;

  /** Throws MachineError for an impossible size of memory or of the disk, and for an unknown CPU model. */
  constructor(options: MachineOptions) {
    const { memoryMB, onSerial, costs, tlb, cpu: model, compileAfter, disk, diskFaults } = options;
    const { startTime = START_TIME } = options;
    checkMemory(memoryMB);
    if (disk !== undefined) checkDisk(disk);
    checkDate(startTime);
    this.memoryMB = memoryMB;
    this.onSerial = onSerial;
    this.cpu = new Cpu({
      memoryBytes: memoryMB * MEGABYTE,
      bus: {
        read: (port, size) => this.board.read(port, size),
        write: (port, size, value) => this.board.write(port, size, value),
        readBlock: (port, size, target, offset, count) => this.board.readBlock(port, size, target, offset, count),
        writeBlock: (port, size, source, offset, count) => this.board.writeBlock(port, size, source, offset, count),
        acknowledge: () => this.board.acknowledge(),
        coprocessorError: () => this.board.coprocessorError(),
      },
      ...(costs === undefined ? {} : { costs }),
      ...(tlb === undefined ? {} : { tlb }),
      ...(model === undefined ? {} : { model }),
      ...(compileAfter === undefined ? {} : { compileAfter }),
    });
    this.listeners = new Listeners(this.cpu);
    const signals = {
      transmit: (byte: number) => this.transmit(byte),
      exit: (value: number) => this.exit(value),
      mark: (value: number) => this.listeners.emit(EventKind.Mark, value, 0),
      reset: () => {
        this.resetAsked = true;
        this.cpu.requestStop();
      },
    };
    this.board = new Board(this.cpu, signals, {
      memoryMB,
      startTime: Math.floor(startTime.getTime() / 1000),
      ...(disk === undefined ? {} : { disk }),
      ...(diskFaults === undefined ? {} : { diskFaults }),
    });
  }

  /**
   * Loads a multiboot-1 kernel (any ELF32, or an image with load addresses) with its command line and modules, and puts the
   * processor at its entry. Throws MachineError, with one line, for a file that cannot be loaded; the machine is then as
   * before. A machine boots once.
   */
  loadMultiboot(kernel: Uint8Array, options: BootOptions = {}): void {
    if (this.loaded) throw new MachineError("this machine has booted already: make a new one");
    const { entry, info } = loadMultiboot(this.cpu.ram, kernel, options);
    this.cpu.setRegister(Register.EAX, BOOT_MAGIC);
    this.cpu.setRegister(Register.EBX, info);
    this.cpu.eip = entry;
    this.loaded = true;
  }

  /**
   * Puts a ROM image at the top of the first megabyte and at the top of 4 GB, read-only, and the processor at F000:FFF0 in real
   * mode. A reset by the guest starts it there again. Throws MachineError for an image that is not 64, 128, 192 or 256 KB.
   */
  loadRom(rom: Uint8Array): void {
    if (this.loaded) throw new MachineError("this machine has booted already: make a new one");
    checkRom(rom);
    this.cpu.ram.set(rom, MEGABYTE - rom.length);
    this.romBytes = rom.length;
    this.cpu.resetToRealMode(rom.length);
    this.loaded = true;
  }

  /** Runs until there is a reason to stop; it can always be called again. Throws MachineError for wrong use only. */
  run(options: RunOptions): StopReason {
    const { maxInstructions, maxCycles = Infinity, stopWhenIdle = false } = options;
    if (!this.loaded) throw new MachineError("nothing has been loaded to run");
    if (this.running) throw new MachineError("run() was called while the machine runs");
    if (!(maxInstructions >= 0 && maxCycles >= 0))
      throw new MachineError(`a run of ${maxInstructions} instructions, ${maxCycles} cycles`);
    this.running = true;
    try {
      return this.runTo(this.cpu.instret + maxInstructions, this.cpu.cycles + maxCycles, stopWhenIdle);
    } finally {
      this.running = false;
      this.flushSerial();
    }
  }

  private runTo(maxInstret: number, maxCycles: number, stopWhenIdle: boolean): StopReason {
    const { cpu, board, queue } = this;
    const sleptAt = cpu.halted ? cpu.instret : -1;
    for (;;) {
      this.flushSerial();
      this.deliver();
      if (cpu.instret >= maxInstret || cpu.cycles >= maxCycles) return { reason: "budget" };
      board.alarm = Math.min(maxCycles, queue.nextCycle(cpu.instret));
      board.refresh();
      switch (cpu.run(Math.min(maxInstret, queue.nextInstret(cpu.instret)))) {
        case RunExit.Deadline:
          board.advance();
          break;
        case RunExit.Halted: {
          const stop = this.sleep(maxCycles, stopWhenIdle, cpu.instret !== sleptAt);
          if (stop !== undefined) return stop;
          break;
        }
        case RunExit.Stopped:
          if (!this.resetAsked) return { reason: "exit", value: this.exitValue };
          this.resetAsked = false;
          if (this.romBytes === 0) return { reason: "reset" };
          cpu.resetToRealMode(this.romBytes);
          break;
        case RunExit.TripleFault:
          return { reason: "tripleFault", eip: cpu.eip };
        case RunExit.Hook:
          return { reason: "breakpoint", address: linearEip(this.cpu) };
        default: // the budget, or input that has become due
      }
    }
  }

  /** Gives serial port and keyboard what is due. */
  private deliver(): void {
    const { cpu, board, queue } = this;
    for (;;) {
      const typed = queue.takeDue(cpu.instret, cpu.cycles);
      if (typed === undefined) return;
      board.receive(typed.bytes, typed.device);
    }
  }

  /**
   * The processor waits for an interrupt: lets time jump to what may bring one. A stop reason when nothing will, or when the
   * caller wants to know of it and has not been told (`fellAsleep`: since this call of run() began).
   */
  private sleep(maxCycles: number, stopWhenIdle: boolean, fellAsleep: boolean): StopReason | undefined {
    const { cpu, board, queue } = this;
    if ((cpu.eflags & Flag.IF) === 0) return { reason: "halt" };
    const wake = Math.min(board.nextWake(), queue.nextCycle(cpu.instret));
    if (wake === Infinity && board.inputCanWake) {
      // Stamped for later, but there will be no later.
      const typed = queue.take(cpu.instret, cpu.cycles);
      if (typed !== undefined) {
        board.receive(typed.bytes, typed.device);
        return undefined;
      }
    } else if (wake === Infinity) return { reason: "halt" };
    if (stopWhenIdle && (fellAsleep || wake === Infinity)) return { reason: "idle", wakeCycles: wake };
    if (wake === Infinity) return { reason: "halt" };
    cpu.cycles = Math.max(cpu.cycles, Math.min(wake, maxCycles));
    board.advance();
    return undefined;
  }

  /**
   * Input: bytes that somebody types at COM1 (or, by `device`, scan codes of keys), at a moment of the run (now by default).
   * Bytes of one call follow each other at the line's speed. Input that nothing but itself could bring about is given early: a machine that
   * sleeps for ever gets it at once. Throws MachineError for a moment that has passed.
   */
  input(bytes: Uint8Array, stamp: InputStamp = {}): void {
    this.queue.add(bytes, stamp, this.cpu.instret);
    if (!this.running) return;
    this.board.alarm = 0;
    this.board.refresh();
  }

  /**
   * Keys at the keyboard: scan codes of set 1 (make, break with bit 7, E0 and E1 before), or text that is typed on a US keyboard,
   * each key pressed and released. Stamped as input() is.
   */
  key(keys: Uint8Array | string, stamp: Omit<InputStamp, "device"> = {}): void {
    this.input(typeof keys === "string" ? scanCodesOf(keys) : keys, { ...stamp, device: "keyboard" });
  }

  /** A copy of what the display shows. */
  screen(): Screen {
    return this.board.display.screen(this.cpu.ram);
  }

  /** An edge on the NMI line now, between two instructions. Bit 7 of port 0x70 keeps it from the processor, and then it is lost. */
  raiseNmi(): void {
    if (!this.board.rtc.masksNmi) this.cpu.raiseNmi();
  }

  /** All input delivered so far, with its moments: give it to another machine's input() to repeat the run. */
  get inputLog(): readonly Readonly<InputRecord>[] {
    return this.queue.log;
  }

  /** The listener is called between instructions: the alarm brings run() back. */
  private transmit(byte: number): void {
    this.serial.push(byte);
    if (byte === NEWLINE || this.serial.length >= SERIAL_CHUNK_BYTES) this.board.alarm = 0;
  }

  private flushSerial(): void {
    if (this.serial.length === 0) return;
    const bytes = Uint8Array.from(this.serial);
    this.serial = [];
    this.onSerial?.(bytes);
  }

  private exit(value: number): void {
    this.exitValue = value;
    this.cpu.requestStop();
    this.listeners.emit(EventKind.Exit, value, 0);
  }

  /**
   * Adds a listener, to all events or to those of some kinds; the result takes it away again. Listening costs no guest time, and
   * host time only where the processor's own events are among them.
   */
  onEvent(listener: EventListener, kinds?: readonly EventKind[]): () => void {
    return this.listeners.add(listener, kinds);
  }

  /**
   * Lets guest time pass without an instruction, as if the bus had been taken from the processor (HOLD): what devices do by then
   * the next run() sees at its first boundary. A caller who counts instructions brings the timer's interrupt about so.
   * Throws MachineError while the machine runs, or for a time that is not at least 0.
   */
  passTime(cycles: number): void {
    if (this.running) throw new MachineError("passTime() was called while the machine runs");
    if (!(cycles >= 0)) throw new MachineError(`${cycles} cycles cannot pass`);
    this.cpu.cycles += cycles;
  }

  /**
   * Calls `hook` before each instruction, with the machine stopped at it; null for no more. Where it returns true the run stops as at
   * a breakpoint, and the next run asks again at the same instruction. It must not throw.
   */
  onInstruction(hook: (() => unknown) | null): void {
    this.hook = hook;
    this.updateHook();
  }

  /** Stops the run before each instruction at a linear address. */
  setBreakpoint(address: number): void {
    this.breakpoints.add(address >>> 0);
    this.updateHook();
  }

  clearBreakpoint(address: number): void {
    this.breakpoints.delete(address >>> 0);
    this.updateHook();
  }

  private updateHook(): void {
    const needed = this.hook !== null || this.breakpoints.size > 0;
    this.cpu.onInstruction = needed ? () => this.beforeInstruction() : null;
  }

  private beforeInstruction(): boolean {
    const { cpu } = this;
    if (this.breakpoints.size > 0) {
      const address = linearEip(this.cpu);
      const passed = address === this.passedAddress && cpu.instret === this.passedInstret;
      if (!passed && this.breakpoints.has(address)) {
        this.passedAddress = address;
        this.passedInstret = cpu.instret;
        return true;
      }
    }
    return this.hook?.() === true;
  }

  /** Instructions retired since the start; each repetition of a string instruction counts one. */
  get instret(): number {
    return this.cpu.instret;
  }

  /** Guest time in cycles of NOMINAL_HZ since the start. */
  get cycles(): number {
    return this.cpu.cycles;
  }

  /** A copy of the registers. */
  get registers(): Registers {
    return registersOf(this.cpu);
  }

  /** A copy of `bytes` bytes of RAM; fewer where RAM ends. */
  readPhysical(address: number, bytes: number): Uint8Array {
    return this.cpu.ram.slice(address, address + bytes);
  }

  /** Writes RAM, as a debugger does: the guest pays nothing. Throws MachineError beyond the end of RAM. */
  writePhysical(address: number, bytes: Uint8Array): void {
    if (!(address >= 0 && address + bytes.length <= this.cpu.ram.length))
      throw new MachineError(`a write of ${bytes.length} bytes at 0x${address.toString(16)}: RAM ends before`);
    this.cpu.ram.set(bytes, address);
    this.cpu.codeChanged(address, bytes.length);
  }

  /**
   * Physical address of a linear one by the page tables in memory (of the directory in CR3, or of another given as a CR3
   * value); −1 when it is not mapped. Leaves no trace in the guest.
   */
  translate(linear: number, cr3?: number): number {
    return this.cpu.translate(linear >>> 0, cr3);
  }

  /** A copy of `bytes` bytes at a linear address; fewer where the mapping or RAM ends. Leaves no trace in the guest. */
  readVirtual(linear: number, bytes: number, cr3?: number): Uint8Array {
    return readLinear(this.cpu, linear, bytes, cr3);
  }

  /** What the charged TLB holds, stale entries included. */
  tlbEntries(): TlbEntry[] {
    return tlbEntries(this.cpu);
  }

  /** The whole machine at an instruction boundary. Listeners, hooks and breakpoints are not part of it. */
  save(): MachineState {
    if (this.running) throw new MachineError("save() was called while the machine runs");
    if (!this.loaded) throw new MachineError("nothing has been loaded to save");
    return {
      version: STATE_VERSION,
      memoryMB: this.memoryMB,
      cpu: this.cpu.save(),
      board: this.board.save(),
      romBytes: this.romBytes,
      input: this.queue.save(),
      passedBreakpoint: { address: this.passedAddress, instret: this.passedInstret },
    };
  }

  /**
   * A machine in a saved state, which goes on to the same instruction, cycle and byte. `options` are those of the
   * constructor; cost table, TLB, CPU model and disk must be those of the saved machine. Throws MachineError for a state of another version or shape.
   */
  static restore(state: MachineState, options: Omit<MachineOptions, "memoryMB"> = {}): Machine {
    checkVersion(state);
    const machine = new Machine({ ...options, memoryMB: state.memoryMB });
    machine.takeOver(state);
    return machine;
  }

  /**
   * Goes to a state that this machine, or one made with the same options, has saved: as restore(), without a new machine and
   * its memory. Listeners, hooks and breakpoints stay; serial output and stamped input that are not in the state are gone.
   * Throws as restore() does, and then the machine is in no state to run.
   */
  takeOver(state: MachineState): void {
    if (this.running) throw new MachineError("takeOver() was called while the machine runs");
    checkVersion(state);
    this.loaded = false;
    this.resetAsked = false;
    this.serial = [];
    try {
      this.cpu.restore(state.cpu);
      this.board.restore(state.board);
      this.romBytes = state.romBytes;
      this.queue.restore(state.input);
      this.passedAddress = state.passedBreakpoint.address;
      this.passedInstret = state.passedBreakpoint.instret;
    } catch (error) {
      throw error instanceof MachineError ? error : new MachineError("the saved state is damaged");
    }
    this.loaded = true;
  }
}
