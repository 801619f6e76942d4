/**
 * A run in a file, from which any moment of it can be gone to again: what it was made of, the input that it took, and checkpoints. May
 * import cpu, recipe, tools/trace/chunks, Node.
 *
 *     const writer = new RecordingWriter(path, recipe, disk, commandLine);
 *     writer.checkpoint(machine);                 // at the beginning, then whenever nextCheckpoint is reached
 *     writer.end(machine, "exit");
 *
 *     const recording = Recording.open(path);     // throws RecordingError for what is none
 *     const machine = recording.machine();        // at its first instruction, with all input
 *     recording.goTo(machine, 123_456_789);       // near by, then run
 *
 * Everything that the run needs is in the file: images, modules and disk as bytes, so that it can be replayed alone. A file that was cut
 * is readable up to its last whole chunk. Every KEY_EVERY-th checkpoint is whole, the others hold what differs from the last whole one:
 * so to go to a moment takes the same time wherever it lies. Source: the design's section on determinism.
 */
import { deserialize, serialize } from "node:v8";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { STATE_VERSION } from "../../cpu/contract";
import { COST_VERSION } from "../../cpu/costs";
import { BufferDisk, type InputRecord, type Machine, type MachineState } from "../../cpu/index";
import { type Chunk, ChunkFileError, ChunkWriter, type FileFormat, hashOf, readChunks } from "../trace/chunks";
import { bootRecipe, type Recipe } from "./recipe";

export { ChunkFileError as RecordingError } from "../trace/chunks";

/** A file of a recorded run. */
export const RECORDING: FileFormat = { magic: "TINERUN\n", version: 1, name: "a recording of a run", kinds: 5 };

const enum ChunkKind {
  /** JSON. */
  Head = 1,
  /** An image's bytes, deflated. */
  Image = 2,
  Checkpoint = 3,
  Input = 4,
  /** JSON. */
  End = 5,
}

/** Instructions between two checkpoints: some tenths of a second to run. */
const SPACING = 10_000_000;
/** Each so many-th checkpoint is whole. */
const KEY_EVERY = 16;
const PAGE = 4096;

/** What stands first in the file, as JSON. */
interface Head {
  versions: { state: number; costs: number };
  recipe: Omit<Recipe, "kernel" | "modules" | "disk">;
  /** What the user typed, for people. */
  command: string;
  /** SHA-256 of each image, in the order in which they follow. */
  images: { role: "kernel" | "module" | "disk"; bytes: number; sha256: string }[];
}

/** Input up to a moment. */
interface InputChunk {
  until: number;
  records: InputRecord[];
}

/** A checkpoint; `contents` and `frames` of its state are those that differ from the whole one `base`, if there is one. */
interface StoredCheckpoint {
  instret: number;
  /** Index of the chunk of the whole checkpoint; -1: this one is whole. */
  base: number;
  /** Frames that are all zero now and are not in the whole one. */
  gone: Uint32Array;
  state: MachineState;
}

interface End {
  instret: number;
  /** Why the run ended. */
  reason: string;
}

/** A frame's bytes in a state's contents. */
function frameBytes({ cpu }: MachineState, index: number): Uint8Array {
  return cpu.contents.subarray(index * PAGE, (index + 1) * PAGE);
}

/** `state` with only the frames of these indices. */
function withFrames(state: MachineState, indices: readonly number[]): MachineState {
  const contents = new Uint8Array(indices.length * PAGE);
  for (const [at, index] of indices.entries()) contents.set(frameBytes(state, index), at * PAGE);
  const frames = Uint32Array.from(indices, (index) => state.cpu.frames[index]);
  return { ...state, cpu: { ...state.cpu, frames, contents } };
}

/** What of a state differs from another one. */
function difference(base: MachineState, state: MachineState): { gone: Uint32Array; state: MachineState } {
  const before = new Map(Array.from(base.cpu.frames, (frame, index) => [frame, index]));
  const changed: number[] = [];
  for (const [index, frame] of state.cpu.frames.entries()) {
    const at = before.get(frame);
    before.delete(frame);
    if (at === undefined || Buffer.compare(frameBytes(base, at), frameBytes(state, index)) !== 0) changed.push(index);
  }
  return { gone: Uint32Array.from(before.keys()), state: withFrames(state, changed) };
}

