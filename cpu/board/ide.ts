/**
 * The primary IDE channel (0x1F0–0x1F7, 0x3F6, IRQ 14) with one ATA drive, device 0; device 1 is absent. PIO, 28-bit LBA and
 * CHS. May import ata.ts, clock.ts, disk.ts, ideaddress.ts, idecommands.ts, idedata.ts, idemedium.ts, idestate.ts, port.ts, errors.ts.
 *
 * Invariants: the backend is touched only when a block's time has come (`eventAt`), so contents change at an exact cycle;
 * BSY is set exactly while eventAt is finite, or software holds the channel in reset. INTRQ rises once for each block of a
 * read, once after each block of a write, and at a command's end; a read of Status and a new command drop it; nIEN hides it.
 * Time: every command costs COMMAND_CYCLES, every sector SECTOR_CYCLES; no head moves and nothing rotates, so that the
 * same work always costs the same.
 * Source: ATA/ATAPI-5 (T13/1321D): 7 (registers), 8 (commands), 9 (protocols: 9.5 PIO in, 9.6 PIO out, 9.16 one device only).
 */

import { MachineError } from "../errors";
import {
  AtaError,
  defaultGeometry,
  featureAccepted,
  type Geometry,
  identifyBlock,
  MAX_MULTIPLE,
  MAX_TRANSFER,
  Status,
} from "./ata";
import type { Clock } from "./clock";
import type { DiskBackend, DiskFault } from "./disk";
import { addressedSector, tellSector } from "./ideaddress";
import { Action, COMMANDS, type CommandRow, EXECUTE_DIAGNOSTIC } from "./idecommands";
import { IdeData } from "./idedata";
import { Medium } from "./idemedium";
import { DEVICE_FIXED, type IdeState, initialRegisters, Phase, Power, SETTLED, slaveSelected } from "./idestate";
import type { PortDevice } from "./port";

/** A drive's own time for a command, its cache hit: 0.1 ms at the nominal clock. */
export const COMMAND_CYCLES = 10_000;
/** From the end of a software reset to ready: 2 ms, the time that ATA tells a host to wait before it looks. */
export const RESET_CYCLES = 200_000;

const CONTROL_PORT = 0x3f6;
/** Task-file registers by port, when read and when written. The last port is Status, and Command. */
const READ_FIELDS = ["error", "error", "count", "lbaLow", "lbaMid", "lbaHigh", "device"] as const;
const WRITE_FIELDS = ["features", "features", "count", "lbaLow", "lbaMid", "lbaHigh", "device"] as const;
const STATUS_REGISTER = 7;
const CONTROL_RESET = 0x04;
const CONTROL_NO_INTERRUPT = 0x02;

export class Ide implements PortDevice {
  readonly byteWide = true;
  /** A device of its own to the bus: 0x1F0. */
  readonly data: IdeData;
  private readonly s = initialRegisters();
  private geometry: Geometry;
  private readonly medium: Medium;
  /** One block on its way. */
  private readonly buffer: Uint8Array;

  /** `setLine` is told the level of IRQ 14 whenever it may have changed. */
  constructor(
    private readonly clock: Clock,
    private readonly disk: DiskBackend,
    private readonly setLine: (level: 0 | 1) => void,
    faults: readonly DiskFault[] = [],
  ) {
    this.geometry = defaultGeometry(disk.sectors);
    this.medium = new Medium(this.s, disk, faults);
    this.buffer = this.medium.buffer;
    this.data = new IdeData(this.s, this.buffer, () => this.blockMoved());
  }

  /** Cycle at which the drive will raise its interrupt by itself; Infinity when it will not. */
  get interruptAt(): number {
    const { phase, control, eventAt } = this.s;
    const silent = phase === Phase.WriteReady || phase === Phase.Reset || (control & CONTROL_NO_INTERRUPT) !== 0;
    return silent ? Infinity : eventAt;
  }

  /** Does what has become due by the present cycle. */
  advance(): void {
    const { s } = this;
    if (this.clock.cycles < s.eventAt) return;
    const { phase } = s;
    s.phase = Phase.Idle;
    s.eventAt = Infinity;
    if (phase === Phase.Finish) this.finish();
    else if (phase === Phase.ReadBlock) this.fetchBlock();
    else if (phase === Phase.WriteReady) this.requestBlock();
    else if (phase === Phase.WriteBlock) this.storeBlock();
    else if (phase === Phase.Verify) this.verify();
    else if (phase === Phase.Flush) this.flush();
    else this.becomeReady();
  }

  readPort(port: number): number {
    const { s } = this;
    if (port === CONTROL_PORT) return this.visibleStatus;
    if ((port & 7) !== STATUS_REGISTER) return s[READ_FIELDS[port & 7]];
    const status = this.visibleStatus;
    if (!slaveSelected(s)) this.setInterrupt(0);
    return status;
  }

