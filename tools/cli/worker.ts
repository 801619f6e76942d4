/**
 * The thread that holds a machine: runs it in slices, between which it takes input and reports progress. May import cpu/,
 * kernel/abi, tools/audit, tools/disk, tools/image/layout, tools/lab, tools/replay, tools/trace and Node; what most runs do without, only when a
 * run wants it, so that the others start without it.
 *
 * Invariants: the guest sees input only between two slices, stamped by the machine, so that a run can be repeated; input
 * that does not come from a person is handed over line by line, when the guest sleeps, so that such a run needs no stamps.
 * The trace of a run's end costs the run nothing: it is made by running again, from the same inputs, up to that end.
 */
import { isDeepStrictEqual } from "node:util";
import { type MessagePort, parentPort, receiveMessageOnPort } from "node:worker_threads";
import {
  type BufferDisk,
  type DiskBackend,
  EventKind,
  type Machine,
  MachineError,
  NOMINAL_HZ,
  type Screen,
} from "../../cpu/index";
import { Mark } from "../../kernel/abi/marks";
import type { AuditWatch } from "../audit/watch";
import type { FileDisk } from "../disk/filedisk";
import { type RegionCount, Regions } from "../lab/regions";
import { bootRecipe, copyOfDisk, openDisk } from "../replay/recipe";
import type { RecordingWriter } from "../replay/recording";
import type { TraceSession } from "../trace/session";
import { GuestInput } from "./guestinput";
import type { FromWorker, SessionEnd, SessionSpec, ToWorker } from "./session";

/** Instructions between two looks at the mailbox: some 20 ms of host time. */
const SLICE = 1_000_000;
/** A sleep too short for the host to follow, as for the disk: the guest's time jumps, and it is no wait for input. */
const SHORT_SLEEP_MS = 1;
/**
 * Shortest time between two pieces of output within a slice, and between two reports of progress: a guest that writes much, or
 * waits for its disk all the time, costs few messages.
 */
const FLUSH_MS = 20;
/** The same under a slow trace. */
const TRACED_SLICE = 50_000;
/** Exit code of a program of which an assert failed (userland/lib/abort.ts). */
const ABORT_STATUS = 134;

const port = parentPort as MessagePort;

function post(message: FromWorker): void {
  port.postMessage(message);
}

/** What the main thread sends: kept until it is asked for, whether the guest runs, sleeps, or code is still being loaded. */
class Mailbox {
  private readonly arrived: ToWorker[] = [];
  private wake = (): void => {};

  constructor() {
    port.on("message", (message: ToWorker) => {
      this.arrived.push(message);
      this.wake();
    });
  }

  /** The next message, if there is one. */
  take(): ToWorker | undefined {
    return this.arrived.shift() ?? receiveMessageOnPort(port)?.message;
  }

