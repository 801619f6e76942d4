/**
 * The kernel's own symbol table, by which a panic names the functions of its backtrace. May import link's types only.
 *
 *     u32 count
 *     count x { u32 address; u32 pointer to name }   by ascending address
 *     names, ASCII, each ended by a zero byte
 */
import type { LinkedSymbol } from "./link";

/** Symbol of the table's first byte. */
export const KERNEL_SYMBOLS = "__ksyms";

/** The table for all functions among `symbols`, to stand at `address`. One entry an address: the first global wins. */
export function buildKernelSymbols(symbols: readonly LinkedSymbol[], address: number): Uint8Array {
  const functions = symbols.filter((symbol) => symbol.kind === "function");
  functions.sort((a, b) => a.address - b.address || Number(b.global) - Number(a.global));
  const entries = functions.filter((symbol, i) => i === 0 || functions[i - 1].address !== symbol.address);
  const names = entries.map((symbol) => new TextEncoder().encode(`${symbol.name}\0`));
  const head = 4 + 8 * entries.length;
  const table = new Uint8Array(names.reduce((sum, name) => sum + name.length, head));
  const view = new DataView(table.buffer);
  view.setUint32(0, entries.length, true);
  let offset = head;
  entries.forEach((symbol, i) => {
    view.setUint32(4 + 8 * i, symbol.address, true);
    view.setUint32(8 + 8 * i, address + offset, true);
    table.set(names[i], offset);
    offset += names[i].length;
  });
  return table;
}
