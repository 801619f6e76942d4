/**
 * Benchmark: mixed code as compilers make it. One round recurses, sorts, works on strings, and interprets a small virtual
 * machine's program by a switch (a jump table). `main` is entered without a kernel (tests/bench/guests/compiled.ts), so it
 * makes no system call. May import string.
 */
import { strcmp, strlen } from "../lib/string";

const NUMBERS: i32 = 256;
const numbers: usize = memory.data(1024, 64);
const TEXT_BYTES: u32 = 1024;
const text: usize = memory.data(1025, 64);
const word: usize = memory.data(64, 64);
const longest: usize = memory.data(64, 64);
const stack: usize = memory.data(256, 64);
const slots: usize = memory.data(64, 64);

let seed: u32 = 1;

function random(): u32 {
  seed = seed * 1664525 + 1013904223;
  return seed >> 8;
}

function fibonacci(n: u32): u32 {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

function quickSort(low: i32, high: i32): void {
  while (low < high) {
    const pivot = load<i32>(numbers + (((low + high) >> 1) << 2));
    let i = low;
    let j = high;
    while (i <= j) {
      while (load<i32>(numbers + (i << 2)) < pivot) i++;
      while (load<i32>(numbers + (j << 2)) > pivot) j--;
      if (i > j) break;
      const value = load<i32>(numbers + (i << 2));
      store<i32>(numbers + (i << 2), load<i32>(numbers + (j << 2)));
      store<i32>(numbers + (j << 2), value);
      i++;
      j--;
    }
    quickSort(low, j);
    low = i;
  }
}

function sortNumbers(): u32 {
  for (let i = 0; i < NUMBERS; i++) store<u32>(numbers + (i << 2), random());
  quickSort(0, NUMBERS - 1);
  let hash: u32 = 0;
  for (let i = 0; i < NUMBERS; i++) hash = hash * 31 + load<u32>(numbers + (i << 2));
  return hash;
}

function makeText(): void {
  for (let i: u32 = 0; i < TEXT_BYTES; i++) {
    const letter = random() % 32;
    store<u8>(text + i, u8(letter < 26 ? 97 + letter : 32));
  }
  store<u8>(text + TEXT_BYTES, 0);
}

/** Cuts the text into words, copies each, hashes it, and keeps the last in the order of strcmp. */
function workOnWords(): u32 {
  makeText();
  store<u8>(longest, 0);
  let hash: u32 = 2166136261;
  let from = text;
  for (;;) {
    while (load<u8>(from) == 32) from++;
    if (load<u8>(from) == 0) break;
    let bytes: u32 = 0;
    while (load<u8>(from + bytes) > 32 && bytes < 63) {
      store<u8>(word + bytes, load<u8>(from + bytes));
      bytes++;
    }
    store<u8>(word + bytes, 0);
    from += bytes;
    for (let i: u32 = 0; i < bytes; i++) hash = (hash ^ load<u8>(word + i)) * 16777619;
    if (strcmp(word, longest) > 0) {
      let i: u32 = 0;
      do store<u8>(longest + i, load<u8>(word + i));
      while (load<u8>(longest + i++) != 0);
    }
  }
  return hash + u32(strlen(longest));
}

/** Operations of the virtual machine, each followed by one operand byte. */
const enum Op {
  Push = 0,
  Load = 1,
  Store = 2,
  Add = 3,
  Subtract = 4,
  Multiply = 5,
  Xor = 6,
  Shift = 7,
  Less = 8,
  JumpIfZero = 9,
  Jump = 10,
  Halt = 11,
}

const program: usize = memory.data(64, 64);
let programEnd: usize = 0;

function emit(op: Op, operand: u32): void {
  store<u8>(programEnd, u8(op));
  store<u8>(programEnd + 1, u8(operand));
  programEnd += 2;
}

/** i = 0; sum = 0; while (i < 100) { sum = (sum ^ i * 7) + (i >> 1) - 3; i = i + 1; } */
function makeProgram(): void {
  programEnd = program;
  emit(Op.Push, 0);
  emit(Op.Store, 0);
  emit(Op.Push, 0);
  emit(Op.Store, 1);
  const start = u32(programEnd - program);
  emit(Op.Load, 0);
  emit(Op.Push, 100);
  emit(Op.Less, 0);
  const branch = programEnd;
  emit(Op.JumpIfZero, 0);
  emit(Op.Load, 1);
  emit(Op.Load, 0);
  emit(Op.Push, 7);
  emit(Op.Multiply, 0);
  emit(Op.Xor, 0);
  emit(Op.Load, 0);
  emit(Op.Push, 1);
  emit(Op.Shift, 0);
  emit(Op.Add, 0);
  emit(Op.Push, 3);
  emit(Op.Subtract, 0);
  emit(Op.Store, 1);
  emit(Op.Load, 0);
  emit(Op.Push, 1);
  emit(Op.Add, 0);
  emit(Op.Store, 0);
  emit(Op.Jump, start);
  store<u8>(branch + 1, u8(programEnd - program));
  emit(Op.Halt, 0);
}

function interpret(): u32 {
  let at: u32 = 0;
  let top = stack;
  let running = true;
  while (running) {
    const op = i32(load<u8>(program + at));
    const operand = u32(load<u8>(program + at + 1));
    at += 2;
    switch (op) {
      case Op.Push:
        store<u32>(top, operand);
        top += 4;
        break;
      case Op.Load:
        store<u32>(top, load<u32>(slots + (operand << 2)));
        top += 4;
        break;
      case Op.Store:
        top -= 4;
        store<u32>(slots + (operand << 2), load<u32>(top));
        break;
      case Op.Add:
        top -= 4;
        store<u32>(top - 4, load<u32>(top - 4) + load<u32>(top));
        break;
      case Op.Subtract:
        top -= 4;
        store<u32>(top - 4, load<u32>(top - 4) - load<u32>(top));
        break;
      case Op.Multiply:
        top -= 4;
        store<u32>(top - 4, load<u32>(top - 4) * load<u32>(top));
        break;
      case Op.Xor:
        top -= 4;
        store<u32>(top - 4, load<u32>(top - 4) ^ load<u32>(top));
        break;
      case Op.Shift:
        top -= 4;
        store<u32>(top - 4, load<u32>(top - 4) >> load<u32>(top));
        break;
      case Op.Less:
        top -= 4;
        store<u32>(top - 4, load<u32>(top - 4) < load<u32>(top) ? 1 : 0);
        break;
      case Op.JumpIfZero:
        top -= 4;
        if (load<u32>(top) == 0) at = operand;
        break;
      case Op.Jump:
        at = operand;
        break;
      default:
        running = false;
    }
  }
  return load<u32>(slots + 4);
}

/** `rounds` rounds; the result mixes what each part computed. */
export function main(rounds: i32, _argv: usize, _envp: usize): i32 {
  makeProgram();
  let checksum: u32 = 0;
  for (let i = 0; i < rounds; i++) {
    checksum = rotl<u32>(checksum, 1) ^ fibonacci(12);
    checksum = rotl<u32>(checksum, 1) ^ sortNumbers();
    checksum = rotl<u32>(checksum, 1) ^ workOnWords();
    checksum = rotl<u32>(checksum, 1) ^ interpret();
  }
  return i32(checksum);
}