  /** Waits for a message, but no longer than that; undefined when none came. */
  async wait(milliseconds: number): Promise<ToWorker | undefined> {
    if (this.arrived.length === 0) {
      await new Promise<void>((resolve) => {
        const timer = milliseconds === Infinity ? undefined : setTimeout(resolve, milliseconds);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.arrived.shift();
  }
}

const mailbox = new Mailbox();

/** The exit code that a shell gives for a wait status: the program's own, or 128 and the signal that ended it. */
function exitCodeOf(waitStatus: number): number {
  const signal = waitStatus & 0x7f;
  return signal === 0 ? waitStatus >>> 8 : 128 + signal;
}

/** The watch that audits the machine as the spec says; undefined when it does not. Throws MachineError for a kernel not ours. */
async function auditWatch({ kernel, auditEvery }: SessionSpec, machine: Machine): Promise<AuditWatch | undefined> {
  if (!auditEvery) return undefined;
  const { kernelLayout } = await import("../image/layout");
  const { LayoutError } = await import("../audit/model");
  const { AuditWatch } = await import("../audit/watch");
  const layout = kernelLayout(kernel);
  if (layout === undefined) throw new MachineError("this kernel carries no layout to audit it by");
  try {
    return new AuditWatch(machine, layout, auditEvery);
  } catch (error) {
    throw error instanceof LayoutError ? new MachineError(error.message) : error;
  }
}

/** Writes the machine, with its kernel's layout where there is one. */
async function save({ kernel, rom, saveState: file }: SessionSpec, machine: Machine): Promise<void> {
  if (file === undefined) return;
  const { kernelLayout } = await import("../image/layout");
  const { saveState } = await import("../audit/statefile");
  saveState(file, machine, rom ? undefined : kernelLayout(kernel));
}

/** The `count` instructions before instruction `until` of a run that took `inputLog` and had this disk at first, as lines. */
async function replayEnd(
  spec: SessionSpec,
  disk: DiskBackend | undefined,
  inputLog: Machine["inputLog"],
  until: number,
): Promise<string[]> {
  const { lastLines, panicSpec } = await import("../trace/last");
  const machine = bootRecipe(spec, disk, () => {});
  for (const { bytes, atInstret, device } of inputLog) machine.input(bytes, { atInstret, device });
  return lastLines(machine, spec, { until, count: spec.last.count, spec: spec.last.spec ?? panicSpec() });
}

/** The trace of the run that the spec asks for. Throws MachineError for a filter that names what there is not. */
async function startTrace(spec: SessionSpec, machine: Machine): Promise<TraceSession | undefined> {
  if (spec.trace === undefined) return undefined;
  const { traceSession } = await import("../trace/session");
  const { TraceError } = await import("../trace/tracer");
  try {
    return traceSession(machine, spec, spec.trace);
  } catch (error) {
    throw error instanceof TraceError ? new MachineError(error.message) : error;
  }
}

/** The recording that the spec asks for, with the machine's first moment in it. The disk is one in memory. */
async function startRecording(
  spec: SessionSpec,
  machine: Machine,
  disk: FileDisk | BufferDisk | undefined,
): Promise<RecordingWriter | undefined> {
  if (spec.record === undefined) return undefined;
  const { RecordingWriter } = await import("../replay/recording");
  const inMemory = disk !== undefined && "contents" in disk ? disk : undefined;
  const recorder = new RecordingWriter(spec.record.path, spec, inMemory, spec.record.command);
  recorder.checkpoint(machine);
  return recorder;
}

/** instret at which the first guest assert failed, or undefined. */
async function watchAsserts({ kernel }: SessionSpec, machine: Machine): Promise<() => number | undefined> {
  const { kernelLayout } = await import("../image/layout");
  const { Events } = await import("../trace/events");
  let failedAt: number | undefined;
  new Events(machine, kernelLayout(kernel)).on(
    (event) => {
      if (event.kind === "exit" && event.status === ABORT_STATUS << 8) failedAt ??= event.instret;
    },
    ["exit"],
  );
  return () => failedAt;
}

/** One machine and what is gathered while it runs. */
class Run {
  private readonly machine: Machine;
  private readonly input = new GuestInput();
  private readonly nextInput = this.input.reader();
  private readonly regionCounts: RegionCount[] = [];
  private programStatus: number | undefined;
  /** Instructions retired when the kernel said that it panics. */
  private panickedAt: number | undefined;
  private serial: number[] = [];
  private flushedAt = -Infinity;
  private progressAt = -Infinity;
  private stopped = false;
  private shown: Screen | undefined;
  private watch: AuditWatch | undefined;
  private tracing: TraceSession | undefined;
  private recorder: RecordingWriter | undefined;

  constructor(
    private readonly spec: SessionSpec,
    private readonly disk: FileDisk | BufferDisk | undefined,
  ) {
    this.machine = bootRecipe(spec, disk, (bytes) => {
      this.serial.push(...bytes);
      if (Date.now() - this.flushedAt >= FLUSH_MS) this.flushSerial();
    });
    if (spec.screen !== undefined) this.machine.key(spec.screen.keys);
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
    const { spec, machine } = this;
    this.watch = await auditWatch(spec, machine);
    this.recorder = await startRecording(spec, machine, this.disk);
    this.tracing = await startTrace(spec, machine);
    const always = spec.last.when === "always";
    const assertFailedAt = always ? await watchAsserts(spec, machine) : () => undefined;
    const end = await this.slices();
    this.flush();
    const trace = this.tracing?.end();
    this.recorder?.end(machine, end.reason);
    const recordError = this.recorder?.error?.code;
    const { instret, cycles, inputLog } = machine;
    const { programStatus, panickedAt, regionCounts: regions } = this;
    const wrong = panickedAt !== undefined || end.reason === "tripleFault";
    const wanted = spec.last.count > 0 && (always || wrong);
    // The instruction that the processor died of never retires: the replay has to try it.
    const until = panickedAt ?? assertFailedAt() ?? (end.reason === "tripleFault" ? instret + 1 : instret);
    const last = wanted ? await replayEnd(spec, await this.diskAsAtFirst(), inputLog, until) : [];
    const panicked = panickedAt !== undefined;
    const audit = this.watch?.report() ?? [];
    await save(spec, machine);
    post({
      kind: "end",
      result: { end, instret, cycles, programStatus, panicked, regions, last, trace, recordError, audit },
    });
  }

  /** The disk with the contents that the run found on it. */
  private async diskAsAtFirst(): Promise<BufferDisk | FileDisk | undefined> {
    return this.disk && "asAtFirst" in this.disk ? this.disk.asAtFirst() : openDisk(this.spec);
  }

  private async slices(): Promise<SessionEnd> {
    for (;;) {
      this.readMail();
      if (this.stopped) return { reason: "stopped" };
      const { tracing, recorder, machine } = this;
      const boundaries = [tracing?.nextBoundary(), recorder?.nextCheckpoint].map(
        (at) => at ?? Number.POSITIVE_INFINITY,
      );
      const until = Math.min(this.spec.maxInstructions, ...boundaries);
      const slice = Math.min(tracing?.isSlow ? TRACED_SLICE : SLICE, until - machine.instret);
      const stop = machine.run({ maxInstructions: slice, stopWhenIdle: true });
      tracing?.atBoundary();
      if (recorder !== undefined && machine.instret >= recorder.nextCheckpoint) recorder.checkpoint(machine);
      this.flush();
      this.tellProgress();
      if (this.watch?.found) return { reason: "audit" };
      if (tracing?.isDone && recorder === undefined) return { reason: "traced" };
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
    const bytes = this.nextInput();
    if (bytes !== undefined) {
      this.machine.input(bytes);
      return;
    }
    const message = await mailbox.wait(Math.min(milliseconds, 1000));
    if (message !== undefined) this.take(message);
  }

  private readMail(): void {
    for (let message = mailbox.take(); message !== undefined; message = mailbox.take()) this.take(message);
  }

  private take(message: ToWorker): void {
    if (message.kind === "stop") this.stopped = true;
    else if (message.kind === "inputEnd") this.input.ended = true;
    else if (message.kind === "start") throw new Error("a session is started once");
    else if (this.spec.screen !== undefined) this.machine.key(message.bytes);
    else if (this.spec.input === "terminal") this.machine.input(message.bytes);
    else this.input.add(message.bytes);
  }

  private tellProgress(): void {
    const now = Date.now();
    if (now - this.progressAt < FLUSH_MS) return;
    this.progressAt = now;
    post({ kind: "progress", instret: this.machine.instret });
  }

  private flush(): void {
    this.showScreen();
    this.flushSerial();
  }

  private flushSerial(): void {
    if (this.serial.length === 0) return;
    post({ kind: "serial", bytes: Uint8Array.from(this.serial) });
    this.serial = [];
    this.flushedAt = Date.now();
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

const first = await mailbox.wait(Infinity);
if (first?.kind === "start") {
  try {
    await new Run(first.spec, await (first.spec.record ? copyOfDisk(first.spec) : openDisk(first.spec))).run();
  } catch (error) {
    if (!(error instanceof MachineError)) throw error;
    post({ kind: "error", message: error.message });
  }
}
port.close();
