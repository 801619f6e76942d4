/**
 * Where the lines of a trace go: a file or a descriptor, written in big pieces. May import Node.
 * Invariant: after an error nothing more is written, and the error is kept: the trace can say where it ended. A pipe that nobody reads any
 * more is no error, only an end.
 */
import { closeSync, openSync, writeSync } from "node:fs";

/** Characters that are gathered before they are written. */
const PIECE = 1 << 20;
const RETRY_MS = 2;

export class Output {
  private pieces: string[] = [];
  private length = 0;
  private isOpen = true;
  /** What went wrong; undefined while all is well. */
  error: NodeJS.ErrnoException | undefined;
  private readonly descriptor: number;

  /** `target` is a path, or a descriptor that is open. Throws Node's error for a file that cannot be written. */
  constructor(private readonly target: string | number) {
    this.descriptor = typeof target === "number" ? target : openSync(target, "w");
  }

  write(text: string): void {
    this.pieces.push(text);
    this.length += text.length;
    if (this.length >= PIECE) this.flush();
  }

  /** Adds bytes, behind all text before them. */
  writeBytes(bytes: Uint8Array): void {
    this.flush();
    this.put(bytes);
  }

  flush(): void {
    if (this.length === 0) return;
    const bytes = Buffer.from(this.pieces.join(""), "utf8");
    this.pieces = [];
    this.length = 0;
    this.put(bytes);
  }

  private put(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && this.error === undefined; ) {
      try {
        at += writeSync(this.descriptor, bytes, at);
      } catch (error) {
        // A pipe that is full, and does not make its writers wait.
        if ((error as NodeJS.ErrnoException).code === "EAGAIN") pause();
        else this.error = error as NodeJS.ErrnoException;
      }
    }
  }

  /** Writes what is left. The descriptor is closed if it was opened here. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.flush();
    if (typeof this.target === "string") closeSync(this.descriptor);
  }
}

const nothing = new Int32Array(new SharedArrayBuffer(4));

function pause(): void {
  Atomics.wait(nothing, 0, 0, RETRY_MS);
}
