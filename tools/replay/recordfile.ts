/**
 * The file of a recording: chunks, each with a checksum of its own, so that a file is readable up to where it was cut. May import Node,
 * tools/audit/crc32, tools/trace/output.
 *
 *     "TINERUN\n"  u32 version  |  chunks: u32 kind  f64 instret  u32 bytes of the payload  u32 CRC-32 of the payload  payload
 */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { crc32 } from "../audit/crc32";
import { Output } from "../trace/output";

const MAGIC = Buffer.from("TINERUN\n");
/** Raised with every change of what stands in a file. */
const FILE_VERSION = 1;
const HEADER = MAGIC.length + 4;
const CHUNK_HEADER = 20;

export const enum ChunkKind {
  /** JSON. */
  Head = 1,
  /** An image's bytes, deflated. */
  Image = 2,
  Checkpoint = 3,
  Input = 4,
  /** JSON. */
  End = 5,
}

export interface Chunk {
  kind: ChunkKind;
  /** The moment that a checkpoint is of. */
  instret: number;
  /** Its contents, read now. Throws RecordingError when the checksum is wrong. */
  payload(): Uint8Array;
}

/** The file is not a recording that can be read; one line. */
export class RecordingError extends Error {}

/** SHA-256 in hexadecimal. */
export function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Whether a file begins as a recording does. Throws Node's error for one that cannot be read. */
export function isRecording(path: string): boolean {
  const file = openSync(path, "r");
  try {
    if (!fstatSync(file).isFile()) return false;
    const start = Buffer.alloc(MAGIC.length);
    return readSync(file, start, 0, start.length, 0) === start.length && start.equals(MAGIC);
  } finally {
    closeSync(file);
  }
}

export class ChunkWriter {
  private readonly output: Output;
  private chunks = 0;

  constructor(path: string) {
    this.output = new Output(path);
    const header = Buffer.alloc(HEADER);
    MAGIC.copy(header);
    header.writeUInt32LE(FILE_VERSION, MAGIC.length);
    this.output.writeBytes(header);
  }

  get error(): NodeJS.ErrnoException | undefined {
    return this.output.error;
  }

  /** Adds a chunk; returns its number. */
  write(kind: ChunkKind, payload: Uint8Array, instret = 0): number {
    const header = Buffer.alloc(CHUNK_HEADER);
    header.writeUInt32LE(kind, 0);
    header.writeDoubleLE(instret, 4);
    header.writeUInt32LE(payload.length, 12);
    header.writeUInt32LE(crc32(payload), 16);
    this.output.writeBytes(header);
    this.output.writeBytes(payload);
    return this.chunks++;
  }

  close(): void {
    this.output.close();
  }
}

/** Bytes of a file at a place; fewer where it ends. */
function readAt(file: number, at: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  return buffer.subarray(0, readSync(file, buffer, 0, bytes, at));
}

/**
 * The chunks of a file, up to where it ends or is cut; what is in them is read when it is asked for. Throws RecordingError for one that is
 * no recording or of another version; Node's error for one that cannot be read.
 */
export function readChunks(path: string): Chunk[] {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const header = readAt(file, 0, HEADER);
    if (!header.subarray(0, MAGIC.length).equals(MAGIC)) throw new RecordingError(`${path}: not a recording of a run`);
    if (header.length < HEADER) throw new RecordingError(`${path}: truncated`);
    const version = header.readUInt32LE(MAGIC.length);
    if (version !== FILE_VERSION) {
      throw new RecordingError(`${path}: a recording of version ${version}; this is version ${FILE_VERSION}`);
    }
    const chunks: Chunk[] = [];
    for (let at = HEADER; at + CHUNK_HEADER <= size; ) {
      const chunk = readAt(file, at, CHUNK_HEADER);
      const kind = chunk.readUInt32LE(0);
      const length = chunk.readUInt32LE(12);
      const start = at + CHUNK_HEADER;
      const index = chunks.length;
      if (kind < ChunkKind.Head || kind > ChunkKind.End) {
        throw new RecordingError(`${path}: damaged: chunk ${index} is of no kind that there is`);
      }
      if (start + length > size) break;
      const sum = chunk.readUInt32LE(16);
      const instret = chunk.readDoubleLE(4);
      chunks.push({ kind, instret, payload: () => readPayload(path, start, length, sum, index) });
      at = start + length;
    }
    return chunks;
  } finally {
    closeSync(file);
  }
}

function readPayload(path: string, at: number, length: number, sum: number, index: number): Uint8Array {
  const file = openSync(path, "r");
  try {
    const payload = readAt(file, at, length);
    if (payload.length === length && crc32(payload) === sum) return payload;
    throw new RecordingError(`${path}: damaged: the checksum of chunk ${index} is wrong`);
  } finally {
    closeSync(file);
  }
}
