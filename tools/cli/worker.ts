/**
 * The thread that holds a machine: runs it in slices, between which it takes input and reports progress. May import cpu/,
 * kernel/abi, tools/audit, tools/disk, tools/image/layout, tools/lab, tools/trace and Node.
 *
 * Invariants: the guest sees input only between two slices, stamped by the machine, so that a run can be repeated; input
 * that does not come from a person is handed over line by line, when the guest sleeps, so that such a run needs no stamps.
 * The trace of a run's end costs the run nothing: it is made by running again, from the same inputs, up to that end.
 */
import { once } from "node:events";
import { isDeepStrictEqual } from "node:util";
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import {
  type BufferDisk,
  type DiskBackend,
  EventKind,
  Machine,
  MachineError,
  NOMINAL_HZ,
  type Screen,
} from "../../cpu/index";
import { Mark } from "../../kernel/abi/marks";
import { LayoutError } from "../audit/model";
import { saveState } from "../audit/statefile";
import { AuditWatch } from "../audit/watch";
import { FileDisk } from "../disk/filedisk";
import { swapDisk } from "../disk/swaparea";
import { type KernelLayout, kernelLayout } from "../image/layout";
import { type RegionCount, Regions } from "../lab/regions";
import { LastInstructions } from "../trace/last";
import { symbolsByProgram } from "../trace/programs";
import type { FromWorker, SessionEnd, SessionSpec, ToWorker } from "./session";

/** Instructions between two looks at the mailbox: some 20 ms of host time. */
const SLICE = 1_000_000;
/** A sleep too short for the host to follow, as for the disk: the guest's time jumps, and it is no wait for input. */
const SHORT_SLEEP_MS = 1;
const END_OF_TRANSMISSION = 4;
const NEWLINE = 10;

const port = parentPort as MessagePort;

function post(message: FromWorker): void {
  port.postMessage(message);
}

/** Console input that the guest has not been given yet, in pieces that end with a line's end. */
class PendingInput {
  private readonly lines: Uint8Array[] = [];
  ended = false;

  add(bytes: Uint8Array): void {
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE) + 1; end > 0; end = bytes.indexOf(NEWLINE, start) + 1) {
      this.lines.push(bytes.subarray(start, end));
      start = end;
    }
    if (start < bytes.length) this.lines.push(bytes.subarray(start));
  }

  /** The next piece; after the last one an end-of-transmission, as often as asked; undefined while more may come. */
  next(): Uint8Array | undefined {
    return this.lines.shift() ?? (this.ended ? Uint8Array.of(END_OF_TRANSMISSION) : undefined);
  }
}

/** The exit code that a shell gives for a wait status: the program's own, or 128 and the signal that ended it. */
function exitCodeOf(waitStatus: number): number {
  const signal = waitStatus & 0x7f;
  return signal === 0 ? waitStatus >>> 8 : 128 + signal;
}

/** The spec's disk, opened. The file was there a moment ago: what goes wrong now is told in Node's words. */
function openDisk({ disk }: SessionSpec): FileDisk | BufferDisk | undefined {
  if (disk === undefined) return undefined;
  if ("swapMB" in disk) return swapDisk(disk.swapMB);
  try {
    return new FileDisk(disk.path, disk.readOnly);
  } catch (error) {
    throw new MachineError((error as Error).message);
  }
}

/** A machine as the spec says, at its first instruction. */
function boot(spec: SessionSpec, disk: DiskBackend | undefined, onSerial: (bytes: Uint8Array) => void): Machine {
  const { memoryMB, tlb, cpu } = spec;
  const machine = new Machine({
    memoryMB,
    onSerial,
    ...(disk ? { disk } : {}),
    ...(tlb ? { tlb } : {}),
    ...(cpu ? { cpu } : {}),
  });
  try {
    if (spec.rom) machine.loadRom(spec.kernel);
    else machine.loadMultiboot(spec.kernel, { commandLine: spec.commandLine, modules: spec.modules });
  } catch (error) {
    if (error instanceof MachineError) throw new MachineError(`${spec.kernelName}: ${error.message}`);
    throw error;
  }
  return machine;
}

/** The `count` instructions before instruction `until` of a run that took `inputLog` and had this disk at first, as lines. */
function replayEnd(
  spec: SessionSpec,
  disk: DiskBackend | undefined,
  inputLog: Machine["inputLog"],
  until: number,
  count: number,
): string[] {
  const machine = boot(spec, disk, () => {});
  for (const { bytes, atInstret, device } of inputLog) machine.input(bytes, { atInstret, device });
  // It follows from the start which process runs, and records only the end.
  const resolver = spec.rom ? () => undefined : symbolsByProgram(spec.kernel, spec.programs);
  const trace = new LastInstructions(machine, { count, resolver, record: false });
  machine.run({ maxInstructions: Math.max(0, until - count) });
  trace.start();
  machine.run({ maxInstructions: until - machine.instret });
  return [...trace.lines()];
}

/** One machine and what is gathered while it runs. */
class Run {
  private readonly machine: Machine;
  private readonly disk: FileDisk | BufferDisk | undefined;
  private readonly pending = new PendingInput();
  private readonly regionCounts: RegionCount[] = [];
  private programStatus: number | undefined;
  /** Instructions retired when the kernel said that it panics. */
  private panickedAt: number | undefined;
  private serial: number[] = [];
  private stopped = false;
  private shown: Screen | undefined;
  private readonly layout: KernelLayout | undefined;
  private readonly watch: AuditWatch | undefined;

