/**
 * The heap of a program: malloc, free, realloc over brk, first fit. May import syscalls.
 *
 *      block            block + 8
 *     +--------+--------+----------------------------+
 *     | bytes  |  next  |  payload, a multiple of 8  |
 *     +--------+--------+----------------------------+
 *
 * `bytes` counts the header too. Free blocks hang in one list by rising address, no two of them adjacent: free() joins
 * neighbours. `next` of a block in use is IN_USE, so that freeing twice is caught. Memory is never given back to the kernel.
 * Source: Kernighan and Ritchie, The C Programming Language, 8.7.
 */
import { brk } from "./syscalls";

@unmanaged
class Block {
  bytes: usize = 0;
  next: Block | null = null;
}

const HEADER: usize = 8;
/** The heap grows by at least this much. */
const GROWTH: usize = 0x10000;
const IN_USE: usize = 1;

let firstFree: Block | null = null;

/** Puts the block into the list and joins it with the free blocks right before and after it. */
function release(block: Block): void {
  let before: Block | null = null;
  let after = firstFree;
  while (after != null && changetype<usize>(after) < changetype<usize>(block)) {
    before = after;
    after = after.next;
  }
  if (after != null && changetype<usize>(block) + block.bytes == changetype<usize>(after)) {
    block.bytes += after.bytes;
    after = after.next;
  }
  block.next = after;
  if (before == null) {
    firstFree = block;
  } else if (changetype<usize>(before) + before.bytes == changetype<usize>(block)) {
    before.bytes += block.bytes;
    before.next = block.next;
  } else {
    before.next = block;
  }
}

/** Gets `bytes` or more from the kernel. False when there is no memory. */
function grow(bytes: usize): bool {
  const start = (brk(0) + 7) & ~7;
  const size = bytes < GROWTH ? GROWTH : bytes;
  if (start + size < start || brk(start + size) < start + size) return false;
  const block = changetype<Block>(start);
  block.bytes = size;
  release(block);
  return true;
}

/** Address of `bytes` of memory, aligned to 8, its contents undefined; 0 when there is no memory. */
export function malloc(bytes: usize): usize {
  if (bytes > 0x7fffffff) return 0;
  const wanted = ((bytes + 7) & ~7) + HEADER;
  while (true) {
    let before: Block | null = null;
    let block = firstFree;
    while (block != null && block.bytes < wanted) {
      before = block;
      block = block.next;
    }
    if (block != null) {
      let rest = block.next;
      if (block.bytes - wanted > HEADER) {
        const tail = changetype<Block>(changetype<usize>(block) + wanted);
        tail.bytes = block.bytes - wanted;
        tail.next = rest;
        block.bytes = wanted;
        rest = tail;
      }
      if (before == null) firstFree = rest;
      else before.next = rest;
      block.next = changetype<Block>(IN_USE);
      return changetype<usize>(block) + HEADER;
    }
    if (!grow(wanted)) return 0;
  }
}

/** Gives back what malloc or realloc answered; 0 is allowed. */
export function free(address: usize): void {
  if (address == 0) return;
  const block = changetype<Block>(address - HEADER);
  assert(changetype<usize>(block.next) == IN_USE, "free of an address that malloc gave and nobody freed");
  release(block);
}

/** malloc of `count` * `bytes` zeroed bytes; 0 when there is no memory. */
export function calloc(count: usize, bytes: usize): usize {
  if (count != 0 && bytes > 0x7fffffff / count) return 0;
  const address = malloc(count * bytes);
  if (address != 0) memory.fill(address, 0, count * bytes);
  return address;
}

/** The block at `address` with room for `bytes`, moved if need be; 0 when there is no memory, and the block is as it was. */
export function realloc(address: usize, bytes: usize): usize {
  if (address == 0) return malloc(bytes);
  const room = changetype<Block>(address - HEADER).bytes - HEADER;
  if (bytes <= room) return address;
  const moved = malloc(bytes);
  if (moved == 0) return 0;
  memory.copy(moved, address, room);
  free(address);
  return moved;
}
