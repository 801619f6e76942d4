/**
 * The key-value table of the snapshot's server: open addressing in one piece of private memory, half full. Imports area.
 *
 *      entry            +4           +8                      +64
 *     +---------------+-------------+-----------------------+
 *     | key, 0: empty | value's sum |  value, 14 words      |
 *     +---------------+-------------+-----------------------+
 */
import { mapPrivate, PLACE } from "./area";

export const ENTRY_BYTES: u32 = 64;
const HEADER_BYTES: u32 = 8;

let entries: u32 = 0;
/** Keys are 1 … keys. */
let keys: u32 = 0;

/** How many entries there is room for. */
export function entriesIn(): u32 {
  return entries;
}

export function entryAt(index: u32): usize {
  return PLACE + index * ENTRY_BYTES;
}

/** The entry of a key, or the empty one where it belongs. */
function find(key: u32): usize {
  let index = (key * 0x9e3779b1) % entries;
  while (load<u32>(entryAt(index)) != 0 && load<u32>(entryAt(index)) != key)
    index = index + 1 == entries ? 0 : index + 1;
  return entryAt(index);
}

/** Gives the key that `draw` comes to a value; what that adds to the sum of all. */
export function setKey(draw: u32, value: u32): u32 {
  const key = ((draw >> 4) % keys) + 1;
  const entry = find(key);
  const old = load<u32>(entry, 4);
  let sum: u32 = 0;
  let word = value;
  for (let at: u32 = HEADER_BYTES; at < ENTRY_BYTES; at += 4) {
    store<u32>(entry + at, word);
    sum += word;
    word = rotl<u32>(word, 5) + value;
  }
  store<u32>(entry, key);
  store<u32>(entry, sum, 4);
  return sum - old;
}

/** Makes a table of so many KB and puts as many keys into it as are half of its entries. */
export function tableFill(kilobytes: u32): void {
  entries = kilobytes * (1024 / ENTRY_BYTES);
  keys = entries / 2;
  mapPrivate(PLACE, entries * ENTRY_BYTES);
  for (let key: u32 = 0; key < keys; key++) setKey(key << 4, key * 0x85ebca77);
}

/** The sum of all values, as their words say. */
export function tableSum(): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < entries; i++) {
    const entry = entryAt(i);
    if (load<u32>(entry) == 0) continue;
    for (let at: u32 = HEADER_BYTES; at < ENTRY_BYTES; at += 4) sum += load<u32>(entry + at);
  }
  return sum;
}
