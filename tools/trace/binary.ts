/**
 * Binary traces: everything that a text trace can show, in a few bytes an instruction. May import stepcode, bytes, chunks, code's and events'
 * types, Node.
 *
 * The file is one of chunks: a head (JSON), data (deflated), an end (JSON). Data are records: steps (stepcode.ts), and what begins with
 *
 *     FIRST_OTHER      an instruction that comes for the first time, as JSON
 *     FIRST_OTHER + 1  an event with its place, as JSON
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { ByteReader, ByteWriter } from "./bytes";
import { ChunkFileError, ChunkWriter, type FileFormat, readChunks } from "./chunks";
import type { Code } from "./code";
import type { TraceEvent } from "./eventtypes";
import type { Step } from "./step";
import { FIRST_OTHER, StepDecoder, StepEncoder } from "./stepcode";
import type { TraceSink } from "./tracer";

/** A file of a binary trace. */
export const BINARY_TRACE: FileFormat = { magic: "TINETRC\n", version: 1, name: "a binary trace", kinds: 3 };

const enum Chunks {
  Head = 1,
  Data = 2,
  End = 3,
}
const NEW_CODE = FIRST_OTHER;
const EVENT = FIRST_OTHER + 1;
/** Bytes before packing after which a chunk is written. */
const CHUNK_BYTES = 1 << 20;

/** Records between two moments at which a reader may stop. */
const YIELD_EVERY = 20_000;

/** What stands first in the file. */
export interface BinaryHead {
  /** What was traced, for people. */
  command: string;
  /** Events say where they happen. */
  where: boolean;
}

interface End {
  lines: number;
  instret: number;
}

export class BinarySink implements TraceSink {
  private readonly file: ChunkWriter;
  private readonly out = new ByteWriter();
  private readonly encoder = new StepEncoder(this.out);
  private readonly written = new Set<number>();
  private lines = 0;

  /** Throws Node's error for a file that cannot be written. */
  constructor(path: string, head: BinaryHead) {
    this.file = new ChunkWriter(path, BINARY_TRACE);
    this.file.write(Chunks.Head, Buffer.from(JSON.stringify(head)));
  }

  /** What went wrong with the file; undefined while all is well. */
  get error(): NodeJS.ErrnoException | undefined {
    return this.file.error;
  }

  step(step: Step): void {
    const { code } = step;
    if (!this.written.has(code.id)) {
      this.written.add(code.id);
      this.out.byte(NEW_CODE);
      this.out.text(JSON.stringify({ ...code, names: undefined, bytes: Buffer.from(code.bytes).toString("hex") }));
    }
    this.encoder.write(step);
    this.added();
  }

  event(event: TraceEvent, where: string): void {
    this.out.byte(EVENT);
    this.out.text(JSON.stringify([event, where]));
    this.added();
  }

  private added(): void {
    this.lines++;
    if (this.out.length >= CHUNK_BYTES) this.flush();
  }

  private flush(): void {
    if (this.out.length > 0) this.file.write(Chunks.Data, deflateRawSync(this.out.take(), { level: 1 }));
  }

  /** Writes what is left; `instret` is where the trace ends. */
  close(instret: number): void {
    this.flush();
    const end: End = { lines: this.lines, instret };
    this.file.write(Chunks.End, Buffer.from(JSON.stringify(end)));
    this.file.close();
  }
}

/** A binary trace in a file. */
export class BinaryTrace {
  readonly head: BinaryHead;
  /** Whether the file is whole; false: it was cut. */
  readonly isWhole: boolean;
  private readonly data: (() => Uint8Array)[] = [];

  /** Throws ChunkFileError, in one line, for a file that is none; Node's error. */
  constructor(private readonly path: string) {
    const [first, ...rest] = readChunks(path, BINARY_TRACE);
    if (first?.kind !== Chunks.Head) throw new ChunkFileError(`${path}: truncated: it has no beginning`);
    this.head = JSON.parse(Buffer.from(first.payload()).toString("utf8")) as BinaryHead;
    for (const { kind, payload } of rest) if (kind === Chunks.Data) this.data.push(payload);
    this.isWhole = rest.at(-1)?.kind === Chunks.End;
  }

  /** Gives all steps and events to a sink, in order; yields now and then. Throws ChunkFileError for damaged contents. */
  *readInto(sink: TraceSink): Generator<void> {
    const codes: Code[] = [];
    const decoder = new StepDecoder(codes);
    for (const payload of this.data) {
      const input = new ByteReader(this.unpack(payload()));
      for (let records = 1; !input.isAtEnd; records++) {
        this.record(input, codes, decoder, sink);
        if (records % YIELD_EVERY === 0) yield;
      }
      yield;
    }
  }

  private unpack(bytes: Uint8Array): Uint8Array {
    try {
      return inflateRawSync(bytes);
    } catch {
      throw new ChunkFileError(`${this.path}: damaged: it cannot be unpacked`);
    }
  }

  private record(input: ByteReader, codes: Code[], decoder: StepDecoder, sink: TraceSink): void {
    try {
      let tag = input.byte();
      if (tag === NEW_CODE) {
        const code = JSON.parse(input.text()) as Code & { bytes: string };
        codes[code.id] = { ...code, bytes: Uint8Array.from(Buffer.from(code.bytes, "hex")) };
        tag = input.byte();
      }
      if (tag === EVENT) {
        const [event, where] = JSON.parse(input.text()) as [TraceEvent, string];
        sink.event(event, where);
      } else if (tag < FIRST_OTHER) sink.step(decoder.read(input, tag));
      else throw new RangeError(`a record of kind ${tag}`);
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof SyntaxError)) throw error;
      throw new ChunkFileError(`${this.path}: damaged: ${error.message}`);
    }
  }
}
