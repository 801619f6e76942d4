/**
 * From an address in the kernel to the name of its function, by the table that the linker makes:
 *
 *     __ksyms:  u32 count | count x { u32 address, u32 address of an ASCIIZ name }, ascending by address
 *
 * Imports nothing.
 */

/** Address of the table: ksyms.s. */
export declare function ksymsAddress(): usize;

const ENTRY_BYTES: u32 = 8;

/** Address of the table's entry for the last symbol at or below `address`, or 0. Its words: address, name. */
export function findSymbol(address: usize): usize {
  const table = ksymsAddress();
  let low: u32 = 0;
  let high = load<u32>(table);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<usize>(table + 4 + middle * ENTRY_BYTES) <= address) low = middle + 1;
    else high = middle;
  }
  return low == 0 ? 0 : table + 4 + (low - 1) * ENTRY_BYTES;
}