/** The state that differs from `base` so. */
function applied(base: MachineState, gone: Uint32Array, delta: MachineState): MachineState {
  const frames = new Map<number, Uint8Array>();
  for (const [index, frame] of base.cpu.frames.entries()) frames.set(frame, frameBytes(base, index));
  for (const frame of gone) frames.delete(frame);
  for (const [index, frame] of delta.cpu.frames.entries()) frames.set(frame, frameBytes(delta, index));
  const sorted = [...frames.keys()].sort((a, b) => a - b);
  const contents = new Uint8Array(sorted.length * PAGE);
  for (const [at, frame] of sorted.entries()) contents.set(frames.get(frame) as Uint8Array, at * PAGE);
  return { ...delta, cpu: { ...delta.cpu, frames: Uint32Array.from(sorted), contents } };
}

export class RecordingWriter {
  private readonly file: ChunkWriter;
  private next = 0;
  private checkpoints = 0;
  private inputs = 0;
  private key: MachineState | undefined;
  private keyChunk = -1;

  /** `disk` is the recipe's, before the run. Throws Node's error for a file that cannot be written. */
  constructor(
    path: string,
    recipe: Recipe,
    disk: BufferDisk | undefined,
    command: string,
    private readonly spacing = SPACING,
  ) {
    const { kernel, modules, disk: _, ...rest } = recipe;
    const images: [Head["images"][number]["role"], Uint8Array][] = [["kernel", kernel]];
    for (const module of modules) images.push(["module", module]);
    if (disk !== undefined) images.push(["disk", disk.contents()]);
    const head: Head = {
      versions: { state: STATE_VERSION, costs: COST_VERSION },
      recipe: recipeOnly(rest),
      command,
      images: images.map(([role, bytes]) => ({ role, bytes: bytes.length, sha256: hashOf(bytes) })),
    };
    this.file = new ChunkWriter(path, RECORDING);
    this.file.write(ChunkKind.Head, Buffer.from(JSON.stringify(head)));
    for (const [, bytes] of images) this.file.write(ChunkKind.Image, deflateRawSync(bytes));
  }

  /** What went wrong with the file; undefined while all is well. */
  get error(): NodeJS.ErrnoException | undefined {
    return this.file.error;
  }

  /** instret at which the next checkpoint is due. */
  get nextCheckpoint(): number {
    return this.next;
  }

  /** Writes where the machine is, and what input there has been. */
  checkpoint(machine: Machine): void {
    this.input(machine);
    const state = machine.save();
    const isKey = this.checkpoints++ % KEY_EVERY === 0;
    const { instret } = machine;
    const stored: StoredCheckpoint =
      isKey || this.key === undefined
        ? { instret, base: -1, gone: new Uint32Array(0), state }
        : { instret, base: this.keyChunk, ...difference(this.key, state) };
    const chunk = this.file.write(ChunkKind.Checkpoint, deflateRawSync(serialize(stored), { level: 1 }), instret);
    if (isKey) {
      this.key = state;
      this.keyChunk = chunk;
    }
    this.next = instret + this.spacing;
  }

  private input({ inputLog, instret }: Machine): void {
    const records = inputLog.slice(this.inputs) as InputRecord[];
    this.inputs = inputLog.length;
    const chunk: InputChunk = { until: instret, records };
    this.file.write(ChunkKind.Input, deflateRawSync(serialize(chunk)));
  }

  /** Ends the recording: the run has stopped for this reason. */
  end(machine: Machine, reason: string): void {
    this.input(machine);
    const end: End = { instret: machine.instret, reason };
    this.file.write(ChunkKind.End, Buffer.from(JSON.stringify(end)));
    this.file.close();
  }
}

/** The fields of a recipe alone, whatever else an object that is one holds. */
function recipeOnly({ memoryMB, rom, kernelName, commandLine, tlb, cpu }: Head["recipe"]): Head["recipe"] {
  return {
    memoryMB,
    kernelName,
    commandLine,
    ...(rom === undefined ? {} : { rom }),
    ...(tlb === undefined ? {} : { tlb }),
    ...(cpu === undefined ? {} : { cpu }),
  };
}

export class Recording {
  readonly command: string;
  readonly recipe: Recipe;
  /** All input that is known. */
  readonly input: readonly InputRecord[];
  /** Up to which moment the run is known. */
  readonly endsAt: number;
  /** Why the run ended; undefined: the file was cut, or the recorder was. */
  readonly endReason: string | undefined;
  private readonly disk: Uint8Array | undefined;
  private readonly chunks: readonly Chunk[];
  /** Index of each checkpoint's chunk, and its moment. */
  private readonly moments: { chunk: number; instret: number }[] = [];
  private key: { chunk: number; state: MachineState } | undefined;