  /** With the absent device selected, device 0 answers for it: a status of 0. */
  private get visibleStatus(): number {
    return slaveSelected(this.s) ? 0 : this.s.status;
  }

  writePort(port: number, _size: number, value: number): void {
    const { s } = this;
    if (port === CONTROL_PORT) {
      this.writeControl(value);
      return;
    }
    // While BSY or DRQ is set the registers are the drive's.
    if ((s.status & (Status.Busy | Status.DataRequest)) !== 0) return;
    const register = port & 7;
    if (register !== STATUS_REGISTER)
      s[WRITE_FIELDS[register]] = WRITE_FIELDS[register] === "device" ? value | DEVICE_FIXED : value;
    else if (!slaveSelected(s) || value === EXECUTE_DIAGNOSTIC) this.command(value);
  }

  private writeControl(value: number): void {
    const { s } = this;
    const held = (s.control & CONTROL_RESET) !== 0;
    s.control = value;
    if ((value & CONTROL_RESET) !== 0) {
      this.abandon();
      s.status = Status.Busy;
    } else if (held) this.begin(Phase.Reset, RESET_CYCLES);
    this.updateLine();
  }

  /** Forgets the command at hand; what has not reached the medium is lost. */
  private abandon(): void {
    const { s } = this;
    s.phase = Phase.Idle;
    s.eventAt = Infinity;
    s.remaining = 0;
    this.setInterrupt(0);
  }

  /** BSY, until `cycles` from now. */
  private begin(phase: Phase, cycles: number): void {
    const { s } = this;
    s.status = Status.Busy;
    s.phase = phase;
    s.eventAt = this.clock.cycles + cycles;
  }

  private setInterrupt(pending: 0 | 1): void {
    this.s.interruptPending = pending;
    this.updateLine();
  }

  private updateLine(): void {
    const { interruptPending, control } = this.s;
    this.setLine(interruptPending !== 0 && (control & CONTROL_NO_INTERRUPT) === 0 ? 1 : 0);
  }

  private command(code: number): void {
    const { s } = this;
    if (s.power === Power.Sleep) return; // a reset alone wakes it
    this.setInterrupt(0);
    s.error = 0;
    const row = COMMANDS[code];
    if (row === undefined) this.endIf(false);
    else if (row.phase !== undefined) this.transfer(row.phase, row.limit || s.multiple);
    else this.act(row);
  }

  /** A command that moves no sectors. */
  private act({ action, power = Power.Active }: CommandRow): void {
    const { s } = this;
    switch (action) {
      case Action.Identify:
        this.buffer.set(identifyBlock(this.disk.sectors, this.geometry, s.multiple));
        s.remaining = 0;
        s.blockSectors = 0;
        s.writing = 0;
        this.begin(Phase.ReadBlock, COMMAND_CYCLES);
        break;
      case Action.Flush:
        this.begin(Phase.Flush, COMMAND_CYCLES);
        break;
      case Action.Diagnostic:
        this.signature();
        this.begin(Phase.Finish, COMMAND_CYCLES);
        break;
      case Action.SetMultiple:
        this.endIf(s.count <= MAX_MULTIPLE && (s.count & (s.count - 1)) === 0);
        if (s.error === 0) s.multiple = s.count;
        break;
      case Action.SetFeatures:
        this.endIf(featureAccepted(s.features, s.count));
        break;
      case Action.InitializeParameters:
        this.initializeParameters();
        break;
      case Action.Seek:
        this.endIf(true);
        if (!this.holds(addressedSector(s, this.geometry))) s.error = AtaError.IdNotFound;
        break;
      case Action.SetPower:
        s.power = power;
        this.endIf(true);
        break;
      case Action.CheckPower:
        s.count = s.power;
        this.endIf(true);
        break;
      default:
        this.endIf(true);
    }
  }

  /** Whether the disk has a sector. */
  private holds(sector: number): boolean {
    return sector >= 0 && sector < this.disk.sectors;
  }

  /** A command without data ends after its time: well, or aborted. */
  private endIf(accepted: boolean): void {
    this.s.error = accepted ? 0 : AtaError.Aborted;
    this.begin(Phase.Finish, COMMAND_CYCLES);
  }

  private initializeParameters(): void {
    const { s } = this;
    const heads = (s.device & 15) + 1;
    if (s.count !== 0) {
      const cylinders = Math.min(0xffff, Math.floor(this.disk.sectors / (heads * s.count)));
      this.geometry = { cylinders, heads, track: s.count };
    }
    this.endIf(s.count !== 0);
  }

  /** Address and count registers tell where the command stands: at `sector`, with so many to go. */
  private tellProgress(): void {
    this.s.count = this.s.remaining & 0xff;
    tellSector(this.s, this.geometry);
  }

