/** What page tables map, in ranges of equal rights. May import nothing. Source: Intel SDM volume 3, 4.3 (32-bit paging). */
export interface PageRange {
  /** Linear addresses, the end exclusive. */
  start: number;
  end: number;
  /** `u` user or `-`, then `w` or `r`: what directory and table grant together; `d`: the pde alone takes W away. */
  flags: string;
  large: boolean;
}

const PRESENT = 1;
const WRITE = 2;
const USER = 4;
const LARGE = 0x80;

/** The ranges of a directory (a CR3 value) in RAM, lowest first. */
export function ranges(words: Uint32Array, directory: number): PageRange[] {
  const found: PageRange[] = [];
  const add = (start: number, bytes: number, pde: number, pte: number, large: boolean): void => {
    const rights = pde & pte;
    const flags = `${(rights & USER) !== 0 ? "u" : "-"}${(rights & WRITE) !== 0 ? "w" : "r"}${(pte & ~pde & WRITE) !== 0 ? "d" : "-"}`;
    const last = found.at(-1);
    if (last !== undefined && last.end === start && last.flags === flags && last.large === large) last.end += bytes;
    else found.push({ start, end: start + bytes, flags, large });
  };
  const base = (directory >>> 12) << 10;
  for (let slot = 0; slot < 1024; slot++) {
    const pde = words[base + slot] ?? 0;
    if ((pde & PRESENT) === 0) continue;
    const start = slot * 0x400000;
    if ((pde & LARGE) !== 0) add(start, 0x400000, pde, pde, true);
    else {
      for (let i = 0; i < 1024; i++) {
        const pte = words[((pde >>> 12) << 10) + i] ?? 0;
        if ((pte & PRESENT) !== 0) add(start + i * 4096, 4096, pde, pte, false);
      }
    }
  }
  return found;
}