  /** Reads a file that RecordingWriter wrote. Throws RecordingError, in one line, for one that is none, or not ours to read; Node's error. */
  static open(path: string): Recording {
    return new Recording(path);
  }

  private constructor(private readonly path: string) {
    this.chunks = readChunks(path, RECORDING);
    const [first, ...rest] = this.chunks;
    if (first?.kind !== ChunkKind.Head) throw new ChunkFileError(`${path}: truncated: it has no beginning`);
    const head = JSON.parse(Buffer.from(first.payload()).toString("utf8")) as Head;
    this.checkVersions(head);
    this.command = head.command;
    const images = rest.filter(({ kind }) => kind === ChunkKind.Image).map(({ payload }) => this.inflate(payload()));
    if (images.length < head.images.length) throw new ChunkFileError(`${path}: truncated: an image is missing`);
    for (const [i, { role, sha256 }] of head.images.entries()) {
      if (hashOf(images[i]) !== sha256)
        throw new ChunkFileError(`${path}: damaged: its ${role} is not the one that it names`);
    }
    const of = (wanted: string) => images.filter((_, i) => head.images[i].role === wanted);
    this.recipe = { ...head.recipe, kernel: of("kernel")[0], modules: of("module") };
    [this.disk] = of("disk");
    const inputs = rest
      .filter(({ kind }) => kind === ChunkKind.Input)
      .map(({ payload }) => this.value<InputChunk>(payload()));
    this.input = inputs.flatMap(({ records }) => records);
    const end = rest.find(({ kind }) => kind === ChunkKind.End);
    this.endReason = end && (JSON.parse(Buffer.from(end.payload()).toString("utf8")) as End).reason;
    this.endsAt = inputs.at(-1)?.until ?? 0;
    for (const [chunk, { kind, instret }] of this.chunks.entries()) {
      if (kind === ChunkKind.Checkpoint) this.moments.push({ chunk, instret });
    }
  }

  private checkVersions({ versions }: Head): void {
    const wrong = versions.state !== STATE_VERSION ? "machine" : versions.costs !== COST_VERSION ? "cost table" : "";
    if (wrong === "") return;
    const [theirs, ours] = wrong === "machine" ? [versions.state, STATE_VERSION] : [versions.costs, COST_VERSION];
    throw new ChunkFileError(`${this.path}: recorded by a ${wrong} of version ${theirs}; this is version ${ours}`);
  }

  private inflate(payload: Uint8Array): Uint8Array {
    try {
      return inflateRawSync(payload);
    } catch {
      throw new ChunkFileError(`${this.path}: damaged: it cannot be unpacked`);
    }
  }

  private value<Type>(payload: Uint8Array): Type {
    try {
      return deserialize(this.inflate(payload)) as Type;
    } catch (error) {
      if (error instanceof ChunkFileError) throw error;
      throw new ChunkFileError(`${this.path}: damaged, or written by a newer Node`);
    }
  }

  /** A machine of the recording at its first instruction, with all input to come. */
  machine(onSerial?: (bytes: Uint8Array) => void): Machine {
    const machine = bootRecipe(this.recipe, this.disk && new BufferDisk(this.disk), onSerial);
    this.giveInput(machine, 0);
    return machine;
  }

  private giveInput(machine: Machine, from: number): void {
    for (const { bytes, ...stamp } of this.input.slice(from)) machine.input(bytes, stamp);
  }

  /** Takes a machine of the recording to a place from which to run to a moment: its last checkpoint before, unless the machine is nearer. */
  goTo(machine: Machine, instret: number): void {
    const nearest = this.moments.filter((moment) => moment.instret <= instret).at(-1);
    if (nearest === undefined || (machine.instret <= instret && nearest.instret <= machine.instret)) return;
    const state = this.stateOf(nearest.chunk);
    // What was typed and not yet delivered is in the log of later.
    machine.takeOver({ ...state, input: { ...state.input, pending: [] } });
    this.giveInput(machine, state.input.log.length);
  }

  private stateOf(chunk: number): MachineState {
    const { base, gone, state } = this.value<StoredCheckpoint>(this.chunks[chunk].payload());
    if (base < 0) return state;
    if (this.key?.chunk !== base) {
      this.key = { chunk: base, state: this.value<StoredCheckpoint>(this.chunks[base].payload()).state };
    }
    return applied(this.key.state, gone, state);
  }
}
