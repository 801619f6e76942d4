/**
 * What of a process's memory is kept of a system call: strings and words that its arguments lead to, saved when it is made and when it is
 * over, told as text whenever somebody wants to (strace.ts). May import cpu's public face, kernel/abi, syscalltable.
 *
 * A piece is a word, how many bytes it has, or -1 where nothing is mapped, and the bytes, filled up to whole words. Invariants: pieces are
 * saved in the order of the arguments; saving allocates nothing once the buffer is large enough.
 */
import type { Machine } from "../../cpu/index";
import { MAX_ERRNO } from "../../kernel/abi/errno";
import { ArgumentMemory, signatureOf } from "./syscalltable";

/** Bytes of a buffer, and strings of a list, that are shown. */
export const SHOWN_BYTES = 32;
export const SHOWN_STRINGS = 8;
/** Longest path or argument. */
const MOST_STRING = 4096;
const PAGE = 4096;
/** Bytes of mmap's arguments in memory. */
const MMAP_BYTES = 24;
/** Words that one call's pieces take at most: a path, a list of strings, buffers. */
export const MOST_PIECES = (SHOWN_STRINGS + 2) * (1 + MOST_STRING / 4) + 6 * (1 + SHOWN_BYTES / 4) + 16;

/** Registers that hold a call's arguments, in order, as numbers of general registers: EBX ECX EDX ESI EDI EBP. */
export const ARGUMENT_REGISTERS = [3, 1, 2, 6, 7, 5] as const;

/** Whether a result is an error: -4095 to -1. */
export function isError(result: number): boolean {
  return result < 0 && result >= -Number(MAX_ERRNO);
}

/** Pieces of memory as they are saved. Used again and again. */
export class SavedMemory {
  words = new Int32Array(64);
  private bytes = new Uint8Array(this.words.buffer);
  /** Words that are in use. */
  length = 0;

  clear(): void {
    this.length = 0;
  }

  /** Saves bytes at a linear address, fewer where the mapping ends; of a string those before its NUL. */
  save(machine: Machine, linear: number, most: number, isString: boolean): void {
    const { ram } = machine.cpu;
    const head = this.length;
    let at = 4 * (head + 1);
    const first = at;
    let isMapped = most === 0;
    pages: for (let done = 0; done < most; ) {
      const address = (linear + done) >>> 0;
      const physical = machine.translate(address);
      if (physical < 0) break;
      const count = Math.min(most - done, PAGE - (address & (PAGE - 1)), ram.length - physical);
      if (count <= 0) break;
      isMapped = true;
      this.reserve(at + (isString ? Math.min(count, 64) : count));
      for (let i = 0; i < count; i++) {
        const byte = ram[physical + i];
        if (isString) {
          if (byte === 0) break pages;
          if (at >= this.bytes.length) this.reserve(at + 1);
        }
        this.bytes[at++] = byte;
      }
      done += count;
    }
    this.reserve(at);
    this.words[head] = isMapped ? at - first : -1;
    this.length = (at + 3) >> 2;
  }

  /** Makes room for a number of bytes. */
  private reserve(bytes: number): void {
    if (bytes <= this.bytes.length) return;
    const grown = new Int32Array(Math.max(2 * this.words.length, (bytes + 3) >> 2));
    grown.set(this.words);
    this.words = grown;
    this.bytes = new Uint8Array(grown.buffer);
  }

  /** The word at a place of the piece that begins at a word. */
  wordIn(piece: number, index: number): number {
    return 4 * (index + 1) <= this.words[piece] ? this.words[piece + 1 + index] : 0;
  }
}

/** Pieces as they are read. */
export class Pieces {
  constructor(
    private readonly words: Int32Array,
    private at: number,
  ) {}

  /** The next piece's bytes; undefined where nothing was mapped. */
  next(): Uint8Array | undefined {
    const { words, at } = this;
    const bytes = words[at];
    this.at += 1 + ((Math.max(bytes, 0) + 3) >> 2);
    return bytes < 0 ? undefined : new Uint8Array(words.buffer, words.byteOffset + 4 * (at + 1), bytes);
  }
}

/** Saves what the arguments of a call that is made now lead to. `args` are its six registers. */
export function saveArguments(saved: SavedMemory, machine: Machine, number: number, args: Int32Array): void {
  const { forms, inMemory } = signatureOf(number);
  if (inMemory) {
    saved.save(machine, args[0], MMAP_BYTES, false);
    return;
  }
  for (let i = 0; i < forms.length; i++) {
    const { memory, length } = forms[i];
    if (memory === ArgumentMemory.Bytes) {
      saved.save(machine, args[i], Math.min(args[length] >>> 0, SHOWN_BYTES), false);
    } else if (args[i] !== 0) {
      if (memory === ArgumentMemory.String) saved.save(machine, args[i], MOST_STRING, true);
      else if (memory === ArgumentMemory.Strings) saveStrings(saved, machine, args[i]);
    }
  }
}

/** The pointers of a list up to NULL, and then what they point to. */
function saveStrings(saved: SavedMemory, machine: Machine, list: number): void {
  const piece = saved.length;
  saved.save(machine, list, 4 * (SHOWN_STRINGS + 1), false);
  for (let i = 0; i < SHOWN_STRINGS; i++) {
    const pointer = saved.wordIn(piece, i);
    if (pointer === 0) break;
    saved.save(machine, pointer, MOST_STRING, true);
  }
}

/** Saves what a call that is over and came to `result` has filled in. */
export function saveResults(
  saved: SavedMemory,
  machine: Machine,
  number: number,
  args: Int32Array,
  result: number,
): void {
  if (isError(result)) return;
  const { forms } = signatureOf(number);
  for (let i = 0; i < forms.length; i++) {
    if (args[i] === 0) continue;
    const { memory } = forms[i];
    if (memory === ArgumentMemory.Filled) saved.save(machine, args[i], Math.min(result >>> 0, SHOWN_BYTES), false);
    else if (memory === ArgumentMemory.Status) saved.save(machine, args[i], 4, false);
    else if (memory === ArgumentMemory.Pair) saved.save(machine, args[i], 8, false);
  }
}