  constructor(private readonly spec: SessionSpec) {
    this.disk = openDisk(spec);
    this.machine = boot(spec, this.disk, (bytes) => this.serial.push(...bytes));
    this.layout = spec.rom ? undefined : kernelLayout(spec.kernel);
    if (spec.screen !== undefined) this.machine.key(spec.screen.keys);
    if (spec.auditEvery) {
      if (this.layout === undefined) throw new LayoutError("this kernel carries no layout to audit it by");
      this.watch = new AuditWatch(this.machine, this.layout, spec.auditEvery);
    }
    const regions = new Regions((region) => this.regionCounts.push(region));
    this.machine.onEvent(
      ({ a, instret, cycles }) => {
        regions.mark(a, instret, cycles);
        if (a >>> 24 === Mark.ProgramStatus) this.programStatus = exitCodeOf(a & 0xffff);
        if (a >>> 24 === Mark.Panic) this.panickedAt ??= instret;
      },
      [EventKind.Mark],
    );
  }

  /** Runs to the end. */
  async run(): Promise<void> {
    const end = await this.slices();
    this.flush();
    const { instret, cycles, inputLog } = this.machine;
    const { programStatus, panickedAt, regionCounts: regions } = this;
    const { count, when } = this.spec.trace;
    const wrong = panickedAt !== undefined || end.reason === "tripleFault";
    const wanted = count > 0 && (when === "always" || wrong);
    // The instruction that the processor died of never retires: the replay has to try it.
    const until = panickedAt ?? (end.reason === "tripleFault" ? instret + 1 : instret);
    const disk = this.disk instanceof FileDisk ? this.disk.asAtFirst() : openDisk(this.spec);
    const trace = wanted ? replayEnd(this.spec, disk, inputLog, until, count) : [];
    const panicked = panickedAt !== undefined;
    const audit = this.watch?.report() ?? [];
    if (this.spec.saveState !== undefined) saveState(this.spec.saveState, this.machine, this.layout);
    post({ kind: "end", result: { end, instret, cycles, programStatus, panicked, regions, trace, audit } });
  }

  private async slices(): Promise<SessionEnd> {
    for (;;) {
      this.readMail();
      if (this.stopped) return { reason: "stopped" };
      const left = this.spec.maxInstructions - this.machine.instret;
      const stop = this.machine.run({ maxInstructions: Math.min(SLICE, left), stopWhenIdle: true });
      this.flush();
      post({ kind: "progress", instret: this.machine.instret });
      if (this.watch?.found) return { reason: "audit" };
      // Asleep for good: no timer runs, and no input will ever come.
      if (stop.reason === "idle" && this.spec.input === "none" && stop.wakeCycles === Number.POSITIVE_INFINITY) {
        return { reason: "halt" };
      }
      if (stop.reason === "idle") await this.idle(stop.wakeCycles);
      else if (stop.reason !== "budget" || this.machine.instret >= this.spec.maxInstructions) return stop;
    }
  }

  /** The guest sleeps: give it input, or sleep with it until its next timer or somebody types. */
  private async idle(wakeCycles: number): Promise<void> {
    if (this.spec.input === "none") return;
    const milliseconds = ((wakeCycles - this.machine.cycles) / NOMINAL_HZ) * 1000;
    if (milliseconds < SHORT_SLEEP_MS) return;
    const bytes = this.pending.next();
    if (bytes !== undefined) {
      this.machine.input(bytes);
      return;
    }
    const timer = new AbortController();
    const timeout = setTimeout(() => timer.abort(), Math.min(milliseconds, 1000));
    const mail = await once(port, "message", { signal: timer.signal }).catch(() => undefined);
    clearTimeout(timeout);
    if (mail !== undefined) this.take(mail[0] as ToWorker);
  }

  private readMail(): void {
    for (let mail = receiveMessageOnPort(port); mail !== undefined; mail = receiveMessageOnPort(port))
      this.take(mail.message);
  }

  private take(message: ToWorker): void {
    if (message.kind === "stop") this.stopped = true;
    else if (message.kind === "inputEnd") this.pending.ended = true;
    else if (this.spec.screen !== undefined) this.machine.key(message.bytes);
    else if (this.spec.input === "terminal") this.machine.input(message.bytes);
    else this.pending.add(message.bytes);
  }

  private flush(): void {
    this.showScreen();
    if (this.serial.length === 0) return;
    post({ kind: "serial", bytes: Uint8Array.from(this.serial) });
    this.serial = [];
  }

  /** Tells of the screen if it has changed. */
  private showScreen(): void {
    if (this.spec.screen === undefined) return;
    const screen = this.machine.screen();
    if (this.shown !== undefined && isDeepStrictEqual(screen, this.shown)) return;
    this.shown = screen;
    post({ kind: "screen", screen });
  }
}

try {
  await new Run(workerData as SessionSpec).run();
} catch (error) {
  if (!(error instanceof MachineError || error instanceof LayoutError)) throw error;
  post({ kind: "error", message: error.message });
}
port.close();
