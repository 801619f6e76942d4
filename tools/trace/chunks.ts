/**
 * Files of chunks, each with a checksum of its own, so that a file is readable up to where it was cut: recordings of runs and binary
 * traces. May import Node, tools/audit/crc32, output.
 *
 *     magic  u32 version  |  chunks: u32 kind  f64 instret  u32 bytes of the payload  u32 CRC-32 of the payload  payload
 */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { crc32 } from "../audit/crc32";
import { Output } from "../trace/output";

/** What a kind of file begins with, what it is called, and its version: raised with every change of what stands in one. */
export interface FileFormat {
  /** Eight bytes. */
  magic: string;
  version: number;
  /** "a recording of a run". */
  name: string;
  /** Kinds of chunks are 1 to this. */
  kinds: number;
}

const MAGIC_BYTES = 8;
const HEADER = MAGIC_BYTES + 4;
const CHUNK_HEADER = 20;

export interface Chunk {
  kind: number;
  /** The moment that it begins at, where it has one. */
  instret: number;
  /** Its contents, read now. Throws ChunkFileError when the checksum is wrong. */
  payload(): Uint8Array;
}

/** The file is not one that can be read; one line. */
export class ChunkFileError extends Error {}

/** SHA-256 in hexadecimal. */
export function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Whether a file begins as one of a format does. Throws Node's error for one that cannot be read. */
export function isFileOf({ magic }: FileFormat, path: string): boolean {
  const file = openSync(path, "r");
  try {
    return fstatSync(file).isFile() && readAt(file, 0, MAGIC_BYTES).toString("latin1") === magic;
  } finally {
    closeSync(file);
  }
}

export class ChunkWriter {
  private readonly output: Output;
  private chunks = 0;

  /** Throws Node's error for a file that cannot be written. */
  constructor(path: string, { magic, version }: FileFormat) {
    this.output = new Output(path);
    const header = Buffer.alloc(HEADER);
    header.write(magic, "latin1");
    header.writeUInt32LE(version, MAGIC_BYTES);
    this.output.writeBytes(header);
  }

  get error(): NodeJS.ErrnoException | undefined {
    return this.output.error;
  }

  /** Adds a chunk; returns its number. */
  write(kind: number, payload: Uint8Array, instret = 0): number {
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
 * The chunks of a file, up to where it ends or is cut; what is in them is read when it is asked for. Throws ChunkFileError for one that is
 * of another format or version; Node's error for one that cannot be read.
 */
export function readChunks(path: string, format: FileFormat): Chunk[] {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const header = readAt(file, 0, HEADER);
    if (header.toString("latin1", 0, MAGIC_BYTES) !== format.magic)
      throw new ChunkFileError(`${path}: not ${format.name}`);
    if (header.length < HEADER) throw new ChunkFileError(`${path}: truncated`);
    const version = header.readUInt32LE(MAGIC_BYTES);
    if (version !== format.version) {
      throw new ChunkFileError(`${path}: ${format.name} of version ${version}; this is version ${format.version}`);
    }
    const chunks: Chunk[] = [];
    for (let at = HEADER; at + CHUNK_HEADER <= size; ) {
      const chunk = readAt(file, at, CHUNK_HEADER);
      const kind = chunk.readUInt32LE(0);
      const length = chunk.readUInt32LE(12);
      const start = at + CHUNK_HEADER;
      const index = chunks.length;
      if (kind < 1 || kind > format.kinds) {
        throw new ChunkFileError(`${path}: damaged: chunk ${index} is of no kind that there is`);
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
    throw new ChunkFileError(`${path}: damaged: the checksum of chunk ${index} is wrong`);
  } finally {
    closeSync(file);
  }
}
