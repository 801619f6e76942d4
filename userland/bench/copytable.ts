/**
 * Benchmark: the table copy of fork, as kernel/mm/pagetable.ts copies the ptes of a private mapping: each loses W in both tables,
 * and its page gets a reference more. `main` is entered without a kernel (tests/bench/guests/compiled.ts), so it makes no
 * system call. May import nothing.
 */
const ENTRIES: u32 = 1024;
const PTE_PRESENT: u32 = 1;
const PTE_WRITE: u32 = 2;
const PTE_FLAGS: u32 = 0x67;
/** Bytes of a struct Page of the kernel, and where its count lies. */
const PAGE_SHIFT: u32 = 5;
const COUNT: usize = 4;
const pages: usize = memory.data(32768, 4096);
const from: usize = memory.data(4096, 4096);
const to: usize = memory.data(4096, 4096);

function fill(): void {
  // Frames in an order that is not the ptes', as it is after a while of running; each of the 1,024 once.
  for (let i: u32 = 0; i < ENTRIES; i++) store<u32>(from + (i << 2), (((i * 421) & (ENTRIES - 1)) << 12) | PTE_FLAGS);
}

function copyPtes(first: usize, end: usize, distance: usize, keep: u32): void {
  for (let pte = first; pte < end; pte += 4) {
    const entry = load<u32>(pte);
    if ((entry & PTE_PRESENT) == 0) continue;
    store<u32>(pte, entry & keep);
    store<u32>(pte + distance, entry & keep);
    const page = pages + ((entry >> 12) << PAGE_SHIFT);
    store<u32>(page, load<u32>(page, COUNT) + 1, COUNT);
  }
}

/** Copies the table `forks` times; the result mixes entries and counts. */
export function main(forks: i32, _argv: usize, _envp: usize): i32 {
  fill();
  for (let i = 0; i < forks; i++) copyPtes(from, from + (ENTRIES << 2), to - from, ~PTE_WRITE);
  let checksum: u32 = 0;
  for (let i: u32 = 0; i < ENTRIES; i++) {
    checksum = rotl<u32>(checksum, 1) ^ load<u32>(to + (i << 2));
    checksum += load<u32>(pages + (i << PAGE_SHIFT), COUNT);
  }
  return i32(checksum);
}