  /** A command that moves sectors, in blocks of `limit`; READ and WRITE MULTIPLE are aborted before SET MULTIPLE MODE. */
  private transfer(phase: Phase, limit: number): void {
    const { s } = this;
    if (limit === 0) {
      this.endIf(false);
      return;
    }
    s.power = Power.Active;
    s.sector = addressedSector(s, this.geometry);
    s.remaining = s.count === 0 ? MAX_TRANSFER : s.count;
    s.blockLimit = limit;
    s.writing = phase === Phase.WriteReady ? 1 : 0;
    if (!this.holds(s.sector)) {
      s.error = AtaError.IdNotFound;
      this.begin(Phase.Finish, COMMAND_CYCLES);
      return;
    }
    this.sizeBlock();
    // A write's first block has nothing to do with the medium yet.
    this.begin(phase, COMMAND_CYCLES + (phase === Phase.WriteReady ? 0 : this.medium.blockCycles()));
  }

  private sizeBlock(): void {
    this.s.blockSectors = Math.min(this.s.remaining, this.s.blockLimit);
  }

  /** The block is in the buffer: the host may read it. IDENTIFY's block is there without the medium. */
  private fetchBlock(): void {
    const error = this.medium.read();
    if (error !== 0) {
      this.fail(error);
      return;
    }
    if (this.s.blockSectors !== 0) this.tellProgress();
    this.requestBlock();
    this.setInterrupt(this.medium.blockInterrupt());
  }

  private verify(): void {
    const error = this.medium.read();
    if (error !== 0) this.fail(error);
    else {
      this.tellProgress();
      this.finish();
    }
  }

  /** DRQ: the host may move a block through the data register. */
  private requestBlock(): void {
    this.s.position = 0;
    this.s.status = SETTLED | Status.DataRequest;
  }

  /** The host's block reaches the medium. */
  private storeBlock(): void {
    const { s } = this;
    const { error, faulty } = this.medium.write();
    if (error !== 0) {
      this.fail(error);
      if (faulty) s.status |= Status.DeviceFault;
      return;
    }
    if (s.remaining === 0) {
      this.tellProgress();
      this.finish(this.medium.blockInterrupt());
      return;
    }
    const interrupt = this.medium.blockInterrupt();
    this.sizeBlock();
    this.requestBlock();
    this.setInterrupt(interrupt);
  }

  private flush(): void {
    this.s.error = this.disk.flush() ? 0 : AtaError.Aborted;
    this.finish();
  }

  /** The command ends at a sector that could not be moved. */
  private fail(error: AtaError): void {
    this.s.error = error;
    this.tellProgress();
    this.finish();
  }

  /** The command ends; ERR if the error register says so. After a diagnostic that holds a code, not an error. */
  private finish(interrupt: 0 | 1 = 1): void {
    const { s } = this;
    const failed = s.error !== 0 && s.error !== AtaError.DiagnosticPassed;
    // ATA leaves DSC open where ERR is set; this is QEMU's choice.
    s.status = failed ? Status.Ready | Status.Error : SETTLED;
    this.setInterrupt(interrupt);
  }

  /** What a reset and EXECUTE DEVICE DIAGNOSTIC leave in the registers: an ATA device that passed. */
  private signature(): void {
    const { s } = this;
    s.error = AtaError.DiagnosticPassed;
    s.count = 1;
    s.lbaLow = 1;
    s.lbaMid = 0;
    s.lbaHigh = 0;
    s.device = DEVICE_FIXED;
  }

  private becomeReady(): void {
    this.signature();
    this.s.multiple = 0;
    this.s.power = Power.Active;
    this.s.status = SETTLED;
  }

  /** The host has moved the last word of a block. */
  private blockMoved(): void {
    const { s } = this;
    if (s.writing !== 0) this.begin(Phase.WriteBlock, this.medium.blockCycles());
    else if (s.remaining === 0) s.status = SETTLED;
    else {
      this.sizeBlock();
      this.begin(Phase.ReadBlock, this.medium.blockCycles());
    }
  }

  save(): IdeState {
    return {
      sectors: this.disk.sectors,
      registers: { ...this.s },
      geometry: { ...this.geometry },
      buffer: this.buffer.slice(),
      disk: this.disk.save(),
    };
  }

  /** Throws MachineError when the disk is not of the saved one's size. */
  restore(state: IdeState): void {
    if (state.sectors !== this.disk.sectors)
      throw new MachineError(`the saved disk has ${state.sectors} sectors, this one ${this.disk.sectors}`);
    Object.assign(this.s, state.registers);
    this.geometry = { ...state.geometry };
    this.buffer.set(state.buffer);
    if (state.disk !== null) this.disk.restore(state.disk);
  }
}
