/**
 * Operations of a fuzzed program that use memory by instructions: words at a stride, blocks by string instructions. May import
 * process.
 */
import { fold, say } from "./process";

/** Added to the value from word to word. */
const STEP: u32 = 0x01010101;

/** Stores `words` words, `stride` bytes apart. */
export function writeWords(address: usize, words: u32, stride: u32, value: u32): void {
  for (let i: u32 = 0; i < words; i++) store<u32>(address + i * stride, value + i * STEP);
  say(words);
}

/** Says what `words` words hold. */
export function readWords(address: usize, words: u32, stride: u32): void {
  let hash: u32 = words;
  for (let i: u32 = 0; i < words; i++) hash = fold(hash, load<u32>(address + i * stride));
  say(hash);
}

export function copyBytes(to: usize, from: usize, bytes: u32): void {
  memory.copy(to, from, bytes);
  say(bytes);
}

export function fillBytes(address: usize, bytes: u32, value: u32): void {
  memory.fill(address, u8(value), bytes);
  say(value);
}
